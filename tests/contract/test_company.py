"""Company: typing while an answer is made, one word when it takes long, and nothing of it harms the answer."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from bot import company as company_module
from bot.company import TYPING_AFTER, TYPING_EVERY, WORD_AFTER, Company
from bot.errors import SendFailed, SendLimited, SendRefused, SendUnknown
from bot.lease import Lease
from bot.message import Conversation
from bot.ports import Claimed
from bot.store.inbox import RedisInbox
from bot.store.outbound import Bucket, Buckets, RedisOutbound
from tests.contract.samples import LEASE, START_MS, claimed_by, conversation, inbox_on, incoming
from tests.contract.stage import TEXTS, FlakyScripts, Stage, comes_true

SOON = timedelta(milliseconds=5)
NEVER = timedelta(hours=1)
WORD = TEXTS("waiting", "en")
SEND_TIMEOUT = timedelta(seconds=10)


@pytest.fixture
def scripts(redis: Redis) -> FlakyScripts:
    """Scripts on a clock that stands still."""
    return FlakyScripts(redis, now_ms=START_MS)


@pytest.fixture
def inbox(redis: Redis, scripts: FlakyScripts) -> RedisInbox:
    """An inbox on that clock."""
    return inbox_on(redis, scripts)


@pytest.fixture
def outbound(scripts: FlakyScripts) -> RedisOutbound:
    """Plenty of sends, though none is added while the clock stands."""
    return RedisOutbound(scripts, {"telegram": Buckets(chat=Bucket(rate=1, per=timedelta(minutes=1), burst=1000))})


@pytest.fixture
def stage() -> Stage:
    """The platform."""
    return Stage()


def company(
    inbox: RedisInbox,
    outbound: RedisOutbound,
    stage: Stage,
    *,
    typing_after: timedelta = SOON,
    word_after: timedelta = WORD_AFTER,
    send_timeout: timedelta = SEND_TIMEOUT,
) -> Company:
    """Company that types at short intervals."""
    return Company(
        inbox=inbox,
        messengers={"telegram": stage},
        outbound=outbound,
        texts=TEXTS,
        send_timeout=send_timeout,
        typing_after=typing_after,
        typing_every=SOON,
        word_after=word_after,
    )


async def lease_on(inbox: RedisInbox, by: str = "t") -> Lease:
    """A lease on the message that waits, or on one that has just come."""
    await inbox.put(incoming(1))
    return leased(await claimed_by(inbox, by))


def leased(claimed: Claimed) -> Lease:
    """The lease of a claim made now."""
    return Lease(claimed, asked_at=time.monotonic(), duration=LEASE)


async def waited_lease(inbox: RedisInbox, scripts: FlakyScripts, waited: timedelta = WORD_AFTER) -> Lease:
    """A lease on a message that came so long ago."""
    await inbox.put(incoming(1))
    scripts.now_ms = START_MS + waited // timedelta(milliseconds=1)
    return await lease_on(inbox)


def test_a_person_sees_something_in_time() -> None:
    """Typing within about a second, again before Telegram takes it away after five, a word within ten."""
    assert timedelta(seconds=1) >= TYPING_AFTER
    assert timedelta(seconds=5) > TYPING_EVERY
    assert timedelta(seconds=10) >= WORD_AFTER


async def test_typing_is_shown_again_and_again(inbox: RedisInbox, outbound: RedisOutbound, stage: Stage) -> None:
    """For as long as the answer takes, and no longer."""
    lease = await lease_on(inbox)

    async with company(inbox, outbound, stage).during(lease, "en"):
        await comes_true(lambda: stage.typed >= 3)
    typed = stage.typed
    await asyncio.sleep(0)

    assert stage.typed == typed
    assert stage.asked == []
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("turn -")]


async def test_a_quick_answer_has_no_company(
    inbox: RedisInbox, scripts: FlakyScripts, outbound: RedisOutbound, stage: Stage
) -> None:
    """Also when its message had waited long: the answer says it better."""
    lease = await waited_lease(inbox, scripts, timedelta(minutes=5))

    async with company(inbox, outbound, stage, typing_after=NEVER, word_after=timedelta(0)).during(lease, "en"):
        await asyncio.sleep(0)

    assert (stage.typed, stage.asked) == (0, [])


async def test_no_word_before_its_time(inbox: RedisInbox, outbound: RedisOutbound, stage: Stage) -> None:
    """Typing will do."""
    lease = await lease_on(inbox)

    async with company(inbox, outbound, stage, word_after=NEVER).during(lease, "en"):
        await comes_true(lambda: stage.typed >= 5)

    assert stage.asked == []


async def test_one_word_when_it_takes_long(inbox: RedisInbox, outbound: RedisOutbound, stage: Stage) -> None:
    """In the person's language, under a key of its own, and never a second one; typing goes on."""
    lease = await lease_on(inbox)

    async with company(inbox, outbound, stage, word_after=timedelta(milliseconds=20)).during(lease, "zh"):
        await comes_true(lambda: bool(stage.heard))
        typed = stage.typed
        await comes_true(lambda: stage.typed >= typed + 5)

    assert stage.heard == [TEXTS("waiting", "zh")]
    assert stage.asked == ["telegram:1:1#wait"]


async def test_the_time_that_the_message_waited_counts(
    inbox: RedisInbox, scripts: FlakyScripts, outbound: RedisOutbound, stage: Stage
) -> None:
    """Ten seconds from the person's side, however much of it was in the queue."""
    lease = await waited_lease(inbox, scripts)

    async with company(inbox, outbound, stage).during(lease, "en"):
        await comes_true(lambda: bool(stage.heard))

    assert stage.heard == [WORD]


async def test_a_word_on_its_way_comes_before_the_answer(
    inbox: RedisInbox, scripts: FlakyScripts, outbound: RedisOutbound, stage: Stage
) -> None:
    """The answer that is ready meanwhile waits for it."""
    gate = asyncio.Event()
    stage.acts = [gate]
    lease = await waited_lease(inbox, scripts)
    ready = asyncio.Event()

    async def answer() -> None:
        async with company(inbox, outbound, stage).during(lease, "en"):
            await comes_true(lambda: bool(stage.asked))
            ready.set()
        stage.heard.append("the answer")

    answering = asyncio.create_task(answer())
    await ready.wait()
    for _ in range(50):
        await asyncio.sleep(0)
    early = list(stage.heard)
    gate.set()
    await answering

    assert early == []
    assert stage.heard == [WORD, "the answer"]


async def test_a_word_that_hangs_is_given_up(
    inbox: RedisInbox, scripts: FlakyScripts, outbound: RedisOutbound, stage: Stage
) -> None:
    """The answer waits for it no longer than a send may take."""
    stage.acts = [asyncio.Event()]
    lease = await waited_lease(inbox, scripts)

    async with asyncio.timeout(5), company(inbox, outbound, stage, send_timeout=SOON).during(lease, "en"):
        await comes_true(lambda: bool(stage.asked))

    assert stage.heard == []


async def test_whoever_takes_the_turn_over_says_no_second_word(
    inbox: RedisInbox, scripts: FlakyScripts, outbound: RedisOutbound, stage: Stage
) -> None:
    """It is told with the claim; one who claimed before the word was said finds out when booking it."""
    first = await waited_lease(inbox, scripts)
    here = company(inbox, RedisOutbound(scripts, {}), stage)
    await here.say_word_if_due(first, "en")
    await here.say_word_if_due(first, "en")
    scripts.now_ms = START_MS + 3 * (LEASE // timedelta(milliseconds=1))

    second = leased(await claimed_by(inbox, "second"))
    await company(inbox, outbound, stage).say_word_if_due(second, "en")
    budget = await outbound.take(conversation(), group=False, asker="a")
    await here.say_word_if_due(first, "en")

    assert second.claimed.told_waiting
    assert budget == timedelta(0)  # nothing was taken of it for a word that is not said
    assert stage.heard == [WORD]


async def test_who_waits_for_anothers_answer_gets_the_word(
    inbox: RedisInbox, scripts: FlakyScripts, outbound: RedisOutbound, stage: Stage
) -> None:
    """Deferred again and again, nobody shows typing: the word is said at the first look after ten seconds."""
    here = company(inbox, outbound, stage)
    lease = await lease_on(inbox)
    for second in (1, 5, 10, 11):
        await here.say_word_if_due(lease, "en")
        assert stage.heard == ([] if second <= 10 else [WORD])
        await inbox.defer(lease.claimed, timedelta(0))
        scripts.now_ms = START_MS + 1000 * second
        lease = await lease_on(inbox, f"t{second}")

    await here.say_word_if_due(lease, "en")

    assert stage.heard == [WORD]


async def test_typing_that_hangs_does_not_hold_the_answer(
    inbox: RedisInbox, outbound: RedisOutbound, stage: Stage
) -> None:
    """It is cut off."""
    stage.typing_hangs = True
    lease = await lease_on(inbox)

    async with asyncio.timeout(5), company(inbox, outbound, stage).during(lease, "en"):
        await comes_true(lambda: stage.typed == 1)

    assert stage.typed == 1


async def test_a_limited_word_closes_the_chat(inbox: RedisInbox, scripts: FlakyScripts, stage: Stage) -> None:
    """The answer, and everybody else in that chat, waits as long as the platform asked for."""
    outbound = RedisOutbound(scripts, {"telegram": Buckets()})
    stage.acts = [SendLimited(timedelta(seconds=7))]
    lease = await waited_lease(inbox, scripts)

    await company(inbox, outbound, stage).say_word_if_due(lease, "en")

    assert await outbound.take(conversation("8"), group=False, asker="a") == timedelta(seconds=7)
    assert await outbound.take(conversation("8", "elsewhere"), group=False, asker="b") == timedelta(0)


async def test_typing_that_breaks_is_tried_again_and_the_word_is_said(
    inbox: RedisInbox, outbound: RedisOutbound, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody foresaw stands in the log and costs no more than what it broke."""
    stage.typing_fails = ZeroDivisionError()
    lease = await lease_on(inbox)

    async with company(inbox, outbound, stage, word_after=timedelta(0)).during(lease, "en"):
        await comes_true(lambda: stage.typed >= 2 and bool(stage.heard))

    assert stage.heard == [WORD]
    assert {one.exc_info[0] for one in caplog.records if one.exc_info} == {ZeroDivisionError}


async def test_typing_takes_what_answers_do_not_need(inbox: RedisInbox, scripts: FlakyScripts, stage: Stage) -> None:
    """It counts for the platform like a message: it goes while more than half of the budget is left, and no further."""
    bucket = Bucket(rate=1, per=timedelta(minutes=1), burst=8)
    outbound = RedisOutbound(scripts, {"telegram": Buckets(chat=bucket)})
    lease = await lease_on(inbox)

    async with company(inbox, outbound, stage).during(lease, "en"):
        await comes_true(lambda: stage.typed >= 4)
        answers = [await outbound.take(conversation(), group=False, asker=name) for name in "abcd"]

    assert stage.typed == 4
    assert answers == [timedelta(0)] * 4


async def test_typing_that_is_limited_closes_the_chat(inbox: RedisInbox, outbound: RedisOutbound, stage: Stage) -> None:
    """Whatever is sent next would be refused too."""
    stage.typing_fails = SendLimited(timedelta(seconds=7))
    lease = await lease_on(inbox)

    async with company(inbox, outbound, stage).during(lease, "en"):
        await comes_true(lambda: stage.typed >= 1)

    assert stage.typed == 1
    assert await outbound.take(conversation("8"), group=False, asker="a") == timedelta(seconds=7)


async def test_without_budget_no_word(inbox: RedisInbox, scripts: FlakyScripts, stage: Stage) -> None:
    """The answer matters more; the word is not booked either, and may still be said by another look."""
    bucket = Bucket(rate=1, per=timedelta(minutes=1), burst=1)
    outbound = RedisOutbound(scripts, {"telegram": Buckets(chat=bucket)})
    lease = await waited_lease(inbox, scripts)
    await outbound.take(conversation(), group=False, asker="a")

    await company(inbox, outbound, stage).say_word_if_due(lease, "en")
    scripts.now_ms = START_MS + 70_000
    before = list(stage.asked)
    await company(inbox, outbound, stage).say_word_if_due(lease, "en")

    assert (before, stage.heard) == ([], [WORD])


async def test_a_budget_that_says_nothing_costs_the_word_and_holds_up_nobody(
    inbox: RedisInbox, scripts: FlakyScripts, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a cluster it lies on another server than the turn, and an answer may be ready behind the word."""
    monkeypatch.setattr(company_module, "TO_SPARE", SOON)

    class Hanging(RedisOutbound):
        """Its server takes what it is asked and answers nothing."""

        async def spare(self, conversation: Conversation, *, group: bool) -> bool:
            """Never."""
            await asyncio.Event().wait()
            raise AssertionError

    lease = await waited_lease(inbox, scripts)

    async with asyncio.timeout(5):
        await company(inbox, Hanging(scripts, {}), stage).say_word_if_due(lease, "en")

    assert stage.asked == []


async def test_who_was_told_costs_no_budget_again(inbox: RedisInbox, scripts: FlakyScripts, stage: Stage) -> None:
    """A turn that is put off asks once more."""
    bucket = Bucket(rate=1, per=timedelta(minutes=1), burst=4)
    outbound = RedisOutbound(scripts, {"telegram": Buckets(chat=bucket)})
    lease = await waited_lease(inbox, scripts)
    here = company(inbox, outbound, stage)

    for _ in range(2):
        await here.say_word_if_due(lease, "en")
    left = [await outbound.take(conversation(), group=False, asker=name) for name in "abc"]

    assert (stage.heard, left) == ([WORD], [timedelta(0)] * 3)


@pytest.mark.parametrize(
    "error", [SendFailed("no"), SendRefused("no"), SendUnknown("no"), TimeoutError(), KeyError("ok")]
)
async def test_a_word_that_fails_harms_nothing(
    inbox: RedisInbox, scripts: FlakyScripts, outbound: RedisOutbound, stage: Stage, error: Exception
) -> None:
    """The answer is what matters."""
    stage.acts = [error]
    lease = await waited_lease(inbox, scripts)

    await company(inbox, outbound, stage).say_word_if_due(lease, "en")

    assert len(stage.asked) == 1


@pytest.mark.parametrize("away", ["take", "tell_waiting", "close"])
async def test_without_redis_company_is_silent(
    inbox: RedisInbox, scripts: FlakyScripts, outbound: RedisOutbound, stage: Stage, away: str
) -> None:
    """Unbudgeted or unbooked words are not said, and nothing is raised."""
    stage.acts = [SendLimited(timedelta(seconds=7))]
    lease = await waited_lease(inbox, scripts)
    scripts.failing[away] = 1

    await company(inbox, outbound, stage).say_word_if_due(lease, "en")

    assert stage.heard == []
    assert scripts.failing[away] == 0

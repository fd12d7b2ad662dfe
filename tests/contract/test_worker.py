"""The worker: whatever fails around it, each message ends once, and a stop loses nothing."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from datetime import timedelta
from typing import cast

import pytest
from redis.asyncio import Redis

from bot import deliver as deliver_module
from bot import worker as worker_module
from bot.company import WORD_AFTER
from bot.deliver import LONG_ENOUGH
from bot.errors import SendFailed, SendLimited, SendRefused, SendUnknown, StoreUnavailable
from bot.health import readiness
from bot.message import Command, Conversation, Incoming, MessageId, Part, SentId
from bot.ports import Claimed, Delivery
from bot.store import keys
from bot.store.doorbell import RedisDoorbell
from bot.store.inbox import RedisInbox
from bot.store.outbound import RedisOutbound
from bot.store.scripts import milliseconds
from bot.suspects import MAX_CRASHES, SUSPECT_AFTER
from bot.turn import IN_LINE, Turn
from bot.unserved import AGAIN
from bot.worker import PATIENCE, SENDS_END
from tests.contract.samples import LEASE, START_MS, claimed_by, conversation, inbox_on, incoming
from tests.contract.stage import DEADLINE_S, TEXTS, Cast, FlakyScripts, PassingTime, Stage, answered, comes_true

ANN, BOB, CARL = conversation("ann"), conversation("bob"), conversation("carl")
FAILURE = TEXTS("failure", "en")
INBOX = keys.inbox(0)


@pytest.fixture
def scripts(redis: Redis) -> FlakyScripts:
    """Scripts on a clock that passes while nothing is due."""
    return FlakyScripts(redis, now_ms=START_MS)


@pytest.fixture
def stage() -> Stage:
    """The platform."""
    return Stage()


@pytest.fixture
def desk(redis: Redis, scripts: FlakyScripts, stage: Stage) -> Cast:
    """A desk that answers everything alike, without a limit on sends."""
    return Cast(
        redis=redis,
        scripts=scripts,
        inbox=inbox_on(redis, scripts),
        outbound=RedisOutbound(scripts, {}),
        stages={"telegram": stage},
    )


def seconds_since_start(desk: Cast) -> float:
    """On the clock of Redis."""
    return ((desk.scripts.now_ms or 0) - START_MS) / 1000


async def letters(redis: Redis) -> list[bytes]:
    """Reasons of the dead letters."""
    ids = cast("list[bytes]", await redis.zrange(f"{INBOX}:dead", 0, -1))
    return [cast("bytes", await redis.hget(f"{INBOX}:dead:{letter.decode()}", "reason")) for letter in ids]


# --- a store that is away ---------------------------------------------------------------------------------------------


async def test_a_token_is_not_used_again_where_its_turn_may_be(
    desk: Cast, stage: Stage, scripts: FlakyScripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim whose answer is lost may have been given something, by one server of several."""
    monkeypatch.setattr("bot.worker.STORE_AWAY", timedelta(milliseconds=1))
    tokens: list[str] = []
    claim = desk.inbox.claim

    async def noted(token: str, *, has_place: bool = False, spared_from: int | None = None) -> Claimed | None:
        tokens.append(token)
        return await claim(token, has_place=has_place, spared_from=spared_from)

    monkeypatch.setattr(desk.inbox, "claim", noted)
    scripts.failing["claim"] = 3
    await desk.inbox.put(incoming(1, ANN))

    await desk.until(lambda: bool(stage.heard))

    assert stage.heard == ["Fine."]
    assert len(set(tokens)) == len(tokens) > 3


async def test_a_settle_is_repeated_until_it_is_done(
    desk: Cast, stage: Stage, scripts: FlakyScripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis is away after the answer went out: the person hears it once, and it is remembered."""
    monkeypatch.setattr(deliver_module, "STORE_AGAIN", timedelta(milliseconds=1))
    scripts.failing["settle"] = 5
    await desk.inbox.put(incoming(1, ANN))

    await desk.until(lambda: bool(stage.heard))

    assert (stage.heard, scripts.failing["settle"]) == (["Fine."], 0)
    assert desk.meter.counted.count(("settled", "answered")) == 1
    await desk.inbox.put(incoming(2, ANN))
    assert [exchange.answer for exchange in (await claimed_by(desk.inbox, "t")).history] == ["Fine."]


async def test_a_failure_is_buried_until_it_is_done(
    desk: Cast, stage: Stage, scripts: FlakyScripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence of failure is said once, too."""
    monkeypatch.setattr(deliver_module, "STORE_AGAIN", timedelta(milliseconds=1))
    scripts.failing["bury"] = 5
    desk.answer = always_fails
    await desk.inbox.put(incoming(1, ANN))

    await desk.until(lambda: bool(stage.heard))

    assert (stage.heard, await letters(desk.redis)) == ([FAILURE], [b"3 exceptions, 0 crashes"])


async def test_claims_go_on_when_the_store_is_back(desk: Cast, stage: Stage, scripts: FlakyScripts) -> None:
    """A Redis that is away for some claims costs time alone."""
    scripts.failing["claim"] = 3
    await desk.inbox.put(incoming(1, ANN))

    await desk.until(lambda: bool(stage.heard))

    assert stage.heard == ["Fine."]


async def test_when_the_documents_store_stays_away_the_person_is_told(desk: Cast, stage: Stage) -> None:
    """It is waited for; but not for ever, for the store of the messages answers."""
    asked: list[float] = []

    async def away(turn: Turn) -> Turn:
        asked.append(seconds_since_start(desk))
        raise StoreUnavailable("search")

    desk.answer = away
    await desk.inbox.put(incoming(1, ANN))

    await desk.until(lambda: FAILURE in stage.heard)

    assert stage.heard == [FAILURE]
    assert len([moment for moment in asked if moment > PATIENCE.total_seconds()]) == 3
    assert len([moment for moment in asked if moment <= PATIENCE.total_seconds()]) > 3
    assert await letters(desk.redis) == [b"3 exceptions, 0 crashes"]


async def test_how_long_a_message_waited_makes_no_short_absence_a_failure(desk: Cast, stage: Stage) -> None:
    """In a backlog it is older than the patience with a store from the start; blips come and go, one while in line."""
    await desk.inbox.put(incoming(1, ANN))
    assert desk.scripts.now_ms is not None
    desk.scripts.now_ms += 2 * milliseconds(PATIENCE)
    away = StoreUnavailable("search")
    acts: list[StoreUnavailable | timedelta] = [away, away, away, away, PATIENCE, away, away, away, away]

    async def now_and_then(turn: Turn) -> Turn:
        match acts.pop(0) if acts else None:
            case StoreUnavailable() as error:
                raise error
            case timedelta() as in_line:
                desk.scripts.now_ms = (desk.scripts.now_ms or 0) + milliseconds(in_line)
                return replace(turn, wait=IN_LINE)
        return answered(turn)

    desk.answer = now_and_then

    await desk.until(lambda: stage.heard[-1:] in (["Fine."], [FAILURE]))

    assert (stage.heard[-1], await letters(desk.redis)) == ("Fine.", [])


async def test_how_long_a_message_waited_makes_no_failed_send_an_attempt(desk: Cast, stage: Stage) -> None:
    """It lay there for more than a day, and then the connection fails for half a minute."""
    await desk.inbox.put(incoming(1, ANN))
    assert desk.scripts.now_ms is not None
    desk.scripts.now_ms += 2 * milliseconds(LONG_ENOUGH)
    stage.acts = [SendFailed("no connection")] * 8

    await desk.until(lambda: len(stage.asked) == 9)

    assert (stage.heard, await letters(desk.redis)) == (["Fine."], [])


@pytest.mark.parametrize("error", [SendLimited(timedelta(hours=1)), SendFailed("no")])
async def test_a_chat_that_never_takes_anything_ends_after_a_day(desk: Cast, stage: Stage, error: Exception) -> None:
    """As where Slack's workspace has used up its messages: what waits behind it in the mailbox comes up."""
    desk.doorbell = Impatient(desk.redis, desk.scripts)
    stage.acts = [error] * 99
    await desk.inbox.put(incoming(1, ANN))

    async with desk.working():
        await desk.at_rest()

    assert await letters(desk.redis) == [b"could not be sent"]
    assert seconds_since_start(desk) > LONG_ENOUGH.total_seconds()
    assert 24 < len(stage.asked) < 32


class Impatient(PassingTime):
    """An hour passes at once."""

    async def wait(self, longest: timedelta) -> None:
        """Until somebody is due."""
        await super().wait(timedelta(hours=1))


# --- what cannot be answered ------------------------------------------------------------------------------------------


async def always_fails(turn: Turn) -> Turn:
    """A mistake of ours."""
    raise ZeroDivisionError


@pytest.mark.parametrize("attempts", [12, 99])
async def test_no_exception_makes_a_message_wait_longer_than_an_hour(desk: Cast, attempts: int) -> None:
    """However many attempts are allowed."""
    desk.max_attempts = attempts + 1
    failed_at: list[float] = []

    async def fails(turn: Turn) -> Turn:
        failed_at.append(seconds_since_start(desk))
        raise ZeroDivisionError

    desk.answer = fails
    await desk.inbox.put(incoming(1, ANN))
    await desk.inbox.defer(await claimed_by(desk.inbox, "t"), timedelta(0))
    await desk.redis.hset(f"{INBOX}:turn:{ANN.id}", "attempts", attempts)

    async with desk.working():
        await comes_true(lambda: bool(failed_at))

    due_ms = await desk.redis.zscore(f"{INBOX}:due", ANN.id)
    assert due_ms is not None
    assert round((due_ms - START_MS) / 1000 - failed_at[0]) == 3600


async def test_an_unreadable_message_stops_nobody(desk: Cast, stage: Stage) -> None:
    """Those behind it in its mailbox and beside it are answered; it is kept for the operator."""
    for number, where in ((1, ANN), (2, ANN), (3, BOB)):
        await desk.inbox.put(incoming(number, where))
    await desk.redis.hset(f"{INBOX}:body:{ANN.id}", incoming(1).id, b"1:0:{}")

    await desk.until(lambda: len(stage.heard) == 2)

    assert sorted(stage.asked) == ["telegram:1:2#0", "telegram:1:3#0"]
    assert await letters(desk.redis) == [b"unreadable"]


async def test_a_claim_that_breaks_stops_nobody(
    desk: Cast, stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A hand left something under a name that is none of ours: the log says so, and the others are answered."""
    monkeypatch.setattr(worker_module, "STORE_AWAY", timedelta(milliseconds=5))
    await desk.redis.rpush(f"{INBOX}:mail:odd", "1")
    await desk.redis.hset(f"{INBOX}:body:odd", "1", b"1:0:{}")
    await desk.redis.zadd(f"{INBOX}:due", {"odd": START_MS - 1})
    await desk.inbox.put(incoming(1, ANN))

    async with desk.working():
        await comes_true(lambda: bool(stage.heard))

    assert stage.heard == ["Fine."]
    assert ValueError in {record.exc_info[0] for record in caplog.records if record.exc_info}


@pytest.mark.parametrize("error", [SendLimited(timedelta(minutes=5)), SendFailed("no"), SendUnknown("no")])
async def test_a_failure_is_said_even_when_sending_is_hard(desk: Cast, stage: Stage, error: Exception) -> None:
    """The sentence is in the ledger like any answer: deferred, it is said later, and then its message is buried."""
    desk.answer = always_fails
    stage.acts = [error]
    await desk.inbox.put(incoming(1, ANN))

    await desk.until(lambda: bool(stage.heard))

    assert (stage.heard, len(stage.asked)) == ([FAILURE], 2)
    assert await letters(desk.redis) == [b"3 exceptions, 0 crashes"]


async def test_unknown_sends_end_after_four(desk: Cast, stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Tried at once, after 15, 60 more and 240 more seconds; then it goes to the dead letters, and the log says so."""
    sent_at: list[float] = []

    async def note(key: str) -> None:
        sent_at.append(seconds_since_start(desk))

    stage.on_send = note
    stage.acts = [SendUnknown("no answer")] * 9
    await desk.inbox.put(incoming(1, ANN))

    await desk.until(lambda: len(stage.asked) >= 4)

    assert [round(at) for at in sent_at] == [0, 15, 75, 315]
    assert await letters(desk.redis) == [b"could not be sent"]
    assert [one for one in desk.meter.counted if one[0] == "settled"] == [("settled", "unsent")]
    assert await desk.inbox.queue() == (0, timedelta(0), 1)
    *tries, last = [one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING]
    assert tries == [f"it is not known whether a message went out (try {n}): no answer" for n in (1, 2, 3, 4)]
    assert last == "given up and kept as a dead letter, see `frontdesk dead list`: could not be sent"


async def test_a_failure_that_the_platform_does_not_take_is_no_blocked_bot(desk: Cast, stage: Stage) -> None:
    """The message is a dead letter, and counts as failed."""
    desk.answer = always_fails
    stage.acts = [SendRefused("blocked")] * 2
    await desk.inbox.put(incoming(1, ANN))

    await desk.until(lambda: bool(desk.meter.counted))

    assert desk.meter.counted[-1] == ("settled", "failed")
    assert await letters(desk.redis) == [b"3 exceptions, 0 crashes"]


async def test_a_platform_that_comes_back_within_five_minutes_costs_no_answer(desk: Cast, stage: Stage) -> None:
    """Three sends without an answer, and the fourth comes through."""
    stage.acts = [SendUnknown("no answer")] * 3
    await desk.inbox.put(incoming(1, ANN))

    await desk.until(lambda: len(stage.asked) >= 4)

    assert (stage.heard, await letters(desk.redis)) == (["Fine."], [])


async def test_each_part_has_attempts_of_its_own(desk: Cast, stage: Stage) -> None:
    """Four parts of five fail once or more, none four times: the reply goes out whole, each wait from 15 s on."""
    lost = [SendUnknown("no answer")]

    async def five(turn: Turn) -> Turn:
        return answered(turn, "p0\n\np1\n\np2\n\np3\n\np4")

    desk.answer = five
    stage.acts = [*lost, *lost, None, *lost, None, *lost, *lost, None, *lost, None]
    await desk.inbox.put(incoming(1, ANN))

    await desk.until(lambda: len(stage.heard) >= 5)

    assert (stage.heard, await letters(desk.redis)) == (["p0", "p1", "p2", "p3", "p4"], [])
    assert round(seconds_since_start(desk)) in range(180, 190)


async def test_a_reply_that_is_out_wholly_is_never_buried(desk: Cast, stage: Stage) -> None:
    """Its worker ended ten times between the last id and settling: it is settled."""
    await desk.inbox.put(incoming(1, ANN))
    assert desk.scripts.now_ms is not None
    claimed = await claimed_by(desk.inbox, "first")
    delivery = Delivery(parts=(Part(text="Fine."),), outcome="answered")
    await desk.inbox.record(claimed, delivery, sending=0)
    await desk.inbox.record(claimed, sent=(0, SentId("55")))
    for again in range(MAX_CRASHES + 1):
        desk.scripts.now_ms += LEASE // timedelta(milliseconds=1)
        await claimed_by(desk.inbox, f"again {again}")
    desk.scripts.now_ms += LEASE // timedelta(milliseconds=1)

    async with desk.working():
        await desk.at_rest()

    assert (stage.heard, await letters(desk.redis)) == ([], [])


async def test_a_failed_send_after_exceptions_has_attempts_of_its_own(desk: Cast, stage: Stage) -> None:
    """Two mistakes of ours and then an answer: its sending may still fail twice."""
    failures = [ZeroDivisionError(), ZeroDivisionError()]

    async def third_time(turn: Turn) -> Turn:
        if failures:
            raise failures.pop()
        return answered(turn)

    desk.answer = third_time
    stage.acts = [SendUnknown("no answer")] * 2
    await desk.inbox.put(incoming(1, ANN))

    await desk.until(lambda: bool(stage.heard))

    assert (stage.heard, len(stage.asked), await letters(desk.redis)) == (["Fine."], 3, [])


async def test_a_full_mailbox_is_said_in_its_turn(desk: Cast, stage: Stage) -> None:
    """After the answers to what was taken; the model is not asked about it."""
    desk.inbox = inbox_on(desk.redis, desk.scripts, max_waiting=2)
    asked: list[str] = []

    async def answer(turn: Turn) -> Turn:
        asked.append(turn.incoming.id)
        return answered(turn)

    desk.answer = answer
    for number in range(4):
        await desk.inbox.put(incoming(number, ANN))

    await desk.until(lambda: len(stage.heard) == 3)

    assert stage.heard == ["Fine.", "Fine.", TEXTS("mailbox_full", "en")]
    assert asked == ["telegram:1:0", "telegram:1:1"]
    assert ("settled", "refused") in desk.meter.counted


# --- crashes ----------------------------------------------------------------------------------------------------------


async def crashed(desk: Cast, times: int, reply: Delivery | None = None) -> None:
    """Leases that run out, all of them after a reply was finished if there is one."""
    for number in range(times):
        claimed = await claimed_by(desk.inbox, f"crash {number}")
        if reply is not None:
            await desk.inbox.record(claimed, reply, sending=0)
        desk.scripts.now_ms = (desk.scripts.now_ms or 0) + milliseconds(LEASE)
        await desk.redis.delete(f"{INBOX}:claim:crash {number}")  # it ends on the real clock


@pytest.mark.parametrize("crashes", [MAX_CRASHES - 1, MAX_CRASHES])
async def test_a_message_that_ends_every_process_is_given_up(desk: Cast, stage: Stage, crashes: int) -> None:
    """After ten the person is told, without another try; a rolling kill buries no innocent."""
    await desk.inbox.put(incoming(1, ANN))
    await crashed(desk, crashes)

    await desk.until(lambda: bool(stage.heard))

    given_up = crashes == MAX_CRASHES
    assert stage.heard == ([FAILURE] if given_up else ["Fine."])
    assert await letters(desk.redis) == ([b"0 exceptions, 10 crashes"] if given_up else [])


async def test_messages_that_saw_crashes_are_answered_one_at_a_time(desk: Cast, stage: Stage) -> None:
    """One of them may have caused them, and shall not take the others along; those that saw none do not wait."""
    at_once: list[int] = []
    working: set[int] = set()
    fresh = asyncio.Event()

    async def look(turn: Turn) -> Turn:
        if turn.incoming.text == "fresh":
            fresh.set()
            return answered(turn)
        working.add(id(turn))
        at_once.append(len(working))
        await fresh.wait()
        working.discard(id(turn))
        return answered(turn)

    desk.answer = look
    for number in range(3):
        await desk.inbox.put(incoming(number, conversation(str(number))))
    for _ in range(SUSPECT_AFTER):
        for number in range(3):
            await claimed_by(desk.inbox, f"crash {number}")
        desk.scripts.now_ms = (desk.scripts.now_ms or 0) + milliseconds(LEASE)
        await desk.redis.delete(*(f"{INBOX}:claim:crash {number}" for number in range(3)))
    await desk.inbox.put(incoming(9, conversation("9"), text="fresh"))

    await desk.until(lambda: stage.heard.count("Fine.") == 4)

    assert at_once == [1, 1, 1]


async def test_a_suspect_that_waits_for_another_is_not_charged_with_its_crash(desk: Cast, stage: Stage) -> None:
    """Were the process to end while the waiting one is given back, it would be as guilty as the other."""
    for number in range(2):
        await desk.inbox.put(incoming(number, conversation(str(number))))
    for _ in range(SUSPECT_AFTER):
        for number in range(2):
            await claimed_by(desk.inbox, f"crash {number}")
        desk.scripts.now_ms = (desk.scripts.now_ms or 0) + milliseconds(LEASE)
        await desk.redis.delete(*(f"{INBOX}:claim:crash {number}" for number in range(2)))
    charged: list[set[str | bytes | None]] = []

    async def beside(turn: Turn) -> Turn:
        """Until the other has been claimed and given back; the first one alone is charged."""
        if not charged:
            turns = [f"{INBOX}:turn:{conversation(str(number)).id}" for number in range(2)]
            found = set[str | bytes | None]()
            async with asyncio.timeout(DEADLINE_S):
                while found != {b"1", b"0"}:
                    await asyncio.sleep(0.005)
                    found = {await desk.redis.hget(name, "charged") for name in turns}
            charged.append(found)
        return answered(turn)

    desk.answer = beside
    await desk.until(lambda: stage.heard.count("Fine.") == 2)

    assert charged == [{b"1", b"0"}]


async def test_suspects_wait_for_one_no_longer_than_for_a_while_and_are_told(
    desk: Cast, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ends a process does so soon: a slow answer does not keep the others for its whole time."""
    monkeypatch.setattr("bot.suspects.ALONE", timedelta(milliseconds=200))
    for number in range(2):
        await desk.inbox.put(incoming(number, conversation(str(number))))
    for _ in range(SUSPECT_AFTER):
        for number in range(2):
            await claimed_by(desk.inbox, f"crash {number}")
        desk.scripts.now_ms = (desk.scripts.now_ms or 0) + milliseconds(LEASE)
        await desk.redis.delete(*(f"{INBOX}:claim:crash {number}" for number in range(2)))
    at_work: list[str] = []
    both = asyncio.Event()

    async def together(turn: Turn) -> Turn:
        at_work.append(turn.incoming.id)
        if len(at_work) == 2:
            both.set()
        while not both.is_set():
            # The clock stands while a turn is leased; the other is due again when it goes on.
            await asyncio.sleep(0.01)
            desk.scripts.now_ms = (desk.scripts.now_ms or 0) + 100
        return answered(turn)

    desk.answer = together
    await desk.until(lambda: stage.heard.count("Fine.") == 2)

    assert TEXTS("waiting", "en") in stage.heard


async def test_a_reaction_is_never_told_that_it_failed_or_that_too_much_waits(desk: Cast, stage: Stage) -> None:
    """Nobody waits for words to it, and in a group everybody would read them."""
    desk.inbox = inbox_on(desk.redis, desk.scripts, max_waiting=1)
    await desk.inbox.put(a_reaction(1))
    await desk.inbox.put(a_reaction(2))
    await crashed(desk, MAX_CRASHES)
    asked: list[str] = []

    async def in_silence(turn: Turn) -> Turn:
        asked.append(turn.incoming.id)
        return replace(turn, silent=True, outcome="command")

    desk.answer = in_silence
    await desk.until(lambda: len(desk.meter.counted) >= 3)

    assert (stage.heard, asked) == ([], ["telegram:1:2"])
    assert [what for what in desk.meter.counted if what[0] == "settled"] == [
        ("settled", "failed"),
        ("settled", "command"),
    ]


def a_reaction(number: int) -> Incoming:
    """Ann's thumb down on a message."""
    thumb = Command(name="dislike", addressed=True)
    return replace(incoming(number, ANN, text=""), command=thumb, about=SentId("77"))


@pytest.mark.parametrize("crashes", [MAX_CRASHES - 1, MAX_CRASHES])
async def test_a_reply_that_ends_every_process_is_given_up(desk: Cast, stage: Stage, crashes: int) -> None:
    """Its sending is what they die of, so it is not sent once more."""
    await desk.inbox.put(incoming(1, ANN))
    await crashed(desk, crashes, Delivery(parts=(Part(text="Boom."),), outcome="answered"))

    await desk.until(lambda: bool(desk.meter.counted))

    given_up = crashes == MAX_CRASHES
    assert stage.heard == ([] if given_up else ["Boom."])
    assert await letters(desk.redis) == ([b"could not be sent"] if given_up else [])


async def test_the_failure_after_crashes_is_said_even_when_sending_is_hard(desk: Cast, stage: Stage) -> None:
    """The crashes that made it so are not held against its own sending."""
    stage.acts = [SendLimited(timedelta(minutes=5)), SendUnknown("no answer")]
    await desk.inbox.put(incoming(1, ANN))
    await crashed(desk, MAX_CRASHES)

    await desk.until(lambda: bool(stage.heard))

    assert (stage.heard, len(stage.asked)) == ([FAILURE], 3)
    assert await letters(desk.redis) == [b"0 exceptions, 10 crashes"]


# --- platforms, waiting -----------------------------------------------------------------------------------------------


async def test_a_message_of_a_platform_that_is_off_waits_for_it(
    desk: Cast, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """Looked at now and then and not answered; others are; it is as soon as the platform is on again.

    Meanwhile the log and the readiness of this worker say so.
    """
    asked: list[MessageId] = []

    async def answer(turn: Turn) -> Turn:
        asked.append(turn.incoming.id)
        return answered(turn)

    desk.answer = answer
    await desk.inbox.put(of_slack())
    await desk.inbox.put(incoming(1, ANN))
    async with desk.working():
        await comes_true(lambda: seconds_since_start(desk) > 3 * AGAIN.total_seconds())
    before = list(asked)
    unserved = desk.workers[0].unserved
    ready = await readiness(asyncio.Event(), desk.inbox, {}, None, unserved)

    slack = Stage()
    desk.stages["slack"] = slack
    await desk.until(lambda: bool(slack.heard))

    assert (before, asked) == (["telegram:1:1"], ["telegram:1:1", "slack:1"])
    assert (slack.heard, stage.heard, await letters(desk.redis)) == (["Fine."], ["Fine."], [])
    assert ready == ["slack: messages wait that this worker cannot answer, for it has no SLACK_BOT_TOKEN"]
    assert [one.getMessage() for one in caplog.records if one.name == "bot.unserved"] == [
        f"{ready[0]}; set it and start this worker again"
    ]


def of_slack() -> Incoming:
    """A message in Slack."""
    where = Conversation(platform="slack", workspace="1", channel="c", thread="", user="7")
    return replace(incoming(1, where), id=MessageId("slack:1"))


async def test_whoever_waits_for_the_model_sees_typing(desk: Cast, stage: Stage) -> None:
    """After a second, in the midst of the pipeline."""

    async def once_seen(turn: Turn) -> Turn:
        await comes_true(lambda: stage.typed > 0)
        return answered(turn)

    desk.answer = once_seen
    await desk.inbox.put(incoming(1, ANN))

    await desk.until(lambda: bool(stage.heard))

    assert stage.heard == ["Fine."]


async def test_who_is_made_to_wait_gets_the_word(desk: Cast, stage: Stage) -> None:
    """Deferred second by second while another answers the same: one word after ten, then the answer."""

    async def in_twenty_seconds(turn: Turn) -> Turn:
        if seconds_since_start(desk) < 20:
            return replace(turn, wait=timedelta(seconds=1))
        return answered(turn)

    desk.answer = in_twenty_seconds
    await desk.inbox.put(incoming(1, ANN))

    await desk.until(lambda: "Fine." in stage.heard)

    assert stage.heard == [TEXTS("waiting", "en"), "Fine."]


# --- leases -----------------------------------------------------------------------------------------------------------


def on_the_real_clock(desk: Cast, redis: Redis) -> timedelta:
    """Leases that run out by themselves; how long they are."""
    lease = timedelta(seconds=1)
    desk.lease = lease
    desk.scripts = FlakyScripts(redis)
    desk.inbox = RedisInbox(
        desk.scripts,
        partitions=1,
        lease=lease,
        max_waiting=9,
        max_turns=9,
        max_tokens=9,
        history_ttl=timedelta(hours=1),
        shown_ttl=timedelta(hours=1),
    )
    desk.outbound = RedisOutbound(desk.scripts, {})
    return lease


async def test_a_turn_that_takes_longer_than_its_lease_is_run_once(desk: Cast, stage: Stage, redis: Redis) -> None:
    """Its lease is renewed while it runs, on the real clock, so that no other worker takes it."""
    lease = on_the_real_clock(desk, redis)
    runs: list[MessageId] = []

    async def takes_three_leases(turn: Turn) -> Turn:
        runs.append(turn.incoming.id)
        end = asyncio.get_running_loop().time() + 3 * lease.total_seconds()
        await comes_true(lambda: asyncio.get_running_loop().time() > end)
        return answered(turn)

    desk.answer = takes_three_leases
    await desk.inbox.put(incoming(1, ANN))

    async with desk.working(), desk.working():
        await comes_true(lambda: bool(stage.heard))
        await desk.at_rest()

    assert (runs, stage.heard) == (["telegram:1:1"], ["Fine."])


async def test_a_process_that_was_held_up_does_not_take_its_own_turns_over(
    desk: Cast, stage: Stage, redis: Redis
) -> None:
    """All its leases have run out when it wakes: it renews them before it claims anything."""
    lease = on_the_real_clock(desk, redis)
    desk.concurrency, desk.doorbell = 32, RedisDoorbell(redis)
    runs: list[MessageId] = []

    async def takes_longer(turn: Turn) -> Turn:
        runs.append(turn.incoming.id)
        end = asyncio.get_running_loop().time() + 1.5 * lease.total_seconds()
        await comes_true(lambda: asyncio.get_running_loop().time() > end)
        return answered(turn)

    desk.answer = takes_longer
    for number in range(8):
        await desk.inbox.put(incoming(number, conversation(f"u{number}", f"c{number}")))

    async with desk.working():
        await comes_true(lambda: len(runs) == 8)
        time.sleep(1.3 * lease.total_seconds())  # noqa: ASYNC251 - the whole process stands still
        await comes_true(lambda: len(stage.heard) >= 8)
        await desk.at_rest()

    assert len(runs) == 8
    assert len(stage.heard) == 8


async def test_a_turn_that_another_has_taken_over_is_not_worked_on_any_more(desk: Cast, redis: Redis) -> None:
    """Its call of the model would be paid for in vain."""
    on_the_real_clock(desk, redis)
    begun, cancelled = asyncio.Event(), asyncio.Event()

    async def takes_for_ever(_turn: Turn) -> Turn:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()
        raise AssertionError

    desk.answer = takes_for_ever
    await desk.inbox.put(incoming(1))

    async with desk.working() as stop:
        await begun.wait()
        await redis.hset(f"{INBOX}:turn:{conversation().id}", "token", "another")
        await cancelled.wait()
        holder = await redis.hget(f"{INBOX}:turn:{conversation().id}", "token")
        stop.set()

    assert holder == b"another"


async def test_a_worker_that_was_held_up_tells_the_next_one_what_it_has_sent(
    desk: Cast, stage: Stage, scripts: FlakyScripts
) -> None:
    """Another has the turn when the last part is out: it finds the id and need not send that part again."""

    async def taken_over(_key: str) -> None:
        assert scripts.now_ms is not None
        scripts.now_ms += milliseconds(LEASE)
        await desk.inbox.claim("another")

    stage.on_send = taken_over
    await desk.inbox.put(incoming(1, ANN))
    async with desk.working():
        await comes_true(lambda: bool(stage.heard))

    next_one = await desk.inbox.claim("another")
    assert next_one is not None
    assert next_one.delivery is not None
    assert next_one.delivery.sent == ("id of telegram:1:1#0",)


# --- stopping ---------------------------------------------------------------------------------------------------------


class Held:
    """An answer that does not come before `gate` is set."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.began: list[str] = []
        self.cancelled: list[str] = []

    async def __call__(self, turn: Turn) -> Turn:
        """Wait at the gate."""
        user = turn.incoming.conversation.user
        self.began.append(user)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled.append(user)
            raise
        return answered(turn)


async def test_a_stop_claims_nothing_more(desk: Cast, stage: Stage) -> None:
    """All slots are busy; the turn that then ends makes room, but not for another."""
    held = Held()
    desk.answer, desk.concurrency, desk.drain = held, 1, timedelta(seconds=15)
    for number, where in enumerate((ANN, BOB)):
        await desk.inbox.put(incoming(number, where))

    async with desk.working() as stop:
        await comes_true(lambda: bool(held.began))
        stop.set()
        held.gate.set()

    assert (held.began, stage.heard) == (["ann"], ["Fine."])
    assert not await desk.redis.exists(f"{INBOX}:turn:{BOB.id}")


async def test_a_stop_gives_back_what_waits_for_an_answer(desk: Cast, stage: Stage) -> None:
    """Though every slot is busy and no turn ends: it is due at once, and booked as no crash and no attempt."""
    held = Held()
    desk.answer, desk.concurrency = held, 1
    for number, where in enumerate((ANN, BOB)):
        await desk.inbox.put(incoming(number, where))

    async with desk.working() as stop:
        await comes_true(lambda: bool(held.began))
        stop.set()
    claims = [await claimed_by(desk.inbox, f"t{number}") for number in range(2)]

    assert (held.began, held.cancelled, stage.heard) == (["ann"], ["ann"], [])
    assert {claimed.incoming.conversation.user for claimed in claims} == {"ann", "bob"}
    assert [(claimed.crashes, claimed.attempts) for claimed in claims] == [(0, 0)] * 2


async def test_a_stop_lets_a_send_end_and_settles_it(desk: Cast, stage: Stage) -> None:
    """What is going out is not cut off when the time to drain is over; what still waits for an answer is."""
    held, gate = Held(), asyncio.Event()

    async def carl_waits(turn: Turn) -> Turn:
        return await held(turn) if turn.incoming.conversation == CARL else answered(turn, "One.\n\nTwo.")

    desk.answer = carl_waits
    stage.acts = [gate]
    await desk.inbox.put(incoming(1, ANN))
    async with desk.working() as stop:
        await comes_true(lambda: bool(stage.asked))
        await desk.inbox.put(incoming(2, CARL))
        await comes_true(lambda: bool(held.began))
        stop.set()
        await comes_true(lambda: bool(held.cancelled))
        gate.set()

    assert stage.heard == ["One.", "Two."]
    assert desk.meter.counted.count(("settled", "answered")) == 1
    assert await desk.redis.zrange(f"{INBOX}:due", 0, -1) == [CARL.id.encode()]


@pytest.mark.parametrize("patience", [SENDS_END, timedelta(0)])
async def test_a_stop_lets_a_settle_end(
    desk: Cast, stage: Stage, scripts: FlakyScripts, monkeypatch: pytest.MonkeyPatch, patience: timedelta
) -> None:
    """Redis is away while the worker stops: what was said is written down once it is back, even by a turn cut off."""
    monkeypatch.setattr(worker_module, "SENDS_END", patience)
    monkeypatch.setattr(deliver_module, "STORE_AGAIN", timedelta(milliseconds=5))
    scripts.failing["settle"] = 20
    desk.drain = timedelta(0)
    await desk.inbox.put(incoming(1, ANN))

    async with desk.working() as stop:
        await comes_true(lambda: bool(stage.heard))
        stop.set()

    assert (stage.heard, await desk.redis.exists(f"{INBOX}:due")) == (["Fine."], 0)


async def test_a_stop_loses_no_answer_that_waits_for_the_word_of_waiting(
    desk: Cast, stage: Stage, scripts: FlakyScripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in Redis while the word hangs at the platform: the next worker says it and does not ask the model again."""
    monkeypatch.setattr(worker_module, "SENDS_END", timedelta(0))
    word, asked = asyncio.Event(), list[str]()

    async def when_the_word_is_on_its_way(turn: Turn) -> Turn:
        asked.append(turn.incoming.id)
        await comes_true(lambda: bool(stage.asked))
        return answered(turn)

    desk.answer = when_the_word_is_on_its_way
    stage.acts = [word]
    await desk.inbox.put(incoming(1, ANN))
    scripts.now_ms = START_MS + milliseconds(WORD_AFTER)
    async with desk.working():
        await recorded(desk, ANN)
    heard = list(stage.heard)
    await desk.until(lambda: bool(stage.heard))

    assert (heard, stage.heard, asked) == ([], ["Fine."], ["telegram:1:1"])


async def recorded(desk: Cast, where: Conversation) -> None:
    """Wait until the reply of a turn is in the ledger."""
    found = False
    async with asyncio.timeout(DEADLINE_S):
        while not found:
            await asyncio.sleep(0.005)
            found = bool(await desk.redis.hexists(f"{INBOX}:turn:{where.id}", "reply"))


class Asleep:
    """A doorbell that nobody rings, and whoever waits for it sleeps on."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()
        self.waited_for = False

    def clear(self) -> None:
        """Forget past rings."""
        self._rung.clear()

    def ring(self) -> None:
        """Wake whoever waits."""
        self._rung.set()

    async def wait(self, longest: timedelta) -> None:
        """Until it rings."""
        self.waited_for = True
        await self._rung.wait()


async def test_an_idle_worker_stops_at_once(desk: Cast) -> None:
    """With nothing to do there is nothing to wait for."""
    bell = Asleep()
    desk.drain, desk.doorbell = timedelta(hours=1), bell

    async with desk.working() as stop:
        await comes_true(lambda: bell.waited_for)
        stop.set()

    assert desk.meter.counted == []


async def test_a_renewal_that_breaks_ends_the_process(
    desk: Cast, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it every turn would be run twice: better started again. What was being answered is given back."""
    held = Held()
    desk.answer, desk.lease = held, timedelta(milliseconds=30)
    await desk.inbox.put(incoming(1, ANN))

    async def broken(claims: object) -> frozenset[str]:
        raise ZeroDivisionError

    monkeypatch.setattr(desk.inbox, "renew", broken)

    with pytest.raises(ExceptionGroup) as raised:
        async with asyncio.timeout(15) as limit:
            await desk.worker().run(asyncio.Event())

    assert not limit.expired()
    assert raised.group_contains(ZeroDivisionError)
    assert held.cancelled == ["ann"]
    assert (await claimed_by(desk.inbox, "t")).crashes == 0

"""Waiting for the model: in line by arrival, claimed by who has a place, told once that it takes longer."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from bot.company import WORD_AFTER, Company
from bot.message import Incoming, SentId
from bot.ports import Claimed, Delivery
from bot.store.inbox import RedisInbox
from bot.store.keys import partition_of
from bot.store.outbound import Bucket, Buckets, RedisOutbound
from bot.store.scripts import milliseconds
from bot.turn import IN_LINE, Turn
from bot.voice import language_for
from bot.watch import MOST_AT_ONCE, Watch
from tests.contract.samples import LEASE, START_MS, claimed_by, conversation, inbox_on, incoming
from tests.contract.stage import TEXTS, Cast, FlakyScripts, Stage, answered, comes_true

WORD = TEXTS("waiting", "en")
WORD_MS = milliseconds(WORD_AFTER)


@pytest.fixture
def scripts(redis: Redis) -> FlakyScripts:
    """Scripts on a clock that stands still."""
    return FlakyScripts(redis, now_ms=START_MS)


@pytest.fixture
def inbox(redis: Redis, scripts: FlakyScripts) -> RedisInbox:
    """An inbox on that clock."""
    return inbox_on(redis, scripts)


@pytest.fixture
def stage() -> Stage:
    """The platform."""
    return Stage()


def watch(inbox: RedisInbox, stage: Stage, outbound: RedisOutbound, lease: timedelta = LEASE) -> Watch:
    """What tells those who wait."""
    company = Company(
        inbox=inbox, messengers={"telegram": stage}, outbound=outbound, texts=TEXTS, send_timeout=timedelta(seconds=5)
    )
    return Watch(inbox=inbox, company=company, voice_of=language_for, lease=lease)


def unlimited(scripts: FlakyScripts) -> RedisOutbound:
    """Sends without a limit."""
    return RedisOutbound(scripts, {})


def from_person(number: int, text: str = "hi") -> Incoming:
    """Everybody's first message."""
    return incoming(number, conversation(f"u{number}", f"c{number}"), text=text)


async def put_each_ms(inbox: RedisInbox, scripts: FlakyScripts, count: int) -> None:
    """So many people write, a millisecond apart."""
    for number in range(count):
        scripts.now_ms = START_MS + number
        await inbox.put(from_person(number))


async def claimed_numbers(inbox: RedisInbox, count: int, *, has_place: bool) -> list[int]:
    """Who is claimed next."""
    claims = [await inbox.claim(f"{has_place}{number}", has_place=has_place) for number in range(count)]
    return [number_of(one) for one in claims if one is not None]


def number_of(claimed: Claimed) -> int:
    """Of its message."""
    return int(claimed.incoming.id.rsplit(":", 1)[1])


async def test_the_line_is_by_arrival_whoever_lined_up_first(inbox: RedisInbox, scripts: FlakyScripts) -> None:
    """Only who has a place claims out of it; somebody older who is due goes first."""
    await put_each_ms(inbox, scripts, 4)
    claims = [await claimed_by(inbox, str(number)) for number in range(4)]
    for number in (3, 1, 2):
        await inbox.defer(claims[number], IN_LINE)
    await inbox.defer(claims[0], timedelta(0))
    oldest = await inbox.claim("x", has_place=True)
    assert oldest is not None
    in_line = inbox.oldest_in_line()
    without = await claimed_numbers(inbox, 3, has_place=False)
    places = await claimed_numbers(inbox, 4, has_place=True)

    assert (number_of(oldest), oldest.has_place, in_line) == (0, False, START_MS + 1)
    assert (without, places, inbox.oldest_in_line()) == ([], [1, 2, 3], None)


async def test_who_is_in_line_stays_there_when_more_is_written(inbox: RedisInbox, scripts: FlakyScripts) -> None:
    """A second message makes nobody due, and does not cost them their place."""
    await put_each_ms(inbox, scripts, 2)
    for number in range(2):
        await inbox.defer(await claimed_by(inbox, str(number)), IN_LINE)
    await inbox.put(incoming(10, from_person(0).conversation))

    assert await claimed_numbers(inbox, 1, has_place=False) == []
    assert await claimed_numbers(inbox, 2, has_place=True) == [0, 1]


async def test_what_is_given_back_at_once_keeps_its_place(inbox: RedisInbox, scripts: FlakyScripts) -> None:
    """A worker that stops, and a server that was started again, put nobody behind those who came later."""
    await put_each_ms(inbox, scripts, 4)
    claims = [await claimed_by(inbox, str(number)) for number in range(3)]
    scripts.now_ms = START_MS + 1000
    await inbox.defer(claims[2], timedelta(0))
    await inbox.release_claims()

    assert await claimed_numbers(inbox, 4, has_place=False) == [0, 1, 2, 3]


async def test_the_age_of_the_queue_is_that_of_the_oldest_who_may_be_taken_up(
    inbox: RedisInbox, scripts: FlakyScripts
) -> None:
    """Not of who is being answered or put off; of who waits in line, too."""
    await put_each_ms(inbox, scripts, 4)
    claims = [await claimed_by(inbox, str(number)) for number in range(3)]
    await inbox.defer(claims[1], timedelta(minutes=10))
    scripts.now_ms = START_MS + 1000
    due = await inbox.queue()
    await inbox.defer(claims[2], IN_LINE)
    line = await inbox.queue()

    assert (due, line) == ((4, timedelta(milliseconds=997), 0), (4, timedelta(milliseconds=998), 0))


async def test_more_conversations_than_are_looked_at_are_counted_as_one_message_each(
    inbox: RedisInbox, scripts: FlakyScripts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scrape must not hold Redis. The oldest in line is found all the same."""
    monkeypatch.setattr("bot.store.inbox.MOST_COUNTED", 2)
    await put_each_ms(inbox, scripts, 5)
    await inbox.defer(await claimed_by(inbox, "0"), IN_LINE)
    scripts.now_ms = START_MS + 1000

    assert await inbox.queue() == (5, timedelta(seconds=1), 0)


# --- the word ---------------------------------------------------------------------------------------------------------


async def test_who_waits_unclaimed_is_told_once_and_keeps_the_place(
    inbox: RedisInbox, scripts: FlakyScripts, stage: Stage
) -> None:
    """In line or not, the oldest first, in their language; their turn begins as if nothing had been."""
    await inbox.put(from_person(0, "你们几点开门？"))
    scripts.now_ms = START_MS + 1
    await inbox.put(from_person(1))
    await inbox.defer(await claimed_by(inbox, "0"), IN_LINE)
    scripts.now_ms = START_MS + 2 + WORD_MS
    await inbox.put(from_person(2))
    here = watch(inbox, stage, unlimited(scripts))

    for _ in range(2):
        await here.look(asyncio.Event())
    scripts.now_ms += WORD_MS
    await here.look(asyncio.Event())

    told = {f"telegram:1:{number}#wait" for number in range(3)}
    assert (len(stage.asked), set(stage.asked)) == (3, told)
    assert sorted(stage.heard) == sorted([WORD, WORD, TEXTS("waiting", "zh")])
    assert await claimed_numbers(inbox, 3, has_place=False) == [1, 2]
    first = await inbox.claim("first", has_place=True)
    assert first is not None
    assert (first.has_place, first.told_waiting, first.crashes, first.attempts) == (True, True, 0, 0)


async def test_nobody_is_told_whose_reply_is_on_its_way_or_who_is_being_answered(
    inbox: RedisInbox, scripts: FlakyScripts, stage: Stage
) -> None:
    """The one gets company, the other the answer."""
    await put_each_ms(inbox, scripts, 2)
    replied = await claimed_by(inbox, "0")
    await inbox.record(replied, Delivery(parts=(), outcome="answered"), sent=(0, SentId("1")))
    await inbox.defer(replied, timedelta(0))
    await claimed_by(inbox, "busy")
    await claimed_by(inbox, "busy too")
    scripts.now_ms = START_MS + 2 * WORD_MS

    await watch(inbox, stage, unlimited(scripts)).look(asyncio.Event())

    assert stage.asked == []


async def test_only_so_many_words_at_once(inbox: RedisInbox, scripts: FlakyScripts, stage: Stage) -> None:
    """The others a second later; also behind many who have been told and still wait."""
    count = 7 * MOST_AT_ONCE
    await put_each_ms(inbox, scripts, count)
    scripts.now_ms = START_MS + 2 * WORD_MS
    here = watch(inbox, stage, unlimited(scripts))

    told = []
    for _ in range(9):
        await here.look(asyncio.Event())
        told.append(len(stage.asked))

    assert told[:5] == [MOST_AT_ONCE * (round_ + 1) for round_ in range(5)]
    assert stage.asked == [f"telegram:1:{number}#wait" for number in range(count)]


async def test_once_stopped_nobody_more_is_told(inbox: RedisInbox, scripts: FlakyScripts, stage: Stage) -> None:
    """A process that is told to end does so in time, and leaves the others to the next."""
    await put_each_ms(inbox, scripts, 3)
    scripts.now_ms = START_MS + 2 * WORD_MS
    stop = asyncio.Event()

    async def stops(key: str) -> None:
        stop.set()

    stage.on_send = stops
    await watch(inbox, stage, unlimited(scripts)).look(stop)

    others = [await inbox.claim_untold(name, WORD_AFTER) for name in "abc"]
    assert stage.asked == ["telegram:1:0#wait"]
    assert [number_of(one) for one in others if one is not None] == [1, 2]


async def test_a_look_that_breaks_is_not_the_last(
    inbox: RedisInbox, scripts: FlakyScripts, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end would be the worker's."""
    monkeypatch.setattr("bot.watch.EVERY", timedelta(milliseconds=5))
    await put_each_ms(inbox, scripts, 1)
    scripts.now_ms = START_MS + 2 * WORD_MS
    claim, broken, stop = inbox.claim_untold, [ZeroDivisionError()], asyncio.Event()

    async def breaks_once(token: str, waited: timedelta) -> Claimed | None:
        if broken:
            raise broken.pop()
        return await claim(token, waited)

    monkeypatch.setattr(inbox, "claim_untold", breaks_once)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(watch(inbox, stage, unlimited(scripts)).run(stop, lambda: True))
        await comes_true(lambda: bool(stage.heard))
        stop.set()

    assert stage.heard == [WORD]


async def test_no_word_that_may_outlast_its_lease(inbox: RedisInbox, scripts: FlakyScripts, stage: Stage) -> None:
    """Another worker could send the answer before it."""
    await put_each_ms(inbox, scripts, 1)
    scripts.now_ms = START_MS + 2 * WORD_MS

    await watch(inbox, stage, unlimited(scripts), lease=timedelta(seconds=5)).look(asyncio.Event())

    assert stage.asked == []


async def test_people_of_all_partitions_are_told_in_turn(redis: Redis, scripts: FlakyScripts) -> None:
    """Many who wait in the first keep nobody in the others from the word."""
    inbox = inbox_on(redis, scripts, partitions=2)
    await put_each_ms(inbox, scripts, 16)
    scripts.now_ms = START_MS + 2 * WORD_MS

    claims = [await inbox.claim_untold(str(number), WORD_AFTER) for number in range(2)]

    assert {partition_of(one.incoming.conversation.id, 2) for one in claims if one is not None} == {0, 1}


async def test_a_chat_without_budget_keeps_nobody_else_from_the_word(
    inbox: RedisInbox, scripts: FlakyScripts, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried for a moment, and left out: the budget is for answers."""
    monkeypatch.setattr("bot.watch.BUDGET_AGAIN", timedelta(milliseconds=1))
    monkeypatch.setattr("bot.watch.TO_SPEND", timedelta(milliseconds=3))
    outbound = RedisOutbound(scripts, {"telegram": Buckets(chat=Bucket(rate=1, per=timedelta(hours=1), burst=1))})
    await put_each_ms(inbox, scripts, 3)
    await outbound.take(from_person(1).conversation, group=False, asker="an answer")
    scripts.now_ms = START_MS + 2 * WORD_MS

    await watch(inbox, stage, outbound).look(asyncio.Event())

    assert stage.asked == ["telegram:1:0#wait", "telegram:1:2#wait"]


# --- the worker -------------------------------------------------------------------------------------------------------


async def test_one_place_serves_all_in_the_order_they_came(
    redis: Redis, inbox: RedisInbox, scripts: FlakyScripts, stage: Stage
) -> None:
    """Each turn is begun at most twice: once to find out that it must wait, once with a place."""
    desk = Cast(
        redis=redis,
        scripts=scripts,
        inbox=inbox,
        outbound=unlimited(scripts),
        stages={"telegram": stage},
    )
    begun: list[str] = []
    served: list[str] = []

    async def slowly(turn: Turn) -> Turn:
        begun.append(turn.incoming.id)
        if not desk.line.enter(turn.incoming.id, turn.arrived_ms):
            return replace(turn, wait=IN_LINE, reserved=True)
        served.append(turn.incoming.id)
        await asyncio.sleep(0.005)
        return answered(turn)

    desk.answer = slowly
    await put_each_ms(inbox, scripts, 30)
    await desk.until(lambda: len(served) == 30)

    numbers = [int(one.rsplit(":", 1)[1]) for one in served]
    assert max(abs(place - number) for place, number in enumerate(numbers)) <= 2
    assert max(begun.count(one) for one in begun) <= 2
    assert not desk.line.waits
    assert set(desk.spending.released) == {one for one in begun if begun.count(one) == 2}


async def test_what_is_buried_costs_no_tokens(
    redis: Redis, inbox: RedisInbox, scripts: FlakyScripts, stage: Stage
) -> None:
    """What had been reserved for it is given back."""
    desk = Cast(redis=redis, scripts=scripts, inbox=inbox, outbound=unlimited(scripts), stages={"telegram": stage})

    async def fails(turn: Turn) -> Turn:
        raise RuntimeError("it fails")

    desk.answer = fails
    await inbox.put(from_person(1))
    await desk.until(lambda: bool(stage.heard))

    assert (stage.heard, desk.spending.released) == ([TEXTS("failure", "en")], ["telegram:1:1"])

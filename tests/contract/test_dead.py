"""Dead letters: listed, retried as if nothing had been tried, dropped."""

from __future__ import annotations

from datetime import timedelta

from redis.asyncio import Redis

from bot.message import SentId
from bot.ports import Delivery
from bot.store import keys
from bot.store.dead import DeadLetters
from bot.store.scripts import Scripts
from tests.contract.samples import START_MS, claimed_by, conversation, inbox_on, incoming

PARTITIONS = 3
DELIVERY = Delivery(parts=(), outcome="failed", dead="it failed")


async def buried(redis: Redis, numbers: range, *, now_ms: int = START_MS) -> None:
    """Messages of different people, buried after their reply was in the ledger."""
    inbox = inbox_on(redis, Scripts(redis, now_ms=now_ms), partitions=PARTITIONS)
    for number in numbers:
        await inbox.put(incoming(number, conversation(str(number)), text=f"question {number}"))
    for number in numbers:
        claimed = await claimed_by(inbox, f"t{number}")
        await inbox.record(claimed, DELIVERY, sent=(0, SentId("1")))
        await inbox.bury(claimed, "it failed")


def letters_on(redis: Redis) -> DeadLetters:
    """What the operator sees."""
    return DeadLetters(redis, Scripts(redis, now_ms=START_MS + 1000), partitions=PARTITIONS)


async def test_they_are_counted_for_as_long_as_they_are_kept(redis: Redis) -> None:
    """In all partitions; those that have run out are gone, though nobody was buried since."""
    inbox = inbox_on(redis, Scripts(redis, now_ms=START_MS + 1000), partitions=PARTITIONS)
    await buried(redis, range(3), now_ms=START_MS - keys.DEAD_MS)
    after_a_week = await inbox.queue()
    await buried(redis, range(3, 6))

    assert (after_a_week, await inbox.queue()) == ((0, timedelta(0), 0), (0, timedelta(0), 3))


async def test_the_latest_is_listed_first(redis: Redis) -> None:
    """From all partitions, with words, reason and moment."""
    await buried(redis, range(3))
    await buried(redis, range(3, 6), now_ms=START_MS + 500)

    listed = await letters_on(redis).list()

    assert [letter.id for letter in listed] == [f"telegram:1:{n}" for n in (5, 4, 3, 2, 1, 0)]
    assert listed[0].incoming == incoming(5, conversation("5"), text="question 5")
    assert (listed[0].reason, listed[0].conversation) == ("it failed", conversation("5").id)
    assert listed[0].buried_at - listed[-1].buried_at == timedelta(milliseconds=500)


async def test_a_retried_message_is_answered_as_if_nothing_had_been_tried(redis: Redis) -> None:
    """Past the seen mark, with a fresh ledger and counters; it keeps its arrival, and is marked as retried."""
    await buried(redis, range(2))
    letters = letters_on(redis)
    inbox = inbox_on(redis, Scripts(redis, now_ms=START_MS + 2000), partitions=PARTITIONS)

    done = [await letters.retry("telegram:1:1"), await letters.retry("telegram:1:1")]
    claimed = await claimed_by(inbox, "again")

    assert done == [True, False]
    assert claimed.incoming == incoming(1, conversation("1"), text="question 1")
    assert (claimed.attempts, claimed.crashes, claimed.delivery, claimed.retried) == (0, 0, None, True)
    assert claimed.arrived_ms == START_MS
    assert [letter.id for letter in await letters.list()] == ["telegram:1:0"]
    assert await inbox.settle(claimed, None) == "settled"


async def test_a_retried_message_can_die_again(redis: Redis) -> None:
    """And is then among the dead letters once."""
    await buried(redis, range(1))
    letters = letters_on(redis)
    inbox = inbox_on(redis, Scripts(redis, now_ms=START_MS + 2000), partitions=PARTITIONS)
    await letters.retry("telegram:1:0")

    await inbox.bury(await claimed_by(inbox, "again"), "it failed again")

    assert [letter.reason for letter in await letters.list()] == ["it failed again"]


async def test_a_dropped_letter_leaves_nothing(redis: Redis) -> None:
    """Neither the message nor its traces; the other one stays."""
    await buried(redis, range(2))
    letters = letters_on(redis)

    done = [await letters.drop("telegram:1:1"), await letters.drop("telegram:1:1")]

    assert done == [True, False]
    assert [letter.id for letter in await letters.list()] == ["telegram:1:0"]
    names = [key.decode() async for key in redis.scan_iter(match="*dead*")]
    assert sorted(name.partition(":dead")[2] for name in names) == ["", ":telegram:1:0", "of:telegram:1:0"]


async def test_what_cannot_be_read_is_listed_and_dropped(redis: Redis) -> None:
    """Whatever a hand or another version left there."""
    prefix = keys.inbox(0)
    await redis.zadd(f"{prefix}:dead", {"odd": START_MS})
    await redis.hset(f"{prefix}:dead:odd", mapping={"body": "x", "reason": "r", "conversation": "odd", "at": START_MS})
    letters = letters_on(redis)

    listed = await letters.list()

    assert [(letter.id, letter.incoming) for letter in listed] == [("odd", None)]
    assert await letters.drop("odd")
    assert await letters.list() == []

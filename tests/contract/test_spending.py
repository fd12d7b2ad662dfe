"""Tokens: never more than so many in any window, the same decision for the same message, corrected afterwards."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from redis.asyncio import Redis

from bot.message import PersonId
from bot.ports import Decision
from bot.store import keys
from bot.store.scripts import Scripts
from bot.store.spending import RedisSpending
from tests.contract.samples import START_MS

PERSON = PersonId("telegram:1:7")
MINUTE_MS = 60_000
YES = Decision(allowed=True)


def spending(redis: Redis, *windows: tuple[int, int]) -> RedisSpending:
    """With (most tokens, ms) for each window."""
    return RedisSpending(Scripts(redis), [(most, timedelta(milliseconds=ms)) for most, ms in windows])


def no(retry_ms: int, *, tell: bool) -> Decision:
    """A refusal."""
    return Decision(allowed=False, retry_after=timedelta(milliseconds=retry_ms), tell=tell)


async def test_what_fits_is_reserved_and_what_does_not_hears_when_it_will(redis: Redis) -> None:
    """Until so much has run out that it fits: the first message is not enough, the second is."""
    tokens = spending(redis, (100, MINUTE_MS))

    decided = [
        await tokens.reserve(PERSON, "a", START_MS, 10),
        await tokens.reserve(PERSON, "b", START_MS + 5_000, 60),
        await tokens.reserve(PERSON, "c", START_MS + 10_000, 50),
        await tokens.reserve(PERSON, "d", START_MS + 20_000, 30),
        await tokens.reserve(PERSON, "e", START_MS + 65_000, 70),
    ]

    assert decided == [YES, YES, no(55_000, tell=True), YES, YES]


async def test_the_same_message_gets_the_same_decision(redis: Redis) -> None:
    """A redelivery and a take-over neither reserve twice nor hear twice."""
    tokens = spending(redis, (100, MINUTE_MS))
    await tokens.reserve(PERSON, "a", START_MS, 100)
    first = await tokens.reserve(PERSON, "b", START_MS + 1, 1)
    other = await tokens.reserve(PERSON, "c", START_MS + 2, 1)

    assert await tokens.reserve(PERSON, "a", START_MS + 3, 100) == YES
    assert await tokens.reserve(PERSON, "b", START_MS + 50_000, 1) == first == no(MINUTE_MS - 1, tell=True)
    assert (other.allowed, other.tell) == (False, False)


async def test_what_was_really_spent_counts(redis: Redis) -> None:
    """Less makes room, more takes it; what was not reserved is not counted."""
    tokens = spending(redis, (100, MINUTE_MS))
    await tokens.reserve(PERSON, "a", START_MS, 90)
    await tokens.spent(PERSON, "a", 20)
    await tokens.spent(PERSON, "unknown", 1000)
    fits = await tokens.reserve(PERSON, "b", START_MS + 1, 80)
    await tokens.spent(PERSON, "b", 95)

    assert fits == YES
    assert not (await tokens.reserve(PERSON, "c", START_MS + 2, 1)).allowed


async def test_what_was_not_used_is_given_back(redis: Redis) -> None:
    """As if it had never been reserved; asked again, the message is decided about anew. Twice is as once."""
    tokens = spending(redis, (100, MINUTE_MS))
    await tokens.reserve(PERSON, "a", START_MS, 90)
    for _ in range(2):
        await tokens.release(PERSON, "a")
    other = await tokens.reserve(PERSON, "b", START_MS + 1, 60)
    again = await tokens.reserve(PERSON, "a", START_MS + 2, 60)
    await tokens.release(PERSON, "unknown")

    assert other == YES
    assert not again.allowed


async def test_one_request_larger_than_the_bound_is_answered_once(redis: Redis) -> None:
    """Else the bound would be a wall; afterwards the window must run out."""
    tokens = spending(redis, (100, MINUTE_MS))

    assert await tokens.reserve(PERSON, "a", START_MS, 5000) == YES
    assert await tokens.reserve(PERSON, "b", START_MS + 1, 5000) == no(MINUTE_MS - 1, tell=True)
    assert await tokens.reserve(PERSON, "c", START_MS + MINUTE_MS, 5000) == YES


async def test_at_once_no_more_is_reserved_than_fits(redis: Redis) -> None:
    """Whatever the number of workers; another person has a window of their own."""
    tokens = spending(redis, (100, MINUTE_MS), (1000, 24 * 60 * MINUTE_MS))

    decided = await asyncio.gather(*(tokens.reserve(PERSON, str(n), START_MS, 10) for n in range(50)))
    other = await tokens.reserve(PersonId("telegram:1:8"), "x", START_MS, 100)

    assert sum(one.allowed for one in decided) == 10
    assert sum(one.tell for one in decided) == 1
    assert other == YES


async def test_nothing_stays_longer_than_its_window(redis: Redis) -> None:
    """Old entries go with the next one, all with the last."""
    tokens = spending(redis, (100, 2 * 60 * MINUTE_MS))
    key = keys.limit("tokens", PERSON)
    await tokens.reserve(PERSON, "a", START_MS, 10)
    await tokens.reserve(PERSON, "b", START_MS + 3 * 60 * MINUTE_MS, 10)

    assert await redis.hkeys(f"{key}:tokens") == [b"b"]
    assert await redis.zrange(key, 0, -1) == [b"b"]
    assert all([0 < await redis.pttl(name) <= 2 * 60 * MINUTE_MS for name in (key, f"{key}:tokens")])


async def test_without_a_limit_redis_is_not_asked(redis: Redis) -> None:
    """An empty list is no limit."""
    tokens = spending(redis)

    assert await tokens.reserve(PERSON, "a", START_MS, 10**9) == YES
    await tokens.spent(PERSON, "a", 1)
    assert await redis.dbsize() == 0

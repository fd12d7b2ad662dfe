"""The limiter: an exact window, one decision for a message, one notice for a refusal's length."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from redis.asyncio import Redis

from bot.message import PersonId
from bot.ports import Decision
from bot.store.client import connect
from bot.store.cluster import Client
from bot.store.limiter import MOST_REFUSED, RedisLimiter
from bot.store.scripts import Scripts
from tests.contract.samples import START_MS

PERSON = PersonId("telegram:1:7")
MINUTE_MS = 60_000
ALLOWED = Decision(allowed=True)


def limiter(redis: Client, *windows: tuple[int, int]) -> RedisLimiter:
    """One with the rule `messages`: (most messages, ms) for each window."""
    rule = [(most, timedelta(milliseconds=window_ms)) for most, window_ms in windows]
    return RedisLimiter(Scripts(redis), {"messages": rule, "commands": [(1, timedelta(minutes=1))], "free": []})


async def decided(limits: RedisLimiter, message: str, at_ms: int, *, rule: str = "messages") -> Decision:
    """The decision about a message that arrived so long after the start."""
    return await limits.decide(rule, PERSON, message, START_MS + at_ms)


def refused(retry_ms: int, *, tell: bool) -> Decision:
    """A refusal."""
    return Decision(allowed=False, retry_after=timedelta(milliseconds=retry_ms), tell=tell)


@pytest.mark.parametrize(
    ("after_ms", "expected"),
    [
        (MINUTE_MS - 1, refused(1, tell=True)),
        (MINUTE_MS, ALLOWED),
        (MINUTE_MS + 1, ALLOWED),
    ],
)
async def test_a_message_exactly_one_window_old_is_outside(redis: Redis, after_ms: int, expected: Decision) -> None:
    """Two a minute: the third waits until the first is one minute old, to the millisecond."""
    limits = limiter(redis, (2, MINUTE_MS))
    await decided(limits, "a", 0)
    await decided(limits, "b", 30_000)

    assert await decided(limits, "c", after_ms) == expected


async def test_fifty_at_once_are_admitted_exactly(redis: Redis, redis_url: str) -> None:
    """Ten processes, fifty messages, twelve allowed: twelve are, and one refusal is told."""
    clients = [connect(redis_url) for _ in range(10)]
    limiters = [limiter(client, (12, MINUTE_MS)) for client in clients]

    decisions = await asyncio.gather(*[decided(limiters[n % 10], f"m{n}", n) for n in range(50)])
    for client in clients:
        await client.aclose()

    assert sum(decision.allowed for decision in decisions) == 12
    assert sum(decision.tell for decision in decisions) == 1


async def test_fifty_retries_at_once_are_one_message(redis: Redis, redis_url: str) -> None:
    """The same message asked about by everybody is accepted by all and counts once."""
    clients = [connect(redis_url) for _ in range(10)]
    limiters = [limiter(client, (2, MINUTE_MS)) for client in clients]

    decisions = await asyncio.gather(*[decided(limiters[n % 10], "a", 0) for n in range(50)])
    for client in clients:
        await client.aclose()

    assert set(decisions) == {ALLOWED}
    assert await decided(limiter(redis, (2, MINUTE_MS)), "b", 0) == ALLOWED


async def test_refused_messages_do_not_count(redis: Redis) -> None:
    """Whoever keeps writing while refused waits no longer for it."""
    limits = limiter(redis, (1, MINUTE_MS))
    await decided(limits, "a", 0)

    decisions = [await decided(limits, f"b{n}", 1000 + n * 1000) for n in range(50)]

    assert not any(decision.allowed for decision in decisions)
    assert decisions[-1].retry_after == timedelta(seconds=10)
    assert await decided(limits, "c", MINUTE_MS) == ALLOWED


async def test_the_same_message_gets_the_same_decision(redis: Redis) -> None:
    """Accepted, refused and told, refused in silence: asked again later, each is decided as before."""
    limits = limiter(redis, (1, MINUTE_MS))
    first = [await decided(limits, message, n * 1000) for n, message in enumerate("abc")]

    again = [await decided(limits, message, 50_000) for message in "abc"]

    assert first == [ALLOWED, refused(59_000, tell=True), refused(58_000, tell=False)]
    assert again == first


async def test_a_decision_outlives_a_short_window(redis: Redis) -> None:
    """A message accepted and put off for minutes is not refused because others came since."""
    limits = limiter(redis, (1, 1000))
    await decided(limits, "a", 0)
    for n in range(1, 180):
        await decided(limits, f"b{n}", n * 1000)

    assert await decided(limits, "a", 0) == ALLOWED
    assert await decided(limits, "c", 180_000) == ALLOWED


async def test_every_window_holds(redis: Redis) -> None:
    """Two a second and three a minute: whichever is fuller decides, and says how long."""
    limits = limiter(redis, (2, 1000), (3, MINUTE_MS))

    decisions = [await decided(limits, message, at) for message, at in zip("abcde", [0, 1, 2, 1000, 1001], strict=True)]

    assert decisions == [ALLOWED, ALLOWED, refused(998, tell=True), ALLOWED, refused(58_999, tell=True)]


async def test_the_person_is_told_once(redis: Redis) -> None:
    """Until the moment the notice named there is no other; refused after that, they are told anew."""
    limits = limiter(redis, (1, MINUTE_MS))
    await decided(limits, "a", 0)

    told = [(await decided(limits, f"b{at}", at)).tell for at in [1, 2, 30_000, MINUTE_MS - 1]]
    await decided(limits, "c", MINUTE_MS)
    again = await decided(limits, "d", MINUTE_MS)

    assert told == [True, False, False, False]
    assert again == refused(MINUTE_MS, tell=True)


async def test_time_never_runs_back(redis: Redis) -> None:
    """A message that arrived earlier and is decided later finds the window of the newest accepted one."""
    limits = limiter(redis, (2, MINUTE_MS))
    await decided(limits, "a", 0)
    await decided(limits, "b", 70_000)

    late = await decided(limits, "c", 10_000)
    one_more = await decided(limits, "d", 69_999)

    assert late == ALLOWED
    assert one_more == refused(MINUTE_MS, tell=True)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    windows=st.lists(st.tuples(st.integers(1, 4), st.integers(1, 30)), min_size=1, max_size=3),
    arrivals=st.lists(st.integers(0, 100), max_size=60),
)
async def test_no_window_ever_holds_more(redis: Redis, windows: list[tuple[int, int]], arrivals: list[int]) -> None:
    """In whatever order messages arrive, it decides as counting would, and no window of time ever holds more than N."""
    await redis.flushall()
    limits = limiter(redis, *windows)
    counted: list[int] = []

    for number, arrived in enumerate(arrivals):
        at = max([arrived, *counted[-1:]])
        fits = all(sum(time > at - window for time in counted) < most for most, window in windows)
        decision = await decided(limits, f"m{number}", arrived)
        assert decision.allowed == fits
        if fits:
            counted.append(at)
        else:
            opens = at + decision.retry_after // timedelta(milliseconds=1)
            assert all(sum(time > opens - window for time in counted) < most for most, window in windows)
            assert any(sum(time > opens - 1 - window for time in counted) >= most for most, window in windows)

    for most, window in windows:
        assert all(sum(end - window < time <= end for time in counted) <= most for end in range(131))


async def test_rules_and_people_do_not_share_windows(redis: Redis) -> None:
    """Commands are counted apart, another person is another count, and an empty rule limits nothing."""
    limits = limiter(redis, (1, MINUTE_MS))
    await decided(limits, "a", 0)

    command = await decided(limits, "a", 0, rule="commands")
    other = await limits.decide("messages", PersonId("telegram:1:8"), "b", START_MS)
    free = [await decided(limits, f"c{n}", 0, rule="free") for n in range(100)]

    assert (command, other, set(free)) == (ALLOWED, ALLOWED, {ALLOWED})


async def test_a_flood_is_remembered_within_bounds(redis: Redis) -> None:
    """More refusals than are kept fill no more of Redis, and cause no second notice."""
    limits = limiter(redis, (1, MINUTE_MS))
    await decided(limits, "a", 0)

    told = [(await decided(limits, f"b{n}", 1)).tell for n in range(MOST_REFUSED + 50)]
    (kept,) = [name async for name in redis.scan_iter("*:refused")]

    assert sum(told) == 1
    assert await redis.hlen(kept) <= MOST_REFUSED + 1


async def test_what_no_window_needs_is_let_go(redis: Redis) -> None:
    """Of messages accepted once a minute for a day, an hour's are kept."""
    limits = limiter(redis, (1, MINUTE_MS))
    for n in range(24 * 60):
        await decided(limits, f"a{n}", n * MINUTE_MS)

    (kept,) = [name async for name in redis.scan_iter()]

    assert await redis.zcard(kept) == 60
    assert 0 < await redis.pttl(kept) <= 60 * MINUTE_MS


async def test_an_unknown_rule_is_a_mistake_of_ours(redis: Redis) -> None:
    """It is not taken for one that limits nothing."""
    with pytest.raises(KeyError):
        await decided(limiter(redis), "a", 0, rule="nonsense")

"""The outbound budget: never faster than allowed, whoever sends, and closed when the platform says so."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import count

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, given, settings
from redis.asyncio import Redis

from bot.config import Config
from bot.message import Conversation
from bot.store.client import connect
from bot.store.outbound import Bucket, Buckets, RedisOutbound
from bot.store.scripts import Scripts
from bot.stores import buckets_of
from tests.contract.samples import START_MS, conversation

SECOND = timedelta(seconds=1)
NOW = timedelta(0)
CHAT = Bucket(rate=1, per=SECOND, burst=2)
HERE, THERE = conversation("7", "c"), conversation("7", "d")


@pytest.fixture
def scripts(redis: Redis) -> Scripts:
    """Scripts on a clock that stands still."""
    return Scripts(redis, now_ms=START_MS)


ASKERS = count()


async def send(
    budget: RedisOutbound, where: Conversation = HERE, *, group: bool = False, asker: str | None = None
) -> timedelta:
    """Ask for a send: one that nobody asked for before, or the one of that name."""
    return await budget.take(where, group=group, asker=str(next(ASKERS)) if asker is None else asker)


def outbound(scripts: Scripts, buckets: Buckets) -> RedisOutbound:
    """A budget for Telegram alone."""
    return RedisOutbound(scripts, {"telegram": buckets})


@pytest.mark.parametrize(("after_ms", "wait"), [(999, timedelta(milliseconds=1)), (1000, NOW), (1001, NOW)])
async def test_a_token_comes_when_its_time_is_over(scripts: Scripts, after_ms: int, wait: timedelta) -> None:
    """After the burst one send a second, to the millisecond."""
    budget = outbound(scripts, Buckets(chat=CHAT))
    burst = [await send(budget, asker=name) for name in "abc"]

    scripts.now_ms = START_MS + after_ms
    later = await send(budget, asker="c")

    assert burst == [NOW, NOW, SECOND]
    assert later == wait


async def test_who_asked_first_goes_first(scripts: Scripts) -> None:
    """Each has a moment of its own, asking again moves nobody, and a newcomer stands behind all of them."""
    budget = outbound(scripts, Buckets(chat=CHAT))
    for name in "ab":
        await send(budget, asker=name)
    lined_up = [await send(budget, asker=name) for name in "cdefcde"]

    scripts.now_ms = START_MS + 2500
    later = {name: await send(budget, asker=name) for name in ("newcomer", "f", "e", "d", "c")}

    assert lined_up == [n * SECOND for n in (1, 2, 3, 4, 1, 2, 3)]
    half = timedelta(milliseconds=500)
    assert later == {"newcomer": 2 * SECOND + half, "f": SECOND + half, "e": half, "d": NOW, "c": NOW}


async def test_who_waits_for_a_group_holds_up_nobody_elsewhere(scripts: Scripts) -> None:
    """The bot's own budget is drawn on when the group's line has come, not when somebody lines up."""
    groups = Bucket(rate=1, per=10 * SECOND, burst=1)
    budget = outbound(scripts, Buckets(bot=Bucket(rate=2, per=SECOND, burst=2), group=groups))
    crowd = [await send(budget, group=True, asker=name) for name in "abc"]

    assert crowd == [NOW, 10 * SECOND, 20 * SECOND]
    assert await send(budget, THERE) == NOW
    scripts.now_ms = START_MS + 10_000
    assert [await send(budget, THERE) for _ in range(2)] == [NOW, NOW]
    assert await send(budget, group=True, asker="b") == SECOND / 2


async def test_after_a_pause_those_who_waited_do_not_all_go_at_once(scripts: Scripts) -> None:
    """Their places were of the time before; each is given one of the time after."""
    budget = outbound(scripts, Buckets(chat=CHAT))
    waits = [await send(budget, asker=name) for name in "abcdef"]
    await budget.close(HERE, 60 * SECOND)
    scripts.now_ms = START_MS + 10_000
    closed = [await send(budget, asker=name) for name in "cdef"]

    scripts.now_ms = START_MS + 60_000
    opened = [await send(budget, asker=name) for name in "cdef"]

    assert waits[2:] == [n * SECOND for n in (1, 2, 3, 4)]
    assert closed == [n * SECOND for n in (50, 50, 51, 52)]
    assert opened == [NOW, NOW, SECOND, 2 * SECOND]


async def test_a_line_of_hours_is_not_kept(scripts: Scripts) -> None:
    """Who would wait for longer than five minutes asks again by then, and those after them wait no longer for it."""
    budget = outbound(scripts, Buckets(chat=Bucket(rate=1, per=timedelta(minutes=1), burst=1)))

    waits = [await send(budget) for _ in range(9)]

    assert waits == [timedelta(minutes=n) for n in (0, 1, 2, 3, 4, 5, 5, 5, 5)]


async def test_what_may_be_left_out_leaves_half(scripts: Scripts) -> None:
    """Typing and the word of waiting take what answers do not need, keep no place, and stand in no line."""
    bucket = Bucket(rate=1, per=SECOND, burst=4)
    budget = outbound(scripts, Buckets(bot=bucket, chat=bucket))

    spare = [await budget.spare(HERE, group=False) for _ in range(4)]
    answers = [await send(budget) for _ in range(3)]

    assert spare == [True, True, False, False]
    assert answers == [NOW, NOW, SECOND]
    assert await budget.spare(THERE, group=False) is False  # the bot's own is as short


async def test_what_may_go_to_a_persons_own_chat_takes_from_it_too(scripts: Scripts) -> None:
    """A receipt in a group may go there; a pause of that chat closes the way, and nobody else's in the group."""
    budget = outbound(scripts, Buckets(chat=CHAT))
    private = replace(HERE, channel="7")
    for name in "ab":
        await send(budget, private, asker=name)
    receipt = await budget.take(HERE, group=True, asker="receipt", person="7")
    await budget.close(HERE, 9 * SECOND, channel="7")

    assert receipt == SECOND
    assert await send(budget, group=True) == NOW
    assert await budget.take(HERE, group=True, asker="receipt", person="7") == 9 * SECOND


async def test_a_chat_at_rest_saves_up_no_more_than_its_burst(scripts: Scripts) -> None:
    """An hour of silence is worth two sends."""
    budget = outbound(scripts, Buckets(chat=CHAT))
    await send(budget)

    scripts.now_ms = START_MS + 3_600_000

    assert [await send(budget) for _ in range(3)] == [NOW, NOW, SECOND]


async def test_chats_have_budgets_of_their_own_and_share_the_bots(scripts: Scripts) -> None:
    """Another chat sends on while one waits, until the bot's own budget is used up."""
    budget = outbound(scripts, Buckets(bot=Bucket(rate=1, per=2 * SECOND, burst=3), chat=CHAT))

    waits = [await send(budget, where) for where in (HERE, HERE, HERE, THERE, THERE)]

    assert waits == [NOW, NOW, SECOND, NOW, 2 * SECOND]


async def test_groups_are_limited_besides(scripts: Scripts) -> None:
    """The group's bucket counts in groups only."""
    budget = outbound(scripts, Buckets(group=Bucket(rate=1, per=3 * SECOND, burst=1)))

    private = [await send(budget) for _ in range(2)]
    group = [await send(budget, group=True) for _ in range(2)]

    assert private == [NOW, NOW]
    assert group == [NOW, 3 * SECOND]


async def test_bots_and_platforms_do_not_share(scripts: Scripts) -> None:
    """Another bot has its own budget; a platform without one is not limited."""
    budget = outbound(scripts, Buckets(chat=CHAT))
    page = replace(HERE, platform="web")
    for _ in range(3):
        await send(budget)

    other_bot = await send(budget, replace(HERE, workspace="2"))
    pages = {await send(budget, page) for _ in range(50)}

    assert other_bot == NOW
    assert pages == {NOW}


@pytest.mark.parametrize(("after_ms", "wait"), [(8999, timedelta(milliseconds=1)), (9000, NOW), (9001, NOW)])
async def test_a_closed_chat_waits_the_pause_out(scripts: Scripts, after_ms: int, wait: timedelta) -> None:
    """Everybody does, in that chat alone."""
    budget = outbound(scripts, Buckets(chat=CHAT))
    await budget.close(HERE, timedelta(seconds=9))
    closed, other = await send(budget), await send(budget, THERE)

    scripts.now_ms = START_MS + after_ms

    assert (closed, other) == (timedelta(seconds=9), NOW)
    assert await send(budget) == wait


async def test_of_two_pauses_the_longer_one_holds(scripts: Scripts) -> None:
    """In whichever order they are reported."""
    budget = outbound(scripts, Buckets(chat=CHAT))
    for where, pauses in ((HERE, (9, 1)), (THERE, (1, 9))):
        for seconds in pauses:
            await budget.close(where, timedelta(seconds=seconds))

    assert [await send(budget, where) for where in (HERE, THERE)] == [timedelta(seconds=9)] * 2


async def test_fifty_senders_at_once_share_one_budget(redis_url: str, redis: Redis) -> None:
    """Ten processes at the same instant: exactly the burst goes out."""
    clients = [connect(redis_url) for _ in range(10)]
    bucket = Buckets(chat=Bucket(rate=1, per=SECOND, burst=7))
    budgets = [outbound(Scripts(client, now_ms=START_MS), bucket) for client in clients]

    waits = await asyncio.gather(*[send(budgets[n % 10]) for n in range(50)])
    for client in clients:
        await client.aclose()

    assert waits.count(NOW) == 7


@pytest.mark.parametrize(("rate", "per_s"), [(1, 1), (20, 60), (30, 1), (7, 1), (3, 10), (5000, 1)])
def test_a_bucket_is_never_filled_faster_than_its_rate(rate: int, per_s: int) -> None:
    """Milliseconds are rounded so that we are slower, not faster, than the platform allows."""
    bucket = Bucket(rate=rate, per=timedelta(seconds=per_s), burst=1)

    assert bucket.ms_per_token * rate >= per_s * 1000


def test_no_window_of_a_platform_holds_more_than_its_rate() -> None:
    """What goes at once is a part of what goes in that time, and not on top of it."""
    config = Config()
    rates = {
        config.telegram.outbound: buckets_of(config)["telegram"].bot,
        config.telegram.outbound_group: buckets_of(config)["telegram"].group,
        config.slack.outbound: buckets_of(config)["slack"].bot,
    }

    for rate, bucket in rates.items():
        assert bucket is not None
        assert bucket.burst + rate.per // timedelta(milliseconds=bucket.ms_per_token) <= rate.count


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rate=st.integers(1, 40),
    per_ms=st.integers(100, 5000),
    burst=st.integers(1, 5),
    pauses=st.lists(st.integers(0, 500), max_size=60),
)
async def test_no_stretch_of_time_sends_more_than_its_share(
    redis: Redis, scripts: Scripts, rate: int, per_ms: int, burst: int, pauses: list[int]
) -> None:
    """Between any two sends: at most the burst and what has come since; and the wait that is told is exact."""
    await redis.flushall()
    bucket = Bucket(rate=rate, per=timedelta(milliseconds=per_ms), burst=burst)
    budget = outbound(scripts, Buckets(chat=bucket))
    now_ms, sent = START_MS, list[int]()

    for pause_ms in pauses:
        now_ms += pause_ms
        scripts.now_ms = now_ms
        wait = await send(budget, asker="a")
        if wait:
            scripts.now_ms = now_ms + wait // timedelta(milliseconds=1) - 1
            assert await send(budget, asker="a") == timedelta(milliseconds=1)
            now_ms += wait // timedelta(milliseconds=1)
            scripts.now_ms = now_ms
            assert await send(budget, asker="a") == NOW
        sent.append(now_ms)

    for first in range(len(sent)):
        for last in range(first, len(sent)):
            assert last - first + 1 <= burst + (sent[last] - sent[first]) * rate // per_ms


async def test_a_clock_set_back_closes_nothing(scripts: Scripts) -> None:
    """An hour back: what was booked is no longer believed."""
    budget = outbound(scripts, Buckets(chat=CHAT))
    for _ in range(9):
        await send(budget)

    scripts.now_ms = START_MS - 3_600_000

    assert await send(budget) == NOW


async def test_keys_live_until_the_bucket_is_full(scripts: Scripts, redis: Redis) -> None:
    """A bucket that nobody draws on is full again when its key goes."""
    budget = outbound(scripts, Buckets(chat=CHAT))
    await send(budget)

    (name,) = [name async for name in redis.scan_iter()]

    assert 0 < await redis.pttl(name) <= 2000

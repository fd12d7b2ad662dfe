"""A pause that means the whole bot: a few chats learn of it, and the others wait without asking."""

from __future__ import annotations

import heapq
import math
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from bot.config import Config
from bot.message import Conversation
from bot.store.outbound import Bucket, Buckets, RedisOutbound
from bot.store.scripts import Scripts, milliseconds
from bot.stores import buckets_of
from tests.contract.samples import START_MS, conversation

SECOND = timedelta(seconds=1)
MOMENT = timedelta(milliseconds=1)
NOW = timedelta(0)
CHATS = [conversation("7", name) for name in "abcdef"]
CHAT = Buckets(chat=Bucket(rate=1, per=SECOND, burst=5))


@pytest.fixture
def scripts(redis: Redis) -> Scripts:
    """Scripts on a clock that stands still."""
    return Scripts(redis, now_ms=START_MS)


@pytest.fixture
def budget(scripts: Scripts) -> RedisOutbound:
    """With no limit but on chats: a pause of the bot needs no bucket of it."""
    return RedisOutbound(scripts, {"telegram": CHAT})


def passes(scripts: Scripts, duration: timedelta) -> None:
    """Time."""
    assert scripts.now_ms is not None
    scripts.now_ms += milliseconds(duration)


async def waits(budget: RedisOutbound, where: Conversation, asker: str = "new") -> timedelta:
    """How long a send there must wait."""
    return await budget.take(where, group=False, asker=asker)


async def test_three_chats_that_open_at_one_moment_are_the_bot(
    scripts: Scripts, budget: RedisOutbound, caplog: pytest.LogCaptureFixture
) -> None:
    """Told in whole seconds, one after the other; then nothing goes out anywhere, typing neither, until it is over."""
    before = await waits(budget, CHATS[3])
    for where, pause in zip(CHATS[:3], (9, 9, 8), strict=True):
        await budget.close(where, pause * SECOND)
        passes(scripts, 400 * MOMENT)
    closed = await waits(budget, CHATS[3]), await budget.spare(CHATS[4], group=False)
    passes(scripts, closed[0] - MOMENT)
    still = await waits(budget, CHATS[5])
    passes(scripts, MOMENT)

    assert (before, closed, still) == (NOW, (8 * SECOND - 400 * MOMENT, False), MOMENT)
    assert caplog.messages == ["telegram asks several chats to wait alike: no chat is sent to for 8 s"]
    assert await waits(budget, CHATS[5]) == NOW


@pytest.mark.parametrize("pauses_s", [(9, 9), (9, 20, 40), (3, 6, 9, 12, 15)])
async def test_pauses_of_chats_close_no_other(budget: RedisOutbound, pauses_s: tuple[int, ...]) -> None:
    """Two may be chance, and chats that are closed each for itself open each at its own moment."""
    for where, pause_s in zip(CHATS, pauses_s, strict=False):
        await budget.close(where, pause_s * SECOND)

    assert await waits(budget, CHATS[5]) == NOW


async def test_the_bot_is_closed_for_five_minutes_at_most(scripts: Scripts, budget: RedisOutbound) -> None:
    """Long pauses of chats that end alike by chance cost all others no hour; one chat more tells if it is the bot."""
    hour = timedelta(hours=1)
    for where in CHATS[:3]:
        await budget.close(where, hour)
    closed = await waits(budget, CHATS[5])
    passes(scripts, closed)
    opened = await waits(budget, CHATS[5]), await waits(budget, CHATS[0])
    await budget.close(CHATS[4], hour - closed)

    assert (closed, opened) == (timedelta(minutes=5), (NOW, hour - closed))
    assert await waits(budget, CHATS[5], "again") == closed


async def test_one_chat_that_is_told_again_and_again_is_one(scripts: Scripts, budget: RedisOutbound) -> None:
    """Also if it is closed anew as soon as it opens."""
    for _ in range(9):
        for pause_s in (3, 2, 1):
            await budget.close(CHATS[0], pause_s * SECOND)
            passes(scripts, SECOND)

    assert await waits(budget, CHATS[1]) == NOW


async def test_who_has_a_place_lines_up_anew(scripts: Scripts, budget: RedisOutbound) -> None:
    """A place that comes before the bot opens is none."""
    for number in range(5):
        await waits(budget, CHATS[5], str(number))
    place = await waits(budget, CHATS[5], "waits")
    for where in CHATS[:3]:
        await budget.close(where, 9 * SECOND)
    passes(scripts, place)

    assert place == SECOND
    assert await waits(budget, CHATS[5], "waits") == 8 * SECOND
    passes(scripts, 8 * SECOND)
    assert await waits(budget, CHATS[5], "waits") == NOW


async def test_a_bot_that_is_limited_hears_it_three_times(scripts: Scripts) -> None:
    """A hundred chats with three messages each, at the default speeds; the platform refuses all calls for 5 s."""
    budget = RedisOutbound(scripts, {"telegram": buckets_of(Config())["telegram"]})
    opens_ms, refused = START_MS + 7_500, 0
    due = [(START_MS, chat, 0) for chat in range(100)]
    while due:
        now_ms, chat, number = heapq.heappop(due)
        scripts.now_ms = now_ms
        where = conversation(str(chat), str(chat))
        wait_ms = milliseconds(await budget.take(where, group=False, asker=f"{chat}#{number}"))
        if not wait_ms and opens_ms - 5_000 <= now_ms < opens_ms:
            refused += 1
            pause = math.ceil((opens_ms - now_ms) / 1000) * SECOND
            await budget.close(where, pause)
            wait_ms = milliseconds(pause)
        if wait_ms:
            heapq.heappush(due, (now_ms + wait_ms, chat, number))
        elif number < 2:
            heapq.heappush(due, (now_ms, chat, number + 1))

    assert refused == 3

"""The page box on a real Redis: once per key, in order, bounded, and waited for without a connection each."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from bot.errors import StoreUnavailable
from bot.ports import PageBox
from bot.store import keys, page_box
from bot.store.client import connect, connect_blocking
from bot.store.cluster import Client
from bot.store.listening import LISTEN
from bot.store.page_box import MOST, RedisPageBox
from tests.contract.leaks import keys_without_ttl

NOW = timedelta(0)
LONG = timedelta(seconds=30)


@pytest.fixture
async def clients(redis: Redis, redis_url: str) -> AsyncIterator[tuple[Client, Client]]:
    """The product's own two clients on an empty database."""
    both = connect(redis_url, max_connections=4), connect_blocking(redis_url, block=LISTEN, max_connections=1)
    yield both
    for client in both:
        await client.aclose()


@pytest.fixture
def box(clients: tuple[Client, Client]) -> RedisPageBox:
    """A box of which nobody hears the rings."""
    return RedisPageBox(*clients)


@pytest.fixture
async def listening(box: RedisPageBox, redis: Redis) -> AsyncIterator[RedisPageBox]:
    """A box that hears."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(box.run(), name="page box - listen")
        async with asyncio.timeout(10):
            while not box._hears:  # noqa: ASYNC110, SLF001 - nothing signals it
                await asyncio.sleep(0.01)
        yield box
        task.cancel()


async def test_messages_are_read_in_order_from_where_the_page_stopped(box: RedisPageBox) -> None:
    """Everything from `0`, and after an id only what came later."""
    port: PageBox = box
    first = await port.append("page", "a:0", "Hello")
    second = await port.append("page", "a:1", "你好 👋")

    assert await port.read("page", "0", NOW) == [(first, "Hello"), (second, "你好 👋")]
    assert await port.read("page", first, NOW) == [(second, "你好 👋")]
    assert await port.read("page", second, NOW) == []


async def test_the_same_key_again_adds_nothing(box: RedisPageBox) -> None:
    """A part sent again after a crash shows once, under the same id, also from fifty at once."""
    ids = await asyncio.gather(*[box.append("page", "a:0", "Hello") for _ in range(50)])

    assert len(set(ids)) == 1
    assert await box.read("page", "0", NOW) == [(ids[0], "Hello")]


async def test_boxes_do_not_mix(box: RedisPageBox) -> None:
    """Nobody reads another page's messages, whatever its name looks like."""
    await box.append("page", "a:0", "mine")

    assert await box.read("*", "0", NOW) == []
    assert await box.read("pag?", "0", NOW) == []


async def test_a_box_keeps_the_last_messages_and_their_keys(box: RedisPageBox, redis: Redis) -> None:
    """Box and index of keys are bounded alike."""
    for number in range(MOST + 3):
        await box.append("page", f"k{number}", str(number))

    texts = [text for _, text in await box.read("page", "0", NOW)]
    _, ids = keys.page_box_keys("page")

    assert texts == [str(number) for number in range(3, MOST + 3)]
    assert await redis.hlen(ids) == MOST
    assert not await redis.hexists(ids, "k2")
    assert await redis.hexists(ids, "k3")


async def test_both_keys_live_a_day(box: RedisPageBox, redis: Redis) -> None:
    """A page that nobody opens again leaves nothing behind."""
    await box.append("page", "a:0", "Hello")

    lives = [await redis.pttl(key) for key in keys.page_box_keys("page")]

    assert all(86_000_000 < life <= 86_400_000 for life in lives)
    assert await keys_without_ttl(redis) == []


async def test_the_script_is_loaded_again_after_redis_forgot_it(box: RedisPageBox, redis: Redis) -> None:
    """NOSCRIPT is nobody's failure."""
    await box.append("page", "a:0", "one")
    await redis.script_flush()

    await box.append("page", "a:1", "two")

    assert [text for _, text in await box.read("page", "0", NOW)] == ["one", "two"]


@pytest.mark.parametrize("after", ["", "x", "-1", "(0", "99999999999999999999", "1-1-1", "$", "+"])
async def test_what_cannot_be_an_id_reads_from_the_start(box: RedisPageBox, after: str) -> None:
    """The id comes from a browser: nonsense is no failure of the store."""
    await box.append("page", "a:0", "Hello")

    assert [text for _, text in await box.read("page", after, NOW)] == ["Hello"]


async def test_a_reader_waits_for_the_first_message(listening: RedisPageBox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ring ends the wait; with polling out of reach nothing else could."""
    monkeypatch.setattr(page_box, "POLL", LONG)
    reading = asyncio.create_task(listening.read("page", "0", LONG))
    await asyncio.sleep(0)

    await listening.append("page", "a:0", "Hello")
    async with asyncio.timeout(10):
        messages = await reading

    assert [text for _, text in messages] == ["Hello"]


async def test_waiting_ends_empty_handed(listening: RedisPageBox) -> None:
    """No message within `wait` is an empty list."""
    assert await listening.read("page", "0", timedelta(milliseconds=50)) == []


async def test_without_rings_a_reader_polls(box: RedisPageBox) -> None:
    """Nobody listens: the message comes all the same."""
    reading = asyncio.create_task(box.read("page", "0", LONG))
    await asyncio.sleep(0)

    await box.append("page", "a:0", "Hello")
    async with asyncio.timeout(10):
        messages = await reading

    assert [text for _, text in messages] == ["Hello"]


@pytest.mark.one_server
async def test_many_waiting_pages_need_no_connections(
    listening: RedisPageBox, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300 pages wait on four connections, others work meanwhile, and each gets its own message."""
    monkeypatch.setattr(page_box, "POLL", LONG)
    readings = [asyncio.create_task(listening.read(f"page{n}", "0", LONG)) for n in range(300)]
    await asyncio.sleep(0)

    await asyncio.gather(*[listening.append(f"page{n}", "a:0", f"for {n}") for n in range(300)])
    async with asyncio.timeout(20):
        results = await asyncio.gather(*readings)
    connections = [client for client in await redis.client_list() if client["name"] == "frontdesk"]

    assert [[text for _, text in messages] for messages in results] == [[f"for {n}"] for n in range(300)]
    assert len(connections) <= 4 + 1 + 1  # those of both clients, and the one that asks here


@pytest.mark.one_server
async def test_waiting_pages_are_cheap(listening: RedisPageBox, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """While nothing comes, a waiting page asks Redis once."""
    monkeypatch.setattr(page_box, "POLL", LONG)
    await redis.config_resetstat()

    await asyncio.gather(*[listening.read(f"page{n}", "0", timedelta(seconds=1)) for n in range(20)])
    stats = await redis.info("commandstats")

    assert stats["cmdstat_xrange"]["calls"] <= 40  # the first look and the last


@pytest.mark.one_server
async def test_the_listener_survives_a_lost_connection(
    listening: RedisPageBox, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After Redis cut the subscription, a message wakes its reader again."""
    monkeypatch.setattr(page_box, "POLL", LONG)
    monkeypatch.setattr(page_box, "POLL_UNHEARD", LONG)
    reading = asyncio.create_task(listening.read("page", "0", LONG))
    await asyncio.sleep(0)

    await redis.client_kill_filter(_type="pubsub")
    await listening.append("page", "a:0", "Hello")
    async with asyncio.timeout(20):
        messages = await reading

    assert [text for _, text in messages] == ["Hello"]


async def test_two_tabs_of_one_page_both_get_it(listening: RedisPageBox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reading takes nothing away from another reader."""
    monkeypatch.setattr(page_box, "POLL", LONG)
    readings = [asyncio.create_task(listening.read("page", "0", LONG)) for _ in range(2)]
    await asyncio.sleep(0)

    await listening.append("page", "a:0", "Hello")
    async with asyncio.timeout(10):
        first, second = await asyncio.gather(*readings)

    assert first == second
    assert len(first) == 1


async def test_a_page_that_reads_on_gets_each_message_once(listening: RedisPageBox) -> None:
    """While messages keep coming, reading on from the last id misses and repeats none."""
    count = 100

    async def write() -> None:
        for number in range(count):
            await listening.append("page", f"k{number}", str(number))

    async def follow() -> list[str]:
        texts: list[str] = []
        after = "0"
        while len(texts) < count:
            messages = await listening.read("page", after, LONG)
            texts += [text for _, text in messages]
            after = messages[-1][0] if messages else after
        return texts

    async with asyncio.timeout(30):
        _, texts = await asyncio.gather(write(), follow())

    assert texts == [str(number) for number in range(count)]


async def test_a_redis_that_is_away_is_the_callers_to_know() -> None:
    """Both acts say StoreUnavailable; the sender tries again under the same key."""
    gone = "unix:///tmp/frontdesk-no-such.sock"
    redis, listener = connect(gone, retries=0), connect_blocking(gone, block=LISTEN)
    box = RedisPageBox(redis, listener)

    with pytest.raises(StoreUnavailable):
        await box.append("page", "a:0", "Hello")
    with pytest.raises(StoreUnavailable):
        await box.read("page", "0", NOW)

    await redis.aclose()
    await listener.aclose()
    assert list(itertools.chain(*box._waiting.values())) == []  # noqa: SLF001 - a leak no caller could see

"""The doorbell and the page box listen on a connection of their own, and stop when they are told to."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from types import ModuleType

import pytest
from redis.asyncio import Redis
from redis.asyncio.client import PubSub

from bot.store import doorbell as doorbell_module
from bot.store import keys
from bot.store import page_box as page_box_module
from bot.store.client import connect, connect_blocking
from bot.store.doorbell import RedisDoorbell
from bot.store.listening import LISTEN
from bot.store.page_box import RedisPageBox


async def test_a_ring_wakes_who_waits(redis: Redis, redis_url: str) -> None:
    """A published ring ends the wait long before its end."""
    listener = connect_blocking(redis_url, block=LISTEN)
    doorbell = RedisDoorbell(listener)
    listening = asyncio.create_task(doorbell.run())
    await doorbell.wait(timedelta(seconds=10))  # it rings once when it hears
    doorbell.clear()

    waiting = asyncio.create_task(doorbell.wait(timedelta(seconds=60)))
    async with asyncio.timeout(20):
        while not waiting.done():
            await redis.publish(keys.doorbell(), "")
            await asyncio.sleep(0.01)
    listening.cancel()
    await asyncio.wait([listening], timeout=5)
    await listener.aclose()

    assert listening.cancelled()


@pytest.mark.parametrize("module", [doorbell_module, page_box_module])
async def test_a_listener_that_breaks_listens_again(
    redis: Redis, redis_url: str, monkeypatch: pytest.MonkeyPatch, module: ModuleType
) -> None:
    """What nobody foresaw costs a second, not the process."""
    listener = connect_blocking(redis_url, block=LISTEN)
    listens = RedisDoorbell(listener) if module is doorbell_module else RedisPageBox(redis, listener)
    tries = 0
    again = asyncio.Event()

    async def breaks_at_first(pubsub: PubSub, act: str) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise ZeroDivisionError
        again.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(module, "next_message", breaks_at_first)
    monkeypatch.setattr(module, "RECONNECT", timedelta(milliseconds=5))
    listening = asyncio.create_task(listens.run())
    await asyncio.wait([listening, asyncio.create_task(again.wait())], timeout=20, return_when="FIRST_COMPLETED")
    listening.cancel()
    await asyncio.wait([listening], timeout=5)
    await listener.aclose()

    assert (tries, listening.cancelled()) == (2, True)


async def test_listeners_end_whenever_they_are_cancelled(redis_url: str) -> None:
    """While connecting, subscribing or listening: a bot that cannot start must be able to end."""
    redis = connect(redis_url)
    still_running = 0
    for moment in range(120):
        listener = connect_blocking(redis_url, block=LISTEN)
        tasks = [
            asyncio.create_task(RedisDoorbell(listener).run()),
            asyncio.create_task(RedisPageBox(redis, listener).run()),
        ]
        for _ in range(moment % 60):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        _, pending = await asyncio.wait(tasks, timeout=5)
        still_running += len(pending)
        await listener.aclose()
    await redis.aclose()

    assert still_running == 0

"""The doorbell and the page box listen on a connection of their own, and stop when they are told to."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from redis.asyncio import Redis

from bot.store import keys
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

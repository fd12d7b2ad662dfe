"""One ingest at a time: a Redis lock that is renewed while its holder lives and ends soon after it dies.

It saves work; correctness does not hang on it. Should a suspended process wake after its lock has passed on, the
scripts still refuse to switch to a version that is not whole or to delete one that is current.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from redis.asyncio.lock import Lock

from bot.errors import StoreUnavailable
from bot.store.client import translated
from bot.store.cluster import Client

log = logging.getLogger(__name__)

LIFE = timedelta(seconds=30)
"""After so long without renewal the holder counts as dead; longer lets the next start wait for a crashed one."""
POLL = timedelta(seconds=0.2)


@asynccontextmanager
async def ingest_lock(redis: Client, key: str, *, wait: timedelta) -> AsyncIterator[None]:
    """Hold the lock inside the block.

    STRING `key`, TTL `LIFE`, renewed three times as often. Cancelling releases it.

    Args:
        redis: a bytes client.
        key: of the lock.
        wait: how long to wait for another holder.

    Raises:
        StoreUnavailable: Redis did not answer, or another held it for longer than `wait`.
    """
    lock = redis.lock(key, timeout=LIFE.total_seconds())
    deadline = time.monotonic() + wait.total_seconds()
    while not await _taken(lock):
        if time.monotonic() >= deadline:
            raise StoreUnavailable(f"another ingest has been running for {wait.total_seconds():.0f} s")
        await asyncio.sleep(POLL.total_seconds())
    renewal = asyncio.create_task(_renew(lock), name="passages - renew the ingest lock")
    try:
        yield
    finally:
        renewal.cancel()
        await asyncio.wait([renewal])
        try:
            with translated("end an ingest"):
                await lock.release()
        except StoreUnavailable as error:
            log.warning("the ingest lock was not released, it ends by itself: %s", error)


async def _taken(lock: Lock) -> bool:
    with translated("begin an ingest"):
        return bool(await lock.acquire(blocking=False))


async def _renew(lock: Lock) -> None:
    while True:
        await asyncio.sleep(LIFE.total_seconds() / 3)
        try:
            with translated("go on with an ingest"):
                await lock.reacquire()
        except StoreUnavailable as error:
            # The ingest may go on without it (see above), and the next renewal may succeed again.
            log.warning("the ingest lock could not be renewed: %s", error)

"""The doorbell: pub/sub that wakes workers when something falls due. A missed ring costs one poll, never a message."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import timedelta

from bot.errors import StoreUnavailable
from bot.store import keys
from bot.store.client import translated
from bot.store.cluster import Client, subscriber
from bot.store.listening import next_message

RECONNECT = timedelta(seconds=1)

log = logging.getLogger(__name__)


class RedisDoorbell:
    """Implements the worker's `Doorbell`; `run` listens, `wait` is woken.

    Args:
        redis: a blocking client (see `bot.store.client.connect_blocking`), one connection while `run` runs.
    """

    def __init__(self, redis: Client) -> None:
        self._redis = redis
        self._rung = asyncio.Event()

    def clear(self) -> None:
        """Forget past rings."""
        self._rung.clear()

    def ring(self) -> None:
        """Wake whoever waits here; nobody else."""
        self._rung.set()

    async def wait(self, longest: timedelta) -> None:
        """Return at the next ring or after `longest`; at once if it rang since `clear`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(longest.total_seconds()):
                await self._rung.wait()

    async def run(self) -> None:
        """Listen until cancelled; SUBSCRIBE, one connection. While Redis is away, workers poll."""
        while True:
            try:
                await self._listen()
            except StoreUnavailable as error:
                log.warning("the doorbell is off, workers poll: %s", error)
            except Exception:
                # One turn of a background loop: what nobody foresaw must not end it.
                log.exception("the doorbell is off, workers poll")
            await asyncio.sleep(RECONNECT.total_seconds())

    async def _listen(self) -> None:
        # Each act in a block of its own: `translated` notices at its end if a cancellation got lost in it.
        with translated("doorbell.open"):
            listening = await subscriber(self._redis)
        async with listening as pubsub:
            with translated("doorbell"):
                await pubsub.subscribe(keys.doorbell())
            while True:
                # That we are subscribed, at first or again, comes as a message too: rings may have been missed.
                if await next_message(pubsub, "doorbell") is not None:
                    self._rung.set()

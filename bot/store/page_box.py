"""Replies waiting for a chat page or a terminal to fetch them: the `PageBox` port on Redis.

A box is a stream, read from an id onwards, so that a page that was away misses nothing of the last 200 messages.
Waiting costs no connection: the script that appends also rings, on one pub/sub channel for all boxes; one connection
per process hears the rings and wakes who waits here. A blocking XREAD per page would hold a connection each. A missed
ring, or a `run` that does not run, costs one poll.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import cast

from bot.errors import StoreUnavailable
from bot.message import SentId
from bot.store import keys
from bot.store.client import translated
from bot.store.cluster import Client, subscriber
from bot.store.listening import next_message
from bot.store.scripts import Scripts, milliseconds

MOST = 200
"""Entries of a box: more than a page shows, and a page that is away longer asks anew."""
TTL = timedelta(days=1)
POLL = timedelta(seconds=5)
"""Between looks of a waiting reader while rings are heard; only a ring lost on the way makes it wait as long."""
POLL_UNHEARD = timedelta(milliseconds=250)
"""The same while no ring can be heard."""
RECONNECT = timedelta(seconds=1)

_RING = keys.page_box("*")
"""Pub/sub channel that names the box with a new message; channels and keys do not meet. Not a pattern: an ACL that
allows `&fd:*` would not allow a subscription to a pattern below it."""

_ID = re.compile(r"\d{1,19}(-\d{1,19})?")

log = logging.getLogger(__name__)


class RedisPageBox:
    """Implements `bot.ports.PageBox`; `run` listens for rings, `read` works without it, more slowly.

    Args:
        redis: for appending and reading.
        listener: a blocking client (see `bot.store.client.connect_blocking`), one connection while `run` runs.
    """

    def __init__(self, redis: Client, listener: Client) -> None:
        self._redis = redis
        self._listener = listener
        self._scripts = Scripts(redis)
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._hears = False

    async def append(self, channel: str, key: str, text: str) -> SentId:
        """Add a message and ring; one script, one round trip. TTL of the box: a day from now.

        The same key again adds nothing and returns the same id while its message is among the last 200.

        Raises:
            StoreUnavailable: the message may be there; append it again under the same key.
        """
        added = await self._scripts.run(
            "page_append", keys.page_box_keys(channel), key, text, MOST, milliseconds(TTL), _RING
        )
        return SentId(cast("bytes", added).decode())

    async def read(self, channel: str, after: str, wait: timedelta) -> list[tuple[SentId, str]]:
        """Messages after an id, oldest first; XRANGE now, at each ring, and at the end of `wait`.

        Cancelling is safe: reading takes nothing away.

        Args:
            channel: of the page.
            after: an id that `append` returned; `0`, and whatever cannot be one, means from the start.
            wait: how long to wait for the first message; zero looks once.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        deadline = time.monotonic() + wait.total_seconds()
        with self._rings(keys.page_box(channel)) as rung:
            while True:
                rung.clear()
                messages = await self._range(channel, after)
                left_s = deadline - time.monotonic()
                if messages or left_s <= 0:
                    return messages
                poll = POLL if self._hears else POLL_UNHEARD
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(min(left_s, poll.total_seconds())):
                        await rung.wait()

    async def _range(self, channel: str, after: str) -> list[tuple[SentId, str]]:
        start = f"({after}" if _ID.fullmatch(after) else "-"
        with translated("page_box.read"):
            entries = await self._redis.xrange(keys.page_box(channel), min=start, count=MOST)
        found = cast("list[tuple[bytes, dict[bytes, bytes]]]", entries or [])
        return [(SentId(id_.decode()), fields[b"text"].decode()) for id_, fields in found]

    @contextlib.contextmanager
    def _rings(self, box: str) -> Iterator[asyncio.Event]:
        rung = asyncio.Event()
        self._waiting[box].add(rung)
        try:
            yield rung
        finally:
            self._waiting[box].discard(rung)
            if not self._waiting[box]:
                del self._waiting[box]

    async def run(self) -> None:
        """Hear the rings until cancelled; SUBSCRIBE, one connection. While Redis is away, readers poll."""
        while True:
            try:
                await self._listen()
            except StoreUnavailable as error:
                log.warning("pages wait by polling: %s", error)
            except Exception:
                # One turn of a background loop: what nobody foresaw must not end it.
                log.exception("pages wait by polling")
            await asyncio.sleep(RECONNECT.total_seconds())

    async def _listen(self) -> None:
        try:
            # Each act in a block of its own: `translated` notices at its end if a cancellation got lost in it.
            with translated("page_box.open"):
                listening = await subscriber(self._listener)
            async with listening as pubsub:
                with translated("page_box.listen"):
                    await pubsub.subscribe(_RING)
                while True:
                    message = await next_message(pubsub, "page_box.listen")
                    if message is not None:
                        self._heard(message)
        finally:
            self._hears = False
            self._wake_all()

    def _heard(self, message: dict[str, object]) -> None:
        if message["type"] == "message":
            box = cast("bytes", message["data"]).decode()
            for rung in self._waiting.get(box, ()):
                rung.set()
        else:
            # Subscribed, perhaps anew after a lost connection: rings until now may have been missed.
            self._hears = True
            self._wake_all()

    def _wake_all(self) -> None:
        for waiting in self._waiting.values():
            for rung in waiting:
                rung.set()

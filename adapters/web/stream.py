"""Replies on their way to an open page: Server-Sent Events read out of the session's box.

Chosen over long polling because the browser itself reconnects and says what it saw last (`Last-Event-ID`), and
because a reply that comes in pieces will need no request each. What SSE does not give is made up for: a `ping`
event every 15 s lets the page notice a dead line, and one that a page left open is ended when we are told to stop.
A stream may end at any moment without loss: the box keeps what was not read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta

from adapters.web.session import tag
from bot.errors import StoreUnavailable
from bot.message import SentId
from bot.ports import PageBox

PING = timedelta(seconds=15)
"""Proxies cut a silent connection after 30 to 60 s."""
READ_DEADLINE = timedelta(seconds=10)
"""On top of the wait that the box was asked for."""
MAX_PER_SESSION = 6
"""What a browser opens to one host; the one opened longest ago makes room, for it may hang on a dead line."""
MAX_STREAMS = 500
"""Each one is a connection, so an open file, of which a process usually has 1024; the rest is for everything else."""

Messages = list[tuple[SentId, str]]


class Streams:
    """All streams of this process.

    Args:
        box: where replies wait.
        stop: ends every stream.
        waiting_words: texts that only say that an answer takes longer; the page goes on waiting after them.
        ping: silence after which a `ping` goes out.
    """

    def __init__(
        self, box: PageBox, stop: asyncio.Event, *, waiting_words: frozenset[str] = frozenset(), ping: timedelta = PING
    ) -> None:
        self._box = box
        self._stop = stop
        self._waiting_words = waiting_words
        self._ping = ping
        self._open: dict[str, list[asyncio.Event]] = {}

    @property
    def full(self) -> bool:
        """No more streams now."""
        return sum(map(len, self._open.values())) >= MAX_STREAMS

    async def first(self, session: str, after: str) -> Messages:
        """What waits already, without waiting for more.

        Raises:
            StoreUnavailable: the box is out of reach; no stream is begun.
        """
        try:
            async with asyncio.timeout(READ_DEADLINE.total_seconds()):
                return await self._box.read(session, after, timedelta(0))
        except TimeoutError as exc:
            raise StoreUnavailable("the page's box gave no answer in time") from exc

    async def events(self, session: str, after: str, messages: Messages) -> AsyncIterator[bytes]:
        """Events for one page: `hello`, then `reply` for each message after `after`, and `ping` in between.

        Ends when the process stops, when the box is out of reach, or when the session opened newer streams.

        Args:
            session: whose box.
            after: the last id the page has seen.
            messages: what `first` found after it.
        """
        with self._registered(session) as replaced:
            yield b"retry: 1000\n\n"
            yield _event("hello", {"session": tag(session), "ping_s": self._ping.total_seconds()})
            while True:
                for sent_id, text in messages:
                    interim = text in self._waiting_words
                    yield _event("reply", {"text": text, "interim": interim}, sent_id)
                    after = sent_id
                found = await self._next(session, after, replaced)
                if found is None:
                    return
                messages = found
                if not messages:
                    yield _event("ping", {})

    @contextmanager
    def _registered(self, session: str) -> Iterator[asyncio.Event]:
        mine = self._open.setdefault(session, [])
        replaced = asyncio.Event()
        mine.append(replaced)
        if len(mine) > MAX_PER_SESSION:
            mine.pop(0).set()
        try:
            yield replaced
        finally:
            if replaced in mine:
                mine.remove(replaced)
            if not mine:
                self._open.pop(session, None)

    async def _next(self, session: str, after: str, replaced: asyncio.Event) -> Messages | None:
        """The next messages, none if it stays quiet; None when the stream should end."""
        read = asyncio.create_task(self._box.read(session, after, self._ping), name="web - read a page's box")
        ends = [
            asyncio.create_task(self._stop.wait(), name="web - watch for stop"),
            asyncio.create_task(replaced.wait(), name="web - watch for a newer stream"),
        ]
        try:
            deadline_s = (self._ping + READ_DEADLINE).total_seconds()
            await asyncio.wait([read, *ends], timeout=deadline_s, return_when=asyncio.FIRST_COMPLETED)
            return read.result() if read.done() and not any(end.done() for end in ends) else None
        except StoreUnavailable:
            return None
        finally:
            for task in (read, *ends):
                task.cancel()
            await asyncio.gather(read, *ends, return_exceptions=True)


def _event(name: str, data: dict[str, object], event_id: str | None = None) -> bytes:
    # JSON without line breaks: one `data:` line holds any text.
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {name}\ndata: {json.dumps(data)}\n\n".encode()

"""Waiting until stored messages are on disk, or on a second server: many of them by one wait.

Their order is settled when they are stored, so nobody needs to hold up the next message for it. A wait takes up to a
second with `appendfsync everysec`, and a connection meanwhile; those that come while one is under way wait together
with the next. This is the group commit of databases.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

from bot.errors import StoreUnavailable
from bot.message import MessageId
from bot.store.scripts import Scripts

GATHERED_FOR = timedelta(milliseconds=250)
"""So long a message waits for others at most, while a wait is under way: five connections are enough."""


@dataclass(slots=True)
class _Batch:
    """Messages that are waited for together.

    Attributes:
        marks: hour and id of each.
        gone: ids of those that were lost; None if nothing is certain of any.
        failure: why not.
        over: it is known what became of them.
    """

    marks: list[str | int] = field(default_factory=list)
    gone: frozenset[str] | None = None
    failure: str = "lasting: ended"
    over: asyncio.Event = field(default_factory=asyncio.Event)


class Lasting:
    """Waits for messages, those of each partition by themselves.

    Args:
        scripts: on the server of the inbox, with what is to be waited for.
    """

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._open: dict[str, _Batch] = {}
        self._under_way: defaultdict[str, set[asyncio.Task[None]]] = defaultdict(set)
        self._last: dict[str, tuple[int, MessageId]] = {}

    def before(self, conversation: str) -> tuple[int | str, str]:
        """Hour and id of its message that was put last and is waited for; empty if none is."""
        return self._last.get(conversation, ("", ""))

    async def wait(
        self,
        prefix: str,
        conversation: str,
        hour: int,
        message_id: MessageId,
        placed: Callable[[], None] | None = None,
    ) -> None:
        """Return when a message that was stored is as durable as was asked for; see `lasting.lua`.

        Args:
            prefix: of its partition.
            conversation: its id.
            hour: of the platform's date, Unix hours, as it was stored with.
            message_id: its id.
            placed: called before there is anything to wait for: the next one may follow, `before` names this one.

        Raises:
            StoreUnavailable: it is not, or the server that had it is gone, and the message with it.
        """
        if self._scripts.durability == "memory":
            return
        mark = self._last[conversation] = hour, message_id
        try:
            if placed is not None:
                placed()
            await self._join(prefix, hour, message_id)
        finally:
            if self._last.get(conversation) == mark:
                del self._last[conversation]

    async def _join(self, prefix: str, hour: int, message_id: MessageId) -> None:
        batch = self._open.get(prefix)
        if batch is None:
            batch = self._begin(prefix)
        batch.marks += hour, message_id
        await batch.over.wait()
        if batch.gone is None:
            raise StoreUnavailable(batch.failure)
        if message_id in batch.gone:
            raise StoreUnavailable("lasting: gone with the server that had it")

    def _begin(self, prefix: str) -> _Batch:
        batch, under_way = _Batch(), self._under_way[prefix]
        task = asyncio.create_task(self._send(prefix, batch, {*under_way}), name="store - lasting")

        def ended(task: asyncio.Task[None]) -> None:
            under_way.discard(task)
            if self._open.get(prefix) is batch:
                del self._open[prefix]
            batch.over.set()

        self._open[prefix] = batch
        under_way.add(task)
        task.add_done_callback(ended)
        return batch

    async def _send(self, prefix: str, batch: _Batch, before: set[asyncio.Task[None]]) -> None:
        """Let others join while earlier waits are under way, but not for long; then wait for all of them."""
        if before:
            await asyncio.wait(before, timeout=GATHERED_FOR.total_seconds(), return_when=asyncio.FIRST_COMPLETED)
        del self._open[prefix]
        try:
            gone = await self._scripts.run_lasting("lasting", [prefix], *batch.marks)
            batch.gone = frozenset(message_id.decode() for message_id in cast("list[bytes]", gone))
        except StoreUnavailable as error:
            batch.failure = str(error)

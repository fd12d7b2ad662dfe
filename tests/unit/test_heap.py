"""What keeps memory level: how much is read at once, and what is looked through for garbage."""

from __future__ import annotations

import asyncio
import gc
import socket
from asyncio import selector_events

import pytest

from bot.__main__ import run
from bot.heap import BLOCK, set_start_aside


class Reader(asyncio.Protocol):
    """Notes how much came with each read."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.ended = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        """Note it."""
        self.sizes.append(len(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """All is read."""
        self.ended.set_result(None)


def test_a_process_of_ours_reads_in_small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that waits in a socket is read, a block at a time; asyncio itself would take it at once."""
    monkeypatch.setattr(selector_events._SelectorTransport, "max_size", 256 * 1024)  # type: ignore[attr-defined]  # noqa: SLF001
    sizes: list[int] = []
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    sent = theirs.send(bytes(3 * BLOCK))
    theirs.close()

    async def work(stop: asyncio.Event) -> None:
        _transport, reader = await asyncio.get_running_loop().create_connection(Reader, sock=ours)
        await reader.ended
        sizes.extend(reader.sizes)

    run(work, False)

    assert sum(sizes) == sent > BLOCK
    assert max(sizes) == BLOCK


def test_garbage_is_looked_for_among_what_came_after_the_start() -> None:
    """Few objects are left to look through, and new ones in a cycle are found."""
    try:
        set_start_aside()
        after = len(gc.get_objects(generation=2))
        cycle: list[object] = []
        cycle.append(cycle)
        del cycle

        assert after < 1000 < gc.get_freeze_count()
        assert gc.collect() > 0
    finally:
        gc.unfreeze()

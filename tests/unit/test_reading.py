"""What is read from a socket at once."""

from __future__ import annotations

import asyncio
import socket
from asyncio import selector_events

import pytest

from bot.__main__ import run
from bot.reading import BLOCK


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

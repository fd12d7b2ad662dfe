"""A TCP proxy for tests that breaks the network in between: it cuts, refuses, swallows and delays.

    async with Proxy("127.0.0.1", port) as proxy:
        ...  # the client connects to proxy.port
        proxy.swallow()  # connections stay up, nothing gets through: a black hole
        proxy.heal()

It stands before anything that speaks TCP, or a Unix socket: `Proxy(unix="/path/redis.sock")`.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Literal, Self

CHUNK = 65_536

Direction = Literal["both", "up", "down"]
"""`up`: from the client to the server."""


class Proxy:
    """One listening port before one server.

    Args:
        host: of the server.
        port: of the server.
        unix: path of the server's Unix socket instead.

    Attributes:
        port: where clients connect to.
        delay_s: how long each chunk is held back, in both directions.
        taken: connections that clients made so far.
        lost: chunks that were swallowed so far.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0, *, unix: str | None = None) -> None:
        self._host, self._server_port, self._unix = host, port, unix
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None], tuple[asyncio.StreamWriter, ...]] = {}
        self._swallowed: frozenset[str] = frozenset()
        self._refusing = False
        self.port = 0
        self.delay_s = 0.0
        self.taken = 0
        self.lost = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def swallow(self, direction: Direction = "both") -> None:
        """What comes from now on gets lost, on old connections and new ones, which stay up."""
        self._swallowed = frozenset({"up", "down"} if direction == "both" else {direction})

    def leads_to(self, *, unix: str) -> None:
        """New connections go to another server; those that there are stay where they are."""
        self._unix = unix

    def refuse(self) -> None:
        """New connections are broken off at once; `cut` those that there are."""
        self._refusing = True

    def heal(self) -> None:
        """All is well again for new connections; what was swallowed is gone."""
        self._swallowed, self._refusing, self.delay_s = frozenset(), False, 0.0

    def cut(self) -> None:
        """Break every connection without a word, to both sides."""
        for writers in self._open.values():
            for writer in writers:
                writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        task = asyncio.current_task()
        if self._refusing or task is None:
            writer.transport.abort()
            return
        self._open[task] = (writer,)
        try:
            server_reader, server_writer = await self._connect()
            self._open[task] = (writer, server_writer)
            await asyncio.gather(
                self._pipe(reader, server_writer, "up"),
                self._pipe(server_reader, writer, "down"),
            )
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            for one in self._open.pop(task):
                one.transport.abort()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._unix is not None:
            return await asyncio.open_unix_connection(self._unix)
        return await asyncio.open_connection(self._host, self._server_port)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str) -> None:
        """Carry one direction to its end; one that ends ends only itself, as TCP does."""
        lost = False
        with suppress(OSError):
            while chunk := await reader.read(CHUNK):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                # A stream with a hole in it would be another fault: what has lost something stays lost.
                lost = lost or direction in self._swallowed
                self.lost += lost
                if not lost:
                    writer.write(chunk)
                    await writer.drain()
        # A black hole lets no end through either.
        if not lost and direction not in self._swallowed and writer.can_write_eof():
            with suppress(OSError):
                writer.write_eof()

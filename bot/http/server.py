"""Uvicorn as one task among ours: it takes no signals, stops when told, and reports the port it got.

We bind the sockets ourselves, because uvicorn ends the process when it cannot; so a taken port becomes a sentence
for the operator. The access log is off: addresses and query strings are nobody's business afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable, Generator
from datetime import timedelta

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from bot.errors import StartError

DRAIN = timedelta(seconds=5)
"""How long open requests may take to end once we are told to stop; then they are cut."""
KEEP_ALIVE_S = 75
"""How long an idle connection stays open. Longer than load balancers keep theirs, 60 s by default in nginx and at AWS:
one that we close just as they send the next call on it is a 502 to whoever called."""
HEAD = timedelta(seconds=15)
"""How long the head of a request may take from its first byte, or from the opening of the connection."""
BACKLOG = 512
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


class _Protocol(H11Protocol):
    """HTTP/1.1 that lets nobody hold a connection by sending slowly: uvicorn itself waits for ever.

    A request's head must come within `HEAD`, and so must the rest of a body that nobody reads any more.
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the first request."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Take it, and see whether there is a request now."""
        try:
            super().data_received(data)
        except h11.LocalProtocolError:
            # Rubbish after a body that was answered before its end: uvicorn would answer a second time.
            self.transport.close()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._forget()
        super().connection_lost(exc)

    def _watch(self) -> None:
        asked = self.conn.their_state is not h11.IDLE and self.cycle is not None
        in_work = asked and not self.cycle.response_complete
        if in_work or self.transport.is_closing():
            self._forget()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD.total_seconds(), self.transport.close)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class _Server(uvicorn.Server):
    """A server that leaves signals to the process's entry and says when it takes connections."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._on_started()


async def serve(
    app: ASGIApp,
    host: str,
    port: int,
    stop: asyncio.Event,
    on_started: Callable[[int], None],
    *,
    drain: timedelta = DRAIN,
) -> None:
    """Serve until `stop` is set, then let open requests end for at most `drain`.

    Args:
        app: what answers.
        host: a name or address; a name is bound on each of its addresses.
        port: 0 takes any free one.
        stop: set by the caller; cancelling instead closes the sockets and cuts every request.
        on_started: called once with the real port, when connections are taken.
        drain: see above; a fraction of a second is rounded up.

    Raises:
        StartError: the address cannot be bound; says why and what to do.
    """
    sockets = await _bind(host, port)
    bound_port: int = sockets[0].getsockname()[1]
    server = _Server(_config(app, drain), lambda: on_started(bound_port))
    try:
        async with asyncio.TaskGroup() as tasks:
            watch = tasks.create_task(_end_when(stop, server), name="http - watch for stop")
            await server.serve(sockets)
            watch.cancel()
    finally:
        for request in server.server_state.tasks:
            request.cancel()
        for listener in [*getattr(server, "servers", ()), *sockets]:
            listener.close()


async def _end_when(stop: asyncio.Event, server: uvicorn.Server) -> None:
    await stop.wait()
    server.should_exit = True


def _config(app: ASGIApp, drain: timedelta) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="off",
        log_config=None,  # logging is configured once, for the whole process
        log_level="warning",
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=max(1, -int(-drain.total_seconds() // 1)),
    )


async def _bind(host: str, port: int) -> list[socket.socket]:
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as exc:
        raise StartError(f"server.host: {host!r} is no address of this machine; use 127.0.0.1 or 0.0.0.0") from exc
    sockets: list[socket.socket] = []
    unusable: list[OSError] = []
    for family, address in dict.fromkeys((family, address) for family, _, _, _, address in found):
        # With port 0 the second address of a name takes the port that the first one got.
        taken = sockets[0].getsockname()[1] if sockets else port
        try:
            sockets.append(_listen(family, (address[0], taken, *address[2:])))
        except OSError as exc:
            unusable.append(exc)
    # A name such as localhost may have an IPv6 address on a machine that speaks none: one address is enough.
    if unusable and (not sockets or any(exc.errno not in _ABSENT for exc in unusable)):
        for listener in sockets:
            listener.close()
        raise StartError(_sentence(host, port, unusable[-1])) from unusable[-1]
    return sockets


def _listen(family: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setblocking(False)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _sentence(host: str, port: int, exc: OSError) -> str:
    where = f"{host}:{port}"
    if exc.errno == errno.EADDRINUSE:
        return f"{where} is taken by another program; stop it or set another server.port"
    if exc.errno == errno.EACCES:
        return f"no permission to listen on {where}; set server.port to 1024 or above"
    if exc.errno == errno.EADDRNOTAVAIL:
        return f"server.host: {host!r} is no address of this machine; use 127.0.0.1 or 0.0.0.0"
    return f"cannot listen on {where}: {exc.strerror}"

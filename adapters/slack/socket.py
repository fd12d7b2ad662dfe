"""Socket Mode: keeps one WebSocket to Slack open and hands on the envelopes that come.

The Web API client and Bolt are the libraries'; the connection loop is ours. The library's own opens the new socket
only after closing the old one, sends acknowledgements of the old over the new one, where Slack does not know them,
tries a used-up address for ever, and queues without bound. Here each connection acknowledges what it brought, a new
one is open before the old one goes, and reading stops while too many envelopes are in work.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, ClientWSTimeout, WSMsgType
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.failures import CALL_ERRORS
from adapters.slack.intake import explain, pause, unless_stopped

PING_S = 10.0
"""Between our pings; without a pong within half of it the connection counts as dead."""
_LINGER_S = 10.0
"""How long a connection that was told to go may still bring and acknowledge; Slack closes it itself before."""
_FINISH_S = 3.0
"""At a stop: how long envelopes in work may take; Slack has given up on them by then."""
_MOST_IN_WORK = 200
_LONG_LIVED_S = 10.0
"""A connection that lived this long was a good one: the next is tried at once."""
_OPEN_S = 15.0

_REPLACED = frozenset({"warning", "refresh_requested"})
"""Slack's regular reasons for asking us to connect anew."""

Take = Callable[[object], Awaitable[BoltResponse]]

_log = logging.getLogger(__name__)


class SocketMode:
    """The loop that stays connected.

    Args:
        client: for apps.connections.open; its session carries the socket too.
        app_token: `xapp-…`.
        take: handles a payload; status 200 is acknowledged.
    """

    def __init__(self, client: AsyncWebClient, *, app_token: str, take: Take) -> None:
        self._client = client
        self._app_token = app_token
        self._take = take
        self._failures = 0
        self._cuts = 0
        self._greeted: set[_Connection] = set()
        self._reason = "connecting to Slack"

    @property
    def reason(self) -> str | None:
        """Why nothing can come now; None while a connection has been greeted and not told to go."""
        return None if self._greeted else self._reason

    async def run(self, stop: asyncio.Event) -> None:
        """Stay connected until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                socket = await self._open(stop)
                if socket is None:
                    continue
                connection = _Connection(socket, self._take, self._greeted)
                tasks.create_task(connection.run(stop), name="slack - one socket")
                await connection.leaving.wait()
                await self._after(connection, stop)

    async def _after(self, connection: _Connection, stop: asyncio.Event) -> None:
        """Decide how long to wait before the next connection."""
        if stop.is_set():
            return
        self._cuts = 0 if connection.lived_s >= _LONG_LIVED_S else self._cuts + 1
        self._reason = f"Slack closed the socket ({connection.told or 'without a word'})"
        # The first time at once: a cut connection is no reason to be away.
        wait_s = 0.0 if self._cuts <= 1 and connection.told in {"", *_REPLACED} else _backoff_s(self._cuts)
        _log.info("slack: %s; trying again in %.1f s", self._reason, wait_s)
        await pause(stop, wait_s)

    async def _open(self, stop: asyncio.Event) -> ClientWebSocketResponse | None:
        """A new socket; None after a failure, which was waited out, or at the stop."""
        try:
            socket = await unless_stopped(stop, self._connect())
        except CALL_ERRORS as error:
            self._failures += 1
            wait_s, self._reason = explain(error, "SLACK_APP_TOKEN", self._failures)
            _log.warning("%s; trying again in %.0f s", self._reason, wait_s)
            await pause(stop, wait_s)
            return None
        self._failures = 0
        return socket

    async def _connect(self) -> ClientWebSocketResponse:
        session = self._client.session
        if not isinstance(session, ClientSession):
            raise TypeError("the client has no session")
        async with asyncio.timeout(_OPEN_S):
            answer = await self._client.apps_connections_open(app_token=self._app_token)
            return await session.ws_connect(
                str(answer["url"]), heartbeat=PING_S, timeout=ClientWSTimeout(ws_close=2.0), max_msg_size=2**24
            )


class _Connection:
    """One WebSocket, from its opening to its end.

    Attributes:
        leaving: set once it brings nothing more or soon will not: the next one may be opened.
        told: the reason Slack gave for sending it away; empty if it gave none.
    """

    def __init__(self, socket: ClientWebSocketResponse, take: Take, greeted: set[_Connection]) -> None:
        self._socket = socket
        self._take = take
        self._greeted = greeted
        self._room = asyncio.Semaphore(_MOST_IN_WORK)
        self._began = time.monotonic()
        self.leaving = asyncio.Event()
        self.told = ""

    @property
    def lived_s(self) -> float:
        """How long it has been open."""
        return time.monotonic() - self._began

    async def run(self, stop: asyncio.Event) -> None:
        """Read until it is closed by either side; then finish what is in work."""
        try:
            async with asyncio.TaskGroup() as work:
                closer = work.create_task(self._close_in_time(stop), name="slack - close a socket")
                await self._read(work, stop)
                self._leave()
                closer.cancel()
        finally:
            self._leave()
            await self._socket.close()

    def _leave(self) -> None:
        self._greeted.discard(self)
        self.leaving.set()

    async def _read(self, work: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        async for frame in self._socket:
            if frame.type is not WSMsgType.TEXT or stop.is_set():
                continue
            envelope = _envelope(frame.data)
            kind = envelope.get("type")
            if kind == "hello":
                self._greeted.add(self)
                _log.info("slack: connected")
            elif kind == "disconnect":
                self.told = str(envelope.get("reason", "disconnect"))
                self._leave()
            elif isinstance(envelope.get("envelope_id"), str):
                await self._room.acquire()
                work.create_task(self._handle(envelope), name="slack - one envelope")

    async def _handle(self, envelope: dict[str, object]) -> None:
        try:
            answer = await self._take(envelope.get("payload"))
            if answer.status != 200:
                return
            # A broken connection loses the acknowledgement: Slack brings the event again, the gate knows it.
            with suppress(ClientError, ConnectionError):
                await self._socket.send_json({"envelope_id": envelope["envelope_id"]})
        finally:
            self._room.release()

    async def _close_in_time(self, stop: asyncio.Event) -> None:
        stopped = asyncio.ensure_future(stop.wait())
        leaving = asyncio.ensure_future(self.leaving.wait())
        try:
            await asyncio.wait({stopped, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if self.told in _REPLACED:
                await pause(stop, _LINGER_S)
            self._leave()
            await self._finish()
            await self._socket.close()
        finally:
            stopped.cancel()
            leaving.cancel()

    async def _finish(self) -> None:
        """Wait until nothing is in work, not for ever."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_FINISH_S):
                for _ in range(_MOST_IN_WORK):
                    await self._room.acquire()


def _backoff_s(cuts: int) -> float:
    return float(min(0.5 * 2 ** min(cuts, 8), 30.0))


def _envelope(text: str) -> dict[str, object]:
    try:
        envelope = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return envelope if isinstance(envelope, dict) else {}

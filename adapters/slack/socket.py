"""Socket Mode: keeps one WebSocket to Slack open and hands on the envelopes that come.

The Web API client and Bolt are the libraries'; the connection loop is ours. The library's own opens the new socket
only after closing the old one, sends acknowledgements of the old over the new one, where Slack does not know them,
tries a used-up address for ever, and queues without bound. Here each connection acknowledges what it brought, a new
one is open before the old one goes, and reading stops while too many envelopes are in work.

That a socket is open does not say that it hears. It is replaced if Slack does not greet it, answers no ping of ours
for 20 s, or takes no frame for 5 s. One that brought no envelope for 4 minutes cannot be told from a deaf one, so it
is replaced as well; that costs a call and nobody waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import ClientError, ClientSession, ClientWebSocketResponse, ClientWSTimeout, WSMsgType
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.intake import explain
from bot.lenient_json import loads
from bot.ports import Meter, Reconnect
from bot.stopping import pause, unless_stopped

_FINISH_S = 3.0
"""At the end: how long envelopes in work may take; Slack has given up on them by then."""
_CLOSE_S = 3.0
"""A socket over which nothing goes takes no farewell either."""
_MOST_IN_WORK = 200
_CONNECTING = "connecting to Slack"
_LONG_LIVED_S = 10.0
"""A connection that lived this long was a good one: the next is tried at once."""
_OPEN_S = 15.0

_REPLACED = frozenset({"warning", "refresh_requested"})
"""Slack's regular reasons for asking us to connect anew."""
_ENDS = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR})
_LINGERING = frozenset({"asked", "quiet", "no_pong", "send_failed"})
"""Over such a connection something may still come while the next one is opened."""
_LEVELS: dict[Reconnect, int] = {
    "quiet": logging.DEBUG,
    "asked": logging.INFO,
    "closed": logging.INFO,
    "refused": logging.ERROR,
}
"""Of the log line about a connection that goes."""
_SENTENCES: dict[str, str] = {
    "closed": "Slack closed the socket without a word",
    "quiet": "nothing has come for long; connecting anew in case the socket is deaf",
    "no_hello": "Slack did not greet the socket",
    "no_pong": "Slack answers no ping: the socket is deaf",
    "send_failed": "nothing can be sent over the socket",
    "link_disabled": "Socket Mode is switched off for this app (link_disabled): switch it on in its settings",
    "too_many_websockets": "Slack takes no more sockets of this app (too_many_websockets): run at most ten gateways",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """After how many seconds a connection is given up.

    Attributes:
        ping: between our pings, as in Slack's Python SDK.
        pong: without an answer to any of them. The SDK gives up after four pings; Slack's servers have been seen to
            take longer than the 5 s that its SDK for Node waits (github.com/slackapi/bolt-js/issues/2496).
        hello: without Slack's greeting.
        quiet: without an envelope. Slack sends an unacknowledged event for the last time five minutes after the
            first, to any open connection: then a fresh one must be there.
        send: for one frame to leave.
        linger: for what may still come over one that is to go; Slack closes it itself about then.
    """

    ping: float = 5.0
    pong: float = 20.0
    hello: float = 10.0
    quiet: float = 240.0
    send: float = 5.0
    linger: float = 10.0


_REASON = re.compile("[a-z_]{1,40}")

Take = Callable[[object], Awaitable[BoltResponse]]

_log = logging.getLogger(__name__)


class SocketMode:
    """The loop that stays connected.

    Args:
        client: for apps.connections.open; its session carries the socket too.
        app_token: `xapp-…`.
        take: handles a payload; status 200 is acknowledged.
        meter: counts connections that were given up.
        patience: when they are.
    """

    def __init__(self, client: AsyncWebClient, *, app_token: str, take: Take, meter: Meter, patience: Patience) -> None:
        self._client = client
        self._app_token = app_token
        self._take = take
        self._meter = meter
        self._patience = patience
        self._failures = 0
        self._cuts = 0
        self._live: set[_Connection] = set()
        self._heard: float | None = None
        self._reason = _CONNECTING

    @property
    def reason(self) -> str | None:
        """Why nothing can come now; None while a connection has been greeted and is not known to be useless."""
        return None if any(connection.is_able for connection in self._live) else self._reason

    @property
    def silence(self) -> timedelta | None:
        """How long no frame at all has come, pongs included; None if none ever has."""
        heard = max((one.heard for one in self._live if one.heard is not None), default=self._heard)
        return None if heard is None else timedelta(seconds=time.monotonic() - heard)

    async def run(self, stop: asyncio.Event) -> None:
        """Stay connected until `stop`."""
        async with asyncio.TaskGroup() as tasks:
            while not stop.is_set():
                socket = await self._open(stop)
                if socket is None:
                    continue
                others = list(self._live)
                connection = _Connection(socket, self._take, self._patience)
                self._live.add(connection)
                tasks.create_task(self._keep(connection, stop), name="slack - one socket")
                await connection.settled.wait()
                if connection.greeted:
                    # Of a change that nobody noticed there is nothing to tell.
                    changed = any(other.is_able for other in others)
                    _log.log(logging.DEBUG if changed else logging.INFO, "slack: connected")
                    self._reason = _CONNECTING
                # Slack turns a new one away if it counts too many: those that are to be replaced must go first.
                if connection.greeted or connection.why == "refused":
                    for other in others:
                        other.retire()
                await connection.leaving.wait()
                await self._after(connection, stop)

    async def _keep(self, connection: _Connection, stop: asyncio.Event) -> None:
        try:
            await connection.run(stop)
        except Exception:  # noqa: BLE001 - it is logged
            # What nobody foresaw costs this connection; what it did not acknowledge, Slack brings over the next.
            _log.exception("slack: a socket broke down")
        finally:
            self._live.discard(connection)
            self._heard = connection.heard or self._heard

    async def _after(self, connection: _Connection, stop: asyncio.Event) -> None:
        """Say why the connection goes and decide how long to wait before the next one."""
        if stop.is_set():
            return
        self._meter.reconnected("slack", connection.why)
        is_good = connection.lived_s >= _LONG_LIVED_S or connection.why == "quiet"
        self._cuts = 0 if is_good else self._cuts + 1
        told = _SENTENCES.get(connection.told or connection.why, f"Slack closed the socket ({connection.told})")
        self._say(told, _LEVELS.get(connection.why, logging.WARNING))
        # The first time at once: a cut connection is no reason to be away.
        at_once = self._cuts <= 1 and connection.why not in {"refused", "no_hello"}
        await pause(timedelta(seconds=0.0 if at_once else _backoff_s(self._cuts)), stop)

    def _say(self, reason: str, level: int) -> None:
        """Log why nothing comes, once while it stays the same."""
        _log.log(level if reason != self._reason else logging.DEBUG, "slack: %s", reason)
        self._reason = reason

    async def _open(self, stop: asyncio.Event) -> ClientWebSocketResponse | None:
        """A new socket; None after a failure, which was waited out, or at the stop."""
        try:
            socket = await unless_stopped(self._connect(), stop)
        except Exception as error:  # noqa: BLE001 - whatever the answer is, we ask again
            self._failures += 1
            wait_s, reason = explain(error, "SLACK_APP_TOKEN", self._failures)
            self._meter.reconnected("slack", "refused" if isinstance(error, SlackApiError) else "unreachable")
            self._say(reason, logging.WARNING)
            await pause(timedelta(seconds=wait_s), stop)
            return None
        self._failures = 0
        return socket

    async def _connect(self) -> ClientWebSocketResponse:
        session = self._client.session
        if not isinstance(session, ClientSession):
            raise TypeError("the client has no session")
        async with asyncio.timeout(_OPEN_S):
            answer = await self._client.apps_connections_open(app_token=self._app_token)
            # Pings are ours: the library gives up after half an interval, and does not let us see the pongs.
            return await session.ws_connect(
                str(answer["url"]), autoping=False, timeout=ClientWSTimeout(ws_close=1.0), max_msg_size=2**24
            )


class _Connection:
    """One WebSocket, from its opening to its end.

    Attributes:
        settled: set once it is greeted or leaving.
        leaving: set once it brings nothing more or may not: the next one is opened.
        greeted: Slack has said hello.
        why: the reason for leaving.
        told: the reason Slack gave for sending it away; empty if it gave none.
        heard: when the last frame of any kind came, in seconds of the monotonic clock.
    """

    def __init__(self, socket: ClientWebSocketResponse, take: Take, patience: Patience) -> None:
        self._socket = socket
        self._take = take
        self._patience = patience
        self._room = asyncio.Semaphore(_MOST_IN_WORK)
        self._in_work: set[asyncio.Task[None]] = set()
        self._going = asyncio.Event()
        self._began = self._ponged = self._brought = time.monotonic()
        self._over = False
        self.settled = asyncio.Event()
        self.leaving = asyncio.Event()
        self.greeted = False
        self.why: Reconnect = "closed"
        self.told = ""
        self.heard: float | None = None

    @property
    def lived_s(self) -> float:
        """How long it has been open."""
        return time.monotonic() - self._began

    @property
    def is_able(self) -> bool:
        """Whether messages can come over it, as far as can be known."""
        return self.greeted and not self._going.is_set() and not self._over

    def retire(self) -> None:
        """Another one has taken its place: take what still comes, then close."""
        self._going.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Read until it is closed by either side; then finish what is in work."""
        try:
            async with asyncio.TaskGroup() as work:
                helpers = [
                    work.create_task(self._watch(), name="slack - watch a socket"),
                    work.create_task(self._close_in_time(stop), name="slack - close a socket"),
                ]
                await self._read(work, stop)
                self._leave("closed")
                for helper in helpers:
                    helper.cancel()
        finally:
            self._over = True
            self._leave("closed")
            await self._close()

    def _leave(self, why: Reconnect) -> None:
        """Let another one be opened; the first reason counts, but for `quiet`, which is none against this one."""
        if not self.leaving.is_set() or self.why == "quiet":
            self.why = why
        if why != "quiet":
            self._going.set()
        self.leaving.set()
        self.settled.set()

    # --- what comes -------------------------------------------------------------------------------------------------

    async def _read(self, work: asyncio.TaskGroup, stop: asyncio.Event) -> None:
        while (frame := await self._socket.receive()).type not in _ENDS:
            self.heard = time.monotonic()
            if frame.type is WSMsgType.PING:
                await self._send(self._socket.pong(frame.data))
            elif frame.type is WSMsgType.PONG:
                self._ponged = self.heard
            elif not stop.is_set():
                await self._take_in(_envelope(frame.data) if frame.type is WSMsgType.TEXT else {}, work)

    async def _take_in(self, envelope: dict[str, object], work: asyncio.TaskGroup) -> None:
        kind = envelope.get("type")
        if kind == "hello":
            self.greeted = True
            self.settled.set()
        elif kind == "disconnect":
            reason = envelope.get("reason")
            # It goes into the log.
            self.told = reason if isinstance(reason, str) and _REASON.fullmatch(reason) else "disconnect"
            self._leave("asked" if self.told in _REPLACED else "refused")
        elif isinstance(envelope.get("envelope_id"), str):
            self._brought = time.monotonic()
            await self._room.acquire()
            task = work.create_task(self._handle(envelope), name="slack - one envelope")
            self._in_work.add(task)
            task.add_done_callback(self._in_work.discard)
        else:
            await self._take(None)  # nothing that could be acknowledged

    async def _handle(self, envelope: dict[str, object]) -> None:
        try:
            answer = await self._take(envelope.get("payload"))
            # What a broken connection does not acknowledge, Slack brings again; the gate knows it.
            if answer.status == 200:
                await self._send(self._socket.send_json({"envelope_id": envelope["envelope_id"]}))
        finally:
            self._room.release()

    # --- watching and closing ---------------------------------------------------------------------------------------

    async def _watch(self) -> None:
        """Ping, and judge by what has come since."""
        patience = self._patience
        while True:
            await asyncio.sleep(patience.ping)
            await self._send(self._socket.ping())
            now = time.monotonic()
            if self._room.locked():
                # We do not read now: that is no silence of Slack's.
                self._ponged = now
            if not self.greeted and now - self._began > patience.hello:
                self._leave("no_hello")
            elif now - self._ponged > patience.pong:
                self._leave("no_pong")
            elif now - self._brought > patience.quiet:
                self._leave("quiet")

    async def _send(self, sending: Awaitable[None]) -> None:
        try:
            async with asyncio.timeout(self._patience.send):
                await sending
        except (TimeoutError, ClientError, ConnectionError):
            self._leave("send_failed")

    async def _close_in_time(self, stop: asyncio.Event) -> None:
        await unless_stopped(self._going.wait(), stop)
        if not self.leaving.is_set():
            self._leave("closed")
        if self.why in _LINGERING:
            await pause(timedelta(seconds=self._patience.linger), stop)
        if self._in_work:
            await asyncio.wait(self._in_work, timeout=_FINISH_S)
        await self._close()

    async def _close(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_S):
                await self._socket.close()


def _backoff_s(cuts: int) -> float:
    return float(min(0.5 * 2 ** min(cuts, 8), 30.0))


def _envelope(text: str) -> dict[str, object]:
    try:
        envelope = loads(text)
    except ValueError:
        return {}
    return envelope if isinstance(envelope, dict) else {}

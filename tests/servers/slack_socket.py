"""Slack's Socket Mode of the test server: real WebSockets, single-use tickets, acks, redelivery, disconnects.

Each envelope goes to any one of the open sockets, of which an app may have ten. An event that is not acknowledged in
time, or whose socket breaks, is sent again over any of them, with `retry_attempt` and `retry_reason`; slash commands
and interactions are sent once, as Slack does. What waits for a socket goes in the order in which it came about.
"""

from __future__ import annotations

import asyncio
import json
import random
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from aiohttp import ClientConnectionError, WSMsgType, web

from tests.servers.slack_workspace import Json


@dataclass(frozen=True, kw_only=True)
class Ack:
    """An acknowledgement as it came; `payload` is what a slash command was answered with."""

    envelope_id: str
    payload: Json | None


@dataclass(kw_only=True)
class Sockets:
    """All sockets of the app.

    Attributes:
        ack_timeout_s: how long Slack waits for an ack.
        retry_delays_s: pauses before each redelivery; after the last one an event is given up.
        max_sockets: a further socket is turned away.
        greet: say hello to a new socket.
        answer_pings: as every WebSocket server does.
        choose: the socket that an envelope goes to, of those that are open, oldest first; any, like Slack.
    """

    app_id: str
    ack_timeout_s: float = 3.0
    retry_delays_s: Sequence[float] = (0.0, 0.5, 2.0)
    max_sockets: int = 10
    acks: list[Ack] = field(default_factory=list)
    sent: list[Json] = field(default_factory=list)
    given_up: list[Json] = field(default_factory=list)
    open: list[web.WebSocketResponse] = field(default_factory=list)
    opened: int = 0
    greet: bool = True
    answer_pings: bool = True
    _transports: dict[int, asyncio.Transport] = field(default_factory=dict)
    _tickets: set[str] = field(default_factory=set)
    _waiting: dict[str, tuple[web.WebSocketResponse, asyncio.Future[Ack | None]]] = field(default_factory=dict)
    choose: Callable[[list[web.WebSocketResponse]], web.WebSocketResponse] = random.choice
    _numbers: Iterator[int] = field(default_factory=count)
    _held: dict[int, asyncio.Future[None]] = field(default_factory=dict)

    def ticket(self) -> str:
        """A new ticket; it opens one socket."""
        ticket = uuid.uuid4().hex
        self._tickets.add(ticket)
        return ticket

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """One socket, from its opening to its end."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets:
            return web.Response(status=403)
        self._tickets.remove(ticket)
        socket = web.WebSocketResponse(heartbeat=30, autoping=False)
        await socket.prepare(request)
        if len(self.open) >= self.max_sockets:
            await socket.send_json({"type": "disconnect", "reason": "too_many_websockets"})
            await socket.close()
            return socket
        if self.greet:
            await socket.send_json(self._hello())
        self.open.append(socket)
        if request.transport is not None:
            self._transports[id(socket)] = request.transport
        self.opened += 1
        for number in sorted(self._held):
            held = self._held.pop(number)
            if not held.done():
                held.set_result(None)
        try:
            async for message in socket:
                if message.type == WSMsgType.TEXT:
                    self._acknowledge(json.loads(message.data))
                elif message.type == WSMsgType.PING and self.answer_pings:
                    await socket.pong(message.data)
        finally:
            self.open.remove(socket)
            self._transports.pop(id(socket), None)
            self._break(socket)
        return socket

    def _hello(self) -> Json:
        return {
            "type": "hello",
            "num_connections": len(self.open) + 1,
            "debug_info": {"host": "applink-1", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self.app_id},
        }

    def _acknowledge(self, answer: Json) -> None:
        ack = Ack(envelope_id=answer["envelope_id"], payload=answer.get("payload"))
        self.acks.append(ack)
        if ack.envelope_id in self._waiting:
            _, future = self._waiting[ack.envelope_id]
            if not future.done():
                future.set_result(ack)

    def _break(self, broken: web.WebSocketResponse) -> None:
        """What went over a socket that is gone will not be acknowledged: it is sent again over another one."""
        for socket, future in self._waiting.values():
            if socket is broken and not future.done():
                future.set_result(None)

    # --- delivering ---------------------------------------------------------------------------------------------------

    async def deliver_event(self, payload: Json) -> Ack | None:
        """Send an event until it is acknowledged; None if it was given up."""
        reason, number = "", next(self._numbers)
        for attempt, delay_s in enumerate((0.0, *self.retry_delays_s)):
            await asyncio.sleep(delay_s)
            retry = {"retry_attempt": attempt, "retry_reason": reason}
            ack = await self._send(number, "events_api", payload, retry)
            if ack is not None:
                return ack
            reason = "timeout"
        self.given_up.append(payload)
        return None

    async def deliver_once(self, kind: str, payload: Json) -> Ack | None:
        """Send a slash command or an interaction; None if it was not acknowledged in time."""
        return await self._send(next(self._numbers), kind, payload, {})

    async def _send(self, number: int, kind: str, payload: Json, extra: Json) -> Ack | None:
        socket = await self._socket_for(number)
        envelope_id = str(uuid.uuid4())
        envelope: Json = {"type": kind, "envelope_id": envelope_id, "payload": payload}
        envelope |= {"accepts_response_payload": kind != "events_api"} | extra
        future: asyncio.Future[Ack | None] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = (socket, future)
        self.sent.append(envelope)
        try:
            await socket.send_json(envelope)
            return await asyncio.wait_for(future, self.ack_timeout_s)
        except (TimeoutError, ClientConnectionError, ConnectionError):
            return None
        finally:
            self._waiting.pop(envelope_id, None)

    async def _socket_for(self, number: int) -> web.WebSocketResponse:
        while not (usable := [socket for socket in self.open if not socket.closed]):
            self._held[number] = asyncio.get_running_loop().create_future()
            await self._held[number]
        return self.choose(usable)

    # --- ending -------------------------------------------------------------------------------------------------------

    async def disconnect(self, reason: str, *, close: bool) -> None:
        """Ask every socket to go (`refresh_requested`, `warning`, `link_disabled`); `close` ends it from here too."""
        for socket in list(self.open):
            await socket.send_json({"type": "disconnect", "reason": reason, "debug_info": {"host": "applink-1"}})
            if close:
                await socket.close()

    def cut(self) -> None:
        """Break every socket without a word."""
        for transport in self._transports.values():
            transport.abort()

    async def close(self) -> None:
        """End all."""
        for socket in list(self.open):
            await socket.close()

"""A socket that is open and does not hear is noticed and replaced; one that is replaced leaves no gap and no ghost."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace

import pytest
from aiohttp import ClientConnectionResetError, ClientWebSocketResponse
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.receive import SlackSocketReceiver
from adapters.slack.socket import Patience
from tests.adapters.slack.conftest import CountingMeter, MemoryGate, running
from tests.servers.proxy import Proxy
from tests.servers.slack import SlackServer

SHORT = Patience(ping=0.05, pong=0.4, hello=0.4, quiet=60, send=0.3, linger=0.2)

Connected = AbstractAsyncContextManager[SlackSocketReceiver]


class Deaf:
    """A Slack, and a receiver on it of any patience."""

    def __init__(self, server: SlackServer, client: AsyncWebClient, gate: MemoryGate, meter: CountingMeter) -> None:
        self.server, self.client, self.gate, self.meter = server, client, gate, meter

    @asynccontextmanager
    async def connected(self, patience: Patience = SHORT) -> AsyncIterator[SlackSocketReceiver]:
        """A receiver, once it is connected."""
        receiver = SlackSocketReceiver(
            self.client, app_token=self.server.app_token, gate=self.gate, meter=self.meter, patience=patience
        )
        assert receiver.silence() is None
        async with running(receiver):
            await self.ready(receiver)
            yield receiver

    async def ready(self, receiver: SlackSocketReceiver) -> None:
        """Once messages can come."""
        await self.server.wait_until(lambda: receiver.not_ready() is None, "a connected receiver")

    async def gives_up(self, reason: str) -> None:
        """Once a connection was given up for this."""
        await self.server.wait_until(lambda: reason in self.meter.reconnects, reason)

    async def hears(self, text: str) -> None:
        """A message comes through."""
        self.server.say("D1", "U1", text)
        await self.server.wait_until(lambda: text in self.gate.texts, text)

    async def has_one_socket(self) -> None:
        """Once no ghost is left."""
        await self.server.wait_until(lambda: len(self.server.sockets.open) == 1, "a single socket")


@pytest.fixture
def slack(server: SlackServer, client: AsyncWebClient, gate: MemoryGate, meter: CountingMeter) -> Deaf:
    """What each test here needs."""
    return Deaf(server, client, gate, meter)


async def test_one_that_answers_no_ping_is_replaced(slack: Deaf, caplog: pytest.LogCaptureFixture) -> None:
    """Although it is open and greeted; the operator reads it once, and the old one does not stay."""
    caplog.set_level(logging.INFO)
    async with slack.connected() as receiver:
        slack.server.sockets.answer_pings = False
        await slack.gives_up("no_pong")
        slack.server.sockets.answer_pings = True
        await slack.ready(receiver)
        await slack.hears("after")
        await slack.has_one_socket()
        assert receiver.silence() is not None

    assert "the socket is deaf" in caplog.text


@pytest.mark.parametrize("direction", ["both", "up"])
async def test_a_black_hole_is_replaced(slack: Deaf, direction: str) -> None:
    """The network swallows, all, or only what we send: no end, no error."""
    async with Proxy("127.0.0.1", slack.server.port) as proxy:
        slack.server.link_port = proxy.port
        async with slack.connected() as receiver:
            slack.server.link_port = None
            proxy.swallow(direction)  # type: ignore[arg-type]
            # The server hears nothing of the end of the first one.
            slack.server.sockets.choose = lambda usable: usable[-1]
            slack.server.say("D1", "U1", "said into the hole")
            await slack.gives_up("no_pong")
            await slack.ready(receiver)
            await slack.server.wait_until(lambda: slack.server.sockets.acks, "the redelivery acknowledged")
            await slack.hears("after")

    assert slack.gate.texts == ["said into the hole", "after"]
    assert slack.server.sockets.given_up == []


async def test_one_that_is_not_greeted_is_replaced(slack: Deaf) -> None:
    """Pongs come, but Slack never said hello: no event will come either."""
    async with slack.connected() as receiver:
        slack.server.sockets.greet = False
        slack.server.sockets.cut()
        await slack.gives_up("no_hello")
        assert receiver.not_ready() == "Slack did not greet the socket"
        slack.server.sockets.greet = True
        await slack.ready(receiver)
        await slack.hears("after")
        await slack.has_one_socket()


async def test_one_that_takes_nothing_is_replaced(slack: Deaf, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it brought is stored; Slack, which hears no acknowledgement, brings it again over the next one."""
    sockets: list[ClientWebSocketResponse] = []
    send = ClientWebSocketResponse.send_json

    async def broken_at_first(socket: ClientWebSocketResponse, data: object) -> None:
        sockets.append(socket)
        if socket is sockets[0]:
            raise ClientConnectionResetError("Cannot write to closing transport")
        await send(socket, data)

    monkeypatch.setattr(ClientWebSocketResponse, "send_json", broken_at_first)
    async with slack.connected():
        slack.server.say("D1", "U1", "once")
        await slack.gives_up("send_failed")
        await slack.server.wait_until(lambda: slack.server.sockets.acks, "the redelivery acknowledged")

    assert slack.gate.texts == ["once"]


async def test_a_quiet_one_is_renewed_and_nobody_notices(slack: Deaf) -> None:
    """Quiet cannot be told from deaf. The new one is there before the old one goes; nothing needs to come twice."""
    seen_open: set[int] = set()
    slack.server.sockets.ack_timeout_s = 30  # a busy machine is no reason to bring it again
    async with slack.connected(replace(SHORT, quiet=0.3)) as receiver:

        def renewed() -> bool:
            assert receiver.not_ready() is None
            seen_open.add(len(slack.server.sockets.open))
            return slack.server.sockets.opened >= 4

        await slack.server.wait_until(renewed, "three renewals")
        for number in range(10):
            await slack.hears(f"message {number}")

    assert set(slack.meter.reconnects) == {"quiet"}
    assert seen_open <= {1, 2}
    assert {envelope["retry_attempt"] for envelope in slack.server.sockets.sent} == {0}


async def test_events_over_an_old_one_are_stored_and_acknowledged(slack: Deaf) -> None:
    """Slack may still send over a socket that is being replaced: all over the oldest, here."""
    slack.server.sockets.choose = lambda usable: usable[0]
    async with slack.connected(replace(SHORT, linger=5)):
        await slack.server.sockets.disconnect("refresh_requested", close=False)
        await slack.server.wait_until(lambda: len(slack.server.sockets.open) == 2, "both")
        slack.server.say("D1", "U1", "over the old one")
        await slack.server.wait_until(lambda: slack.server.sockets.acks, "an ack")

    assert slack.gate.texts == ["over the old one"]
    assert slack.meter.reconnects == ["asked"]
    assert len(slack.server.sockets.sent) == 1


async def test_where_slack_takes_no_more_sockets_the_old_one_makes_room(slack: Deaf) -> None:
    """Ten gateways have all there are: then there is a short gap, in which the other nine hear."""
    slack.server.sockets.max_sockets = 1
    async with slack.connected(replace(SHORT, quiet=0.3)):
        await slack.gives_up("refused")
        await slack.server.wait_until(lambda: slack.server.sockets.opened >= 2, "a socket of its own again")
        await slack.hears("after")


async def test_socket_mode_switched_off_is_one_clear_line(slack: Deaf, caplog: pytest.LogCaptureFixture) -> None:
    """The operator reads what to do, once, however often we try."""
    async with slack.connected() as receiver:
        for opened in (1, 2):
            await slack.server.wait_until(lambda n=opened: slack.server.sockets.opened == n, "another try")  # type: ignore[misc]
            slack.server.sockets.greet = False
            await slack.server.sockets.disconnect("link_disabled", close=True)
        await slack.server.wait_until(lambda: len(slack.meter.reconnects) == 2, "twice")
        assert "switch it on" in str(receiver.not_ready())

    assert slack.meter.reconnects == ["refused"] * 2
    assert [record.levelname for record in caplog.records if "switch it on" in record.getMessage()] == ["ERROR"]


async def test_one_that_we_do_not_read_is_not_deaf(slack: Deaf) -> None:
    """With too much in work nothing is read, the pongs neither: that is our silence, not Slack's."""
    slack.server.sockets.ack_timeout_s = 10
    slack.gate.slow = asyncio.Event()
    patience = replace(SHORT, pong=1.5)  # longer than a busy machine lets us stand still
    async with slack.connected(patience):
        for number in range(250):
            slack.server.say(f"D{number}", "U1", "hello")
        await slack.server.wait_until(lambda: len(slack.server.sockets.sent) == 250, "all sent")
        await asyncio.sleep(1.5 * patience.pong)
        assert slack.gate.stored == []
        slack.gate.slow.set()
        await slack.server.wait_until(lambda: len(slack.server.sockets.acks) == 250, "all acknowledged")

    assert slack.meter.reconnects == []

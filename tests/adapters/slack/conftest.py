"""A Slack server, a client on it, and the fakes of the two ports that a receiver needs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.client import slack_client
from adapters.slack.receive import SlackSocketReceiver
from bot.errors import StoreUnavailable
from bot.message import Incoming
from bot.ports import Accepted, Receiver
from tests.servers.slack import SlackServer


class MemoryGate:
    """A gate that keeps messages in memory, once each; it can be away, or slow."""

    def __init__(self) -> None:
        self.stored: list[Incoming] = []
        self.away = False
        self.refusals = 0
        self.broken: Exception | None = None
        self.slow: asyncio.Event | None = None
        self.disk: asyncio.Event | None = None

    async def put(self, incoming: Incoming, *, placed: Callable[[], None] | None = None) -> Accepted:
        """Store, or raise."""
        if self.slow is not None:
            await self.slow.wait()
        if self.away:
            self.refusals += 1
            raise StoreUnavailable("no connection")
        if self.broken is not None:
            raise self.broken
        if any(known.id == incoming.id for known in self.stored):
            return "duplicate"
        self.stored.append(incoming)
        if placed is not None:
            placed()
        if self.disk is not None:
            await self.disk.wait()
        return "stored"

    @property
    def texts(self) -> list[str]:
        """What was stored, in order."""
        return [incoming.text for incoming in self.stored]


class CountingMeter:
    """A meter that remembers what was received, and why connections were given up."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.reconnects: list[str] = []

    def received(self, platform: str, accepted: str) -> None:
        """Count."""
        assert platform == "slack"
        self.seen.append(accepted)

    def reconnected(self, platform: str, reason: str) -> None:
        """Remember why."""
        assert platform == "slack"
        self.reconnects.append(reason)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_: None


@pytest.fixture
async def server() -> AsyncIterator[SlackServer]:
    """A Slack that repeats quickly what is not acknowledged."""
    async with SlackServer(ack_timeout_s=1.0, retry_delays_s=(0.0, 0.05, 0.1, 0.2, 0.4, 0.8)) as server:
        yield server


@pytest.fixture
async def client(server: SlackServer) -> AsyncIterator[AsyncWebClient]:
    """Our Web API client, on that Slack."""
    async with slack_client(bot_token=server.bot_token, api_url=server.api_url) as client:
        yield client


@pytest.fixture
def gate() -> MemoryGate:
    """Where messages are stored."""
    return MemoryGate()


@pytest.fixture
def meter() -> CountingMeter:
    """What was counted."""
    return CountingMeter()


@asynccontextmanager
async def running(receiver: Receiver) -> AsyncIterator[asyncio.Event]:
    """Run a receiver; stopped at the end, promptly."""
    stop = asyncio.Event()
    task = asyncio.create_task(receiver.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, 6)


@asynccontextmanager
async def _connected(
    server: SlackServer, client: AsyncWebClient, gate: MemoryGate, meter: CountingMeter
) -> AsyncIterator[SlackSocketReceiver]:
    receiver = SlackSocketReceiver(client, app_token=server.app_token, gate=gate, meter=meter)
    async with running(receiver):
        await server.wait_until(lambda: receiver.not_ready() is None, "a connected receiver")
        yield receiver


@pytest.fixture
def connected(
    server: SlackServer, client: AsyncWebClient, gate: MemoryGate, meter: CountingMeter
) -> AbstractAsyncContextManager[SlackSocketReceiver]:
    """A Socket Mode receiver, entered once it is connected."""
    return _connected(server, client, gate, meter)

"""Small stand-ins for the ports that the Telegram adapter uses, and people to write with."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Literal

from adapters.telegram.connect import telegram_bot
from adapters.telegram.parse import Me
from adapters.telegram.receive import TelegramReceiver
from bot.errors import StoreUnavailable
from bot.message import Incoming, Platform
from bot.ports import Accepted, Reconnect, ReuseResult
from tests.servers.telegram import BOT_ID, USERNAME, TelegramServer
from tests.servers.telegram_chat import Chat, User

ME = Me(id=BOT_ID, username=USERNAME)
ANN = User(id=1001, first_name="Ann", username="ann_example")
LI = User(id=1002, first_name="李", language_code="zh-hans")
GROUP = Chat(id=-5005, type="group", title="Team")
SUPERGROUP = Chat(id=-1005005, type="supergroup", title="Everybody")
FORUM = Chat(id=-1006006, type="supergroup", title="Topics", is_forum=True)


class FakeGate:
    """A gate that keeps messages in a list and can be closed."""

    def __init__(self) -> None:
        self.stored: list[Incoming] = []
        self.refused_ids: set[str] = set()
        self.closed = False
        self.attempts = 0
        self.before_put: Callable[[Incoming], Awaitable[None]] | None = None
        self.until_it_lasts: Callable[[Incoming], Awaitable[None]] | None = None

    async def put(self, incoming: Incoming, *, placed: Callable[[], None] | None = None) -> Accepted:
        """Store once."""
        self.attempts += 1
        if self.before_put is not None:
            await self.before_put(incoming)
        if self.closed or incoming.id in self.refused_ids:
            raise StoreUnavailable("closed")
        known = any(stored.id == incoming.id for stored in self.stored)
        if not known:
            self.stored.append(incoming)
        if placed is not None:
            placed()
        if self.until_it_lasts is not None:
            await self.until_it_lasts(incoming)
        return "duplicate" if known else "stored"

    @property
    def texts(self) -> list[str]:
        """What was stored, in order."""
        return [incoming.text for incoming in self.stored]


class FakeMeter:
    """Counts what was received."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def received(self, platform: Platform, accepted: str) -> None:
        """Count one event."""
        self.counts[f"{platform} {accepted}"] += 1

    def settled(self, platform: Platform, outcome: str, seconds: float) -> None:
        """Not used here."""

    def step(self, name: str, seconds: float) -> None:
        """Not used here."""

    def model(self, result: Literal["ok", "truncated", "failed"], seconds: float, prompt: int, completion: int) -> None:
        """Not used here."""

    def reuse(self, result: ReuseResult) -> None:
        """Not used here."""

    def refused(self, rule: str) -> None:
        """Not used here."""

    def sent(self, platform: Platform, result: Literal["ok", "limited", "refused", "failed", "unknown"]) -> None:
        """Not used here."""

    def reconnected(self, platform: Platform, reason: Reconnect) -> None:
        """Count one."""
        self.counts[f"{platform} {reason}"] += 1


class Running:
    """A receiver at work, with its gate and meter."""

    def __init__(self, receiver: TelegramReceiver, gate: FakeGate, meter: FakeMeter, stop: asyncio.Event) -> None:
        self.receiver = receiver
        self.gate = gate
        self.meter = meter
        self.stop = stop


@asynccontextmanager
async def receiving(
    server: TelegramServer,
    gate: FakeGate | None = None,
    *,
    token: str | None = None,
    api_url: str | None = None,
    **options: object,
) -> AsyncIterator[Running]:
    """Run a receiver against the server until the block ends; it must then stop by itself."""
    gate, meter, stop = gate or FakeGate(), FakeMeter(), asyncio.Event()
    waits = {"first_backoff": timedelta(milliseconds=5), "max_backoff": timedelta(milliseconds=40)}
    async with telegram_bot(token=token or server.token, api_url=api_url or server.api_url) as bot:
        receiver = TelegramReceiver(bot, gate, meter, **{**waits, **options})  # type: ignore[arg-type]
        task = asyncio.create_task(receiver.run(stop))
        try:
            yield Running(receiver, gate, meter, stop)
        finally:
            stop.set()
            async with asyncio.timeout(5):
                await task

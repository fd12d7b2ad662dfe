"""Small stand-ins for what the page and the terminal are built on, and a real server around the page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

from httpx2 import AsyncClient
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from starlette.routing import BaseRoute

from adapters.web.routes import routes
from bot.errors import StoreUnavailable
from bot.http.app import build
from bot.http.metrics import PrometheusMeter
from bot.http.server import serve
from bot.message import Incoming, SentId
from bot.ports import Accepted


class FakeBox:
    """A `bot.ports.PageBox` in memory."""

    def __init__(self) -> None:
        self.messages: dict[str, list[tuple[SentId, str]]] = {}
        self.broken = False
        self._ids: dict[tuple[str, str], SentId] = {}
        self._changed = asyncio.Condition()

    async def append(self, channel: str, key: str, text: str) -> SentId:
        """As the port says."""
        if self.broken:
            raise StoreUnavailable("broken")
        async with self._changed:
            if (channel, key) not in self._ids:
                self._ids[channel, key] = SentId(f"{len(self._ids) + 1}-0")
                self.messages.setdefault(channel, []).append((self._ids[channel, key], text))
                self._changed.notify_all()
            return self._ids[channel, key]

    async def read(self, channel: str, after: str, wait: timedelta) -> list[tuple[SentId, str]]:
        """As the port says."""
        if self.broken:
            raise StoreUnavailable("broken")
        seen = int(after.partition("-")[0])

        def found() -> list[tuple[SentId, str]]:
            waiting = self.messages.get(channel, [])
            return [(sent_id, text) for sent_id, text in waiting if int(sent_id.partition("-")[0]) > seen]

        async with self._changed:
            try:
                async with asyncio.timeout(wait.total_seconds() or None):
                    return await self._changed.wait_for(found) if wait else found()
            except TimeoutError:
                return []


class FakeGate:
    """A `bot.ports.Gate` that keeps what is put, and echoes it into a box if it is given one."""

    def __init__(self, box: FakeBox | None = None) -> None:
        self.incoming: list[Incoming] = []
        self.failures = 0
        self.arrived = asyncio.Event()
        self._box = box

    async def put(self, incoming: Incoming, *, placed: Callable[[], None] | None = None) -> Accepted:
        """As the port says; raises while `failures` lasts."""
        if self.failures:
            self.failures -= 1
            raise StoreUnavailable("away")
        if any(incoming.id == other.id for other in self.incoming):
            return "duplicate"
        self.incoming.append(incoming)
        self.arrived.set()
        if self._box is not None:
            await self._box.append(incoming.reply_to.channel, incoming.id, f"echo: {incoming.text}")
        return "stored"


async def always_ready() -> list[str]:
    """No reason against it."""
    return []


@asynccontextmanager
async def running(
    routes: Sequence[BaseRoute], stop: asyncio.Event, meter: PrometheusMeter | None = None
) -> AsyncIterator[str]:
    """A real server on a free port of 127.0.0.1; yields its address."""
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = build(ready=always_ready, takes=always_ready, metrics=meter or PrometheusMeter(), routes=routes)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(app, "127.0.0.1", 0, stop, started.set_result), name="test - serve")
        try:
            yield f"http://127.0.0.1:{await started}"
        finally:
            stop.set()


class Desk:
    """The page on a running server, with what stands behind it.

    Args:
        client: talks to it as a browser's fetch would, with a cookie jar.
        gate: what was posted.
        box: what can be fetched.
        registry: what was counted.
        stop: ends the server.
    """

    def __init__(
        self, client: AsyncClient, gate: FakeGate, box: FakeBox, registry: CollectorRegistry, stop: asyncio.Event
    ) -> None:
        self.client = client
        self.gate = gate
        self.box = box
        self.registry = registry
        self.stop = stop

    @property
    def origin(self) -> str:
        """Scheme, host and port of the server."""
        return str(self.client.base_url).rstrip("/")

    def stranger(self) -> AsyncClient:
        """Another browser, without cookies."""
        return AsyncClient(base_url=self.origin, timeout=10)


@asynccontextmanager
async def desk(
    *,
    token: SecretStr | None = None,
    host: str = "127.0.0.1",
    name: str = "Front Desk",
    waiting_words: frozenset[str] = frozenset(),
    ping: timedelta = timedelta(seconds=15),
) -> AsyncIterator[Desk]:
    """The chat page, served for real; what is posted is echoed."""
    stop, box, meter = asyncio.Event(), FakeBox(), PrometheusMeter()
    gate = FakeGate(box)
    page = routes(
        gate, box, meter, stop=stop, host=host, token=token, name=name, waiting_words=waiting_words, ping=ping
    )
    async with running(page, stop, meter) as origin, AsyncClient(base_url=origin, timeout=10) as client:
        yield Desk(client, gate, box, meter.registry, stop)

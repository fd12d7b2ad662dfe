"""What can be wrong with Redis, and how a bot bears it: faults to enter and leave, and what is read off a process.

The bot reaches its Redis through a proxy, so that the network can fail too; the tests look past it.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from inspect import isawaitable
from pathlib import Path
from typing import Self

import aiohttp

from tests.process.conftest import World
from tests.process.running import Bot
from tests.servers.proxy import Proxy
from tests.servers.redis_node import Node, free_ports, until

TICKS = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
SLOW_S = 5.0
KEPT = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")


@dataclass
class Place:
    """One Redis and the way to it.

    Attributes:
        plain: the server.
        slow: the same server, which takes long to load its data.
        proxy: between the bot and the server.
        node: which of the two runs.
    """

    plain: Node
    slow: Node
    proxy: Proxy
    node: Node

    @property
    def url(self) -> str:
        """What the bot is given."""
        return f"redis://127.0.0.1:{self.proxy.port}"

    async def starts(self) -> None:
        """Start the server; returns once it answers."""
        self.node = self.plain
        self.node.start()
        await comes_true(lambda: bool(self.node.ask("PING")), "Redis answers")


@asynccontextmanager
async def place(folder: Path, *, key_load_ms: int) -> AsyncIterator[Place]:
    """A Redis of its own, with its data on disk, behind a proxy; when it loads slowly, so long for each key."""
    with free_ports(1) as (port,):
        pass
    node = Node(folder, port, *KEPT)
    # It sleeps before each key, and hears us in between.
    delayed = ("--key-load-delay", str(key_load_ms * 1000), "--loading-process-events-interval-bytes", "1024")
    slow = Node(folder, port, *KEPT, *delayed)
    async with Proxy("127.0.0.1", port) as proxy:
        here = Place(node, slow, proxy, node)
        await here.starts()
        try:
            yield here
        finally:
            node.kill()
            slow.kill()


async def comes_true(done: Callable[[], bool], what: str) -> None:
    """`until`, while the servers of the test go on."""
    await asyncio.to_thread(until, done, what)


# --- faults -----------------------------------------------------------------------------------------------------------

Fault = Callable[[Place], AbstractAsyncContextManager[None]]


@asynccontextmanager
async def restarted(here: Place) -> AsyncIterator[None]:
    """Killed, and started again on its append-only file."""
    here.node.kill()
    yield
    await here.starts()


@asynccontextmanager
async def unreachable(here: Place) -> AsyncIterator[None]:
    """Every connection breaks, and new ones are refused."""
    here.proxy.refuse()
    here.proxy.cut()
    yield
    here.proxy.heal()


@asynccontextmanager
async def swallowed(here: Place) -> AsyncIterator[None]:
    """Connections stay up and are made, and nothing is ever answered: a black hole."""
    here.proxy.swallow()
    yield
    here.proxy.heal()


@asynccontextmanager
async def slow(here: Place) -> AsyncIterator[None]:
    """Every command is carried out, and its reply takes 5 s."""
    here.proxy.delay_s = SLOW_S / 2
    yield
    here.proxy.heal()


@asynccontextmanager
async def hung(here: Place) -> AsyncIterator[None]:
    """The process is halted (SIGSTOP)."""
    here.node.halt()
    yield
    here.node.go_on()


@asynccontextmanager
async def readonly(here: Place) -> AsyncIterator[None]:
    """It is made a replica of a server that nobody can reach: it reads and refuses to write."""
    with free_ports(1) as (nobody,):
        pass
    here.node.ask("REPLICAOF", "127.0.0.1", nobody)
    yield
    here.node.ask("REPLICAOF", "NO", "ONE")


@asynccontextmanager
async def full(here: Place) -> AsyncIterator[None]:
    """It is over its `maxmemory`, and evicts nothing."""
    here.node.ask("CONFIG", "SET", "maxmemory", 1)
    yield
    here.node.ask("CONFIG", "SET", "maxmemory", 0)


@asynccontextmanager
async def loading(here: Place) -> AsyncIterator[None]:
    """Killed and started again, and it loads its data as long as the fault lasts."""
    here.node.ask("BGREWRITEAOF")
    # What is rewritten is loaded key by key; commands after it would be run at once.
    await comes_true(lambda: "aof_rewrite_in_progress:0" in persistence(here.node), "the file is rewritten")
    here.node.kill()
    here.node = here.slow
    here.node.start()
    await comes_true(lambda: "loading:1" in persistence(here.node), "Redis loads")
    yield
    # It hears us between two keys only, so these may take more than one try.
    await comes_true(lambda: "loading:1" in persistence(here.node), "Redis loads to the end")
    await comes_true(lambda: bool(here.node.ask("CONFIG", "SET", "key-load-delay", 0)), "it may go on at once")
    await comes_true(lambda: bool(here.node.ask("PING")), "Redis has loaded")


@asynccontextmanager
async def crowded(here: Place) -> AsyncIterator[None]:
    """Everybody is thrown out, and nobody may connect: `maxclients` is reached."""
    with here.node.client() as client:
        client.execute_command("CONFIG", "SET", "maxclients", 1)
        for kind in ("normal", "pubsub"):
            client.execute_command("CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes")
        yield
        client.execute_command("CONFIG", "SET", "maxclients", 1000)


HANGS = frozenset({"swallowed", "slow", "hung"})
"""Faults in which a command is given up only after its three attempts."""
FAULTS: dict[str, Fault] = {
    one.__name__: one for one in (restarted, unreachable, swallowed, slow, hung, readonly, full, loading, crowded)
}


def persistence(node: Node) -> str:
    """What the server says of loading and saving, a line each."""
    said = node.ask("INFO", "persistence")
    return "\n".join(f"{name}:{value}" for name, value in said.items()) if isinstance(said, dict) else str(said)


# --- what a process does meanwhile ------------------------------------------------------------------------------------


@dataclass
class Watch:
    """What some processes use from one moment to another.

    Attributes:
        seconds: how long it was, on our clock.
        cpu_s: processor time of all of them.
        grown_bytes: by how much their resident memory grew, of all together.
        lines: written to their logs.
        connections: made to Redis.
    """

    bots: list[Bot]
    proxy: Proxy
    seconds: float = 0.0
    cpu_s: float = 0.0
    grown_bytes: int = 0
    lines: int = 0
    connections: int = 0
    _began: tuple[float, float, int, int, int] = field(default=(0.0, 0.0, 0, 0, 0))

    def __enter__(self) -> Self:
        self._began = self._now()
        return self

    def __exit__(self, *_: object) -> None:
        now = self._now()
        self.seconds = now[0] - self._began[0]
        self.cpu_s = now[1] - self._began[1]
        self.grown_bytes = now[2] - self._began[2]
        self.lines = now[3] - self._began[3]
        self.connections = now[4] - self._began[4]

    def _now(self) -> tuple[float, float, int, int, int]:
        pids = [bot.pid for bot in self.bots]
        lines = sum(bot.said().count("\n") for bot in self.bots)
        return time.monotonic(), sum(map(cpu_s, pids)), sum(map(resident_bytes, pids)), lines, self.proxy.taken


def cpu_s(pid: int) -> float:
    """Processor time that a process has used, in user and system mode (proc(5), fields 14 and 15)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_bytes(pid: int) -> int:
    """Its resident memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE_BYTES


async def page(url: str) -> tuple[int, str]:
    """Status and text of one of the bot's own pages."""
    async with aiohttp.ClientSession() as http, http.get(url) as response:
        return response.status, await response.text()


async def unstored(bot: Bot, platform: str) -> float:
    """How many messages of a platform the bot could not store so far, by its metrics."""
    _, text = await page(f"{bot.url}/metrics")
    series = f'frontdesk_received_total{{accepted="unstored",platform="{platform}"}} '
    return sum(float(line.removeprefix(series)) for line in text.splitlines() if line.startswith(series))


async def comes(holds: Callable[[], object], what: str, *, seconds: float = 90.0) -> None:
    """Wait until it holds; what is awaitable is awaited.

    Raises:
        AssertionError: it did not in time.
    """
    deadline = time.monotonic() + seconds
    while not (await held if isawaitable(held := holds()) else held):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.05)


def part(world: World, url: str, name: str, role: str, *more: dict[str, str]) -> Bot:
    """A process of that role on that Redis, with a folder of its own for its output."""
    folder = world.folder / name
    folder.mkdir()
    # The model waits for as long as an outage lasts.
    model = world.with_model(timeout="5m")
    settings = {**world.platforms(), **model, **world.unlimited(), "REDIS_URL": url}
    for one in more:
        settings |= one
    return Bot(folder, settings, command=Bot.serving("--role", role))

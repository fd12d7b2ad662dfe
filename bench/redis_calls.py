"""What a bot asks of its Redis, counted by Redis itself.

Three counts, because each leaves something out. *Round trips*: `total_reads_processed` of INFO, the times that Redis
read from a client; a pipeline is one read, unless it is longer than 16 KB. *Commands sent*: the lines of MONITOR that
came from a client, scripts by their name. *Commands run*: the calls of INFO commandstats, those within scripts too.
What we ask ourselves is taken off.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from hashlib import sha1
from pathlib import Path
from typing import Any

from redis.asyncio import Redis

from bot.store.scripts import LUA, source


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Since the server began."""

    round_trips: int
    commands_run: int


@dataclass(slots=True)
class Watched:
    """The commands that clients sent while they were watched: time in Unix seconds, and name."""

    lines: list[tuple[float, str]] = field(default_factory=list)

    def between(self, start: float, end: float) -> list[str]:
        """Names of the commands from `start` until before `end`."""
        return [name for at, name in self.lines if start <= at < end]


class RedisCounter:
    """Reads the counts of one server through a connection of its own.

    Args:
        redis: used for nothing else.
    """

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._asked = 0

    async def now(self) -> Counts:
        """The counts, without what we asked ourselves; differences of two of them mean something."""
        stats = await self._info("stats")
        reads_of_ours = self._asked
        commands = await self._info("commandstats")
        return Counts(
            round_trips=stats["total_reads_processed"] - reads_of_ours,
            # A command is counted when it has ended: this INFO is not among them yet.
            commands_run=sum(command["calls"] for command in commands.values()) - (self._asked - 1),
        )

    async def quiet(self, *, for_s: float = 0.2) -> None:
        """Return once nobody but us has asked anything for a while: what follows a reply is done."""
        last, since = -1, time.monotonic()
        while time.monotonic() - since < for_s:
            reads = (await self._info("stats"))["total_reads_processed"] - self._asked
            if reads != last:
                last, since = reads, time.monotonic()
            await asyncio.sleep(0.02)

    async def _info(self, section: str) -> dict[str, Any]:
        self._asked += 1
        return await self._redis.info(section)


@asynccontextmanager
async def watching(url: str) -> AsyncIterator[Watched]:
    """MONITOR while the block runs. It slows the server down: nothing is timed meanwhile."""
    scripts = script_names()
    watched = Watched()
    redis = Redis.from_url(url, protocol=2)
    async with redis, redis.monitor() as monitor:

        async def watch() -> None:
            async for line in monitor.listen():
                name = command_name(line["command"], scripts)
                # INFO is ours.
                if line["client_type"] != "lua" and name != "INFO":
                    watched.lines.append((line["time"], name))

        task = asyncio.create_task(watch(), name="monitor")
        try:
            yield watched
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def command_name(command: str, scripts: dict[str, str]) -> str:
    """A command's name; of a script its own."""
    words = command.split(maxsplit=2)
    name = words[0].upper()
    if name in ("EVALSHA", "EVAL"):
        return scripts.get(words[1], "a script")
    return name


def script_names() -> dict[str, str]:
    """Names of our scripts by their SHA-1."""
    names = [Path(entry.name).stem for entry in LUA.iterdir() if entry.name.endswith(".lua")]
    return {sha1(source(name).encode(), usedforsecurity=False).hexdigest(): name for name in names if name != "prelude"}

"""What goes wrong in a soak run: processes are killed, Redis fails over, the model fails; and what ledgers say then."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bench.kept import Kept
from bench.soak_check import Window
from bench.soak_store import Store
from bench.soak_traffic import Traffic
from bot.message import MessageId, turn_id
from tests.servers.openai import Cut, Fault, Hang, Malformed, OpenAiServer, Status

KILL_EVERY_S, FAILOVER_EVERY_S, FAULT_EVERY_S = 10.0, 120.0, 60.0
LOOK_AGAIN_S = 0.1
LOOK_FOR_S = 30.0
UNKNOWN = "not known whether a message went out"
"""What the bot says of a send without an answer."""
FAULTS: Sequence[Callable[[], Fault]] = (
    lambda: Status(429, retry_after_s=1),
    lambda: Status(500),
    Hang,
    Cut,
    Malformed,
)


@dataclass(slots=True)
class Noted:
    """What was done, and what the ledger said right after.

    Attributes:
        kills: moment and name of the process.
        failovers: moment, and seconds until Redis answered again.
        faults: moment, kind and number of requests.
        windows: parts that were on their way.
    """

    kills: list[tuple[float, str]] = field(default_factory=list)
    failovers: list[tuple[float, float]] = field(default_factory=list)
    faults: list[tuple[float, str, int]] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)

    @property
    def moments(self) -> list[float]:
        """Of all of it, and when a failover was over."""
        begun = [*(at for at, _ in self.kills), *(at for at, _ in self.failovers), *(at for at, _, _ in self.faults)]
        return sorted(begun + [at + took for at, took in self.failovers])


class Trouble:
    """Makes trouble until it is cancelled.

    Args:
        processes: the gateways and workers.
        store: Redis.
        model: the one that may fail.
        traffic: is told which answers are finished.
        seed: of who dies when.
    """

    def __init__(
        self, processes: Sequence[Kept], store: Store, model: OpenAiServer, traffic: Traffic, seed: int
    ) -> None:
        self.noted = Noted()
        self._processes = processes
        self._store = store
        self._model = model
        self._traffic = traffic
        self._random = random.Random(seed)

    async def make(self) -> None:
        """Kills, failovers and faults, each at its own pace."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._at_times(KILL_EVERY_S, self._kill))
            tasks.create_task(self._at_times(FAULT_EVERY_S, self._fault))
            if self._store.fails_over:
                tasks.create_task(self._at_times(FAILOVER_EVERY_S, self._fail_over))

    async def _at_times(self, every_s: float, act: Callable[[], object]) -> None:
        next_at = time.monotonic() + every_s / 2
        while True:
            # The same number of times on average, at no foreseeable moment.
            await asyncio.sleep(max(0.0, next_at + self._random.uniform(-0.3, 0.3) * every_s - time.monotonic()))
            next_at += every_s
            result = act()
            if asyncio.iscoroutine(result):
                await result

    async def _kill(self) -> None:
        victim = self._random.choice(self._processes)
        at = time.monotonic()
        if victim.kill():
            self.noted.kills.append((at, victim.name))
            await self._look(f"{victim.name} was killed")

    async def _fail_over(self) -> None:
        at = time.monotonic()
        await self._store.fail_over()
        self.noted.failovers.append((at, time.monotonic() - at))
        await self._look("Redis failed over")

    def _fault(self) -> None:
        make, number = self._random.choice(FAULTS), self._random.randint(3, 8)
        fault = make()
        self.noted.faults.append((time.monotonic(), type(fault).__name__, number))
        self._model.fail(*[fault] * number)

    async def _look(self, why: str) -> None:
        """Read the ledgers of all open turns; while Redis is away, a little later: they stay as they are until then."""
        deadline = time.monotonic() + LOOK_FOR_S
        while time.monotonic() < deadline:
            try:
                turns = await self._store.open_turns()
            except (OSError, TimeoutError):
                await asyncio.sleep(LOOK_AGAIN_S)
                continue
            at = time.monotonic()
            for turn in turns:
                if "reply" in turn:
                    self._traffic.finished(turn["id"])
                for part in parts_on_their_way(turn):
                    self.noted.windows.append(Window(id=turn["id"], part=part, at=at, why=why))
            return


def parts_on_their_way(turn: dict[str, str]) -> list[int]:
    """Parts that a ledger has as *sending* without an id."""
    return [int(name[1:]) for name, sent in turn.items() if name[:1] == "s" and name[1:].isdecimal() and not sent]


def windows_in_logs(processes: Sequence[Kept], messages: Sequence[str], epoch_s: float) -> list[Window]:
    """Sends that ended without an answer, as the workers' logs tell.

    Args:
        processes: who wrote logs, as JSON.
        messages: ids of all messages; a log names a turn by a digest of it.
        epoch_s: Unix time at monotonic time zero.
    """
    names = {turn_id(MessageId(message)): message for message in messages}
    found = []
    for process in processes:
        for line in process.said().splitlines():
            if UNKNOWN in line and line.startswith("{"):
                record = json.loads(line)
                at = datetime.fromisoformat(record["timestamp"]).timestamp() - epoch_s
                if name := names.get(record.get("turn", "")):
                    found.append(Window(id=name, part=None, at=at, why="a send ended without an answer"))
    return found

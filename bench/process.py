"""A measured process: started, read from /proc, stopped. Linux only.

CPU time is what the kernel booked for all threads of the process, user and system, to 10 ms. Memory is the resident
set, and the proportional one (PSS), which counts a page that two processes share half for each.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.process.running import OURS, ROOT

STOP_S = 60.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Of one process, in MB of 1,000,000 bytes."""

    rss_mb: float
    pss_mb: float


class Measured:
    """A bot as a process of its own; ended with its children when the block ends.

    Args:
        command: what follows `python -m`.
        folder: for its output.
        settings: environment variables on top of clean ones.
    """

    def __init__(self, command: Sequence[str], folder: Path, settings: Mapping[str, str]) -> None:
        self._command = command
        self._settings = dict(settings)
        self._process: Process | None = None
        self._output = folder / "output.txt"
        self.started_at = 0.0

    async def __aenter__(self) -> Self:
        environment = {name: value for name, value in os.environ.items() if not OURS.match(name)}
        environment |= {"PYTHONUNBUFFERED": "1", **self._settings}
        self.started_at = time.monotonic()
        with self._output.open("wb") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *self._command, cwd=ROOT, env=environment, stdout=output, stderr=output
            )
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()

    @property
    def pid(self) -> int:
        """Of the bot.

        Raises:
            RuntimeError: it has ended; shows its last words.
        """
        if self._process is None or self._process.returncode is not None:
            raise RuntimeError(f"the bot ended:\n{self.said()[-2000:]}")
        return self._process.pid

    def said(self) -> str:
        """All it wrote since it was started."""
        return self._output.read_text()

    def child(self, name: str) -> int | None:
        """The pid of its child of that name."""
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and (stat := read_stat(int(entry.name))) is not None:
                command, fields = stat
                if command == name and int(fields[1]) == self.pid:
                    return int(entry.name)
        return None


def read_stat(pid: int) -> tuple[str, list[str]] | None:
    """Name and the fields after it of /proc/<pid>/stat; None if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    head, _, rest = text.rpartition(")")
    return head.partition("(")[2], rest.split()


def cpu_ms(pid: int) -> float:
    """CPU time of a process since it began, all threads, user and system.

    Raises:
        RuntimeError: there is no such process.
    """
    stat = read_stat(pid)
    if stat is None:
        raise RuntimeError(f"process {pid} is gone")
    return (int(stat[1][11]) + int(stat[1][12])) * 1000 / _TICKS_PER_S


def memory(pid: int) -> Memory:
    """What a process holds now."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kilobytes = {name: int(value) for name, value in re.findall(r"^(Rss|Pss):\s+(\d+) kB", rollup, re.MULTILINE)}
    return Memory(rss_mb=kilobytes["Rss"] * 1024 / 1e6, pss_mb=kilobytes["Pss"] * 1024 / 1e6)

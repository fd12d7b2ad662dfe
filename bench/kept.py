"""Processes that are kept running: whatever ends is started again at once, as an orchestrator does."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

from bench.process import memory
from tests.process.running import ROOT, environment

START_S = 120.0
STOP_S = 50.0
AGAIN_S, FALLEN_AGAIN_S = 0.2, 1.0
"""Between an end by our hand, or by its own, and the next start."""


class Kept:
    """One `python -m …`, started again and again until it is stopped.

    Args:
        name: of the process, and of the file of its output.
        command: what follows `python -m`.
        folder: for its output and data.
        settings: environment variables on top of clean ones.

    Attributes:
        output: the file with everything it wrote.
        killed: how often we killed it.
        fallen: exit codes of the times it ended without us.
        memory: seconds (monotonic), pid and RSS in MB of each sample.
    """

    def __init__(self, name: str, command: Sequence[str], folder: Path, settings: Mapping[str, str]) -> None:
        self.name = name
        self.output = folder / f"{name}.log"
        self.killed = 0
        self.fallen: list[int] = []
        self.memory: list[tuple[float, int, float]] = []
        self._command = [sys.executable, "-m", *command]
        self._environment = environment(folder, settings)
        self._process: Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    async def start(self) -> None:
        """Start it and keep it running; returns when it is ready.

        Raises:
            RuntimeError: it was not ready in time; shows its last words.
        """
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.name}")
        try:
            async with asyncio.timeout(START_S), aiohttp.ClientSession() as http:
                while not await self._ready(http):  # noqa: ASYNC110 - another process gets ready
                    await asyncio.sleep(0.1)
        except TimeoutError:
            raise RuntimeError(f"{self.name} is not ready:\n{self.said()[-2000:]}") from None

    async def _keep(self) -> None:
        with self.output.open("ab") as output:
            while not self._stopping:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command, cwd=ROOT, env=self._environment, stdout=output, stderr=output
                )
                killed = self.killed
                code = await self._process.wait()
                if not self._stopping:
                    fell = killed == self.killed
                    self.fallen += [code] if fell else []
                    await asyncio.sleep(FALLEN_AGAIN_S if fell else AGAIN_S)

    async def _ready(self, http: aiohttp.ClientSession) -> bool:
        found = re.search(r"http://127\.0\.0\.1:\d+", self.said())
        if found is None:
            return False
        with contextlib.suppress(aiohttp.ClientConnectionError):
            async with http.get(f"{found[0]}/readyz") as response:
                return response.status == 200
        return False

    @property
    def pid(self) -> int | None:
        """Of the process that runs now; None between two of them."""
        return self._process.pid if self._process is not None and self._process.returncode is None else None

    def kill(self) -> bool:
        """`kill -9`; False if nothing runs just now."""
        if self.pid is None:
            return False
        self.killed += 1
        os.kill(self.pid, signal.SIGKILL)
        return True

    async def stop(self) -> None:
        """SIGTERM, and SIGKILL if that is not enough; it is not started again."""
        self._stopping = True
        if self.pid is not None:
            os.kill(self.pid, signal.SIGTERM)
        if self._task is not None:
            done, _ = await asyncio.wait([self._task], timeout=STOP_S)
            if not done and self.pid is not None:
                os.kill(self.pid, signal.SIGKILL)
                await asyncio.wait([self._task], timeout=5)

    def sample(self) -> None:
        """Note its memory."""
        pid = self.pid
        with contextlib.suppress(OSError, KeyError):
            if pid is not None:
                self.memory.append((time.monotonic(), pid, memory(pid).rss_mb))

    def said(self) -> str:
        """All it wrote."""
        return self.output.read_text(errors="replace") if self.output.exists() else ""

"""Front Desk as a process, for tests: started like anybody starts it, on free ports and a folder of its own.

It ends with the test run, however that ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiohttp

from tests.servers.tied import tied

ROOT = Path(__file__).resolve().parents[2]
OURS = re.compile(r"FRONTDESK_(?!SHARED)|TELEGRAM_|SLACK_|OPENAI_|REDIS_URL")
"""Variables of the machine that the tests run on must not reach the bot."""
START_S = STOP_S = COMMAND_S = 120.0


def environment(folder: Path, settings: Mapping[str, str]) -> dict[str, str]:
    """That of a machine on which only these settings are made; data goes into `folder`."""
    clean = {name: value for name, value in os.environ.items() if not OURS.match(name)}
    ours = {"FRONTDESK_SERVER__PORT": "0", "FRONTDESK_REDIS__DATA_DIR": str(folder / "data"), "PYTHONUNBUFFERED": "1"}
    return clean | ours | dict(settings)


class Bot:
    """One `frontdesk serve`, killable and startable again on the same data.

    Args:
        folder: for its data and its output; its path must be short (a Unix socket lies in it).
        settings: environment variables on top of the clean ones.
        command: what is run instead of `python -m bot serve`.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str], *, command: Sequence[str] | None = None) -> None:
        self._folder = folder
        self._settings = dict(settings)
        self._command = list(command or self.serving())
        self._process: Process | None = None
        self.output = folder / "output.txt"
        self.url = ""

    @staticmethod
    def serving(*options: str) -> list[str]:
        """The command that serves, with options."""
        return [sys.executable, "-m", "bot", "serve", *options]

    @property
    def pid(self) -> int:
        """Of its process."""
        assert self._process is not None
        return self._process.pid

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._process is not None and self._process.returncode is None:
            await self.stop()

    async def start(self, *, ready: bool = True) -> None:
        """Start it; returns when it is ready to answer.

        Raises:
            AssertionError: it ended or was not ready in time; shows its output.
        """
        began = self.output.stat().st_size if self.output.exists() else 0
        with self.output.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                *tied(*self._command),
                cwd=ROOT,
                env=environment(self._folder, self._settings),
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self.url = await self._find_url(began)
        if ready:
            await self.wait_ready()

    async def _find_url(self, began: int) -> str:
        async with asyncio.timeout(START_S):
            while True:
                said = self.output.read_bytes()[began:].decode()
                if found := re.search(r"http://127\.0\.0\.1:\d+", said):
                    return found[0]
                self._assert_runs()
                await asyncio.sleep(0.05)

    async def wait_ready(self) -> None:
        """Until /readyz says so."""
        async with asyncio.timeout(START_S), aiohttp.ClientSession() as http:
            while True:
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    async with http.get(f"{self.url}/readyz") as response:
                        if response.status == 200:
                            return
                self._assert_runs()
                await asyncio.sleep(0.05)

    def _assert_runs(self) -> None:
        assert self._process is not None
        assert self._process.returncode is None, f"the bot ended:\n{self.said()}"

    async def kill(self) -> None:
        """`kill -9` of it and whatever it was started by, in mid-flight; returns when it is gone."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    def suspend(self) -> None:
        """It stands still, with all its connections open, until `resume`."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """It goes on as if nothing had been."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def kill_redis(self) -> None:
        """`kill -9` of its embedded Redis alone."""
        socket = f"redis-server unixsocket:{self._folder}/data/".encode()
        servers: list[str] = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):  # it ended meanwhile
                servers += [path.parent.name] if socket in path.read_bytes() else []
        (server,) = servers
        os.kill(int(server), signal.SIGKILL)

    async def stop(self) -> int:
        """SIGTERM, as an operator stops it; its exit code."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGTERM)
        async with asyncio.timeout(STOP_S):
            return await self._process.wait()

    async def ended(self) -> int:
        """Wait until it ends by itself; its exit code."""
        assert self._process is not None
        async with asyncio.timeout(STOP_S):
            return await self._process.wait()

    def said(self) -> str:
        """All it wrote."""
        return self.output.read_text()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """A command that ended by itself."""

    code: int
    output: str
    errors: str


async def frontdesk_started(folder: Path, settings: Mapping[str, str], *arguments: str) -> asyncio.subprocess.Process:
    """A command, begun; to be ended by the caller."""
    return await asyncio.create_subprocess_exec(
        *tied(sys.executable, "-m", "bot", *arguments),
        cwd=ROOT,
        env=environment(folder, settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def frontdesk(folder: Path, settings: Mapping[str, str], *arguments: str, typed: str = "") -> Ended:
    """Run a command to its end, with `typed` piped into it.

    Raises:
        TimeoutError: it did not end by itself, and was killed.
    """
    process = await frontdesk_started(folder, settings, *arguments)
    try:
        async with asyncio.timeout(COMMAND_S):
            output, errors = await process.communicate(typed.encode())
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return Ended(code=process.returncode or 0, output=output.decode(), errors=errors.decode())

"""What a test run starts ends with it, also when the run is killed."""

from __future__ import annotations

import asyncio
import signal
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from tests.process.running import ROOT

STARTER = """
import asyncio, sys
from pathlib import Path
from tests.process.running import Bot
from tests.servers.redis import redis_server

async def main():
    folder = Path(sys.argv[1])
    with redis_server(folder):
        bot = Bot(folder, {"FRONTDESK_KNOWLEDGE__PATHS": "[]"})
        await bot.start()
        bot.suspend()  # one that stands still ends, too
        print("started", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


async def test_a_killed_run_leaves_nothing_behind() -> None:
    """The process that starts a bot with its embedded Redis and a Redis of the test takes all along."""
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder:
        starter = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", STARTER, folder), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        assert starter.stdout is not None
        async with asyncio.timeout(60):
            assert await starter.stdout.readline() == b"started\n"
        before = started_in(folder)
        starter.send_signal(signal.SIGKILL)
        await starter.wait()
        async with asyncio.timeout(20):
            while started_in(folder):  # noqa: ASYNC110 - they end by themselves
                await asyncio.sleep(0.02)

    assert len(before) == 4


def started_in(folder: str) -> set[str]:
    """Ids of the living processes that were started with something in this folder."""
    found: set[str] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if folder.encode() in (process / "cmdline").read_bytes() + (process / "environ").read_bytes():
                found.add(process.name)
    return found

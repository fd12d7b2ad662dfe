"""Front Desk for a long time with everything going wrong: is anything lost, doubled or out of order?

    python -m bench.soak [--minutes 20] [--rate N] [--no-kills] [--cluster | --single] [--seed 1] [--json FILE]

Telegram, Slack and two models (the second is asked when the first fails) on 127.0.0.1 in this process; two gateways and
three workers as processes; Redis with `inbox.durability: replica`, by default under Sentinels. With kills: every 10 s
`kill -9` of a random gateway or worker, which is started again at once, every 2 minutes `kill -9` of the Redis primary,
every minute some requests to the model that fail. Without `--rate` the rate is half of what the machine can do, found
by a short ramp first. Without kills the question is whether memory grows: `WARM_UP` messages are written fast before
the time that counts. The exit code is 1 if a promise was broken. What each figure means: `docs/reliability.md`.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path

from bench.kept import Kept
from bench.process import memory
from bench.soak_check import check
from bench.soak_report import Figures, figures, print_figures
from bench.soak_store import Kind, Store, opened_store
from bench.soak_traffic import Traffic
from bench.soak_trouble import Noted, Trouble, windows_in_logs
from tests.process.conftest import World
from tests.servers.openai import OpenAiServer
from tests.servers.slack import SlackServer
from tests.servers.telegram import TelegramServer

GATEWAYS, WORKERS = 2, 3
FIRST_RATE, STEP, STEP_S = 4.0, 1.3, 8.0
"""The ramp: messages a second at first, factor from step to step, and how long a step takes."""
TOO_LONG_S = 8.0
"""A step at whose end somebody has waited so long was too fast; the model itself takes up to 5 s."""
SHARE = 0.5
"""Of the fastest step that went well: what the killed processes' starts take must fit in as well."""
WARM_UP, WARM_UP_PER_S = 6000, 10.0
"""Messages before memory is measured. Each worker keeps 2,048 analysed questions; half of these messages are compared
with earlier ones, and all three workers are full after some 5,400."""
DRAIN_S = 420.0
"""Slack brings an event for the last time after five minutes."""
SAMPLE_EVERY_S, SAY_EVERY_S = 10.0, 30.0


class Soak:
    """One run.

    Args:
        options: of the command line.
        world: the platforms and the model that fails.
        spare: the model that does not.
        store: Redis.
    """

    def __init__(self, options: argparse.Namespace, world: World, spare: OpenAiServer, store: Store) -> None:
        self._options = options
        self._world = world
        self._store = store
        self.traffic = Traffic(world, spare, options.seed)
        settings = self._settings(spare)
        roles = [("gateway", number) for number in range(GATEWAYS)] + [("worker", number) for number in range(WORKERS)]
        self.processes = [
            Kept(f"{role} {number}", ["bot", "serve", "--role", role], world.folder, settings) for role, number in roles
        ]
        self.noted = Noted()
        self._since = 0.0
        self._of_redis: dict[str, list[tuple[float, int, float]]] = defaultdict(list)

    def _settings(self, spare: OpenAiServer) -> dict[str, str]:
        providers = [
            {"name": name, "base_url": model.base_url, "model": "test-model", "timeout": "10s"}
            for name, model in (("first", self._world.model), ("spare", spare))
        ]
        own = {
            "OPENAI_API_KEY": self._world.model.key,
            "FRONTDESK_LLM__PROVIDERS": json.dumps(providers),
            "FRONTDESK_LOGGING__FORMAT": "json",
            # The limiters do their work and refuse nobody.
            "FRONTDESK_LIMITS__MESSAGES": '["1000000/minute", "1000000/day"]',
            "FRONTDESK_LIMITS__TOKENS": '["100000000/day"]',
        }
        return self._world.platforms() | self._world.unlimited() | own | self._store.settings

    async def run(self) -> Figures:
        """Start everything, let people write, wait for the last answer, and judge."""
        for process in self.processes:
            await process.start()
        per_s = self._options.rate or await self._sustainable()
        watching = asyncio.create_task(self._watch(), name="watch")
        if not self._options.kills:
            await self._warm_up()
        self._since = time.monotonic()
        seconds = self._options.minutes * 60
        trouble = None
        if self._options.kills:
            maker = Trouble(self.processes, self._store, self._world.model, self.traffic, self._options.seed)
            self.noted = maker.noted
            trouble = asyncio.create_task(maker.make(), name="make trouble")
        try:
            await self.traffic.write(per_s=per_s, seconds=seconds)
        finally:
            await ended(trouble)
        await self._drained()
        await ended(watching)
        return self._judge(per_s)

    async def _sustainable(self) -> float:
        """Faster and faster until people wait; a share of the last rate that went well."""
        per_s, good = FIRST_RATE, FIRST_RATE
        while True:
            await self.traffic.write(per_s=per_s, seconds=STEP_S)
            oldest = self.traffic.oldest_s()
            print(f"ramp: {per_s:.1f} a second, longest wait now {oldest:.1f} s", flush=True)
            if oldest > TOO_LONG_S or self.traffic.unanswered > per_s * TOO_LONG_S / 2:
                break
            good, per_s = per_s, per_s * STEP
        await self._drained()
        print(f"sustainable: {good:.1f} messages a second; {good * SHARE:.1f} are written", flush=True)
        return good * SHARE

    async def _warm_up(self) -> None:
        """So many messages that what a process keeps of them is full."""
        print(f"warm-up: {WARM_UP} messages, {WARM_UP_PER_S:g} a second", flush=True)
        await self.traffic.write(per_s=WARM_UP_PER_S, seconds=WARM_UP / WARM_UP_PER_S, strangers=True)
        await self._drained()

    async def _drained(self) -> None:
        """Until everybody is answered and nothing waits in Redis, or it has taken too long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_S):
                while self.traffic.unanswered or await self._store.waiting():  # noqa: ASYNC110 - of others
                    await asyncio.sleep(0.5)

    async def _watch(self) -> None:
        """Sample memory, and say how it goes."""
        began = said_at = time.monotonic()
        while True:
            for process in self.processes:
                process.sample()
            for name, pid in self._store.pids().items():
                with contextlib.suppress(OSError, KeyError):
                    self._of_redis[name].append((time.monotonic(), pid, memory(pid).rss_mb))
            await asyncio.sleep(SAMPLE_EVERY_S)
            if time.monotonic() - said_at >= SAY_EVERY_S:
                said_at = time.monotonic()
                self._say(said_at - began)

    def _say(self, seconds: float) -> None:
        heard, noted = self.traffic.heard, self.noted
        print(
            f"{seconds:5.0f} s: written {len(heard.asked)}, unanswered {self.traffic.unanswered} (longest "
            f"{self.traffic.oldest_s():.1f} s), killed {len(noted.kills)}, failovers {len(noted.failovers)}, faults "
            f"{len(noted.faults)}, strange {len(heard.strange)}",
            flush=True,
        )

    def _judge(self, per_s: float) -> Figures:
        heard = self.traffic.heard
        in_logs = windows_in_logs(self.processes, list(heard.asked), time.time() - time.monotonic())
        samples = {process.name: process.memory for process in self.processes} | self._of_redis
        return figures(
            minutes=self._options.minutes,
            per_s=per_s,
            since=self._since,
            redis=self._options.redis,
            heard=heard,
            verdict=check(heard.asked, heard.seen, [*self.noted.windows, *in_logs]),
            noted=self.noted,
            processes=self.processes,
            samples=samples,
            given_up=len(self._world.slack.sockets.given_up),
        )

    def keep(self, folder: Path) -> None:
        """Write down everything that the verdict was made from."""
        heard, noted = self.traffic.heard, self.noted
        raw = {"asked": [asdict(one) for one in heard.asked.values()], "seen": [asdict(one) for one in heard.seen]}
        (folder / "raw.json").write_text(json.dumps(raw | asdict(noted)))

    async def stop(self) -> None:
        """End all processes."""
        await asyncio.gather(*(process.stop() for process in self.processes))


async def ended(task: asyncio.Task[None] | None) -> None:
    """Cancel a task and wait for it.

    Raises:
        Exception: it had failed.
    """
    if task is not None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def opened(options: argparse.Namespace, store: Store, folder: Path) -> AsyncIterator[Soak]:
    """The platforms, the models and the processes, none of them started yet; all are stopped at the end."""
    async with (
        TelegramServer() as telegram,
        # Slack's own pauses between its attempts.
        SlackServer(retry_delays_s=(0.0, 60.0, 300.0)) as slack,
        OpenAiServer() as model,
        OpenAiServer(key=model.key) as spare,
    ):
        soak = Soak(options, World(folder=folder, telegram=telegram, slack=slack, model=model), spare, store)
        try:
            yield soak
        finally:
            await soak.stop()


async def main(options: argparse.Namespace, store: Store, folder: Path) -> int:
    """Run, print, and say whether the promises were kept."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, lambda: task is not None and task.cancel())
    async with opened(options, store, folder) as soak:
        found = await soak.run()
        if options.keep:
            soak.keep(options.keep)
    print_figures(found)
    if options.json:
        options.json.write_text(json.dumps(asdict(found), indent=2))
    return 0 if found.kept else 1


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description="Front Desk for a long time, with everything going wrong")
    parser.add_argument("--minutes", type=float, default=20, help="how long people write")
    parser.add_argument("--rate", type=float, help="messages a second; else found by a ramp")
    parser.add_argument("--kills", action=argparse.BooleanOptionalAction, default=True, help="make trouble")
    parser.add_argument("--seed", type=int, default=1, help="of who writes what, and who dies when")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    parser.add_argument("--keep", type=Path, help="an existing empty folder in which logs and all that was noted stay")
    redis = parser.add_mutually_exclusive_group()
    for kind in ("cluster", "single"):
        redis.add_argument(f"--{kind}", dest="redis", action="store_const", const=kind)
    parser.set_defaults(redis="sentinel")
    return parser.parse_args()


def run() -> int:
    """The whole program."""
    options = arguments()
    # Checking each request against the published schema would keep the model busy.
    os.environ.pop("FRONTDESK_SHARED", None)
    # A bot that is killed cuts its last connections, and the servers say so.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    kind: Kind = options.redis
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as name:
        servers = Path(name) / "r"
        servers.mkdir()
        # Servers end with the thread that started them: this one.
        with opened_store(kind, servers, options.seed) as store, contextlib.suppress(asyncio.CancelledError):
            return asyncio.run(main(options, store, options.keep or Path(name)))
    return 130


if __name__ == "__main__":
    sys.exit(run())

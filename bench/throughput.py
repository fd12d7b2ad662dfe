"""Messages a second with one gateway and one or two workers, and what a message costs each process and Redis.

    python -m bench.throughput [--rounds 3] [--messages 800] [--people 40] [--answer-chars 240]

The processes of each role, a Redis with an append-only file, and in this process Telegram, Slack and a model that
answers at once. Half of the people write on either platform, all at the same time. Cases: *asked*: every question is
another one, so the model is asked; *reused*: the same question from many people. What each figure means, and what it
leaves out, stands in `bench/README.md`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from bench.kept import Kept
from bench.process import cpu_ms
from bench.redis_calls import RedisCounter
from bench.road import AFTER_S, ANSWER, EXPECTED, QUESTION
from bench.traffic import People, slack_people, telegram_people
from tests.process.conftest import World
from tests.servers.openai import OpenAiServer
from tests.servers.redis_node import Node, free_ports, until
from tests.servers.slack import SlackServer
from tests.servers.telegram import TelegramServer

CASES = ("asked", "reused")
WORKERS = (1, 2)
CORES = os.cpu_count() or 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """One case with so many workers; CPU in ms and commands are per message, `servers` those of this process."""

    case: str
    workers: int
    per_s: float
    gateway_ms: float
    worker_ms: float
    redis_ms: float
    servers_ms: float
    commands: float
    round_trips: float

    def share(self, ms: float) -> float:
        """CPU seconds of a second, from CPU ms of a message."""
        return ms * self.per_s / 1000

    @property
    def redis_full_at(self) -> float:
        """Messages a second that would take one core of Redis wholly."""
        return 1000 / self.redis_ms


class Bench:
    """One world, and the processes that serve it one set after the other."""

    def __init__(self, options: argparse.Namespace, world: World) -> None:
        self._options = options
        self._world = world
        self._people = [telegram_people(world.telegram, EXPECTED), slack_people(world.slack, EXPECTED)]
        self._numbers = itertools.count(1)

    async def run(self, workers: int, node: Node, folder: Path) -> list[Burst]:
        """Start a gateway and so many workers, measure both cases, end them.

        Raises:
            RuntimeError: a process ended, or the model was asked more or less often than it had to be.
        """
        settings = self._settings(node)
        gateway = Kept("gateway", ["bot", "serve", "--role", "gateway"], folder, settings)
        hands = [
            Kept(f"worker {number}", ["bot", "serve", "--role", "worker"], folder, settings)
            for number in range(workers)
        ]
        async with AsyncExitStack() as stack:
            for process in (gateway, *hands):
                stack.push_async_callback(process.stop)
                await process.start()
            counter = RedisCounter(await stack.enter_async_context(Redis(port=node.port)))
            await self._people[0].ask(self._people[0].new_person(), QUESTION)
            bursts = [await self._burst(case, gateway, hands, node, counter) for case in CASES]
            if fallen := [process.name for process in (gateway, *hands) if process.fallen]:
                raise RuntimeError(f"ended by themselves: {fallen}")
        return bursts

    def _settings(self, node: Node) -> dict[str, str]:
        own = {
            "REDIS_URL": f"redis://127.0.0.1:{node.port}",
            # Two windows, as by default, that nobody fills: the limiter does its work and refuses nobody.
            "FRONTDESK_LIMITS__MESSAGES": '["1000000/minute", "1000000/day"]',
            "FRONTDESK_LIMITS__TOKENS": '["100000000/day"]',
        }
        return self._world.platforms() | self._world.with_model() | self._world.unlimited() | own

    async def _burst(
        self, case: str, gateway: Kept, workers: Sequence[Kept], node: Node, counter: RedisCounter
    ) -> Burst:
        # A short one that does not count opens the connections, in every worker.
        await self._all(case, 4 * self._options.people)
        await asyncio.sleep(AFTER_S)
        asked = self._world.model.chats
        asked.clear()
        before, counts = cpu_of(gateway, workers, node), await counter.now()
        begun = time.monotonic()
        messages = await self._all(case, self._options.messages)
        seconds = time.monotonic() - begun
        await asyncio.sleep(AFTER_S)
        used = [after - was for was, after in zip(before, cpu_of(gateway, workers, node), strict=True)]
        now = await counter.now()
        if len(asked) != (0 if case == "reused" else messages):
            raise RuntimeError(f"{case}: the model was asked {len(asked)} times for {messages} messages")
        return Burst(
            case=case,
            workers=len(workers),
            per_s=messages / seconds,
            gateway_ms=used[0] / messages,
            worker_ms=sum(used[3:]) / messages,
            redis_ms=used[1] / messages,
            servers_ms=used[2] / messages,
            commands=(now.commands_run - counts.commands_run) / messages,
            round_trips=(now.round_trips - counts.round_trips) / messages,
        )

    async def _all(self, case: str, messages: int) -> int:
        """All people at once on both platforms, each one question after the other's answer; how many there were."""
        each = messages // self._options.people
        lanes = [self._lanes(people, case, each) for people in self._people]
        async with asyncio.TaskGroup() as tasks:
            for people, of_platform in zip(self._people, lanes, strict=True):
                tasks.create_task(people.in_lanes(of_platform))
        return sum(len(lane) for of_platform in lanes for lane in of_platform)

    def _lanes(self, people: People, case: str, each: int) -> list[list[tuple[int, str]]]:
        number = self._options.people // len(self._people)
        if case == "reused":
            return [[(people.new_person(), QUESTION) for _ in range(each)] for _ in range(number)]
        asking = [people.new_person() for _ in range(number)]
        return [[(person, self._question()) for _ in range(each)] for person in asking]

    def _question(self) -> str:
        return f"How much does transfer {next(self._numbers)} to another bank cost?"


def cpu_of(gateway: Kept, workers: Sequence[Kept], node: Node) -> list[float]:
    """CPU ms so far: of the gateway, of Redis, of this process, of each worker."""
    pids = [gateway.pid, node.pid, os.getpid(), *(worker.pid for worker in workers)]
    return [cpu_ms(pid) for pid in pids if pid is not None]


def print_all(bursts: Sequence[Burst]) -> None:
    """Every run, then medians."""
    heads = "| case | workers | messages/s | CPU ms/message: gateway | workers | Redis | test servers | "
    print(f"\nEach run\n\n{heads}commands | round trips |\n|---|---|---|---|---|---|---|---|---|")
    for one in bursts:
        print(
            f"| {one.case} | {one.workers} | {one.per_s:.0f} | {one.gateway_ms:.2f} | {one.worker_ms:.2f} | "
            f"{one.redis_ms:.2f} | {one.servers_ms:.2f} | {one.commands:.0f} | {one.round_trips:.1f} |"
        )
    print(f"\nMedians; shares are of one core, of {CORES}\n")
    print("| case | workers | messages/s | gateway | workers | Redis | test servers | commands/s | Redis full at |")
    print("|---|---|---|---|---|---|---|---|---|")
    for case in CASES:
        for workers in WORKERS:
            print_medians([one for one in bursts if (one.case, one.workers) == (case, workers)])
    for case in CASES:
        alone, two = ([one.per_s for one in bursts if (one.case, one.workers) == (case, n)] for n in WORKERS)
        ratios = [second / first for first, second in zip(alone, two, strict=True)]
        print(f"\n{case}: two workers over one, round by round: {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    for case in CASES:
        full = statistics.median(one.redis_full_at for one in bursts if one.case == case)
        print(f"\n{case}: one Redis core full at about {full:.0f} messages/s")


def print_medians(runs: Sequence[Burst]) -> None:
    """One row."""
    first = runs[0]
    shares = [
        statistics.median(one.share(ms) for one, ms in ((one, getattr(one, name)) for one in runs))
        for name in ("gateway_ms", "worker_ms", "redis_ms", "servers_ms")
    ]
    per_s = statistics.median(one.per_s for one in runs)
    commands = statistics.median(one.share(one.commands * 1000) for one in runs)
    full = statistics.median(one.redis_full_at for one in runs)
    told = " | ".join(f"{share:.0%}" for share in shares)
    print(f"| {first.case} | {first.workers} | {per_s:.0f} | {told} | {commands:.0f} | {full:.0f}/s |")


@contextmanager
def redis_of_its_own(folder: Path) -> Iterator[Node]:
    """A server with an append-only file, as one would run it."""
    with free_ports(1) as (port,):
        pass
    node = Node(folder, port, "--save", "", "--appendonly", "yes")
    node.start()
    try:
        until(lambda: bool(node.ask("PING")), "Redis starts")
        yield node
    finally:
        node.kill()


async def measure(options: argparse.Namespace, workers: int, node: Node, folder: Path) -> list[Burst]:
    """One round with so many workers."""
    async with TelegramServer() as telegram, SlackServer() as slack, OpenAiServer() as model:
        model.reply((ANSWER * (options.answer_chars // len(ANSWER) + 1))[: options.answer_chars])
        world = World(folder=folder, telegram=telegram, slack=slack, model=model)
        return await Bench(options, world).run(workers, node, folder)


def main(options: argparse.Namespace) -> None:
    """Measure in turns, and print."""
    bursts: list[Burst] = []
    for number in range(options.rounds):
        for workers in WORKERS:
            with (
                tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as name,
                redis_of_its_own(Path(name, "r")) as node,
            ):
                bursts += asyncio.run(measure(options, workers, node, Path(name)))
            print(f"round {number + 1}: {workers} done", flush=True)
    print_all(bursts)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description="Messages a second with one and two workers, and what Redis takes")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured, in turns")
    parser.add_argument("--messages", type=int, default=800, help="of one burst")
    parser.add_argument("--people", type=int, default=40, help="who write at the same time")
    parser.add_argument("--answer-chars", type=int, default=240, help="length of the model's answers")
    return parser.parse_args()


if __name__ == "__main__":
    # Checking each request against the published schema would keep the model busy.
    os.environ.pop("FRONTDESK_SHARED", None)
    # A bot that is ended cuts its last connections, and the servers say so.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    main(arguments())

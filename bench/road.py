"""Front Desk beside the plainest bot, through the same servers, in one run: CPU, throughput, latency, memory, Redis.

    python -m bench.road [--rounds 3] [--messages 400] [--people 40] [--answer-chars 240]

The two bots run in turns, each as a process of its own, with Telegram, Slack and a model that answers at once on
127.0.0.1 in this process. Cases: *asked*: every question is another one, so the model is asked; *reused*: the same
question from many people, which Front Desk answers from its store and the plain bot asks the model about. What each
figure means, and what it leaves out, stands in `bench/README.md`.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
from redis.asyncio import Redis

from bench.process import Measured, cpu_ms, memory
from bench.redis_calls import RedisCounter, watching
from bench.tables import Burst, Result, SinglePath, Start, print_all
from bench.traffic import People, slack_people, telegram_people
from tests.process.conftest import World
from tests.servers.openai import OpenAiServer
from tests.servers.slack import SlackServer
from tests.servers.telegram import TelegramServer

QUESTION = "How much does a transfer to another bank cost?"
ANSWER = "A transfer to another bank costs 5 euros [1]. "
EXPECTED = "A transfer to another bank costs 5 euros"
START_S = 120.0
IDLE_S = 3.0
"""How long an idle bot is watched."""
AFTER_S = 0.3
"""What follows the last reply of a burst counts too."""
RATE_PER_S = 2.0
SAMPLES = 9
"""Messages looked at one by one, for each kind, to count round trips."""


class Bench:
    """One world and the two bots in it."""

    def __init__(self, options: argparse.Namespace, world: World) -> None:
        self._options = options
        self._world = world
        self._people: list[People] = [telegram_people(world.telegram, EXPECTED), slack_people(world.slack, EXPECTED)]
        self._numbers = itertools.count(1)

    def _question(self) -> str:
        return f"How much does transfer {next(self._numbers)} to another bank cost?"

    async def run(self, bot: str, folder: Path, *, look_closely: bool) -> Result:
        """Start a bot, measure it, end it.

        Args:
            bot: `plain` or `frontdesk`.
            folder: empty, with a short path.
            look_closely: also count the round trips of single messages.
        """
        ours = bot == "frontdesk"
        settings = self._frontdesk(folder) if ours else self._plain()
        command = ["bot", "serve"] if ours else ["bench.plain_bot"]
        async with AsyncExitStack() as stack:
            measured = await self._started(stack, command, folder, settings, ours=ours)
            ready_s = time.monotonic() - measured.started_at
            redis_pid = measured.child("redis-server") if ours else None
            counter = await self._counter(stack, folder) if ours else None
            start = await self._idle(measured, redis_pid, counter, ready_s)
            for people in self._people:
                await people.ask(people.new_person(), QUESTION)
            bursts = [
                await self._burst(people, case, measured, redis_pid, counter)
                for people in self._people
                for case in ("asked", "reused")
            ]
            after = [memory(pid) for pid in (measured.pid, redis_pid) if pid is not None]
            paths = await self._paths(folder, counter) if counter is not None and look_closely else []
            await self._world.telegram.wait_confirmed()
        return Result(bot=bot, start=start, bursts=bursts, after=after, paths=paths)

    async def start_again(self, folder: Path) -> float:
        """Seconds from start to ready with the documents already there."""
        async with AsyncExitStack() as stack:
            measured = await self._started(stack, ["bot", "serve"], folder, self._frontdesk(folder), ours=True)
            return time.monotonic() - measured.started_at

    # --- starting -------------------------------------------------------------------------------------------------

    def _frontdesk(self, folder: Path) -> dict[str, str]:
        own = {
            "FRONTDESK_SERVER__PORT": "0",
            "FRONTDESK_REDIS__DATA_DIR": str(folder / "data"),
            # Two windows, as by default, that nobody fills: the limiter does its work and refuses nobody.
            "FRONTDESK_LIMITS__MESSAGES": '["1000000/minute", "1000000/day"]',
        }
        return self._world.platforms() | self._world.with_model() | self._world.unlimited() | own

    def _plain(self) -> dict[str, str]:
        world = self._world
        return {
            "TELEGRAM_BOT_TOKEN": world.telegram.token,
            "TELEGRAM_API_URL": world.telegram.api_url,
            "SLACK_BOT_TOKEN": world.slack.bot_token,
            "SLACK_APP_TOKEN": world.slack.app_token,
            "SLACK_API_URL": world.slack.api_url,
            "OPENAI_API_KEY": world.model.key,
            "OPENAI_BASE_URL": world.model.base_url,
            "OPENAI_MODEL": "test-model",
        }

    async def _started(
        self, stack: AsyncExitStack, command: Sequence[str], folder: Path, settings: dict[str, str], *, ours: bool
    ) -> Measured:
        telegram, slack = self._world.telegram, self._world.slack
        polls, sockets = len(telegram.calls_of("getUpdates")), slack.sockets.opened
        measured = await stack.enter_async_context(Measured(command, folder, settings))
        async with asyncio.timeout(START_S):
            while len(telegram.calls_of("getUpdates")) == polls or slack.sockets.opened == sockets:
                _ = measured.pid  # ends the wait if the bot has ended
                await asyncio.sleep(0.02)
            if ours:
                await self._ready(measured)
        return measured

    async def _ready(self, measured: Measured) -> None:
        found = re.search(r"http://127\.0\.0\.1:\d+", measured.said())
        if found is None:
            raise RuntimeError("frontdesk does not say where it listens")
        async with aiohttp.ClientSession() as http:
            while True:
                async with http.get(f"{found[0]}/readyz") as response:
                    if response.status == 200:
                        return
                await asyncio.sleep(0.02)

    async def _counter(self, stack: AsyncExitStack, folder: Path) -> RedisCounter:
        return RedisCounter(await stack.enter_async_context(Redis.from_url(redis_url(folder))))

    # --- measuring ------------------------------------------------------------------------------------------------

    async def _idle(
        self, measured: Measured, redis_pid: int | None, counter: RedisCounter | None, ready_s: float
    ) -> Start:
        await asyncio.sleep(AFTER_S)
        pids = [pid for pid in (measured.pid, redis_pid) if pid is not None]
        cpu = [cpu_ms(pid) for pid in pids]
        before = await counter.now() if counter is not None else None
        await asyncio.sleep(IDLE_S)
        trips = (await counter.now()).round_trips - before.round_trips if counter is not None and before else 0
        used = [(cpu_ms(pid) - was) / IDLE_S for pid, was in zip(pids, cpu, strict=True)]
        return Start(
            ready_s=ready_s,
            idle=[memory(pid) for pid in pids],
            idle_cpu_ms_per_s=used,
            idle_round_trips_per_s=trips / IDLE_S,
        )

    def _lanes(self, people: People, case: str, messages: int) -> list[list[tuple[int, str]]]:
        """What is asked: by each person several different questions, or by a new person each the same one."""
        lanes = self._options.people
        each = messages // lanes
        if case == "reused":
            return [[(people.new_person(), QUESTION) for _ in range(each)] for _ in range(lanes)]
        asking = [people.new_person() for _ in range(lanes)]
        return [[(person, self._question()) for _ in range(each)] for person in asking]

    async def _burst(
        self,
        people: People,
        case: str,
        measured: Measured,
        redis_pid: int | None,
        counter: RedisCounter | None,
    ) -> Burst:
        # Connections that were idle for seconds are closed: they are opened again before anything is counted.
        await people.in_lanes(self._lanes(people, case, 2 * self._options.people))
        await asyncio.sleep(AFTER_S)
        lanes = self._lanes(people, case, self._options.messages)
        messages = sum(len(lane) for lane in lanes)
        chats = self._world.model.chats
        chats.clear()
        before = await counter.now() if counter is not None else None
        bot_before, redis_before = cpu_ms(measured.pid), cpu_ms(redis_pid) if redis_pid else 0.0
        seconds = await people.in_lanes(lanes)
        await asyncio.sleep(AFTER_S)
        bot, redis = cpu_ms(measured.pid) - bot_before, (cpu_ms(redis_pid) if redis_pid else 0.0) - redis_before
        now = await counter.now() if counter is not None else None
        wanted = 0 if case == "reused" and redis_pid else messages
        if len(chats) != wanted:
            raise RuntimeError(f"{case}: the model was asked {len(chats)} times instead of {wanted}")
        return Burst(
            platform=people.name,
            case=case,
            per_s=messages / seconds,
            bot_cpu_ms=bot / messages,
            redis_cpu_ms=redis / messages,
            round_trips=(now.round_trips - before.round_trips) / messages if now and before else 0.0,
            commands_run=(now.commands_run - before.commands_run) / messages if now and before else 0.0,
            p50_ms=await people.at_rate(self._texts(case), per_s=RATE_PER_S),
        )

    def _texts(self, case: str) -> Iterator[str]:
        for _ in range(self._options.slow_messages):
            yield QUESTION if case == "reused" else self._question()

    async def _paths(self, folder: Path, counter: RedisCounter) -> list[SinglePath]:
        """Round trips and commands of single messages, each with nothing else going on, on Telegram."""
        people = self._people[0]
        regular = people.new_person()
        async with watching(redis_url(folder)) as watched:
            await people.ask(regular, self._question())
            paths = []
            for kind in ("first question, model asked", "follow-up, model asked", "answer reused"):
                trips, ways = [], []
                for _ in range(SAMPLES):
                    person = regular if kind.startswith("follow-up") else people.new_person()
                    await counter.quiet()
                    before, asked_at = await counter.now(), time.time()
                    await people.ask(person, QUESTION if kind == "answer reused" else self._question())
                    replied_at = time.time()
                    await counter.quiet()
                    trips.append((await counter.now()).round_trips - before.round_trips)
                    ways.append(
                        (
                            tuple(watched.between(asked_at, replied_at)),
                            tuple(watched.between(replied_at, time.time())),
                        )
                    )
                paths.append(SinglePath.of(kind, trips, ways))
        return paths


def redis_url(folder: Path) -> str:
    """Of the embedded server with its data there."""
    return f"unix://{folder / 'data' / 'redis.sock'}"


def short_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder whose path leaves room for the name of a Unix socket."""
    return tempfile.TemporaryDirectory(prefix="fd", dir="/tmp")


async def main(options: argparse.Namespace) -> None:
    """Measure in turns, and print."""
    results: list[Result] = []
    async with TelegramServer() as telegram, SlackServer() as slack, OpenAiServer() as model:
        model.reply((ANSWER * (options.answer_chars // len(ANSWER) + 1))[: options.answer_chars])
        bench = Bench(options, World(folder=Path(), telegram=telegram, slack=slack, model=model))
        again_s = []
        for number in range(options.rounds):
            for bot in ("plain", "frontdesk"):
                with short_folder() as name:
                    look_closely = number == options.rounds - 1
                    results.append(await bench.run(bot, Path(name), look_closely=look_closely))
                    if bot == "frontdesk":
                        again_s.append(await bench.start_again(Path(name)))
                print(f"round {number + 1}: {bot} done", flush=True)
    print_all(results, again_s)


def arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description="Front Desk beside the plainest bot")
    parser.add_argument("--rounds", type=int, default=3, help="how often both bots run, in turns")
    parser.add_argument("--messages", type=int, default=400, help="of one burst")
    parser.add_argument("--people", type=int, default=40, help="who write at the same time")
    parser.add_argument("--slow-messages", type=int, default=12, help="for the latency at 2 messages a second")
    parser.add_argument("--answer-chars", type=int, default=240, help="length of the model's answers")
    return parser.parse_args()


if __name__ == "__main__":
    # Checking each request against the published schema would keep the model busy.
    os.environ.pop("FRONTDESK_SHARED", None)
    # A bot that is ended cuts its last connections, and the servers say so.
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    asyncio.run(main(arguments()))

"""What an ingest costs and what bounds its rate, and what it does to a bot that answers meanwhile.

    python -m bench.ingest PATH…

The files are ingested on a real Redis while an event loop of the same process, the bot's, is asked a question every
100 ms. CPU is that of each stage: *reading* the processes that read (their start included), *splitting* cutting and
tokens, *embedding* the embedder's thread, *rest* the event loop (asking Redis, pipes, the questions), *Redis* its
server. *Lag* is how much later than asked a sleep of 5 ms returns: what everything else in the bot waits for.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from pathlib import Path
from typing import ParamSpec, TypeVar

from redis.asyncio import Redis

from bot.knowledge import ingest
from bot.knowledge.progress import Progress
from bot.llm.embed import BuiltinEmbedder
from bot.store.client import connect
from bot.store.passages import Passages
from tests.servers.redis import redis_server

IDLE_S = 10.0
ASK_EVERY_S = 0.1
TICK_S = 0.005

P = ParamSpec("P")
R = TypeVar("R")


class Clock:
    """CPU seconds of the threads inside of what it has wrapped."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def timed(self, function: Callable[P, R]) -> Callable[P, R]:
        """The function, counted."""

        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            began = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds += time.thread_time() - began

        return wrapped


class Meanwhile:
    """What somebody else sees of this event loop."""

    def __init__(self, passages: Passages) -> None:
        self._passages = passages
        self.lags: list[float] = []
        self.searches: list[float] = []

    async def during(self, work: Coroutine[object, object, None]) -> None:
        """Watch while the work is done."""
        watching = [asyncio.create_task(self._tick()), asyncio.create_task(self._ask())]
        await work
        for task in watching:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _tick(self) -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK_S)
            self.lags.append(time.perf_counter() - began - TICK_S)

    async def _ask(self) -> None:
        while True:
            began = time.perf_counter()
            await self._passages.search(f"How do I install package number {len(self.searches)}?", "en", 5)
            self.searches.append(time.perf_counter() - began)
            await asyncio.sleep(ASK_EVERY_S)

    def __str__(self) -> str:
        """Both, in ms."""
        return f"lag {spread(self.lags)}; search {spread(self.searches)}"


def spread(seconds: Sequence[float]) -> str:
    """Median, 99th percentile and maximum, in ms."""
    ordered = sorted(1000 * each for each in seconds)
    return (
        f"p50 {ordered[len(ordered) // 2]:.1f}, p99 {ordered[int(len(ordered) * 0.99)]:.1f}, max {ordered[-1]:.0f} ms"
    )


async def redis_cpu(redis: Redis) -> float:
    """CPU seconds of the server so far."""
    info = await redis.info("cpu")
    return float(info["used_cpu_user"]) + float(info["used_cpu_sys"])


def children_cpu() -> float:
    """CPU seconds of the processes that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


async def main(url: str, paths: Sequence[Path]) -> None:
    """Ingest, and print the figures."""
    redis, embedder = connect(url), BuiltinEmbedder()
    await embedder.warm_up()
    passages = Passages(redis, embedder, max_cosine_distance=0.8)
    await ingest.Ingest(passages, embedder).sync([Path("samples")])
    idle = Meanwhile(passages)
    await idle.during(asyncio.sleep(IDLE_S))
    splitting, embedding = Clock(), Clock()
    ingest.split = splitting.timed(ingest.split)
    ingest._new_passages = splitting.timed(ingest._new_passages)  # noqa: SLF001 - counted, not changed
    embedder._compute = embedding.timed(embedder._compute)  # type: ignore[method-assign]  # noqa: SLF001 - as above
    told: list[Progress] = []

    async def work() -> None:
        await ingest.Ingest(passages, embedder).sync(paths, origin="cli", progress=told.append)

    busy = Meanwhile(passages)
    began, cpu, readers, server = time.perf_counter(), time.process_time(), children_cpu(), await redis_cpu(redis)
    await busy.during(work())
    took, cpu, server = time.perf_counter() - began, time.process_time() - cpu, await redis_cpu(redis) - server
    count = told[-1].passages
    costs = {"reading": children_cpu() - readers, "splitting": splitting.seconds, "embedding": embedding.seconds}
    costs |= {"rest": cpu - splitting.seconds - embedding.seconds, "Redis": server}
    print(f"{told[-1].total} documents, {count} passages in {took:.0f} s, {count / took:.1f} a second; ", end="")
    print("load " + " ".join(f"{load:.1f}" for load in os.getloadavg()))
    for name, seconds in costs.items():
        print(f"{name:10} {1000 * seconds / count:6.2f} ms of CPU per passage, {seconds / sum(costs.values()):4.0%}")
    print(f"idle:      {idle}\ningesting: {busy}")
    await redis.aclose()
    embedder.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+", type=Path)
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder, redis_server(Path(folder)) as server:
        asyncio.run(main(server, parser.parse_args().paths))

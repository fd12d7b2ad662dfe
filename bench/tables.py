"""What a run of `bench.road` found, as tables. Medians over the rounds; ratios are formed round by round first."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

from bench.process import Memory

Way = tuple[tuple[str, ...], tuple[str, ...]]
"""Commands before the reply was sent, and after."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A bot before its first message; lists name the bot first, then its Redis."""

    ready_s: float
    idle: list[Memory]
    idle_cpu_ms_per_s: list[float]
    idle_round_trips_per_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """One case on one platform; CPU, round trips and commands are per message."""

    platform: str
    case: str
    per_s: float
    bot_cpu_ms: float
    redis_cpu_ms: float
    round_trips: float
    commands_run: float
    p50_ms: float

    @property
    def all_cpu_ms(self) -> float:
        """Of the bot and its Redis."""
        return self.bot_cpu_ms + self.redis_cpu_ms


@dataclass(frozen=True, slots=True, kw_only=True)
class SinglePath:
    """What one message of a kind asks of Redis when nothing else is going on."""

    kind: str
    round_trips: float
    way: Way

    @classmethod
    def of(cls, kind: str, trips: Sequence[int], ways: Sequence[Way]) -> Self:
        """Of several messages: the median, and the most frequent way."""
        return cls(kind=kind, round_trips=statistics.median(trips), way=Counter(ways).most_common(1)[0][0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """All of one run of one bot."""

    bot: str
    start: Start
    bursts: list[Burst]
    after: list[Memory]
    paths: list[SinglePath]


def print_all(results: Sequence[Result], again_s: Sequence[float]) -> None:
    """All tables."""
    plain = [result for result in results if result.bot == "plain"]
    ours = [result for result in results if result.bot == "frontdesk"]
    print_runs(results)
    print_ratios(plain, ours)
    print_memory(plain, ours)
    print_start(ours, again_s)
    for result in ours:
        print_paths(result.paths)


def print_runs(results: Sequence[Result]) -> None:
    """Every figure of every run."""
    print("\nEach run\n")
    print("| bot | platform | case | CPU ms/message: bot | Redis | messages/s | p50 ms at 2/s |")
    print("|---|---|---|---|---|---|---|")
    for result in results:
        for burst in result.bursts:
            print(
                f"| {result.bot} | {burst.platform} | {burst.case} | {burst.bot_cpu_ms:.2f} | "
                f"{burst.redis_cpu_ms:.2f} | {burst.per_s:.0f} | {burst.p50_ms:.1f} |"
            )


def print_ratios(plain: Sequence[Result], ours: Sequence[Result]) -> None:
    """Medians, and Front Desk over plain."""
    print("\nMedians; ratio: Front Desk over plain\n")
    print(
        "| platform | case | plain CPU ms | bot CPU ms | Redis CPU ms | ratio, bot alone | ratio, with Redis | "
        "messages/s: plain, ours | p50 ms: plain, ours | Redis round trips under load | commands in Redis |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for number, burst in enumerate(ours[0].bursts):
        theirs = [result.bursts[number] for result in plain]
        mine = [result.bursts[number] for result in ours]
        pairs = list(zip(mine, theirs, strict=True))
        alone = statistics.median(our.bot_cpu_ms / their.bot_cpu_ms for our, their in pairs)
        together = statistics.median(our.all_cpu_ms / their.bot_cpu_ms for our, their in pairs)
        print(
            f"| {burst.platform} | {burst.case} | {median(theirs, lambda b: b.bot_cpu_ms):.2f} | "
            f"{median(mine, lambda b: b.bot_cpu_ms):.2f} | {median(mine, lambda b: b.redis_cpu_ms):.2f} | "
            f"{alone:.2f} | {together:.2f} | "
            f"{median(theirs, lambda b: b.per_s):.0f}, {median(mine, lambda b: b.per_s):.0f} | "
            f"{median(theirs, lambda b: b.p50_ms):.1f}, {median(mine, lambda b: b.p50_ms):.1f} | "
            f"{median(mine, lambda b: b.round_trips):.1f} | {median(mine, lambda b: b.commands_run):.0f} |"
        )


def print_memory(plain: Sequence[Result], ours: Sequence[Result]) -> None:
    """RSS and PSS, idle and after all bursts."""
    print("\nMemory, MB (PSS in brackets), and CPU of an idle bot\n")
    print("| process | idle | after all messages | idle CPU, ms per s |")
    print("|---|---|---|---|")
    for name, results, index in (("plain bot", plain, 0), ("Front Desk", ours, 0), ("its Redis", ours, 1)):
        idle = [result.start.idle[index] for result in results]
        after = [result.after[index] for result in results]
        cpu = statistics.median(result.start.idle_cpu_ms_per_s[index] for result in results)
        print(f"| {name} | {in_short(idle)} | {in_short(after)} | {cpu:.1f} |")
    total = statistics.median(sum(memory.rss_mb for memory in result.start.idle) for result in ours)
    print(f"| Front Desk and its Redis, RSS | {total:.0f} | | |")


def print_start(ours: Sequence[Result], again_s: Sequence[float]) -> None:
    """Seconds until ready, and what an idle bot asks of Redis."""
    first = statistics.median(result.start.ready_s for result in ours)
    trips = statistics.median(result.start.idle_round_trips_per_s for result in ours)
    print(f"\nFrom start to ready: {first:.1f} s with the sample documents to read, ", end="")
    print(f"{statistics.median(again_s):.1f} s when they are there. Idle: {trips:.1f} Redis round trips a second.")


def print_paths(paths: Sequence[SinglePath]) -> None:
    """The commands of single messages."""
    if not paths:
        return
    print("\nOne message, nothing else going on; MULTI and EXEC and what is between them are one round trip\n")
    print("| kind | round trips | commands before the reply is sent | after |")
    print("|---|---|---|---|")
    for path in paths:
        before, after = (", ".join(names) for names in path.way)
        print(f"| {path.kind} | {path.round_trips:g} | {before} | {after} |")


def in_short(memories: Sequence[Memory]) -> str:
    """Medians of both."""
    rss = statistics.median(memory.rss_mb for memory in memories)
    return f"{rss:.0f} ({statistics.median(memory.pss_mb for memory in memories):.0f})"


def median(bursts: Sequence[Burst], figure: Callable[[Burst], float]) -> float:
    """Of one figure."""
    return statistics.median(figure(burst) for burst in bursts)

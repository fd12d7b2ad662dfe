"""What a soak run found, as tables for people and as JSON."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from bench.kept import Kept
from bench.soak_check import Asked, Slope, Verdict, Waits, slope, waits
from bench.soak_traffic import Heard
from bench.soak_trouble import Noted

CALM_S = 5.0
"""A message counts as written in calm if nothing went wrong for so long before it."""
Samples = Mapping[str, Sequence[tuple[float, int, float]]]
"""Of each process: moments, pids and MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One run.

    Attributes:
        minutes: how long people wrote.
        per_s: messages a second.
        redis: what the Redis was.
        written: messages, by platform and subject.
        answered: messages all of whose parts came.
        lost: ids with missing parts.
        doubled_inside: parts that came twice, by the window.
        doubled_outside: parts that came twice for no known reason, with what is known.
        disordered: pairs of ids.
        asked_again: subjects.
        strange: texts that nobody expected.
        limited: 429s of the platforms.
        given_up: Slack's events.
        waits: of all, of those in calm, and of Telegram: Slack brings again after a minute, then after five.
        troubles: kills by role, failovers with seconds, faults by kind.
        fallen: exit codes of processes that ended by themselves.
        memory: by process.
    """

    minutes: float
    per_s: float
    redis: str
    written: dict[str, int]
    answered: int
    lost: dict[str, list[int]]
    doubled_inside: dict[str, int]
    doubled_outside: list[dict[str, object]]
    disordered: list[tuple[str, str]]
    asked_again: list[str]
    strange: list[str]
    limited: int
    given_up: int
    model_calls: int
    waits: dict[str, Waits]
    kills: dict[str, int]
    failovers_s: list[float]
    faults: dict[str, int]
    fallen: dict[str, list[int]]
    memory: dict[str, Slope | None]

    @property
    def kept(self) -> bool:
        """Nothing was lost, out of order, twice without a reason, or other than expected."""
        return not (self.lost or self.disordered or self.doubled_outside or self.strange)


def figures(
    *,
    minutes: float,
    per_s: float,
    since: float,
    redis: str,
    heard: Heard,
    verdict: Verdict,
    noted: Noted,
    processes: Sequence[Kept],
    samples: Samples,
    given_up: int,
) -> Figures:
    """All figures of a run; what was written before `since`, to find the rate, counts for the promises alone."""
    asked = {name: message for name, message in heard.asked.items() if message.at >= since}
    inside = Counter(why_in_short(double.why) for double in verdict.doubled if double.why is not None)
    return Figures(
        minutes=minutes,
        per_s=per_s,
        redis=redis,
        written=dict(Counter(subject(message) for message in asked.values())),
        answered=len(asked.keys() - verdict.lost.keys()),
        lost=verdict.lost,
        doubled_inside=dict(inside),
        doubled_outside=[asdict(double) for double in verdict.unexplained],
        disordered=verdict.disordered,
        asked_again=heard.asked_again,
        strange=heard.strange,
        limited=heard.limited,
        given_up=given_up,
        model_calls=heard.model_calls,
        waits={
            "all": waits(asked, heard.seen),
            "in calm": waits(asked, heard.seen, noted.moments, CALM_S),
            "Telegram": waits({name: one for name, one in asked.items() if name.startswith("telegram")}, heard.seen),
        },
        kills=dict(Counter(name.split()[0] for _, name in noted.kills)),
        failovers_s=[round(took, 2) for _, took in noted.failovers],
        faults=dict(Counter(kind for _, kind, _ in noted.faults)),
        fallen={process.name: process.fallen for process in processes if process.fallen},
        memory={name: slope(of_longest_life(taken, since)) for name, taken in samples.items()},
    )


def subject(message: Asked) -> str:
    """Platform, and whether the answer is short, long, or one that many get."""
    return f"{message.id.split(':')[0]} {message.about.split()[0]}"


def why_in_short(why: str) -> str:
    """The window without the number of the process."""
    return " ".join(word for word in why.split() if not word.isdigit())


def of_longest_life(samples: Sequence[tuple[float, int, float]], since: float) -> list[tuple[float, float]]:
    """The samples from then on of that process, of several with one name, which ran longest."""
    lives: dict[int, list[tuple[float, float]]] = defaultdict(list)
    for at, pid, size in samples:
        if at >= since:
            lives[pid].append((at, size))
    return max(lives.values(), key=len, default=[])


def print_figures(found: Figures) -> None:
    """The tables."""
    inside, outside = sum(found.doubled_inside.values()), len(found.doubled_outside)
    all_waits, calm = found.waits["all"], found.waits["in calm"]
    rows = [
        ("messages written", f"{sum(found.written.values())} in {found.minutes:g} min, {found.per_s:.1f} a second"),
        ("answered whole", str(found.answered)),
        ("**lost**", str(len(found.lost))),
        ("**out of order**", str(len(found.disordered))),
        ("parts seen twice, inside a named window", f"{inside}{in_brackets(found.doubled_inside)}"),
        ("**parts seen twice, outside**", str(outside)),
        ("model asked again for a finished answer", str(len(found.asked_again))),
        ("texts nobody expected", str(len(found.strange))),
        ("429s of the platforms", str(found.limited)),
        ("model calls", str(found.model_calls)),
        ("wait for the first part, s: p50, p99, longest", in_seconds(all_waits)),
        ("the same, Telegram alone", in_seconds(found.waits["Telegram"])),
        (f"the same, {CALM_S:g} s after any trouble or later", f"{in_seconds(calm)} ({calm.number} messages)"),
        ("processes killed", f"{sum(found.kills.values())}{in_brackets(found.kills)}"),
        ("Redis failovers", f"{len(found.failovers_s)}{in_brackets({'s': found.failovers_s})}"),
        ("model faults, 3 to 8 requests each", f"{sum(found.faults.values())}{in_brackets(found.faults)}"),
        ("processes that ended by themselves, exit codes", str(found.fallen or 0)),
        ("events that Slack gave up", str(found.given_up)),
        ("Redis", found.redis),
    ]
    print("\n| what | figure |\n|---|---|")
    for name, value in rows:
        print(f"| {name} | {value} |")
    if not found.kills:
        print_memory(found.memory)
    print_findings(found)


def print_memory(memory: Mapping[str, Slope | None]) -> None:
    """Of processes that lived through the run."""
    print("\n| memory, MB | first minute | last | MB/h ± noise | within noise |")
    print("|---|---|---|---|---|")
    for name, line in memory.items():
        if line is not None:
            within = "yes" if line.within_noise else "**no**"
            line_of = f"{line.first:.1f} | {line.last:.1f} | {line.per_hour:+.2f} ± {line.noise:.2f}"
            print(f"| {name} | {line_of} | {within} |")


def print_findings(found: Figures) -> None:
    """What must be looked at."""
    for name, parts in found.lost.items():
        print(f"LOST {name}: parts {parts}")
    for earlier, later in found.disordered:
        print(f"OUT OF ORDER {earlier} after {later}")
    for double in found.doubled_outside:
        print(f"TWICE {double}")
    for about in found.asked_again:
        print(f"ASKED AGAIN {about}")
    for text in found.strange[:20]:
        print(f"STRANGE {text}")


def in_seconds(found: Waits) -> str:
    """Three figures."""
    return f"{found.p50:.2f}, {found.p99:.2f}, {found.longest:.2f}"


def in_brackets(counts: Mapping[str, object]) -> str:
    """Counts by name, if there are any."""
    return f" ({', '.join(f'{name}: {count}' for name, count in counts.items())})" if any(counts.values()) else ""

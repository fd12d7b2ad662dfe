"""Whether a soak run kept the promises: pure functions over what was written, what was seen, and what is known of both.

A message is lost if a part of its answer never came. It is doubled if a part came twice: *inside* a named window if
the ledger had that part as *sending* without an id when something died, or if its sending ended without an answer;
*outside* otherwise, which is a mistake of the bot. It is out of order if it came before an answer to something written
earlier in the same conversation.
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

NEAR_S = 60.0
"""A window explains a double only if the copy before came so near to it: a lease, a timed out send, a failover."""
FEWEST_MINUTES = 5
"""Of memory, for a line through them."""
STEP_MB = 0.135
"""By so much glibc's heap grows when it has no gap that is large enough: 132 KiB, M_TOP_PAD and a page."""


@dataclass(slots=True, kw_only=True)
class Asked:
    """A message of a person.

    Attributes:
        id: as the bot names the message.
        conversation: in which order counts.
        about: what it asks about, and nothing else in that place does.
        parts: messages that its answer takes.
        at: when it was written, in seconds of one clock.
        taken_at: when the platform was told that the bot has it; None: the platform keeps the order by itself.
    """

    id: str
    conversation: str
    about: str
    parts: int
    at: float
    taken_at: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A part of an answer that reached the platform: of which message, which part, when."""

    id: str
    part: int
    at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A moment in which nobody could know whether a part was out.

    Attributes:
        id: of the message.
        part: None: the part is not known.
        at: when that was noted.
        why: in a few words.
    """

    id: str
    part: int | None
    at: float
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Double:
    """A part that came again: when the copy before came and when this one, and why, if that is known."""

    id: str
    part: int
    before: float
    at: float
    why: str | None


@dataclass(slots=True, kw_only=True)
class Verdict:
    """What was found. `lost` says which parts are missing, `disordered` names (earlier, later) as written."""

    lost: dict[str, list[int]] = field(default_factory=dict)
    doubled: list[Double] = field(default_factory=list)
    disordered: list[tuple[str, str]] = field(default_factory=list)

    @property
    def unexplained(self) -> list[Double]:
        """Doubles outside of every named window."""
        return [double for double in self.doubled if double.why is None]


def check(asked: Mapping[str, Asked], seen: Sequence[Seen], windows: Iterable[Window]) -> Verdict:
    """Compare what was written with what came.

    Args:
        asked: by id, in the order of writing.
        seen: in the order in which it came.
        windows: in any order.
    """
    copies: dict[tuple[str, int], list[float]] = defaultdict(list)
    for one in seen:
        copies[one.id, one.part].append(one.at)
    verdict = Verdict()
    for message in asked.values():
        if missing := [part for part in range(message.parts) if (message.id, part) not in copies]:
            verdict.lost[message.id] = missing
    known: dict[str, list[Window]] = defaultdict(list)
    for window in windows:
        known[window.id].append(window)
    for (name, part), times in copies.items():
        for before, at in pairwise(times):
            why = explanation(known[name], part, before, at)
            verdict.doubled.append(Double(id=name, part=part, before=before, at=at, why=why))
    first = {key: times[0] for key, times in copies.items()}
    verdict.disordered = disordered(asked, first)
    return verdict


def explanation(windows: Sequence[Window], part: int, before: float, at: float) -> str | None:
    """Which window the second of two copies falls into."""
    for window in windows:
        if window.part in (None, part) and abs(window.at - before) <= NEAR_S and window.at <= at:
            return window.why
    return None


def disordered(asked: Mapping[str, Asked], first: Mapping[tuple[str, int], float]) -> list[tuple[str, str]]:
    """Messages (earlier, later) of a conversation of which the later one's answer came first, or parts that did.

    Where the platform had no word for the earlier one when it brought the later one, the order of both is its own.
    """
    place = {name: number for number, name in enumerate(asked)}
    talks: dict[str, list[tuple[float, int, int, str]]] = defaultdict(list)
    for (name, part), at in first.items():
        talks[asked[name].conversation].append((at, place[name], part, name))
    wrong: list[tuple[str, str]] = []
    for talk in talks.values():
        newest: tuple[int, int, str] | None = None
        for _, number, part, name in sorted(talk):
            if newest is None or (number, part) > newest[:2]:
                newest = (number, part, name)
            elif not brought_late(asked[name], asked[newest[2]]):
                wrong.append((name, newest[2]))
    return wrong


def brought_late(earlier: Asked, later: Asked) -> bool:
    """The platform did not have our word for the earlier of two messages when it first brought the later one."""
    return earlier is not later and earlier.taken_at is not None and earlier.taken_at > later.at


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long people waited, from writing until the first part came, in seconds."""

    number: int
    p50: float
    p99: float
    longest: float


def waits(
    asked: Mapping[str, Asked], seen: Sequence[Seen], troubles: Sequence[float] = (), calm_s: float = 0.0
) -> Waits:
    """Of all messages; with `calm_s`, of those alone before whose writing nothing went wrong for so long."""
    first: dict[str, float] = {}
    for one in seen:
        if one.part == 0:
            first.setdefault(one.id, one.at)
    times = sorted(
        first[message.id] - message.at
        for message in asked.values()
        if message.id in first and not any(0 <= message.at - trouble < calm_s for trouble in troubles)
    )
    if not times:
        return Waits(number=0, p50=math.nan, p99=math.nan, longest=math.nan)
    at99 = times[min(len(times) - 1, math.ceil(0.99 * len(times)) - 1)]
    return Waits(number=len(times), p50=statistics.median(times), p99=at99, longest=times[-1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Slope:
    """A process's memory: mean of the first and of the last minute in MB, MB per hour, and what may be by chance."""

    first: float
    last: float
    per_hour: float
    noise: float

    @property
    def within_noise(self) -> bool:
        """It cannot be told from no growth at all; how much could hide in the noise, `noise` says."""
        return abs(self.per_hour) <= self.noise


def slope(samples: Sequence[tuple[float, float]]) -> Slope | None:
    """A line through (seconds, MB) by least squares over the means of minutes; None in less than `FEWEST_MINUTES`.

    Memory goes up in steps, so a minute resembles the one before: fewer of them are independent of each other than
    there are. How many, the correlation of neighbouring residuals says (Santer et al. 2000, *Statistical significance
    of trends and trend differences in layer-average atmospheric temperature time series*). The noise is twice the
    standard error, and at least what one step of the heap in the middle of the time makes of a level line.
    """
    minutes: dict[int, list[float]] = defaultdict(list)
    for at, size in samples:
        minutes[int((at - samples[0][0]) // 60)].append(size)
    if len(minutes) < FEWEST_MINUTES:
        return None
    hours, sizes = [minute / 60 for minute in minutes], [statistics.fmean(taken) for taken in minutes.values()]
    line = statistics.linear_regression(hours, sizes)
    rest = [size - line.intercept - line.slope * hour for hour, size in zip(hours, sizes, strict=True)]
    squares = sum(each * each for each in rest)
    alike = max(0.0, sum(one * other for one, other in pairwise(rest)) / squares) if squares else 0.0
    independent = len(rest) * (1 - alike) / (1 + alike)
    spread = sum((hour - statistics.fmean(hours)) ** 2 for hour in hours)
    error = math.sqrt(squares / max(1.0, independent - 2) / spread)
    step = 1.5 * STEP_MB / (hours[-1] - hours[0])
    return Slope(first=sizes[0], last=sizes[-1], per_hour=line.slope, noise=max(2 * error, step))

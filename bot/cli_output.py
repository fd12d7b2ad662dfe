"""What the commands draw in the terminal: a progress bar and a table. Imports rich, so it is imported late."""

from __future__ import annotations

import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Column, Table
from rich.text import Text

from bot.knowledge.progress import Progress
from bot.turn import Passage

SNIPPET_CHARS = 200
"""Of a passage's text in the table; the whole text is in the JSON."""
PIPED_WIDTH = 160
"""Columns of a table that goes into a file or another program, which has no width of its own."""


PACE_WINDOW = 30.0
"""Seconds over which rate and time left are measured: files differ, and unchanged ones are done in no time."""
SAMPLE_EVERY = 0.5
LINE_EVERY = 10.0
"""Seconds between the lines that stand for the bar where there is no terminal."""


class Pace:
    """How fast an ingest has been going lately.

    Args:
        now: seconds when it began, on any clock.
    """

    def __init__(self, now: float) -> None:
        self._samples = deque([(now, 0.0, 0)])
        self._latest = self._samples[0]

    def add(self, now: float, progress: Progress) -> None:
        """How far it is now."""
        self._latest = (now, progress.share, progress.passages)
        if now - self._samples[-1][0] >= SAMPLE_EVERY:
            self._samples.append(self._latest)
        while len(self._samples) > 1 and now - self._samples[1][0] >= PACE_WINDOW:
            self._samples.popleft()

    @property
    def passages_per_second(self) -> float:
        """Written."""
        (began, _, before), (now, _, passages) = self._samples[0], self._latest
        return (passages - before) / (now - began) if now > began else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Until all is done, if it goes on like this; None while nothing can be said."""
        (began, before, _), (now, share, _) = self._samples[0], self._latest
        return (1 - share) * (now - began) / (share - before) if share > before else None


def progress_text(progress: Progress, pace: Pace) -> str:
    """Such as `12/340 documents, 456 passages, 35/s, 0:02:05 left`."""
    figures = f"{progress.done}/{progress.total} documents, {progress.passages} passages"
    if pace.passages_per_second:
        figures += f", {pace.passages_per_second:.0f}/s"
    if pace.seconds_left is not None:
        figures += f", {timedelta(seconds=math.ceil(pace.seconds_left))} left"
    return figures


@contextmanager
def progress_bar(now: Callable[[], float] = time.monotonic) -> Iterator[Callable[[Progress], None]]:
    """Tells on standard error how far it is: a bar, gone at the end; without a terminal, now and then a line.

    Args:
        now: seconds.
    """
    console = Console(stderr=True)
    pace = Pace(now())
    if not console.is_terminal:
        yield _lines(console, pace, now)
        return
    path = TextColumn("{task.fields[path]}", table_column=Column(no_wrap=True, overflow="ellipsis"))
    with Bar(BarColumn(), TextColumn("{task.description}"), path, console=console, transient=True) as bar:
        task = bar.add_task("", total=1.0, path="")

        def show(progress: Progress) -> None:
            pace.add(now(), progress)
            figures = progress_text(progress, pace)
            bar.update(task, completed=progress.share, description=figures, path=escape(progress.path))

        yield show


def _lines(console: Console, pace: Pace, now: Callable[[], float]) -> Callable[[Progress], None]:
    told = now()

    def show(progress: Progress) -> None:
        nonlocal told
        at = now()
        pace.add(at, progress)
        if at - told >= LINE_EVERY:
            told = at
            console.print(Text(progress_text(progress, pace)), soft_wrap=True)

    return show


def print_table(passages: Sequence[Passage]) -> None:
    """The passages, best first, as a table on standard output."""
    console = Console()
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console = Console(width=PIPED_WIDTH)
    table = Table("score", "distance", "document", "text", show_lines=True)
    for passage in passages:
        distance = "-" if passage.cosine_distance is None else f"{passage.cosine_distance:.3f}"
        heading = " › ".join(filter(None, (passage.title, passage.place)))
        shown = passage.text if len(passage.text) <= SNIPPET_CHARS else f"{passage.text[: SNIPPET_CHARS - 1]}…"
        # Text objects: what a document says is not markup.
        table.add_row(f"{passage.score:.3f}", distance, Text(f"{passage.document}\n{heading}"), Text(shown))
    console.print(table)

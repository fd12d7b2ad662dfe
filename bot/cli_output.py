"""What the commands draw in the terminal: a progress bar and a table. Imports rich, so it is imported late."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.table import Table
from rich.text import Text

from bot.knowledge.ingest import Progress
from bot.turn import Passage

SNIPPET_CHARS = 200
"""Of a passage's text in the table; the whole text is in the JSON."""
PIPED_WIDTH = 160
"""Columns of a table that goes into a file or another program, which has no width of its own."""


@contextmanager
def progress_bar() -> Iterator[Callable[[Progress], None]]:
    """A bar on standard error while documents are read; gone at the end, and not drawn where there is no terminal."""
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.description}"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def show(progress: Progress) -> None:
            bar.update(task, completed=progress.done, total=progress.total, description=escape(progress.path))

        yield show


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

"""What every format's reader gives: parts of text below the headings that lead to them.

Also how a table is written, the same for all formats: as Markdown, one row a line, so that `bot.knowledge.split` keeps
it whole and people see a table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

Heading = tuple[int, str]
"""Level from 1, and text."""


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a document below one heading, on one page.

    Attributes:
        headings: that lead here, outermost first.
        text: below them, up to the next heading.
        spot: where that is beside the headings: `p. 3`, `slide 4`; empty if the format has nothing of the kind.
    """

    headings: tuple[Heading, ...]
    text: str
    spot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A document as its format's reader sees it.

    Attributes:
        parts: in order.
        title: that it gives itself; may be empty.
        url: where it says that it can be seen; unchecked, may be empty.
    """

    parts: Sequence[Part]
    title: str = ""
    url: str = ""


class Writer:
    """Collects blocks of text below headings into parts."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._trail: tuple[Heading, ...] = ()
        self._blocks: list[str] = []
        self.spot = ""

    def head(self, level: int, text: str) -> None:
        """Begin a part below a heading; one of the same or a lower level ends. An empty heading is none."""
        text = " ".join(text.split())
        if text:
            self.close()
            self._trail = (*(one for one in self._trail if one[0] < level), (level, text))

    def write(self, text: str) -> None:
        """Add text as it is."""
        self._blocks.append(text)

    def block(self, text: str) -> None:
        """Add a paragraph, a table or the like, with a blank line after it; nothing if it is blank."""
        if text.strip():
            self._blocks.append(f"{text}\n\n")

    def close(self) -> None:
        """End the part; the next one stands below the same headings."""
        self._parts.append(Part(self._trail, "".join(self._blocks), self.spot))
        self._blocks = []

    def finished(self) -> list[Part]:
        """All parts; the last one is ended."""
        self.close()
        return self._parts


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells as a Markdown table, the first row as its head; without empty rows and columns.

    Cells may hold anything: line ends become blanks, bars are escaped. What has one column only is no table but lines.
    """
    cells = [[_cell(cell) for cell in row] for row in rows]
    cells = [row for row in cells if any(row)]
    width = max((len(row) for row in cells), default=0)
    used = [column for column in range(width) if any(column < len(row) and row[column] for row in cells)]
    full = [[row[column] if column < len(row) else "" for column in used] for row in cells]
    if len(used) <= 1:
        return "\n".join(row[0] for row in full)
    lines = ["| " + " | ".join(row) + " |" for row in full]
    return "\n".join((lines[0], "|" + " --- |" * len(used), *lines[1:]) if len(lines) > 1 else lines)


def fenced(code: str, language: str = "") -> str:
    """A block of code between fences that it does not contain itself."""
    longest = max((len(run) for run in re.findall(r"^ *(`{3,})", code, re.MULTILINE)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{code.strip(chr(10)).rstrip()}\n{fence}"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

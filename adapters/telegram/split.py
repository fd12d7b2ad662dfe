"""Splits a long text with entities into messages: by paragraph, line, sentence, word, and only then anywhere.

Pure. A code fence is not cut unless it is longer than a message; then it is cut by lines, and each piece is a fence
again. Nothing is cut within what a reader sees as one character. Offsets of entities are UTF-16 code units.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

from adapters.telegram.grapheme import is_boundary

MAX_UNITS = 4096
MAX_ENTITIES = 100
"""Telegram ignores the rest, so the text is cut before the next one begins."""
_FULLEST = 4
"""A cut in the first quarter of what would fit is only made where no other is left: rather a sentence cut than a
message of one line."""

_PARAGRAPH = re.compile(r"\n[ \t]*\n\s*")
_LINE = re.compile(r"\n")
_SENTENCE = re.compile(r"(?<=[.!?…])[ \t]+|(?<=[。！？；])(?=\S)")
_SPACE = re.compile(r"\s+")

Entity = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    """An entity by positions in the text."""

    start: int
    end: int
    entity: Entity


class _Splitter:
    """One text on its way into pieces; positions are those of Python's characters."""

    def __init__(self, text: str, entities: list[Entity]) -> None:
        self._text = text
        self._units = [0, *accumulate(2 if char > "\uffff" else 1 for char in text)]
        self._styles = sorted(self._placed(entities), key=lambda style: (style.start, -style.end))
        self._fences = [style for style in self._styles if style.entity.get("type") == "pre"]

    def pieces(self) -> Iterator[tuple[str, list[Entity]]]:
        """The pieces in order, none of them blank."""
        start = self._skip(0)
        while start < len(self._text):
            end = self._end(start)
            kept = start + len(self._text[start:end].rstrip())
            if kept > start:
                yield self._text[start:kept], self._within(start, kept)
            start = self._skip(end)

    def _placed(self, entities: list[Entity]) -> Iterator[_Style]:
        for entity in entities:
            offset, length = int(str(entity["offset"])), int(str(entity["length"]))
            start, end = self._position(offset), self._position(offset + length)
            if start < end:
                yield _Style(start=start, end=end, entity=entity)

    def _position(self, units: int) -> int:
        return max(bisect_right(self._units, units) - 1, 0)

    def _skip(self, place: int) -> int:
        """The next character to show: whitespace goes, but within a fence only line breaks do."""
        while place < len(self._text) and self._text[place].isspace():
            if self._text[place] != "\n" and any(fence.start <= place < fence.end for fence in self._fences):
                break
            place += 1
        return place

    def _end(self, start: int) -> int:
        """Where the piece that starts here ends."""
        limit = self._limit(start)
        if limit == len(self._text):
            return limit
        least = start + (limit - start) // _FULLEST
        for fullest in (least, start):
            for pattern in (_PARAGRAPH, _LINE, _SENTENCE, _SPACE):
                if (cut := self._last_cut(pattern, fullest, limit, start)) is not None:
                    return cut
            if (cut := self._before_fence(fullest, limit)) is not None:
                return cut
        return self._hard_cut(start, limit)

    def _limit(self, start: int) -> int:
        """The farthest end that Telegram takes."""
        limit = self._position(self._units[start] + MAX_UNITS)
        later = [style.start for style in self._styles if style.end > start and style.start < limit]
        if len(later) > MAX_ENTITIES and later[MAX_ENTITIES] > start:
            limit = min(limit, later[MAX_ENTITIES])
        return limit

    def _last_cut(self, pattern: re.Pattern[str], least: int, limit: int, start: int) -> int | None:
        cuts = [match.start() for match in pattern.finditer(self._text, least, min(limit + 1, len(self._text)))]
        return next((cut for cut in reversed(cuts) if least < cut <= limit and self._may_cut(cut, start)), None)

    def _may_cut(self, cut: int, start: int) -> bool:
        """Not within a fence that fits into a message of its own, nor within one visible character."""
        fence = self._fence_around(cut)
        if fence is not None and self._units[fence.end] - self._units[fence.start] <= MAX_UNITS and fence.start > start:
            return False
        return is_boundary(self._text, cut) and is_boundary(self._text, self._skip(cut))

    def _before_fence(self, least: int, limit: int) -> int | None:
        fence = self._fence_around(limit)
        return fence.start if fence is not None and fence.start > least else None

    def _hard_cut(self, start: int, limit: int) -> int:
        """The last place between two visible characters; a single one that fills a message is cut after all."""
        return next((cut for cut in range(limit, start, -1) if is_boundary(self._text, cut)), limit)

    def _fence_around(self, place: int) -> _Style | None:
        return next((fence for fence in self._fences if fence.start < place < fence.end), None)

    def _within(self, start: int, end: int) -> list[Entity]:
        """The entities of a piece, moved to its start and clipped to it."""
        base = self._units[start]
        inside = [style for style in self._styles if style.start < end and style.end > start][:MAX_ENTITIES]
        return [
            {
                **style.entity,
                "offset": self._units[max(style.start, start)] - base,
                "length": self._units[min(style.end, end)] - self._units[max(style.start, start)],
            }
            for style in inside
        ]


def split(text: str, entities: list[Entity]) -> list[tuple[str, list[Entity]]]:
    """The text in pieces that Telegram takes, each with its entities; none for a blank text.

    Args:
        text: without surrogates.
        entities: `MessageEntity` records, offsets in UTF-16 units.
    """
    return list(_Splitter(text, entities).pieces())

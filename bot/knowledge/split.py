"""Sections of a document → passages, small enough to be found and quoted, whole enough to be understood.

Pure: text in, text out. A section's paragraphs are packed into passages; a paragraph too long is cut between
sentences (English and CJK punctuation), a sentence too long between words, and only a run without blanks inside.
A fenced block of code or a table stays whole if it fits. Neighbours within a section share their border
sentence, so that an answer that stands across the border is found. Everything in between is a verbatim slice of the
text: only blanks at the ends of passages are lost.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from bot.tokens import FIRST_CJK, TOKENS_PER_CJK, TOKENS_PER_OTHER, estimate_tokens

TARGET_TOKENS = 220
"""Where a passage is closed. Longer ones blur the vector (it is one point for all they say) and crowd the prompt;
shorter ones tear answers apart. Five of these are about 1,100 tokens of a prompt."""
MAX_TOKENS = 400
"""What a code block or table may reach before it is cut, and the hard bound for all passages without overlap."""
HALF_FULL_TOKENS = TARGET_TOKENS / 2
"""A passage at least this full is closed before a paragraph that would not fit whole, instead of within it."""
OVERLAP_TOKENS = 40
"""The last sentence of a passage is repeated at the head of the next one if it is no longer than this."""

_SENTENCE_END = re.compile(r"[。！？；…]+[”’」』）]*|[.!?]+[\"')\]”’]*(?=\s)|\n")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage before it has a name.

    Attributes:
        place: headings that lead to it, joined by ` › `.
        text: the passage, without blank lines around it, never empty.
    """

    place: str
    text: str


def split(sections: Sequence[tuple[str, str]]) -> list[Piece]:
    """Cut sections (place, text) into passages, in order. A passage never crosses a section's border."""
    return [Piece(place, text) for place, body in sections for text in _pack(_units(body))]


@dataclass(frozen=True, slots=True)
class _Unit:
    """A slice that is not cut any further: a sentence, a whole block, or a part of one too long.

    Attributes:
        text: with the blanks that follow it.
        tokens: estimate.
        sentence: it may be repeated as overlap.
        block_tokens: of the whole paragraph or block, on its first unit; else 0.
    """

    text: str
    tokens: float
    sentence: bool
    block_tokens: float


def _pack(units: Iterable[_Unit]) -> Iterator[str]:
    """Fill passages up to the target; begin each with the border sentence of the one before."""
    current, size = "", 0.0
    last: _Unit | None = None
    for unit in units:
        full = size + unit.tokens > TARGET_TOKENS
        better_cut_here = size >= HALF_FULL_TOKENS and size + unit.block_tokens > TARGET_TOKENS
        if last and (full or (better_cut_here and unit.block_tokens)):
            yield _trimmed(current)
            current = _overlap(last, unit)
            size = estimate_tokens(current)
        current += unit.text
        size += unit.tokens
        last = unit
    if last:
        yield _trimmed(current)


def _trimmed(text: str) -> str:
    """Without blank lines before it and blanks after it; the indent of its first line stays."""
    return re.sub(r"^(?:[^\S\n]*\n)+", "", text).rstrip()


def _overlap(last: _Unit, following: _Unit) -> str:
    fits = last.tokens <= OVERLAP_TOKENS and last.tokens + following.tokens <= MAX_TOKENS
    return last.text if last.sentence and fits else ""


def _units(body: str) -> Iterator[_Unit]:
    for block, whole in _blocks(body):
        if not block.strip():
            continue
        tokens = estimate_tokens(block)
        if whole and tokens <= MAX_TOKENS:
            yield _Unit(block, tokens, sentence=False, block_tokens=tokens)
            continue
        for number, part in enumerate(_parts(block.splitlines(keepends=True) if whole else _sentences(block))):
            yield _Unit(part, estimate_tokens(part), sentence=not whole, block_tokens=0 if number else tokens)


def _blocks(body: str) -> Iterator[tuple[str, bool]]:
    """Paragraphs with the blank lines after them, and fenced code and tables as wholes (True); joined, the body."""
    block, kind, after_blank = "", "", False
    for line, line_kind in _kinds(body.splitlines(keepends=True)):
        blank = not line.strip()
        if block and not blank and (line_kind != kind or (after_blank and line_kind == "text")):
            yield block, kind != "text"
            block = ""
        if not blank or line_kind.startswith("fence"):
            kind = line_kind
        block += line
        after_blank = blank
    if block:
        yield block, kind not in ("text", "")


def _kinds(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each line with what it is part of: `text`, `table` or `fence<n>`; an unclosed fence reaches to the end."""
    number, open_fence = 0, ""
    for line in lines:
        match = _FENCE.match(line)
        if open_fence:
            yield line, f"fence{number}"
            if match and match[1].startswith(open_fence) and not line.strip().strip(open_fence[0]):
                open_fence = ""
        elif match:
            number, open_fence = number + 1, match[1]
            yield line, f"fence{number}"
        else:
            yield line, "table" if line.lstrip().startswith("|") else "text"


def _sentences(paragraph: str) -> Iterator[str]:
    """Cut after sentence ends and line ends; each slice keeps its punctuation and the blanks that follow."""
    start = 0
    for match in _SENTENCE_END.finditer(paragraph):
        end = match.end()
        while end < len(paragraph) and paragraph[end].isspace():
            end += 1
        if end > start:
            yield paragraph[start:end]
            start = end
    if start < len(paragraph):
        yield paragraph[start:]


def _parts(slices: Iterable[str]) -> Iterator[str]:
    """Slices as they are, or cut at blanks, or anywhere, so that each stays under the target."""
    for text in slices:
        rest = text
        while len(rest) > (room := _room(rest)):
            blank = max(rest.rfind(mark, 0, room) for mark in " ，、")
            cut = blank + 1 if blank > room // 2 else room
            yield rest[:cut]
            rest = rest[cut:]
        yield rest


def _room(text: str) -> int:
    """How many characters of the text stay under the target."""
    size = 0.0
    for at, character in enumerate(text):
        size += TOKENS_PER_CJK if character >= FIRST_CJK else TOKENS_PER_OTHER
        if size > TARGET_TOKENS:
            return at
    return len(text)

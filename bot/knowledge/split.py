"""Sections of a document → passages, small enough to be found and quoted, whole enough to be understood.

Pure: text in, text out, in time linear in the text. What belongs together stays together: a paragraph, a list, a
fenced block of code or a table is cut only if it alone is longer than a passage may be; a paragraph then between
sentences, code between lines, a table between rows. Parts of a paragraph share their border sentence, so that an
answer that stands across the border is found; each part of a table begins with its header, each part of a block of
code has its fences. Apart from that a passage is a slice of the text, and only blanks between slices are lost.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.knowledge.sentences import sentences
from bot.tokens import FIRST_CJK, TOKENS_PER_CJK, TOKENS_PER_OTHER, estimate_tokens


@dataclass(frozen=True, slots=True)
class Sizes:
    """How long passages are, in estimated tokens; `bench/splitting.py` is where they were chosen.

    Attributes:
        target: paragraphs are joined up to here. Longer passages blur the vector, one point for all that they say,
            and crowd the prompt; shorter ones tear apart what explains each other.
        limit: no passage is longer; a paragraph, a table or code is cut only beyond it.
        overlap: a sentence longer than this is not repeated in the next part of its paragraph.
    """

    target: int = 220
    limit: int = 400
    overlap: int = 100


SIZES = Sizes()
LEAD_IN_TOKENS = 60
"""A paragraph that ends in a colon and is no longer than this stays with what it introduces."""

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_RULE = re.compile(r"\s*\|[\s:|-]*-[\s:|-]*")
"""The second row of a Markdown table; it makes the first one the header."""
_WEAK_ENDS = (("\n",), ("; ", ": ", "；", "："), (", ", "，", "、"), (" ", "\t", "\u3000"))
"""Where a sentence too long is cut, the best first."""

Kind = Literal["text", "table", "code"]


@dataclass(frozen=True, slots=True)
class Piece:
    """A passage before it has a name.

    Attributes:
        place: headings that lead to it, joined by ` › `.
        text: the passage, without blank lines around it, never empty.
    """

    place: str
    text: str


def split(sections: Sequence[tuple[str, str]], sizes: Sizes = SIZES) -> list[Piece]:
    """Cut sections (place, text) into passages, in order. A passage never crosses a section's border."""
    return [Piece(place, text) for place, body in sections for text in _packed(_chunks(body, sizes), sizes)]


@dataclass(frozen=True, slots=True)
class _Block:
    """A paragraph, table or fenced block.

    Attributes:
        text: without the blank lines around it.
        gap: what separates it from the next one: a line break, or two where there were blank lines.
        tokens: estimate.
    """

    kind: Kind
    text: str
    gap: str
    tokens: int


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A whole block, or a part of one too long.

    Attributes:
        goes_on: it is a part, and not the first one: a passage begins with it.
    """

    text: str
    gap: str
    tokens: int
    goes_on: bool = False


def _packed(chunks: Iterable[_Chunk], sizes: Sizes) -> Iterator[str]:
    """Join chunks up to the target; less than half a passage takes one more, up to the limit."""
    current, size = "", 0
    for chunk in chunks:
        total = size + chunk.tokens + 1
        fits = total <= (sizes.limit if size < sizes.target / 2 else sizes.target)
        if current and (chunk.goes_on or not fits):
            yield current.rstrip()
            current, total = "", chunk.tokens
        current, size = current + chunk.text + chunk.gap, total
    if current:
        yield current.rstrip()


def _chunks(body: str, sizes: Sizes) -> Iterator[_Chunk]:
    for block in _led_in(_blocks(body), sizes.limit):
        if block.tokens <= sizes.limit:
            yield _Chunk(block.text, block.gap, block.tokens)
            continue
        for number, part in enumerate(_cut(block, sizes)):
            yield _Chunk(part, block.gap, estimate_tokens(part), goes_on=number > 0)


# --- blocks -----------------------------------------------------------------------------------------------------


def _blocks(body: str) -> Iterator[_Block]:
    lines: list[str] = []
    kind, blank = "", False
    for line, line_kind in _kinds(body.splitlines(keepends=True)):
        if not line.strip() and not line_kind.startswith("code"):
            blank = True
            continue
        if lines and (line_kind != kind or (blank and line_kind == "text")):
            yield from _block(kind, lines, blank)
            lines = []
        kind, blank = line_kind, False
        lines.append(line)
    yield from _block(kind, lines, blank)


def _block(kind: str, lines: Sequence[str], blank: bool) -> Iterator[_Block]:
    text = "".join(lines).rstrip()
    if text:
        known: Kind = "code" if kind.startswith("code") else "table" if kind == "table" else "text"
        yield _Block(known, text, "\n\n" if blank else "\n", estimate_tokens(text))


def _kinds(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each line with what it is part of: `text`, `table` or `code<n>`; an unclosed fence reaches to the end."""
    number, open_fence = 0, ""
    for line in lines:
        match = _FENCE.match(line)
        if open_fence:
            yield line, f"code{number}"
            if match and match[1].startswith(open_fence) and not line.strip().strip(open_fence[0]):
                open_fence = ""
        elif match:
            number, open_fence = number + 1, match[1]
            yield line, f"code{number}"
        else:
            yield line, "table" if line.lstrip().startswith("|") else "text"


def _led_in(blocks: Iterable[_Block], limit: int) -> Iterator[_Block]:
    """The blocks, those that introduce the next one (`Do this:`) joined to it if both fit into one passage."""
    before: _Block | None = None
    for block in blocks:
        joined = block
        if before and before.tokens + block.tokens < limit:
            joined = _Block(block.kind, before.text + before.gap + block.text, block.gap, before.tokens + block.tokens)
        elif before:
            yield before
        before = joined if joined.tokens <= LEAD_IN_TOKENS and joined.text.endswith((":", "：")) else None
        if before is None:
            yield joined
    if before:
        yield before


# --- what is too long -------------------------------------------------------------------------------------------


def _cut(block: _Block, sizes: Sizes) -> Iterator[str]:
    """About equal parts of a block, each within the limit, what is repeated in it included."""
    head, slices, foot = _frame(block, sizes)
    repeated = sizes.overlap if block.kind == "text" else estimate_tokens(head) + estimate_tokens(foot)
    room = max(sizes.limit - repeated, 1)
    units = [(text, estimate_tokens(text)) for text in _short_enough(slices, min(sizes.target, room))]
    total = sum(tokens for _, tokens in units)
    fair = total / math.ceil(total / min(sizes.target, room))
    part, size, done, number, border = "", 0, 0, 1, ""
    for at, (text, tokens) in enumerate(units):
        # The cut nearest to where it would be if all parts were of one length.
        if part and (size + tokens > room or done + tokens / 2 > fair * number):
            yield head + border + part.rstrip() + foot
            last, last_tokens = units[at - 1]
            border = last if block.kind == "text" and last_tokens <= sizes.overlap else ""
            part, size, number = "", 0, number + 1
        if part or text.strip():
            part, size = part + text, size + tokens
        done += tokens
    if part:
        yield head + border + part.rstrip() + foot


def _frame(block: _Block, sizes: Sizes) -> tuple[str, Iterable[str], str]:
    """What each part begins with, the slices of all that is between, and what each part ends with."""
    if block.kind == "text":
        return "", sentences(block.text), ""
    lines = block.text.splitlines(keepends=True)
    if block.kind == "table":
        count, foot, inner = 2 if len(lines) > 2 and _RULE.fullmatch(lines[1]) else 0, "", lines[2:]
    else:
        fence = _FENCE.match(lines[0])
        mark = fence[1] if fence else ""
        count, foot = 1, "\n" + mark
        inner = lines[1:-1] if lines[-1].strip().startswith(mark) else lines[1:]
    head = "".join(lines[:count])
    if not count or estimate_tokens(head) + estimate_tokens(foot) > sizes.limit / 2:
        return "", lines, ""
    return head, inner, foot


def _short_enough(slices: Iterable[str], room: int) -> Iterator[str]:
    """Slices as they are, those longer than so many tokens cut where it hurts least."""
    for text in slices:
        start = 0
        while (end := _within(text, start, room)) < len(text):
            middle = start + (end - start) // 2
            cuts = (max(text.rfind(mark, middle, end) + len(mark) for mark in marks) for marks in _WEAK_ENDS)
            end = next((cut for cut in cuts if cut > middle), end)
            yield text[start:end]
            start = end
        yield text[start:]


def _within(text: str, start: int, room: int) -> int:
    """Where so many tokens from the start end; at least one character on."""
    size = 0.0
    for at in range(start, len(text)):
        size += TOKENS_PER_CJK if text[at] >= FIRST_CJK else TOKENS_PER_OTHER
        if size > room:
            return max(at, start + 1)
    return len(text)

"""Markdown as Slack takes it: parts of at most 12,000 characters for `markdown_text`, which Slack renders itself.

Pure. Nothing is converted; the text is cut and made harmless. A fence is never cut open: one that is longer than a
part is closed and opened again with its info string. Slack's control sequences (`<!channel>`, `<@U…>`) get an
invisible character after the bracket, and `@channel`, `@here` and `@everyone` one after the `@`, in code too: whether
Slack pings from inside code is not documented, a workspace woken up by an answer is worse than a rare invisible
character, and no other code is touched.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from adapters.slack.cut import cut, slices
from bot.message import Part

MARKDOWN_LIMIT = 12_000
"""Of `markdown_text`, by Slack's reference. We count UTF-16 units, never fewer than characters, as that is not said."""

_PING = re.compile(
    r"<(?=@[UWB][A-Z0-9]|#[CGD][A-Z0-9]|!(?i:subteam|here|channel|everyone|group|date)\b)"
    r"|(?<![\w.+-])@(?=(?i:here|channel|everyone)\b)"
)
_INVISIBLE = "\u200b"
_FENCE = re.compile(r"[ \t]*(`{3,}(?=[^`]*$)|~{3,})")
_NOTHING = "…"
"""What stands for an empty text: Slack refuses one, and a reply must not end in silence."""


def length(text: str) -> int:
    """Length as we count it against Slack's limit: UTF-16 units."""
    return len(text) + sum(char > "\uffff" for char in text)


def format_markdown(markdown: str, *, limit: int = MARKDOWN_LIMIT) -> tuple[Part, ...]:
    """Cut into parts within the limit; at least one, none blank, nothing but white space at the seams left out."""
    parts = _packed(_blocks(_harmless(markdown)), limit)
    return tuple(Part(text=text) for text in parts if text.strip()) or (Part(text=_NOTHING),)


def _harmless(markdown: str) -> str:
    return _PING.sub(rf"\g<0>{_INVISIBLE}", markdown)


@dataclass(frozen=True, slots=True)
class _Block:
    """A paragraph or a whole fence, without the line feeds around it.

    Attributes:
        text: the block.
        gap: the blank lines before it.
        fence: the marker that closes it, if it is a fence.
    """

    text: str
    gap: str
    fence: str = ""


def _blocks(markdown: str) -> Iterator[_Block]:
    lines = markdown.split("\n")
    start = at = 0
    gap = ""
    while at < len(lines):
        opening = _FENCE.match(lines[at])
        if opening is None:
            if lines[at].strip():
                at += 1
                continue
            # A blank line ends a paragraph; it belongs to the gap before the next one.
            yield from _block(lines[start:at], gap)
            gap = "\n\n"
            at += 1
            start = at
            continue
        yield from _block(lines[start:at], gap)
        gap = "\n" if start < at else gap
        start, at = at, _after_fence(lines, at, opening[1])
        yield _Block("\n".join(lines[start:at]), gap, opening[1])
        start, gap = at, "\n"
    yield from _block(lines[start:], gap)


def _block(lines: list[str], gap: str) -> Iterator[_Block]:
    if lines:
        yield _Block("\n".join(lines), gap)


def _after_fence(lines: list[str], opening: int, marker: str) -> int:
    for at in range(opening + 1, len(lines)):
        stripped = lines[at].strip()
        if stripped.startswith(marker) and not stripped.strip(marker[0]):
            return at + 1
    return len(lines)


def _packed(blocks: Iterator[_Block], limit: int) -> Iterator[str]:
    """As many blocks as fit into each part."""
    part: list[str] = []
    filled = 0
    for block in blocks:
        for number, piece in enumerate(_pieces(block, limit)):
            gap = block.gap if part else ""
            # A block in several pieces fills each part but the last.
            if part and (number or filled + length(gap) + length(piece) > limit):
                yield "".join(part)
                part, filled, gap = [], 0, ""
            part += (gap, piece)
            filled += length(gap) + length(piece)
    yield "".join(part)


def _pieces(block: _Block, limit: int) -> Iterator[str]:
    if length(block.text) <= limit:
        yield block.text
    elif block.fence:
        yield from _fence_pieces(block, limit)
    else:
        yield from cut(block.text, limit, length)


def _fence_pieces(block: _Block, limit: int) -> Iterator[str]:
    """A long fence as several fences, cut between lines where that is possible."""
    opening, *lines = block.text.split("\n")
    if lines and lines[-1].strip().startswith(block.fence) and not lines[-1].strip().strip(block.fence[0]):
        lines.pop()
    room = limit - length(opening) - length(block.fence) - len("\n\n")
    if room < limit // 2:
        # An info string as long as a part is no info string: plain text.
        yield from cut(block.text, limit, length)
        return
    for code in _code_pieces(lines, room):
        yield f"{opening}\n{code}\n{block.fence}"


def _code_pieces(lines: list[str], room: int) -> Iterator[str]:
    piece: list[str] = []
    filled = 0
    for line in lines:
        for fragment in _fragments(line, room):
            if piece and filled + length(fragment) > room:
                yield "\n".join(piece)
                piece, filled = [], 0
            piece.append(fragment)
            filled += length(fragment) + 1
    if piece:
        yield "\n".join(piece)


def _fragments(line: str, room: int) -> list[str]:
    return [line] if length(line) <= room else list(slices(line, room, length))

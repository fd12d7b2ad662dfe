"""Cutting a long text into pieces at the best place: paragraph, line, sentence, space, else between two characters.

Pure, and knows neither Markdown nor a platform: the caller says how long a text is. White space at a seam is dropped,
all else arrives. What people see as one character (an emoji with its modifiers, a flag, a letter with its accents) is
cut only if it is longer than a whole piece.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator

_BOUNDARIES = (
    re.compile(r"\n[ \t]*\n"),
    re.compile(r"\n"),
    re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s|(?<=[。！？；])"),
    re.compile(r"\s|(?<=[，、])"),
)
"""Where to cut, the best first. A match is cut at its end; its white space goes."""
_LEAST_FILLED = 4
"""A better boundary counts only in the last three quarters of a piece: tiny pieces read worse than cut paragraphs."""

_JOINER = "\u200d"
_LONGEST_CLUSTER_CHARS = 64
"""How far back the start of a character is looked for; longer ones exist only to break programs."""


def cut(text: str, limit: int, length: Callable[[str], int] = len) -> Iterator[str]:
    """Cut a text into pieces.

    Args:
        text: any text.
        limit: greatest length of a piece, at least 1 and at least that of each single code point.
        length: of a text, not shrinking as the text grows; at least 1 per code point.

    Yields:
        Pieces that are not blank, each within the limit.
    """
    rest = text
    while length(rest) > limit:
        end = _end(rest, limit, length)
        piece = rest[:end].rstrip()
        if piece:
            yield piece
        # Only blank lines and the spaces at the seam go: the next line keeps its indentation.
        rest = re.sub(r"\A(?:[^\S\n]*\n)+|\A[^\S\n]+", "", rest[end:]) if _at_space(rest, end) else rest[end:]
    if rest.strip():
        yield rest.rstrip()


def slices(text: str, limit: int, length: Callable[[str], int] = len) -> Iterator[str]:
    """Cut a text into pieces within the limit that together are the text, character for character: for code."""
    rest = text
    while length(rest) > limit:
        end = _between_characters(rest, max(fitting(rest, limit, length), 1))
        yield rest[:end]
        rest = rest[end:]
    yield rest


def fitting(text: str, limit: int, length: Callable[[str], int] = len) -> int:
    """How many code points of the text fit into `limit`."""
    return bisect_right(range(1, min(len(text), limit) + 1), limit, key=lambda end: length(text[:end]))


def _end(text: str, limit: int, length: Callable[[str], int]) -> int:
    most = max(fitting(text, limit, length), 1)
    # One more character is looked at: a boundary may stand right after the last one that fits.
    window = text[: most + 1]
    least = most // _LEAST_FILLED
    for boundary in _BOUNDARIES:
        ends = [m.start() if m[0].isspace() else m.end() for m in boundary.finditer(window)]
        good = [end for end in ends if least < end <= most]
        if good:
            return good[-1]
    return _between_characters(text, most)


def _at_space(text: str, end: int) -> bool:
    return text[end : end + 1].isspace() or text[end - 1].isspace()


def _between_characters(text: str, end: int) -> int:
    for place in range(end, max(end - _LONGEST_CLUSTER_CHARS, 0), -1):
        if not _joined(text, place):
            return place
    return end


def _joined(text: str, place: int) -> bool:
    """Whether the code points on both sides of `place` are seen as one character."""
    before, after = text[place - 1], text[place : place + 1]
    if not after:
        return False
    if _extends(after) or before == _JOINER or (before, after) == ("\r", "\n"):
        return True
    if _is_flag_half(before) and _is_flag_half(after):
        start = place
        while start > 0 and _is_flag_half(text[start - 1]):
            start -= 1
        return (place - start) % 2 == 1
    return _is_jamo(before) and _is_jamo(after)


def _extends(char: str) -> bool:
    return (
        char == _JOINER
        or unicodedata.category(char) in {"Mn", "Me", "Mc"}
        or "\U0001f3fb" <= char <= "\U0001f3ff"
        or "\U000e0020" <= char <= "\U000e007f"
    )


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _is_jamo(char: str) -> bool:
    return "\u1100" <= char <= "\u11ff"

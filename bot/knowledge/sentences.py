"""Where sentences end: in English and other spaced scripts, in Chinese, Japanese and Korean, and in lists.

Pure, and linear in the text whatever it holds. In doubt two sentences stay one: a sentence too long costs a little
room in a passage, one torn apart costs its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_END = re.compile(
    r"""
      [。．｡！？；…؟۔।]++[”’」』）》】]*+          # ends a sentence whatever follows
    | (?<=[\u2e80-\uffdc])[!?]++["')”’」』）》】]*+  # half-width marks in CJK text
    | (?<![.!?])[.!?]++["')\]”’»]*+(?=\s)           # ends one before a blank, unless it only looks like an end
    | \n(?=[^\S\n]*+(?:[-*+•·–][^\S\n]|\(?\d{1,3}[.)]|[（(]?[一二三四五六七八九十\d]{1,3}[）、]))  # a list item follows
    """,
    re.VERBOSE,
)
_BLANKS = re.compile(r"\s*")
_WORD_BEFORE = re.compile(r"(?:[^\W_]|\.)+\Z")
_FOLLOWING = re.compile(r"\s*(\S)")
_INITIALS = re.compile(r"[^\W\d_](?:\.[^\W\d_])*")
_LOOK_BACK = 12
"""How many characters before a dot are looked at; no abbreviation is longer."""
_ABBREVIATIONS = "mr mrs ms dr prof st mt gen col lt sgt capt rev hon sen rep gov messrs vs viz cf"
_BEFORE_NAMES = frozenset(_ABBREVIATIONS.split())
_COUNTED = "no nos nr fig figs eq p pp ch sec art vol ca approx jan feb mar apr jun jul aug sep sept oct nov dec"
_BEFORE_NUMBERS = frozenset(_COUNTED.split())


def sentences(text: str) -> Iterator[str]:
    """Slices of the text, each a sentence or list item with the blanks that follow it; joined, they are the text."""
    start = 0
    for match in _END.finditer(text):
        end = _next_start(text, match.end())
        # The blanks after a full stop may hold the next match, the line break before a list item.
        if end > start and not _only_looks_like_an_end(text, match, end):
            yield text[start:end]
            start = end
    if start < len(text):
        yield text[start:]


def _next_start(text: str, end: int) -> int:
    """Where the next sentence begins: after the blanks, but before those that indent its line."""
    blanks = _BLANKS.match(text, end)
    if blanks is None or blanks.end() == end:
        return end
    line = text.rfind("\n", max(end - 1, 0), blanks.end())
    return blanks.end() if line < 0 else line + 1


def _only_looks_like_an_end(text: str, match: re.Match[str], end: int) -> bool:
    """`e.g. this`, `Dr. No`, `No. 5`, `J. S. Bach`, the `1. ` of a list, and whatever goes on in small letters."""
    mark = match[0]
    if mark[0] not in ".!?":
        return False
    following = _FOLLOWING.match(text, end)
    if following is None:
        return False
    if following[1].islower():
        return True
    if mark != ".":
        return False
    before = _WORD_BEFORE.search(text, max(match.start() - _LOOK_BACK, 0), match.start())
    word = before[0].casefold() if before else ""
    if before and word.isdecimal():
        return _begins_a_line(text, before.start())
    if following[1].isdecimal() and word in _BEFORE_NUMBERS:
        return True
    return word in _BEFORE_NAMES or bool(_INITIALS.fullmatch(word))


def _begins_a_line(text: str, at: int) -> bool:
    near = max(at - _LOOK_BACK, 0)
    line = text.rfind("\n", near, at) + 1
    return (line > 0 or near == 0) and not text[line:at].strip()

"""Answers without a model: the passages that are near enough to the question, quoted. Pure.

Nothing is put in other words and nothing concluded, so the quotes must be near: a model can say "the documents do not
tell", this can only keep still, and say where something near may stand. How near a passage is, is told by its nearness
in meaning, twice, and by the share of the question's words that it holds. What says so to the person, and the list of
sources, are the caller's. `bench/answers.py` measures it and is where the bounds were chosen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.knowledge.words import is_cjk, tokens
from bot.message import Language
from bot.turn import Passage, Quoted

MIN_CLOSENESS = 0.36
"""Of a passage quoted, in [0, 1]. At 0.34 one of 100 questions about something else is given a quote; at 0.38 half as
many, and 4 to 6 of 100 fewer of those that the documents answer."""
NEAR_CLOSENESS = 0.32
"""Of a passage that is named when none is quoted. At 0.28 twice as many questions about something else would be sent to
read what does not concern them."""
FOREIGN_SHARE = 0.3
"""Of words, taken for a passage in another language than the question: it can share none, and must be nearer."""
UNKNOWN_COSINE = 0.2
"""Taken where the question has no vector: what unrelated texts have."""
SECOND_BEST_SHARE = 0.8
"""A further passage is quoted if it is at least this near, measured by the best one."""
MAX_QUOTES = 2
"""A third is the right one for 1 question in 200."""
MAX_NEAR = 3
MAX_QUOTE_WIDTH = 500
"""In Latin letters; a Chinese character is as wide as two. Two quotes of this width fill a phone's screen. Of longer
passages the sentences that fit the question best are taken; they hold the answer of 19 of 20 questions."""

_FUNCTION_CHARACTERS = frozenset(
    "的了吗呢吧啊是在和与及我你您他她它们这那哪什么怎样如何为请问有个多少几谁不被把对从到会能可以也都就还"
)
"""Pairs with one of these say how something is asked, not what."""
_FUNCTION_WORDS = frozenset(
    tokens(
        "much many long old far often soon some any all no not yes too also just even still only very really actually "
        "somebody someone anybody anyone people thing way here there now then "
        "want need like know tell say said mean get got go going let use used happen"
    )
)
"""The same in English, beside the stop words of the index."""
_ENDING = re.compile(r"(?<=\w{4})(?:ing|ed|er|ly|ion|e)\Z")
"""Called, calling and caller are one word here; what is stemmed too far shares a word by chance once in a while."""


def quote(question: str, language: Language, passages: Sequence[Passage]) -> Quoted:
    """Up to `MAX_QUOTES` block quotes, each ending in the mark of its passage (`[1]`), or what may be near.

    They stand in the order in which they were found. Passages in another language than the question are
    left out once one in its language is near: they mostly say the same again. Brackets in a passage that look like
    marks are escaped.

    Args:
        question: as searched for.
        language: of the question.
        passages: best first; marks number them from 1 in this order.
    """
    words = _words(question)
    candidates = [(_closeness(words, language, passage), number) for number, passage in enumerate(passages, start=1)]
    best = max((closeness for closeness, _ in candidates), default=0.0)
    enough = max(MIN_CLOSENESS if best >= MIN_CLOSENESS else NEAR_CLOSENESS, SECOND_BEST_SHARE * best)
    chosen = [candidate for candidate in candidates if candidate[0] >= enough]
    # A copy in the asker's language is read more easily, though it may be a little farther.
    ours = [candidate for candidate in candidates if passages[candidate[1] - 1].language == language]
    own = [candidate for candidate in ours if candidate[0] >= enough]
    own = own or [candidate for candidate in ours if candidate[0] >= NEAR_CLOSENESS]
    most = MAX_QUOTES if best >= MIN_CLOSENESS else MAX_NEAR
    # What was found first, and of the others the nearest: two opinions on which is the right one.
    first, others = (own or chosen)[:1], sorted((own or chosen)[1:], key=lambda candidate: -candidate[0])
    numbers = sorted(number for _, number in [*first, *others[: most - 1]])
    if best < MIN_CLOSENESS:
        return Quoted("", tuple(numbers))
    return Quoted("\n\n".join(_block_quote(_fitting(words, passages[n - 1].text), n) for n in numbers))


def _words(text: str) -> frozenset[str]:
    return frozenset(
        _ENDING.sub("", word)
        for word in tokens(text)
        if word not in _FUNCTION_WORDS and _FUNCTION_CHARACTERS.isdisjoint(word)
    )


def _closeness(words: frozenset[str], language: Language, passage: Passage) -> float:
    distance = passage.cosine_distance
    cosine = UNKNOWN_COSINE if distance is None else 1 - distance
    held = words & _words(f"{passage.title} {passage.place} {passage.text}")
    shared = len(held) / len(words) if words else 0.0
    if passage.language != language:
        shared = max(shared, FOREIGN_SHARE)
    return (2 * cosine + shared) / 3


# --- the part that fits ---------------------------------------------------------------------------------------------

_UNIT = re.compile(
    r"""
      ^[ ]{0,3}(?P<fence>`{3,}+|~{3,}+)[^\n]*\n(?:.*\n)*?[ ]{0,3}(?P=fence)[^\n]*(?:\n|\Z)     # fenced code
    | (?:^\|[^\n]*(?:\n|\Z))++\s*                                                            # a table
    | [^\n]*?(?:[。！？；]+[”’」』）]*|[.!?]+[”’"')]*(?=\s)|\n|\Z)\s*                          # a sentence, a line
    """,
    re.MULTILINE | re.VERBOSE,
)


def _fitting(words: frozenset[str], text: str) -> str:
    """The text, or a run of whole sentences in it about the question, with `…` where something was left out."""
    text = text.strip()
    if _width(text) <= MAX_QUOTE_WIDTH:
        return text
    spans = [match.span() for match in _UNIT.finditer(text) if match[0]]
    units = [text[start:end] for start, end in spans]
    first, last = _run([len(words & _words(unit)) for unit in units], [_width(unit) for unit in units])
    part = text[spans[first][0] : spans[last][1]].strip()
    if _width(part) > MAX_QUOTE_WIDTH:
        part = _rows(words, part) if part.startswith("|") else _cut(part)
    elif last < len(spans) - 1:
        part += " …"
    if first == 0:
        return part
    return f"… {part}" if part[0].isalnum() else f"…\n\n{part}"


def _run(shared: Sequence[int], widths: Sequence[int]) -> tuple[int, int]:
    """First and last unit of the run that begins with the best sentence, and holds most besides; the earliest if equal.

    Args:
        shared: how many of the question's words each unit holds.
        widths: of the units.
    """
    best, most = (0, 0), -1
    last, width, together = -1, 0, 0
    for first in range(len(shared)):
        while last < first or (last + 1 < len(shared) and width + widths[last + 1] <= MAX_QUOTE_WIDTH):
            last += 1
            width += widths[last]
            together += shared[last]
        worth = 2 * shared[first] + together
        if worth > most:
            best, most = (first, last), worth
        width -= widths[first]
        together -= shared[first]
    return best


def _rows(words: frozenset[str], table: str) -> str:
    """The head of a table and the rows that share most words, in their order."""
    head, rule, *rows = [*table.splitlines(), ""]
    left = MAX_QUOTE_WIDTH - _width(head) - _width(rule)
    kept: set[int] = set()
    for at in sorted(range(len(rows)), key=lambda at: (-len(words & _words(rows[at])), at)):
        left -= _width(rows[at])
        if left < 0 and kept:
            break
        kept.add(at)
    return "\n".join([head, rule, *(rows[at] for at in sorted(kept))]).strip()


def _width(text: str) -> int:
    """In Latin letters: a Chinese character counts twice."""
    return len(text) + sum(map(is_cjk, text))


def _cut(text: str) -> str:
    """A single huge unit, cut between words; a fence that was opened is closed."""
    head = text[: MAX_QUOTE_WIDTH * len(text) // _width(text)]
    fence = re.match(r" {0,3}(`{3,}|~{3,})", text)
    if fence:
        return f"{head.rpartition(chr(10))[0]}\n…\n{fence[1]}"
    blank = max(head.rfind(" "), head.rfind("\n"))
    return (head[:blank] if blank > len(head) // 2 else head).rstrip() + " …"


# --- the quote ------------------------------------------------------------------------------------------------------

_CODE = re.compile(r"((?:^|\n) {0,3}(?:`{3,}|~{3,})[\s\S]*?(?:`{3,}|~{3,})|`[^`\n]+`)")
_NEEDS_OWN_LINE = re.compile(r"\s{0,3}(?:`{3,}|~{3,}|\|)")


def _block_quote(text: str, number: int) -> str:
    parts = _CODE.split(text)
    # What looks like a mark in the passage must not count as one of ours.
    parts[::2] = [re.sub(r"(?<!\\)\[(?=\^?\d)", r"\\[", part) for part in parts[::2]]
    lines = "".join(parts).splitlines()
    if _NEEDS_OWN_LINE.match(lines[-1]):
        lines += ["", f"[{number}]"]
    else:
        lines[-1] += f" [{number}]"
    return "\n".join(f"> {line}".rstrip() for line in lines)

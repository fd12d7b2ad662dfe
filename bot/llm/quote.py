"""Answers without a model: the passages that are near enough to the question, quoted. Pure.

Nothing is put in other words and nothing concluded, so the quotes must be near: a model can say "the documents do not
tell", this can only keep still. A passage counts as near by the mean of its nearness in meaning and the share of the
question's words that it holds, or by meaning alone if that is very near (a question in another language shares no
words). What says so to the person, and the list of sources, are the caller's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.knowledge.words import tokens
from bot.message import Language
from bot.turn import Passage

MIN_CLOSENESS = 0.4
"""Of a passage quoted, in [0, 1]. Measured on XQuAD with the built-in embedder: of the right passages 92 % (en) and
82 % (zh) pass, of the best wrong ones for a question that the documents do not answer 6 % and 3 %."""
MAX_COSINE_DISTANCE = 0.6
"""In [0, 2]: nearer than this is near without any word in common. Of unrelated passages 2 % are."""
UNKNOWN_COSINE = 0.2
"""Taken for a passage that only its words found: what unrelated texts have."""
SECOND_BEST_SHARE = 0.8
"""A further passage is quoted if it is at least this near, measured by the best one."""
MAX_QUOTES = 3
MAX_QUOTE_CHARS = 600
"""A longer passage is cut to the sentences that fit the question best; three of these fill a phone's screen."""

_FUNCTION_CHARACTERS = frozenset(
    "的了吗呢吧啊是在和与及我你您他她它们这那哪什么怎样如何为请问有个多少几谁不被把对从到会能可以也都就还"
)
"""Pairs with one of these say how something is asked, not what."""


def quote(question: str, language: Language, passages: Sequence[Passage]) -> str | None:
    """Markdown with up to `MAX_QUOTES` block quotes, each ending in the mark of its passage (`[1]`).

    Passages in another language than the question are left out once one in its language is quoted: they mostly say
    the same again. Brackets in a passage that look like marks are escaped.

    Args:
        question: as written.
        language: of the question.
        passages: best first; marks number them from 1 in this order.

    Returns:
        None if no passage is near enough.
    """
    words = _words(question)
    near = [(_closeness(words, passage), number, passage) for number, passage in enumerate(passages, start=1)]
    near = [candidate for candidate in near if candidate[0] >= MIN_CLOSENESS]
    if not near:
        return None
    enough = SECOND_BEST_SHARE * max(closeness for closeness, _, _ in near)
    chosen = [(number, passage) for closeness, number, passage in near if closeness >= enough]
    own = [(number, passage) for number, passage in chosen if passage.language == language]
    quotes = [_block_quote(_fitting(words, passage.text), number) for number, passage in (own or chosen)[:MAX_QUOTES]]
    return "\n\n".join(quotes)


def _words(text: str) -> frozenset[str]:
    return frozenset(word for word in tokens(text) if _FUNCTION_CHARACTERS.isdisjoint(word))


def _closeness(words: frozenset[str], passage: Passage) -> float:
    distance = passage.cosine_distance
    cosine = UNKNOWN_COSINE if distance is None else 1 - distance
    shared = len(words & _words(f"{passage.title} {passage.place} {passage.text}")) / len(words) if words else 0.0
    closeness = (cosine + shared) / 2
    very_near = distance is not None and distance <= MAX_COSINE_DISTANCE
    return max(closeness, MIN_CLOSENESS) if very_near else closeness


# --- the part that fits ---------------------------------------------------------------------------------------------

_UNIT = re.compile(
    r"""
      ^[ ]{0,3}(?P<fence>`{3,}+|~{3,}+)[^\n]*\n(?:.*\n)*?[ ]{0,3}(?P=fence)[^\n]*(?:\n|\Z)     # fenced code
    | [^\n]*?(?:[。！？；]+[”’」』）]*|[.!?]+[”’"')]*(?=\s)|\n|\Z)\s*                          # a sentence, a line
    """,
    re.MULTILINE | re.VERBOSE,
)


def _fitting(words: frozenset[str], text: str) -> str:
    """The text, or a run of whole sentences in it about the question, with `…` where something was left out."""
    text = text.strip()
    if len(text) <= MAX_QUOTE_CHARS:
        return text
    spans = [match.span() for match in _UNIT.finditer(text) if match[0]]
    first, last = _run(spans, [len(words & _words(text[start:end])) for start, end in spans])
    part = text[spans[first][0] : spans[last][1]].strip()
    if len(part) > MAX_QUOTE_CHARS:
        part = _cut(part)
    elif last < len(spans) - 1:
        part += " …"
    if first == 0:
        return part
    return f"… {part}" if part[0].isalnum() else f"…\n\n{part}"


def _run(spans: Sequence[tuple[int, int]], shared: Sequence[int]) -> tuple[int, int]:
    """First and last unit of the run that shares most words; of equal ones the earliest, of those the longest."""
    best, runs = (0, 0), -1
    for first in range(len(spans)):
        last = first
        while last + 1 < len(spans) and spans[last + 1][1] - spans[first][0] <= MAX_QUOTE_CHARS:
            last += 1
        # The first sentence of the run should be about the question, not only lead up to it.
        total = 2 * sum(shared[first : last + 1]) + shared[first]
        if total > runs:
            best, runs = (first, last), total
    return best


def _cut(text: str) -> str:
    """A single huge unit, cut between words; a fence that was opened is closed."""
    head = text[:MAX_QUOTE_CHARS]
    fence = re.match(r" {0,3}(`{3,}|~{3,})", text)
    if fence:
        return f"{head.rpartition(chr(10))[0]}\n…\n{fence[1]}"
    blank = max(head.rfind(" "), head.rfind("\n"))
    return (head[:blank] if blank > MAX_QUOTE_CHARS // 2 else head).rstrip() + " …"


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

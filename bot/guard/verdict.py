"""Whether an answer given to one question may be given to another: the judge of a near candidate.

Nearness of vectors proposes, this disposes. The embedder hardly sees word order, negations and numbers, and not at all
the characters it does not know, so two questions pass only if they are the same question word by word, once each is
reduced to its form. In doubt they do not. Nothing here asks a model, and nothing is learnt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from bot.guard.allowance import allowed
from bot.guard.chinese import chinese_form, simplified
from bot.guard.difference import Kind, kind_of
from bot.guard.english import english_form
from bot.guard.english_words import COMPOUND_HEADS, SAME, VOCABULARY
from bot.guard.form import Form
from bot.language import language_of
from bot.spelling import fold, normalise

MAX_CHARS = 500
"""Longer questions are reused only if they are spelled the same: they hold more than the forms can tell."""
FORMS_KEPT = 2048
"""Forms remembered by text: a candidate is compared more than once. About 2 MB."""
_LETTER = re.compile(r"[^\W\d_]")
_ENGLISH_FRAME = re.compile(
    r"\b(?:the|is|are|do|does|did|can|could|how|what|why|when|where|who|which|my|your|i|you|should|must|will|would|was|has|have|may|am)\b"
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard says of a pair.

    Attributes:
        reuse: the stored answer may be given.
        refused_by: the kind of the difference that forbids it; empty if it may.
    """

    reuse: bool
    refused_by: Kind


_SAME = Verdict(True, "")


def judge(stored: str, asked: str) -> Verdict:
    """Whether the answer to `stored` is the answer to `asked`, by their words alone. Symmetric."""
    one, other = normalise(stored), normalise(asked)
    if one == other:
        return _SAME if _LETTER.search(one) or any(map(str.isdigit, one)) else Verdict(False, "content")
    if max(len(one), len(other)) > MAX_CHARS:
        return Verdict(False, "content")
    language = language_of(stored)
    if language != language_of(asked):
        return Verdict(False, "language")
    first, second = (_form(text, language) for text in (stored, asked))
    if first is None or second is None:
        return Verdict(False, "language")
    if _agree(first, second) or allowed(first, second, language, *(_plain(text, language) for text in (stored, asked))):
        return _SAME
    return Verdict(False, _named(first, second, stored, asked))


@lru_cache(maxsize=FORMS_KEPT)
def _form(text: str, language: str) -> Form | None:
    """The form, or none for a text in neither of our languages."""
    folded = fold(text)
    if language == "zh":
        return None if re.search("[\u3041-\u3096\u30a1-\u30fa\uac00-\ud7a3]", folded) else chinese_form(text)
    return english_form(text) if _ENGLISH_FRAME.search(folded) or _known(folded) else None


def _known(folded: str) -> bool:
    """Whether most words of a phrase without any verb (`password reset procedure`) are English ones."""
    words = re.findall(r"[^\W\d_]+", folded)
    known = sum(word in VOCABULARY or SAME.get(word) in VOCABULARY or word in COMPOUND_HEADS for word in words)
    return folded.isascii() and len(words) > 1 and known >= len(words) / 2


def _plain(text: str, language: str) -> str:
    return re.sub(r"\s|[.。!?！？]+\s*$", "", simplified(fold(text))) if language == "zh" else text


def _agree(one: Form, other: Form) -> bool:
    same = (one.mode, one.words) == (other.mode, other.words) and one.same_asks(other) and one.same_count(other)
    # "I need my refund" waits for one, "I need a refund" asks for one; in a question they are the same.
    owners = one.same_owners(other) if one.asks or one.mode else one.owners == other.owners
    return same and bool(one.words) and owners


def _named(one: Form, other: Form, stored: str, asked: str) -> Kind:
    names = frozenset(word.casefold() for text in (stored, asked) for word in re.findall(r"(?<=\s)[A-Z][\w-]*", text))
    han = bool(re.search("[\u4e00-\u9fff]", stored))
    return kind_of(one, other, _is_foreign, lambda word: word in names or (han and bool(re.match(r"[a-z]{2}", word))))


def _is_foreign(word: str) -> bool:
    """Whether a word holds a sign, or a Chinese character outside the 3,755 most common."""
    for character in word:
        if character.isascii() or (character.isalpha() and not "\u3400" <= character <= "\u9fff" and word.isalpha()):
            continue
        code = character.encode("gb2312", "ignore")
        if len(code) != 2 or not 0xB0 <= code[0] <= 0xD7:
            return True
    return False

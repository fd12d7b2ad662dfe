"""When the answer to one question may be given to another that means the same. Pure.

Asked by the step that serves (`bot.steps.similar`) and by `frontdesk eval reuse`: one decision, so that what is
measured is what serves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Literal

from bot.answers import Near
from bot.guard.difference import Kind
from bot.guard.script import TO_SIMPLIFIED
from bot.language import language_of
from bot.message import Language
from bot.spelling import normalise
from bot.standalone import fitness
from bot.turn import AnswerKey, StoredAnswer

NEAREST = 5
"""Stored questions looked at; each costs the guard a third of a millisecond. Among 11,762 stored ones, many nearly
alike (banking77), the nearest that it passes was the first in 81 % of the cases and among these in 95 %; 10: 97 %."""

RefusedBy = Literal["off", "fitness", "distance", "passages"] | Kind
"""Why an answer is not given: the configuration, the kind of question, too far, other passages, or the guard's kind."""

IN_DOUBT: frozenset[RefusedBy] = frozenset({"content"})
"""What the guard refuses without having seen a definite difference: other words, which may mean the same."""


def scope_of_answers(scope: str, question: str, language: Language) -> str:
    """Hash of all that an answer depends on beside question and passages, hexadecimal: only those of one are shared.

    Args:
        scope: what the configuration says (`bot.policy.scope_of`).
        question: its script is that of the answer: who writes traditional characters is given no simplified ones.
        language: of the question.
    """
    script = "traditional" if question.translate(TO_SIMPLIFIED) != question else ""
    return _digest(scope, language, script)


def key_of(base: str, scope: str, question: str) -> AnswerKey:
    """Where the answer to a question is stored; `scope` from `scope_of_answers`."""
    return AnswerKey(base, _digest(scope, normalise(question)))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def refused_by(near: Near, asked: str, found: Collection[str], *, max_cosine_distance: float) -> RefusedBy:
    """Why a stored answer may not be given to this question; empty if it may.

    Args:
        near: the stored answer, of the same base, scope and language.
        asked: the question as written, one that stands alone.
        found: `Passage.reference` of the passages just found for it.
        max_cosine_distance: between the two questions.
    """
    if not near.distance <= max_cosine_distance:
        return "distance"
    if not is_backed(near.answer, found):
        return "passages"
    # Imported when it is needed: compiling its rules takes a quarter of a second, which most processes never spend.
    from bot.guard.verdict import judge

    return judge(near.answer.question, asked).refused_by


def is_backed(answer: StoredAnswer, found: Collection[str]) -> bool:
    """Whether an answer's sources are among the passages found, each in the same version.

    One that cites nothing may say that the documents do not say it: it depends on all it was given and on there
    being nothing else.
    """
    if answer.cited:
        return {answer.references[number - 1] for number in answer.cited} <= set(found)
    return set(answer.references) == set(found)


def refused_pair(stored: str, asked: str, near: Near, found: Collection[str], *, bound: float | None) -> RefusedBy:
    """The whole way of a pair: whether `stored` would be kept, and `asked` be given its answer.

    Args:
        stored: asked first.
        asked: asked then, in a conversation of its own.
        near: the answer to `stored`.
        found: references of the passages found for `asked`.
        bound: `max_cosine_distance`; None: only the same question is served.
    """
    first, second = language_of(stored), language_of(asked)
    if not fitness(stored, first, has_history=False).storable or not fitness(asked, second, has_history=False).servable:
        return "fitness"
    if scope_of_answers("", stored, first) != scope_of_answers("", asked, second):
        return "language"
    if normalise(stored) == normalise(asked):
        return ""
    return "off" if bound is None else refused_by(near, asked, found, max_cosine_distance=bound)

"""What may be done with the answer to a question, by the words of the question. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bot.message import Language
from bot.spelling import fold
from bot.standalone import asker, now, said
from bot.standalone.characters import simplified
from bot.standalone.generic import as_anybody
from bot.standalone.whole import is_whole

__all__ = ["Fitness", "fitness"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitness:
    """What may be done with the answer to a question.

    Attributes:
        storable: it may be stored for others.
        servable: one that was stored for others may be given.
        leans: the question means something only with what was said before.
    """

    storable: bool
    servable: bool
    leans: bool = False


_UNFIT = Fitness(storable=False, servable=False)
_LEANS = Fitness(storable=False, servable=False, leans=True)

MAX_CHARS = 500
"""Whoever writes more tells a story of their own, and nobody will write the same again."""


def fitness(question: str, language: Language, *, has_history: bool) -> Fitness:
    """Decide by the question's words.

    Args:
        question: as written.
        language: of the question.
        has_history: earlier exchanges stand in the request. Then its answer is never storable, and a stored one is
            servable only if this is a whole question with a subject of its own.
    """
    if len(question) > MAX_CHARS:
        return _UNFIT
    text = simplified(fold(question))
    if asker.introduces_somebody(question):
        return _UNFIT
    if not said.says_something(text):
        return _LEANS
    plain = said.without_empty_pointers(as_anybody(text))
    if said.leans(plain, opens=not has_history):
        return _LEANS
    if asker.is_told_of(plain) or now.is_asked_of(plain) or now.is_there_now(text):
        return _UNFIT
    if not has_history:
        return Fitness(storable=True, servable=True)
    whole = is_whole(text, language)
    return Fitness(storable=False, servable=whole, leans=not whole)

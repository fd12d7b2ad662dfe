"""Answers given before to the same question, as long as nothing they depend on has changed."""

from __future__ import annotations

from dataclasses import replace

from bot.answers import Answers, Hit
from bot.ports import Meter
from bot.similar import key_of, scope_of_answers
from bot.standalone import fitness
from bot.turn import ASK_AGAIN, Turn


class Reuse:
    """Serves a stored answer of the current epoch, or finds out who answers.

    A question that leans on what was said, on who asks or on today is neither served nor stored. One asked with live
    history is not stored, and served only if it clearly stands alone.

    Args:
        answers: the store.
        scope: all that an answer depends on beside question, language and passages: model, parameters, persona,
            knowledge base, prompt version.
        enabled: False stores and serves nothing; whether a question leans on the last one is still found out.
        meter: counts hits and misses.
    """

    name = "reuse"

    def __init__(self, *, answers: Answers, scope: str, enabled: bool, meter: Meter) -> None:
        self._answers = answers
        self._scope = scope
        self._enabled = enabled
        self._meter = meter

    async def __call__(self, turn: Turn) -> Turn:
        """The turn ended with a stored answer, or asked to wait, or with what later steps need to know.

        Raises:
            StoreUnavailable: the answer store did not answer.
        """
        question = turn.incoming.text
        fit = fitness(question, turn.language, has_history=bool(turn.history))
        turn = replace(turn, leans=bool(turn.history) and fit.leans)
        if not (fit.servable and self._enabled):
            self._meter.reuse("unfit")
            return turn
        scope = scope_of_answers(self._scope, question, turn.language)
        key = key_of(turn.base, scope, question)
        turn = replace(turn, question_key=key, scope=scope, storable=fit.storable)
        found = await self._answers.find(key, turn.incoming.id if fit.storable else None)
        if found == "wait":
            return replace(turn, wait=ASK_AGAIN)
        if not isinstance(found, Hit):
            self._meter.reuse("miss")
            return replace(turn, leads=found == "lead")
        if not found.current:
            return replace(turn, candidate=found.answer)
        self._meter.reuse("hit")
        return turn.answered(found.answer, "reused", key)

"""Answers given before to the same question, as long as nothing they depend on has changed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from bot.ports import Answers, Hit, Meter
from bot.standalone import fitness, normalise
from bot.turn import ASK_AGAIN, AnswerKey, Turn


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
        turn = replace(turn, question_key=self._key(turn), storable=fit.storable)
        found = await self._answers.find(self._key(turn), turn.incoming.id if fit.storable else None)
        if found == "wait":
            return replace(turn, wait=ASK_AGAIN)
        if not isinstance(found, Hit):
            self._meter.reuse("miss")
            return replace(turn, leads=found == "lead")
        if not found.current:
            return replace(turn, candidate=found.answer)
        self._meter.reuse("hit")
        return turn.answered(found.answer, "reused", turn.question_key)

    def _key(self, turn: Turn) -> AnswerKey:
        text = "\n".join((self._scope, turn.language, normalise(turn.incoming.text)))
        return AnswerKey(turn.base, hashlib.sha256(text.encode()).hexdigest())

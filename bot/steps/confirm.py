"""Whether an answer stored before a document changed is still the same answer."""

from __future__ import annotations

from dataclasses import replace

from bot.answers import Answers, Hit
from bot.ports import Meter
from bot.turn import ASK_AGAIN, Turn


class Confirm:
    """Serves the candidate if exactly the passages it was built on were found again; else it is stale and dropped."""

    name = "confirm"

    def __init__(self, *, answers: Answers, meter: Meter) -> None:
        self._answers = answers
        self._meter = meter

    async def __call__(self, turn: Turn) -> Turn:
        """The turn ended with the candidate, or asked to wait for who answers anew, or as it is.

        Raises:
            StoreUnavailable: the answer store did not answer.
        """
        if turn.candidate is None or turn.question_key is None:
            return turn
        if set(turn.candidate.references) == {passage.reference for passage in turn.passages}:
            await self._answers.confirm(turn.question_key, turn.candidate, turn.epoch)
            self._meter.reuse("confirmed")
            return turn.answered(turn.candidate, "reused", turn.question_key)
        self._meter.reuse("stale")
        leader = turn.incoming.id if turn.storable else None
        found = await self._answers.find(turn.question_key, leader, stale=turn.candidate.epoch)
        if found == "wait":
            return replace(turn, wait=ASK_AGAIN)
        if isinstance(found, Hit) and found.answer.epoch == turn.epoch:
            return turn.answered(found.answer, "reused", turn.question_key)
        return replace(turn, leads=found == "lead")

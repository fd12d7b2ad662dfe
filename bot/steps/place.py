"""A place at the model, for what only the model can answer."""

from __future__ import annotations

from dataclasses import replace

from bot.answers import Answers
from bot.line import Line
from bot.turn import IN_LINE, Turn


class Place:
    """Takes a place at the model, or sends the turn into the line for one.

    It stands before tokens are reserved, where it is known that no stored answer will do: after the search, and before
    it for a question that none is kept for.

    Args:
        line: the places.
        answers: where the lead on the question is given up, so that nobody waits for who waits in line.
        asks_model: False: no model is configured, and nobody lines up.
    """

    name = "place"

    def __init__(self, *, line: Line, answers: Answers, asks_model: bool) -> None:
        self._line = line
        self._answers = answers
        self._asks_model = asks_model

    async def __call__(self, turn: Turn) -> Turn:
        """The turn as it is, or waiting.

        Raises:
            StoreUnavailable: the lead could not be given up.
        """
        if not self._asks_model or (turn.epoch < 0 and turn.question_key is not None):
            return turn
        if self._line.enter(turn.incoming.id, turn.arrived_ms):
            return turn
        if turn.leads and turn.question_key is not None:
            await self._answers.free(turn.question_key, turn.incoming.id)
        return replace(turn, wait=IN_LINE)

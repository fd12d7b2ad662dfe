"""From the draft to the reply: what is stored for others, and what this conversation will remember."""

from __future__ import annotations

from bot.answers import Answers
from bot.turn import Turn


class Remember:
    """Turns the draft into the reply, stores it where it may be reused, and frees those who wait for it.

    The history itself is written when the turn is settled, not before the person has the answer.
    """

    name = "remember"

    def __init__(self, *, answers: Answers) -> None:
        self._answers = answers

    async def __call__(self, turn: Turn) -> Turn:
        """The turn ended with its draft.

        Raises:
            StoreUnavailable: the answer store did not answer; the turn is tried again.
        """
        if turn.draft is None:
            return turn
        key, me = turn.question_key, turn.incoming.id
        if key is None:
            return turn.answered(turn.draft, turn.outcome, None)
        if turn.storable:
            asker = turn.incoming.conversation
            await self._answers.store(key, me, turn.draft, asker, turn.arrived_ms, scope=turn.scope, vector=turn.vector)
        elif turn.leads:
            await self._answers.free(key, me)
        return turn.answered(turn.draft, turn.outcome, key if turn.storable else None)

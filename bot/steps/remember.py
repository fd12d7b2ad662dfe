"""From the draft to the reply: what is stored for others, and what this conversation will remember."""

from __future__ import annotations

import logging

from bot.answers import Answers
from bot.errors import StoreUnavailable
from bot.turn import AnswerKey, StoredAnswer, Turn

log = logging.getLogger(__name__)


class Remember:
    """Turns the draft into the reply, stores it where it may be reused, and frees those who wait for it.

    The history itself is written when the turn is settled, not before the person has the answer.
    """

    name = "remember"

    def __init__(self, *, answers: Answers) -> None:
        self._answers = answers

    async def __call__(self, turn: Turn) -> Turn:
        """The turn ended with its draft, which is not given up because nobody else can be given it."""
        if turn.draft is None:
            return turn
        key = turn.question_key
        stored = False
        if key is not None:
            try:
                stored = await self._share(turn, turn.draft, key)
            except StoreUnavailable as error:
                # Those who wait for it ask for themselves once our lead has run out.
                log.warning("an answer was not stored: %s", error)
        return turn.answered(turn.draft, turn.outcome, key if stored else None)

    async def _share(self, turn: Turn, draft: StoredAnswer, key: AnswerKey) -> bool:
        """Store the draft or free those who wait for it; whether it is stored."""
        if turn.storable:
            asker = turn.incoming.conversation
            await self._answers.store(
                key, turn.incoming.id, draft, asker, turn.arrived_ms, scope=turn.scope, vector=turn.vector
            )
        elif turn.leads:
            await self._answers.free(key, turn.incoming.id)
        return turn.storable

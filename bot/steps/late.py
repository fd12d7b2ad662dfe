"""Messages so old that their answer would only puzzle: after an outage, yesterday's questions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bot.message import PersonId
from bot.ports import Limiter
from bot.texts import Texts
from bot.turn import Turn


class Late:
    """Ends the turn of a message that is too old, with one apology for all that its conversation has waiting.

    It stands after the commands: who asked to be forgotten yesterday still is.
    """

    name = "late"

    def __init__(self, *, max_age: timedelta, limiter: Limiter, texts: Texts) -> None:
        self._max_age = max_age
        self._limiter = limiter
        self._texts = texts

    async def __call__(self, turn: Turn) -> Turn:
        """The turn as it is, or ended as refused.

        Raises:
            StoreUnavailable: the limiter did not decide.
        """
        if turn.age <= self._max_age:
            return turn
        conversation = PersonId(turn.incoming.conversation.id)
        # By now and not by the arrival: what piled up over days is one apology, what was written after it another.
        now_ms = round((turn.incoming.sent_at + turn.age).timestamp() * 1000)
        decision = await self._limiter.decide("apologies", conversation, turn.incoming.id, now_ms)
        if not decision.allowed:
            return replace(turn, silent=True, outcome="refused")
        return turn.told(self._texts("late", turn.voice), "refused")

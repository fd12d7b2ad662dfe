"""Who may talk to us at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot.message import Conversation
from bot.ports import Limiter
from bot.texts import Texts
from bot.turn import Turn


class Admit:
    """Ends the turn of a person or place that the operator did not allow, with a word once in a while."""

    name = "admit"

    def __init__(self, *, allowed: Callable[[Conversation], bool], limiter: Limiter, texts: Texts) -> None:
        self._allowed = allowed
        self._limiter = limiter
        self._texts = texts

    async def __call__(self, turn: Turn) -> Turn:
        """The turn as it is, or ended as refused.

        Raises:
            StoreUnavailable: the limiter did not decide.
        """
        conversation = turn.incoming.conversation
        if self._allowed(conversation):
            return turn
        decision = await self._limiter.decide("refusals", conversation.person, turn.incoming.id, turn.arrived_ms)
        if not decision.allowed:
            return replace(turn, silent=True, outcome="refused")
        return turn.told(self._texts("not_allowed", turn.voice), "refused", private=True)

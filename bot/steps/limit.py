"""How much a person may ask."""

from __future__ import annotations

from collections.abc import Callable

from bot.message import Conversation
from bot.ports import Limiter, Meter
from bot.refusal import limited
from bot.texts import Texts
from bot.turn import Turn


class Limit:
    """Ends the turn of a person who asked too much; says so once in a window. Admins are not limited."""

    name = "limit"

    def __init__(
        self, *, limiter: Limiter, is_admin: Callable[[Conversation], bool], texts: Texts, meter: Meter
    ) -> None:
        self._limiter = limiter
        self._is_admin = is_admin
        self._texts = texts
        self._meter = meter

    async def __call__(self, turn: Turn) -> Turn:
        """The turn as it is, or ended as limited.

        Raises:
            StoreUnavailable: the limiter did not decide.
        """
        conversation = turn.incoming.conversation
        if self._is_admin(conversation):
            return turn
        decision = await self._limiter.decide("messages", conversation.person, turn.incoming.id, turn.arrived_ms)
        if decision.allowed:
            return turn
        self._meter.refused("messages")
        return limited(turn, decision, "limited", self._texts)

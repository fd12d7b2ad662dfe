"""What the answer really cost, in the place of the estimate."""

from __future__ import annotations

from bot.ports import Spending
from bot.turn import Turn


class Charge:
    """Corrects the reservation by what the server counted; where it counted nothing, the estimate stands."""

    name = "charge"

    def __init__(self, *, spending: Spending) -> None:
        self._spending = spending

    async def __call__(self, turn: Turn) -> Turn:
        """The turn as it is.

        Raises:
            StoreUnavailable: it was not corrected.
        """
        if turn.reserved and turn.spent is not None:
            await self._spending.spent(turn.incoming.conversation.person, turn.incoming.id, turn.spent)
        return turn

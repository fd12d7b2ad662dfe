"""What the answer really cost, in the place of the estimate."""

from __future__ import annotations

import logging

from bot.errors import StoreUnavailable
from bot.ports import Spending
from bot.turn import Turn

log = logging.getLogger(__name__)


class Charge:
    """Corrects the reservation by what the server counted; where it counted nothing, the estimate stands."""

    name = "charge"

    def __init__(self, *, spending: Spending) -> None:
        self._spending = spending

    async def __call__(self, turn: Turn) -> Turn:
        """The turn as it is; an answer that has been paid for is not given up for want of the correction."""
        if turn.reserved and turn.spent is not None:
            try:
                await self._spending.spent(turn.incoming.conversation.person, turn.incoming.id, turn.spent)
            except StoreUnavailable as error:
                log.warning("what an answer cost was not noted, its estimate stands: %s", error)
        return turn

"""The passages of the team's documents that a question is about."""

from __future__ import annotations

from dataclasses import replace

from bot.ports import Knowledge
from bot.turn import Turn


class Retrieve:
    """Looks up the best passages for what is searched for: the question, or what `Rewrite` made of it."""

    name = "retrieve"

    def __init__(self, *, knowledge: Knowledge, top_k: int) -> None:
        self._knowledge = knowledge
        self._top_k = top_k

    async def __call__(self, turn: Turn) -> Turn:
        """The turn with its passages and the epoch they were found in.

        What an incomplete search finds is good for this answer alone: it vouches for no stored one, of this question or
        of a similar one, and is not stored, for the epoch does not move when the search is whole again.

        Raises:
            StoreUnavailable: the search was not answered.
        """
        found = await self._knowledge.search(turn.base, turn.sought or turn.incoming.text, turn.language, self._top_k)
        turn = replace(turn, passages=found.passages, epoch=found.epoch, vector=found.vector)
        return turn if found.whole else replace(turn, candidate=None, vector=None, storable=False)

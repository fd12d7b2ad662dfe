"""The passages of the team's documents that a question is about."""

from __future__ import annotations

from dataclasses import replace

from bot.ports import Knowledge
from bot.turn import Turn


class Retrieve:
    """Looks up the best passages.

    A question that leans on what was said ("and for companies?") is searched together with the one before it.
    """

    name = "retrieve"

    def __init__(self, *, knowledge: Knowledge, top_k: int) -> None:
        self._knowledge = knowledge
        self._top_k = top_k

    async def __call__(self, turn: Turn) -> Turn:
        """The turn with its passages and the epoch they were found in.

        Raises:
            StoreUnavailable: the search was not answered.
        """
        question = turn.incoming.text
        if turn.leans:
            question = f"{turn.history[-1].question}\n{question}"
        found = await self._knowledge.search(turn.base, question, turn.language, self._top_k)
        return replace(turn, passages=found.passages, epoch=found.epoch, vector=found.vector)

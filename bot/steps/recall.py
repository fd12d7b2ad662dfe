"""What was said before in this conversation."""

from __future__ import annotations

from dataclasses import replace

from bot.turn import Turn


class Recall:
    """Keeps of the history, which came with the claim, the newest exchanges that fit the prompt.

    An exchange too long for the prompt ends the recall: what is older would be out of context.
    """

    name = "recall"

    def __init__(self, *, max_tokens: int) -> None:
        self._max_tokens = max_tokens

    async def __call__(self, turn: Turn) -> Turn:
        """The turn with its history cut to `max_tokens`."""
        left = self._max_tokens
        first = len(turn.history)
        while first > 0 and turn.history[first - 1].tokens <= left:
            first -= 1
            left -= turn.history[first].tokens
        return replace(turn, history=turn.history[first:])

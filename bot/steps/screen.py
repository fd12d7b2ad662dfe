"""What we cannot read: pictures and sounds, nothing at all, or far too much."""

from __future__ import annotations

from bot.texts import Texts
from bot.turn import Turn


class Screen:
    """Ends the turn with one sentence if there is no question in it that we can read.

    Stands after the limiter, so that a flood of stickers costs no flood of sentences. A picture with a caption is
    answered by its caption.
    """

    name = "screen"

    def __init__(self, *, max_chars: int, texts: Texts) -> None:
        self._max_chars = max_chars
        self._texts = texts

    async def __call__(self, turn: Turn) -> Turn:
        """The turn as it is, or ended as refused."""
        incoming = turn.incoming
        if not incoming.text.strip():
            key = f"cannot_read_{incoming.attachment}" if incoming.attachment else "nothing_to_read"
            return turn.told(self._texts(key, turn.voice), "refused")
        if len(incoming.text) > self._max_chars:
            return turn.told(self._texts("too_long", turn.voice, limit=self._max_chars), "refused")
        return turn

"""/start: who we are, and how to talk to us here."""

from __future__ import annotations

from bot.message import Reply
from bot.texts import Texts
from bot.turn import Turn


class Start:
    """Greets by the bot's name."""

    def __init__(self, *, name: str, texts: Texts) -> None:
        self._name = name
        self._texts = texts

    async def __call__(self, turn: Turn) -> Reply:
        """The greeting, for everyone to read."""
        key = "start" if turn.incoming.reply_to.private else "start_group"
        return Reply(markdown=self._texts(key, turn.voice, name=self._name))

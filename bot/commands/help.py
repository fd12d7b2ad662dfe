"""/help: what can be asked of us."""

from __future__ import annotations

from collections.abc import Callable

from bot.message import Conversation, Reply
from bot.texts import Texts
from bot.turn import Turn


class Help:
    """Lists the commands; to admins theirs too, in Slack how to give them in a thread."""

    def __init__(self, *, is_admin: Callable[[Conversation], bool], texts: Texts) -> None:
        self._is_admin = is_admin
        self._texts = texts

    async def __call__(self, turn: Turn) -> Reply:
        """The text, for everyone to read."""
        conversation = turn.incoming.conversation
        keys = ["help"]
        if conversation.platform == "slack":
            keys.append("help_threads")
        if self._is_admin(conversation):
            keys.append("help_admin")
        return Reply(kind="notice", markdown="\n\n".join(self._texts(key, turn.voice) for key in keys))

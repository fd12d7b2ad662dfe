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
        text = self._texts("help", turn.voice)
        if conversation.platform == "slack":
            text += "\n\n" + self._texts("help_threads", turn.voice)
        if self._is_admin(conversation):
            text += "\n\n" + self._texts("help_admin", turn.voice)
            # In Slack a command says nothing of the message it follows.
            if conversation.platform == "telegram":
                text += "\n" + self._texts("help_admin_reply", turn.voice)
        return Reply(markdown=text)

"""/forget: erase all that is stored about a person; admins also in reply to somebody's message."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot.message import Conversation, Reply
from bot.ports import Forgetting
from bot.texts import Texts
from bot.turn import Turn


class Forget:
    """Erases the asker's data, or, for an admin who replies to a message, its author's."""

    def __init__(self, *, forgetting: Forgetting, is_admin: Callable[[Conversation], bool], texts: Texts) -> None:
        self._forgetting = forgetting
        self._is_admin = is_admin
        self._texts = texts

    async def __call__(self, turn: Turn) -> Reply:
        """The receipt, to the person alone; without figures in a group, which reads it if we may not write to them.

        Somebody who replies to a message of their own means themselves.

        Raises:
            StoreUnavailable: it is half done and is to be run again.
        """
        conversation = turn.incoming.conversation
        target = turn.incoming.command.target if turn.incoming.command is not None else None
        key = "forget_done" if turn.incoming.reply_to.private else "forget_done_group"
        if target is not None and target != conversation.user:
            if not self._is_admin(conversation):
                return Reply(markdown=self._texts("admin_only", turn.voice), private=True)
            conversation, key = replace(conversation, user=target), "forget_person_done"
        receipt = await self._forgetting.forget(conversation.person, turn.arrived_ms)
        text = self._texts(
            key,
            turn.voice,
            conversations=receipt.conversations,
            exchanges=receipt.exchanges,
            answers=receipt.answers,
            dead_letters=receipt.dead_letters,
        )
        return Reply(markdown=text, private=True)

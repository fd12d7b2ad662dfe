"""/reset: forget what was said; admins also `/reset channel`."""

from __future__ import annotations

from collections.abc import Callable

from bot.message import Conversation, Reply
from bot.ports import Forgetting
from bot.texts import Texts
from bot.turn import Turn

CHANNEL_WORDS = frozenset({"channel", "频道", "群", "全部"})


class Reset:
    """Forgets this conversation, this person's conversations here (`whole_channel`), or everybody's (admins).

    Any other word after it forgets nothing: who mistypes `channel` does not lose what they never meant.
    """

    def __init__(self, *, forgetting: Forgetting, is_admin: Callable[[Conversation], bool], texts: Texts) -> None:
        self._forgetting = forgetting
        self._is_admin = is_admin
        self._texts = texts

    async def __call__(self, turn: Turn) -> Reply:
        """The receipt, to the person alone.

        Raises:
            StoreUnavailable: it is half done and is to be run again.
        """
        return Reply(markdown=self._texts(await self._reset(turn), turn.voice), private=True)

    async def _reset(self, turn: Turn) -> str:
        command, conversation = turn.incoming.command, turn.incoming.conversation
        if command is not None and command.argument.casefold() in CHANNEL_WORDS:
            if not self._is_admin(conversation):
                return "admin_only"
            await self._forgetting.reset_place(conversation.place, turn.arrived_ms)
            return "reset_channel_done"
        if command is not None and command.argument:
            return "reset_unknown"
        if command is not None and command.whole_channel:
            await self._forgetting.reset_person_in(conversation.place, conversation.person, turn.arrived_ms)
            return "reset_whole_channel_done"
        await self._forgetting.reset(conversation, turn.arrived_ms)
        return "reset_done"

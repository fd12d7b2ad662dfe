"""A thumb down: the answer that was disliked is given to nobody any more."""

from __future__ import annotations

from bot.answers import Answers, Shown
from bot.message import Reply
from bot.texts import Texts
from bot.turn import AnswerKey, Turn


class Dislike:
    """Takes a stored answer back: the one reacted or replied to, else the last one of this conversation.

    Anybody who sees an answer may dislike it. What they can do by it is make us think anew, which the limits bound.
    """

    def __init__(self, *, answers: Answers, shown: Shown, texts: Texts) -> None:
        self._answers = answers
        self._shown = shown
        self._texts = texts

    async def __call__(self, turn: Turn) -> Reply | None:
        """The receipt; None for a reaction, which expects no words.

        Raises:
            StoreUnavailable: it may not have been taken back; it is to be run again.
        """
        key = await self._disliked(turn)
        taken = key is not None and await self._answers.evict(key)
        if turn.incoming.reacts:
            return None
        return Reply(markdown=self._texts("dislike_done" if taken else "dislike_noted", turn.voice))

    async def _disliked(self, turn: Turn) -> AnswerKey | None:
        about = turn.incoming.about
        if about is not None:
            return await self._shown.key_of(turn.incoming.conversation.place, about)
        return turn.history[-1].key if turn.history else None

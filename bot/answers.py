"""What the core asks of the store of answers given before: its part of the ports (see `bot.ports`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from bot.message import Conversation, MessageId, PlaceId, SentId
from bot.turn import AnswerKey, StoredAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A stored answer; `current` if its epoch is the knowledge base's own, so that it may be served as it is."""

    answer: StoredAnswer
    current: bool


Lead = Literal["lead", "alone", "wait"]
"""`lead`: answer it, others wait for you. `alone`: answer it, nobody waits. `wait`: another is answering it."""


class Answers(Protocol):
    """Answers given before, by knowledge base, scope and question."""

    async def find(self, key: AnswerKey, leader: MessageId | None, *, stale: int = -1) -> Hit | Lead:
        """A stored answer, or who answers now. Repeated by the same message it says the same.

        Without a leader nobody is made to wait: the answer of this asker is not for others.

        An entry of epoch `stale` or older was found to be no longer good: it is dropped.
        """

    async def confirm(self, key: AnswerKey, answer: StoredAnswer, epoch: int) -> bool:
        """The same passages were found in this epoch: the entry is good for it. False: it is gone by now."""

    async def renew_lead(self, key: AnswerKey, leader: MessageId) -> None:
        """Keep others waiting a little longer."""

    async def store(
        self,
        key: AnswerKey,
        leader: MessageId,
        answer: StoredAnswer,
        asker: Conversation,
        arrived_ms: int,
        *,
        scope: str = "",
        vector: bytes | None = None,
    ) -> bool:
        """Store an answer and free those who wait. False: the asker was forgotten since; nothing is kept.

        With the question's vector it is found by similar questions of the same scope, too.
        """

    async def evict(self, key: AnswerKey) -> bool:
        """Give this answer to nobody any more; False: there was none."""

    async def free(self, key: AnswerKey, leader: MessageId) -> None:
        """The leader has no answer to share: all who wait ask for themselves."""


class Shown(Protocol):
    """Which stored answer a message of ours shows."""

    async def key_of(self, place: PlaceId, message: SentId) -> AnswerKey | None:
        """Where it is stored; None if the message shows none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Near:
    """A stored answer whose question is near to one asked now.

    Attributes:
        key: where it is stored.
        answer: with its question.
        distance: cosine distance of the two questions, in [0, 2], lower is closer.
    """

    key: AnswerKey
    answer: StoredAnswer
    distance: float


class NearAnswers(Protocol):
    """Answers given before, by the meaning of their questions."""

    async def nearest(self, base: str, scope: str, vector: bytes, k: int) -> tuple[Near, ...]:
        """The stored answers of that base and scope whose questions are nearest, nearest first, at most `k`.

        None at all if they cannot be searched now.

        Raises:
            StoreUnavailable: the store did not answer.
        """

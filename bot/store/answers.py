"""Answers given before, in the slot of their knowledge base, and who answers when many ask at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import cast

from bot.answers import Hit, Lead
from bot.message import Conversation, MessageId
from bot.store import keys
from bot.store.scripts import Scripts, milliseconds
from bot.turn import AnswerKey, StoredAnswer

LEAD = timedelta(seconds=15)
"""Life of a leader's mark, renewed while it works; longer only makes those who wait for a crashed one wait longer."""
FREE = timedelta(seconds=30)
"""How long a question that has no answer to share lets everyone ask; shorter, and those who wait queue up again."""
FIELDS = ("markdown", "answer", "epoch", "references", "tokens", "cited", "question")
"""Of an entry, as far as it is read; `scope` and `vector` are there for the index (`bot.store.answers_index`)."""


class RedisAnswers:
    """Implements the port `Answers`.

    Args:
        scripts: on the server of the knowledge bases.
        ttl: life of a stored answer.
    """

    def __init__(self, scripts: Scripts, *, ttl: timedelta) -> None:
        self._scripts = scripts
        self._ttl_ms = milliseconds(ttl)

    async def find(self, key: AnswerKey, leader: MessageId | None, *, stale: int = -1) -> Hit | Lead:
        """A stored answer, or who answers now; see `answer_find.lua`. One round trip.

        Raises:
            StoreUnavailable: the mark may have been set; the same message asking again leads again.
        """
        answer = await self._scripts.run(
            "answer_find", [keys.kb(key.base)], key.digest, leader or "", milliseconds(LEAD), stale, *FIELDS
        )
        kind, *rest = cast("list[object]", answer)
        if kind != b"hit":
            return cast("Lead", cast("bytes", kind).decode())
        epoch, values = cast("tuple[int, list[bytes | None]]", tuple(rest))
        stored = stored_answer({field: value.decode() for field, value in zip(FIELDS, values, strict=True) if value})
        return Hit(answer=stored, current=stored.epoch == epoch)

    async def confirm(self, key: AnswerKey, answer: StoredAnswer, epoch: int) -> bool:
        """The passages were found again: the entry is good for this epoch too. One round trip.

        Raises:
            StoreUnavailable: it may have been confirmed; that is safe either way.
        """
        done = await self._scripts.run("answer_confirm", [keys.kb(key.base)], key.digest, _references(answer), epoch)
        return done == 1

    async def renew_lead(self, key: AnswerKey, leader: MessageId) -> None:
        """Keep others waiting a little longer. One round trip.

        Raises:
            StoreUnavailable: another may start to lead: one model call more.
        """
        await self._scripts.run("answer_lead", [keys.kb(key.base)], key.digest, leader, "renew", milliseconds(LEAD))

    async def free(self, key: AnswerKey, leader: MessageId) -> None:
        """The leader has nothing to share: all who wait ask for themselves. One round trip.

        Raises:
            StoreUnavailable: they wait until the mark runs out.
        """
        await self._scripts.run("answer_lead", [keys.kb(key.base)], key.digest, leader, "free", milliseconds(FREE))

    async def evict(self, key: AnswerKey) -> bool:
        """Drop a stored answer. DEL, one round trip.

        Returns:
            False if there was none.

        Raises:
            StoreUnavailable: it may have been dropped; dropping again is safe.
        """
        return await self._scripts.run("answer_evict", [keys.kb(key.base)], key.digest) == 1

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
        """Store an answer and free those who wait; see `answer_store.lua`. One round trip.

        Args:
            key: where.
            leader: the message that was answered.
            answer: what others may be given.
            asker: whose /forget erases it.
            arrived_ms: of the message, Unix ms.
            scope: hexadecimal; of the similar questions that may be given it.
            vector: of its question; without one, only the same question finds it.

        Returns:
            False if the asker was forgotten since: nothing is kept.

        Raises:
            StoreUnavailable: it may have been stored; storing again changes nothing.
        """
        done = await self._scripts.run(
            "answer_store",
            [keys.kb(key.base)],
            key.digest,
            leader,
            arrived_ms,
            asker.id,
            asker.person,
            asker.place,
            self._ttl_ms,
            milliseconds(FREE),
            *("markdown", answer.markdown),
            *("answer", answer.answer),
            *("epoch", answer.epoch),
            *("references", _references(answer)),
            *("tokens", answer.tokens),
            *("cited", " ".join(map(str, answer.cited))),
            *("question", answer.question),
            *(("scope", scope, "vector", vector) if vector is not None else ()),
        )
        return done == 1


def _references(answer: StoredAnswer) -> str:
    return "\n".join(answer.references)


def stored_answer(fields: Mapping[str, str]) -> StoredAnswer:
    """An entry as read: of `FIELDS`, those that are there.

    Raises:
        KeyError, ValueError: it is no entry.
    """
    return StoredAnswer(
        markdown=fields.get("markdown", ""),
        answer=fields.get("answer", ""),
        epoch=int(fields["epoch"]),
        references=tuple(filter(None, fields.get("references", "").split("\n"))),
        tokens=int(fields["tokens"]),
        cited=tuple(map(int, fields.get("cited", "").split())),
        question=fields.get("question", ""),
    )

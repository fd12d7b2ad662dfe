"""Answers given before, in the slot of their knowledge base, and who answers when many ask at once."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from bot.message import Conversation, MessageId
from bot.ports import Hit, Lead
from bot.store import keys
from bot.store.scripts import Scripts, milliseconds
from bot.turn import AnswerKey, StoredAnswer

LEAD = timedelta(seconds=15)
"""Life of a leader's mark, renewed while it works; longer only makes those who wait for a crashed one wait longer."""
FREE = timedelta(seconds=30)
"""How long a question that has no answer to share lets everyone ask; shorter, and those who wait queue up again."""


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
            "answer_find", [keys.kb(key.base)], key.digest, leader or "", milliseconds(LEAD), stale
        )
        kind, *rest = cast("list[object]", answer)
        if kind != b"hit":
            return cast("Lead", cast("bytes", kind).decode())
        epoch, fields = cast("tuple[int, list[bytes]]", tuple(rest))
        stored = _from_fields(fields)
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

    async def store(
        self, key: AnswerKey, leader: MessageId, answer: StoredAnswer, asker: Conversation, arrived_ms: int
    ) -> bool:
        """Store an answer and free those who wait; see `answer_store.lua`. One round trip.

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
        )
        return done == 1


def _references(answer: StoredAnswer) -> str:
    return "\n".join(answer.references)


def _from_fields(fields: list[bytes]) -> StoredAnswer:
    entry = dict(zip(fields[::2], fields[1::2], strict=True))
    return StoredAnswer(
        markdown=entry[b"markdown"].decode(),
        answer=entry[b"answer"].decode(),
        epoch=int(entry[b"epoch"]),
        references=tuple(filter(None, entry[b"references"].decode().split("\n"))),
        tokens=int(entry[b"tokens"]),
        cited=tuple(map(int, entry.get(b"cited", b"").split())),
        question=entry.get(b"question", b"").decode(),
    )

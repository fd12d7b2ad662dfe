"""/reset and /forget: erasing in every partition and knowledge base, with marks that outlive what is on its way.

Each script erases and marks one slot atomically; across slots the acts follow one another, and running the whole
again completes what a crash cut short.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast
from urllib.parse import unquote

from bot.message import Conversation, PersonId, PlaceId
from bot.ports import Receipt
from bot.store import keys
from bot.store.client import translated
from bot.store.cluster import Client
from bot.store.scripts import Scripts

What = Literal["conversation", "person", "place", "both"]


class RedisForgetting:
    """Implements the port `Forgetting`.

    Args:
        redis: a bytes client.
        scripts: on the same server.
        partitions: of the inbox.
        lane: of the inbox.
        kb_scripts: on the server of the knowledge bases.
        knowledge_bases: names; answers and marks are kept in each. /forget goes through those that were taken out of
            the configuration, too, as long as anything is in them.
    """

    def __init__(
        self,
        redis: Client,
        scripts: Scripts,
        *,
        partitions: int,
        lane: str = keys.SERVED,
        kb_scripts: Scripts,
        knowledge_bases: Sequence[str],
    ) -> None:
        self._redis = redis
        self._scripts = scripts
        self._partitions = partitions
        self._lane = lane
        self._kb_scripts = kb_scripts
        self._bases = frozenset(knowledge_bases)

    async def reset(self, conversation: Conversation, at_ms: int) -> None:
        """Forget the history of one conversation: one script in its partition, one in each knowledge base.

        Raises:
            StoreUnavailable: some of it may be done; do it again.
        """
        partition = keys.partition_of(conversation.id, self._partitions)
        await self._forget_in(partition, "conversation", at_ms, conversation=conversation.id)
        await self._mark_answers("c", conversation.id, at_ms)

    async def reset_person_in(self, place: PlaceId, person: PersonId, at_ms: int) -> None:
        """Forget the histories of one person in one channel, all threads.

        One script in each partition, and one in each knowledge base for each conversation.

        Raises:
            StoreUnavailable: some of it may be done; do it again.
        """
        for partition in range(self._partitions):
            *_, marked = await self._forget_in(partition, "both", at_ms, person=person, place=place)
            for conversation in marked:
                await self._mark_answers("c", conversation.decode(), at_ms)

    async def reset_place(self, place: PlaceId, at_ms: int) -> None:
        """Forget everybody's histories in one channel: one script in each partition and knowledge base.

        Raises:
            StoreUnavailable: some of it may be done; do it again.
        """
        for partition in range(self._partitions):
            await self._forget_in(partition, "place", at_ms, place=place)
        await self._mark_answers("p", place, at_ms)

    async def forget(self, person: PersonId, at_ms: int) -> Receipt:
        """Erase all that is stored about a person; see `forget.lua` and `answer_forget.lua`.

        One script in each partition and knowledge base, SMEMBERS for the names of the latter; for a person of the chat
        page, one UNLINK of the replies kept for it. The limiter's windows stay until they run out, within a day: they
        hold moments and message ids, no words, and without them /forget would lift every limit.

        Raises:
            StoreUnavailable: some of it may be done; do it again.
        """
        counts = [
            await self._forget_in(partition, "person", at_ms, person=person, everything=True)
            for partition in range(self._partitions)
        ]
        answers = await self._mark_answers("u", person, at_ms, everything=True)
        conversations, exchanges, letters = (
            sum(column) for column in zip(*(count[:3] for count in counts), strict=True)
        )
        with translated("forget"):
            platform, _, user = person.split(":")
            if platform in ("web", "terminal"):
                await self._redis.unlink(*keys.page_box_keys(unquote(user)))
        return Receipt(conversations=conversations, exchanges=exchanges, answers=answers, dead_letters=letters)

    async def _forget_in(
        self,
        partition: int,
        what: What,
        at_ms: int,
        *,
        conversation: str = "",
        person: str = "",
        place: str = "",
        everything: bool = False,
    ) -> tuple[int, int, int, list[bytes]]:
        answer = await self._scripts.run(
            "forget",
            [keys.inbox(partition, self._lane)],
            what,
            conversation,
            person,
            place,
            at_ms,
            keys.MARK_MS,
            int(everything),
            self._scripts.now,
        )
        return cast("tuple[int, int, int, list[bytes]]", tuple(cast("list[object]", answer)))

    async def _mark_answers(self, kind: str, marked: str, at_ms: int, *, everything: bool = False) -> int:
        bases, erased = self._bases, 0
        if everything:
            with translated("read the names of the knowledge bases"):
                known = await self._kb_scripts.redis.smembers(keys.BASES)
            bases |= {name.decode() for name in known if isinstance(name, bytes)}
        for base in sorted(bases):
            answer = await self._kb_scripts.run(
                "answer_forget", [keys.kb(base)], kind, marked, at_ms, keys.MARK_MS, int(everything)
            )
            erased += cast("int", answer)
        return erased

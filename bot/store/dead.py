"""Dead letters: messages that could not be answered, kept for a while for the operator to look at and try again."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import cast

from bot.dead import DeadLetter
from bot.message import Incoming
from bot.store import keys
from bot.store.client import translated
from bot.store.cluster import Client
from bot.store.scripts import Scripts


class DeadLetters:
    """The dead letters of all partitions.

    Args:
        redis: a bytes client, of the inbox.
        scripts: on the same server.
        partitions: of the inbox.
        lane: of the inbox.
    """

    def __init__(self, redis: Client, scripts: Scripts, *, partitions: int, lane: str = keys.SERVED) -> None:
        self._redis = redis
        self._scripts = scripts
        self._prefixes = [keys.inbox(partition, lane) for partition in range(partitions)]

    async def list(self) -> Sequence[DeadLetter]:
        """All of them, the latest burial first. Two round trips for each partition; not atomic.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        found = [letter for prefix in self._prefixes for letter in await self._in(prefix)]
        return sorted(found, key=lambda letter: (letter.buried_at, letter.id), reverse=True)

    async def _in(self, prefix: str) -> Sequence[DeadLetter]:
        with translated("list the dead letters"):
            found = cast("Sequence[bytes]", await self._redis.zrange(f"{prefix}:dead", 0, -1))
            ids = [message_id.decode() for message_id in found]
            pipeline = self._redis.pipeline(transaction=False)
            for message_id in ids:
                pipeline.hgetall(f"{prefix}:dead:{message_id}")
            letters = await pipeline.execute() if ids else []
        # An id whose letter has run out leaves the list at the next burial.
        return [_letter(message_id, fields) for message_id, fields in zip(ids, letters, strict=True) if fields]

    async def retry(self, message_id: str) -> bool:
        """Put one back into its mailbox; see `dead_retry.lua`. False: there is none. One round trip a partition.

        Raises:
            StoreUnavailable: it may have been put back; then it is no longer in the list.
        """
        return await self._everywhere("dead_retry", message_id, keys.doorbell(), self._scripts.now)

    async def drop(self, message_id: str) -> bool:
        """Throw one away; see `dead_drop.lua`. False: there is none. One round trip a partition.

        Raises:
            StoreUnavailable: it may be gone.
        """
        return await self._everywhere("dead_drop", message_id)

    async def _everywhere(self, script: str, *arguments: str | int) -> bool:
        done = [cast("int", await self._scripts.run(script, [prefix], *arguments)) for prefix in self._prefixes]
        return any(done)


def _letter(message_id: str, fields: dict[bytes, bytes]) -> DeadLetter:
    try:
        incoming = Incoming.from_json(fields[b"body"].split(b":", 2)[2])
    except (ValueError, KeyError, TypeError, IndexError):
        incoming = None
    return DeadLetter(
        id=message_id,
        buried_at=datetime.fromtimestamp(int(fields[b"at"]) / 1000, UTC),
        reason=fields[b"reason"].decode(),
        conversation=fields[b"conversation"].decode(),
        incoming=incoming,
    )

"""Which stored answer a message of ours shows, so that whoever dislikes it takes back the right one."""

from __future__ import annotations

from bot.message import PlaceId, SentId
from bot.store import keys
from bot.store.client import translated
from bot.store.cluster import Client
from bot.turn import AnswerKey


class RedisShown:
    """Implements the port `Shown`. What it reads is written by `settle.lua`.

    Args:
        redis: a bytes client.
        partitions: of the inbox.
        lane: of the inbox.
    """

    def __init__(self, redis: Client, *, partitions: int, lane: str = keys.SERVED) -> None:
        self._redis = redis
        self._partitions = partitions
        self._lane = lane

    async def key_of(self, place: PlaceId, message: SentId) -> AnswerKey | None:
        """Where the answer that a message of ours shows is stored; None if it shows none, or is older than that.

        A GET in each partition, in one round trip: the note lies where the asker's conversation does, and whoever
        reacts may be somebody else. Not atomic; nothing is changed.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for partition in range(self._partitions):
            pipeline.get(f"{keys.inbox(partition, self._lane)}:shown:{place}:{message}")
        with translated("look up which answer was shown"):
            found = await pipeline.execute()
        for note in found:
            if note is not None:
                base, _, digest = note.decode().partition(":")
                return AnswerKey(base, digest)
        return None

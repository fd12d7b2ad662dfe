"""The knowledge bases by name: each channel is answered from one of them, and nothing is found in another."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.message import Language
from bot.ports import Found
from bot.store import keys
from bot.store.client import translated
from bot.store.cluster import Client
from bot.store.passages import Passages
from bot.store.passages_fetch import fetch
from bot.turn import Passage


class KnowledgeBases:
    """Implements `bot.ports.Knowledge`.

    Args:
        redis: a bytes client on the server of the knowledge bases.
        names: of the bases.
        open_base: makes the store of one base from its name.
    """

    def __init__(self, redis: Client, names: Sequence[str], open_base: Callable[[str], Passages]) -> None:
        self._redis = redis
        self._passages = {name: open_base(name) for name in names}
        self.open = open_base

    async def search(self, base: str, question: str, language: Language, k: int) -> Found:
        """See `Passages.search`.

        Raises:
            StoreUnavailable: Redis did not answer.
            KeyError: there is no such base.
        """
        return await self._passages[base].search(question, language, k)

    async def fetch(self, base: str, references: Sequence[str]) -> tuple[Passage | None, ...]:
        """See `bot.store.passages_fetch`.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        return await fetch(self._redis, base, references)

    def __getitem__(self, base: str) -> Passages:
        """The passages of one base.

        Raises:
            KeyError: there is no such base.
        """
        return self._passages[base]

    async def remember_names(self) -> list[str]:
        """Write down which bases there are; returns those of earlier runs that are no longer among them.

        SADD and SMEMBERS in one round trip. SET without TTL.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.sadd(keys.BASES, *self._passages)
        pipeline.smembers(keys.BASES)
        with translated("read the names of the knowledge bases"):
            _, known = await pipeline.execute()
        return sorted({name.decode() for name in known} - set(self._passages))

    async def forget_name(self, base: str) -> None:
        """A base has been emptied: the answers made from it go, with the questions of people in them, then its name.

        SCAN of all keys, twice, an UNLINK for each that is found, SREM. Broken off, the name stays and all is done
        again.

        Raises:
            StoreUnavailable: it is emptied again at the next start.
        """
        with translated("forget a knowledge base"):
            for kind in ("answer", "asked"):
                async for key in self._redis.scan_iter(f"{keys.kb(base)}:{kind}:*", count=1_000):
                    await self._redis.unlink(key)
            await self._redis.srem(keys.BASES, base)

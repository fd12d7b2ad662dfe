"""The search index over stored answers, by the meaning of their questions.

It reads the same hashes that `bot.store.answers` writes: an entry that is replaced, forgotten, evicted or has run out
is out of the index by itself, and what is served is what the hash holds at that moment. Where the index cannot be
made or searched, nothing is near, and questions are answered as if it were not there.
"""

from __future__ import annotations

import logging

from redis.exceptions import ResponseError

from bot.answers import Near
from bot.ports import Embedder
from bot.store import keys
from bot.store.answers import FIELDS, stored_answer
from bot.store.client import translated
from bot.store.cluster import Client
from bot.store.passages_index import Row, rows
from bot.turn import AnswerKey

log = logging.getLogger(__name__)


class AnswersIndex:
    """Index `:answers:<embedder>` over the hashes `:answer:*` of each knowledge base; implements `NearAnswers`.

    Args:
        redis: a bytes client, RESP3, on the server of the knowledge bases.
        embedder: of the questions; another one has another index. Vectors of another length are not in it, those of
            another embedder with the same length are kept apart by the scope.
    """

    def __init__(self, redis: Client, embedder: Embedder) -> None:
        self._redis = redis
        self._embedder = embedder
        self._made: set[str] = set()

    async def nearest(self, base: str, scope: str, vector: bytes, k: int) -> tuple[Near, ...]:
        """The stored answers of that base and scope whose questions are nearest, nearest first, at most `k`.

        FT.SEARCH, one round trip; one more (FT.CREATE) at first use of a base in this process. An index made over
        entries that are there already reads them meanwhile: what it has not read yet is not found.

        Args:
            base: name of the knowledge base.
            scope: hexadecimal, as stored.
            vector: of the question, as the embedder makes it.
            k: at most so many; entries that ran out a moment ago may take some of the places.

        Raises:
            StoreUnavailable: Redis did not answer. That it refuses is logged, and nothing is found.
        """
        name = f"{keys.kb(base)}:answers:{self._embedder.name}"
        prefix = f"{keys.kb(base)}:answer:"
        with translated("search the stored answers"):
            try:
                await self._make(name, prefix)
                reply = await self._send(
                    *("FT.SEARCH", name, f"(@scope:{{{scope}}})=>[KNN {k} @vector $vector AS distance]"),
                    *("PARAMS", 2, "vector", vector, "SORTBY", "distance"),
                    *("RETURN", len(FIELDS) + 1, *FIELDS, "distance"),
                    *("LIMIT", 0, k, "DIALECT", 2),
                )
            except ResponseError as error:
                self._made.discard(name)  # somebody dropped it, or emptied Redis: the next question makes it anew
                log.warning("the index of stored answers cannot be searched: %s", error)
                return ()
        return tuple(_near(base, row, prefix) for row in rows(reply) if row.fields)

    async def _make(self, name: str, prefix: str) -> None:
        if name in self._made:
            return
        attributes = ("TYPE", "FLOAT32", "DIM", self._embedder.dimensions, "DISTANCE_METRIC", "COSINE")
        try:
            await self._send(
                *("FT.CREATE", name, "ON", "HASH", "PREFIX", 1, prefix, "STOPWORDS", 0, "SCHEMA"),
                *("scope", "TAG", "vector", "VECTOR", "FLAT", len(attributes), *attributes),
            )
        except ResponseError as error:
            if "already exists" not in str(error).lower():
                raise
        self._made.add(name)

    async def _send(self, *command: str | bytes | int) -> object:
        return await self._redis.execute_command(*command)


def _near(base: str, row: Row, prefix: str) -> Near:
    return Near(
        key=AnswerKey(base, row.key.removeprefix(prefix)),
        answer=stored_answer(row.fields),
        distance=float(row.fields["distance"]),
    )

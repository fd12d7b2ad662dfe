"""Passages embedded anew by another embedder, from what Redis holds of them: no file is read again.

So a document whose file is out of reach of this process moves too, and readers of the old passages keep them.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.knowledge.ingest import EMBED_BATCH, embedded_text
from bot.knowledge.split import Piece
from bot.knowledge.vectors import embedded
from bot.ports import Embedder
from bot.store.client import translated
from bot.store.cluster import Client


async def embed_anew(redis: Client, embedder: Embedder, pairs: Sequence[tuple[str, str]]) -> None:
    """Write a copy of each passage that differs in its vectors alone.

    HGETALL and HSET of `EMBED_BATCH` passages at a time, a round trip each; keys without TTL. Broken off, some are
    written; twice is harmless.

    Args:
        redis: a bytes client.
        embedder: whose vectors the copies get.
        pairs: keys of HASHes, the passage as it is and its copy. A passage that is gone has no copy.

    Raises:
        StoreUnavailable: Redis did not answer.
        EmbeddingUnavailable: no vectors now.
    """
    for start in range(0, len(pairs), EMBED_BATCH):
        batch = pairs[start : start + EMBED_BATCH]
        reading = redis.pipeline(transaction=False)
        for there, _ in batch:
            reading.hgetall(there)
        with translated("read passages of another embedder"):
            found = await reading.execute()
        copies = [(ours, fields) for (_, ours), fields in zip(batch, found, strict=True) if fields]
        vectors = await embedded(embedder, [_embedded_texts(fields) for _, fields in copies])
        writing = redis.pipeline(transaction=False)
        for (ours, fields), (vector, codes) in zip(copies, vectors, strict=True):
            writing.hset(ours, mapping={**fields, b"embedding": vector, b"codes": codes})
        with translated("write passages of another embedder"):
            await writing.execute()


def _embedded_texts(fields: dict[bytes, bytes]) -> tuple[str, str]:
    title, place, text = (fields[name].decode() for name in (b"title", b"place", b"text"))
    return embedded_text(title, Piece(place, text)), text

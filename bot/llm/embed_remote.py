"""Texts into vectors, by an OpenAI-compatible server.

Gives float32 little-endian bytes, L2-normalised, one per text, in the order of the texts; stores nothing. Retries are
those of `bot.llm.provider`, as for the chat model.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, cast

import numpy as np
from openai import AsyncOpenAI, BadRequestError, UnprocessableEntityError

from bot.errors import EmbeddingUnavailable
from bot.llm.embed import unit_rows
from bot.llm.provider import Provider, ProviderFailed, RetryBudget

REMOTE_MAX_CHARS = 8000
"""Under 8,192 tokens in any language that we measured."""
REMOTE_BATCH = 10
"""The smallest limit known among compatible servers."""
REMOTE_RETRIES = 2


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
        """One request, past the library's typed layer, which looks at each number: 4 ms for a vector of 512."""
        # Left to itself, the library asks for base64, which some servers refuse.
        body: dict[str, object] = {"model": self._model, "input": batch, "encoding_format": "float"}
        if asks_dimensions:
            body["dimensions"] = self._dimensions
        answer = await client.post("/embeddings", body=body, cast_to=object)
        try:
            items = cast("dict[str, list[dict[str, Any]]]", answer)["data"]
            return [list(item["embedding"]) for item in sorted(items, key=lambda item: int(item["index"]))]
        except (TypeError, ValueError, LookupError):
            # Nobody has checked the shape.
            raise ProviderFailed("a malformed answer", transient=True) from None

    def _checked(self, rows: list[list[float]], count: int) -> list[bytes]:
        lengths = {len(row) for row in rows}
        if len(rows) != count:
            raise ProviderFailed(f"{len(rows)} vectors for {count} texts", transient=True)
        if lengths != {self._dimensions}:
            reason = f"vectors of {lengths} numbers where embeddings.dimensions says {self._dimensions}"
            raise ProviderFailed(reason, transient=False)
        try:
            return unit_rows(np.asarray(rows, dtype="<f4"))
        except ValueError as error:
            raise ProviderFailed(str(error), transient=True) from None


def _sendable(text: str) -> str:
    return text[:REMOTE_MAX_CHARS].encode("utf-8", "replace").decode().strip() or "-"

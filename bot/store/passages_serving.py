"""What readers of a knowledge base search: one index, named in Redis, and which version of each document is in it.

Ingest builds another index beside it (of another embedder, or of another kind) and makes that one served when it is
complete, with one script that also moves the epoch. So whoever asks, whatever embedder it is configured for, searches
an index that holds all documents, and learns of the change with the next reply.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple, Self, cast

from bot.knowledge.document import DocumentRecord
from bot.store import keys
from bot.store.cluster import Client
from bot.store.passages_index import Kind, PassageIndex
from bot.store.scripts import Scripts


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """An index that is served.

    Attributes:
        embedder: whose vectors are in it, by name.
        dimensions: their length.
        kind: of the index.
        recipe: how that embedder is made, for processes configured for another one; opaque here, no secret in it.
    """

    embedder: str
    dimensions: int
    kind: Kind
    recipe: str = ""

    @classmethod
    def from_hash(cls, fields: Mapping[bytes, bytes]) -> Self | None:
        """Of the hash `:serving`; None if it is not there."""
        if not fields:
            return None
        texts = {name.decode(): value.decode() for name, value in fields.items()}
        return cls(
            embedder=texts["embedder"],
            dimensions=int(texts["dimensions"]),
            kind="hnsw" if texts["kind"] == "hnsw" else "flat",
            recipe=texts["recipe"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A knowledge base at one epoch.

    Attributes:
        epoch: of all that follows.
        serving: what is searched; None before the first ingest.
        documents: path → record.
        current: document id → its path, and its record with the version that readers see.
    """

    epoch: int
    serving: Serving | None
    documents: Mapping[str, DocumentRecord]
    current: Mapping[str, tuple[str, DocumentRecord]]

    def shows(self, passage_key: str) -> bool:
        """This passage is of the version that readers see."""
        _, document, version, _ = passage_key.rsplit(":", 3)
        return document in self.current and self.current[document][1].version == version


class _Known(NamedTuple):
    """A document as it was read last: its record as text, and what was made of it."""

    text: bytes
    id: str
    path: str
    record: DocumentRecord


class ServedIndex:
    """Reads and switches what is served.

    Args:
        redis: a bytes client, RESP3.
        kb: name of the knowledge base.
    """

    def __init__(self, redis: Client, *, kb: str) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._kb = kb
        self.epoch_key = f"{keys.kb(kb)}:epoch"
        self.serving_key = f"{keys.kb(kb)}:serving"
        self.documents_key = f"{keys.kb(kb)}:documents"
        self._known: dict[bytes, _Known] = {}

    async def state(self) -> State:
        """All of one epoch; see `served_state.lua`. One round trip.

        What changed since the last time is parsed and nothing else: while documents are ingested, nearly every
        question begins with this.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        script_keys = [self.epoch_key, self.serving_key, self.documents_key]
        epoch, serving, records = cast(
            "tuple[bytes | None, list[bytes], list[bytes]]", await self._scripts.run("served_state", script_keys)
        )
        self._known = {path: self._document(path, text) for path, text in _pairs(records)}
        return State(
            epoch=int(epoch or 0),
            serving=Serving.from_hash(dict(_pairs(serving))),
            documents={known.path: known.record for known in self._known.values()},
            current={known.id: (known.path, known.record) for known in self._known.values()},
        )

    def _document(self, path: bytes, text: bytes) -> _Known:
        known = self._known.get(path)
        if known is not None and known.text == text:
            return known
        name = path.decode()
        return _Known(text, document_id(name), name, DocumentRecord.from_json(text))

    async def serve(self, serving: Serving, *, complete_at: int) -> bool:
        """Let readers search this index from now on. One script; see `serve_index.lua`.

        Args:
            serving: the index.
            complete_at: epoch at which it held all documents.

        Returns:
            False: a document changed since.

        Raises:
            StoreUnavailable: nothing is certain; the same call again sets it right.
        """
        script_keys = [self.serving_key, self.epoch_key]
        arguments = (complete_at, serving.embedder, serving.dimensions, serving.kind, serving.recipe)
        return await self._scripts.run("serve_index", script_keys, *arguments) == 1

    def index(self, serving: Serving) -> PassageIndex:
        """The search index that is meant."""
        return PassageIndex(
            self._redis,
            kb=self._kb,
            embedder=serving.embedder,
            dimensions=serving.dimensions,
            kind=serving.kind,
        )


def _pairs(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Fields and values of a hash as a script returns it."""
    return zip(flat[::2], flat[1::2], strict=True)


def document_id(path: str) -> str:
    """A document's name in keys and tags: 16 hexadecimal digits of the SHA-256 of its path."""
    return sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:16]

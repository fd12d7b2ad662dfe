"""The passages of one knowledge base: searched by the pipeline, written by ingest.

A document's passages are written under a new version, then one script makes that version the current one and moves
the epoch; readers drop passages of any other version, and the old ones are deleted afterwards. So a search sees each
document either as it was or as it is, never both, and a crash at any line leaves nothing worse than passages that
nobody sees until `sweep` deletes them.

A search costs one round trip. Which versions are current is remembered here together with the epoch it was true at;
the search brings the epoch along, and only when that has moved is the list read anew (one more round trip per process
and change, instead of the whole list with each question).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from hashlib import sha256

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from bot.errors import EmbeddingUnavailable, StoreUnavailable
from bot.knowledge.document import DocumentRecord, NewPassage
from bot.knowledge.words import query_tokens, says_something
from bot.message import Language
from bot.ports import Embedder, Found
from bot.store import keys
from bot.store.client import translated
from bot.store.passages_index import Command, PassageIndex, Row, is_missing_index, rows
from bot.store.passages_lock import ingest_lock
from bot.store.passages_rank import best, merged
from bot.store.scripts import Scripts

log = logging.getLogger(__name__)

QUESTION_CHARS = 1_000
"""How much of a question is looked at. Embedding takes 1.3 ms per 100 characters; what matters stands in front."""
CANDIDATES = 24
"""Taken from each of the two searches, at least. More costs transfer and finds no more (see `bench/retrieval.py`)."""
CANDIDATES_PER_PASSAGE = 4
"""The same for large `k`: room for what another version, language or bound takes out."""
SEARCH_ATTEMPTS = 3
"""How often a search is repeated because documents changed while it ran."""
WRITE_BATCH = 50
"""Passages per round trip when writing or deleting; about 250 KB, well under a second of anybody's Redis."""


HashValue = bytes | bytearray | memoryview | str | int | float
"""What redis-py takes as field or value of a hash."""


class Passages:
    """One knowledge base in one Redis. Implements `bot.ports.Knowledge`.

    Args:
        redis: a bytes client, RESP3 (see `bot.store.client.connect`).
        embedder: makes vectors of questions; its name chooses the index.
        kb: name of the knowledge base.
        max_cosine_distance: [0, 2], lower is stricter: a passage farther away is found only by strong words.
    """

    def __init__(self, redis: Redis, embedder: Embedder, *, max_cosine_distance: float, kb: str = "main") -> None:
        self._redis = redis
        self._embedder = embedder
        self._max_cosine_distance = max_cosine_distance
        self._scripts = Scripts(redis)
        self._index = PassageIndex(redis, kb=kb, embedder=embedder.name, dimensions=embedder.dimensions)
        self._epoch_key = f"{keys.kb(kb)}:epoch"
        self._documents_key = f"{keys.kb(kb)}:documents"
        self._passages_prefix = f"{keys.kb(kb)}:p:"
        self._lock_key = f"{keys.kb(kb)}:ingest"
        self._current_at = -1
        self._current: Mapping[str, str] = {}

    # --- searching ------------------------------------------------------------------------------------------------

    async def search(self, question: str, language: Language, k: int) -> Found:
        """The best passages for a question, best first; those in the asker's language before their copies.

        One round trip (GET, FT.SEARCH twice), one more after documents changed. Without an embedder the words alone
        decide. A question without a letter or digit finds nothing. Cancelling changes nothing.

        Args:
            question: any text of a person; only tokens of ours made from it reach the query.
            language: of the asker.
            k: at most so many.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        question = question[:QUESTION_CHARS]
        if not says_something(question):
            return Found(passages=(), epoch=await self.epoch())
        tokens = query_tokens(question)
        commands = self._searches(await self._vector(question), tokens, max(CANDIDATES, CANDIDATES_PER_PASSAGE * k))
        for _ in range(SEARCH_ATTEMPTS):
            epoch, nearest, sharing = await self._ask(commands)
            # A change between the search and this line: what was found may be of neither state. Search again.
            if await self._know_current(epoch):
                break
        passages = best(
            merged(self._visible(nearest), self._visible(sharing)),
            question_tokens=tokens,
            language=language,
            max_cosine_distance=self._max_cosine_distance,
            k=k,
        )
        return Found(passages=passages, epoch=epoch)

    async def epoch(self) -> int:
        """How often any document has changed; 0 for a knowledge base that never had one."""
        with translated("read the epoch"):
            return int(await self._redis.get(self._epoch_key) or 0)

    async def _vector(self, question: str) -> bytes | None:
        try:
            return (await self._embedder.embed([question]))[0]
        except EmbeddingUnavailable as error:
            log.warning("searching by words alone: %s", error)
            return None

    def _searches(self, vector: bytes | None, tokens: Sequence[str], count: int) -> tuple[Command | None, ...]:
        nearest = self._index.nearest(vector, count) if vector is not None else None
        return nearest, self._index.sharing(tokens, count) if tokens else None

    async def _ask(self, commands: Sequence[Command | None]) -> tuple[int, list[Row], list[Row]]:
        """Epoch first, then the searches, in one round trip: a change in between makes the epoch too old, not too new.

        No transaction: searches inside one are refused by some deployments.
        """
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(self._epoch_key)
        for command in commands:
            if command is not None:
                pipeline.execute_command(*command)
        with translated("search the passages"):
            replies = await pipeline.execute(raise_on_error=False)
            for reply in replies:
                if isinstance(reply, Exception) and not (isinstance(reply, ResponseError) and is_missing_index(reply)):
                    raise reply
        found = iter(replies[1:])
        nearest, sharing = (_rows_or_none(next(found)) if command is not None else [] for command in commands)
        return int(replies[0] or 0), nearest, sharing

    async def _know_current(self, epoch: int) -> bool:
        """Make sure that the remembered versions are those of this epoch; False if it is past already."""
        if self._current_at != epoch:
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.get(self._epoch_key)
            pipeline.hgetall(self._documents_key)
            with translated("read the current versions"):
                now, documents = await pipeline.execute()
            current = {
                document_id(_text(path)): DocumentRecord.from_json(record).version for path, record in documents.items()
            }
            self._current_at, self._current = int(now or 0), current
        return self._current_at == epoch

    def _visible(self, found: Sequence[Row]) -> list[Row]:
        return [row for row in found if self._current.get(row.fields["document"]) == row.fields["version"]]

    # --- writing, for ingest ----------------------------------------------------------------------------------------

    async def ensure_index(self) -> None:
        """Make the index if it is not there; see `PassageIndex.ensure`.

        Raises:
            StoreUnavailable: Redis refused or took too long.
        """
        await self._index.ensure()

    async def documents(self) -> dict[str, DocumentRecord]:
        """All documents by path. One round trip.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        with translated("list the documents"):
            records = await self._redis.hgetall(self._documents_key)
        return {_text(path): DocumentRecord.from_json(record) for path, record in records.items()}

    async def missing(self, path: str, record: DocumentRecord) -> list[int]:
        """Numbers of the passages of this version that are not yet written (all, unless an ingest broke off here).

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for key in self._passage_keys(path, record):
            pipeline.exists(key)
        with translated("look for passages"):
            there = await pipeline.execute()
        return [number for number, exists in enumerate(there) if not exists]

    async def write(self, path: str, record: DocumentRecord, passages: Sequence[NewPassage]) -> None:
        """Write passages of a version that readers do not see yet.

        HSET each, a round trip per `WRITE_BATCH`. Twice does what once does, but write only what is `missing`: the
        index counts a passage written again twice until garbage is collected.

        Raises:
            StoreUnavailable: some may be written, some not.
        """
        passage_keys = self._passage_keys(path, record)
        for start in range(0, len(passages), WRITE_BATCH):
            pipeline = self._redis.pipeline(transaction=False)
            for passage in passages[start : start + WRITE_BATCH]:
                pipeline.hset(passage_keys[passage.number], mapping=_fields(path, record, passage))
            with translated("write passages"):
                await pipeline.execute()

    async def switch(self, path: str, record: DocumentRecord) -> bool:
        """Make a written version the current one, then delete the one before. False: passages of it are missing.

        The epoch moves by one, unless readers see what they saw (the record alone changed). Atomic; a crash right
        after it leaves the old passages for `sweep`.

        Raises:
            StoreUnavailable: nothing is certain; the same call again sets it right.
        """
        passage_keys = self._passage_keys(path, record)
        state, before = await self._run_switch(path, record.to_json(), record.version, record.embedder, passage_keys)
        if state == b"switched" and before:
            old = DocumentRecord.from_json(before)
            # Another embedder's index stays whole for those who still search it, until it is dropped as a whole.
            if old.embedder == record.embedder:
                await self._drop(path, old)
        return state != b"incomplete"

    async def remove(self, path: str) -> bool:
        """Take a document out, then delete its passages. False: it was not there. As atomic as `switch`.

        Raises:
            StoreUnavailable: nothing is certain; the same call again sets it right.
        """
        state, before = await self._run_switch(path, "", "", "", [])
        if before:
            await self._drop(path, DocumentRecord.from_json(before))
        return state == b"switched"

    async def sweep(self) -> int:
        """Delete what broken-off ingests left: passages of versions that no document has. Returns how many.

        Raises:
            StoreUnavailable: some may be left.
        """
        current = {(document_id(path), record.version) for path, record in (await self.documents()).items()}
        dropped = 0
        for document, version in await self._index.versions() - current:
            left = await self._index.of_version(document, version)
            if left:
                passage_keys = [row.key for row in left]
                dropped += await self._drop_keys(left[0].fields["path"], version, self._embedder.name, passage_keys)
        return dropped

    async def renew_statistics(self) -> None:
        """After deletions: make ranking forget them; see `PassageIndex.collect_garbage`.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        with translated("renew the search statistics"):
            await self._index.collect_garbage()

    def exclusive(self, *, wait: timedelta) -> AbstractAsyncContextManager[None]:
        """A block in which no other ingest works on this knowledge base; see `bot.store.passages_lock`.

        Args:
            wait: how long to wait for another ingest to end.
        """
        return ingest_lock(self._redis, self._lock_key, wait=wait)

    async def drop_other_embedders(self) -> int:
        """Delete the indexes and passages of all other embedders; returns how many indexes.

        Only for when every document has been switched to this one.

        Raises:
            StoreUnavailable: some may be left.
        """
        return await self._index.drop_others()

    def _passage_keys(self, path: str, record: DocumentRecord) -> list[str]:
        prefix = f"{self._passages_prefix}{record.embedder}:{document_id(path)}:{record.version}"
        return [f"{prefix}:{number}" for number in range(record.passages)]

    async def _run_switch(
        self, path: str, record: str, version: str, embedder: str, passage_keys: Sequence[str]
    ) -> tuple[bytes, bytes]:
        script_keys = [self._documents_key, self._epoch_key, *passage_keys]
        reply = await self._scripts.run("switch_document", script_keys, path, record, version, embedder)
        if not isinstance(reply, list):
            raise StoreUnavailable("switch_document replied in another shape")
        state, before = reply
        return state, before

    async def _drop(self, path: str, record: DocumentRecord) -> None:
        await self._drop_keys(path, record.version, record.embedder, self._passage_keys(path, record))

    async def _drop_keys(self, path: str, version: str, embedder: str, passage_keys: Sequence[str]) -> int:
        dropped = 0
        for start in range(0, len(passage_keys), WRITE_BATCH):
            script_keys = [self._documents_key, *passage_keys[start : start + WRITE_BATCH]]
            reply = await self._scripts.run("drop_passages", script_keys, path, version, embedder)
            dropped += reply if isinstance(reply, int) else 0
        return dropped


def document_id(path: str) -> str:
    """A document's name in keys and tags: 16 hexadecimal digits of the SHA-256 of its path."""
    return sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name


def _rows_or_none(reply: object) -> list[Row]:
    """The rows; none if there is no index yet, which `_ask` lets pass."""
    return [] if isinstance(reply, Exception) else rows(reply)


def _fields(path: str, record: DocumentRecord, passage: NewPassage) -> dict[HashValue, HashValue]:
    return {
        "path": path,
        "document": document_id(path),
        "version": record.version,
        "number": passage.number,
        "title": passage.title,
        "place": passage.place,
        "text": passage.text,
        "url": passage.url,
        "language": passage.language,
        "words": passage.words,
        "embedding": passage.embedding,
    }

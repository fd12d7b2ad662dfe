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
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

from bot.errors import EmbeddingUnavailable, StoreUnavailable
from bot.knowledge.document import DocumentRecord, NewPassage
from bot.knowledge.words import query_tokens, says_something
from bot.message import Language
from bot.ports import Embedder, Found
from bot.store import keys
from bot.store.client import translated
from bot.store.cluster import Client
from bot.store.passages_index import Kind, Row, ask
from bot.store.passages_lock import ingest_lock
from bot.store.passages_move import embed_anew
from bot.store.passages_rank import best, merged
from bot.store.passages_serving import ServedIndex, Serving, State, document_id
from bot.store.scripts import Scripts

log = logging.getLogger(__name__)

QUESTION_CHARS = 1_000
"""How much of a question is looked at. Embedding takes 1.3 ms per 100 characters; what matters stands in front."""
CANDIDATES = 16
"""Taken from each of the two searches, at least. 24 cost a fifth more time and find no more (`bench/README.md`)."""
CANDIDATES_PER_PASSAGE = 3
"""The same for large `k`: room for what another version, language or bound takes out."""
SEARCH_ATTEMPTS = 3
"""How often a search is repeated because documents changed while it ran."""
WRITE_BATCH = 50
"""Passages per round trip when writing or deleting; about 250 KB, well under a second of anybody's Redis."""


HashValue = bytes | bytearray | memoryview | str | int | float
"""What redis-py takes as field or value of a hash."""


class Passages:
    """One knowledge base in one Redis. Implements the search of `bot.ports.Knowledge` for it.

    Args:
        redis: a bytes client, RESP3 (see `bot.store.client.connect`).
        embedder: what new passages are embedded with; ingest sees to it that its index comes to be the served one.
        kb: name of the knowledge base.
        max_cosine_distance: [0, 2], lower is stricter: a passage farther away is found only by strong words.
        recipe: how `embedder` is made, written beside its index; no secret in it.
        made_by: makes an embedder from such a recipe, quickly the second time; None if it cannot. Used while the index
            of another embedder is served; without it, words alone decide meanwhile.
        flat_up_to: more passages than this are searched by a graph; None: never, however many there are.
    """

    def __init__(
        self,
        redis: Client,
        embedder: Embedder,
        *,
        max_cosine_distance: float,
        kb: str = "main",
        recipe: str = "",
        made_by: Callable[[str], Awaitable[Embedder | None]] | None = None,
        flat_up_to: int | None = None,
    ) -> None:
        self._redis = redis
        self._embedder = embedder
        self._max_cosine_distance = max_cosine_distance
        self._recipe = recipe
        self._made_by = made_by
        self._flat_up_to = flat_up_to
        self._scripts = Scripts(redis)
        self._served = ServedIndex(redis, kb=kb)
        self._index = self._served.index(self._own("flat"))
        self._passages_prefix = f"{keys.kb(kb)}:p:"
        self._lock_key = f"{keys.kb(kb)}:ingest"
        self._state: State | None = None

    # --- searching ------------------------------------------------------------------------------------------------

    async def search(self, question: str, language: Language, k: int) -> Found:
        """The best passages for a question, best first; those in the asker's language before their copies.

        One round trip (GET, FT.SEARCH twice), one more after documents changed. Without an embedder the words alone
        decide. A question without a letter or digit finds nothing. Cancelling changes nothing.

        Args:
            question: any text of a person; only tokens of ours made from it reach the query.
            language: of the asker.
            k: at most so many.

        Returns:
            Also the question's vector, if the index of the configured embedder is the one that was searched. Not
            whole without an embedder, or if an index is gone.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        question = question[:QUESTION_CHARS]
        if not says_something(question):
            return Found(passages=(), epoch=await self.epoch())
        tokens = query_tokens(question)
        count = max(CANDIDATES, CANDIDATES_PER_PASSAGE * k)
        vectors: dict[str, bytes | None] = {}
        state = self._state if self._state is not None and self._state.serving else await self._read_state()
        for _ in range(SEARCH_ATTEMPTS):
            serving = state.serving
            if serving is None:
                return Found(passages=(), epoch=state.epoch)
            if serving.embedder not in vectors:
                vectors[serving.embedder] = await self._vector(question, serving)
            vector, index = vectors[serving.embedder], self._served.index(serving)
            nearest = index.nearest(vector, count) if vector is not None else None
            sharing = index.sharing(tokens, count) if tokens else None
            found = await ask(self._redis, self._served.epoch_key, nearest, sharing)
            if found.whole and found.epoch == state.epoch:
                break
            # Something changed, before the search or while it ran: what was found may be of neither state.
            before, state = state, await self._read_state()
            if state.epoch == found.epoch and state.serving == serving and (found.whole or state == before):
                break
        passages = best(
            merged(self._visible(found.nearest, state), self._visible(found.sharing, state), vector),
            question_tokens=tokens,
            language=language,
            max_cosine_distance=self._max_cosine_distance,
            k=k,
            documents=state.current,
        )
        whole = found.whole and vector is not None
        return Found(passages=passages, epoch=found.epoch, vector=vectors.get(self._embedder.name), whole=whole)

    async def epoch(self) -> int:
        """How often any document has changed; 0 for a knowledge base that never had one."""
        with translated("read the epoch"):
            return int(await self._redis.get(self._served.epoch_key) or 0)

    async def extent(self) -> tuple[int, int]:
        """The epoch, and how many documents there are. GET and HLEN in one round trip.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.get(self._served.epoch_key)
        pipeline.hlen(self._served.documents_key)
        with translated("count the documents"):
            epoch, documents = await pipeline.execute()
        return int(epoch or 0), int(documents)

    async def _vector(self, question: str, serving: Serving) -> bytes | None:
        try:
            if serving.embedder == self._embedder.name:
                return (await self._embedder.embed([question]))[0]
            other = await self._made_by(serving.recipe) if self._made_by is not None else None
            if other is None or other.name != serving.embedder:
                log.warning("searching by words alone: the vectors are of %s, which is not at hand", serving.embedder)
                return None
            return (await other.embed([question]))[0]
        except EmbeddingUnavailable as error:
            log.warning("searching by words alone: %s", error)
            return None

    async def _read_state(self) -> State:
        self._state = await self._served.state()
        return self._state

    def _visible(self, found: Sequence[Row], state: State) -> list[Row]:
        return [row for row in found if state.shows(row.key)]

    # --- writing, for ingest ----------------------------------------------------------------------------------------

    async def ensure_index(self) -> None:
        """Make the index of our embedder the one that is served, and wait until it is ready for writing.

        In a new knowledge base it is made. Where another embedder's is served, all passages are embedded anew beside
        it, from what is in Redis, which takes minutes for thousands; readers search the old one until the new one is
        complete. Broken off, it goes on from there the next time.

        Raises:
            StoreUnavailable: Redis refused or took too long.
            EmbeddingUnavailable: our embedder has no vectors now.
        """
        serving = (await self._read_state()).serving
        is_ours = serving is not None and serving.embedder == self._embedder.name
        await self._move_to(serving.kind if serving is not None and is_ours else await self._fitting_kind())

    async def settle_index(self) -> None:
        """After an ingest: change over to the kind of index that fits the number of passages, if it is another.

        It is built beside the served one, from passages that are there; Redis goes on answering meanwhile.

        Raises:
            StoreUnavailable: Redis refused or took too long; the served index stays.
        """
        kind = await self._fitting_kind()
        if kind != self._index.kind:
            log.info("knowledge: changing over to an index of kind %s", kind)
            await self._move_to(kind)

    async def documents(self) -> dict[str, DocumentRecord]:
        """All documents by path. One round trip.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        with translated("list the documents"):
            records = await self._redis.hgetall(self._served.documents_key)
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
        state, before = await self._run_switch(path, record.to_json(), record.version, passage_keys)
        if state == b"switched" and before:
            old = DocumentRecord.from_json(before)
            await self._drop(path, old.version, self._passage_keys(path, old))
        return state != b"incomplete"

    async def remove(self, path: str) -> bool:
        """Take a document out, then delete its passages. False: it was not there. As atomic as `switch`.

        Raises:
            StoreUnavailable: nothing is certain; the same call again sets it right.
        """
        state, before = await self._run_switch(path, "", "", [])
        if before:
            old = DocumentRecord.from_json(before)
            await self._drop(path, old.version, self._passage_keys(path, old))
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
                dropped += await self._drop(left[0].fields["path"], version, passage_keys)
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

    def _own(self, kind: Kind) -> Serving:
        embedder = self._embedder
        return Serving(embedder=embedder.name, dimensions=embedder.dimensions, kind=kind, recipe=self._recipe)

    async def _fitting_kind(self) -> Kind:
        if self._flat_up_to is None:
            return "flat"
        count = sum(record.passages for record in (await self.documents()).values())
        return "hnsw" if count > self._flat_up_to else "flat"

    async def _move_to(self, kind: Kind) -> None:
        target = self._own(kind)
        self._index = self._served.index(target)
        await self._index.ensure()
        while True:
            state = await self._read_state()
            if state.serving is not None and state.serving.embedder != target.embedder:
                await self._embed_anew(state, state.serving.embedder)
            # Refused if a document changed meanwhile, our lock having passed on: then the rest is done, too.
            if await self._served.serve(target, complete_at=state.epoch):
                break
        await self._index.drop_others()

    async def _embed_anew(self, state: State, other: str) -> None:
        count = sum(record.passages for record in state.documents.values())
        log.info("knowledge: %d passages of %s are embedded anew by %s", count, other, self._embedder.name)
        for path, record in state.documents.items():
            there, ours = self._passage_keys(path, record, other), self._passage_keys(path, record)
            pairs = [(there[number], ours[number]) for number in await self.missing(path, record)]
            await embed_anew(self._redis, self._embedder, pairs)

    def _passage_keys(self, path: str, record: DocumentRecord, embedder: str | None = None) -> list[str]:
        prefix = f"{self._passages_prefix}{embedder or self._embedder.name}:{document_id(path)}:{record.version}"
        return [f"{prefix}:{number}" for number in range(record.passages)]

    async def _run_switch(
        self, path: str, record: str, version: str, passage_keys: Sequence[str]
    ) -> tuple[bytes, bytes]:
        served = self._served
        script_keys = [served.documents_key, served.epoch_key, served.serving_key, *passage_keys]
        reply = await self._scripts.run("switch_document", script_keys, path, record, version, self._embedder.name)
        if not isinstance(reply, list):
            raise StoreUnavailable("switch_document replied in another shape")
        state, before = reply
        return state, before

    async def _drop(self, path: str, version: str, passage_keys: Sequence[str]) -> int:
        dropped = 0
        for start in range(0, len(passage_keys), WRITE_BATCH):
            batch = passage_keys[start : start + WRITE_BATCH]
            script_keys = [self._served.documents_key, self._served.serving_key, *batch]
            reply = await self._scripts.run("drop_passages", script_keys, path, version, self._embedder.name)
            dropped += reply if isinstance(reply, int) else 0
        return dropped


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else name


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
        "codes": passage.codes,
    }

"""Brings a knowledge base into line with files: new ones in, changed ones replaced, vanished ones out.

Several documents are in hand at once: while one is read, in a process of its own, another is embedded and a third is
written. Idempotent by content: a version is derived from a file's bytes, so an unchanged file costs a hash, and an
ingest that broke off goes on at the passage where it stopped. May be cancelled or killed at any line: a document is
switched as a whole by one script, and what no run will ever finish is swept out by the next one that ends. Runs wait
for each other.

A document stays as long as somebody wants it: `knowledge.paths` (origin `config`), which is the whole truth about
itself at each start, and `frontdesk ingest` (origin `cli`), which only adds. A file gone from the disk is out for
both, but a path with nothing under it proves nothing: a volume that is not mounted, or the wrong configuration, looks
the same. So what was there stays, and is taken out by `remove` alone. What cannot be read is reported and skipped; if
it was readable before, its old version stays.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from bot.errors import EmbeddingUnavailable, StoreUnavailable, UnreadableDocument
from bot.knowledge.document import Document, DocumentRecord, NewPassage, Origin
from bot.knowledge.files import FoundFile, Walk, document_name, is_under, possible_names, walk
from bot.knowledge.progress import Summary, Tell, Teller, ignore
from bot.knowledge.readers import Readers, sha256_of
from bot.knowledge.sentences import sentences
from bot.knowledge.split import SIZES, Piece, Sizes, split
from bot.knowledge.vectors import embedded
from bot.knowledge.words import SENTENCE_BREAK, tokens
from bot.language import language_of
from bot.ports import Embedder

log = logging.getLogger(__name__)

FORMAT = "6"
"""Part of every version. Raise it when reading, splitting, tokens or embedded text change, so that all documents are
made anew at the next ingest."""
EMBED_BATCH = 16
"""Texts embedded, then written, at once: no more than that is done again after a crash. The built-in embedder gains
nothing from more, a remote one needs some."""
IN_HAND = 4
"""Documents in work at once. Embedding takes nine tenths of the time (see `bench/README.md`), so more would only wait
for it with their texts in memory."""
READERS = 2
"""Documents read at once, each by a process of up to a gigabyte."""
WAIT_FOR_OTHERS = timedelta(minutes=30)
"""How long an ingest waits for another one of the same knowledge base."""


class Shelf(Protocol):
    """What ingest asks of the store; `bot.store.passages.Passages` is one. Any method may raise StoreUnavailable."""

    def exclusive(self, *, wait: timedelta) -> AbstractAsyncContextManager[None]:
        """A block in which no other ingest works on this knowledge base."""
        ...

    async def ensure_index(self) -> None:
        """Make the index of our embedder the one that is searched, and wait until it is ready for writing."""
        ...

    async def documents(self) -> dict[str, DocumentRecord]:
        """All documents by path."""
        ...

    async def missing(self, path: str, record: DocumentRecord) -> list[int]:
        """Numbers of this version's passages that are not yet written."""
        ...

    async def write(self, path: str, record: DocumentRecord, passages: Sequence[NewPassage]) -> None:
        """Write passages that readers do not see yet."""
        ...

    async def switch(self, path: str, record: DocumentRecord) -> bool:
        """Show readers this version, atomically. False: passages of it are missing."""
        ...

    async def remove(self, path: str) -> bool:
        """Take a document out. False: it was not there."""
        ...

    async def sweep(self) -> int:
        """Delete what broken-off ingests left; how many passages."""
        ...

    async def renew_statistics(self) -> None:
        """Make ranking forget deleted passages."""
        ...

    async def settle_index(self) -> None:
        """Change over to the kind of index that fits the number of passages."""
        ...


class Ingest:
    """Ingests files into one knowledge base.

    Args:
        passages: where passages are kept.
        embedder: makes their vectors; must be the one `passages` searches with.
        wait_for_others: how long to wait for another ingest.
        sizes: of the passages. No part of a document's version: for measuring, on empty knowledge bases.
    """

    def __init__(
        self,
        passages: Shelf,
        embedder: Embedder,
        *,
        wait_for_others: timedelta = WAIT_FOR_OTHERS,
        sizes: Sizes = SIZES,
    ) -> None:
        self._passages = passages
        self._embedder = embedder
        self._sizes = sizes
        self._wait_for_others = wait_for_others

    async def sync(
        self,
        paths: Sequence[Path],
        *,
        origin: Origin = "config",
        progress: Tell = ignore,
        may_empty: bool = False,
    ) -> Summary:
        """Bring the knowledge base into line with what is under these paths.

        `config`: these are all the configured paths; documents of paths no longer among them go, unless somebody
        ingested them by hand. `cli`: these paths are added. Either way a file gone from under them is taken out.
        A path under which nothing is found is reported, and what was under it stays: its disk may not be there. A run
        that reads no document at all takes none out, unless it may.

        Args:
            paths: files and folders.
            origin: who asks.
            progress: told as it goes.
            may_empty: a run that reads no document takes out what goes all the same.

        Raises:
            StoreUnavailable: Redis failed; what was written so far stays, the next run goes on from there.
        """
        async with self._passages.exclusive(wait=self._wait_for_others):
            await self._passages.ensure_index()
            known = await self._passages.documents()
            found = await walk(paths)
            summary = Summary(failed=list(found.failed))
            async with Readers(READERS) as readers:
                teller = Teller(await _bytes_of(found.files), progress)
                run = _Run(self._passages, self._embedder, readers, teller, self._sizes)
                await run.take_in(found.files, origin, known, summary)
            some_read = bool(summary.added or summary.changed or summary.unchanged)
            await self._take_out(found, origin, known, summary, may=some_read or may_empty)
            await self._end(summary)
        return summary.in_order()

    async def remove(self, paths: Sequence[Path]) -> Summary:
        """Take out all documents under these paths, whoever put them in, whether their files are there or not.

        Args:
            paths: files and folders, by the names that their documents have or by where they lay.

        Returns:
            `failed` names the paths from which there was none.

        Raises:
            StoreUnavailable: Redis failed; what is out is out, the rest stays.
        """
        async with self._passages.exclusive(wait=self._wait_for_others):
            await self._passages.ensure_index()
            known = await self._passages.documents()
            summary = Summary()
            for path in paths:
                under = [name for name in known if any(is_under(name, root) for root in possible_names(path))]
                if not under:
                    summary.failed.append((document_name(path), "no document was read from there"))
                for name in under:
                    if await self._passages.remove(name):
                        summary.removed.append(name)
            await self._end(summary)
        return summary.in_order()

    async def _end(self, summary: Summary) -> None:
        # What was written of a document that the embedder failed is kept for the next run, which ends it.
        swept = 0 if summary.embedder_failed else await self._passages.sweep()
        if swept or summary.changed or summary.removed:
            await self._passages.renew_statistics()
        await self._passages.settle_index()

    async def _take_out(
        self, found: Walk, origin: Origin, known: Mapping[str, DocumentRecord], summary: Summary, *, may: bool
    ) -> None:
        there = {file.name for file in found.files}
        for path, record in known.items():
            if path in there:
                continue
            unwalked = next((name for name, _ in found.failed if is_under(path, name)), None)
            if unwalked is not None:
                summary.keep(unwalked)
                continue
            if any(is_under(path, root) for root in found.roots):
                origins: dict[Origin, str] = {}
            elif origin == "config":
                origins = {who: root for who, root in record.origins.items() if who != "config"}
            else:
                continue
            if may:
                await self._keep_for(path, record, origins, summary)
            elif not origins:
                summary.keep(record.place)

    async def _keep_for(
        self, path: str, record: DocumentRecord, origins: Mapping[Origin, str], summary: Summary
    ) -> None:
        if origins == record.origins:
            return
        if origins:
            await self._passages.switch(path, replace(record, origins=origins))
        elif await self._passages.remove(path):
            summary.removed.append(path)


class _Run:
    """The files of one ingest on their way in."""

    def __init__(self, passages: Shelf, embedder: Embedder, readers: Readers, teller: Teller, sizes: Sizes) -> None:
        self._passages = passages
        self._embedder = embedder
        self._readers = readers
        self._teller = teller
        self._sizes = sizes

    async def take_in(
        self, files: Sequence[FoundFile], origin: Origin, known: Mapping[str, DocumentRecord], summary: Summary
    ) -> None:
        """All of them, `IN_HAND` at once.

        Raises:
            StoreUnavailable: Redis failed; the others were cancelled.
        """
        waiting = iter(files)

        async def work() -> None:
            for file in waiting:
                await self._take_one(file, origin, known.get(file.name), summary)
                self._teller.done(file.name)

        # No TaskGroup: one that ends by an error forgets that it was cancelled meanwhile.
        hands = [
            asyncio.create_task(work(), name=f"ingest - hand {number}") for number in range(min(IN_HAND, len(files)))
        ]
        try:
            if hands:
                await asyncio.wait(hands, return_when=asyncio.FIRST_EXCEPTION)
        finally:
            for hand in hands:
                hand.cancel()
            ended = await asyncio.gather(*hands, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _take_one(self, file: FoundFile, origin: Origin, known: DocumentRecord | None, summary: Summary) -> None:
        origins = {**(known.origins if known else {}), origin: file.root}
        try:
            if known and known.version == version_of(await sha256_of(file.path)):
                if known.origins != origins:
                    await self._passages.switch(file.name, replace(known, origins=origins))
                summary.unchanged.append(file.name)
                return
            await self._make(file, origins)
        except (UnreadableDocument, EmbeddingUnavailable) as error:
            summary.embedder_failed |= isinstance(error, EmbeddingUnavailable)
            summary.failed.append((file.name, str(error)))
        except StoreUnavailable:
            raise
        except Exception:
            # A fault of ours that one document brings to light must keep out neither the others nor the bot.
            log.exception("%s could not be ingested", file.name)
            summary.failed.append((file.name, "a fault of ours, see the log"))
        else:
            (summary.changed if known else summary.added).append(file.name)

    async def _make(self, file: FoundFile, origins: Mapping[Origin, str]) -> None:
        reading = await self._readers.read(file.path, name=file.name)
        document = reading.document
        pieces = await asyncio.to_thread(split, document.sections, self._sizes)
        record = DocumentRecord(
            version=version_of(reading.sha256),
            sha256=reading.sha256,
            title=document.title,
            passages=len(pieces),
            origins=origins,
        )
        # The second round is for the case that our lock had passed on and the other run deleted what we wrote. If that
        # is not enough, no index is served any more: Redis lost everything.
        for _ in range(2):
            missing = await self._passages.missing(file.name, record)
            for start in range(0, len(missing), EMBED_BATCH):
                numbers = missing[start : start + EMBED_BATCH]
                texts = [(embedded_text(document.title, pieces[n]), pieces[n].text) for n in numbers]
                vectors = await embedded(self._embedder, texts)
                passages = await asyncio.to_thread(_new_passages, document, pieces, numbers, vectors)
                await self._passages.write(file.name, record, passages)
                self._teller.written(file.name, len(numbers), of=len(pieces))
            if await self._passages.switch(file.name, record):
                return
        raise StoreUnavailable(f"what was written of {file.name} is gone again")


async def _bytes_of(files: Sequence[FoundFile]) -> dict[str, int]:
    """Bytes of each; 0 if it is gone, which reading it will say."""

    def size(path: Path) -> int:
        try:
            return path.stat().st_size
        except OSError:
            return 0

    return await asyncio.to_thread(lambda: {file.name: size(file.path) for file in files})


def _new_passages(
    document: Document, pieces: Sequence[Piece], numbers: Sequence[int], vectors: Sequence[tuple[bytes, bytes]]
) -> list[NewPassage]:
    return [
        NewPassage(
            number=number,
            title=document.title,
            place=pieces[number].place,
            text=pieces[number].text,
            url=document.url,
            words=words_of(document.title, pieces[number]),
            language=language_of(pieces[number].text),
            embedding=vector,
            codes=codes,
        )
        for number, (vector, codes) in zip(numbers, vectors, strict=True)
    ]


def version_of(content: str) -> str:
    """Version of a document made from content of this SHA-256: 16 hexadecimal digits, the same on every machine."""
    return sha256(f"{FORMAT} {content}".encode()).hexdigest()[:16]


def embedded_text(title: str, piece: Piece) -> str:
    """What the vector of a passage is made of: where it stands, then what it says."""
    return "\n".join(part for part in (title, piece.place, piece.text) if part)


def words_of(title: str, piece: Piece) -> str:
    """What is searched by words: the tokens of where a passage stands, then those of each sentence."""
    lines = (" ".join(tokens(line)) for line in (f"{title}\n{piece.place}", *sentences(piece.text)))
    return SENTENCE_BREAK.join(line for line in lines if line)

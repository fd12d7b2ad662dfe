"""Brings a knowledge base into line with files: new ones in, changed ones replaced, vanished ones out.

Idempotent by content: a version is derived from a file's bytes, so an unchanged file costs a hash, and an ingest that
broke off is taken up where it stopped. May be cancelled or killed at any line: a document is switched as a whole by
one script, and what a broken-off run left unswitched is swept out by the next one. Runs wait for each other.

A document stays as long as somebody wants it: `knowledge.paths` (origin `config`), which is the whole truth about
itself at each start, and `frontdesk ingest` (origin `cli`), which only adds. A file gone from the disk is out for
both. What cannot be read is reported and skipped; if it was readable before, its old version stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from bot.errors import EmbeddingUnavailable, UnreadableDocument
from bot.knowledge.document import Document, DocumentRecord, NewPassage, Origin
from bot.knowledge.files import FoundFile, Walk, is_under, walk
from bot.knowledge.read import parse, read_bytes
from bot.knowledge.split import Piece, split
from bot.knowledge.words import tokens
from bot.language import language_of
from bot.ports import Embedder

FORMAT = "2"
"""Part of every version. Raise it when reading, splitting, tokens or embedded text change, so that all documents are
made anew at the next ingest."""
EMBED_BATCH = 16
"""Texts embedded at once: under a second of a thread, so that cancelling and progress are prompt."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One file is done with.

    Attributes:
        done: files so far, this one included.
        total: files in all.
        path: this one.
    """

    done: int
    total: int
    path: str


@dataclass(slots=True, kw_only=True)
class Summary:
    """What an ingest did; lists of paths, in order.

    Attributes:
        added: were not there.
        changed: have another content than before.
        unchanged: as they were.
        removed: are out.
        failed: (path, reason) could not be read; the rest went on.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)


def _ignore(progress: Progress) -> None:
    return None


class Ingest:
    """Ingests files into one knowledge base.

    Args:
        passages: where passages are kept.
        embedder: makes their vectors; must be the one `passages` searches with.
        wait_for_others: how long to wait for another ingest.
    """

    def __init__(self, passages: Shelf, embedder: Embedder, *, wait_for_others: timedelta = WAIT_FOR_OTHERS) -> None:
        self._passages = passages
        self._embedder = embedder
        self._wait_for_others = wait_for_others

    async def sync(
        self,
        paths: Sequence[Path],
        *,
        origin: Origin = "config",
        progress: Callable[[Progress], None] = _ignore,
    ) -> Summary:
        """Bring the knowledge base into line with what is under these paths.

        `config`: these are all the configured paths; documents of paths no longer among them go, unless somebody
        ingested them by hand. `cli`: these paths are added. Either way a file gone from under them is taken out.
        A configured path that does not exist is reported, and what was under it stays: its disk may not be there
        yet. One named by hand is meant: what was under it goes.

        Args:
            paths: files and folders.
            origin: who asks.
            progress: called after each file; must not block or raise.

        Raises:
            StoreUnavailable: Redis failed; what was switched so far stays, the next run goes on from there.
        """
        summary = Summary()
        async with self._passages.exclusive(wait=self._wait_for_others):
            await self._passages.ensure_index()
            known = await self._passages.documents()
            swept = await self._passages.sweep()
            found = await walk(paths)
            if origin == "cli":
                found = _without_gone(found, known)
            summary.failed.extend(found.failed)
            for done, file in enumerate(found.files, start=1):
                await self._take_in(file, origin, known.get(file.name), summary)
                progress(Progress(done=done, total=len(found.files), path=file.name))
            await self._take_out(found, origin, known, summary)
            if swept or summary.changed or summary.removed:
                await self._passages.renew_statistics()
            await self._passages.settle_index()
        return summary

    async def _take_in(self, file: FoundFile, origin: Origin, known: DocumentRecord | None, summary: Summary) -> None:
        try:
            content = await read_bytes(file.path)
            version = version_of(content)
            origins = {**(known.origins if known else {}), origin: file.root}
            if known and known.version == version:
                if known.origins != origins:
                    await self._passages.switch(file.name, replace(known, origins=origins))
                summary.unchanged.append(file.name)
                return
            await self._make(await parse(file.name, content), content, origins)
        except (UnreadableDocument, EmbeddingUnavailable) as error:
            summary.failed.append((file.name, str(error)))
        else:
            (summary.changed if known else summary.added).append(file.name)

    async def _make(self, document: Document, content: bytes, origins: Mapping[Origin, str]) -> None:
        pieces = split(document.sections)
        record = DocumentRecord(
            version=version_of(content),
            sha256=sha256(content).hexdigest(),
            title=document.title,
            passages=len(pieces),
            origins=origins,
        )
        # The second round is for the case that our lock had passed on and the other run deleted what we wrote.
        for _ in range(2):
            missing = await self._passages.missing(document.path, record)
            for start in range(0, len(missing), EMBED_BATCH):
                numbers = missing[start : start + EMBED_BATCH]
                await self._passages.write(document.path, record, await self._embedded(document, pieces, numbers))
            if await self._passages.switch(document.path, record):
                return
        raise UnreadableDocument("another ingest works on the same document; run this one again")

    async def _embedded(self, document: Document, pieces: Sequence[Piece], numbers: Sequence[int]) -> list[NewPassage]:
        chosen = [pieces[number] for number in numbers]
        vectors = await self._embedder.embed([embedded_text(document.title, piece) for piece in chosen])
        return [
            NewPassage(
                number=number,
                title=document.title,
                place=piece.place,
                text=piece.text,
                url=document.url,
                words=" ".join(tokens(f"{document.title}\n{piece.place}\n{piece.text}")),
                language=language_of(piece.text),
                embedding=vector,
            )
            for number, piece, vector in zip(numbers, chosen, vectors, strict=True)
        ]

    async def _take_out(
        self, found: Walk, origin: Origin, known: Mapping[str, DocumentRecord], summary: Summary
    ) -> None:
        there = {file.name for file in found.files}
        unread = [name for name, _ in found.failed]
        for path, record in known.items():
            if path in there or any(is_under(path, name) for name in unread):
                continue
            if any(is_under(path, root) for root in found.roots):
                origins: dict[Origin, str] = {}
            elif origin == "config":
                origins = {who: root for who, root in record.origins.items() if who != "config"}
            else:
                continue
            await self._keep_for(path, record, origins, summary)

    async def _keep_for(
        self, path: str, record: DocumentRecord, origins: Mapping[Origin, str], summary: Summary
    ) -> None:
        if origins == record.origins:
            return
        if origins:
            await self._passages.switch(path, replace(record, origins=origins))
        elif await self._passages.remove(path):
            summary.removed.append(path)


def _without_gone(found: Walk, known: Mapping[str, DocumentRecord]) -> Walk:
    """Paths that are gone count as walked and empty, if documents came from there."""
    gone = [root for root in found.gone if any(is_under(path, root) for path in known)]
    failed = tuple((name, reason) for name, reason in found.failed if name not in gone)
    return replace(found, roots=(*found.roots, *gone), failed=failed)


def version_of(content: bytes) -> str:
    """Version of a document with this content: 16 hexadecimal digits, the same on every machine."""
    return sha256(FORMAT.encode() + b"\0" + content).hexdigest()[:16]


def embedded_text(title: str, piece: Piece) -> str:
    """What the vector of a passage is made of: where it stands, then what it says."""
    return "\n".join(part for part in (title, piece.place, piece.text) if part)

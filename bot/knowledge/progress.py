"""How far an ingest is, and what it did, for whoever waits for it. Imports nothing heavy: the command line does."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from bot.turn import MAIN

FILE_WEIGHT = 1_000
"""Bytes that every file counts more than it has: opening, hashing and switching it is work, too."""


def removal(base: str, paths: Iterable[str]) -> str:
    """The command that takes out of a knowledge base what was read from these paths."""
    return shlex.join(["frontdesk", "ingest", *([] if base == MAIN else ["--base", base]), "--remove", *paths])


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an ingest is; told whenever passages were written or a file is done with.

    Attributes:
        done: files that are done with.
        total: files in all.
        passages: written by this run.
        share: of the work that is done, by the size of the files, in [0, 1].
        path: the file that was worked on.
    """

    done: int
    total: int
    passages: int
    share: float
    path: str


@dataclass(slots=True, kw_only=True)
class Summary:
    """What an ingest did; paths of documents.

    Attributes:
        added: were not there.
        changed: have another content than before.
        unchanged: as they were.
        removed: are out.
        kept: path of documents → how many from there stay as they were, although this run found or read none there.
        failed: (path, reason) could not be read; the rest went on.
        embedder_failed: some of these only because there were no vectors: another run may have them.
    """

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    kept: dict[str, int] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)
    embedder_failed: bool = False

    def keep(self, place: str) -> None:
        """One more document from there stays."""
        self.kept[place] = self.kept.get(place, 0) + 1

    def in_order(self) -> Summary:
        """The same, each list sorted: documents end in whatever order."""
        lists = (self.added, self.changed, self.unchanged, self.removed)
        added, changed, unchanged, removed = map(sorted, lists)
        return replace(
            self, added=added, changed=changed, unchanged=unchanged, removed=removed, failed=sorted(self.failed)
        )


Tell = Callable[[Progress], None]
"""Called with each progress; must not block or raise."""


def ignore(_: Progress) -> None:
    """Tells nobody."""


class Teller:
    """Adds up how far an ingest is.

    Args:
        sizes: bytes of each file, by name; files count by them, and each a little for being one.
        tell: is told.
    """

    def __init__(self, sizes: Mapping[str, int], tell: Tell) -> None:
        self._weights = {name: size + FILE_WEIGHT for name, size in sizes.items()}
        self._all = sum(self._weights.values())
        self._tell = tell
        self._finished = 0
        self._begun: dict[str, float] = {}
        self._done = self._passages = 0

    def written(self, name: str, count: int, *, of: int) -> None:
        """So many passages of a document that has `of`."""
        self._passages += count
        self._begun[name] = min(self._begun.get(name, 0.0) + count / of, 1.0)
        self._say(name)

    def done(self, name: str) -> None:
        """The file is done with."""
        self._begun.pop(name, None)
        self._finished += self._weights[name]
        self._done += 1
        self._say(name)

    def _say(self, name: str) -> None:
        begun = sum(self._weights[each] * share for each, share in self._begun.items())
        share = (self._finished + begun) / self._all
        total = len(self._weights)
        self._tell(Progress(done=self._done, total=total, passages=self._passages, share=share, path=name))

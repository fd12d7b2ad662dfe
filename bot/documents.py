"""The documents: those that the configuration names, read at start, and those that are put in by command.

Part of the composition root: only `bot.app` asks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from bot.config import Config
from bot.errors import ConfigError, EmbeddingUnavailable, StoreUnavailable
from bot.knowledge.files import document_name, is_under
from bot.knowledge.ingest import Ingest
from bot.knowledge.progress import Progress, Summary, removal
from bot.stores import Stores, open_stores
from bot.turn import MAIN

INGEST_AGAIN = timedelta(seconds=5)
EMBED_AGAIN = timedelta(minutes=1)
"""After the embedder failed documents, doubled each time: it may be one text that it can never do."""
EMBED_AGAIN_MOST = timedelta(hours=1)
LOOK_EVERY = timedelta(seconds=15)
"""How often we look whether the documents are still there."""

log = logging.getLogger(__name__)


def bases_of(config: Config) -> list[tuple[str, Sequence[Path]]]:
    """Name and paths of every knowledge base, the main one first."""
    return [(MAIN, config.knowledge.paths), *((base.name, base.paths) for base in config.knowledge.bases)]


def check_base(config: Config, base: str) -> None:
    """Nothing, if there is such a base.

    Raises:
        ConfigError: there is none.
    """
    names = [name for name, _ in bases_of(config)]
    if base not in names:
        raise ConfigError([f'--base: found "{base}", allowed {" or ".join(names)} (see knowledge.bases)'])


async def ingest(
    config: Config, paths: Sequence[Path], on_progress: Callable[[Progress], None], base: str = MAIN
) -> Summary:
    """Add documents to a knowledge base, to stay until they vanish from the disk or are removed.

    Raises:
        ConfigError: there is no such base, or the documents are configured for another one alone.
        StartError: Redis cannot be reached or started.
        StoreUnavailable: it went away; what was switched stays, ingesting again goes on from there.
    """
    check_base(config, base)
    _check_paths(config, paths, base)
    async with open_stores(config, join=True) as stores:
        if stores.server is not None and stores.server.started_here:
            log.warning("no bot runs on %s: the documents are put there", config.redis.data_dir.absolute())
        ingesting = Ingest(stores.knowledge[base], stores.embedder)
        return await ingesting.sync(paths, origin="cli", progress=on_progress)


async def remove(config: Config, paths: Sequence[Path], base: str = MAIN) -> Summary:
    """Take documents out of a knowledge base, also out of one that is no longer configured.

    What is configured and there is read again at the next start.

    Raises:
        ConfigError: there is no such base.
        StartError: Redis cannot be reached or started.
        StoreUnavailable: it went away; removing again goes on from there.
    """
    async with open_stores(config, join=True, searched=False) as stores:
        if base not in await stores.knowledge.remember_names():
            check_base(config, base)
        # One that is not configured and empty now is forgotten at the next start.
        return await Ingest(stores.knowledge.open(base), stores.embedder).remove(paths)


def _check_paths(config: Config, paths: Sequence[Path], base: str) -> None:
    """What one base holds for its channels alone must not slip into another because its name was forgotten."""
    problems = []
    for path in map(document_name, paths):
        owners = [
            name for name, roots in bases_of(config) if any(is_under(path, document_name(root)) for root in roots)
        ]
        if owners and base not in owners:
            problems.append(f"{path}: found documents of the base {owners[0]}, allowed with --base {owners[0]}")
    if problems:
        raise ConfigError(problems)


class Documents:
    """Brings every knowledge base into line with the paths of the configuration, and sees that it stays there.

    Attributes:
        done: they were read, and are there as far as we know.
        counts: base → its documents, when we last looked.
    """

    def __init__(self, config: Config, stores: Stores) -> None:
        self._bases = bases_of(config)
        # Who writes `paths: []` means it; who writes nothing may run with the wrong configuration.
        self._may_empty = not config.knowledge.paths and "paths" in config.knowledge.model_fields_set
        self._stores = stores
        self._epochs: dict[str, int] = {}
        self.done = False
        self.counts: dict[str, int] = {}

    async def run(self, embed_again: timedelta = EMBED_AGAIN, look_every: timedelta = LOOK_EVERY) -> None:
        """Read them; again while the embedder fails some (its server is up later than we are), and if they vanish."""
        again = embed_again
        while True:
            whole = False
            try:
                whole = await self.ingest()
                if not whole:
                    log.warning("some documents have no vectors yet; they are read again in %s", again)
                with suppress(TimeoutError):
                    async with asyncio.timeout(None if whole else again.total_seconds()):
                        await self._until_lost(look_every)
            except Exception:
                # One turn of a background loop: people are answered from what is there.
                log.exception("the documents were not read; they are read again in %s", again)
                await asyncio.sleep(again.total_seconds())
            again = embed_again if whole else min(2 * again, EMBED_AGAIN_MOST)

    async def ingest(self) -> bool:
        """Read them; while Redis is away, try again.

        Returns:
            False if the embedder failed some.
        """
        while True:
            try:
                whole = [await self._sync(name, paths) for name, paths in self._bases]
                for name in await self._stores.knowledge.remember_names():
                    await self._look_at_unconfigured(name)
            except (StoreUnavailable, EmbeddingUnavailable) as error:
                log.warning("the documents were not read, trying again: %s", error)
                await asyncio.sleep(INGEST_AGAIN.total_seconds())
                continue
            self.done = True
            return all(whole)

    async def _sync(self, name: str, paths: Sequence[Path]) -> bool:
        passages = self._stores.knowledge[name]
        ingest = Ingest(passages, self._stores.embedder)
        summary = await ingest.sync(paths, origin="config", may_empty=name == MAIN and self._may_empty)
        self._epochs[name], self.counts[name] = await passages.extent()
        for path, reason in summary.failed:
            if path not in summary.kept:
                log.warning("%s was skipped: %s", path, reason)
        if summary.kept:
            unread = {document_name(path): "none could be read" for path in paths}
            _warn_of_kept(name, summary.kept, unread | dict(summary.failed))
        log.info(
            "documents of %s: %d added, %d changed, %d unchanged, %d removed, %d skipped",
            name,
            *(len(paths) for paths in (summary.added, summary.changed, summary.unchanged, summary.removed)),
            len(summary.failed),
        )
        return not summary.embedder_failed

    async def _look_at_unconfigured(self, name: str) -> None:
        """A base that is not configured keeps its documents, searched from nowhere; once empty it is forgotten."""
        kept: dict[str, int] = {}
        for record in (await self._stores.knowledge.open(name).documents()).values():
            kept[record.place] = kept.get(record.place, 0) + 1
        if kept:
            _warn_of_kept(name, kept, {})
        else:
            await self._stores.knowledge.forget_name(name)

    async def _until_lost(self, look_every: timedelta) -> None:
        """Look again and again, one round trip for each base, until documents are gone that nobody took out."""
        while self.done:
            await asyncio.sleep(look_every.total_seconds())
            for name, _ in self._bases:
                try:
                    await self._look(name)
                except StoreUnavailable as error:
                    log.warning("whether the documents of %s are there could not be seen: %s", name, error)

    async def _look(self, name: str) -> None:
        before = self._epochs[name]
        self._epochs[name], self.counts[name] = await self._stores.knowledge[name].extent()
        if self._epochs[name] < before:
            self.done = False
            log.error(
                "Redis has lost documents of %s: of %d changes it knows %d. Those of the configuration are read again;"
                " what `frontdesk ingest` put in must be put in again",
                *(name, before, self._epochs[name]),
            )


def _warn_of_kept(base: str, kept: Mapping[str, int], reasons: Mapping[str, str]) -> None:
    places = ", ".join(
        f"{place} ({reasons.get(place, 'not configured')}; documents: {count})" for place, count in kept.items()
    )
    log.warning(
        "documents of %s are not found any more and stay as they were: %s. If they should be found, mend the paths or"
        " the mount and start again; to take them out: %s",
        *(base, places, removal(base, kept)),
    )

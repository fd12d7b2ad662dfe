"""The documents: those that the configuration names, read at start, and those that are put in by command.

Part of the composition root: only `bot.app` asks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from bot.config import Config
from bot.errors import ConfigError, EmbeddingUnavailable, StoreUnavailable
from bot.knowledge.files import document_name, is_under
from bot.knowledge.ingest import Ingest
from bot.knowledge.progress import Progress, Summary
from bot.stores import Stores, open_stores
from bot.turn import MAIN

INGEST_AGAIN = timedelta(seconds=5)
EMBED_AGAIN = timedelta(minutes=1)
"""After the embedder failed documents, doubled each time: it may be one text that it can never do."""
EMBED_AGAIN_MOST = timedelta(hours=1)

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
    """Add documents to a knowledge base, to stay until they vanish from the disk.

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
    """Brings every knowledge base into line with the paths of the configuration."""

    def __init__(self, config: Config, stores: Stores) -> None:
        self._bases = bases_of(config)
        self._stores = stores
        self.done = False

    async def run(self, embed_again: timedelta = EMBED_AGAIN) -> None:
        """Read them, and again as long as the embedder fails some: a server that is up later than we are."""
        while not await self.ingest():
            log.warning("some documents have no vectors yet; they are read again in %s", embed_again)
            await asyncio.sleep(embed_again.total_seconds())
            embed_again = min(2 * embed_again, EMBED_AGAIN_MOST)

    async def ingest(self) -> bool:
        """Read them; while Redis is away, try again. A base taken out of the list is emptied.

        Returns:
            False if the embedder failed some.
        """
        while True:
            try:
                whole = [await self._sync(name, paths) for name, paths in self._bases]
                for name in await self._stores.knowledge.remember_names():
                    await self._empty(name)
            except (StoreUnavailable, EmbeddingUnavailable) as error:
                log.warning("the documents were not read, trying again: %s", error)
                await asyncio.sleep(INGEST_AGAIN.total_seconds())
                continue
            self.done = True
            return all(whole)

    async def _sync(self, name: str, paths: Sequence[Path]) -> bool:
        summary = await Ingest(self._stores.knowledge[name], self._stores.embedder).sync(paths, origin="config")
        for path, reason in summary.failed:
            log.warning("%s was skipped: %s", path, reason)
        log.info(
            "documents of %s: %d added, %d changed, %d unchanged, %d removed, %d skipped",
            name,
            *(len(paths) for paths in (summary.added, summary.changed, summary.unchanged, summary.removed)),
            len(summary.failed),
        )
        return not summary.embedder_failed

    async def _empty(self, name: str) -> None:
        """Take out what the configuration had put in; documents put in by hand stay, in case the base comes back."""
        passages = self._stores.knowledge.open(name)
        summary = await Ingest(passages, self._stores.embedder).sync([], origin="config")
        if not await passages.documents():
            await self._stores.knowledge.forget_name(name)
        log.info("the knowledge base %s is no longer configured: %d documents removed", name, len(summary.removed))

"""The documents of a running bot: what a wrong configuration, a base taken out, and an emptied Redis do to them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.config import Config
from bot.documents import Documents, remove
from bot.errors import ConfigError
from bot.health import readiness
from bot.store import keys
from bot.stores import Stores, open_stores
from bot.turn import MAIN
from tests.contract.test_stores import remote, running, search
from tests.servers.openai import OpenAiServer

Configure = Callable[..., Config]


@pytest.fixture
async def configured(redis: Redis, redis_url: str) -> AsyncIterator[Configure]:
    """Makes a configuration of these paths and bases."""
    async with OpenAiServer() as server:

        def make(*paths: Path, **bases: Path) -> Config:
            named = [{"name": name, "paths": [str(path)]} for name, path in bases.items()]
            more = {"FRONTDESK_KNOWLEDGE__BASES": json.dumps(named)}
            more["FRONTDESK_KNOWLEDGE__PATHS"] = json.dumps([str(path) for path in paths])
            return remote(redis_url, server, "test", more)

        yield make


@pytest.fixture
def fees(tmp_path: Path) -> Path:
    """A folder with a document."""
    (tmp_path / "fees").mkdir()
    (tmp_path / "fees" / "box.md").write_text("A safe deposit box costs 140 euros.")
    return tmp_path / "fees"


def silent(config: Config) -> Config:
    """One that says nothing of documents, as in a folder without config.yaml."""
    return config.model_copy(update={"knowledge": type(config.knowledge)()})


async def read(config: Config) -> None:
    """As a bot does at its start."""
    async with open_stores(config, join=True) as stores:
        assert await Documents(config, stores).ingest()


async def names(config: Config, base: str = MAIN) -> list[str]:
    """The documents of a base, by the names of their files."""
    async with open_stores(config, join=True) as stores:
        return sorted(Path(path).name for path in await stores.knowledge.open(base).documents())


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said of documents that an operator should look at."""
    said = [record for record in caplog.records if record.name == "bot.documents" and record.levelno > logging.INFO]
    return [record.getMessage() for record in said]


async def test_a_process_that_is_configured_for_nothing_keeps_the_documents_of_the_others(
    configured: Configure, fees: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning tells how many documents stay, and how they are taken out."""
    await read(configured(fees))
    (tmp_path / "empty").mkdir()

    await read(silent(configured()))
    await read(configured(tmp_path / "empty"))

    assert await names(configured()) == ["box.md"]
    first, skipped, second = warnings(caplog)
    assert f"{fees} (not configured; documents: 1)" in first
    assert first.endswith(f"frontdesk ingest --remove {fees}")
    assert "empty was skipped: no documents there" in skipped
    assert second == first
    assert (await remove(configured(), [fees])).removed == [str(fees / "box.md")]
    assert await names(configured()) == []


async def test_an_empty_list_of_paths_is_meant(configured: Configure, fees: Path) -> None:
    """Who writes it down takes the documents of the list out."""
    await read(configured(fees))

    await read(configured())

    assert await names(configured()) == []


async def test_an_empty_volume_is_one_warning(
    configured: Configure, fees: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It names the path, why, and how many documents stay."""
    config = configured(fees)
    await read(config)
    (fees / "box.md").unlink()

    await read(config)

    assert await names(config) == ["box.md"]
    (said,) = warnings(caplog)
    assert (
        f"documents of main are not found any more and stay as they were: {fees} (no documents there; documents: 1)"
        in said
    )


async def test_a_base_taken_out_keeps_its_documents_until_they_are_removed(
    configured: Configure, fees: Path, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """A process without the list of bases must not empty them; once one is emptied by hand it is forgotten."""
    await read(configured(staff=fees))

    await read(configured())
    kept = await names(configured(), "staff")
    with pytest.raises(ConfigError, match="--base"):
        await remove(configured(), [fees], "stuff")
    removed = await remove(configured(), [fees], "staff")
    known = await redis.smembers(keys.BASES)
    await read(configured())

    assert (kept, removed.removed) == (["box.md"], [str(fees / "box.md")])
    (said,) = warnings(caplog)
    assert said.endswith(f"frontdesk ingest --base staff --remove {fees}")
    assert (known, await redis.smembers(keys.BASES)) == ({b"main", b"staff"}, {b"main"})


async def until_read(documents: Documents, *, done: bool) -> None:
    """Wait until they are read, or no more."""
    while documents.done != done:  # noqa: ASYNC110 - a background task's doing
        await asyncio.sleep(0.01)


async def reasons(stores: Stores, documents: Documents) -> list[str]:
    """What /readyz says."""
    return await readiness(asyncio.Event(), stores.inbox, {}, documents)


async def test_a_reading_that_breaks_is_not_the_last(
    configured: Configure, fees: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What nobody foresaw stands in the log, and ends neither the process nor reading."""
    config = configured(fees)
    ingest, broken = Documents.ingest, [ZeroDivisionError()]

    async def breaks_once(documents: Documents) -> bool:
        if broken:
            raise broken.pop()
        return await ingest(documents)

    monkeypatch.setattr(Documents, "ingest", breaks_once)
    async with open_stores(config, join=True) as stores, asyncio.timeout(30):
        documents = Documents(config, stores)
        async with running(documents):
            await until_read(documents, done=True)
        found = await search(stores)

    assert "140 euros" in found.passages[0].text
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]


async def test_documents_that_redis_lost_are_read_again(
    configured: Configure, fees: Path, redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Until they are, the worker is not ready; the log tells what must be put in again by hand."""
    config = configured(fees)
    async with open_stores(config, join=True) as stores, asyncio.timeout(30):
        documents = Documents(config, stores)
        async with running(documents):
            await until_read(documents, done=True)
            before = await search(stores)
            # With the lock of another ingest, which holds the reading up for as long as we look.
            pipeline = redis.pipeline()
            pipeline.flushall()
            pipeline.set(f"{keys.kb(MAIN)}:ingest", "another")
            await pipeline.execute()
            await until_read(documents, done=False)
            meanwhile = await reasons(stores, documents), await search(stores), dict(documents.counts)
            await redis.delete(f"{keys.kb(MAIN)}:ingest")
            await until_read(documents, done=True)
            after = await reasons(stores, documents), await search(stores), dict(documents.counts)

    assert "140 euros" in before.passages[0].text
    assert (meanwhile[0], meanwhile[1].passages) == (["knowledge: the documents are being read"], ())
    assert (after[0], after[1].passages[0].text) == ([], before.passages[0].text)
    assert (meanwhile[2], after[2]) == ({"main": 0}, {"main": 1})
    assert "Redis has lost documents of main: of 1 changes it knows 0" in caplog.text

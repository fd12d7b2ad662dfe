"""The stores as the composition root opens them: a process with one embedder on a base that another one built."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.config import Config, load
from bot.documents import Documents
from bot.errors import ConfigError, StartError
from bot.knowledge.ingest import Ingest
from bot.ports import Found
from bot.store.embedded import embedded
from bot.stores import Embedders, Stores, open_stores
from bot.turn import MAIN
from tests.servers.openai import OpenAiServer, Status

QUESTION = "What does a safe deposit box cost?"
SAMPLES = Path(__file__).parents[2] / "samples" / "en"
DOCUMENTS = [SAMPLES / "branches.html"]


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    """An embeddings endpoint that asks for a key."""
    async with OpenAiServer() as server:
        yield server


def builtin(redis_url: str) -> Config:
    """The shipped configuration, but for Redis."""
    return load(None, {"REDIS_URL": redis_url, "FRONTDESK_KNOWLEDGE__PATHS": "[]"})


def remote(redis_url: str, server: OpenAiServer, model: str, more: Mapping[str, str] | None = None) -> Config:
    """A model of the endpoint."""
    settings = {"PROVIDER": "openai", "MODEL": model, "BASE_URL": server.base_url, "DIMENSIONS": "64"}
    environ = {f"FRONTDESK_EMBEDDINGS__{key}": value for key, value in settings.items()}
    return load(None, {"REDIS_URL": redis_url, "OPENAI_API_KEY": server.key, **environ, **(more or {})})


async def ingest(config: Config, paths: Sequence[Path] = DOCUMENTS) -> None:
    """As `frontdesk ingest` does."""
    async with open_stores(config, join=True) as stores:
        await Ingest(stores.knowledge[MAIN], stores.embedder).sync(paths, origin="cli")


@asynccontextmanager
async def running(documents: Documents) -> AsyncIterator[None]:
    """Their background task, without its pauses."""
    task = asyncio.create_task(documents.run(timedelta(0), timedelta(0)), name="test - documents")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def search(stores: Stores) -> Found:
    """As the pipeline does."""
    return await stores.knowledge.search(MAIN, QUESTION, "en", 1)


@pytest.mark.parametrize("setting", ["REDIS_URL", "FRONTDESK_REDIS__URL", "FRONTDESK_KNOWLEDGE__REDIS_URL"])
async def test_a_redis_that_is_not_there_is_told_by_the_name_of_its_setting(redis_url: str, setting: str) -> None:
    """Of the two addresses and their variables the one that must be corrected."""
    config = load(None, {"REDIS_URL": redis_url, setting: "unix:///nowhere/redis.sock"})

    with pytest.raises(StartError, match=rf"start it, or correct {setting}$"):
        async with open_stores(config, join=True, searched=False):
            pass
    config = load(None, {"REDIS_URL": redis_url, setting: "redis://nowhere?colour=red"})
    with pytest.raises(ConfigError, match=rf"^{setting} has an unknown option"):
        async with open_stores(config, join=True, searched=False):
            pass


async def test_a_stop_ends_the_wait_for_the_embedded_redis(caplog: pytest.LogCaptureFixture) -> None:
    """While another bot still has the data, or a server loads it."""
    caplog.set_level("INFO")
    stop = asyncio.Event()
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder:
        config = load(None, {"FRONTDESK_REDIS__DATA_DIR": folder})
        async with embedded(Path(folder)), asyncio.timeout(60), asyncio.TaskGroup() as tasks:

            async def stop_then() -> None:
                while "is in use by" not in caplog.text:  # noqa: ASYNC110 - logs ring no bell
                    await asyncio.sleep(0.01)
                stop.set()

            tasks.create_task(stop_then())
            with pytest.raises(StartError, match="stopped before the embedded Redis was ready"):
                async with open_stores(config, join=False, searched=False, stop=stop):
                    pass


async def test_a_process_with_a_new_embedder_searches_with_the_old_one_until_its_ingest(
    redis: Redis, redis_url: str, server: OpenAiServer
) -> None:
    """The built-in one can always be made."""
    await ingest(builtin(redis_url))

    async with open_stores(remote(redis_url, server, "new"), join=True) as stores:
        before = await search(stores)
        asked_before = len(server.embeddings)
        await Ingest(stores.knowledge[MAIN], stores.embedder).sync(DOCUMENTS, origin="cli")
        after = await search(stores)

    assert "140 euros" in before.passages[0].text
    assert before.passages[0].cosine_distance is not None
    assert (before.vector, asked_before) == (None, 0)
    assert after.vector is not None
    assert after.passages[0].text == before.passages[0].text


async def test_another_model_of_the_same_server_is_asked_with_the_key(
    redis: Redis, redis_url: str, server: OpenAiServer
) -> None:
    """Its name, address and dimensions stand in Redis."""
    await ingest(remote(redis_url, server, "old"))

    async with open_stores(remote(redis_url, server, "new"), join=True) as stores:
        found = await search(stores)

    assert found.passages[0].cosine_distance is not None
    assert server.embeddings[-1]["model"] == "old"


async def test_the_key_is_sent_to_no_other_address(redis: Redis, redis_url: str, server: OpenAiServer) -> None:
    """What was configured before may be anybody's by now: it is asked without a key, and words decide."""
    await ingest(remote(redis_url, server, "old"), [SAMPLES])
    asked = len(server.embeddings)

    async with OpenAiServer(key=server.key) as other, open_stores(remote(redis_url, other, "new"), join=True) as stores:
        found = await search(stores)

    assert "140 euros" in found.passages[0].text
    assert found.passages[0].cosine_distance is None
    assert len(server.embeddings) == asked


async def test_documents_that_the_embedder_failed_are_read_again(
    redis: Redis, redis_url: str, server: OpenAiServer, tmp_path: Path
) -> None:
    """The server of vectors is up later than we are: the bot answers meanwhile, and has them then."""
    (tmp_path / "fees.md").write_text("A safe deposit box costs 140 euros.")
    paths = {"FRONTDESK_KNOWLEDGE__PATHS": json.dumps([str(tmp_path)])}
    config = remote(redis_url, server, "new", paths)
    server.embedding_faults.append(Status(401))

    async with open_stores(config, join=True) as stores:
        documents = Documents(config, stores)
        first = await documents.ingest()
        found_before = await search(stores)
        async with asyncio.timeout(30):
            async with running(documents):
                while not (found := await search(stores)).passages:  # noqa: ASYNC110 - a background task's doing
                    await asyncio.sleep(0.01)

    assert (first, documents.done, found_before.passages) == (False, True, ())
    assert "140 euros" in found.passages[0].text


@pytest.mark.parametrize("recipe", ["", "{}x", '{"provider": "of another version"}', '{"unknown": 1}'])
async def test_a_recipe_of_another_version_makes_nothing(recipe: str) -> None:
    """Words decide then; see `Passages`."""
    async with AsyncExitStack() as stack:
        assert await Embedders(load(None, {}), stack).made_by(recipe) is None

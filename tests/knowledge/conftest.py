"""A knowledge base on the real Redis, with the built-in embedder."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.knowledge.ingest import Ingest
from bot.llm.embed import BuiltinEmbedder
from bot.store.client import connect
from bot.store.cluster import Client
from bot.store.passages import Passages

MAX_COSINE_DISTANCE = 0.8


@pytest.fixture(scope="session")
def embedder() -> Iterator[BuiltinEmbedder]:
    """The built-in one; its weights are loaded once."""
    embedder = BuiltinEmbedder()
    yield embedder
    embedder.close()


@pytest.fixture
async def client(redis: Redis, redis_url: str) -> AsyncIterator[Client]:
    """A client as the bot makes it, on the emptied database."""
    client = connect(redis_url)
    yield client
    await client.aclose()


@pytest.fixture
def passages(client: Client, embedder: BuiltinEmbedder) -> Passages:
    """An empty knowledge base."""
    return Passages(client, embedder, max_cosine_distance=MAX_COSINE_DISTANCE)


@pytest.fixture
def ingest(passages: Passages, embedder: BuiltinEmbedder) -> Ingest:
    """What fills it."""
    return Ingest(passages, embedder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder of documents."""
    folder = tmp_path / "documents"
    folder.mkdir()
    return folder


@pytest.fixture
def shared_data() -> Path:
    """The folder with XQuAD and the naughty strings."""
    shared = os.environ.get("FRONTDESK_SHARED")
    if not shared:
        pytest.skip("shared data absent")
    return Path(shared) / "data"

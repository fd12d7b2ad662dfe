"""Fixtures of the whole suite: a real Redis per test process, emptied before each test."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from tests.servers.redis import redis_server


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a Redis with search, one per test process."""
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder, redis_server(Path(folder)) as url:
        yield url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A bytes client on an empty database."""
    client = Redis.from_url(redis_url, protocol=3)
    await client.flushall()
    yield client
    await client.aclose()

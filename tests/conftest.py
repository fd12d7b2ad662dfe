"""Fixtures of the whole suite: a real Redis per test process, emptied before each test.

With FRONTDESK_TESTED_REDIS=cluster that is a Redis Cluster. Tests marked `one_server` are left out then.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import cast

import pytest
from hypothesis import settings
from redis.asyncio import Redis

from bot.store.client import connect
from tests.servers.redis import redis_server
from tests.servers.redis_cluster import redis_cluster

# A busy machine is no reason to fail: an example may take as long as it takes.
settings.register_profile("frontdesk", deadline=None)
settings.load_profile("frontdesk")

ON_CLUSTER = os.environ.get("FRONTDESK_TESTED_REDIS") == "cluster"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """On a cluster, leave out what is about one server."""
    if ON_CLUSTER:
        items[:] = [item for item in items if item.get_closest_marker("one_server") is None]


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """URL of a Redis with search, one per test process."""
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder:
        if ON_CLUSTER:
            with redis_cluster(Path(folder)) as cluster:
                yield cluster.url
        else:
            with redis_server(Path(folder)) as url:
                yield url


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    """A bytes client on an empty database; of the same commands on a cluster."""
    client = cast("Redis", connect(redis_url))
    await client.flushall()
    yield client
    await client.aclose()

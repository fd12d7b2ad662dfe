"""Listening on pub/sub without being deaf: after a silence the server is asked whether it is still there.

A subscriber writes nothing, so it never learns that a firewall or a machine that vanished lost its connection; it would
wait for ever for rings that go nowhere.
"""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from redis.asyncio.client import PubSub
from redis.exceptions import TimeoutError as RedisTimeoutError

from bot.store.client import translated
from bot.store.cluster import PONG

LISTEN = timedelta(seconds=30)
"""Longest silence that is taken for one; the blocking client's timeout must be longer."""


async def next_message(pubsub: PubSub, act: str) -> dict[str, object] | None:
    """The next message, or None after a silence in which the server has answered a PING.

    Args:
        pubsub: subscribed.
        act: what is being done, as the operator reads it.

    Raises:
        StoreUnavailable: the connection is gone or deaf; subscribe anew.
    """
    with translated(act):
        message = await pubsub.get_message(timeout=LISTEN.total_seconds())
        if message is None:
            await pubsub.ping()
            message = await pubsub.get_message(timeout=PONG.total_seconds())
            if message is None:
                raise RedisTimeoutError("no answer to a ping: the connection is deaf")
        return None if message["type"] == "pong" else cast("dict[str, object]", message)

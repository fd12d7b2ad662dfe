"""People and messages for the contract tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import cast

from redis.asyncio import Redis

from bot.message import Addressing, Conversation, Incoming, MessageId, ReplyTo
from bot.ports import Claimed
from bot.store.client import connect
from bot.store.cluster import Client
from bot.store.inbox import RedisInbox
from bot.store.scripts import Scripts

START_MS = 1_700_000_000_000
"""Where a moved clock begins, Unix ms."""
LEASE = timedelta(seconds=60)
"""Long, so that no lease runs out on the real clock while a test moves its own."""


def conversation(user: str = "7", channel: str = "c", thread: str = "") -> Conversation:
    """A conversation on Telegram."""
    return Conversation(platform="telegram", workspace="1", channel=channel, thread=thread, user=user)


def incoming(
    number: int,
    where: Conversation | None = None,
    *,
    text: str = "hi",
    addressing: Addressing = "direct",
    sent_at: datetime = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC),
) -> Incoming:
    """The message of that number, the same whenever asked for."""
    where = where or conversation()
    return Incoming(
        id=MessageId(f"telegram:1:{number}"),
        conversation=where,
        sent_at=sent_at,
        text=text,
        reply_to=ReplyTo(channel=where.channel, user=where.user, private=not where.thread),
        addressing=addressing,
    )


def inbox_on(
    redis: Client, scripts: Scripts, *, partitions: int = 1, max_waiting: int = 100, max_turns: int = 10
) -> RedisInbox:
    """An inbox with small round figures."""
    return RedisInbox(
        scripts,
        partitions=partitions,
        lease=LEASE,
        max_waiting=max_waiting,
        max_turns=max_turns,
        max_tokens=100,
        history_ttl=timedelta(hours=24),
        shown_ttl=timedelta(hours=1),
    )


async def claimed_by(inbox: RedisInbox, token: str) -> Claimed:
    """A claim that must be granted."""
    claimed = await inbox.claim(token)
    assert claimed is not None
    return claimed


async def connected(url: str) -> Redis:
    """A client on an empty database."""
    redis = cast("Redis", connect(url))
    await redis.flushall()
    return redis


async def erase(redis: Redis, names: list[str]) -> None:
    """Take keys out."""
    await redis.unlink(*names)

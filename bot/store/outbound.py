"""The outbound budget: token buckets per bot, chat and group, shared by all workers (`take.lua`, `close.lua`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from bot.message import Conversation, Platform
from bot.store import keys
from bot.store.scripts import Scripts, milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """`rate` sends in `per`, at most `burst` at once."""

    rate: int
    per: timedelta
    burst: int

    @property
    def ms_per_token(self) -> int:
        """How long one token takes to come, rounded up: rather slower than faster than the platform allows."""
        return -(-milliseconds(self.per) // self.rate)


@dataclass(frozen=True, slots=True, kw_only=True)
class Buckets:
    """What a send of one platform falls under; None: no such limit."""

    bot: Bucket | None = None
    chat: Bucket | None = None
    group: Bucket | None = None


class RedisOutbound:
    """Implements the port `OutboundBudget`. A platform without buckets (page, terminal) is not limited."""

    def __init__(self, scripts: Scripts, platforms: Mapping[Platform, Buckets]) -> None:
        self._scripts = scripts
        self._platforms = platforms

    async def take(self, conversation: Conversation, *, group: bool) -> timedelta:
        """Take one send, or say how long to wait. One round trip, none on an unlimited platform.

        Raises:
            StoreUnavailable: it may have been taken; taking again only slows us down.
        """
        buckets = self._platforms.get(conversation.platform)
        if buckets is None:
            return timedelta(0)
        arguments: list[str | int] = []
        for name, bucket in (
            ("bot", buckets.bot),
            (f"chat:{conversation.channel}", buckets.chat),
            (f"group:{conversation.channel}", buckets.group if group else None),
        ):
            if bucket is not None:
                arguments += [name, bucket.burst, bucket.ms_per_token]
        prefix = keys.outbound(conversation.platform, conversation.workspace)
        wait_ms = await self._scripts.run("take", [prefix], conversation.channel, self._scripts.now, *arguments)
        return timedelta(milliseconds=cast("int", wait_ms))

    async def close(self, conversation: Conversation, retry_after: timedelta) -> None:
        """Close a chat for everyone until the platform's pause is over. One round trip.

        Raises:
            StoreUnavailable: others may run into the same pause.
        """
        prefix = keys.outbound(conversation.platform, conversation.workspace)
        pause_ms = max(1, milliseconds(retry_after))
        await self._scripts.run("close", [prefix], conversation.channel, pause_ms, self._scripts.now)

"""The outbound budget: token buckets per bot, chat and group, shared by all workers (`take.lua`, `close.lua`)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

from bot.message import Conversation, Platform
from bot.store import keys
from bot.store.scripts import Scripts, milliseconds

log = logging.getLogger(__name__)


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

    async def take(self, conversation: Conversation, *, group: bool, asker: str, person: str = "") -> timedelta:
        """Take one send, or keep a place in the line. One round trip, none on an unlimited platform. Atomic.

        Raises:
            StoreUnavailable: it may have been taken; taking again only slows us down.
        """
        return await self._take(conversation, group, asker, person)

    async def spare(self, conversation: Conversation, *, group: bool) -> bool:
        """Take one send that may as well be left out. One round trip, none on an unlimited platform. Atomic.

        Raises:
            StoreUnavailable: it may have been taken.
        """
        return not await self._take(conversation, group, "", "")

    async def close(self, conversation: Conversation, retry_after: timedelta, *, channel: str = "") -> None:
        """Close a chat for everyone until the platform's pause is over, or the bot if that is what it means.

        One round trip; see `close.lua`.

        Raises:
            StoreUnavailable: others may run into the same pause.
        """
        prefix = keys.outbound(conversation.platform, conversation.workspace)
        pause_ms = max(1, milliseconds(retry_after))
        answer = await self._scripts.run(
            "close", [prefix], channel or conversation.channel, pause_ms, self._scripts.now
        )
        if closed_ms := cast("int", answer):
            log.warning(
                "%s asks several chats to wait alike: no chat is sent to for %.0f s",
                conversation.platform,
                closed_ms / 1000,
            )

    async def _take(self, conversation: Conversation, group: bool, asker: str, person: str) -> timedelta:
        buckets = self._platforms.get(conversation.platform)
        if buckets is None:
            return timedelta(0)
        here = [(f"chat:{conversation.channel}", buckets.chat)]
        if group:
            here.append((f"group:{conversation.channel}", buckets.group))
        arguments: list[str | int] = [self._scripts.now, asker]
        if person:
            arguments += _line(person, [(f"chat:{person}", buckets.chat)])
        arguments += _line(conversation.channel, here) + _line("bot", [("bot", buckets.bot)])
        prefix = keys.outbound(conversation.platform, conversation.workspace)
        return timedelta(milliseconds=cast("int", await self._scripts.run("take", [prefix], *arguments)))


def _line(whose: str, buckets: Iterable[tuple[str, Bucket | None]]) -> list[str | int]:
    """A line as the script takes it: whose pause counts, a channel's or the bot's, and the buckets that there are."""
    known = [(name, bucket.burst, bucket.ms_per_token) for name, bucket in buckets if bucket is not None]
    return [whose, len(known), *(argument for bucket in known for argument in bucket)]

"""The outbound side: a finished reply becomes messages on the platform, each sent once as far as that can be known.

Every part is written to the ledger as *sending* before it goes out, and its platform id right after, together with
the next one's *sending*. Whoever takes the turn over completes exactly these parts. One window remains: a part found
*sending* without an id, whose sending may have succeeded. Where the platform lets us look, our own post is looked for
first; elsewhere the part is sent again and may be seen twice.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from bot.errors import SendFailed, SendLimited, SendRefused, SendUnknown
from bot.lease import Lease
from bot.message import Incoming, Platform, SentId
from bot.ports import Delivery, Inbox, Messenger, Meter, OutboundBudget

WORTH_WAITING = timedelta(seconds=2)
"""A shorter wait is slept through; for a longer one the conversation is given back, so that it holds no worker."""
FIRST_RETRY = timedelta(seconds=2)
LAST_RETRY = timedelta(seconds=60)
AFTER_UNKNOWN = timedelta(seconds=15)
"""Wait before a part whose sending may have succeeded is sent again; four times as long each time. A platform that is
away for five minutes costs no answer, and three copies at the most can come of it."""

log = logging.getLogger(__name__)

Result = Literal["delivered", "undeliverable", "lost"]


class Deferred(Exception):
    """The rest of the parts go out after `delay`; `error` if it counts as an attempt."""

    def __init__(self, delay: timedelta, *, error: bool = False) -> None:
        super().__init__(delay)
        self.delay = delay
        self.error = error


class Lost(Exception):
    """The lease is another's: nothing more may be sent."""


class Deliver:
    """Sends replies part by part.

    Args:
        inbox: where the ledger is kept.
        messengers: one for each platform that is on.
        outbound: the send budgets.
        meter: counts what became of each send.
        send_timeout: of one send; must be shorter than the lease.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        messengers: Mapping[Platform, Messenger],
        outbound: OutboundBudget,
        meter: Meter,
        send_timeout: timedelta,
    ) -> None:
        self._inbox = inbox
        self._messengers = messengers
        self._outbound = outbound
        self._meter = meter
        self._send_timeout = send_timeout

    async def deliver(self, lease: Lease, delivery: Delivery) -> Result | Deferred:
        """Send what of a reply is not out yet.

        Returns:
            `delivered`; `undeliverable`: the platform will never take it; `lost`: the lease is another's;
            `Deferred`: the ledger knows what is out, the rest is due later.

        Raises:
            StoreUnavailable: the ledger did not answer; the lease runs out and the turn is taken over.
        """
        try:
            await self._send_parts(lease, delivery)
        except Deferred as deferred:
            return deferred
        except Lost:
            return "lost"
        except SendRefused as error:
            log.warning("undeliverable: %s", error)
            return "undeliverable"
        return "delivered"

    async def _send_parts(self, lease: Lease, delivery: Delivery) -> None:
        incoming = lease.claimed.incoming
        messenger = self._messengers[incoming.conversation.platform]
        unrecorded = delivery if lease.claimed.delivery is None else None
        just_sent: tuple[int, SentId] | None = None
        for index in range(len(delivery.parts)):
            if index < len(delivery.sent):
                known = delivery.sent[index] or await messenger.find(incoming.reply_to, part_key(incoming, index))
                if known is not None:
                    just_sent = (index, known)
                    continue
            wait = await self._budget(incoming)
            if wait:
                await self._record(lease, unrecorded, just_sent, None)
                raise Deferred(wait)
            await self._record(lease, unrecorded, just_sent, index)
            unrecorded = None
            just_sent = (index, await self._send(lease, messenger, delivery, index))

    async def _budget(self, incoming: Incoming) -> timedelta:
        """Take one send from the budget, sleeping through short waits; else how long is left to wait."""
        conversation = incoming.conversation
        while wait := await self._outbound.take(conversation, group=not incoming.reply_to.private):
            if wait > WORTH_WAITING:
                return wait
            await asyncio.sleep(wait.total_seconds())
        return timedelta(0)

    async def _record(
        self, lease: Lease, delivery: Delivery | None, sent: tuple[int, SentId] | None, sending: int | None
    ) -> None:
        """Write to the ledger, and make sure that a send begun now ends within the lease."""
        claimed = lease.claimed
        if not lease.holds_for(self._send_timeout):
            asked_at = time.monotonic()
            if claimed.token not in await self._inbox.renew([claimed]):
                raise Lost
            lease.prolong(asked_at=asked_at)
        if not await self._inbox.record(claimed, delivery, sent=sent, sending=sending):
            raise Lost

    async def _send(self, lease: Lease, messenger: Messenger, delivery: Delivery, index: int) -> SentId:
        incoming = lease.claimed.incoming
        platform = incoming.conversation.platform
        try:
            async with asyncio.timeout(self._send_timeout.total_seconds()):
                sent_id = await messenger.send(
                    incoming.reply_to,
                    delivery.parts[index],
                    key=part_key(incoming, index),
                    first=index == 0,
                    private=delivery.private,
                )
        except SendLimited as error:
            self._meter.sent(platform, "limited")
            await self._outbound.close(incoming.conversation, error.retry_after)
            raise Deferred(error.retry_after) from error
        except SendRefused:
            self._meter.sent(platform, "refused")
            raise
        except SendFailed as error:
            self._meter.sent(platform, "failed")
            log.warning("not sent, tried again later: %s", error)
            raise Deferred(backoff(lease)) from error
        except (SendUnknown, TimeoutError) as error:
            self._meter.sent(platform, "unknown")
            log.warning("it is not known whether a message went out, it is sent again: %s", error)
            raise Deferred(AFTER_UNKNOWN * 4**lease.claimed.attempts, error=True) from error
        self._meter.sent(platform, "ok")
        return sent_id


def part_key(incoming: Incoming, index: int) -> str:
    """Identity of one part of one reply, the same for every worker that sends it."""
    return f"{incoming.id}#{index}"


def backoff(lease: Lease) -> timedelta:
    """How long to wait before the next try: a quarter of the time since the message came, within bounds.

    Waiting in proportion to the age is exponential backoff that needs no counter.
    """
    age = timedelta(milliseconds=max(0.0, time.time() * 1000 - lease.claimed.arrived_ms))
    return min(LAST_RETRY, max(FIRST_RETRY, age / 4))

"""The outbound side: a finished reply becomes messages on the platform, each sent once as far as that can be known.

Every part is written to the ledger as *sending* before it goes out, and its platform id right after: together with
the next one's *sending* where that follows at once, else by itself. Whoever takes the turn over completes exactly these
parts. One window remains: a part found *sending* without an id, whose sending may have succeeded. Where the platform
lets us look, our own post is looked for first; elsewhere the part is sent again and may be seen twice.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal, TypeVar

from bot.errors import SendFailed, SendLimited, SendRefused, SendUnknown, StoreBroken, StoreUnavailable
from bot.lease import Lease, renew
from bot.message import Incoming, Platform, SentId
from bot.ports import Claimed, Delivery, Inbox, Messenger, Meter, OutboundBudget

WORTH_WAITING = timedelta(seconds=2)
"""Longest that one delivery sleeps for its budget; then the conversation is given back, so that it holds no worker."""
UNNOTED = timedelta(seconds=1)
"""Longest that it waits for word of its budget while the reply, or the id of what was sent, is not written down."""
NOTED = timedelta(seconds=4)
"""The same when all is: a Redis that is slower counts as away, and other turns need the worker."""
FIRST_RETRY = timedelta(seconds=2)
LAST_RETRY = timedelta(seconds=60)
AFTER_UNKNOWN = timedelta(seconds=15)
"""Wait before a part whose sending may have succeeded is sent again; four times as long each time. A platform that is
away for five minutes costs no answer, and four copies at the most can come of it."""
LONGEST = timedelta(hours=1)
"""No wait between two tries is longer."""
LONG_ENOUGH = timedelta(days=1)
"""How long a part is tried that surely was not sent: as long as Telegram keeps what we do not take."""
LATE_ANSWER = timedelta(milliseconds=250)
"""For reading an answer that came in time while this process stood still."""
STORE_AGAIN = timedelta(seconds=1)
"""Between two tries to write down what has happened."""

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deferred:
    """The rest of the parts go out after `delay`.

    Attributes:
        delay: how long they wait.
        failing: what they need is away, and how long it is in a row matters.
        error: it counts as an attempt.
        attempts: those that the part whose turn it is had before.
    """

    delay: timedelta
    failing: bool = False
    error: bool = False
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """All parts are out.

    Attributes:
        last: id of the last part, which settling writes down instead of the ledger.
    """

    last: SentId | None = field(default=None, compare=False)


Result = Delivered | Literal["undeliverable", "lost"] | Deferred
"""`undeliverable`: the platform will never take it. `lost`: the lease is another's. `Deferred`: the ledger knows what
is out, the rest is due later."""


class Deliver:
    """Sends replies part by part.

    Args:
        inbox: where the ledger is kept.
        messengers: one for each platform that is on.
        outbound: the send budgets.
        meter: counts what became of each send.
        instead: what is said, as Markdown, in the place of a part that the platform refuses.
        send_timeout: of one send; with an eighth of it, must be shorter than the lease.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        messengers: Mapping[Platform, Messenger],
        outbound: OutboundBudget,
        meter: Meter,
        instead: Callable[[Claimed], str],
        send_timeout: timedelta,
    ) -> None:
        self._inbox = inbox
        self._messengers = messengers
        self._outbound = outbound
        self._meter = meter
        self._instead = instead
        self._send_timeout = send_timeout
        self._late_answer = min(LATE_ANSWER, send_timeout / 8)

    async def deliver(self, lease: Lease, delivery: Delivery) -> Result:
        """Send what of a reply is not out yet.

        Cancelling in the middle of a send leaves it unknown whether the person has that part.
        """
        try:
            return await self._send_parts(lease, delivery)
        except SendRefused as error:
            log.warning("undeliverable: %s", error)
            return "undeliverable"

    async def _send_parts(self, lease: Lease, delivery: Delivery) -> Result:
        incoming = lease.claimed.incoming
        messenger = self._messengers[incoming.conversation.platform]
        unrecorded = delivery if lease.claimed.delivery is None else None
        just_sent: tuple[int, SentId] | None = None
        # Those of a turn that had no reply were of deciding, not of sending.
        attempts = 0 if lease.claimed.delivery is None else lease.claimed.attempts
        slept = timedelta(0)
        for index in range(len(delivery.parts)):
            if index < len(delivery.sent):
                try:
                    known = delivery.sent[index] or await messenger.find(incoming.reply_to, part_key(incoming, index))
                except (SendLimited, SendFailed) as error:
                    return self._not_seen(lease, error, attempts)
                if known is not None:
                    attempts = attempts if delivery.sent[index] else 0
                    just_sent = (index, known)
                    continue
            while wait := await self._take(lease, delivery, index, unnoted=bool(unrecorded or just_sent)):
                if not await self._record(lease, unrecorded, just_sent, None):
                    return "lost"
                unrecorded, just_sent = None, None
                slept += wait.delay
                if wait.failing or slept > WORTH_WAITING:
                    return wait
                await asyncio.sleep(wait.delay.total_seconds())
            marked = await self._record(lease, unrecorded, just_sent, index)
            if not marked:
                return "lost"
            unrecorded = None
            if isinstance(marked, str):
                # Whoever had the turn before was held up, and has said so by now.
                just_sent, attempts = (index, marked), 0
                continue
            outcome = await self._send_or_say_so(lease, delivery, index, attempts)
            if outcome is None or isinstance(outcome, Deferred):
                return outcome or "lost"
            lease.get_on()
            just_sent, attempts = (index, outcome), 0
        return Delivered(last=just_sent[1] if just_sent is not None else None)

    async def _take(self, lease: Lease, delivery: Delivery, index: int, *, unnoted: bool) -> Deferred | None:
        """A send for a part, or how long until it is asked for again; what was sent is written down before that.

        On a cluster the budget lies on another server than the turn: while that one is away, this one goes on.

        Args:
            lease: of the turn.
            delivery: its reply.
            index: of the part.
            unnoted: something waits to be written down.
        """
        incoming = lease.claimed.incoming
        to = incoming.reply_to
        try:
            async with asyncio.timeout((UNNOTED if unnoted else NOTED).total_seconds()):
                wait = await self._outbound.take(
                    incoming.conversation,
                    group=not to.private,
                    asker=part_key(incoming, index),
                    person=to.user if delivery.private and not to.private else "",
                )
        except (StoreUnavailable, TimeoutError) as error:
            away = error if isinstance(error, StoreUnavailable) else StoreUnavailable("take: no answer in time")
            log.warning("nothing was sent, for the send budget is away: %s", away)
            return Deferred(delay=backoff(lease), failing=True)
        return Deferred(delay=wait) if wait else None

    async def _record(
        self, lease: Lease, delivery: Delivery | None, sent: tuple[int, SentId] | None, sending: int | None
    ) -> bool | SentId:
        """Write to the ledger, whatever it takes: a reply is paid for, and what was sent cannot be found out."""
        return await insist(lambda: self._inbox.record(lease.claimed, delivery, sent=sent, sending=sending))

    async def _holds(self, lease: Lease) -> bool:
        """A send begun now ends within the lease; renewed if need be."""
        if not lease.holds_for(self._send_timeout + self._late_answer):
            await insist(lambda: renew(self._inbox, [lease]))
        return lease.holds_for(self._send_timeout + self._late_answer)

    async def _send_or_say_so(
        self, lease: Lease, delivery: Delivery, index: int, attempts: int
    ) -> SentId | Deferred | None:
        """The id of a part, or of what is said in its place if it is refused; None: the lease is another's.

        A part may be refused for its text alone. Who reads the others should know that one is missing.

        Raises:
            SendRefused: that sentence is refused as well.
        """
        messenger = self._messengers[lease.claimed.incoming.conversation.platform]
        try:
            return await self._send(lease, messenger, delivery, index, attempts)
        except SendRefused as error:
            refused = error
        (said, *_) = messenger.format(self._instead(lease.claimed))
        parts = (*delivery.parts[:index], said, *delivery.parts[index + 1 :])
        outcome = await self._send(lease, messenger, replace(delivery, parts=parts), index, attempts)
        if isinstance(outcome, str):
            log.warning("a part was refused, the person was told so in its place: %s", refused)
        return outcome

    async def _send(
        self, lease: Lease, messenger: Messenger, delivery: Delivery, index: int, attempts: int
    ) -> SentId | Deferred | None:
        if not await self._holds(lease):
            # Ours still, but Redis was so slow that the send might end too late: nobody crashed.
            return None if lease.lost else Deferred(delay=backoff(lease), failing=True)
        incoming = lease.claimed.incoming
        platform = incoming.conversation.platform
        try:
            sent_id = await self._in_time(
                messenger.send(
                    incoming.reply_to,
                    delivery.parts[index],
                    key=part_key(incoming, index),
                    first=index == 0,
                    private=delivery.private,
                )
            )
        except SendLimited as error:
            self._meter.sent(platform, "limited")
            log.warning("not sent, %s says that this chat is sent to too fast: %s", platform, error)
            try:
                await self._outbound.close(incoming.conversation, error.retry_after, channel=error.channel)
            except StoreUnavailable as away:
                log.warning("a pause that the platform asked for was not noted: %s", away)
            return self._tried_later(lease, error.retry_after, attempts)
        except SendRefused:
            self._meter.sent(platform, "refused")
            raise
        except SendFailed as error:
            return self._failed(lease, error, attempts)
        except (SendUnknown, TimeoutError) as error:
            self._meter.sent(platform, "unknown")
            log.warning("it is not known whether a message went out (try %d): %s", attempts + 1, error)
            return Deferred(delay=longer(AFTER_UNKNOWN, 4, attempts), error=True, attempts=attempts)
        self._meter.sent(platform, "ok")
        return sent_id

    def _not_seen(self, lease: Lease, error: SendLimited | SendFailed, attempts: int) -> Deferred:
        """We could not look for a part: what may be there is not sent. To look is not to send: the chat stays open."""
        if isinstance(error, SendLimited):
            return self._tried_later(lease, error.retry_after, attempts)
        return self._failed(lease, error, attempts)

    def _failed(self, lease: Lease, error: SendFailed, attempts: int) -> Deferred:
        self._meter.sent(lease.claimed.incoming.conversation.platform, "failed")
        later = self._tried_later(lease, backoff(lease), attempts)
        log.warning("not sent: %s" if later.error else "not sent, tried again later: %s", error)
        return later

    def _tried_later(self, lease: Lease, delay: timedelta, attempts: int) -> Deferred:
        """Nothing was sent. Where that has gone on for a day each failure is an attempt, so that there is an end."""
        return Deferred(delay=delay, failing=True, error=lease.failing() > LONG_ENOUGH, attempts=attempts)

    async def _in_time(self, send: Coroutine[object, object, SentId]) -> SentId:
        """The result of a send that ends within its time.

        Raises:
            TimeoutError: it did not; perhaps the person has that part.
        """
        sending = asyncio.create_task(send, name="turn - send a part")
        try:
            done, _ = await asyncio.wait([sending], timeout=self._send_timeout.total_seconds())
            if not done:
                # If it was us who stood still, the answer is there, and only has to be read.
                done, _ = await asyncio.wait([sending], timeout=self._late_answer.total_seconds())
            if not done:
                raise TimeoutError
            return sending.result()
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


async def insist(act: Callable[[], Awaitable[T]]) -> T:
    """Do an act on the store until it is done; only for acts that are fenced and may run twice.

    Raises:
        StoreBroken: it would not be done however often.
    """
    while True:
        try:
            return await act()
        except StoreBroken:
            raise
        except StoreUnavailable as error:
            log.warning("what has happened could not be written down, trying again: %s", error)
            await asyncio.sleep(STORE_AGAIN.total_seconds())


def part_key(incoming: Incoming, index: int) -> str:
    """Identity of one part of one reply, the same for every worker that sends it."""
    return f"{incoming.id}#{index}"


def longer(first: timedelta, factor: int, attempts: int) -> timedelta:
    """The wait after so many earlier attempts, each `factor` times as long as the one before, `LONGEST` at most."""
    wait = first
    for _ in range(attempts):
        wait = min(LONGEST, wait * factor)
    return wait


def backoff(lease: Lease) -> timedelta:
    """How long to wait before the next try: a quarter of the time for which they have failed, within bounds.

    Waiting in proportion to that is exponential backoff that needs no counter.
    """
    return min(LAST_RETRY, max(FIRST_RETRY, lease.failing() / 4))

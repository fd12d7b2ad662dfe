"""The worker: claim a conversation, run the pipeline on its oldest message, deliver the reply, settle.

One loop claims while there is room; each claimed turn is a task of its own. Leases are renewed until the last turn
has ended. A crash on any line loses nothing: the conversation is due again when its lease runs out, and the ledger
says how far its reply had come.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Protocol

import structlog

from bot.company import Company
from bot.deliver import Deferred, Deliver
from bot.errors import StoreUnavailable
from bot.language import language_of
from bot.lease import Lease
from bot.message import Language, Platform
from bot.pipeline import Pipeline
from bot.ports import Claimed, Delivery, Inbox, Messenger, Meter
from bot.texts import Texts
from bot.turn import Outcome, Turn

MAX_CRASHES = 10
"""Leases that may run out on one message before it is buried: more than a rolling kill causes, fewer than a loop."""
POLL = timedelta(seconds=1)
"""Longest sleep while nothing is due: what a missed ring of the doorbell costs."""
STORE_AWAY = timedelta(seconds=1)
LONG_MARKDOWN_CHARS = 2000
"""Longer replies are formatted off the event loop: about 3 ms per 2,000 characters."""

log = logging.getLogger(__name__)


class Doorbell(Protocol):
    """Says that something may be due."""

    def clear(self) -> None:
        """Forget past rings."""
        ...

    def ring(self) -> None:
        """Wake whoever waits here."""
        ...

    async def wait(self, longest: timedelta) -> None:
        """Return at the next ring or after `longest`; at once if it rang since `clear`."""
        ...


class Worker:
    """Answers messages until it is stopped.

    Args:
        inbox: where messages wait.
        pipeline: what is done to a message.
        deliver: how a reply goes out.
        company: what the person sees meanwhile.
        messengers: one for each platform that is on.
        doorbell: saves polling.
        texts: our own sentences.
        voice: language of our own sentences; None: the person's.
        meter: counts outcomes.
        concurrency: turns at once.
        lease: how long a claim holds without renewal.
        max_attempts: exceptions a turn may have before it is buried.
        drain: how long turns in flight may take once we are stopped.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        pipeline: Pipeline,
        deliver: Deliver,
        company: Company,
        messengers: Mapping[Platform, Messenger],
        doorbell: Doorbell,
        texts: Texts,
        voice: Language | None,
        meter: Meter,
        concurrency: int,
        lease: timedelta,
        max_attempts: int,
        drain: timedelta,
    ) -> None:
        self._inbox = inbox
        self._pipeline = pipeline
        self._deliver = deliver
        self._company = company
        self._messengers = messengers
        self._doorbell = doorbell
        self._texts = texts
        self._voice = voice
        self._meter = meter
        self._room = asyncio.Semaphore(concurrency)
        self._lease = lease
        self._max_attempts = max_attempts
        self._drain = drain
        self._leases: dict[str, Lease] = {}
        self._turns: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Claim and answer until `stop` is set; then let the turns in flight end within `drain`."""
        renewal = asyncio.create_task(self._renew_leases(), name="worker - renew leases")
        waking = asyncio.create_task(self._wake_at(stop), name="worker - wake to stop")
        try:
            await self._claim_until(stop)
            if self._turns:
                await asyncio.wait(self._turns, timeout=self._drain.total_seconds())
        finally:
            # What is cut off here is due again when its lease runs out; the leases end last.
            for task in self._turns:
                task.cancel()
            await asyncio.gather(*self._turns, return_exceptions=True)
            renewal.cancel()
            waking.cancel()
            await asyncio.gather(renewal, waking, return_exceptions=True)

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._doorbell.ring()

    async def _claim_until(self, stop: asyncio.Event) -> None:
        token = uuid.uuid4().hex
        while not stop.is_set():
            await self._room.acquire()
            self._doorbell.clear()
            asked_at = time.monotonic()
            try:
                claimed = await self._inbox.claim(token)
                idle = None if claimed is not None else await self._inbox.next_due()
            except StoreUnavailable as error:
                # The same token again: if the claim was made, it is returned.
                self._room.release()
                log.warning("no message could be claimed: %s", error)
                await self._doorbell.wait(STORE_AWAY)
                continue
            if claimed is None:
                self._room.release()
                await self._doorbell.wait(POLL if idle is None else min(POLL, idle))
                continue
            self._begin(Lease(claimed, asked_at=asked_at, duration=self._lease))
            token = uuid.uuid4().hex

    def _begin(self, lease: Lease) -> None:
        token = lease.claimed.token
        self._leases[token] = lease
        task = asyncio.create_task(self._take(lease), name=f"turn - {token}")
        self._turns.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._turns.discard(task)
            self._leases.pop(token, None)
            self._room.release()

        task.add_done_callback(ended)

    async def _take(self, lease: Lease) -> None:
        """One turn, from claim to settle; raises nothing but cancellation."""
        claimed = lease.claimed
        structlog.contextvars.bind_contextvars(turn=claimed.token, platform=claimed.incoming.conversation.platform)
        try:
            await self._turn(lease)
        except StoreUnavailable as error:
            # Redis is away, so nothing can be given back either: the lease runs out and the turn is taken again.
            log.warning("a turn was cut short: %s", error)
        except Exception:
            # One message must not stop the others. It is tried again, and buried after `max_attempts`.
            log.exception("a turn failed")
            await self._try_again(claimed)

    async def _try_again(self, claimed: Claimed) -> None:
        try:
            await self._inbox.defer(claimed, timedelta(seconds=2**claimed.attempts), error=True)
        except StoreUnavailable as error:
            log.warning("a failed turn was not given back, its lease runs out: %s", error)

    async def _turn(self, lease: Lease) -> None:
        claimed = lease.claimed
        delivery = claimed.delivery or await self._decide(lease)
        if delivery is None:
            return
        if claimed.delivery is not None and claimed.attempts >= self._max_attempts:
            await self._end(claimed, replace(delivery, dead="sending timed out too often"), "undeliverable")
            return
        result = await self._deliver.deliver(lease, delivery)
        if isinstance(result, Deferred):
            await self._inbox.defer(claimed, result.delay, error=result.error)
        elif result == "lost":
            log.info("the turn is another worker's by now")
        else:
            await self._end(claimed, delivery, delivery.outcome if result == "delivered" else "undeliverable")

    async def _decide(self, lease: Lease) -> Delivery | None:
        """What the person is told; None if the turn ended without a word or comes back later."""
        claimed = lease.claimed
        turn = self._new_turn(claimed)
        if claimed.attempts >= self._max_attempts or claimed.crashes >= MAX_CRASHES:
            reason = f"{claimed.attempts} exceptions, {claimed.crashes} crashes"
            return await self._delivery(turn.told(self._texts("failure", turn.voice), "failed"), dead=reason)
        if claimed.full:
            return await self._delivery(turn.told(self._texts("mailbox_full", turn.voice), "refused"))
        async with self._company.during(lease, turn.voice):
            turn = await self._pipeline.run(turn)
        if turn.wait is not None:
            await self._inbox.defer(claimed, turn.wait)
            return None
        if turn.silent:
            await self._end(claimed, None, turn.outcome)
            return None
        return await self._delivery(turn)

    def _new_turn(self, claimed: Claimed) -> Turn:
        language = language_for(claimed)
        return Turn(
            incoming=claimed.incoming,
            arrived_ms=claimed.arrived_ms,
            language=language,
            voice=self._voice or language,
            history=claimed.history,
        )

    async def _delivery(self, turn: Turn, *, dead: str = "") -> Delivery:
        if turn.reply is None:
            raise RuntimeError("the pipeline ended without a reply: its last step must give one")
        messenger = self._messengers[turn.incoming.conversation.platform]
        markdown = turn.reply.markdown
        if len(markdown) > LONG_MARKDOWN_CHARS:
            parts = await asyncio.to_thread(messenger.format, markdown)
        else:
            parts = messenger.format(markdown)
        return Delivery(
            parts=parts, private=turn.reply.private, outcome=turn.outcome, remember=turn.remember, dead=dead
        )

    async def _end(self, claimed: Claimed, delivery: Delivery | None, outcome: Outcome | str) -> None:
        """Settle or bury; shielded, because what was said must be recorded even when we are being stopped."""
        if delivery is not None and delivery.dead:
            ending = self._inbox.bury(claimed, delivery.dead)
        else:
            ending = self._inbox.settle(claimed, delivery.remember if delivery is not None else None)
        if await asyncio.shield(ending) == "settled":
            seconds = max(0.0, time.time() - claimed.arrived_ms / 1000)
            self._meter.settled(claimed.incoming.conversation.platform, outcome, seconds)

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            leases = list(self._leases.values())
            if not leases:
                continue
            asked_at = time.monotonic()
            try:
                held = await self._inbox.renew([lease.claimed for lease in leases])
            except StoreUnavailable as error:
                log.warning("leases were not renewed: %s", error)
                continue
            for lease in leases:
                if lease.claimed.token in held:
                    lease.prolong(asked_at=asked_at)
                else:
                    lease.lose()


def language_for(claimed: Claimed) -> Language:
    """The person's language: the message's own where it has words, else their platform's or their last question's.

    The name of a command is nobody's language.
    """
    incoming = claimed.incoming
    hint = incoming.locale or (language_of(claimed.history[-1].question) if claimed.history else None)
    if incoming.command is None:
        return language_of(incoming.text, hint)
    return language_of("" if hint else incoming.command.argument, hint)

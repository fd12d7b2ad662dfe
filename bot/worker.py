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
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import structlog

from bot.company import Company
from bot.deliver import Deferred, Deliver, Delivered, backoff, insist, longer
from bot.doorbell import Doorbell
from bot.errors import StoreBroken, StoreUnavailable
from bot.lease import Lease, renew, try_renew
from bot.line import Line
from bot.message import Conversation, Language, MessageId, Platform, SentId, turn_id
from bot.pipeline import Pipeline
from bot.ports import Claimed, Delivery, Inbox, Messenger, Meter, Spending
from bot.stopping import pause
from bot.suspects import MAX_CRASHES, SUSPECT_AGAIN, Suspects
from bot.texts import Texts
from bot.turn import IN_LINE, Outcome, Turn
from bot.unserved import Unserved
from bot.voice import language_for
from bot.watch import Watch

POLL = timedelta(seconds=1)
"""Longest sleep while nothing is due: what a missed ring of the doorbell costs."""
STORE_AWAY = timedelta(seconds=1)
OTHERS_FIRST = timedelta(seconds=2)
"""After Redis was away so long that leases ran out: who holds a turn prolongs it before others take it over."""
SENDS_END = timedelta(seconds=12)
"""How long replies that are going out may take when we stop: one send with its deadline, and settling."""
PATIENCE = timedelta(minutes=2)
"""How long a turn is tried again because a store is away before that counts as its failure."""
EXCEPTION_AGAIN = timedelta(seconds=1)
"""Wait after an exception of ours, twice as long each time."""
LONG_MARKDOWN_CHARS = 2000
"""Longer replies are formatted off the event loop: about 3 ms per 2,000 characters."""

log = logging.getLogger(__name__)


class Worker:
    """Answers messages until it is stopped.

    Args:
        inbox: where messages wait.
        pipeline: what is done to a message.
        line: the places at the model.
        spending: where the tokens of a turn that is not answered are given back.
        deliver: how a reply goes out.
        company: what the person sees meanwhile.
        messengers: one for each platform that is on.
        doorbell: saves polling.
        texts: our own sentences.
        voice: language of our own sentences; None: the person's.
        base_of: name of the knowledge base of a conversation's channel.
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
        line: Line,
        spending: Spending,
        deliver: Deliver,
        company: Company,
        messengers: Mapping[Platform, Messenger],
        doorbell: Doorbell,
        texts: Texts,
        voice: Language | None,
        base_of: Callable[[Conversation], str],
        meter: Meter,
        concurrency: int,
        lease: timedelta,
        max_attempts: int,
        drain: timedelta,
    ) -> None:
        self._inbox = inbox
        self._pipeline = pipeline
        self._line = line
        self._spending = spending
        self._deliver = deliver
        self._company = company
        self._messengers = messengers
        self._doorbell = doorbell
        self._texts = texts
        self._voice = voice
        self._base_of = base_of
        self._meter = meter
        self._room = asyncio.Semaphore(concurrency)
        self._lease = lease
        self._max_attempts = max_attempts
        self._drain = drain
        self._leases: dict[str, Lease] = {}
        self._turns: set[asyncio.Task[None]] = set()
        self._deciding: dict[asyncio.Task[object], Lease] = {}
        self._suspects = Suspects()
        self.unserved = Unserved()
        """What came of platforms that are not among the messengers."""
        self._watch = Watch(inbox=inbox, company=company, voice_of=self._voice_of, lease=lease)

    async def run(self, stop: asyncio.Event) -> None:
        """Claim and answer until `stop` is set, then let the turns in flight end.

        Turns that still wait for an answer after `drain` are given back. A reply that is going out may end its send
        and is settled; the leases are renewed until the last turn has ended.

        Raises:
            Exception: the renewal of leases failed in a way nobody foresaw; the process should be started again.
        """
        async with asyncio.TaskGroup() as tasks:
            renewal = tasks.create_task(self._renew_leases(), name="worker - renew leases")
            waking = tasks.create_task(self._wake_at(stop), name="worker - wake to stop")
            # Whom nobody has claimed waits in line, or because there is no room.
            watching = self._watch.run(stop, lambda: self._line.waits or self._room.locked())
            tasks.create_task(watching, name="worker - watch who waits")
            try:
                await self._claim_until(stop)
                await self._wait_for_turns(self._drain)
            finally:
                for turn in self._deciding:
                    turn.cancel()
                await self._wait_for_turns(SENDS_END)
                for turn in self._turns:
                    turn.cancel()
                await asyncio.gather(*self._turns, return_exceptions=True)
                renewal.cancel()
                waking.cancel()

    async def _wait_for_turns(self, longest: timedelta) -> None:
        if self._turns:
            await asyncio.wait(set(self._turns), timeout=longest.total_seconds())

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._doorbell.ring()
        # Whoever waits for room need not wait for a turn to end.
        self._room.release()

    async def _claim_until(self, stop: asyncio.Event) -> None:
        away_since: float | None = None
        while True:
            await self._room.acquire()
            if stop.is_set():
                return
            self._doorbell.clear()
            asked_at = time.monotonic()
            try:
                if away_since is not None:
                    await self._come_back(away_since, stop)
                    away_since = None
                # Those that ended while this process stood still: else it would claim its turns from itself.
                await try_renew(self._inbox, [lease for lease in self._leases.values() if lease.ran_out()])
                asked_at = time.monotonic()
                spared_from = self._suspects.spared_from
                token, has_place = uuid.uuid4().hex, self._line.has_place
                claimed = await self._inbox.claim(token, has_place=has_place, spared_from=spared_from)
            except Exception as error:  # one that nobody foresaw must not end the service of others
                self._room.release()
                away_since = away_since or asked_at
                log.warning("no message could be claimed: %s", error, exc_info=not isinstance(error, StoreUnavailable))
                await pause(STORE_AWAY, stop)
                continue
            self._line.saw(self._inbox.oldest_in_line())
            if claimed is None:
                self._room.release()
            else:
                self._begin(Lease(claimed, asked_at=asked_at, duration=self._lease))
            # The claim said when there is more to do; whatever comes earlier rings.
            idle = self._inbox.idle()
            if idle != timedelta(0):
                await self._doorbell.wait(POLL if idle is None else min(POLL, idle))

    async def _come_back(self, away_since: float, stop: asyncio.Event) -> None:
        """Prolong what we hold before anything is claimed: an answer that waits to be written down is paid for.

        Raises:
            StoreUnavailable: Redis is still away.
        """
        await self._inbox.check()
        await try_renew(self._inbox, list(self._leases.values()))
        # Until then the leases of all processes hold: they are renewed each third of their life.
        if time.monotonic() - away_since > self._lease.total_seconds() / 2:
            await pause(OTHERS_FIRST, stop)

    def _begin(self, lease: Lease) -> None:
        token = lease.claimed.token
        self._leases[token] = lease
        if lease.claimed.has_place:
            self._line.admit(lease.claimed.incoming.id)
        admitted = self._suspects.admit(lease.claimed)  # the next claim asks who is at work
        task = asyncio.create_task(self._take(lease, admitted=admitted), name=f"turn - {token}")
        self._turns.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._turns.discard(task)
            self._leases.pop(token, None)
            self._suspects.ended(token)
            self._leave_line(lease.claimed.incoming.id)
            self._room.release()

        task.add_done_callback(ended)

    def _leave_line(self, message: MessageId, *, turned_away: bool = False) -> None:
        if self._line.leave(message, turned_away=turned_away) and self._line.waits:
            self._doorbell.ring()

    async def _take(self, lease: Lease, *, admitted: bool) -> None:
        """One turn, from claim to settle; raises nothing but cancellation."""
        claimed = lease.claimed
        structlog.contextvars.bind_contextvars(turn=turn_id(claimed.incoming.id))
        try:
            if admitted:
                await self._turn(lease)
            else:
                await self._company.say_word_if_due(lease, self._voice_of(claimed))
                await self._give_back(lease, SUSPECT_AGAIN)
        except asyncio.CancelledError:
            # We are stopping: another process, or our next start, takes it up at once.
            await self._give_back(lease, timedelta(0))
            raise
        except StoreUnavailable as error:
            # What is away may be the documents' Redis alone. After a while the person hears an honest word.
            log.warning("a turn was cut short: %s", error)
            counts = isinstance(error, StoreBroken) or lease.failing() > PATIENCE
            await self._give_back(lease, backoff(lease), failing=True, error=counts)
        except Exception:
            # One message must not stop the others. It is tried again, and buried after `max_attempts`.
            log.exception("a turn failed")
            await self._give_back(lease, longer(EXCEPTION_AGAIN, 2, claimed.attempts), error=True)

    async def _give_back(self, lease: Lease, delay: timedelta, *, failing: bool = False, error: bool = False) -> None:
        try:
            await self._inbox.defer(lease.claimed, delay, failing=failing, error=error)
        except StoreUnavailable as away:
            log.warning("a turn was not given back, its lease runs out: %s", away)

    async def _turn(self, lease: Lease) -> None:
        claimed = lease.claimed
        conversation = claimed.incoming.conversation
        if conversation.platform not in self._messengers:
            await self._inbox.defer(claimed, self.unserved.met(conversation, lease.age()))
            return
        if claimed.delivery is not None and self._hopeless(claimed, claimed.delivery):
            await self._end(lease, replace(claimed.delivery, dead="could not be sent"), "unsent")
            return
        delivery = claimed.delivery or await self._decide(lease)
        if delivery is None:
            return
        result = await self._deliver.deliver(lease, delivery)
        if isinstance(result, Deferred) and result.error and result.attempts >= self._max_attempts:
            await self._end(lease, replace(delivery, dead="could not be sent"), "unsent")
        elif isinstance(result, Deferred):
            later = result
            await insist(lambda: self._inbox.defer(claimed, later.delay, failing=later.failing, error=later.error))
        elif isinstance(result, Delivered):
            await self._end(lease, delivery, delivery.outcome, last=result.last)
        elif result == "lost":
            log.info("the turn is another worker's by now")
        else:
            await self._end(lease, delivery, "failed" if delivery.dead else "undeliverable")

    def _exhausted(self, claimed: Claimed) -> bool:
        return claimed.attempts >= self._max_attempts or claimed.crashes >= MAX_CRASHES

    def _hopeless(self, claimed: Claimed, delivery: Delivery) -> bool:
        """A reply that is not sent any more. After its attempts it is sent once again; more are exceptions of ours."""
        missing = len(delivery.sent) < len(delivery.parts) or None in delivery.sent
        return missing and (claimed.attempts > self._max_attempts or claimed.crashes >= MAX_CRASHES)

    async def _decide(self, lease: Lease) -> Delivery | None:
        """What the person is told; None if the turn ended without a word or comes back later."""
        claimed = lease.claimed
        turn = self._new_turn(claimed)
        reacts = claimed.incoming.reacts
        if self._exhausted(claimed):
            if reacts:
                await self._end(lease, None, "failed")
                return None
            # Whether it ever got to the model is not known; nobody pays for what they did not get.
            await self._spending.release(claimed.incoming.conversation.person, claimed.incoming.id)
            reason = f"{claimed.attempts} exceptions, {claimed.crashes} crashes"
            return await self._delivery(turn.told(self._texts("failure", turn.voice), "failed"), dead=reason)
        if claimed.full and not reacts:
            return await self._delivery(turn.told(self._texts("mailbox_full", turn.voice), "refused"))
        async with self._company.during(lease, turn.voice) as speaks:
            turn = await self._run(turn, lease)
            delivery = None if turn.silent or turn.wait is not None else await self._delivery(turn)
            if delivery is not None and speaks():
                # The word comes before the answer, which is paid for and must not wait in memory alone.
                await insist(lambda: self._inbox.record(claimed, delivery))
        if turn.wait is not None:
            if turn.wait == IN_LINE and turn.reserved:
                await self._spending.release(claimed.incoming.conversation.person, claimed.incoming.id)
            await self._company.say_word_if_due(lease, turn.voice)
            await self._inbox.defer(claimed, turn.wait)
        elif turn.silent:
            await self._end(lease, None, turn.outcome)
        return delivery

    async def _run(self, turn: Turn, lease: Lease) -> Turn:
        """The turn with what the person is told; while this is found out, a stop may cancel it without harm."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - turns are tasks
        self._deciding[task] = lease
        try:
            turn = await self._pipeline.run(turn)
        finally:
            del self._deciding[task]
            self._leave_line(turn.incoming.id, turned_away=turn.wait == IN_LINE)
        return turn

    def _new_turn(self, claimed: Claimed) -> Turn:
        # Old is what is old by both clocks, Redis's and ours: one that runs ahead must not cost people their answers.
        begun = min(datetime.fromtimestamp(claimed.arrived_ms / 1000, UTC) + claimed.waited, datetime.now(UTC))
        return Turn(
            incoming=claimed.incoming,
            arrived_ms=claimed.arrived_ms,
            age=timedelta(0) if claimed.retried else begun - claimed.incoming.sent_at,
            language=language_for(claimed),
            voice=self._voice_of(claimed),
            base=self._base_of(claimed.incoming.conversation),
            history=claimed.history,
        )

    def _voice_of(self, claimed: Claimed) -> Language:
        return self._voice or language_for(claimed)

    async def _delivery(self, turn: Turn, *, dead: str = "") -> Delivery:
        if turn.reply is None:
            raise RuntimeError("the pipeline ended without a reply: its last step must give one")
        messenger = self._messengers[turn.incoming.conversation.platform]
        markdown = turn.reply.markdown
        is_long = len(markdown) > LONG_MARKDOWN_CHARS
        parts = await asyncio.to_thread(messenger.format, markdown) if is_long else messenger.format(markdown)
        return Delivery(
            parts=parts, private=turn.reply.private, outcome=turn.outcome, remember=turn.remember, dead=dead
        )

    async def _end(
        self, lease: Lease, delivery: Delivery | None, outcome: Outcome | str, *, last: SentId | None = None
    ) -> None:
        """Settle or bury, until it is done: what the person has been told cannot be found out again.

        A task of its own that is waited for, so that being stopped does not cut it short.
        """
        ending = asyncio.create_task(insist(lambda: self._close(lease.claimed, delivery, last)), name="turn - settle")
        try:
            end = await asyncio.shield(ending)
        except asyncio.CancelledError:
            await asyncio.wait([ending], timeout=STORE_AWAY.total_seconds())
            raise
        if end == "settled":
            seconds = lease.age().total_seconds()
            self._meter.settled(lease.claimed.incoming.conversation.platform, outcome, seconds)
            log.info("settled", extra={"outcome": outcome, "seconds": round(seconds, 3)})
            if delivery is not None and delivery.dead:
                log.error("given up and kept as a dead letter, see `frontdesk dead list`: %s", delivery.dead)

    async def _close(self, claimed: Claimed, delivery: Delivery | None, last: SentId | None) -> str:
        if delivery is not None and delivery.dead:
            return await self._inbox.bury(claimed, delivery.dead)
        try:
            end = await self._inbox.settle(claimed, delivery.remember if delivery is not None else None, last)
        except StoreBroken as error:
            log.error("what was answered is not remembered, which must not have it said again: %s", error)
            end = await self._inbox.settle(claimed, None, last)
        if end == "lost" and delivery is not None and last is not None:
            # We were held up for longer than the lease: whoever has the turn now need not send the last part again.
            await self._inbox.record(claimed, sent=(len(delivery.parts) - 1, last))
        return end

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(self._lease.total_seconds() / 3)
            try:
                await renew(self._inbox, list(self._leases.values()))
            except StoreUnavailable as error:
                log.warning("leases were not renewed: %s", error)
            for task, lease in self._deciding.items():
                if lease.lost:
                    task.cancel()  # another finds out the answer, and one call of the model is enough

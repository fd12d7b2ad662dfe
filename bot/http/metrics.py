"""What the operator's Prometheus sees: counts and timings under `frontdesk_`, on a registry of our own.

Names carry their unit (`_seconds`, `_total`); labels take few values, all known beforehand, and never hold a text
or the id of a person, channel or message. A value that is not known beforehand is counted as `other`, so that no
caller's mistake can make the number of series grow. Counters whose labels are known stand at 0 from the start:
Prometheus takes one that appears with its first event for one that never rose. How much waits in the inbox is asked for
at each scrape and is not kept up to date between scrapes.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import product
from typing import Literal, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from bot.errors import StoreUnavailable
from bot.message import Platform
from bot.ports import Accepted, Receiver, Reconnect, ReuseResult
from bot.turn import Outcome

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4

MESSAGE_BUCKETS_S = (0.05, 0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 40, 60, 120, 300)
"""From a reused answer to one that waited out a restart; 10 s is when the person gets a word of waiting."""
STEP_BUCKETS_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
"""Half a millisecond is a step that only computes; the upper end belongs to the step that asks the model."""
MODEL_BUCKETS_S = (0.1, 0.25, 0.5, 1, 2, 3, 5, 8, 13, 20, 30, 45, 60, 120)
SCRAPE_DEADLINE = timedelta(seconds=2)
"""Prometheus gives up after 10 s by default; the rest of the page must still arrive when Redis hangs."""
MAX_NAMES = 32
"""Names of steps and limiter rules come from our own code: a dozen. More than this is a mistake."""

PLATFORMS = frozenset(get_args(Platform))
ACCEPTED = frozenset(get_args(Accepted)) | {"ignored", "malformed", "unproven", "unstored"}
RECONNECTS = frozenset(get_args(Reconnect))
OUTCOMES = frozenset(get_args(Outcome)) | {"undeliverable", "unsent"}
REUSES: tuple[ReuseResult, ...] = get_args(ReuseResult)
SENT = ("ok", "limited", "refused", "failed", "unknown")
MODEL_RESULTS = ("ok", "truncated", "failed")
RULES = ("messages", "commands", "reactions", "tokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueState:
    """What waits in the inbox.

    Attributes:
        waiting: messages accepted and not yet settled.
        oldest: age of the oldest of them; zero if none waits.
        dead: messages that were given up and are kept for the operator.
    """

    waiting: int
    oldest: timedelta
    dead: int


class _Names:
    """Label values that are known only by their first use; bounded."""

    def __init__(self) -> None:
        self._known: set[str] = set()

    def known(self, name: str) -> str:
        if name not in self._known:
            if len(self._known) >= MAX_NAMES:
                return "other"
            self._known.add(name)
        return name


def _among(value: str, known: frozenset[str]) -> str:
    return value if value in known else "other"


class _Failures(Collector):
    """Counts that are kept where they happen."""

    def __init__(self, counts: Mapping[str, int]) -> None:
        self._counts = counts

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily("frontdesk_store_failures", "Failures of Redis, by kind", labels=["error"])
        for error, count in list(self._counts.items()):
            family.add_metric([error], count)
        yield family


class PrometheusMeter:
    """Implements `bot.ports.Meter`.

    Each instance has a registry of its own, so several can live in one process (tests do that).

    Args:
        queue: tells what waits and what was given up; asked at each scrape. It may raise StoreUnavailable: the gauges
            are then NaN, which no alert takes for an empty queue.
        receivers: tells which platforms this process receives from; asked at each scrape.
        failures: of Redis so far, by kind; read at each scrape.
        documents: knowledge base → how many this process searches; asked at each scrape.
    """

    def __init__(
        self,
        queue: Callable[[], Awaitable[QueueState]] | None = None,
        receivers: Callable[[], Mapping[Platform, Receiver]] = dict,
        failures: Mapping[str, int] | None = None,
        documents: Callable[[], Mapping[str, int]] = dict,
    ) -> None:
        # A `_created` series beside each counter doubles the page and tells nothing; the switch is the library's own
        # and process-wide, and we are its only user.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves this one untyped
        self._queue = queue
        self._receivers = receivers
        self._documents = documents
        self._rules = _Names()
        self._steps = _Names()
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(_Failures({} if failures is None else failures))
        self._define_messages()
        self._define_platforms()
        self._define_work()
        self._begin(self._model_calls, MODEL_RESULTS)
        self._begin(self._model_tokens, ("prompt", "completion"))
        self._begin(self._reuse, REUSES)
        self._begin(self._limited, RULES)

    def expect(self, platforms: Iterable[Platform]) -> None:
        """Show the counters of these platforms at 0; of the others from their first event on."""
        known = list(platforms)
        self._begin(self._received, known, sorted(ACCEPTED))
        self._begin(self._settled, known, sorted(OUTCOMES))
        self._begin(self._sent, known, SENT)
        self._begin(self._reconnects, [one for one in known if one in self._receivers()], sorted(RECONNECTS))

    def _begin(self, counter: Counter, *labels: Sequence[str]) -> None:
        for values in product(*labels):
            counter.labels(*values)

    def _define_messages(self) -> None:
        registry = self.registry
        self._received = Counter(
            "frontdesk_received_total",
            "Events of a platform, by what became of them at the door",
            ["platform", "accepted"],
            registry=registry,
        )
        self._settled = Counter(
            "frontdesk_messages_total", "Messages ended, by outcome", ["platform", "outcome"], registry=registry
        )
        self._message_seconds = Histogram(
            "frontdesk_message_seconds",
            "From a message's arrival to its end",
            ["platform"],
            buckets=MESSAGE_BUCKETS_S,
            registry=registry,
        )
        self._sent = Counter(
            "frontdesk_sent_total", "Messages of ours, by result of sending", ["platform", "result"], registry=registry
        )
        self._limited = Counter("frontdesk_limited_total", "Refusals of the limiter", ["rule"], registry=registry)
        self._waiting = Gauge("frontdesk_queue_messages", "Messages accepted and not yet settled", registry=registry)
        self._oldest = Gauge("frontdesk_queue_oldest_seconds", "Age of the oldest of them", registry=registry)
        self._dead = Gauge("frontdesk_dead_letters", "Messages given up and kept for the operator", registry=registry)

    def _define_platforms(self) -> None:
        registry = self.registry
        self._connected = Gauge(
            "frontdesk_platform_connected",
            "1 while messages of the platform reach this process, else 0",
            ["platform"],
            registry=registry,
        )
        self._silence = Gauge(
            "frontdesk_platform_silence_seconds",
            "How long nothing at all has come from the platform",
            ["platform"],
            registry=registry,
        )
        self._reconnects = Counter(
            "frontdesk_reconnects_total",
            "Connections to a platform, or polls, given up and made anew",
            ["platform", "reason"],
            registry=registry,
        )

    def _define_work(self) -> None:
        registry = self.registry
        self._searched = Gauge("frontdesk_documents", "Documents that are searched", ["base"], registry=registry)
        self._step_seconds = Histogram(
            "frontdesk_step_seconds", "Time in a step", ["step"], buckets=STEP_BUCKETS_S, registry=registry
        )
        self._model_seconds = Histogram(
            "frontdesk_model_seconds",
            "Time of a model call",
            ["result"],
            buckets=MODEL_BUCKETS_S,
            registry=registry,
        )
        self._model_calls = Counter("frontdesk_model_calls_total", "Model calls", ["result"], registry=registry)
        self._model_tokens = Counter(
            "frontdesk_model_tokens_total", "Tokens as the model's server counted them", ["kind"], registry=registry
        )
        self._reuse = Counter(
            "frontdesk_reuse_total", "What the answer store said, or `unfit`", ["result"], registry=registry
        )

    def received(self, platform: Platform, accepted: str) -> None:
        """See `bot.ports.Meter.received`."""
        self._received.labels(_among(platform, PLATFORMS), _among(accepted, ACCEPTED)).inc()

    def settled(self, platform: Platform, outcome: str, seconds: float) -> None:
        """See `bot.ports.Meter.settled`; the clock of another machine may make `seconds` negative: counted as 0."""
        where = _among(platform, PLATFORMS)
        self._settled.labels(where, _among(outcome, OUTCOMES)).inc()
        self._message_seconds.labels(where).observe(max(0.0, seconds))

    def step(self, name: str, seconds: float) -> None:
        """See `bot.ports.Meter.step`."""
        self._step_seconds.labels(self._steps.known(name)).observe(seconds)

    def model(self, result: Literal["ok", "truncated", "failed"], seconds: float, prompt: int, completion: int) -> None:
        """See `bot.ports.Meter.model`."""
        self._model_calls.labels(result).inc()
        self._model_seconds.labels(result).observe(seconds)
        self._model_tokens.labels("prompt").inc(max(0, prompt))
        self._model_tokens.labels("completion").inc(max(0, completion))

    def reuse(self, result: ReuseResult) -> None:
        """See `bot.ports.Meter.reuse`."""
        self._reuse.labels(result).inc()

    def refused(self, rule: str) -> None:
        """See `bot.ports.Meter.refused`."""
        self._limited.labels(self._rules.known(rule)).inc()

    def sent(self, platform: Platform, result: Literal["ok", "limited", "refused", "failed", "unknown"]) -> None:
        """See `bot.ports.Meter.sent`."""
        self._sent.labels(_among(platform, PLATFORMS), result).inc()

    def reconnected(self, platform: Platform, reason: Reconnect) -> None:
        """See `bot.ports.Meter.reconnected`."""
        self._reconnects.labels(_among(platform, PLATFORMS), _among(reason, RECONNECTS)).inc()

    async def render(self) -> bytes:
        """The page of a scrape, in Prometheus's text format 0.0.4 (`CONTENT_TYPE`).

        Never fails for Redis: without it the gauges of the queue are NaN. Cancelling it changes nothing.
        """
        queue = await self._ask_queue()
        self._waiting.set(math.nan if queue is None else queue.waiting)
        self._oldest.set(math.nan if queue is None else queue.oldest.total_seconds())
        self._dead.set(math.nan if queue is None else queue.dead)
        for platform, receiver in self._receivers().items():
            silence = receiver.silence()
            self._connected.labels(platform).set(receiver.receives())
            self._silence.labels(platform).set(math.nan if silence is None else silence.total_seconds())
        for base, count in self._documents().items():
            self._searched.labels(base).set(count)
        # It reads /proc for the process's figures: file work, not for the event loop.
        return await asyncio.to_thread(generate_latest, self.registry)

    async def _ask_queue(self) -> QueueState | None:
        if self._queue is None:
            return None
        try:
            async with asyncio.timeout(SCRAPE_DEADLINE.total_seconds()):
                return await self._queue()
        except (StoreUnavailable, TimeoutError):
            return None

"""What Prometheus reads."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.errors import StoreUnavailable
from bot.http import metrics
from bot.http.metrics import PrometheusMeter, QueueState
from bot.message import Platform
from bot.ports import Meter, Reconnect
from bot.store.client import failures

Samples = dict[tuple[str, tuple[str, ...]], float]


async def _scrape(meter: PrometheusMeter) -> Samples:
    """Name and sorted label values of each sample, as Prometheus would parse them."""
    page = (await meter.render()).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.values()))): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def _use(meter: Meter) -> None:
    """Every method once, through the port's type."""
    meter.received("telegram", "stored")
    meter.settled("slack", "answered", 1.5)
    meter.step("recall", 0.002)
    meter.model("ok", 3.0, 120, 45)
    meter.reuse("hit")
    meter.refused("messages")
    meter.sent("web", "ok")
    meter.reconnected("slack", "no_pong")


async def test_every_method_is_counted() -> None:
    """Each call of the port shows up under its name, with its labels."""
    meter = PrometheusMeter()

    _use(meter)

    samples = await _scrape(meter)
    assert samples["frontdesk_received_total", ("stored", "telegram")] == 1
    assert samples["frontdesk_messages_total", ("answered", "slack")] == 1
    assert samples["frontdesk_message_seconds_sum", ("slack",)] == 1.5
    assert samples["frontdesk_step_seconds_count", ("recall",)] == 1
    assert samples["frontdesk_model_calls_total", ("ok",)] == 1
    assert samples["frontdesk_model_seconds_sum", ("ok",)] == 3
    assert samples["frontdesk_model_tokens_total", ("prompt",)] == 120
    assert samples["frontdesk_model_tokens_total", ("completion",)] == 45
    assert samples["frontdesk_reuse_total", ("hit",)] == 1
    assert samples["frontdesk_limited_total", ("messages",)] == 1
    assert samples["frontdesk_sent_total", ("ok", "web")] == 1
    assert samples["frontdesk_reconnects_total", ("no_pong", "slack")] == 1


@dataclass
class _Receiver:
    """A platform as it stands."""

    reason: str | None = None
    silent: timedelta | None = None
    elsewhere: bool = False

    async def run(self, stop: asyncio.Event) -> None:
        """Nothing comes."""

    def not_ready(self) -> str | None:
        """As told."""
        return self.reason

    def receives(self) -> bool:
        """As told."""
        return self.reason is None and not self.elsewhere

    def silence(self) -> timedelta | None:
        """As told."""
        return self.silent


async def test_platforms_are_asked_at_each_scrape() -> None:
    """Whether messages can come, and how long nothing has; what this process does not hear is unknown, not zero."""
    slack, telegram = _Receiver("connecting"), _Receiver(elsewhere=True)
    meter = PrometheusMeter(receivers=lambda: {"slack": slack, "telegram": telegram})

    first = await _scrape(meter)
    slack.reason, slack.silent = None, timedelta(seconds=7)
    second = await _scrape(meter)

    assert [first["frontdesk_platform_connected", (name,)] for name in ("slack", "telegram")] == [0, 0]
    assert [second["frontdesk_platform_connected", (name,)] for name in ("slack", "telegram")] == [1, 0]
    assert second["frontdesk_platform_silence_seconds", ("slack",)] == 7
    assert math.isnan(second["frontdesk_platform_silence_seconds", ("telegram",)])


async def test_names_say_what_they_count() -> None:
    """Every name of ours has the prefix and a unit, and there are no `_created` twins."""
    meter = PrometheusMeter()
    _use(meter)

    names = {name for name, _ in await _scrape(meter) if not name.startswith("process_")}

    endings = ("_total", "_seconds", "_seconds_bucket", "_seconds_sum", "_seconds_count", "_messages", "_letters")
    assert all(name.startswith("frontdesk_") and name.endswith(endings) for name in names)


async def test_queue_is_asked_at_each_scrape() -> None:
    """The gauges show the state of the moment."""
    some = QueueState(waiting=3, oldest=timedelta(seconds=7), dead=2)
    states = iter([some, QueueState(waiting=0, oldest=timedelta(0), dead=0)])

    async def queue() -> QueueState:
        return next(states)

    meter = PrometheusMeter(queue)

    first, second = await _scrape(meter), await _scrape(meter)

    assert (first["frontdesk_queue_messages", ()], first["frontdesk_queue_oldest_seconds", ()]) == (3, 7)
    assert (second["frontdesk_queue_messages", ()], second["frontdesk_queue_oldest_seconds", ()]) == (0, 0)
    assert [one["frontdesk_dead_letters", ()] for one in (first, second)] == [2, 0]


async def test_queue_out_of_reach_spoils_only_its_gauges() -> None:
    """Without Redis the page still comes, and the queue is unknown, not empty."""

    async def queue() -> QueueState:
        raise StoreUnavailable("away")

    meter = PrometheusMeter(queue)
    _use(meter)

    samples = await _scrape(meter)

    assert math.isnan(samples["frontdesk_queue_messages", ()])
    assert math.isnan(samples["frontdesk_queue_oldest_seconds", ()])
    assert samples["frontdesk_reuse_total", ("hit",)] == 1


async def test_queue_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape has a deadline of its own."""
    monkeypatch.setattr(metrics, "SCRAPE_DEADLINE", timedelta(milliseconds=10))

    async def queue() -> QueueState:
        await asyncio.Event().wait()
        raise AssertionError

    samples = await _scrape(PrometheusMeter(queue))

    assert math.isnan(samples["frontdesk_queue_messages", ()])


async def test_labels_are_bounded() -> None:
    """Values that nobody foresaw, a person's id among them, become `other`."""
    meter = PrometheusMeter()

    for number in range(1000):
        meter.received(cast(Platform, f"platform {number}"), f"user {number}")
        meter.settled("web", f"what they said {number}", 0)
        meter.step(f"step {number}", 0)
        meter.refused(f"rule {number}")
        meter.reconnected("slack", cast(Reconnect, f"what they said {number}"))

    labels = {labels for name, labels in await _scrape(meter) if name.startswith("frontdesk_")}
    values = {value for some in labels for value in some}
    assert not any(value.startswith(("platform ", "user ", "what they said ")) for value in values)
    assert len([value for value in values if value.startswith("step ")]) == metrics.MAX_NAMES
    assert len([value for value in values if value.startswith("rule ")]) == metrics.MAX_NAMES


async def test_clock_of_another_machine() -> None:
    """An age below zero, by a clock that is ahead, is counted as zero."""
    meter = PrometheusMeter()

    meter.settled("web", "answered", -3.0)

    assert (await _scrape(meter))["frontdesk_message_seconds_sum", ("web",)] == 0


async def test_meters_do_not_share() -> None:
    """Two meters in one process count apart."""
    one, other = PrometheusMeter(), PrometheusMeter()

    one.reuse("miss")

    assert (await _scrape(other))["frontdesk_reuse_total", ("miss",)] == 0


async def test_documents_are_shown_as_they_are_at_the_scrape() -> None:
    """By base; 0 is what an alarm looks for."""
    counts = {"main": 18, "staff": 1}
    meter = PrometheusMeter(documents=lambda: counts)
    before = await _scrape(meter)
    counts["main"] = 0
    after = await _scrape(meter)

    assert (before["frontdesk_documents", ("main",)], before["frontdesk_documents", ("staff",)]) == (18, 1)
    assert (after["frontdesk_documents", ("main",)], after["frontdesk_documents", ("staff",)]) == (0, 1)


async def test_what_is_counted_begins_at_0() -> None:
    """Prometheus's `increase` takes a series that appears at 1 for one that never rose."""
    meter = PrometheusMeter(receivers=lambda: {"slack": _Receiver()}, failures=failures)
    meter.expect(["slack", "web"])

    samples = await _scrape(meter)

    expected = {
        *(("frontdesk_messages_total", tuple(sorted((one, "slack")))) for one in ("failed", "unsent", "answered")),
        *(("frontdesk_sent_total", (one, "web")) for one in ("failed", "unknown")),
        ("frontdesk_received_total", ("unstored", "web")),
        ("frontdesk_reconnects_total", ("conflict", "slack")),
        ("frontdesk_model_calls_total", ("failed",)),
        ("frontdesk_model_tokens_total", ("prompt",)),
        ("frontdesk_limited_total", ("messages",)),
        ("frontdesk_reuse_total", ("hit",)),
    }
    assert {name: samples[name] for name in expected} == dict.fromkeys(expected, 0)
    assert ("frontdesk_store_failures_total", ("OutOfMemoryError",)) in samples
    assert not [labels for name, labels in samples if name == "frontdesk_reconnects_total" and "web" in labels]

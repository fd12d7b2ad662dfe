"""Telegram that is connected and says nothing, another that polls, and a webhook that is taken away: noticed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from adapters.telegram.connect import telegram_bot
from adapters.telegram.receive import TelegramReceiver
from adapters.telegram.webhook import TelegramWebhook
from tests.adapters.telegram.fakes import ANN, FakeGate, FakeMeter, Running, receiving
from tests.servers.proxy import Proxy
from tests.servers.telegram import TelegramServer
from tests.servers.telegram_fault import HANG, TRICKLE, Fault, error

CONFLICT = error(
    409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)
SECOND = timedelta(seconds=1)
ANSWER = timedelta(seconds=0.2)
OURS = "https://bot.example/telegram/webhook"


async def ready(server: TelegramServer, running: Running) -> None:
    """Until a poll has succeeded."""
    await server.wait_until(lambda: running.receiver.not_ready() is None, "ready")


def alarms(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What an operator is called for."""
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


# --- a poll that hangs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [HANG, TRICKLE])
async def test_a_poll_that_is_never_answered_is_given_up(server: TelegramServer, fault: Fault) -> None:
    """Also if a byte comes now and then; what was written meanwhile comes by the next poll, once."""
    async with receiving(server, poll_timeout=SECOND, answer_timeout=ANSWER) as running:
        await ready(server, running)
        server.fail_next("getUpdates", fault)
        server.say("before", user=ANN)
        await server.wait_until(lambda: running.meter.counts["telegram unanswered"] == 1, "the poll given up")
        server.say("after", user=ANN)
        await server.wait_confirmed()
        await ready(server, running)
        assert running.receiver.silence() is not None

    assert running.gate.texts == ["before", "after"]


async def test_a_black_hole_is_noticed_and_left(server: TelegramServer) -> None:
    """The connection is up and the network swallows: it says so, and is back when the network is."""
    async with Proxy("127.0.0.1", int(server.api_url.rsplit(":", 1)[1])) as proxy:
        proxied = f"http://127.0.0.1:{proxy.port}"
        async with receiving(server, api_url=proxied, poll_timeout=SECOND, answer_timeout=ANSWER) as running:
            await ready(server, running)
            proxy.swallow()
            server.say("into the hole", user=ANN)
            await server.wait_until(lambda: "cannot be reached" in (running.receiver.not_ready() or ""), "a reason")
            assert running.meter.counts["telegram unanswered"] >= 1
            proxy.heal()
            await server.wait_confirmed()
            await ready(server, running)

    assert running.gate.texts == ["into the hole"]


# --- somebody else polls ----------------------------------------------------------------------------------------------


async def test_a_single_conflict_is_no_alarm(server: TelegramServer, caplog: pytest.LogCaptureFixture) -> None:
    """A poll of ours that was given up may still have been held there: we try again and say nothing."""
    async with receiving(server) as running:
        await ready(server, running)
        server.fail_next("getUpdates", CONFLICT)
        server.say("hello", user=ANN)
        await server.wait_until(lambda: running.meter.counts["telegram conflict"] == 1, "the conflict")
        assert not running.receiver.displaced()
        await server.wait_confirmed()
        assert running.receiver.not_ready() is None

    assert alarms(caplog) == []


async def test_a_conflict_is_polled_calmly_and_taken_back(
    server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """After the alarm comes the longest wait, not the shortest; without a conflict for a while all is well again."""
    async with receiving(server, poll_timeout=SECOND, max_backoff=SECOND, conflict_memory=1.5 * SECOND) as running:
        await ready(server, running)
        server.fail_next("getUpdates", CONFLICT, times=2)
        server.say("hello", user=ANN)
        await server.wait_until(lambda: "another process" in (running.receiver.not_ready() or ""), "the alarm")
        assert running.receiver.displaced()
        polls = len(server.calls_of("getUpdates"))
        await asyncio.sleep(0.3)  # 60 of the shortest waits
        assert len(server.calls_of("getUpdates")) == polls
        await server.wait_confirmed()
        await ready(server, running)
        assert not running.receiver.displaced()

    assert len(alarms(caplog)) == 1
    assert running.gate.texts == ["hello"]


async def test_a_webhook_set_by_another_is_one_alarm(server: TelegramServer, caplog: pytest.LogCaptureFixture) -> None:
    """It is not removed again while we run: the other would set it again, and so on for ever."""
    async with receiving(server, conflict_memory=timedelta(seconds=0.3), poll_timeout=timedelta(seconds=1)) as running:
        await ready(server, running)
        server.set_webhook("https://other.example/hook")
        await server.wait_until(lambda: "a webhook is set" in (running.receiver.not_ready() or ""), "the alarm")
        await server.wait_until(lambda: running.meter.counts["telegram conflict"] >= 5, "further tries")
        server.set_webhook("")
        server.say("hello", user=ANN)
        await server.wait_confirmed()
        await ready(server, running)

    assert len(alarms(caplog)) == 1
    assert len(server.calls_of("deleteWebhook")) == 1
    assert running.gate.texts == ["hello"]


async def test_two_polling_deployments_do_not_flood(server: TelegramServer, caplog: pytest.LogCaptureFixture) -> None:
    """Each turns the other away, says so once, and every message is stored by one or both."""
    one, two = FakeGate(), FakeGate()
    async with (
        receiving(server, one, max_backoff=0.3 * SECOND, poll_timeout=2 * SECOND) as first,
        receiving(server, two, max_backoff=0.3 * SECOND, poll_timeout=2 * SECOND) as second,
    ):
        for number in range(5):
            server.say(f"m{number}", user=ANN)
            await server.wait_confirmed()
        await server.wait_until(
            lambda: bool(first.receiver.not_ready() and second.receiver.not_ready()), "both say so", timeout_s=30
        )

    assert len(alarms(caplog)) == 2
    assert {*one.texts, *two.texts} == {f"m{number}" for number in range(5)}


# --- the webhook ------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def listening(server: TelegramServer, **options: object) -> AsyncIterator[tuple[TelegramReceiver, FakeMeter]]:
    """A webhook, looked after every few milliseconds."""
    meter, stop = FakeMeter(), asyncio.Event()
    waits = {"first_backoff": timedelta(milliseconds=10), "check": timedelta(milliseconds=10)}
    async with telegram_bot(token=server.token, api_url=server.api_url) as bot:
        webhook = TelegramWebhook(
            bot,
            FakeGate(),
            meter,
            url="https://bot.example/",
            secret="a-secret_of-ours",
            **{**waits, **options},  # type: ignore[arg-type]
        )
        task = asyncio.create_task(webhook.run(stop))
        await server.wait_until(lambda: webhook.not_ready() is None, "the webhook is set")
        try:
            yield webhook, meter
        finally:
            stop.set()
            await asyncio.wait_for(task, 5)


async def looked(server: TelegramServer) -> None:
    """Until it was asked for twice more: the first answer may be older than what was done before."""
    asked = len(server.calls_of("getWebhookInfo"))
    await server.wait_until(lambda: len(server.calls_of("getWebhookInfo")) >= asked + 3, "another look")


async def test_a_webhook_that_was_removed_is_set_again_once(
    server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Who removes it twice within the hour means it: an alarm, and no quarrel. Set again by hand, all is well."""
    async with listening(server) as (webhook, meter):
        server.set_webhook("")
        await server.wait_until(lambda: len(server.calls_of("setWebhook")) == 2, "set again")
        await looked(server)
        assert webhook.not_ready() is None
        server.set_webhook("")
        await server.wait_until(lambda: "removed again" in (webhook.not_ready() or ""), "the alarm")
        await looked(server)
        server.set_webhook(OURS)
        await server.wait_until(lambda: webhook.not_ready() is None, "taken back")

    assert len(server.calls_of("setWebhook")) == 2
    assert meter.counts["telegram webhook_gone"] == 1
    assert len(alarms(caplog)) == 1


async def test_a_webhook_of_another_deployment_is_left_to_it(
    server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """One alarm until the other is gone, whose address nobody reads in our log."""
    async with listening(server) as (webhook, meter):
        server.set_webhook("https://other.example/secret-path")
        await server.wait_until(lambda: "another deployment" in (webhook.not_ready() or ""), "the alarm")
        await looked(server)
        server.set_webhook(OURS)
        await server.wait_until(lambda: webhook.not_ready() is None, "taken back")

    assert len(server.calls_of("setWebhook")) == 1
    assert meter.counts["telegram conflict"] == 1
    assert len(alarms(caplog)) == 1
    assert "secret-path" not in caplog.text


async def test_a_webhook_that_telegram_cannot_reach_is_an_alarm(
    server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """In Telegram's own words, for as long as messages wait there."""
    async with listening(server) as (webhook, _):
        server.webhook.base = "http://127.0.0.1:9"
        update = server.say("hello", user=ANN)
        await server.wait_until(lambda: "Connection refused" in (webhook.not_ready() or ""), "the alarm")
        server.webhook.base = None
        await looked(server)
        assert webhook.not_ready() is not None
        server.confirm(update)
        await server.wait_until(lambda: webhook.not_ready() is None, "taken back")

    assert len(alarms(caplog)) == 1


async def test_an_old_error_is_none(server: TelegramServer) -> None:
    """Telegram tells the last error for ever."""
    server.webhook.fail("Connection timed out")
    async with listening(server) as (webhook, _):
        server.webhook.base = None
        server.say("waits for its turn", user=ANN)
        await looked(server)
        assert webhook.not_ready() is None

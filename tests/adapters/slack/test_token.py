"""A bot token that Slack takes no more while messages go on coming: one clear alarm, taken back by itself."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack import intake
from adapters.slack.receive import SlackHttpReceiver, SlackSocketReceiver
from tests.adapters.slack.conftest import CountingMeter, MemoryGate, running
from tests.servers.slack import Fault, SlackServer

OFTEN = timedelta(milliseconds=10)


@pytest.mark.parametrize("mode", ["socket", "http"])
@pytest.mark.parametrize("code", ["invalid_auth", "token_revoked", "account_inactive"])
async def test_a_token_revoked_later_is_one_alarm(
    server: SlackServer,
    client: AsyncWebClient,
    gate: MemoryGate,
    meter: CountingMeter,
    caplog: pytest.LogCaptureFixture,
    mode: str,
    code: str,
) -> None:
    """Said once in the log, by /readyz and in the metrics, until the token is taken again."""
    caplog.set_level(logging.INFO)
    receiver: SlackSocketReceiver | SlackHttpReceiver
    if mode == "socket":
        receiver = SlackSocketReceiver(client, app_token=server.app_token, gate=gate, meter=meter, check=OFTEN)
    else:
        receiver = SlackHttpReceiver(client, signing_secret="s", gate=gate, meter=meter, check=OFTEN)
    async with running(receiver):
        await server.wait_until(lambda: receiver.not_ready() is None, "ready")
        server.fail("auth.test", *[Fault(error=code)] * 3)
        await server.wait_until(receiver.not_ready, "the alarm")
        assert receiver.not_ready() == f"Slack refuses SLACK_BOT_TOKEN ({code}): check the token and the app's settings"
        await server.wait_until(lambda: receiver.not_ready() is None, "ready again")

    alarms = [record for record in caplog.records if "SLACK_BOT_TOKEN" in record.getMessage()]
    assert [record.levelno for record in alarms] == [logging.ERROR]
    assert "taken again" in caplog.text
    assert meter.reconnects == ["refused"]


async def test_a_start_with_a_refused_token_is_one_alarm(
    server: SlackServer,
    client: AsyncWebClient,
    gate: MemoryGate,
    meter: CountingMeter,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However often it is tried."""
    monkeypatch.setattr(intake, "_REFUSED_WAIT_S", 0.01)
    server.fail("auth.test", *[Fault(error="invalid_auth")] * 5)
    receiver = SlackSocketReceiver(client, app_token=server.app_token, gate=gate, meter=meter)
    async with running(receiver):
        await server.wait_until(lambda: receiver.not_ready() is None, "ready")

    alarms = [record.levelno for record in caplog.records if "SLACK_BOT_TOKEN" in record.getMessage()]
    assert alarms.count(logging.WARNING) == 1


async def test_trouble_that_says_nothing_of_the_token_is_no_alarm(
    server: SlackServer, client: AsyncWebClient, gate: MemoryGate, meter: CountingMeter
) -> None:
    """Slack may be away, slow or strange: the socket's own state tells whether messages come."""
    receiver = SlackSocketReceiver(client, app_token=server.app_token, gate=gate, meter=meter, check=OFTEN)
    async with running(receiver):
        await server.wait_until(lambda: receiver.not_ready() is None, "ready")
        server.fail("auth.test", Fault(status=500), Fault(cut="before"), Fault(retry_after_s=1), Fault(error="odd"))
        asked = len(server.calls("auth.test"))
        await server.wait_until(lambda: len(server.calls("auth.test")) > asked + 5, "further questions")
        assert receiver.not_ready() is None

    assert meter.reconnects == []


@pytest.mark.parametrize("body", [b'{"ok":true}', b"7", b"[" * 100_000])
async def test_odd_answers_to_who_we_are_end_nothing(
    server: SlackServer,
    client: AsyncWebClient,
    gate: MemoryGate,
    meter: CountingMeter,
    monkeypatch: pytest.MonkeyPatch,
    body: bytes,
) -> None:
    """Asked at the start, for a socket, and while we run: it is asked again, and we know who we are."""
    monkeypatch.setattr(intake, "_FIRST_WAIT_S", 0.01)
    for method in ("auth.test", "apps.connections.open"):
        server.fail(method, Fault(body=body))
    receiver = SlackSocketReceiver(client, app_token=server.app_token, gate=gate, meter=meter, check=OFTEN)
    async with running(receiver):
        await server.wait_until(lambda: receiver.not_ready() is None, "ready")
        asked = len(server.calls("auth.test"))
        server.fail("auth.test", Fault(body=body))
        await server.wait_until(lambda: len(server.calls("auth.test")) > asked + 1, "another look")
        server.say("D1", "U1", "hello")
        await server.wait_until(lambda: gate.texts, "a message")

    assert gate.stored[0].conversation.workspace == "T0TEAM"

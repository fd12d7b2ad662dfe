"""The webhook: Telegram is told where we are, and hears 200 only for what is stored."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from starlette.requests import Request
from starlette.types import Message

from adapters.telegram.connect import telegram_bot
from adapters.telegram.webhook import TelegramWebhook
from bot.request_body import MOST_BYTES
from tests.adapters.telegram.fakes import ANN, FakeGate, FakeMeter
from tests.servers.telegram import TelegramServer
from tests.servers.telegram_fault import HANG, error

SECRET = "a-secret_of-ours"


@asynccontextmanager
async def listening(server: TelegramServer, gate: FakeGate, meter: FakeMeter) -> AsyncIterator[TelegramWebhook]:
    """A webhook that runs inside the block; it is ready when Telegram has understood."""
    async with telegram_bot(token=server.token, api_url=server.api_url) as bot:
        webhook = TelegramWebhook(
            bot,
            gate,
            meter,
            url="https://bot.example/",
            secret=SECRET,
            commands={"": [("help", "What I can do")]},
            first_backoff=timedelta(milliseconds=10),
        )
        stop = asyncio.Event()
        task = asyncio.create_task(webhook.run(stop))
        await server.wait_until(lambda: webhook.not_ready() is None, "the webhook is set")
        try:
            yield webhook
        finally:
            stop.set()
            await asyncio.wait_for(task, 10)


async def posted(webhook: TelegramWebhook, body: bytes, secret: str = SECRET) -> int:
    """The status that a call with this body gets; who is to come again hears when, and nobody else."""
    sent = False

    async def receive() -> Message:
        nonlocal sent
        assert not sent, "read beyond the end"
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [(b"x-telegram-bot-api-secret-token", secret.encode())] if secret else []
    scope = {"type": "http", "method": "POST", "path": "/telegram/webhook", "headers": headers}
    response = await webhook.handle(Request(scope, receive))
    assert response.headers.get("Retry-After") == ("2" if response.status_code == 503 else None)
    return response.status_code


async def test_telegram_is_told_where_we_are(server: TelegramServer) -> None:
    """With our path, the secret and the kinds we read; what waited is kept, and the webhook stays when we stop."""
    gate, meter = FakeGate(), FakeMeter()
    server.fail_next("setWebhook", error(500, "Internal Server Error"), times=2)
    server.say("waited", user=ANN)

    async with listening(server, gate, meter) as webhook:
        before_stop = webhook.not_ready()

    call = server.calls_of("setWebhook")[-1].parameters
    assert call["url"] == "https://bot.example/telegram/webhook"
    assert call["secret_token"] == SECRET
    assert json.loads(call["allowed_updates"]) == ["message", "message_reaction"]
    assert before_stop is None
    assert server.calls_of("deleteWebhook") == []
    assert server.commands()
    assert len(server.unconfirmed) == 1


async def test_only_what_is_stored_is_acknowledged(server: TelegramServer) -> None:
    """A redelivery and what is not for us are acknowledged; what cannot be stored now is not."""
    gate, meter = FakeGate(), FakeMeter()
    update = json.dumps(server.update(server.say("hello", user=ANN))).encode()
    async with listening(server, gate, meter) as webhook:
        gate.closed = True
        closed = await posted(webhook, update)
        gate.closed = False
        heard = [await posted(webhook, update), await posted(webhook, update)]
        ignored = await posted(webhook, b'{"update_id": 5, "poll": {}}')

    assert (closed, heard, ignored) == (503, [200, 200], 200)
    assert gate.texts == ["hello"]
    seen = ("unstored", "stored", "duplicate", "ignored")
    assert meter.counts == {f"telegram {what}": 1 for what in seen}


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b'{"update_id": "x"}', b"[" * 100_000])
async def test_what_cannot_be_read_is_acknowledged_and_counted(server: TelegramServer, body: bytes) -> None:
    """Telegram would only bring the same again."""
    gate, meter = FakeGate(), FakeMeter()
    async with listening(server, gate, meter) as webhook:
        status = await posted(webhook, body)

    assert (status, gate.stored, meter.counts) == (200, [], {"telegram malformed": 1})


@pytest.mark.parametrize("secret", ["", "another", SECRET + "x", "\N{SNOWMAN}"])
async def test_who_does_not_know_the_secret_is_refused(server: TelegramServer, secret: str) -> None:
    """Before anything is read."""
    gate = FakeGate()
    update = json.dumps(server.update(server.say("hello", user=ANN))).encode()
    async with listening(server, gate, FakeMeter()) as webhook:
        status = await posted(webhook, update, secret)

    assert (status, gate.attempts) == (401, 0)


async def test_an_absurd_body_is_refused(server: TelegramServer) -> None:
    """An update is a few KB."""
    async with listening(server, FakeGate(), FakeMeter()) as webhook:
        assert await posted(webhook, b" " * (MOST_BYTES + 1)) == 413


async def test_before_telegram_has_told_who_we_are_nothing_is_taken(server: TelegramServer) -> None:
    """A webhook may still be set from an earlier run."""
    async with telegram_bot(token=server.token, api_url=server.api_url) as bot:
        webhook = TelegramWebhook(bot, FakeGate(), FakeMeter(), url="https://bot.example", secret=SECRET)

        assert webhook.not_ready() is not None
        assert await posted(webhook, b"{}") == 503


async def test_stopping_does_not_wait_for_telegram(server: TelegramServer) -> None:
    """While it does not say who we are, those that wait for us to end need not wait for it."""
    server.fail_next("getMe", HANG)
    async with telegram_bot(token=server.token, api_url=server.api_url) as bot:
        webhook = TelegramWebhook(bot, FakeGate(), FakeMeter(), url="https://bot.example", secret=SECRET)
        stop = asyncio.Event()
        task = asyncio.create_task(webhook.run(stop))
        await server.wait_until(lambda: bool(server.calls_of("getMe")), "Telegram is asked")
        stop.set()
        await asyncio.wait_for(task, 5)


async def test_why_telegram_refuses_the_address_is_said(server: TelegramServer) -> None:
    """It can be reached; what is wrong is for the operator to change."""
    why = "can be set up only on ports 80, 88, 443 or 8443"
    server.fail_next("setWebhook", error(400, f"Bad Request: bad webhook: Webhook {why}"))
    async with telegram_bot(token=server.token, api_url=server.api_url) as bot:
        webhook = TelegramWebhook(bot, FakeGate(), FakeMeter(), url="https://bot.example:9000", secret=SECRET)
        stop = asyncio.Event()
        task = asyncio.create_task(webhook.run(stop))
        await server.wait_until(lambda: bool(server.calls_of("setWebhook")), "Telegram is told")
        await server.wait_until(lambda: "yet" not in (webhook.not_ready() or ""), "it is noted")
        reason = webhook.not_ready()
        stop.set()
        await asyncio.wait_for(task, 5)

    assert reason is not None
    assert reason.startswith("Telegram refuses what it is asked: ")
    assert reason.endswith(why)

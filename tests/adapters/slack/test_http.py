"""HTTP events: proven by their signature, stored before the 200."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvicorn
from slack_sdk.web.async_client import AsyncWebClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from adapters.slack import intake as intake_module
from adapters.slack.intake import Intake
from adapters.slack.receive import CHECK, SlackHttpReceiver
from tests.adapters.slack.conftest import CountingMeter, MemoryGate, running
from tests.servers.slack import Fault, SlackServer
from tests.servers.slack_http import Answer, Signing, encoded


@asynccontextmanager
async def _serving(handle: Callable[[Request], Awaitable[Response]]) -> AsyncIterator[str]:
    """Serve the endpoint with the real web server; yields its URL."""
    app = Starlette(routes=[Route("/slack/events", handle, methods=["POST"])])
    web = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    web.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    task = asyncio.create_task(web.serve())
    for _ in range(1000):
        if web.started:
            break
        await asyncio.sleep(0.01)
    port = web.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}/slack/events"
    finally:
        web.should_exit = True
        await task


@pytest.fixture
async def endpoint(
    server: SlackServer, client: AsyncWebClient, gate: MemoryGate, meter: CountingMeter
) -> AsyncIterator[SlackHttpReceiver]:
    """A receiver to which the Slack server posts its events."""
    receiver = SlackHttpReceiver(client, signing_secret=server.signing_secret, gate=gate, meter=meter)
    async with _serving(receiver.handle) as url, running(receiver):
        await server.wait_until(lambda: receiver.not_ready() is None, "a receiver that knows itself")
        server.events_url = url
        yield receiver


async def test_behind_a_store_that_hangs_no_line_grows(
    server: SlackServer, client: AsyncWebClient, gate: MemoryGate, meter: CountingMeter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who waits behind a message of the same conversation gets 503 with it, not one after the other."""
    monkeypatch.setattr(intake_module, "_PUT_S", 1.0)
    intake = Intake(client, gate=gate, meter=meter, check=CHECK)
    await intake.identify(asyncio.Event())
    gate.slow = asyncio.Event()
    messages = [
        server.workspace.person_message("D1", "U1", str(number), thread=None, files=(), broadcast=False)
        for number in range(40)
    ]
    events = [event for message in messages for event in server.workspace.message_events("D1", message)]
    async with asyncio.timeout(20):  # one after the other they would take twice as long
        answers = await asyncio.gather(*(intake.take(event) for event in events))

    assert [answer.status for answer in answers] == [503] * 40
    assert meter.seen == ["unstored"] * 40


@pytest.mark.usefixtures("endpoint")
async def test_a_mention_is_stored_once(server: SlackServer, gate: MemoryGate, meter: CountingMeter) -> None:
    """Both events of a mention are answered with 200 and become one message."""
    server.say("C1", "U1", "<@U0BOT> hello")
    await server.wait_until(lambda: len(meter.seen) == 2, "both events")

    assert gate.texts == ["hello"]
    assert server.event_failures == []


@pytest.mark.usefixtures("endpoint")
async def test_while_the_store_is_away_slack_is_told_503_and_repeats(server: SlackServer, gate: MemoryGate) -> None:
    """Nothing is acknowledged that is not stored; the repeated event is stored when Redis is back."""
    gate.away = True
    server.say("D1", "U1", "hello")
    await server.wait_until(lambda: gate.refusals >= 2, "a repetition")
    answer = await server.post(
        server.workspace.message_events("D1", server.messages("D1")[0])[0], retry=(1, "http_error")
    )
    gate.away = False
    await server.wait_until(lambda: gate.stored, "the message")

    assert answer.status == 503
    assert gate.texts == ["hello"]


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(
    "signing",
    ["wrong secret", "no signature", "not ascii", "stale", "future", "non-numeric", "no timestamp"],
)
async def test_a_request_that_is_not_slacks_is_refused(
    server: SlackServer, gate: MemoryGate, caplog: pytest.LogCaptureFixture, signing: Signing
) -> None:
    """401 whatever is wrong with the signature; nothing is stored, and nothing of the body is logged."""
    caplog.set_level(logging.DEBUG)
    [event] = server.workspace.message_events("D1", _message("swordfish"))

    answer = await server.post(event, signing=signing)

    assert answer.status == 401
    assert gate.stored == []
    assert "swordfish" not in caplog.text


@pytest.mark.parametrize(("signing", "alarm"), [("wrong secret", True), ("stale", True), ("no signature", False)])
async def test_a_signature_that_never_fits_is_an_alarm(
    server: SlackServer, endpoint: SlackHttpReceiver, signing: Signing, alarm: bool
) -> None:
    """A wrong secret or clock would refuse everybody in silence; who has no signature at all is just somebody."""
    [event] = server.workspace.message_events("D1", _message("hello"))
    before = endpoint.not_ready()
    for _ in range(3):
        await server.post(event, signing=signing)
    refused = endpoint.not_ready()
    await server.post(event)

    assert before is None
    assert ("SLACK_SIGNING_SECRET" in str(refused)) == alarm
    assert endpoint.not_ready() is None


async def test_the_alarm_about_signatures_ends(
    server: SlackServer, endpoint: SlackHttpReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger may have sent them at night, when nobody writes whose signature fits."""
    [event] = server.workspace.message_events("D1", _message("hello"))
    for _ in range(3):
        await server.post(event, signing="wrong secret")
    alarm = endpoint.not_ready()
    monkeypatch.setattr("adapters.slack.receive._UNFIT_FOR_S", 0.0)

    assert alarm is not None
    assert endpoint.not_ready() is None


@pytest.mark.usefixtures("endpoint")
async def test_the_url_is_verified(server: SlackServer) -> None:
    """Slack checks the address once when it is entered: the challenge comes back."""
    answer = await server.post({"type": "url_verification", "challenge": "abc", "token": "x"})

    assert (answer.status, json.loads(answer.text)) == (200, {"challenge": "abc"})


async def test_the_url_is_verified_before_we_know_ourselves(
    server: SlackServer, client: AsyncWebClient, gate: MemoryGate, meter: CountingMeter
) -> None:
    """The address is entered while the app is set up: it is verified without a token, events get 503."""
    server.fail("auth.test", *[Fault(error="invalid_auth")] * 10)
    receiver = SlackHttpReceiver(client, signing_secret=server.signing_secret, gate=gate, meter=meter)
    async with _serving(receiver.handle) as url, running(receiver):
        server.events_url = url
        verified = await server.post({"type": "url_verification", "challenge": "abc"})
        event = await server.post(server.workspace.message_events("D1", _message("hi"))[0])

    assert (verified.status, event.status) == (200, 503)
    assert receiver.not_ready() is not None


@pytest.mark.usefixtures("endpoint")
async def test_a_slash_command_comes_as_a_form(server: SlackServer, gate: MemoryGate) -> None:
    """Answered with an empty 200; a text with the word "payload" in it is read like any other."""
    answer = await server.slash("C1", "U1", "/ask", "what is a payload?")

    assert isinstance(answer, Answer)
    assert (answer.status, answer.text) == (200, "")
    assert gate.texts == ["/ask what is a payload?"]


@pytest.mark.usefixtures("endpoint")
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "application/json"),
        (b"{", "application/json"),
        (b"[1]", "application/json"),
        (b"[" * 100_000, "application/json"),
        (b"payload=%7B", "application/x-www-form-urlencoded"),
        (b'{"type":"event_callback","event":1}', "application/json"),
        (b'{"type":"event_callback","event":{"type":"message"},"authorizations":3}', "application/json"),
    ],
)
async def test_unreadable_bodies_are_acknowledged(
    server: SlackServer, gate: MemoryGate, meter: CountingMeter, body: bytes, content_type: str
) -> None:
    """Signed by Slack and unreadable: counted, and answered with 200 so that it does not come again."""
    answer = await server.post_bytes(body, content_type)

    assert answer.status == 200
    assert gate.stored == []
    assert meter.seen == ["malformed"]


@pytest.mark.usefixtures("endpoint")
async def test_other_requests_of_slack_are_acknowledged(server: SlackServer, gate: MemoryGate) -> None:
    """Buttons, certificate checks and notices of rate limiting get their 200."""
    button = encoded({"payload": json.dumps({"type": "block_actions", "actions": []})}, form=True)
    answers = [
        await server.post_bytes(*button),
        await server.post({"ssl_check": "1", "token": "x"}, form=True),
        await server.post({"type": "app_rate_limited", "team_id": "T0TEAM", "minute_rate_limited": 1}),
    ]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert gate.stored == []


@pytest.mark.usefixtures("endpoint")
async def test_bytes_that_are_no_text_are_refused(server: SlackServer) -> None:
    """Slack signs UTF-8 only."""
    answer = await server.post_bytes(b"\xff\xfe", "application/json")

    assert answer.status == 401


@pytest.mark.usefixtures("endpoint")
async def test_a_huge_body_is_not_read(server: SlackServer) -> None:
    """413, before the signature is computed."""
    answer = await server.post_bytes(b" " * (2**20 + 1), "application/json")

    assert answer.status == 413


def _message(text: str) -> dict[str, object]:
    return {"type": "message", "user": "U1", "text": text, "ts": "1700000000.000100"}

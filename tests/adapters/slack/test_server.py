"""The Slack test server is like Slack: in its payloads, in its refusals, and to the library's own client."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from aiohttp import ClientSession
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.app.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.servers.slack import SlackServer
from tests.servers.slack_workspace import Json

SHARED = os.environ.get("FRONTDESK_SHARED")
needs_samples = pytest.mark.skipif(SHARED is None, reason="shared data absent")


def _sample(path: str) -> Json:
    sample: Json = json.loads((Path(str(SHARED)) / "specs" / "slack-samples" / path).read_text())
    return sample


def _unknown_keys(ours: object, sample: object, path: str = "") -> list[str]:
    """Paths of ours that the sample does not have; where the sample is empty anything goes."""
    if isinstance(ours, dict) and isinstance(sample, dict) and sample:
        unknown = [f"{path}.{key}" for key in ours if key not in sample]
        known = [key for key in ours if key in sample]
        return unknown + [found for key in known for found in _unknown_keys(ours[key], sample[key], f"{path}.{key}")]
    if isinstance(ours, list) and isinstance(sample, list) and sample:
        return [found for item in ours for found in _unknown_keys(item, sample[0], f"{path}[]")]
    return []


# --- payloads ---------------------------------------------------------------------------------------------------------


@needs_samples
async def test_event_payloads_have_the_keys_of_slacks_samples(server: SlackServer) -> None:
    """Each kind of event that the server emits, key by key."""
    files = [{"id": "F1", "name": "a.png", "mimetype": "image/png", "filetype": "png", "size": 1}]
    server.channel("C1")
    root = server.say("C1", "U1", "<@U0BOT> hello")
    server.say("C1", "U1", "look", files=files)
    server.say("C1", "U1", "all", thread=root, broadcast=True)
    server.bot_says("C1", "beep")
    server.edit("C1", root, "<@U0BOT> hello!")
    server.join("C1", "U2")
    server.delete("C1", root)
    samples = {
        ("app_mention", None): "AppMentionPayload",
        ("message", None): "MessagePayload",
        ("message", "file_share"): "MessageFileSharePayload",
        ("message", "thread_broadcast"): "MessageThreadBroadcastPayload",
        ("message", "bot_message"): "MessageBotPayload",
        ("message", "message_changed"): "MessageChangedPayload",
        ("message", "message_deleted"): "MessageDeletedPayload",
        ("message", "channel_join"): "MessageChannelJoinPayload",
    }
    bodies = await _collect(server, count=8)

    seen = {(body["event"]["type"], body["event"].get("subtype")) for body in bodies}
    assert seen == set(samples)
    for body in bodies:
        sample = _sample(f"events/{samples[body['event']['type'], body['event'].get('subtype')]}.json")
        assert _unknown_keys(body, sample) == []


@needs_samples
async def test_a_slash_form_has_the_keys_of_slacks_sample(server: SlackServer) -> None:
    """And all of them are strings, as a form's are."""
    form = server.workspace.slash_form("C1", "U1", "/reset", "", "http://127.0.0.1/")

    assert _unknown_keys(form, _sample("app-backend/SlashCommandPayload.json")) == []
    assert all(isinstance(value, str) for value in form.values())


@needs_samples
async def test_answers_of_the_api_have_the_keys_of_slacks_samples(server: SlackServer, client: AsyncWebClient) -> None:
    """Each method that the server has."""
    server.channel("C1")
    posted = await client.chat_postMessage(channel="C1", markdown_text="x", metadata=_metadata())
    ts = str(posted["ts"])
    answers = {
        "auth.test": await client.auth_test(),
        "apps.connections.open": await client.apps_connections_open(app_token=server.app_token),
        "chat.postMessage": posted,
        "chat.postEphemeral": await client.chat_postEphemeral(channel="C1", user="U1", markdown_text="x"),
        "chat.update": await client.chat_update(channel="C1", ts=ts, markdown_text="y"),
        "conversations.open": await client.conversations_open(users="U1"),
        "conversations.replies": await client.conversations_replies(channel="C1", ts=ts, include_all_metadata=True),
        "conversations.history": await client.conversations_history(channel="C1"),
        "assistant.threads.setStatus": await client.assistant_threads_setStatus(
            channel_id="C1", thread_ts=ts, status="x"
        ),
    }

    for method, answer in answers.items():
        assert _unknown_keys(answer.data, _sample(f"api/{method}.json")) == [], method


async def test_a_mention_makes_two_events_with_one_ts(server: SlackServer) -> None:
    """app_mention and message, under two event ids; in a direct message only the message."""
    server.say("C1", "U1", "<@U0BOT> hello")
    server.say("D1", "U1", "<@U0BOT> hello")

    mention, message, direct = await _collect(server, count=3)

    assert [body["event"]["type"] for body in (mention, message, direct)] == ["app_mention", "message", "message"]
    assert mention["event"]["ts"] == message["event"]["ts"]
    assert mention["event_id"] != message["event_id"]
    assert direct["event"]["channel_type"] == "im"


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"channel": "C404", "markdown_text": "x"}, "channel_not_found"),
        ({"channel": "C1", "markdown_text": " "}, "no_text"),
        ({"channel": "C1"}, "no_text"),
        ({"channel": "C1", "markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"channel": "C1", "markdown_text": "x", "text": "y"}, "markdown_text_conflict"),
        ({"channel": "C1", "markdown_text": "x", "blocks": []}, "markdown_text_conflict"),
        ({"channel": "C2", "markdown_text": "x"}, "not_in_channel"),
        ({"channel": "C3", "markdown_text": "x"}, "is_archived"),
        ({"channel": "C1", "markdown_text": "x", "colour": "red"}, "invalid_arguments"),
    ],
)
async def test_bad_posts_are_refused(server: SlackServer, client: AsyncWebClient, params: Json, code: str) -> None:
    """With Slack's codes."""
    server.channel("C1")
    server.workspace.channel("C2", bot_is_member=False)
    server.channel("C3").archived = True

    with pytest.raises(SlackApiError) as caught:
        await client.api_call("chat.postMessage", json=params)

    assert caught.value.response["error"] == code


@pytest.mark.parametrize(
    ("token", "code"), [("", "not_authed"), ("xoxb-no", "invalid_auth"), ("xapp-test", "not_allowed_token_type")]
)
async def test_wrong_tokens_are_refused(server: SlackServer, token: str, code: str) -> None:
    """Missing, unknown, or of the wrong kind."""
    client = AsyncWebClient(token=token, base_url=server.api_url)

    with pytest.raises(SlackApiError) as caught:
        await client.auth_test()

    assert caught.value.response["error"] == code


# --- the library's own client -----------------------------------------------------------------------------------------


async def test_the_librarys_own_socket_client_understands_the_server(server: SlackServer) -> None:
    """slack-bolt's handler connects, gets events, acknowledges them and follows a disconnect."""
    client = AsyncWebClient(token=server.bot_token, base_url=server.api_url)
    app = AsyncApp(client=client)
    heard: list[str] = []

    @app.event("message")
    async def on_message(event: Json) -> None:
        heard.append(event["text"])

    handler = AsyncSocketModeHandler(app, server.app_token)
    try:
        await handler.connect_async()  # type: ignore[no-untyped-call]
        server.say("D1", "U1", "before")
        await server.wait_until(lambda: heard == ["before"], "the first message")
        await server.sockets.disconnect("refresh_requested", close=False)
        await server.wait_until(lambda: server.sockets.opened == 2, "a second socket")
        server.say("D1", "U1", "after")
        await server.wait_until(lambda: heard == ["before", "after"], "the second message")
        await server.wait_until(lambda: len(server.sockets.acks) == 2, "two acks")
    finally:
        await handler.close_async()  # type: ignore[no-untyped-call]


async def test_an_unacknowledged_event_comes_again_with_its_number(server: SlackServer) -> None:
    """Then it is given up."""
    server.sockets.ack_timeout_s = 0.05
    server.say("D1", "U1", "hello")
    await _collect(server, count=7)
    await server.wait_until(lambda: server.sockets.given_up, "the event given up")

    assert [envelope["retry_attempt"] for envelope in server.sockets.sent] == list(range(7))
    assert [envelope["retry_reason"] for envelope in server.sockets.sent] == ["", *["timeout"] * 6]
    assert len({envelope["payload"]["event_id"] for envelope in server.sockets.sent}) == 1


async def test_an_event_whose_socket_breaks_comes_again_at_once(server: SlackServer) -> None:
    """Over the next socket, without waiting for the time of the ack."""
    server.sockets.ack_timeout_s = 3600
    server.say("D1", "U1", "hello")

    first, second = await _collect(server, count=1), await _collect(server, count=1)

    assert first == second


async def test_what_waits_for_a_socket_comes_in_the_order_in_which_it_was_said(server: SlackServer) -> None:
    """However long each has waited."""
    server.sockets.ack_timeout_s = 3600
    for number in range(20):
        server.say("D1", "U1", str(number))
        await asyncio.sleep(0.01)

    assert [body["event"]["text"] for body in await _collect(server, count=20)] == [str(number) for number in range(20)]


async def _collect(server: SlackServer, count: int) -> list[Json]:
    """Open a socket, read so many envelopes and acknowledge none; returns their payloads."""
    client = AsyncWebClient(base_url=server.api_url)
    answer = await client.apps_connections_open(app_token=server.app_token)
    bodies: list[Json] = []
    async with ClientSession() as session, session.ws_connect(str(answer["url"])) as socket:
        while len(bodies) < count:
            envelope = await asyncio.wait_for(socket.receive_json(), 5)
            if envelope["type"] == "events_api":
                bodies.append(envelope["payload"])
    return bodies


def _metadata() -> Json:
    return {"event_type": "t", "event_payload": {"key": "k"}}

"""Sending: what Slack is asked, and what each of its answers means."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.client import slack_client
from adapters.slack.send import SlackMessenger
from bot.errors import SendFailed, SendLimited, SendRefused, SendUnknown
from bot.message import Part, ReplyTo
from tests.servers.slack import Fault, SlackServer

PART = Part(text="**Hello** [docs](https://example.com)")
CHANNEL = ReplyTo(channel="C1", thread="1700000000.000100", quote="1700000000.000100", user="U1", private=False)
DIRECT = ReplyTo(channel="D1", quote="1700000000.000100", user="U1", private=True)
SLASH = ReplyTo(channel="C1", user="U1", private=False, ephemeral=True)
ODD = (
    b"",
    b"null",
    b"[1]",
    b"7",
    b"{}",
    b'{"ok":false}',
    b'{"ok":true}',
    b'{"ok":true,"ts":null}',
    b'{"ok":true,"ts":[]}',
)
"""Answers that say neither that a post is there nor that it is not."""
FOUND_WITHOUT_TS = (
    b'{"ok":true,"messages":[{"bot_id":"B0BOT",'
    b'"metadata":{"event_type":"frontdesk_part","event_payload":{"key":"k1"}}}]}'
)


@pytest.fixture
def messenger(server: SlackServer, client: AsyncWebClient) -> SlackMessenger:
    """A messenger with a short patience, in a workspace with two channels."""
    for channel in ("C1", "D1"):
        server.channel(channel)
    return SlackMessenger(client, timeout=timedelta(seconds=1))


async def _send(messenger: SlackMessenger, to: ReplyTo, *, private: bool = False, key: str = "k1") -> str:
    return await messenger.send(to, PART, key=key, first=True, private=private)


async def test_a_part_is_posted_into_its_thread(server: SlackServer, messenger: SlackMessenger) -> None:
    """As Markdown, without link previews, with the part's key as metadata; the ts comes back."""
    sent = await _send(messenger, CHANNEL)

    [call] = server.calls("chat.postMessage")
    assert call.params == {
        "channel": "C1",
        "markdown_text": PART.text,
        "thread_ts": "1700000000.000100",
        "unfurl_links": False,
        "unfurl_media": False,
        "metadata": {"event_type": "frontdesk_part", "event_payload": {"key": "k1"}},
    }
    assert [message["ts"] for message in server.from_bot("C1")] == [sent]


async def test_a_direct_message_is_answered_at_its_root(server: SlackServer, messenger: SlackMessenger) -> None:
    """A private reply in a direct message is an ordinary post: nobody else reads there."""
    await _send(messenger, DIRECT, private=True)

    assert "thread_ts" not in server.calls("chat.postMessage")[0].params
    assert server.ephemerals("D1", "U1") == []


@pytest.mark.parametrize(("to", "private"), [(CHANNEL, True), (SLASH, False), (SLASH, True)])
async def test_private_replies_in_a_channel_are_ephemeral(
    server: SlackServer, messenger: SlackMessenger, to: ReplyTo, private: bool
) -> None:
    """For the asker's eyes, in the channel: in a thread that nobody has opened yet Slack would not show them."""
    sent = await _send(messenger, to, private=private)

    assert server.ephemerals("C1", "U1") == [{"user": "U1", "text": PART.text, "ts": sent}]
    assert server.messages("C1") == []


async def test_a_private_reply_in_a_thread_stays_there(server: SlackServer, messenger: SlackMessenger) -> None:
    """What was said in a thread is answered in it."""
    root = server.say("C1", "U1", "root")
    said = server.say("C1", "U1", "!reset", root)
    await _send(messenger, ReplyTo(channel="C1", thread=root, quote=said, user="U1", private=False), private=True)

    assert [shown["thread_ts"] for shown in server.ephemerals("C1", "U1")] == [root]


@pytest.mark.parametrize("missing", ["unknown channel", "not a member"])
async def test_a_slash_command_where_we_are_not_is_answered_in_direct_messages(
    server: SlackServer, messenger: SlackMessenger, missing: str
) -> None:
    """Slash commands work in every channel, our posts do not: the receipt goes to the person directly."""
    if missing == "not a member":
        server.workspace.channel("C9", bot_is_member=False)

    await _send(messenger, ReplyTo(channel="C9", user="U1", private=False, ephemeral=True))

    assert [message["text"] for message in server.from_bot("DU1")] == [PART.text]


@pytest.mark.parametrize("code", ["is_archived", "restricted_action", "restricted_action_thread_only_channel"])
async def test_a_private_reply_where_we_may_not_post_goes_to_the_person(
    server: SlackServer, messenger: SlackMessenger, code: str
) -> None:
    """Who is limited is not left without a word."""
    server.fail("chat.postEphemeral", Fault(error=code))
    await _send(messenger, CHANNEL, private=True)

    assert [message["text"] for message in server.from_bot("DU1")] == [PART.text]


async def test_one_connection_serves_many_posts(server: SlackServer, messenger: SlackMessenger) -> None:
    """Posts in sequence all arrive, each once."""
    for number in range(20):
        await _send(messenger, DIRECT, key=f"k{number}")

    assert len(server.from_bot("D1")) == 20


# --- failures -------------------------------------------------------------------------------------------------------


async def test_a_rate_limit_without_a_pause_is_one(server: SlackServer, messenger: SlackMessenger) -> None:
    """A proxy's 429 says nothing more; whoever says it has posted nothing."""
    server.fail("chat.postMessage", Fault(status=429))

    with pytest.raises(SendLimited) as caught:
        await _send(messenger, CHANNEL)

    assert caught.value.retry_after == timedelta(seconds=5)


async def test_a_rate_limit_says_how_long_to_wait(server: SlackServer, messenger: SlackMessenger) -> None:
    """Nothing was sent; Retry-After is handed on, and we do not try by ourselves."""
    server.fail("chat.postMessage", Fault(retry_after_s=7))

    with pytest.raises(SendLimited) as caught:
        await _send(messenger, CHANNEL)

    assert caught.value.retry_after == timedelta(seconds=7)
    assert len(server.calls("chat.postMessage")) == 1


@pytest.mark.parametrize("told", [0, -1, "nan"])
async def test_a_pause_of_nothing_is_a_second(server: SlackServer, messenger: SlackMessenger, told: object) -> None:
    """Or we would look again and again at once, for as long as we are told so."""
    server.fail("conversations.history", Fault(retry_after_s=told))  # type: ignore[arg-type]

    with pytest.raises(SendLimited) as caught:
        await messenger.find(DIRECT, "k1")

    assert caught.value.retry_after == timedelta(seconds=1)


@pytest.mark.parametrize(
    "code",
    [
        *("channel_not_found", "not_in_channel", "is_archived", "msg_too_long", "no_text"),
        *(f"slack_connect_{what}_sharing_blocked" for what in ("file_link", "canvas", "lists")),
    ],
)
async def test_a_refusal_is_final(server: SlackServer, messenger: SlackMessenger, code: str) -> None:
    """The message will never be taken."""
    server.fail("chat.postMessage", Fault(error=code))

    with pytest.raises(SendRefused, match=code):
        await _send(messenger, CHANNEL)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=503),
        Fault(error="service_unavailable"),
        Fault(error="invalid_auth"),
        Fault(error="missing_scope"),
        Fault(error="something_new"),
    ],
)
async def test_what_may_pass_is_tried_again_later(server: SlackServer, messenger: SlackMessenger, fault: Fault) -> None:
    """Not sent, and not the message's fault; a token can be repaired while the message waits."""
    server.fail("chat.postMessage", fault)

    with pytest.raises(SendFailed):
        await _send(messenger, CHANNEL)

    assert server.from_bot("C1") == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault(cut="before"),
        Fault(cut="after"),
        Fault(hang="before"),
        Fault(hang="after"),
        Fault(status=500),
        Fault(status=502),
        Fault(error="fatal_error"),
        Fault(error="internal_error"),
        Fault(status=200),
        *(Fault(body=body) for body in ODD),
    ],
)
async def test_no_clear_answer_means_unknown(server: SlackServer, messenger: SlackMessenger, fault: Fault) -> None:
    """The post may be there; we never post again by ourselves."""
    server.fail("chat.postMessage", fault)

    with pytest.raises(SendUnknown):
        await _send(messenger, CHANNEL)

    assert len(server.calls("chat.postMessage")) == 1


async def test_a_refused_connection_means_not_sent(server: SlackServer, messenger: SlackMessenger) -> None:
    """Nobody listens: certainly nothing was sent."""
    await server.stop()

    with pytest.raises(SendFailed):
        await _send(messenger, CHANNEL)


async def test_failing_to_open_direct_messages_means_not_sent(server: SlackServer, messenger: SlackMessenger) -> None:
    """Nothing was posted before the direct message was open."""
    server.fail("chat.postEphemeral", Fault(error="not_in_channel"))
    server.fail("conversations.open", Fault(cut="after"))

    with pytest.raises(SendFailed):
        await _send(messenger, SLASH)


async def test_errors_show_neither_token_nor_text(server: SlackServer, messenger: SlackMessenger) -> None:
    """What may reach a log says what happened and no more."""
    server.fail("chat.postMessage", Fault(error="fatal_error"))

    with pytest.raises(SendUnknown) as caught:
        await _send(messenger, CHANNEL)

    said = f"{caught.value!r} {caught.value.__cause__!r} {caught.value.__cause__}"
    assert server.bot_token not in said
    assert "Hello" not in said


# --- finding again ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("to", [CHANNEL, DIRECT])
async def test_a_post_whose_answer_was_lost_is_found(
    server: SlackServer, messenger: SlackMessenger, to: ReplyTo
) -> None:
    """By its key, in its thread or channel, among other posts of ours."""
    server.fail("chat.postMessage", Fault(), Fault(cut="after"))
    await _send(messenger, to, key="other")
    with pytest.raises(SendUnknown):
        await _send(messenger, to, key="lost")

    found = await messenger.find(to, "lost")

    assert found == server.from_bot(to.channel)[1]["ts"]


async def test_a_post_is_found_in_a_long_thread(server: SlackServer, messenger: SlackMessenger) -> None:
    """Several pages on."""
    root = server.say("C1", "U1", "root")
    to = ReplyTo(channel="C1", thread=root, quote=root, user="U1", private=False)
    for number in range(250):
        server.workspace.person_message("C1", "U2", str(number), thread=root, files=(), broadcast=False)
    sent = await _send(messenger, to, key="far")

    assert await messenger.find(to, "far") == sent


async def test_a_post_that_is_not_there_is_not_found(server: SlackServer, messenger: SlackMessenger) -> None:
    """The post never reached Slack; somebody else's metadata is not ours."""
    thread = CHANNEL.thread
    forged = server.workspace.person_message("C1", "U9", "x", thread=thread, files=(), broadcast=False)
    forged["metadata"] = {"event_type": "frontdesk_part", "event_payload": {"key": "k1"}}

    assert await messenger.find(CHANNEL, "k1") is None
    assert await messenger.find(DIRECT, "k1") is None


async def test_looking_too_often_says_how_long(server: SlackServer, messenger: SlackMessenger) -> None:
    """To take it for "not there" would post a second time."""
    server.fail("conversations.history", Fault(retry_after_s=3))

    with pytest.raises(SendLimited) as caught:
        await messenger.find(DIRECT, "k1")

    assert caught.value.retry_after == timedelta(seconds=3)


@pytest.mark.parametrize("code", ["missing_scope", "channel_not_found", "not_in_channel", "thread_not_found"])
async def test_where_we_may_not_look_nothing_is_found(
    server: SlackServer, messenger: SlackMessenger, code: str
) -> None:
    """Looking again would show no more, and the reply would wait for ever."""
    server.fail("conversations.history", Fault(error=code))

    assert await messenger.find(DIRECT, "k1") is None


@pytest.mark.parametrize(
    "fault",
    [
        Fault(error="internal_error"),
        Fault(error="invalid_auth"),
        Fault(error="token_revoked"),
        Fault(error="account_inactive"),
        Fault(status=500),
        Fault(status=503),
        Fault(cut="before"),
        Fault(hang="before"),
        *(Fault(body=body) for body in (*ODD, b'{"ok":true,"messages":7}', FOUND_WITHOUT_TS)),
    ],
)
async def test_trouble_while_looking_is_no_answer(server: SlackServer, messenger: SlackMessenger, fault: Fault) -> None:
    """With Slack in trouble, or no token, we cannot tell, and what is there would be posted a second time."""
    # Twice: after a connection that broke, the HTTP library itself asks once more.
    server.fail("conversations.history", fault, fault)

    with pytest.raises(SendFailed):
        await messenger.find(DIRECT, "k1")


async def test_a_post_is_found_once_slack_is_well_again(server: SlackServer, messenger: SlackMessenger) -> None:
    """The look that failed has not decided anything."""
    sent = await _send(messenger, DIRECT)
    server.fail("conversations.history", Fault(status=500))

    with pytest.raises(SendFailed):
        await messenger.find(DIRECT, "k1")

    assert await messenger.find(DIRECT, "k1") == sent


async def test_an_ephemeral_post_is_not_looked_for(server: SlackServer, messenger: SlackMessenger) -> None:
    """History does not hold it."""
    assert await messenger.find(SLASH, "k1") is None
    assert server.calls("conversations.history") == []


# --- the status line --------------------------------------------------------------------------------------------------


async def test_typing_shows_a_status_in_the_thread(server: SlackServer, messenger: SlackMessenger) -> None:
    """Slack clears it when we answer there."""
    await messenger.typing(CHANNEL)
    await _send(messenger, CHANNEL)

    [status] = server.api.statuses
    assert (status["channel_id"], status["thread_ts"]) == ("C1", CHANNEL.thread)


async def test_the_status_of_a_direct_message_is_cleared_by_us(server: SlackServer, messenger: SlackMessenger) -> None:
    """It hangs on the question, the answer stands beside it: without clearing it would stay for two minutes."""
    await messenger.typing(DIRECT)
    await _send(messenger, DIRECT)
    await _send(messenger, DIRECT)

    assert [status["thread_ts"] for status in server.api.statuses] == [DIRECT.quote] * 2
    assert server.api.statuses[-1]["status"] == ""


@pytest.mark.parametrize(
    ("fault", "pause_s"),
    [(Fault(error="missing_scope"), 3600), (Fault(error="fatal_error"), 60), (Fault(cut="before"), 60)],
)
async def test_a_refused_status_is_remembered(
    server: SlackServer, client: AsyncWebClient, fault: Fault, pause_s: int
) -> None:
    """The failure is silent, and Slack is not asked again for a while: long if the app lacks the right."""
    now = 0.0
    messenger = SlackMessenger(client, clock=lambda: now)
    server.channel("C1")
    server.fail("assistant.threads.setStatus", fault)

    await messenger.typing(CHANNEL)
    now = pause_s - 1
    await messenger.typing(CHANNEL)
    assert len(server.calls("assistant.threads.setStatus")) == 1

    now = pause_s + 1
    await messenger.typing(CHANNEL)
    assert len(server.calls("assistant.threads.setStatus")) == 2


async def test_a_slash_command_has_no_status_line(server: SlackServer, messenger: SlackMessenger) -> None:
    """There is no message to hang it on."""
    await messenger.typing(SLASH)

    assert server.calls("assistant.threads.setStatus") == []


async def test_cancelling_a_send_leaves_the_client_usable(server: SlackServer, messenger: SlackMessenger) -> None:
    """A worker that stops in the middle of a call breaks nothing for the others."""
    server.fail("chat.postMessage", Fault(hang="before"))
    task = asyncio.create_task(_send(messenger, CHANNEL))
    await server.wait_until(lambda: server.calls("chat.postMessage"), "the call")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await _send(messenger, CHANNEL)


async def test_the_client_hides_its_token(server: SlackServer) -> None:
    """Neither client nor messenger shows it."""
    async with slack_client(bot_token="xoxb-swordfish", api_url=server.api_url) as client:
        messenger = SlackMessenger(client)

        assert "swordfish" not in f"{client!r} {messenger!r} {vars(messenger)!r}"

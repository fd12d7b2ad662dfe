"""Socket Mode: stored before acknowledged, repeated until stored, connected whatever Slack does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack import intake
from adapters.slack.client import slack_client
from adapters.slack.receive import SlackSocketReceiver
from bot.errors import StoreUnavailable
from bot.message import Incoming
from bot.ports import Accepted
from tests.adapters.slack.conftest import CountingMeter, MemoryGate, running
from tests.servers.slack import Fault, SlackServer
from tests.servers.slack_socket import Ack

Connected = AbstractAsyncContextManager[SlackSocketReceiver]


async def test_a_mention_is_stored_once_although_slack_sends_two_events(
    server: SlackServer, gate: MemoryGate, meter: CountingMeter, connected: Connected
) -> None:
    """One mention comes as app_mention and as message: both are acknowledged, one message is stored."""
    async with connected:
        ts = server.say("C1", "U1", "<@U0BOT> how do I reset my card?")
        await server.wait_until(lambda: len(server.sockets.acks) == 2, "two acks")

    assert [incoming.id for incoming in gate.stored] == [f"slack:T0TEAM:C1:{ts}"]
    assert gate.texts == ["how do I reset my card?"]
    assert sorted(meter.seen) == ["duplicate", "stored"]
    assert not server.sockets.given_up


async def test_nothing_is_acknowledged_while_the_store_is_away(
    server: SlackServer, gate: MemoryGate, connected: Connected
) -> None:
    """Redis away: no ack, Slack brings the event again, and it is stored once Redis is back."""
    gate.away = True
    async with connected:
        server.say("D1", "U1", "hello")
        await server.wait_until(lambda: gate.refusals >= 2, "a redelivery")
        assert server.sockets.acks == []
        gate.away = False
        await server.wait_until(lambda: server.sockets.acks, "an ack")

    assert gate.texts == ["hello"]
    assert server.sockets.sent[-1]["retry_attempt"] >= 1


async def test_a_gate_that_breaks_in_an_unknown_way_is_not_acknowledged_either(
    server: SlackServer, gate: MemoryGate, connected: Connected, caplog: pytest.LogCaptureFixture
) -> None:
    """An unforeseen error is logged with its trace and without the words, and the event comes again."""
    gate.broken = RuntimeError("a defect")
    async with connected:
        server.say("D1", "U1", "my secret is swordfish")
        await server.wait_until(lambda: len(server.sockets.sent) >= 2, "a redelivery")
        gate.broken = None
        await server.wait_until(lambda: gate.stored, "the message")

    assert "a defect" in caplog.text
    assert "swordfish" not in caplog.text


async def test_a_socket_that_breaks_down_is_replaced(
    server: SlackServer,
    gate: MemoryGate,
    connected: Connected,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What nobody foresaw costs the connection, not receiving; the event comes again over the next one."""
    async with connected as receiver:
        monkeypatch.setattr("adapters.slack.socket._envelope", _broken)
        server.say("D1", "U1", "hello")
        await server.wait_until(lambda: "broke down" in caplog.text, "the end of the socket")
        monkeypatch.undo()
        await server.wait_until(lambda: gate.texts == ["hello"], "the message")
        assert receiver.not_ready() is None


def _broken(text: str) -> dict[str, object]:
    raise ZeroDivisionError


async def test_a_slow_store_is_not_acknowledged(server: SlackServer, gate: MemoryGate, connected: Connected) -> None:
    """A put that takes longer than Slack waits is given up; the redelivery stores the message."""
    server.sockets.ack_timeout_s = 4.0
    gate.slow = asyncio.Event()
    async with connected:
        server.say("D1", "U1", "hello")
        await server.wait_until(lambda: len(server.sockets.sent) >= 2, "a redelivery")
        assert server.sockets.acks == []
        gate.slow.set()
        await server.wait_until(lambda: server.sockets.acks, "an ack")

    assert gate.texts == ["hello"]


async def test_what_is_no_message_is_acknowledged(
    server: SlackServer, gate: MemoryGate, meter: CountingMeter, connected: Connected
) -> None:
    """Edits, deletions, joins, other bots, reactions and buttons are acknowledged and stored nowhere."""
    server.channel("C1")
    async with connected:
        ts = server.say("C1", "U1", "not for the bot")
        server.edit("C1", ts, "<@U0BOT> edited")
        server.react("C1", ts, "U2", "-1")
        server.delete("C1", ts)
        server.join("C1", "U2")
        server.bot_says("C1", "<@U0BOT> beep")
        button = await server.sockets.deliver_once("interactive", {"type": "block_actions", "actions": []})
        await server.wait_until(lambda: len(server.sockets.acks) == 7, "seven acks")

    assert button is not None
    assert gate.stored == []
    assert meter.seen == ["ignored"] * 7


async def test_our_own_messages_are_acknowledged_and_passed_over(
    server: SlackServer, client: AsyncWebClient, gate: MemoryGate, connected: Connected
) -> None:
    """Slack sends us our own posts too; answering them would never end."""
    server.channel("C1")
    async with connected:
        await client.chat_postMessage(channel="C1", markdown_text="an answer", thread_ts="1700000000.000100")
        await server.wait_until(lambda: server.sockets.acks, "an ack")

    assert gate.stored == []


async def test_a_slash_command_is_acknowledged_with_nothing(
    server: SlackServer, gate: MemoryGate, connected: Connected
) -> None:
    """The receipt comes from the pipeline: the ack itself shows nothing."""
    async with connected:
        ack = await server.slash("C1", "U1", "/reset", "channel")

    assert isinstance(ack, Ack)
    assert ack.payload is None
    [incoming] = gate.stored
    assert incoming.command is not None
    assert (incoming.command.name, incoming.command.argument) == ("reset", "channel")
    assert incoming.command.whole_channel
    assert incoming.reply_to.ephemeral


@pytest.mark.parametrize(
    "payload", [None, "text", [], {"type": "event_callback"}, {"authorizations": [1]}, {"command": 1}]
)
async def test_unreadable_payloads_are_acknowledged_and_counted(
    server: SlackServer, gate: MemoryGate, meter: CountingMeter, connected: Connected, payload: object
) -> None:
    """Slack would only bring the same again, so a payload that cannot be read is counted and acknowledged."""
    async with connected:
        ack = await server.sockets.deliver_once("events_api", payload)  # type: ignore[arg-type]

    assert ack is not None
    assert gate.stored == []
    assert set(meter.seen) <= {"malformed", "ignored"}


async def test_messages_of_a_conversation_are_put_in_order(
    server: SlackServer, gate: MemoryGate, connected: Connected
) -> None:
    """A slow put of the first message does not let the second one pass."""
    gate.slow = asyncio.Event()
    async with connected:
        for number in range(20):
            server.say("D1", "U1", f"message {number}")
        await server.wait_until(lambda: len(server.sockets.sent) == 20, "all sent")
        gate.slow.set()
        await server.wait_until(lambda: len(gate.stored) == 20, "all stored")

    assert gate.texts == [f"message {number}" for number in range(20)]


async def test_those_behind_one_that_is_not_stored_come_again_behind_it(
    server: SlackServer, gate: MemoryGate, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store that fails for a moment turns nobody's words around: Slack brings all of them again, in their order."""
    failing, put, puts = asyncio.Event(), gate.put, 0

    async def fail_first(incoming: Incoming, *, placed: Callable[[], None] | None = None) -> Accepted:
        nonlocal puts
        puts += incoming.conversation.channel == "D1"
        if puts == 1 and incoming.conversation.channel == "D1":
            await failing.wait()
            raise StoreUnavailable("a moment")
        return await put(incoming, placed=placed)

    monkeypatch.setattr(gate, "put", fail_first)
    monkeypatch.setattr(intake, "_PUT_S", 60.0)  # the first one must not be given up before the others came
    async with connected:
        for number in range(5):
            server.say("D1", "U1", f"message {number}")
        await server.wait_until(lambda: len(server.sockets.sent) == 5, "all sent")
        server.say("D2", "U2", "they are here")
        await server.wait_until(lambda: gate.stored, "what came behind them")
        failing.set()
        await server.wait_until(lambda: len(gate.stored) == 6, "all stored")

    assert gate.texts == ["they are here"] + [f"message {number}" for number in range(5)]
    assert puts == 1 + 5


async def test_conversations_of_a_channel_do_not_wait_for_each_other(
    server: SlackServer, gate: MemoryGate, connected: Connected, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one person's message is being put, another's in the same channel is stored."""
    released, put = asyncio.Event(), gate.put

    async def slow_for_one(incoming: Incoming, *, placed: Callable[[], None] | None = None) -> Accepted:
        if incoming.conversation.user == "U1":
            await released.wait()
        return await put(incoming)

    monkeypatch.setattr(gate, "put", slow_for_one)
    monkeypatch.setattr(intake, "_PUT_S", 60.0)  # the slow one must not be given up before the test is over
    async with connected:
        server.say("C1", "U1", "<@U0BOT> slow")
        await server.wait_until(lambda: server.sockets.sent, "the first sent")
        server.say("C1", "U2", "<@U0BOT> quick")
        await server.wait_until(lambda: gate.stored, "the second stored")
        assert gate.texts == ["quick"]
        released.set()
        await server.wait_until(lambda: len(gate.stored) == 2, "both stored")


async def test_a_message_that_waits_for_the_disk_holds_up_no_other(
    server: SlackServer, gate: MemoryGate, meter: CountingMeter, connected: Connected
) -> None:
    """Once its place is settled the next one of its conversation follows; nothing is acknowledged before it lasts."""
    gate.disk = asyncio.Event()
    async with connected:
        for number in range(3):
            server.say("D1", "U1", f"message {number}")
        await server.wait_until(lambda: len(gate.stored) == 3, "all placed")
        acknowledged = [*meter.seen]
        gate.disk.set()
        await server.wait_until(lambda: meter.seen == ["stored"] * 3, "all acknowledged")

    assert acknowledged == []
    assert gate.texts == [f"message {number}" for number in range(3)]


# --- the connection -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", ["warning", "refresh_requested"])
@pytest.mark.parametrize("close", [True, False])
async def test_a_disconnect_opens_a_new_socket(
    server: SlackServer, gate: MemoryGate, connected: Connected, reason: str, close: bool
) -> None:
    """Slack asks every few hours to connect anew: nothing is lost, whether it closes the old socket itself or not."""
    async with connected:
        await server.sockets.disconnect(reason, close=close)
        server.say("D1", "U1", "after")
        await server.wait_until(lambda: server.sockets.opened == 2, "a second socket")
        await server.wait_until(lambda: gate.stored, "the message")

    assert gate.texts == ["after"]
    assert not server.sockets.given_up


async def test_the_old_socket_acknowledges_what_it_brought(
    server: SlackServer, gate: MemoryGate, connected: Connected
) -> None:
    """A message in work while Slack asks us to move is acknowledged over the socket it came by: no redelivery."""
    gate.slow = asyncio.Event()
    async with connected:
        server.say("D1", "U1", "in work")
        await server.wait_until(lambda: server.sockets.sent, "the message sent")
        await server.sockets.disconnect("refresh_requested", close=False)
        await server.wait_until(lambda: server.sockets.opened == 2, "a second socket")
        gate.slow.set()
        await server.wait_until(lambda: server.sockets.acks, "an ack")

    assert len(server.sockets.sent) == 1


async def test_a_cut_socket_is_opened_again(server: SlackServer, gate: MemoryGate, connected: Connected) -> None:
    """A connection that breaks without a word is replaced at once."""
    async with connected as receiver:
        server.sockets.cut()
        await server.wait_until(lambda: server.sockets.opened == 2, "a second socket")
        server.say("D1", "U1", "after")
        await server.wait_until(lambda: gate.stored, "the message")
        assert receiver.not_ready() is None


async def test_an_outage_of_slack_is_survived(server: SlackServer, gate: MemoryGate, connected: Connected) -> None:
    """While Slack is away the receiver says so; when it is back the receiver is connected again."""
    async with connected as receiver:
        port = server.port
        await server.stop()
        await server.wait_until(lambda: receiver.not_ready() is not None, "a reason")
        await server.start(port)
        await server.wait_until(lambda: receiver.not_ready() is None, "a new connection")
        server.say("D1", "U1", "back")
        await server.wait_until(lambda: gate.stored, "the message")


async def test_too_many_sockets_is_waited_out(server: SlackServer, connected: Connected) -> None:
    """Turned away for too many sockets, the receiver tries again later."""
    server.sockets.max_sockets = 1
    async with connected as receiver:
        server.sockets.max_sockets = 0
        server.sockets.cut()
        await server.wait_until(lambda: "too_many_websockets" in str(receiver.not_ready()), "a reason")
        server.sockets.max_sockets = 1
        await server.wait_until(lambda: receiver.not_ready() is None, "a new connection")


async def test_it_is_not_ready_before_slack_said_hello(
    server: SlackServer, client: AsyncWebClient, gate: MemoryGate, meter: CountingMeter
) -> None:
    """An open socket is not enough."""
    server.sockets.greet = False
    receiver = SlackSocketReceiver(client, app_token=server.app_token, gate=gate, meter=meter)
    async with running(receiver):
        await server.wait_until(lambda: server.sockets.opened, "a socket")
        assert receiver.not_ready() is not None


@pytest.mark.parametrize("wrong", ["bot_token", "app_token"])
async def test_a_refused_token_is_named_and_not_shown(
    server: SlackServer, gate: MemoryGate, meter: CountingMeter, caplog: pytest.LogCaptureFixture, wrong: str
) -> None:
    """The operator reads which token Slack refuses, in the log and in not_ready, without the token."""
    tokens = {"bot_token": server.bot_token, "app_token": server.app_token} | {wrong: "xoxb-swordfish"}
    caplog.set_level(logging.DEBUG)
    async with slack_client(bot_token=tokens["bot_token"], api_url=server.api_url) as client:
        receiver = SlackSocketReceiver(client, app_token=tokens["app_token"], gate=gate, meter=meter)
        async with running(receiver):
            await server.wait_until(lambda: "invalid_auth" in str(receiver.not_ready()), "a reason")

    assert f"SLACK_{wrong.upper()}" in str(receiver.not_ready())
    assert f"SLACK_{wrong.upper()}" in caplog.text
    assert "swordfish" not in caplog.text + repr(receiver) + repr(vars(receiver))


async def test_auth_test_is_tried_until_it_works(
    server: SlackServer, client: AsyncWebClient, gate: MemoryGate, meter: CountingMeter
) -> None:
    """Errors, rate limits, broken answers and cut connections at the start only delay it."""
    server.fail("auth.test", Fault(status=500), Fault(cut="before"), Fault(retry_after_s=0))
    receiver = SlackSocketReceiver(client, app_token=server.app_token, gate=gate, meter=meter)
    async with running(receiver):
        await server.wait_until(lambda: receiver.not_ready() is None, "a connected receiver")

    assert len(server.calls("auth.test")) == 4


async def test_oauth_variables_in_the_environment_do_not_take_the_token_away(
    monkeypatch: pytest.MonkeyPatch, server: SlackServer, gate: MemoryGate, connected: Connected
) -> None:
    """SLACK_CLIENT_ID and SLACK_CLIENT_SECRET switch Bolt to OAuth; messages are received all the same."""
    monkeypatch.setenv("SLACK_CLIENT_ID", "1")
    monkeypatch.setenv("SLACK_CLIENT_SECRET", "2")
    async with connected:
        server.say("D1", "U1", "hello")
        await server.wait_until(lambda: gate.stored, "the message")


async def test_stopping_finishes_what_is_in_work(server: SlackServer, gate: MemoryGate, connected: Connected) -> None:
    """A message that is being stored when the stop comes is stored and acknowledged."""
    gate.slow = asyncio.Event()
    async with connected:
        server.say("D1", "U1", "last words")
        await server.wait_until(lambda: server.sockets.sent, "the message sent")
        asyncio.get_running_loop().call_later(0.2, gate.slow.set)

    assert gate.texts == ["last words"]
    await server.wait_until(lambda: len(server.sockets.acks) == 1, "the ack")


@pytest.mark.parametrize("method", ["auth.test", "apps.connections.open"])
async def test_a_stop_does_not_wait_for_slack(
    server: SlackServer, client: AsyncWebClient, gate: MemoryGate, meter: CountingMeter, method: str
) -> None:
    """Slack does not answer while we start: the stop comes through (the fixture waits less than the call would)."""
    server.fail(method, Fault(hang="before"))
    receiver = SlackSocketReceiver(client, app_token=server.app_token, gate=gate, meter=meter)

    async with running(receiver):
        await server.wait_until(lambda: server.calls(method), "the call")

    assert receiver.not_ready() is not None


async def test_nothing_said_is_logged(
    server: SlackServer, connected: Connected, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even at DEBUG, where the libraries print payloads."""
    caplog.set_level(logging.DEBUG)
    async with connected:
        server.say("D1", "U1", "swordfish")
        server.say("C1", "U1", "<@U0BOT> swordfish")
        await server.slash("C1", "U1", "/reset", "swordfish")
        await server.wait_until(lambda: len(server.sockets.acks) == 4, "all acks")

    ours = [record for record in caplog.records if not record.name.startswith("aiohttp")]
    assert "swordfish" not in "\n".join(record.getMessage() for record in ours)

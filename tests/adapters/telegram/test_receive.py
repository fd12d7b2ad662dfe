"""Receiving by long polling: stored first, confirmed after, whatever happens in between."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from adapters.telegram.connect import telegram_bot
from adapters.telegram.receive import TelegramReceiver
from bot.errors import StoreUnavailable
from bot.message import Incoming
from tests.adapters.telegram.fakes import ANN, GROUP, LI, FakeGate, FakeMeter, receiving
from tests.servers.telegram import USERNAME, TelegramServer
from tests.servers.telegram_chat import Chat
from tests.servers.telegram_contract import load_contract
from tests.servers.telegram_fault import CUT_AFTER, CUT_BEFORE, GARBAGE, SERVER_ERROR, error, too_many_requests

CONFLICT = error(
    409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
)


async def test_messages_are_stored_and_then_confirmed(server: TelegramServer) -> None:
    """What people write reaches the gate, in order, and Telegram is told that we have it."""
    async with receiving(server) as running:
        server.say("one", user=ANN)
        server.say("二", user=LI)
        await server.wait_confirmed()

    assert running.gate.texts == ["one", "二"]
    assert running.meter.counts == {"telegram stored": 2}


async def test_what_waited_before_the_start_is_received(server: TelegramServer) -> None:
    """Messages written while the bot was away are answered, a leftover webhook included."""
    server.say("anybody there?", user=ANN)
    server.set_webhook("https://old.example/hook")

    async with receiving(server) as running:
        await server.wait_confirmed()

    assert running.gate.texts == ["anybody there?"]


async def test_nothing_is_confirmed_while_the_store_is_away(server: TelegramServer) -> None:
    """With the store away the offset stands still; when it is back, everything is stored once."""
    gate = FakeGate()
    gate.closed = True

    async with receiving(server, gate) as running:
        ids = [server.say(f"m{n}", user=ANN) for n in range(3)]
        await server.wait_until(lambda: gate.attempts >= 4, "several attempts")
        assert server.unconfirmed == ids
        assert running.receiver.not_ready() == "messages cannot be stored"

        gate.closed = False
        await server.wait_confirmed()

    assert gate.texts == ["m0", "m1", "m2"]


async def test_the_offset_stops_before_the_first_unstored_message(server: TelegramServer) -> None:
    """One chat's failing store holds the offset at its message; others of the batch are known when they come again."""
    gate = FakeGate()
    first = server.say("ann 1", user=ANN)
    server.say("li 1", user=LI)
    second = server.say("ann 2", user=ANN)
    gate.refused_ids = {f"telegram:{server.me.id}:{second}"}

    async with receiving(server, gate):
        await server.wait_until(lambda: first not in server.unconfirmed, "the first confirmed")
        await server.wait_until(lambda: gate.attempts >= 6, "further attempts")
        assert server.unconfirmed == [second]
        gate.refused_ids = set()
        await server.wait_confirmed()

    assert sorted(gate.texts) == ["ann 1", "ann 2", "li 1"]


async def test_messages_that_wait_for_the_disk_wait_together(server: TelegramServer) -> None:
    """Once the place of one is settled the next one follows; the offset stops before the first that does not last."""
    gate, waiting, disk = FakeGate(), list[str](), asyncio.Event()

    async def wait(incoming: Incoming) -> None:
        waiting.append(incoming.text)
        await disk.wait()
        if incoming.text == "ann 1" and waiting.count("ann 1") == 1:
            raise StoreUnavailable("not on disk")

    gate.until_it_lasts = wait
    ids = [server.say(f"ann {n}", user=ANN) for n in range(3)]
    async with receiving(server, gate):
        await server.wait_until(lambda: waiting == ["ann 0", "ann 1", "ann 2"], "all placed")
        assert server.unconfirmed == ids
        disk.set()
        await server.wait_until(lambda: waiting[3:] == ["ann 1", "ann 2"], "the same from the first in doubt on")
        await server.wait_confirmed()

    assert gate.texts == ["ann 0", "ann 1", "ann 2"]


@pytest.mark.parametrize("chat", [None, GROUP])
async def test_a_slow_store_of_one_conversation_does_not_hold_up_the_others(
    server: TelegramServer, chat: Chat | None
) -> None:
    """Conversations of one batch are stored side by side, each in its order: also those of one group."""
    gate, released = FakeGate(), asyncio.Event()

    async def slow_for_ann(incoming: Incoming) -> None:
        if incoming.conversation.user == str(ANN.id):
            await released.wait()

    gate.before_put = slow_for_ann
    for n in range(3):
        server.say(f"@{USERNAME} ann {n}", user=ANN, chat=chat)
        server.say(f"@{USERNAME} li {n}", user=LI, chat=chat)

    async with receiving(server, gate):
        await server.wait_until(lambda: gate.texts == ["li 0", "li 1", "li 2"], "Li's messages stored")
        released.set()
        await server.wait_confirmed()

    assert gate.texts[3:] == ["ann 0", "ann 1", "ann 2"]


@pytest.mark.parametrize("fault", [CUT_BEFORE, CUT_AFTER, SERVER_ERROR, GARBAGE, error(502, "Bad Gateway")])
async def test_a_failing_poll_is_repeated(server: TelegramServer, fault: object) -> None:
    """Whatever one poll ends in, the next one brings the messages."""
    server.fail_next("getUpdates", fault, times=3)  # type: ignore[arg-type]

    async with receiving(server) as running:
        server.say("still here", user=ANN)
        await server.wait_confirmed()
        await server.wait_until(lambda: running.receiver.not_ready() is None, "ready again")

    assert running.gate.texts == ["still here"]


async def test_an_unexpected_answer_does_not_end_receiving(
    server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """An answer of another shape is logged and asked for again."""
    server.fail_next("getUpdates", error(200, "no result in here"))

    async with receiving(server) as running:
        server.say("hello", user=ANN)
        await server.wait_confirmed()

    assert running.gate.texts == ["hello"]
    assert "unexpected failure" in caplog.text


async def test_the_start_waits_for_telegram(server: TelegramServer) -> None:
    """With Telegram away at the start the receiver says so and goes on trying."""
    server.fail_next("getMe", CUT_BEFORE, SERVER_ERROR)
    server.fail_next("deleteWebhook", CUT_BEFORE)
    await server.stop()

    async with receiving(server) as running:
        await server.wait_until(lambda: "ConnectError" in (running.receiver.not_ready() or ""), "no connection")
        await server.start()
        server.say("hello", user=ANN)
        await server.wait_confirmed()
        await server.wait_until(lambda: running.receiver.not_ready() is None, "ready")

    assert running.gate.texts == ["hello"]


async def test_a_wrong_token_is_named_and_never_logged(
    server: TelegramServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A token Telegram does not know keeps the bot not ready; the log says so once, without the token."""
    caplog.set_level(logging.DEBUG)
    wrong = "424242:another-secret"

    async with receiving(server, token=wrong) as running:
        await server.wait_until(lambda: len(server.calls_of("getMe")) >= 3, "several tries")
        assert (
            running.receiver.not_ready() == "Telegram does not know this bot token, or telegram.api_url is no Bot API"
        )

    lines = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(lines) == 1
    assert "another-secret" not in caplog.text


async def test_neither_token_nor_words_are_logged(server: TelegramServer, caplog: pytest.LogCaptureFixture) -> None:
    """Even at the lowest level no log line holds the token or what people wrote, broken answers included."""
    caplog.set_level(logging.DEBUG)
    server.fail_next("getUpdates", GARBAGE)
    server.fail_next("getMe", CUT_BEFORE)

    async with receiving(server):
        server.say("my secret sentence", user=ANN)
        server.push({"message": {"text": "my secret sentence", "chat": 7}})
        await server.wait_confirmed()

    assert server.token not in caplog.text
    assert "my secret sentence" not in caplog.text


async def test_a_second_poller_is_one_clear_alarm(server: TelegramServer, caplog: pytest.LogCaptureFixture) -> None:
    """Turned away by another poller, the bot says so once and stays not ready, though polls succeed in between."""
    async with receiving(server, poll_timeout=timedelta(seconds=1)) as running:
        for n in range(3):
            server.fail_next("getUpdates", CONFLICT, times=2)
            server.say(f"m{n}", user=ANN)
            await server.wait_confirmed()
        assert running.receiver.not_ready() == "another process is polling with the same bot token; stop one of them"

    alarms = [record for record in caplog.records if "another process" in record.getMessage()]
    assert [record.levelno for record in alarms] == [logging.ERROR]
    assert running.gate.texts == ["m0", "m1", "m2"]


async def test_two_receivers_of_one_bot_notice_each_other(server: TelegramServer) -> None:
    """Telegram ends the poll that waited; whoever is turned away knows why."""
    first, second = FakeGate(), FakeGate()

    async with receiving(server, first) as one:
        await server.wait_until(lambda: one.receiver.not_ready() is None, "the first is ready")
        async with receiving(server, second):
            await server.wait_until(lambda: "another process" in (one.receiver.not_ready() or ""), "the alarm")


async def test_too_many_requests_are_waited_out(server: TelegramServer) -> None:
    """429 on a poll is obeyed, not hammered."""
    server.fail_next("getUpdates", too_many_requests(1))

    async with receiving(server) as running:
        server.say("hello", user=ANN)
        await server.wait_until(lambda: running.receiver.not_ready() == "Telegram asks us to wait", "the wait")
        assert len(server.calls_of("getUpdates")) == 1
        await server.wait_confirmed()

    assert running.gate.texts == ["hello"]


async def test_unreadable_updates_are_passed_over(server: TelegramServer) -> None:
    """A broken update between two good ones costs only itself, and is counted."""
    async with receiving(server) as running:
        server.say("before", user=ANN)
        server.push({"message": {"message_id": 1, "chat": {"id": "x"}, "from": {"id": 1}, "text": "?"}})
        server.push({"message": "not even an object"})
        server.say("after", user=ANN)
        await server.wait_confirmed()

    assert running.gate.texts == ["before", "after"]
    assert running.meter.counts["telegram malformed"] == 2


async def test_what_is_not_for_us_is_counted_and_confirmed(server: TelegramServer) -> None:
    """Talk of others in a group is passed over."""
    async with receiving(server) as running:
        server.say("talk of others", user=ANN, chat=GROUP)
        await server.wait_confirmed()

    assert running.meter.counts == {"telegram ignored": 1}


async def test_a_redelivered_message_is_handed_in_under_the_same_id(server: TelegramServer) -> None:
    """An update that comes again, its confirmation lost, is a duplicate for the gate and is confirmed again."""
    async with receiving(server) as running:
        update = server.say("once", user=ANN)
        await server.wait_confirmed()
        server.redeliver(update)
        server.say("twice", user=ANN)
        await server.wait_confirmed()
        await server.wait_until(lambda: running.gate.attempts == 3, "the redelivery handed in")

    assert running.gate.texts == ["once", "twice"]
    assert running.meter.counts == {"telegram stored": 2, "telegram duplicate": 1}


async def test_a_restart_loses_nothing(server: TelegramServer) -> None:
    """What one receiver stored without confirming comes to the next, which finds it stored."""
    gate = FakeGate()
    async with receiving(server, gate) as running:
        running.gate.closed = True
        server.say("not stored", user=ANN)
        await server.wait_until(lambda: gate.attempts > 0, "an attempt")

    gate.closed = False
    async with receiving(server, gate):
        await server.wait_confirmed()

    assert gate.texts == ["not stored"]


async def test_being_cancelled_while_storing_loses_nothing(server: TelegramServer) -> None:
    """A receiver that dies between the store and the confirmation leaves the message to the next one."""
    gate, storing = FakeGate(), asyncio.Event()

    async def hang(_: Incoming) -> None:
        storing.set()
        await asyncio.Event().wait()

    gate.before_put = hang
    update = server.say("hello", user=ANN)
    async with telegram_bot(token=server.token, api_url=server.api_url) as bot:
        task = asyncio.create_task(TelegramReceiver(bot, gate, FakeMeter()).run(asyncio.Event()))
        await storing.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert (gate.texts, server.unconfirmed) == ([], [update])

    gate.before_put = None
    async with receiving(server, gate):
        await server.wait_confirmed()

    assert gate.texts == ["hello"]


async def test_stopping_does_not_wait_for_the_poll(server: TelegramServer) -> None:
    """A stop ends the wait for updates at once, not after the poll's half minute."""
    async with receiving(server, poll_timeout=timedelta(seconds=50)) as running:
        await server.wait_until(lambda: running.receiver.not_ready() is not None, "started")
        server.say("hello", user=ANN)
        await server.wait_confirmed()
    # `receiving` fails if the receiver needs more than five seconds to stop.


async def test_commands_are_shown_in_both_languages(server: TelegramServer) -> None:
    """Telegram's clients get the command lists; that one is refused does not keep messages from coming."""
    server.fail_next("setMyCommands", error(400, "Bad Request: BOT_COMMAND_INVALID"))
    lists = {"": [("help", "What I can do")], "zh": [("help", "我能做什么")]}

    async with receiving(server, commands=lists) as running:
        server.say("hello", user=ANN)
        await server.wait_confirmed()

    assert server.commands("") == []
    assert server.commands("zh") == [{"command": "help", "description": "我能做什么"}]
    assert running.gate.texts == ["hello"]


async def test_every_call_keeps_the_contract(server: TelegramServer) -> None:
    """All that the receiver asks is as the Bot API describes it."""
    contract = load_contract()

    async with receiving(server, commands={"": [("help", "What I can do")], "zh": [("help", "帮助")]}):
        server.say("hello", user=ANN)
        await server.wait_confirmed()

    assert {call.method for call in server.calls} == {"getMe", "deleteWebhook", "setMyCommands", "getUpdates"}
    assert contract.problems(server.calls) == []

"""Sending: what arrives, and what each failure of Telegram or of the network means."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from adapters.telegram.connect import telegram_bot
from adapters.telegram.send import TelegramMessenger
from bot.errors import SendFailed, SendLimited, SendRefused, SendUnknown
from bot.message import Part, ReplyTo
from bot.ports import Messenger
from tests.adapters.telegram.fakes import ANN, FORUM, GROUP, LI, SUPERGROUP
from tests.servers.telegram import TOKEN, TelegramServer
from tests.servers.telegram_contract import load_contract
from tests.servers.telegram_fault import (
    BLOCKED,
    CHAT_GONE,
    CUT_AFTER,
    CUT_BEFORE,
    GARBAGE,
    HANG_AFTER,
    SERVER_ERROR,
    SERVER_ERROR_AFTER,
    Fault,
    error,
    too_many_requests,
)
from tests.servers.telegram_methods import FloodLimit

HELLO = Part(text="Hello")
TO_ANN = ReplyTo(channel=str(ANN.id), user=str(ANN.id), private=True)


@pytest.fixture
async def messenger(server: TelegramServer) -> AsyncIterator[Messenger]:
    """A messenger of the server's bot, with Ann's private chat open."""
    server.say("/start", user=ANN)
    async with telegram_bot(token=server.token, api_url=server.api_url) as bot:
        yield TelegramMessenger(bot)


@pytest.fixture
async def hasty(server: TelegramServer) -> AsyncIterator[Messenger]:
    """The same, for a server that gives no answer: its deadline passes while one waits for it."""
    server.say("/start", user=ANN)
    async with telegram_bot(token=server.token, api_url=server.api_url) as bot:
        await bot.get_me()  # on a busy machine the first connection takes its time
        yield TelegramMessenger(bot, deadline=timedelta(seconds=2))


def in_chat(channel: int, *, thread: int | None = None, quote: int | None = None) -> ReplyTo:
    """A reply to Ann in a group."""
    return ReplyTo(
        channel=str(channel),
        thread=str(thread) if thread else None,
        quote=str(quote) if quote else None,
        user=str(ANN.id),
        private=False,
    )


async def send(messenger: Messenger, to: ReplyTo, part: Part = HELLO, *, first: bool = True) -> str:
    """Send one part that everybody in the chat may see."""
    return await messenger.send(to, part, key="turn/0", first=first, private=False)


async def test_a_formatted_answer_arrives_in_private(server: TelegramServer, messenger: Messenger) -> None:
    """Text and entities arrive as formatted, without link preview; the id is Telegram's."""
    (part,) = messenger.format("See **the terms** at [our site](https://bank.example/terms).")

    sent_id = await send(messenger, TO_ANN, part)

    (sent,) = server.messages(ANN.id)
    assert sent.text == "See the terms at our site."
    assert sent.entities == [
        {"type": "bold", "offset": 4, "length": 9},
        {"type": "text_link", "offset": 17, "length": 8, "url": "https://bank.example/terms"},
    ]
    assert (sent_id, sent.preview, sent.reply_to) == (str(sent.message_id), False, None)


async def test_a_group_reply_quotes_its_asker_once(server: TelegramServer, messenger: Messenger) -> None:
    """The first part quotes the question, further parts do not."""
    question = server.message_id(server.say("@FrontDeskTestBot hi", user=ANN, chat=SUPERGROUP))
    to = in_chat(SUPERGROUP.id, quote=question)

    await send(messenger, to)
    await send(messenger, to, Part(text="more"), first=False)

    assert [sent.reply_to for sent in server.messages(SUPERGROUP.id)] == [question, None]


async def test_a_deleted_question_is_answered_without_quote(server: TelegramServer, messenger: Messenger) -> None:
    """That the quoted message is gone does not keep the answer from being sent."""
    server.join(GROUP, ANN)

    await send(messenger, in_chat(GROUP.id, quote=999))

    assert [sent.reply_to for sent in server.messages(GROUP.id)] == [None]


async def test_an_answer_goes_into_the_topic_of_the_question(server: TelegramServer, messenger: Messenger) -> None:
    """In a forum the answer and the typing indicator stand in the asker's topic."""
    server.say("hello", user=ANN, chat=FORUM, topic=12)
    to = in_chat(FORUM.id, thread=12)

    await messenger.typing(to)
    await send(messenger, to)

    assert [sent.thread for sent in server.messages(FORUM.id)] == [12]
    assert server.actions(FORUM.id) == ["typing"]


async def test_a_private_receipt_goes_to_the_person(server: TelegramServer, messenger: Messenger) -> None:
    """Asked in a group by somebody who has opened a private chat, the receipt is sent there."""
    server.join(GROUP, ANN)

    await messenger.send(in_chat(GROUP.id, quote=1), HELLO, key="k", first=True, private=True)

    assert [sent.text for sent in server.messages(ANN.id)] == ["Hello"]
    assert server.messages(GROUP.id) == []


@pytest.mark.parametrize("closed", ["never opened", "blocked"])
async def test_a_private_receipt_without_private_chat_is_public(
    server: TelegramServer, messenger: Messenger, closed: str
) -> None:
    """Where the bot cannot write to the person, the receipt answers their message in the group."""
    person = LI if closed == "never opened" else ANN
    question = server.message_id(server.say("/forget", user=person, chat=GROUP))
    if closed == "blocked":
        server.block(ANN.id)
    to = ReplyTo(channel=str(GROUP.id), quote=str(question), user=str(person.id), private=False)

    await messenger.send(to, HELLO, key="k", first=True, private=True)

    assert [sent.reply_to for sent in server.messages(GROUP.id)] == [question]


async def test_too_many_requests_say_how_long(server: TelegramServer, messenger: Messenger) -> None:
    """429 is a limit with its time, and nothing was sent."""
    server.fail_next("sendMessage", too_many_requests(7))

    with pytest.raises(SendLimited) as caught:
        await send(messenger, TO_ANN)

    assert caught.value.retry_after == timedelta(seconds=7)
    assert server.messages(ANN.id) == []


@pytest.mark.parametrize("fault", [error(429, "Too Many Requests"), Fault(how="page", status=429)])
async def test_too_many_requests_of_a_proxy_are_a_limit_too(
    server: TelegramServer, messenger: Messenger, fault: Fault
) -> None:
    """Who says 429 has sent nothing, also if it does not say how long to wait: we wait for a while of our own."""
    server.fail_next("sendMessage", fault)
    server.fail_next("sendChatAction", fault)

    with pytest.raises(SendLimited) as caught:
        await send(messenger, TO_ANN)
    with pytest.raises(SendLimited):
        await messenger.typing(TO_ANN)

    assert caught.value.retry_after == timedelta(seconds=5)


async def test_the_flood_limit_is_one_chats_own(server: TelegramServer, messenger: Messenger) -> None:
    """A chat that is full does not keep another from being written to."""
    server.limit_flood(FloodLimit(messages=2, window=timedelta(minutes=1)))
    server.join(GROUP, ANN)

    await send(messenger, TO_ANN)
    await send(messenger, TO_ANN)
    with pytest.raises(SendLimited):
        await send(messenger, TO_ANN)
    await send(messenger, in_chat(GROUP.id))

    assert len(server.messages(ANN.id)) == 2


@pytest.mark.parametrize("fault", [BLOCKED, CHAT_GONE, error(400, "Bad Request: not enough rights to send text")])
async def test_a_refusal_is_final(server: TelegramServer, messenger: Messenger, fault: Fault) -> None:
    """Blocked, gone or forbidden: Telegram will never take it."""
    server.fail_next("sendMessage", fault)

    with pytest.raises(SendRefused):
        await send(messenger, TO_ANN)


@pytest.mark.parametrize("fault", [CUT_AFTER, SERVER_ERROR_AFTER, GARBAGE, HANG_AFTER])
async def test_an_unclear_end_is_unknown(server: TelegramServer, hasty: Messenger, fault: Fault) -> None:
    """The person has the message although we got no answer to be understood: we do not claim otherwise."""
    server.fail_next("sendMessage", fault)

    with pytest.raises(SendUnknown):
        await send(hasty, TO_ANN)

    assert len(server.messages(ANN.id)) == 1


@pytest.mark.parametrize(
    "body",
    [b"null", b"[]", b"{}", b'{"ok":true}', b'{"ok":false}']
    + [b'{"ok":true,"result":%s}' % result for result in (b"null", b"true", b"[]", b"{}", b'"sent"')]
    + [
        b'{"ok":true,"result":{"message_id":5}}',
        b'{"ok":true,"result":{"message_id":null,"date":1,"chat":{"id":1,"type":"private"}}}',
    ],
)
async def test_an_ok_without_a_message_is_unknown(server: TelegramServer, messenger: Messenger, body: bytes) -> None:
    """The library fails on each of them in its own way; nothing but errors of ours comes out, with no word of it."""
    server.fail_next("sendMessage", Fault(how="raw", body=body, after_effect=True))

    with pytest.raises(SendUnknown, match=r"^no answer to be understood \(\w+\)$"):
        await send(messenger, TO_ANN)


@pytest.mark.parametrize("fault", [CUT_BEFORE, SERVER_ERROR, error(504, "Gateway Timeout")])
async def test_a_request_that_went_out_is_unknown(server: TelegramServer, messenger: Messenger, fault: Fault) -> None:
    """Seen from here, a cut or 5xx before the effect is the same as one after it."""
    server.fail_next("sendMessage", fault)

    with pytest.raises(SendUnknown):
        await send(messenger, TO_ANN)


async def test_no_connection_is_a_failure(server: TelegramServer, messenger: Messenger) -> None:
    """With nobody listening nothing was sent, and it works again afterwards."""
    await server.stop()

    with pytest.raises(SendFailed):
        await send(messenger, TO_ANN)

    await server.start()
    await send(messenger, TO_ANN)
    assert len(server.messages(ANN.id)) == 1


async def test_a_full_pool_is_a_failure(server: TelegramServer) -> None:
    """A send that got no connection of the pool was not made."""
    server.say("/start", user=ANN)
    server.fail_next("sendChatAction", HANG_AFTER, times=200)
    async with telegram_bot(token=server.token, api_url=server.api_url) as bot, asyncio.TaskGroup() as group:
        messenger = TelegramMessenger(bot, deadline=timedelta(minutes=2))
        tasks = [group.create_task(messenger.typing(TO_ANN)) for _ in range(96)]
        await server.wait_until(lambda: len(server.calls_of("sendChatAction")) == 96, "every connection taken")

        with pytest.raises(SendFailed):
            await send(messenger, TO_ANN)

        for task in tasks:
            task.cancel()


async def test_a_refused_token_is_a_failure(server: TelegramServer) -> None:
    """With a wrong token the message waits for the operator; it is not given up."""
    async with telegram_bot(token="424242:wrong", api_url=server.api_url) as bot:
        with pytest.raises(SendFailed) as caught:
            await send(TelegramMessenger(bot), TO_ANN)

    assert "wrong" not in str(caught.value)


async def test_a_proxys_refusal_is_not_final(messenger: Messenger, server: TelegramServer) -> None:
    """A 403 whose body is no Bot API answer comes from something in between: the message is not given up."""
    server.fail_next("sendMessage", Fault(how="page", status=403))

    with pytest.raises(SendUnknown):
        await send(messenger, TO_ANN)


async def test_refused_entities_cost_only_the_formatting(server: TelegramServer, messenger: Messenger) -> None:
    """If Telegram takes the text but not its entities, the person gets the plain text."""
    part = Part(text="Hello", entities=({"type": "bold", "offset": 0, "length": 500},))

    await send(messenger, TO_ANN, part)

    (sent,) = server.messages(ANN.id)
    assert (sent.text, sent.entities) == ("Hello", [])


async def test_a_group_that_moved_is_followed(server: TelegramServer, messenger: Messenger) -> None:
    """A group that became a supergroup gets the answer under its new id, without a quote of a stranger's message."""
    server.join(GROUP, ANN)
    server.migrate(GROUP.id, SUPERGROUP)

    await send(messenger, in_chat(GROUP.id, quote=1))

    assert [sent.reply_to for sent in server.messages(SUPERGROUP.id)] == [None]


async def test_typing_too_often_says_how_long(server: TelegramServer, messenger: Messenger) -> None:
    """It counts like a message: the answer would be refused next."""
    server.fail_next("sendChatAction", too_many_requests(3))

    with pytest.raises(SendLimited) as caught:
        await messenger.typing(TO_ANN)

    assert caught.value.retry_after == timedelta(seconds=3)


async def test_a_private_reply_that_is_limited_names_the_persons_chat(
    server: TelegramServer, messenger: Messenger
) -> None:
    """The group it was asked for in is not the one that must pause."""
    server.say("/start", user=ANN)
    server.fail_next("sendMessage", too_many_requests(3))

    with pytest.raises(SendLimited) as caught:
        await messenger.send(in_chat(GROUP.id, quote=1), Part(text="a receipt"), key="k", first=True, private=True)

    assert caught.value.channel == str(ANN.id)


@pytest.mark.parametrize(
    "fault", [BLOCKED, CUT_BEFORE, SERVER_ERROR, HANG_AFTER, GARBAGE, Fault(how="raw", body=b"null")]
)
async def test_typing_never_fails(server: TelegramServer, hasty: Messenger, fault: Fault) -> None:
    """The indicator is an ornament: whatever happens to it is nobody's concern."""
    server.fail_next("sendChatAction", fault)

    await hasty.typing(TO_ANN)

    assert len(server.calls_of("sendChatAction")) == 1


async def test_find_knows_nothing(messenger: Messenger) -> None:
    """Telegram lets no bot look for its own messages."""
    assert await messenger.find(TO_ANN, "turn/0") is None


async def test_sixty_four_sends_at_once_all_arrive(server: TelegramServer) -> None:
    """As many sends as there are workers share the pool without waiting for one another."""
    server.say("/start", user=ANN)
    async with telegram_bot(token=server.token, api_url=server.api_url) as bot, asyncio.TaskGroup() as group:
        messenger = TelegramMessenger(bot)
        for n in range(64):
            group.create_task(send(messenger, TO_ANN, Part(text=f"m{n}")))

    assert sorted(sent.text for sent in server.messages(ANN.id)) == sorted(f"m{n}" for n in range(64))


async def test_nothing_secret_is_logged(
    server: TelegramServer, messenger: Messenger, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the token nor the answer shows up in the log, whatever the level."""
    caplog.set_level(logging.DEBUG)
    server.fail_next("sendMessage", GARBAGE)

    with pytest.raises(SendUnknown):
        await send(messenger, TO_ANN, Part(text="my secret answer"))
    await send(messenger, TO_ANN, Part(text="my secret answer"))

    assert TOKEN not in caplog.text
    assert "secret answer" not in caplog.text


async def test_an_error_never_holds_the_token(server: TelegramServer) -> None:
    """Not even when the host does not exist."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        async with telegram_bot(token=server.token, api_url=f"http://127.0.0.1:{port}/") as bot:
            with pytest.raises(SendFailed) as caught:
                await send(TelegramMessenger(bot), TO_ANN)

    assert server.token not in str(caught.value)


async def test_every_call_keeps_the_contract(server: TelegramServer, messenger: Messenger) -> None:
    """All that the messenger asks is as the Bot API describes it, entities of every kind included."""
    contract = load_contract()
    question = server.message_id(server.say("@FrontDeskTestBot hi", user=ANN, chat=FORUM, topic=3))
    to = in_chat(FORUM.id, thread=3, quote=question)
    markdown = (
        "# T\n\n**b** *i* ~~s~~ `c` [l](https://a.example)\n\n> q\n\n```py\nx\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    )

    await messenger.typing(to)
    for part in messenger.format(markdown):
        await send(messenger, to, part)

    assert {call.method for call in server.calls} == {"sendChatAction", "sendMessage"}
    assert contract.problems(server.calls) == []

"""The test server is as strict as Telegram: what it refuses, how it delivers updates, and how it can fail."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import aiohttp
import pytest

from tests.adapters.telegram.fakes import ANN, FORUM, GROUP, LI, SUPERGROUP
from tests.servers.telegram import TelegramServer
from tests.servers.telegram_contract import Call, load_contract
from tests.servers.telegram_fault import CUT_AFTER, CUT_BEFORE, error

Ask = Callable[..., Coroutine[Any, Any, dict[str, Any]]]


@pytest.fixture
async def ask(server: TelegramServer) -> AsyncIterator[Ask]:
    """Call a method with a form, as the bot would; Ann's private chat is open."""
    server.say("/start", user=ANN)
    async with aiohttp.ClientSession() as session:

        async def call(method: str, token: str = server.token, **form: object) -> dict[str, Any]:
            fields = {name: value if isinstance(value, str) else json.dumps(value) for name, value in form.items()}
            async with session.post(f"{server.api_url}/bot{token}/{method}", data=fields) as answer:
                body: dict[str, Any] = await answer.json()
                assert body["ok"] is (answer.status == 200)
                return body

        yield call


def described(answer: dict[str, Any]) -> tuple[int, str]:
    """Code and description of a refusal."""
    return answer["error_code"], answer["description"]


async def test_only_the_bots_token_is_taken(ask: Ask) -> None:
    """Another token, a malformed one and an unknown method are told apart."""
    assert described(await ask("getMe", token="1:x")) == (401, "Unauthorized")
    assert described(await ask("getMe", token="x")) == (401, "Unauthorized: invalid token specified")
    assert described(await ask("getYou")) == (404, "Not Found: method not found")
    assert (await ask("getme"))["result"]["username"] == "FrontDeskTestBot"


@pytest.mark.parametrize(
    ("text", "description"),
    [
        ("", "message text is empty"),
        ("  \n", "text must be non-empty"),
        ("\u200b\u2060", "text must be non-empty"),
        ("x" * 4097, "message is too long"),
        ("😀" * 2049, "message is too long"),
        ("字" * 11000, "text is too long"),
    ],
)
async def test_texts_that_telegram_refuses(ask: Ask, text: str, description: str) -> None:
    """Empty and overlong texts are refused with Telegram's words; length counts in UTF-16 units."""
    assert described(await ask("sendMessage", chat_id=ANN.id, text=text)) == (400, f"Bad Request: {description}")


async def test_texts_at_the_limit_are_taken(ask: Ask) -> None:
    """4096 units after trimming fit."""
    assert (await ask("sendMessage", chat_id=ANN.id, text=" " + "😀" * 2048 + "\n"))["ok"]


@pytest.mark.parametrize(
    ("entity", "description"),
    [
        ("x", "can't parse MessageEntity: expected an Object"),
        ({"type": "bold", "length": 1}, "can't parse MessageEntity: Can't find field \"offset\""),
        ({"type": "sparkle", "offset": 0, "length": 1}, "can't parse MessageEntity: Unsupported type specified"),
        (
            {"type": "bold", "offset": 0, "length": 9},
            "entity beginning at UTF-16 offset 0 ends after the end of the text at UTF-16 offset 9",
        ),
        ({"type": "bold", "offset": 90, "length": 1}, "entity begins after the end of the text at UTF-16 offset 90"),
        ({"type": "bold", "offset": 1, "length": 1}, "entity begins in a middle of a UTF-16 symbol at byte offset 1"),
        (
            {"type": "text_link", "offset": 2, "length": 1, "url": "/x.md"},
            "entity URL '/x.md' is invalid: URL host is empty",
        ),
        (
            {"type": "text_link", "offset": 2, "length": 1, "url": "http://localhost"},
            "entity URL 'http://localhost' is invalid: Wrong HTTP URL",
        ),
    ],
)
async def test_entities_that_telegram_refuses(ask: Ask, entity: object, description: str) -> None:
    """An unfit entity costs the whole message."""
    answer = await ask("sendMessage", chat_id=ANN.id, text="😀abc", entities=[entity])

    assert described(answer) == (400, f"Bad Request: {description}")


async def test_entities_over_a_hundred_are_ignored(server: TelegramServer, ask: Ask) -> None:
    """They are no error; they just do not show."""
    entities = [{"type": "bold", "offset": n, "length": 1} for n in range(120)]

    await ask("sendMessage", chat_id=ANN.id, text="x" * 120, entities=entities)

    assert len(server.messages(ANN.id)[0].entities) == 100


async def test_chats_that_cannot_be_written_to(server: TelegramServer, ask: Ask) -> None:
    """Unknown, blocked, never opened, moved, and topics that do not exist."""
    server.say("hello", user=LI, chat=GROUP)
    server.join(FORUM)
    server.join(SUPERGROUP)
    server.block(ANN.id)

    async def refusal(chat: int, **more: object) -> tuple[int, str]:
        return described(await ask("sendMessage", chat_id=chat, text="x", **more))

    assert await refusal(-1) == (400, "Bad Request: chat not found")
    assert await refusal(ANN.id) == (403, "Forbidden: bot was blocked by the user")
    assert await refusal(LI.id) == (403, "Forbidden: bot can't initiate conversation with a user")
    assert await refusal(FORUM.id, message_thread_id=9) == (400, "Bad Request: message thread not found")
    assert await refusal(SUPERGROUP.id, reply_parameters={"message_id": 9}) == (
        400,
        "Bad Request: message to be replied not found",
    )
    server.migrate(GROUP.id, SUPERGROUP)
    moved = await ask("sendMessage", chat_id=GROUP.id, text="x")
    assert moved["parameters"] == {"migrate_to_chat_id": SUPERGROUP.id}


async def test_edits(server: TelegramServer, ask: Ask) -> None:
    """A message of the bot can be changed, but not into itself."""
    sent = (await ask("sendMessage", chat_id=ANN.id, text="one"))["result"]["message_id"]

    again = await ask("editMessageText", chat_id=ANN.id, message_id=sent, text="one ")
    await ask("editMessageText", chat_id=ANN.id, message_id=sent, text="two")
    unknown = await ask("editMessageText", chat_id=ANN.id, message_id=99, text="two")

    assert again["description"].startswith("Bad Request: message is not modified")
    assert unknown["description"] == "Bad Request: message to edit not found"
    assert [(message.text, message.edits) for message in server.messages(ANN.id)] == [("two", 1)]


async def test_updates_wait_until_an_offset_confirms_them(server: TelegramServer, ask: Ask) -> None:
    """Without a higher offset the same updates come again; with it they are gone."""
    start = server.unconfirmed[0]
    server.say("hi", user=ANN)

    first = (await ask("getUpdates"))["result"]
    again = (await ask("getUpdates", offset=start))["result"]
    rest = (await ask("getUpdates", offset=start + 1))["result"]

    assert [update["update_id"] for update in first] == [start, start + 1]
    assert again == first
    assert [update["update_id"] for update in rest] == [start + 1]
    assert (await ask("getUpdates", offset=start + 2))["result"] == []


async def test_a_long_poll_ends_with_the_first_update(server: TelegramServer, ask: Ask) -> None:
    """It waits for something to be said."""
    offset = server.unconfirmed[-1] + 1
    poll = asyncio.create_task(ask("getUpdates", offset=offset, timeout=30))
    await server.wait_until(lambda: not server.unconfirmed, "the poll has arrived")

    server.say("hi", user=ANN)

    assert [update["message"]["text"] for update in (await poll)["result"]] == ["hi"]


async def test_a_second_poll_ends_the_first(server: TelegramServer, ask: Ask) -> None:
    """The one that waited is turned away with 409."""
    offset = server.unconfirmed[-1] + 1
    first = asyncio.create_task(ask("getUpdates", offset=offset, timeout=30))
    await server.wait_until(lambda: not server.unconfirmed, "the first poll has arrived")

    second = asyncio.create_task(ask("getUpdates", offset=offset, timeout=1))

    assert described(await first)[0] == 409
    assert (await second)["result"] == []


async def test_allowed_updates_are_remembered(server: TelegramServer, ask: Ask) -> None:
    """The kinds asked for once hold for later polls that do not say."""
    await ask("getUpdates", offset=server.unconfirmed[-1] + 1, allowed_updates=["message"])
    server.say("changed", user=ANN, kind="edited_message")
    server.say("new", user=ANN)

    updates = (await ask("getUpdates"))["result"]

    assert [update["message"]["text"] for update in updates] == ["new"]


async def test_a_webhook_excludes_polling(server: TelegramServer, ask: Ask) -> None:
    """Until it is deleted."""
    server.set_webhook("https://old.example")

    refused = await ask("getUpdates")
    await ask("deleteWebhook")

    assert described(refused)[0] == 409
    assert (await ask("getUpdates"))["ok"]


async def test_connections_are_cut_before_or_after_the_effect(server: TelegramServer, ask: Ask) -> None:
    """Both look alike to the bot; only one sends the message."""
    server.fail_next("sendMessage", CUT_BEFORE, CUT_AFTER)

    for text in ("before", "after"):
        with pytest.raises(aiohttp.ClientError):
            await ask("sendMessage", chat_id=ANN.id, text=text)

    assert [sent.text for sent in server.messages(ANN.id)] == ["after"]


async def test_commands_are_checked(server: TelegramServer, ask: Ask) -> None:
    """Names are lower case, descriptions are not empty."""
    bad_name = await ask("setMyCommands", commands=[{"command": "Help", "description": "x"}])
    no_text = await ask("setMyCommands", commands=[{"command": "help", "description": ""}])
    await ask("setMyCommands", commands=[{"command": "help", "description": "x"}], language_code="zh")

    assert described(bad_name) == (400, "Bad Request: BOT_COMMAND_INVALID")
    assert described(no_text) == (400, "Bad Request: BOT_COMMAND_DESCRIPTION_INVALID")
    assert server.commands("zh") == [{"command": "help", "description": "x"}]


async def test_a_fault_of_a_chat_action(server: TelegramServer, ask: Ask) -> None:
    """Scripted errors are answered once, in turn, and recorded."""
    server.fail_next("sendChatAction", error(500, "Internal Server Error"))

    assert (await ask("sendChatAction", chat_id=ANN.id, action="typing"))["error_code"] == 500
    assert (await ask("sendChatAction", chat_id=ANN.id, action="typing"))["ok"]
    assert (await ask("sendChatAction", chat_id=ANN.id, action="dancing"))["error_code"] == 400
    assert [call.status for call in server.calls_of("sendChatAction")] == [500, 200, 400]


def test_the_contract_finds_what_is_wrong() -> None:
    """Unknown methods and parameters, missing ones and wrong types each get a sentence."""

    def call(method: str, **parameters: str) -> Call:
        return Call(method=method, parameters=parameters, status=200)

    problems = load_contract().problems(
        [
            call("sendMessage", chat_id="1", text="x", entities='[{"type":"bold","offset":0,"length":1}]'),
            call("sendMessages"),
            call("sendMessage", chat_id="1", texts="x"),
            call("getUpdates", timeout="soon", allowed_updates="message"),
            call("sendMessage", chat_id="1", text="x", entities='[{"type":"bold","offset":0}]'),
            call("setMyCommands", commands='[{"command":"a","description":"b"}]', scope='{"type":"default"}'),
        ]
    )

    assert problems == [
        "sendMessages: no such method",
        "sendMessage: unknown parameter texts",
        "sendMessage: text is missing",
        "getUpdates.timeout: 'soon' is no Integer",
        "getUpdates.allowed_updates: 'message' is no Array of String",
        'sendMessage.entities: \'[{"type":"bold","offset":0}]\' is no Array of MessageEntity',
    ]

"""What an answer was made from: links below it, /source, and follow-ups, through the platforms."""

from __future__ import annotations

import json

from bot.texts import Texts
from tests.process.conftest import World, text_of
from tests.servers.openai import ChatMessages
from tests.servers.telegram_chat import User

TEXTS = Texts.load()
ANN = User(id=1)
FEES = "# Fees\n\n## Transfers\n\nA transfer abroad costs 5 euros.\n"


async def test_a_source_is_named_shown_and_gone_with_its_document(world: World) -> None:
    """In Telegram by /source, in a Slack thread by !source; a slash command in a channel knows no thread."""
    documents = world.folder / "docs"
    documents.mkdir()
    (documents / "fees.md").write_text(FEES)
    settings = {"FRONTDESK_KNOWLEDGE__PATHS": json.dumps([str(documents)])}
    async with world.bot(world.platforms(), world.with_model(), world.unlimited(), settings):
        world.model.reply("5 euros. [1][9]")
        world.telegram.say("How much is a transfer abroad?", user=ANN)
        world.telegram.say("/source 1", user=ANN)
        world.telegram.say("/source 第九", user=ANN)
        answer, shown, unknown = await world.telegram.wait_messages(ANN.id, 3)
        thread = world.slack.say("C1", "U1", f"<@{world.slack.workspace.bot_user}> How much is a transfer abroad?")
        await world.slack.wait_until(lambda: world.slack.from_bot("C1", thread), "the answer")
        world.slack.say("C1", "U1", "!source 1", thread=thread)
        await world.slack.wait_until(lambda: len(world.slack.from_bot("C1", thread)) == 2, "the source")
        await world.slack.slash("C1", "U1", "/source", "1")
        await world.slack.wait_until(lambda: world.slack.ephemerals("C1", "U1"), "the hint")

    assert "[1] Fees › Transfers" in answer.text
    assert "[9]" not in answer.text
    assert shown.text.splitlines()[0] == "[1] Fees › Transfers"
    assert "A transfer abroad costs 5 euros." in shown.text
    assert unknown.text == TEXTS("source_unknown", "en", numbers="[1]")
    assert text_of(world.slack.from_bot("C1", thread)[1]).endswith("> A transfer abroad costs 5 euros.")
    assert TEXTS("source_thread", "en") in text_of(world.slack.ephemerals("C1", "U1")[0])


async def test_a_follow_up_is_written_out_for_the_search(world: World) -> None:
    """One small call before the one that answers; the person's words stay the last message of that one."""

    def reply(messages: ChatMessages) -> str:
        return "How much is a transfer abroad?" if "last_message" in messages[-1]["content"] else "5 euros. [1]"

    documents = world.folder / "docs"
    documents.mkdir()
    (documents / "fees.md").write_text(FEES)
    settings = {"FRONTDESK_KNOWLEDGE__PATHS": json.dumps([str(documents)])}
    async with world.bot(world.platforms(), world.with_model(), world.unlimited(), settings):
        world.model.reply(reply)
        world.telegram.say("How much is a savings account?", user=ANN)
        await world.telegram.wait_messages(ANN.id, 1)
        world.telegram.say("and the other thing?", user=ANN)
        await world.telegram.wait_messages(ANN.id, 2)

    assert [chat["messages"][0]["role"] for chat in world.model.chats] == ["system"] * 3
    assert "A transfer abroad costs 5 euros." in world.asked("and the other thing?")

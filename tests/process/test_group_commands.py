"""In groups: commands and who sees their receipts, topics, and people whom the operator did not allow."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.texts import Texts
from tests.process.conftest import World, opened_world
from tests.servers.telegram import USERNAME
from tests.servers.telegram_chat import Chat, User

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXTS = Texts.load()
ANN, BOB = User(id=1), User(id=2, first_name="Bob")
BOSS, CLERK = User(id=8, first_name="Boss"), User(id=9, first_name="Clerk")
"""Two admins: the boss has opened a private chat with the bot, the clerk never has."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town() -> AsyncIterator[World]:
    """One bot for all tests here; each test has a group or channel of its own."""
    async with opened_world() as world:
        admins = {"FRONTDESK_ADMINS__TELEGRAM": '["8", "9"]'}
        async with world.bot(world.platforms(), world.with_model(), world.unlimited(), admins):
            world.telegram.say("Hello", user=BOSS)
            await world.telegram.wait_messages(BOSS.id, 1)
            yield world


async def ask(world: World, question: str, user: User, chat: Chat, *, topic: int | None = None) -> str:
    """Somebody mentions the bot in a group and is answered; returns all that the model was given."""
    before = len(world.telegram.messages(chat.id))
    world.telegram.say(f"@{USERNAME} {question}", user=user, chat=chat, topic=topic)
    await world.telegram.wait_messages(chat.id, before + 1)
    assert world.telegram.messages(chat.id)[-1].text == f"You asked: {question}"
    return world.asked(question)


@pytest.mark.parametrize("command", ["/reset channel", f"/reset@{USERNAME} channel", f"@{USERNAME} /reset channel"])
async def test_an_admin_resets_the_whole_group(town: World, command: str) -> None:
    """However it is written, everybody's history in that group is gone; the admin alone hears of it, in private."""
    group = Chat(id=-100_100 - len(command), type="supergroup")
    await ask(town, "My code word is heron", ANN, group)
    await ask(town, "My code word is egret", BOB, group)
    told = len(town.telegram.messages(BOSS.id))
    town.telegram.say(command, user=BOSS, chat=group)
    receipts = await town.telegram.wait_messages(BOSS.id, told + 1)
    anns = await ask(town, f"Which word did I tell you before {command[-15:]}?", ANN, group)
    bobs = await ask(town, f"Which word is mine since {command[-15:]}?", BOB, group)

    assert receipts[-1].text == TEXTS("reset_channel_done", "en")
    assert "heron" not in anns
    assert "egret" not in bobs
    assert len(town.telegram.messages(group.id)) == 4


async def test_an_admin_forgets_a_person_by_replying_to_them(town: World) -> None:
    """/forget as a reply erases that person and nobody else; the receipt goes to the admin's private chat."""
    group = Chat(id=-100_200, type="supergroup")
    said = town.telegram.say(f"@{USERNAME} My code word is stork", user=ANN, chat=group)
    await town.telegram.wait_messages(group.id, 1)
    await ask(town, "My code word is crane", BOB, group)
    told = len(town.telegram.messages(BOSS.id))
    town.telegram.say("/forget", user=BOSS, chat=group, reply_to=town.telegram.message_id(said))
    receipts = await town.telegram.wait_messages(BOSS.id, told + 1)
    anns = await ask(town, "What did I just tell you?", ANN, group)
    bobs = await ask(town, "Which bird did I name?", BOB, group)

    assert receipts[-1].text == TEXTS("forget_person_done", "en")
    assert "stork" not in anns
    assert "crane" in bobs
    assert len(town.telegram.messages(group.id)) == 4


async def test_without_a_private_chat_the_group_sees_one_short_line(town: World) -> None:
    """Who never opened a chat with the bot gets the receipt where they are, without anybody's figures."""
    group = Chat(id=-100_300, type="supergroup")
    said = town.telegram.say(f"@{USERNAME} My code word is ibis", user=ANN, chat=group)
    await town.telegram.wait_messages(group.id, 1)
    town.telegram.say("/forget", user=CLERK, chat=group, reply_to=town.telegram.message_id(said))
    await town.telegram.wait_messages(group.id, 2)
    town.telegram.say("/reset", user=CLERK, chat=group)
    _, forgot, reset = await town.telegram.wait_messages(group.id, 3)

    assert forgot.text == TEXTS("forget_person_done", "en")
    assert reset.text == TEXTS("reset_done", "en")


async def test_who_is_no_admin_forgets_nobody(town: World) -> None:
    """/forget in reply to somebody else and `/reset channel` are refused, and everything stays."""
    group = Chat(id=-100_400, type="supergroup")
    nobody = User(id=77, first_name="Nobody")
    said = town.telegram.say(f"@{USERNAME} My code word is swan", user=ANN, chat=group)
    await town.telegram.wait_messages(group.id, 1)
    town.telegram.say("/forget", user=nobody, chat=group, reply_to=town.telegram.message_id(said))
    town.telegram.say("/reset channel", user=nobody, chat=group)
    refusals = (await town.telegram.wait_messages(group.id, 3))[1:]

    assert [sent.text for sent in refusals] == [TEXTS("admin_only", "en")] * 2
    assert "swan" in await ask(town, "Do you know my bird?", ANN, group)


async def test_other_bots_commands_are_left_to_them(town: World) -> None:
    """A bare unknown command in a group may be meant for another bot: silence; with our name we say what we know."""
    group = Chat(id=-100_500, type="supergroup")
    town.telegram.say("/weather", user=ANN, chat=group)
    town.telegram.say("/weather@SomeOtherBot", user=ANN, chat=group)
    town.telegram.say(f"/weather@{USERNAME}", user=ANN, chat=group)
    await town.telegram.wait_messages(group.id, 1)
    await ask(town, "Is it warm?", ANN, group)

    assert [sent.text for sent in town.telegram.messages(group.id)] == [
        TEXTS("unknown_command", "en", command="weather"),
        "You asked: Is it warm?",
    ]


async def test_every_topic_of_a_forum_is_a_conversation_of_its_own(town: World) -> None:
    """What one person said in one topic is not known in the next; replies go into the topic they belong to."""
    forum = Chat(id=-100_600, type="supergroup", is_forum=True)
    await ask(town, "My code word is robin", ANN, forum, topic=11)
    elsewhere = await ask(town, "What is my word in this topic?", ANN, forum, topic=22)
    here = await ask(town, "What was my word in here?", ANN, forum, topic=11)

    assert "robin" not in elsewhere
    assert "robin" in here
    assert [sent.thread for sent in town.telegram.messages(forum.id)] == [11, 22, 11]


async def test_a_basic_group_is_a_place_like_any_other(town: World) -> None:
    """No supergroup: its history is apart from the private chat, and each answer quotes its asker."""
    group = Chat(id=-700, type="group")
    carol = User(id=3, first_name="Carol")
    town.telegram.say("My code word is raven", user=carol)
    await town.telegram.wait_messages(carol.id, 1)
    first = await ask(town, "Which word did I tell you alone?", carol, group)
    second = await ask(town, "What have I asked before?", carol, group)

    assert "raven" not in first
    assert "Which word did I tell you alone?" in second
    assert all(sent.reply_to is not None for sent in town.telegram.messages(group.id))


async def test_slack_reset_as_a_slash_command_covers_the_channel(town: World) -> None:
    """A slash command carries no thread: all of the person's conversations in the channel go, other people's stay."""
    slack = town.slack
    name = f"<@{slack.workspace.bot_user}>"
    roots = [slack.say("C1", user, f"{name} My code word is {word}") for user, word in (("U1", "owl"), ("U2", "kite"))]
    await slack.wait_until(lambda: all(slack.from_bot("C1", root) for root in roots), "both answers")
    await slack.slash("C1", "U1", "/reset")
    await slack.wait_until(lambda: slack.ephemerals("C1", "U1"), "the receipt")
    slack.say("C1", "U1", "Do you still know my word?", roots[0])
    slack.say("C1", "U2", "And do you know mine?", roots[1])
    await slack.wait_until(lambda: all(len(slack.from_bot("C1", root)) == 2 for root in roots), "both follow-ups")

    assert slack.ephemerals("C1", "U1")[0]["text"] == TEXTS("reset_whole_channel_done", "en")
    assert "owl" not in town.asked("Do you still know my word?")
    assert "kite" in town.asked("And do you know mine?")


async def test_who_is_not_allowed_is_told_once_and_may_still_be_forgotten() -> None:
    """With a list of users, others get one notice, then silence; /forget works for them all the same."""
    async with opened_world() as world:
        access = {"FRONTDESK_ACCESS__TELEGRAM__USERS": f'["{ANN.id}"]'}
        async with world.bot(world.platforms(), world.with_model(), world.unlimited(), access):
            for question in ("Who are you?", "Anybody there?"):
                world.telegram.say(question, user=BOB)
            world.telegram.say("/forget", user=BOB)
            world.telegram.say("How are you?", user=ANN)
            refused = await world.telegram.wait_messages(BOB.id, 2)
            allowed = await world.telegram.wait_messages(ANN.id, 1)

        assert refused[0].text == TEXTS("not_allowed", "en")
        assert "erased everything" in refused[1].text
        assert len(world.telegram.messages(BOB.id)) == 2
        assert allowed[0].text == "You asked: How are you?"
        assert len(world.model.chats) == 1

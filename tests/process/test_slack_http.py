"""Slack in HTTP mode through the whole bot: Slack calls /slack/events instead of holding a socket open."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from bot.texts import Texts
from tests.process.conftest import World, opened_world, text_of
from tests.servers.slack_http import Answer

pytestmark = pytest.mark.asyncio(loop_scope="module")
TEXTS = Texts.load()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def office() -> AsyncIterator[World]:
    """One bot for all tests here, which Slack calls; each test has a channel of its own."""
    async with opened_world() as world:
        people = {"FRONTDESK_ACCESS__SLACK__USERS": '["U1", "U2", "U3", "U4"]'}
        settings = (world.platforms(), world.slack_over_http(), world.with_model(), world.unlimited(), people)
        async with world.bot(*settings) as bot:
            world.slack.events_url = f"{bot.url}/slack/events"
            yield world
        assert world.slack.event_failures == []
        assert world.slack.sockets.opened == 0


async def test_a_mention_opens_a_thread_for_the_person_who_called(office: World) -> None:
    """Their follow-up counts without a mention and is understood; what others say there is none of our business."""
    slack = office.slack
    root = slack.say("C1", "U1", f"<@{slack.workspace.bot_user}> My code word is heron")
    await slack.wait_until(lambda: slack.from_bot("C1", root), "an answer in the thread")
    slack.say("C1", "U2", "Nice code word, that.", root)
    slack.say("C1", "U1", "What was my code word?", root)
    await slack.wait_until(lambda: len(slack.from_bot("C1", root)) == 2, "the follow-up's answer")
    slack.say("C1", "U2", f"<@{slack.workspace.bot_user}> And what is mine?", root)
    await slack.wait_until(lambda: len(slack.from_bot("C1", root)) == 3, "an answer to the other, who called now")

    assert text_of(slack.from_bot("C1", root)[1]) == "You asked: What was my code word?"
    assert "heron" in office.asked("What was my code word?")
    assert office.asked("Nice code word, that.") == ""
    assert "heron" not in office.asked("And what is mine?")
    assert len(slack.from_bot("C1")) == 3


async def test_a_bang_command_in_a_thread(office: World) -> None:
    """`!reset` forgets the thread's conversation; only who gave it sees the receipt, in the thread."""
    slack = office.slack
    root = slack.say("C2", "U1", f"<@{slack.workspace.bot_user}> My code word is egret")
    await slack.wait_until(lambda: slack.from_bot("C2", root), "an answer in the thread")
    slack.say("C2", "U1", "!reset", root)
    await slack.wait_until(lambda: slack.ephemerals("C2", "U1"), "the receipt")
    slack.say("C2", "U1", "Which word did I tell you?", root)
    await slack.wait_until(lambda: len(slack.from_bot("C2", root)) == 2, "an answer")

    (receipt,) = slack.ephemerals("C2", "U1")
    assert (receipt["text"], receipt["thread_ts"]) == (TEXTS("reset_done", "en"), root)
    assert office.asked("Which word did I tell you?")
    assert "egret" not in office.asked("Which word did I tell you?")


async def test_a_slash_command_is_for_the_eyes_of_who_gave_it(office: World) -> None:
    """/forget is taken with an empty 200, erases, and its receipt is shown to that person alone."""
    slack = office.slack
    root = slack.say("C3", "U3", f"<@{slack.workspace.bot_user}> My code word is stork")
    await slack.wait_until(lambda: slack.from_bot("C3", root), "an answer in the thread")
    taken = await slack.slash("C3", "U3", "/forget")
    await slack.wait_until(lambda: slack.ephemerals("C3", "U3"), "the receipt")
    slack.say("C3", "U3", f"<@{slack.workspace.bot_user}> Which word was mine?", root)
    await slack.wait_until(lambda: len(slack.from_bot("C3")) == 2, "an answer")

    assert isinstance(taken, Answer)
    assert (taken.status, taken.text) == (200, "")
    assert slack.ephemerals("C3", "U3")[0]["text"] == TEXTS("forget_done_group", "en")
    assert office.asked("Which word was mine?")
    assert "stork" not in office.asked("Which word was mine?")


async def test_who_may_not_ask_sees_that(office: World) -> None:
    """A call at the top of a channel is refused for that person alone, where Slack shows it: no thread is open."""
    slack = office.slack
    slack.say("C5", "U5", f"<@{slack.workspace.bot_user}> May I come in?")
    await slack.wait_until(lambda: slack.ephemerals("C5", "U5"), "the refusal")

    assert [text_of(shown) for shown in slack.ephemerals("C5", "U5")] == [TEXTS("not_allowed", "en")]
    assert slack.from_bot("C5") == []


async def test_only_slack_itself_is_heard(office: World) -> None:
    """Slack's handshake gets its challenge back; an old or forged request gets 401 and nobody is answered."""
    slack = office.slack
    shaken = await slack.post({"type": "url_verification", "challenge": "c-3eZbrw1aB", "token": "verification"})
    message = slack.workspace.person_message("D4", "U4", "Let me in", thread=None, files=(), broadcast=False)
    (event,) = slack.workspace.message_events("D4", message)
    stale = await slack.post(event, signing="stale")
    forged = await slack.post(event, signing="wrong secret")
    slack.say("D4", "U4", "How are you?")
    await slack.wait_until(lambda: slack.from_bot("D4"), "an answer to the real one")

    assert (shaken.status, "c-3eZbrw1aB" in shaken.text) == (200, True)
    assert (stale.status, forged.status) == (401, 401)
    assert [text_of(sent) for sent in slack.from_bot("D4")] == ["You asked: How are you?"]
    assert office.asked("Let me in") == ""

"""What goes wrong on the road: platforms that refuse or hang up, processes that die, a model that takes its time."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import groupby

from bot.texts import Texts
from tests.process.conftest import World, text_of
from tests.process.test_crowd import echo
from tests.servers.openai import ChatMessages
from tests.servers.slack import Fault
from tests.servers.telegram import USERNAME
from tests.servers.telegram_chat import Chat, User
from tests.servers.telegram_fault import CUT_AFTER, CUT_BEFORE, too_many_requests

TEXTS = Texts.load()
ANN, BOB = User(id=1), User(id=2, first_name="Bob")


async def test_a_pause_that_telegram_asks_for_is_kept(world: World) -> None:
    """429 with a wait: nobody's answer goes into that group meanwhile, then each goes out once; other chats go on."""
    group = Chat(id=-100_100, type="supergroup")
    world.telegram.fail_next("sendMessage", too_many_requests(2))
    async with world.bot(world.platforms(), world.with_model(), world.unlimited()):
        world.telegram.say(f"@{USERNAME} How much is a transfer?", user=ANN, chat=group)
        await world.telegram.wait_until(lambda: len(world.telegram.calls_of("sendMessage")) == 1, "the refusal")
        world.telegram.say(f"@{USERNAME} What is a loan?", user=BOB, chat=group)
        await world.telegram.wait_until(lambda: len(world.model.chats) == 2, "the second answer is made")
        world.telegram.say("And a card?", user=ANN)
        await world.telegram.wait_messages(group.id, 2)

    went_to = [int(call.parameters["chat_id"]) for call in world.telegram.calls_of("sendMessage")]
    assert went_to == [group.id, ANN.id, group.id, group.id]
    answers = sorted(sent.text for sent in world.telegram.messages(group.id))
    assert answers == ["You asked: How much is a transfer?", "You asked: What is a loan?"]
    assert len(world.model.chats) == 3


async def test_a_connection_that_breaks_while_sending_costs_no_answer(world: World) -> None:
    """Cut before the effect: the answer comes later, once. Cut after it: Telegram cannot be asked, so twice at most."""
    async with world.bot(world.platforms(), world.with_model(), world.unlimited()):
        world.telegram.fail_next("sendMessage", CUT_BEFORE, CUT_AFTER)
        world.telegram.say("How much is a transfer?", user=ANN)
        await world.telegram.wait_until(lambda: len(world.telegram.calls_of("sendMessage")) == 1, "the first cut")
        world.telegram.say("What is a loan?", user=BOB)
        await world.telegram.wait_until(lambda: len(world.telegram.calls_of("sendMessage")) == 4, "both sent again")
        world.telegram.say("Thanks.", user=BOB)
        to_bob = await world.telegram.wait_messages(BOB.id, 3)

    assert [sent.text for sent in world.telegram.messages(ANN.id)] == ["You asked: How much is a transfer?"]
    assert [sent.text for sent in to_bob] == ["You asked: What is a loan?"] * 2 + ["You asked: Thanks."]
    assert len(world.model.chats) == 3


async def test_a_post_that_slack_took_in_silence_is_found_again(world: World) -> None:
    """The connection breaks after Slack has the post: it is found by its metadata, and nothing is posted twice."""
    world.slack.fail("chat.postMessage", Fault(cut="after"))
    async with world.bot(world.platforms(), world.with_model(), world.unlimited()):
        world.slack.say("D1", "U1", "How much is a transfer?")
        await world.slack.wait_until(lambda: world.slack.calls("conversations.history"), "it is looked for")
        world.slack.say("D1", "U1", "And a card?")
        await world.slack.wait_until(lambda: len(world.slack.from_bot("D1")) == 2, "the next answer")

    said = [text_of(sent) for sent in world.slack.from_bot("D1")]
    assert said == ["You asked: How much is a transfer?", "You asked: And a card?"]
    assert len(world.slack.calls("chat.postMessage")) == 2


async def test_a_socket_that_breaks_while_we_answer(world: World) -> None:
    """Slack cuts the socket, brings the event again over the next, and refreshes that: one answer to each message."""
    answering = asyncio.Event()

    async def answer_later(messages: ChatMessages) -> str:
        await answering.wait()
        return echo(messages)

    world.model.reply(answer_later)
    slack = world.slack
    async with world.bot(world.platforms(), world.with_model(), world.unlimited()):
        slack.say("D1", "U1", "How much is a transfer?")
        await slack.wait_until(lambda: world.model.chats, "the model is asked")
        slack.sockets.cut()
        (event,) = slack.workspace.message_events("D1", slack.messages("D1")[0])
        again = await slack.sockets.deliver_event(event)
        answering.set()
        await slack.sockets.disconnect("refresh_requested", close=True)
        slack.say("D1", "U1", "How much is a debit card?")
        await slack.wait_until(lambda: len(slack.from_bot("D1")) >= 2, "both answers")

    assert again is not None
    assert [text_of(sent) for sent in slack.from_bot("D1")] == [
        "You asked: How much is a transfer?",
        "You asked: How much is a debit card?",
    ]
    assert len(world.model.chats) == 2


async def test_a_kill_in_the_middle_of_a_long_answer(world: World) -> None:
    """After the restart the rest of the same answer follows, in order, and the model is not asked again."""
    words = " ".join(f"word{number:05d}" for number in range(3000))
    world.model.reply(words)
    slowly = {"FRONTDESK_TELEGRAM__OUTBOUND_CHAT": "4/second", "FRONTDESK_TELEGRAM__OUTBOUND_CHAT_BURST": "1"}
    bot = world.bot(world.platforms(), world.with_model(), world.unlimited(), slowly)
    async with bot:
        world.telegram.say("Tell me everything", user=ANN)
        await world.telegram.wait_messages(ANN.id, 3)
        await bot.kill()
        before = len(world.telegram.messages(ANN.id))
        await bot.start()
        await world.telegram.wait_until(
            lambda: world.telegram.messages(ANN.id)[-1].text.endswith("word02999"), "the last part"
        )

    parts = [sent.text for sent in world.telegram.messages(ANN.id)]
    assert before < 8
    assert " ".join(part for part, _ in groupby(parts)) == words
    assert len(parts) <= 8 + 1
    assert len(world.model.chats) == 1


async def test_a_turn_longer_than_its_lease_is_asked_once(world: World) -> None:
    """A model that takes longer than a lease keeps its conversation: nobody takes it over, the model is paid once."""

    async def answer_late(messages: ChatMessages) -> str:
        await asyncio.sleep(5)
        return echo(messages)

    world.model.reply(answer_late)
    async with world.bot(world.platforms(), world.with_model(), world.unlimited(), {"FRONTDESK_INBOX__LEASE": "2s"}):
        world.telegram.say("How much is a transfer?", user=ANN)
        await world.telegram.wait_messages(ANN.id, 1)
        world.telegram.say("/help", user=ANN)
        sent = await world.telegram.wait_messages(ANN.id, 2)

    assert sent[0].text == "You asked: How much is a transfer?"
    assert sent[1].text.startswith(TEXTS("help", "en")[:20])
    assert len(world.model.chats) == 1


async def test_who_waits_long_is_kept_company(world: World) -> None:
    """While the model thinks the person sees typing, after ten seconds a word, and then the answer."""

    async def answer_late(messages: ChatMessages) -> str:
        await asyncio.sleep(11)
        return echo(messages)

    world.model.reply(answer_late)
    async with world.bot(world.platforms(), world.with_model(), world.unlimited()):
        world.telegram.say("多久能到账？", user=ANN)
        world.slack.say("D1", "U1", "How long does it take?")
        sent = await world.telegram.wait_messages(ANN.id, 2)
        await world.slack.wait_until(lambda: len(world.slack.from_bot("D1")) == 2, "the answer in Slack")

    assert len(world.telegram.actions(ANN.id)) >= 3
    assert [message.text for message in sent] == [TEXTS("waiting", "zh"), "You asked: 多久能到账？"]
    in_slack = [text_of(message) for message in world.slack.from_bot("D1")]
    assert in_slack == [TEXTS("waiting", "en"), "You asked: How long does it take?"]
    assert world.slack.api.statuses[0]["status"]


async def test_an_embedded_redis_that_is_killed_while_people_write_loses_nothing(world: World) -> None:
    """Three times in a row: each message on either platform is answered once, and the model is asked once for it."""
    people, kills = range(60, 66), 3
    async with world.bot(world.platforms(), world.with_model(), world.unlimited()) as bot:
        for number in range(kills):
            for person in people:
                world.telegram.say(f"How much is t{person}n{number}?", user=User(id=person))
                world.slack.say(f"D{person}", f"U{person}", f"How much is s{person}n{number}?")
            before = len(world.model.chats)
            await world.telegram.wait_until(
                lambda before=before: len(world.model.chats) > before,  # type: ignore[misc]
                "the first is asked",
            )
            bot.kill_redis()
            for person in people:
                await world.telegram.wait_messages(person, number + 1)
                await world.slack.wait_until(
                    lambda channel=f"D{person}", most=number: len(world.slack.from_bot(channel)) > most,  # type: ignore[misc]
                    "the answer in Slack",
                )
            await bot.wait_ready()
        said = bot.said()

    for person in people:
        expected = [f"You asked: How much is {{}}{person}n{number}?" for number in range(kills)]
        assert [sent.text for sent in world.telegram.messages(person)] == [one.format("t") for one in expected]
        assert [text_of(sent) for sent in world.slack.from_bot(f"D{person}")] == [one.format("s") for one in expected]
    asked = Counter(chat["messages"][-1]["content"] for chat in world.model.chats)
    assert {asked[f"How much is {p}{person}n{n}?"] for p in "ts" for person in people for n in range(kills)} == {1}
    assert said.count("starting it again") == kills
    assert "Traceback" not in said


async def test_an_embedded_redis_that_dies_is_started_again_and_nobody_is_forgotten(world: World) -> None:
    """Killed while ten wait for the model: each is answered once, and so is who writes right after it."""
    answering = asyncio.Event()

    async def answer_later(messages: ChatMessages) -> str:
        await answering.wait()
        return echo(messages)

    world.model.reply(answer_later)
    bot = world.bot(world.platforms(), world.with_model(), world.unlimited())
    people = [User(id=30 + number) for number in range(10)]
    late = User(id=50)
    async with bot:
        for person in people:
            world.telegram.say(f"Question of {person.id}", user=person)
        await world.telegram.wait_until(lambda: len(world.model.chats) >= len(people), "the model is asked")
        bot.kill_redis()
        world.telegram.say(f"Question of {late.id}", user=late)
        answering.set()
        for person in (*people, late):
            await world.telegram.wait_messages(person.id, 1)
        await bot.wait_ready()
        said = bot.said()

    assert "the embedded Redis ended by itself (exit code -9); starting it again" in said
    assert "Traceback" not in said
    for person in (*people, late):
        assert [sent.text for sent in world.telegram.messages(person.id)] == [f"You asked: Question of {person.id}"]

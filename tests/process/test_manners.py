"""What a person sees: commands, limits, changed documents, long answers, faults, and an orderly end."""

from __future__ import annotations

import asyncio
import json
import time

import aiohttp
import pytest

from bot.message import MessageId, turn_id
from bot.texts import Texts
from tests.process.conftest import World, text_of
from tests.process.page import PageVisitor
from tests.process.running import frontdesk
from tests.servers.openai import ChatMessages, Status
from tests.servers.redis import redis_server
from tests.servers.redis_node import free_ports
from tests.servers.telegram_chat import Chat, User

TEXTS = Texts.load()
ANN, BOB = User(id=1), User(id=2, first_name="Bob")


async def test_commands_for_everyone_and_for_admins(world: World) -> None:
    """/reset and /forget forget; `/reset channel` is refused to who is no admin, and done for who is."""
    settings = {"FRONTDESK_ADMINS__TELEGRAM": '["2"]'}
    async with world.bot(world.platforms(), world.with_model(), world.unlimited(), settings):
        world.telegram.say("My favourite bird is the heron", user=ANN)
        await world.telegram.wait_messages(ANN.id, 1)
        world.telegram.say("/reset", user=ANN)
        world.telegram.say("What is my favourite bird?", user=ANN)
        sent = await world.telegram.wait_messages(ANN.id, 3)
        world.telegram.say("/reset channel", user=ANN)
        world.telegram.say("/forget", user=ANN)
        sent = await world.telegram.wait_messages(ANN.id, 5)
        world.telegram.say("/reset channel", user=BOB)
        by_admin = await world.telegram.wait_messages(BOB.id, 1)

    assert sent[1].text == TEXTS("reset_done", "en")
    assert "heron" not in str(world.model.chats[-1])
    assert sent[3].text == TEXTS("admin_only", "en")
    assert "erased everything" in sent[4].text
    assert by_admin[0].text == TEXTS("reset_channel_done", "en")


async def test_the_limiter_speaks_once_and_in_the_asker_s_language(world: World) -> None:
    """The third message of a window is refused with the wait; the fourth in silence; others are not touched."""
    settings = {"FRONTDESK_LIMITS__MESSAGES": '["2/hour"]'}
    async with world.bot(world.platforms(), settings):
        for _ in range(4):
            world.telegram.say("转账要多少钱？", user=ANN)
        world.telegram.say("How much is a transfer?", user=BOB)
        await world.telegram.wait_messages(BOB.id, 1)
        sent = await world.telegram.wait_messages(ANN.id, 3)
        world.telegram.say("/help", user=ANN)
        sent = await world.telegram.wait_messages(ANN.id, 4)

    assert "60 分钟" in sent[2].text
    assert sent[3].text.startswith(TEXTS("help", "zh")[:5]) or sent[3].text.startswith(TEXTS("help", "en")[:5])
    assert len(world.telegram.messages(ANN.id)) == 4


async def test_a_changed_document_changes_the_answer_at_once(world: World) -> None:
    """The same question after a re-ingest is answered from the new text, by the very next message."""
    from bot.app import ingest
    from bot.config import load

    documents = world.folder / "docs"
    documents.mkdir()
    (documents / "fees.md").write_text("# Fees\n\nA quick transfer costs 5 euros per order.\n")
    settings = {
        "FRONTDESK_KNOWLEDGE__PATHS": f'["{documents}"]',
        "FRONTDESK_REDIS__DATA_DIR": str(world.folder / "data"),
    }
    async with world.bot(world.platforms(), world.unlimited(), settings):
        world.telegram.say("How much does a quick transfer cost?", user=ANN)
        await world.telegram.wait_messages(ANN.id, 1)
        world.telegram.say("How much does a quick transfer cost?", user=BOB)
        await world.telegram.wait_messages(BOB.id, 1)
        (documents / "fees.md").write_text("# Fees\n\nA quick transfer costs 9 euros per order.\n")
        await ingest(load(None, settings), [documents], lambda _: None)
        world.telegram.say("How much does a quick transfer cost?", user=User(id=3))
        sent = await world.telegram.wait_messages(3, 1)

    assert "5 euros" in world.telegram.messages(BOB.id)[0].text
    assert "9 euros" in sent[0].text
    assert "5 euros" not in sent[0].text


async def test_yesterday_s_messages_get_one_apology_and_are_not_answered(world: World) -> None:
    """After an outage: one sentence for the conversation; a command of yesterday is done, today's question answered."""
    yesterday = int(time.time()) - 86_400
    for text in ("How much is a transfer?", "Hello?", "/reset", "Is anybody there?"):
        world.telegram.say(text, user=ANN, date=yesterday)
    async with world.bot(world.platforms(), world.with_model(), world.unlimited()):
        world.telegram.say("What is a transfer?", user=ANN)
        sent = await world.telegram.wait_messages(ANN.id, 3)

    assert [message.text for message in sent[:2]] == [TEXTS("late", "en"), TEXTS("reset_done", "en")]
    assert world.asked("What is a transfer?")
    assert not world.asked("How much is a transfer?")
    assert len(sent) == 3


async def test_a_long_answer_arrives_whole(world: World) -> None:
    """30,000 characters reach Telegram and Slack in parts, in order, with nothing left out."""
    words = " ".join(f"word{number:05d}" for number in range(3000))
    world.model.reply(words)
    async with world.bot(world.platforms(), world.with_model(), world.unlimited()):
        world.telegram.say("Tell me everything", user=ANN)
        world.slack.say("D1", "U1", "Tell me everything")
        await world.telegram.wait_until(
            lambda: "word02999" in "".join(sent.text for sent in world.telegram.messages(ANN.id)), "the last word"
        )
        await world.slack.wait_until(lambda: "word02999" in str(world.slack.from_bot("D1")), "the last word")

    in_telegram = " ".join(sent.text for sent in world.telegram.messages(ANN.id))
    in_slack = " ".join(text_of(m) for m in world.slack.from_bot("D1"))
    assert in_telegram.split() == words.split()
    assert in_slack.split() == words.split()


async def test_with_the_model_down_people_get_quotes_and_are_told(world: World) -> None:
    """A model that answers 500 is no silence: the passage comes, with a line saying why."""
    world.model.always = Status(500)
    async with world.bot(world.platforms(), world.with_model(timeout="3s"), world.unlimited(), world.samples()):
        world.telegram.say("How much does a transfer to another bank cost?", user=ANN)
        sent = await world.telegram.wait_messages(ANN.id, 1)

    assert TEXTS("model_away", "en") in sent[0].text


async def test_pictures_get_one_sentence_and_groups_are_left_alone(world: World) -> None:
    """A sticker is answered in words; in a group only who mentions us hears anything."""
    group = Chat(id=-100777, type="supergroup")
    async with world.bot(world.platforms(), world.unlimited()):
        world.telegram.say(user=ANN, media="sticker")
        world.telegram.say("just chatting", user=BOB, chat=group)
        world.telegram.say(f"@{world.telegram.me.username} how much is a transfer?", user=BOB, chat=group)
        sticker = await world.telegram.wait_messages(ANN.id, 1)
        in_group = await world.telegram.wait_messages(group.id, 1)
        await world.telegram.wait_confirmed()

    assert sticker[0].text == TEXTS("cannot_read_sticker", "en")
    assert len(in_group) == 1
    assert in_group[0].reply_to is not None


async def test_metrics_and_health_tell_what_happened(world: World) -> None:
    """After one answer the counters show it, and no token, name or text is on the page or in the log."""
    settings = {"FRONTDESK_LOGGING__FORMAT": "json", "FRONTDESK_LOGGING__LEVEL": "debug"}
    bot = world.bot(world.platforms(), world.with_model(), world.unlimited(), settings)
    async with bot:
        world.telegram.say("How much is a nightingale transfer?", user=ANN)
        await world.telegram.wait_messages(ANN.id, 1)
        async with aiohttp.ClientSession() as http:
            metrics = await (await http.get(f"{bot.url}/metrics")).text()
            health = await (await http.get(f"{bot.url}/healthz")).json()

    assert health == {"status": "alive"}
    assert 'platform="telegram"' in metrics
    for word in ("nightingale", world.telegram.token, world.slack.bot_token, world.slack.app_token, world.model.key):
        assert word not in metrics
        assert word not in bot.said()


async def test_the_log_tells_how_each_turn_ended(world: World) -> None:
    """With logging.format json, an answered message leaves a line with its turn, its outcome and the time it took."""
    bot = world.bot(world.platforms(), world.with_model(), world.unlimited(), {"FRONTDESK_LOGGING__FORMAT": "json"})
    async with bot:
        update = world.telegram.say("How much is a transfer?", user=ANN)
        await world.telegram.wait_messages(ANN.id, 1)

    lines = [json.loads(line) for line in bot.said().splitlines() if line.startswith("{")]
    (ended,) = [line for line in lines if "outcome" in line]
    assert ended["turn"] == turn_id(MessageId(f"telegram:{world.telegram.me.id}:{update}"))
    assert ended["outcome"] == "answered"
    assert ended["seconds"] >= 0


@pytest.mark.timeout(120)
async def test_sigterm_in_mid_turn_answers_once(world: World) -> None:
    """Who waits for an answer when the bot is stopped gets exactly one, and the bot ends with 0."""
    answering = asyncio.Event()

    async def answer_later(messages: ChatMessages) -> str:
        await answering.wait()
        return "Five euros."

    world.model.reply(answer_later)
    bot = world.bot(world.platforms(), world.with_model(), world.unlimited())
    async with bot:
        world.telegram.say("How much is a transfer?", user=ANN)
        await world.telegram.wait_until(lambda: bool(world.model.chats), "the model is asked")
        stopping = asyncio.create_task(bot.stop())
        answering.set()
        code = await stopping
        await bot.start()
        world.telegram.say("And a card?", user=BOB)
        await world.telegram.wait_messages(BOB.id, 1)

    assert code == 0
    assert len(world.telegram.messages(ANN.id)) == 1


async def test_a_taken_port_ends_the_bot_with_a_sentence(world: World) -> None:
    """Each time, whatever is still starting when it turns out; a bot that cannot run must not look as if it did."""
    async with await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]
        for _ in range(3):
            ended = await frontdesk(world.folder, {"FRONTDESK_SERVER__PORT": str(port)}, "serve")

            assert ended.code == 1
            assert f"127.0.0.1:{port} is taken by another program" in ended.errors


async def test_a_bot_that_starts_before_its_redis_waits_for_it(world: World) -> None:
    """As after a power cut, when nobody says who comes first; to be stopped meanwhile is no failure."""
    with free_ports(1) as ports:
        pass
    bot = world.bot({"REDIS_URL": f"redis://127.0.0.1:{ports[0]}"})
    stopped = asyncio.create_task(bot.start())
    await world.telegram.wait_until(lambda: bot.output.exists() and "Waiting for it" in bot.said(), "it waits")
    codes = [await bot.stop()]
    with pytest.raises(AssertionError, match="the bot ended"):
        await stopped
    starting = asyncio.create_task(bot.start())
    await world.telegram.wait_until(lambda: bot.said().count("Waiting for it") == 2, "it waits again")
    (world.folder / "redis").mkdir()
    with redis_server(world.folder / "redis", "--port", str(ports[0])):
        await starting
        codes.append(await bot.stop())

    assert codes == [0, 0]


async def test_the_page_resends_without_doubling(world: World) -> None:
    """The same post twice, as after a lost connection, is one message and one reply."""
    async with world.bot(world.unlimited()) as bot, PageVisitor(bot.url) as page:
        for _ in range(2):
            await page.post("How much is a transfer?", message_id="3f0c6d9e-0000-4000-8000-000000000001")
        await page.next_reply()
        await page.ask("/help")

    assert len(page.replies) == 2

"""The whole road, as `make run` starts it: three ways to ask, two languages, a kill, and what was said before."""

from __future__ import annotations

import pytest

from tests.process.conftest import World, text_of
from tests.process.page import PageVisitor
from tests.process.running import Bot
from tests.servers.telegram_chat import User

ANN = User(id=1001, first_name="Ann")
LI = User(id=1002, first_name="Li", language_code="zh-hans")
ENGLISH = "How much does a transfer to another bank cost?"
CHINESE = "银行卡丢了怎么办？"


@pytest.mark.timeout(240)
async def test_make_run_answers_everywhere_and_remembers_after_a_kill(world: World) -> None:
    """English and Chinese through page, Telegram and Slack, with text and source; then `kill -9`, start, follow up."""
    bot = Bot(world.folder, {**world.platforms(), **world.unlimited()}, command=["make", "run"])
    async with bot, PageVisitor(bot.url) as page:
        for question, title, words in ((CHINESE, "挂失", "没有"), (ENGLISH, "Transfers", "No language model")):
            assert_answer(await page.ask(question), title, words)

        world.telegram.say(ENGLISH, user=ANN)
        world.telegram.say(CHINESE, user=LI)
        root = world.slack.say("C1", "U1", f"<@{world.slack.workspace.bot_user}> {ENGLISH}")
        world.slack.say("D1", "U2", CHINESE)
        english = await world.telegram.wait_messages(ANN.id)
        chinese = await world.telegram.wait_messages(LI.id)
        assert_answer(english[0].text, "Transfers", "No language model")
        assert_answer(chinese[0].text, "挂失", "没有")
        await world.slack.wait_until(lambda: world.slack.from_bot("C1", root), "an answer in the thread")
        await world.slack.wait_until(lambda: world.slack.from_bot("D1"), "an answer in the DM")
        assert_answer(text_of(world.slack.from_bot("C1", root)[0]), "Transfers", "No language model")
        assert_answer(text_of(world.slack.from_bot("D1")[0]), "挂失", "没有")

        await bot.kill()
        await bot.start()
        page.move(bot.url)

        assert "Transfers" in await page.ask("And how long does it take?")
        world.telegram.say("And how long does it take?", user=ANN)
        follow_up = (await world.telegram.wait_messages(ANN.id, 2))[1]
        assert "Transfers" in follow_up.text
        world.telegram.say("那要多久才能办好？", user=LI)
        in_chinese = (await world.telegram.wait_messages(LI.id, 2))[1]
        assert "挂失" in in_chinese.text
        world.slack.say("C1", "U1", "and how long does it take?", root)
        await world.slack.wait_until(lambda: len(world.slack.from_bot("C1", root)) == 2, "a follow-up in the thread")
        assert "Transfers" in text_of(world.slack.from_bot("C1", root)[1])


def assert_answer(text: str, title: str, line: str) -> None:
    """The text names its source and says that no model is set up."""
    assert title in text
    assert line in text

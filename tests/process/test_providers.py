"""Several model providers: the next one answers, and one that hangs stops nobody whose answer is stored."""

from __future__ import annotations

import json

from tests.process.conftest import World
from tests.servers.openai import Hang, OpenAiServer, Status
from tests.servers.telegram_chat import User

ANN = User(id=1)


async def test_the_next_provider_answers_and_its_answer_is_not_kept_for_others(world: World) -> None:
    """The first one's key is not the second one's; when the first is back, it answers again."""
    async with OpenAiServer() as second:
        second.reply("From the second.")
        world.model.always = Status(500)
        providers = [
            {"name": name, "base_url": server.base_url, "model": "test-model", "timeout": "5s", "api_key_env": variable}
            for name, server, variable in (("one", world.model, "KEY_ONE"), ("two", second, "KEY_TWO"))
        ]
        settings = {
            "FRONTDESK_LLM__PROVIDERS": json.dumps(providers),
            "KEY_ONE": world.model.key,
            "KEY_TWO": second.key,
        }
        async with world.bot(world.platforms(), world.unlimited(), settings):
            world.telegram.say("How much is a transfer?", user=ANN)
            by_second = await world.telegram.wait_messages(ANN.id, 1)
            world.model.always = None
            world.model.reply("From the first.")
            world.telegram.say("How much is a transfer?", user=User(id=2))
            by_first = await world.telegram.wait_messages(2, 1)

    assert "From the second." in by_second[0].text
    assert "From the first." in by_first[0].text


async def test_hung_turns_stop_nobody_whose_answer_is_stored(world: World) -> None:
    """As many people ask as there are workers, and the model hangs; who asks what is known is answered meanwhile."""
    world.model.reply("Five euros.")
    settings = {"FRONTDESK_WORKERS__CONCURRENCY": "8"}
    async with world.bot(world.platforms(), world.with_model(timeout="300s"), world.unlimited(), settings):
        world.telegram.say("How much is a transfer?", user=ANN)
        await world.telegram.wait_messages(ANN.id, 1)
        world.model.always = Hang()
        for number in range(20):
            world.telegram.say(f"Question {number} about cards?", user=User(id=100 + number))
        await world.telegram.wait_until(lambda: len(world.model.chats) >= 5, "four calls that hang")
        world.telegram.say("How much is a transfer?", user=User(id=2))
        sent = await world.telegram.wait_messages(2, 1)
        hung = len(world.model.chats) - 1
        world.model.always = None

    assert "Five euros." in sent[0].text
    assert hung == 4

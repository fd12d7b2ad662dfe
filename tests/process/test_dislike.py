"""A thumb down on an answer, through both platforms: the answer is given to nobody any more."""

from __future__ import annotations

import itertools

import pytest

from tests.process.conftest import World
from tests.servers.telegram_chat import User

ANN = User(id=1)
QUESTION = "How much does a transfer to another bank cost?"
_others = itertools.count(100)


async def asked_anew(world: World, *, patiently: bool) -> bool:
    """Whether the model is asked when another person puts the question; `patiently`: within twenty of them."""
    for _ in range(20 if patiently else 1):
        before = len(world.model.chats)
        other = User(id=next(_others))
        world.telegram.say(QUESTION, user=other)
        await world.telegram.wait_messages(other.id, 1)
        if len(world.model.chats) > before:
            return True
    return False


@pytest.mark.parametrize("platform", ["telegram", "slack", "words"])
async def test_a_disliked_answer_is_made_anew(world: World, platform: str) -> None:
    """By a reaction in Telegram or Slack, which gets no words, or by a thumb down as a message."""
    async with world.bot(world.platforms(), world.with_model(), world.unlimited()):
        if platform == "slack":
            world.slack.say("D1", "U1", QUESTION)
            await world.slack.wait_until(lambda: world.slack.from_bot("D1"), "an answer")
        else:
            world.telegram.say(QUESTION, user=ANN)
            await world.telegram.wait_messages(ANN.id, 1)
        reused = not await asked_anew(world, patiently=False)
        if platform == "slack":
            world.slack.react("D1", str(world.slack.from_bot("D1")[0]["ts"]), "U1", "-1")
        elif platform == "telegram":
            world.telegram.react(ANN.id, world.telegram.messages(ANN.id)[0].message_id, "👎", user=ANN)
        else:
            world.telegram.say("👎", user=ANN)
            await world.telegram.wait_messages(ANN.id, 2)
        anew = await asked_anew(world, patiently=True)

    assert (reused, anew) == (True, True)
    assert len(world.telegram.messages(ANN.id)) == {"telegram": 1, "slack": 0, "words": 2}[platform]
    assert len(world.slack.from_bot("D1")) == (platform == "slack")

"""What the model's trouble and poisonous messages do to others: nothing."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from bot.texts import Texts
from tests.process.conftest import World
from tests.process.running import Bot, frontdesk
from tests.process.test_crowd import in_telegram
from tests.servers.openai import Hang, OpenAiServer
from tests.servers.redis import redis_server
from tests.servers.telegram_chat import User

TEXTS = Texts.load()
CRASHES = 3
RAISING, KILLING = 70, 71
NEIGHBOURS = range(80, 86)


def poisoned(folder: Path, settings: dict[str, str]) -> Bot:
    """A bot that buries after three crashes, and cannot bear poison."""
    command = [sys.executable, "-m", "tests.process.poison", str(CRASHES), "serve"]
    return Bot(folder, settings, command=command)


@pytest.mark.timeout(240)
async def test_poison_is_buried_and_blocks_nobody(world: World) -> None:
    """One message raises each time, another kills the process each time; all others are answered meanwhile.

    Who wrote them hears that it failed, and is answered again afterwards. The operator lists, reads, retries and drops.
    """
    world.model.reply(lambda messages: f"You asked: {messages[-1]['content']}")
    folder = world.folder / "redis"
    folder.mkdir()
    with redis_server(folder) as url:
        settings = {**world.platforms(), **world.with_model(), **world.unlimited(), "REDIS_URL": url}
        settings |= {"FRONTDESK_INBOX__LEASE": "3s", "FRONTDESK_KNOWLEDGE__PATHS": "[]"}
        bot = poisoned(world.folder, settings)
        await bot.start()
        for person, act in ((RAISING, "raise"), (KILLING, "kill")):
            world.telegram.say(f"poison: {act}", user=User(id=person))
            world.telegram.say(f"Are you well, {person}?", user=User(id=person))
        deaths = await answered_between_crashes(world, bot)
        letters = await operated(world, settings)
        await bot.stop()

    assert deaths == CRASHES
    for person in NEIGHBOURS:
        assert in_telegram(world, person) == [f"You asked: What is {person}?"]
    for person in (RAISING, KILLING):
        heard = in_telegram(world, person)
        assert heard[:2] == [TEXTS("failure", "en"), f"You asked: Are you well, {person}?"]
    assert in_telegram(world, RAISING)[2:] == [TEXTS("failure", "en")]  # it was retried, and is as bad as before
    assert [reason.partition(",")[0] for reason in sorted(letters)] == ["0 exceptions", "3 exceptions"]


async def answered_between_crashes(world: World, bot: Bot) -> int:
    """Neighbours ask, one after the other, while the bot dies and is started again; how often it died."""
    deaths = 0
    asking = asyncio.create_task(neighbours(world))
    while deaths < CRASHES:
        await bot.ended()
        deaths += 1
        await bot.start(ready=False)  # it may die before that
    await asking
    for person in (RAISING, KILLING):
        await world.telegram.wait_until(
            lambda person=person: len(in_telegram(world, person)) >= 2,  # type: ignore[misc]
            "the poisoner's second answer",
            timeout_s=60,
        )
    return deaths


async def neighbours(world: World) -> None:
    """Each asks when the one before has been answered."""
    for person in NEIGHBOURS:
        world.telegram.say(f"What is {person}?", user=User(id=person))
        await world.telegram.wait_until(
            lambda person=person: bool(in_telegram(world, person)),  # type: ignore[misc]
            f"an answer to {person}",
            timeout_s=90,
        )


async def operated(world: World, settings: dict[str, str]) -> set[str]:
    """The dead letters are listed and read, one dropped and one retried; why they were buried."""
    listed = await frontdesk(world.folder, settings, "dead", "list", "--json")
    letters = {letter["reason"]: letter["id"] for letter in map(json.loads, listed.output.splitlines())}
    killed = letters[f"0 exceptions, {CRASHES} crashes"]
    shown = await frontdesk(world.folder, settings, "dead", "show", killed)
    assert "poison: kill" in shown.output
    assert (await frontdesk(world.folder, settings, "dead", "drop", killed)).code == 0
    (raised,) = (letter for reason, letter in letters.items() if reason.startswith("3 exceptions"))
    assert (await frontdesk(world.folder, settings, "dead", "retry", raised)).code == 0
    await world.telegram.wait_until(
        lambda: len(in_telegram(world, RAISING)) >= 3, "the word about the second burial", timeout_s=60
    )
    return set(letters)


async def test_more_hang_than_there_are_workers_and_all_others_are_answered(world: World) -> None:
    """The first provider hangs and holds half of the workers; everybody else is answered by the second, at once."""
    async with OpenAiServer() as second:
        second.reply("From the second.")
        world.model.always = Hang()
        providers = [
            {"name": name, "base_url": server.base_url, "model": "m", "timeout": "120s", "api_key_env": variable}
            for name, server, variable in (("one", world.model, "KEY_ONE"), ("two", second, "KEY_TWO"))
        ]
        keys = {"KEY_ONE": world.model.key, "KEY_TWO": second.key}
        settings = {"FRONTDESK_LLM__PROVIDERS": json.dumps(providers), "FRONTDESK_KNOWLEDGE__PATHS": "[]", **keys}
        bot = world.bot(world.platforms(), world.unlimited(), settings)
        async with bot:
            people = range(100, 180)
            for person in people:
                world.telegram.say(f"Question {person} about cards?", user=User(id=person))
            await world.telegram.wait_until(
                lambda: sum(bool(in_telegram(world, person)) for person in people) >= len(people) - 32,
                "everybody's answer but of those who hang",
                timeout_s=60,
            )
            world.telegram.say("/help", user=User(id=1))
            await world.telegram.wait_messages(1, timeout_s=20)
            hung = len(world.model.chats)
            await bot.kill()  # a stop would wait for those who hang

    assert hung == 32
    answered = [text for person in people for text in in_telegram(world, person)]
    assert {text.split("\n")[0] for text in answered} == {"From the second."}

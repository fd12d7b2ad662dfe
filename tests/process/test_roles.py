"""Gateways and workers as processes of their own on one Redis: killed and stopped, nothing lost, nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.process.conftest import World
from tests.process.running import Bot
from tests.servers.redis import redis_server
from tests.servers.telegram_chat import User

PEOPLE = range(1, 13)


@pytest.fixture
async def redis_of_their_own(world: World) -> AsyncIterator[str]:
    """A Redis that all processes share."""
    folder = world.folder / "redis"
    folder.mkdir()
    with redis_server(folder) as url:
        yield url


def part(world: World, url: str, role: str, number: int) -> Bot:
    """A process of that role, with a folder of its own for its output."""
    folder = Path(world.folder, f"{role}{number}")
    folder.mkdir()
    settings = {**world.platforms(), **world.with_model(), **world.light(), **world.unlimited(), "REDIS_URL": url}
    settings["FRONTDESK_INBOX__LEASE"] = "3s"
    return Bot(folder, settings, command=Bot.serving("--role", role))


async def test_two_gateways_and_two_workers_lose_and_double_nothing(world: World, redis_of_their_own: str) -> None:
    """One gateway and one worker are killed while people write, others are stopped in order; each is answered once."""
    world.model.reply(lambda messages: f"You said: {messages[-1]['content']}")
    gateways = [part(world, redis_of_their_own, "gateway", number) for number in range(2)]
    workers = [part(world, redis_of_their_own, "worker", number) for number in range(2)]
    await asyncio.gather(*(one.start() for one in (*gateways, *workers)))
    try:
        for number in PEOPLE:
            world.telegram.say(f"question {number} a", user=User(id=number))
            world.slack.say(f"D{number}", f"U{number}", f"question {number} a")
        await gateways[0].kill()
        await workers[0].kill()
        for number in PEOPLE:
            world.telegram.say(f"question {number} b", user=User(id=number))
            world.slack.say(f"D{number}", f"U{number}", f"question {number} b")
        for number in PEOPLE:
            await world.telegram.wait_messages(number, 2)
            await world.slack.wait_until(
                lambda channel=f"D{number}": len(world.slack.from_bot(channel)) >= 2,  # type: ignore[misc]
                f"two answers in D{number}",
            )
    finally:
        codes = [await one.stop() for one in (gateways[1], workers[1])]

    for number in PEOPLE:
        expected = [f"You said: question {number} {letter}" for letter in "ab"]
        assert [sent.text for sent in world.telegram.messages(number)] == expected
        assert len(world.slack.from_bot(f"D{number}")) == 2
    assert codes == [0, 0]

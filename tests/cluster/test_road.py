"""The bot as a process on a cluster and behind Sentinels: it answers, it forgets, and a primary dies under load."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from bot.store import keys
from tests.process.conftest import World
from tests.process.running import Bot
from tests.process.test_crowd import in_slack, in_telegram
from tests.servers.openai import ChatMessages
from tests.servers.redis_cluster import redis_cluster
from tests.servers.redis_node import Node, until
from tests.servers.redis_sentinel import redis_sentinel
from tests.servers.telegram_chat import User

PARTITIONS = 6
PEOPLE = range(1, 9)
WAIT_S = 90.0
ANSWER = re.compile(r"You asked: How much is (q\d+x\ds?)\?")


@dataclass(frozen=True)
class Many:
    """Several servers.

    Attributes:
        url: for the bot.
        primary: of those who write.
        whole: waits until it is whole again.
    """

    url: str
    primary: Callable[[], Node]
    whole: Callable[[], None]


@pytest.fixture(params=["cluster", "sentinel"])
def many(request: pytest.FixtureRequest, world: World) -> Iterator[Many]:
    """A cluster, and a primary with its replica and two Sentinels."""
    folder = world.folder / "r"
    folder.mkdir()
    durable = ("--appendonly", "yes")
    if request.param == "cluster":
        with redis_cluster(folder, *durable) as cluster:
            yield Many(cluster.url, lambda: cluster.owner(keys.inbox(0)), cluster.wait_whole)
    else:
        with redis_sentinel(folder, *durable) as pair:
            yield Many(pair.url, lambda: pair.primary, pair.wait_whole)


def echo(messages: ChatMessages) -> str:
    """Say what was asked."""
    return f"You asked: {messages[-1]['content']}"


def bot_on(world: World, many: Many) -> Bot:
    """A bot of both roles."""
    world.model.reply(echo)
    settings = {
        "REDIS_URL": many.url,
        "FRONTDESK_INBOX__PARTITIONS": str(PARTITIONS),
        "FRONTDESK_INBOX__DURABILITY": "replica",
        "FRONTDESK_LIMITS__MESSAGES": '["1000/minute"]',
    }
    return world.bot(world.platforms(), world.with_model(), world.unlimited(), settings)


@pytest.mark.timeout(400)
async def test_a_primary_dies_under_load(world: World, many: Many) -> None:
    """Its replica takes over, and comes to have one itself: each question is answered, once and in order."""
    world.slack.sockets.retry_delays_s = (0.0, 6.0, 30.0)  # as Slack's, in a tenth of the time
    async with bot_on(world, many) as bot:
        for person in PEOPLE:
            write(world, person, 0)
            world.telegram.say(asking(person, 1), user=User(id=person))
        primary = await asyncio.to_thread(many.primary)
        primary.kill()
        await asyncio.to_thread(until, lambda: many.primary() is not primary, "its replica takes over")
        primary.start()
        await asyncio.to_thread(many.whole)
        await answered(world, telegram=2, slack=1)
        for person in PEOPLE:
            write(world, person, 2)
        await answered(world, telegram=3, slack=2)
        world.telegram.say("/forget", user=User(id=1))
        done = "/forget is answered"
        await world.telegram.wait_until(lambda: not ANSWER.match(in_telegram(world, 1)[-1]), done, timeout_s=WAIT_S)
        code = await bot.stop()

    for person in PEOPLE:
        assert told(in_telegram(world, person)) == [f"q{person}x{number}" for number in (0, 1, 2)]
        assert told(in_slack(world, f"D{person}")) == [f"q{person}x{number}s" for number in (0, 2)]
    assert "3" in in_telegram(world, 1)[-1]  # the questions that were kept
    assert code == 0


def asking(person: int, number: int, more: str = "") -> str:
    """A question that nobody else asks."""
    return f"How much is q{person}x{number}{more}?"


def write(world: World, person: int, number: int) -> None:
    """On both platforms. In Slack one at a time: what Slack brings again comes behind what was written later."""
    world.telegram.say(asking(person, number), user=User(id=person))
    world.slack.say(f"D{person}", f"U{person}", asking(person, number, "s"))


async def answered(world: World, *, telegram: int, slack: int) -> None:
    """Everybody has so many answers."""

    def all_there() -> bool:
        return all(
            (len(told(in_telegram(world, one))), len(told(in_slack(world, f"D{one}")))) >= (telegram, slack)
            for one in PEOPLE
        )

    await world.telegram.wait_until(all_there, "everybody's answers", timeout_s=WAIT_S)


def told(texts: list[str]) -> list[str]:
    """The questions that were answered, in order, each as often as it was."""
    return [match[1] for text in texts if (match := ANSWER.match(text))]

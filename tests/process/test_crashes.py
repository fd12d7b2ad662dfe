"""The crash matrix: `kill -9` at each named point under load, on both platforms; everybody is answered all the same.

Nothing is lost, nothing is out of order, the model is asked once for an answer that was finished, and whatever a person
sees twice was on its way when the process died: the ledger says *sending* and has no id. Slack finds even those again.

In short, as here, each point once. In full, each ten times: `FRONTDESK_CRASHES=10 python -m pytest
tests/process/test_crashes.py`.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

import pytest
from redis.asyncio import Redis

from adapters.slack.format import format_markdown as format_for_slack
from adapters.telegram.format import format_markdown as format_for_telegram
from bot.message import Part
from tests.process.conftest import World
from tests.process.crashing import POINTS
from tests.process.running import Bot
from tests.process.test_crowd import in_slack, in_telegram
from tests.servers.openai import ChatMessages
from tests.servers.redis import redis_server
from tests.servers.telegram_chat import User

PEOPLE, EACH = 6, 2
ROUNDS = int(os.environ.get("FRONTDESK_CRASHES", "1"))
LONG = "word " * 2700
"""Several messages on both platforms."""
ASKED = re.compile(r"How much is (q\d+x\d\w?)\?")
ANSWER = re.compile(f"You asked: {ASKED.pattern}")
NAMES = tuple(POINTS)


def question(person: int, number: int) -> str:
    """What the question that nobody else asks is about."""
    return f"q{person}x{number}"


def asking(about: str) -> str:
    """The question, which stands alone: its answer is stored."""
    return f"How much is {about}?"


def echo(messages: ChatMessages) -> str:
    """Say what was asked; to every second person at length."""
    asked = messages[-1]["content"]
    person = int(re.findall(r"\d+", asked)[0])
    return f"You asked: {asked}\n\n{LONG if person % 2 else ''}"


@dataclass
class Found:
    """What the ledger said after the crashes.

    Attributes:
        in_flight: conversations to which a part was being sent.
        finished: questions whose answer was finished, with how often the model had been asked by then.
    """

    in_flight: Counter[str] = field(default_factory=Counter)
    finished: dict[str, int] = field(default_factory=dict)

    async def look(self, url: str, world: World) -> None:
        """Read the open turns."""
        asked = times_asked(world)
        client = Redis.from_url(url, protocol=3, decode_responses=True)
        async for name in client.scan_iter(match="fd:{p*}:turn:*"):
            turn = await client.hgetall(name)
            conversation = name.split(":turn:")[1]
            parts_begun = {str(part): sent for part, sent in turn.items() if re.fullmatch(r"s\d+", str(part))}
            self.in_flight[conversation] += sum(not sent for sent in parts_begun.values())
            if "reply" in turn:
                body = await client.hget(f"fd:{{p0}}:body:{conversation}", turn["id"])
                for one in ASKED.findall(str(body)):
                    self.finished.setdefault(one, asked[one])
        await client.aclose()


def check(world: World, people: Sequence[int], found: Found) -> None:
    """Everybody has every answer whole and in order; twice only what was on its way in Telegram.

    On its way when the process died, or sent without an answer in time: that too is said and sent again.
    """
    timed_out = (world.folder / "output.txt").read_text().count("not known whether a message went out")
    for person in people:
        expected = [question(person, number) for number in range(EACH)]
        in_flight = sum(number for where, number in found.in_flight.items() if where.endswith(f":{person}"))
        texts = in_telegram(world, person)
        whole = EACH * parts(person, format_for_telegram)
        assert answered(texts) == expected, f"Telegram, person {person}, {found}"
        assert whole <= len(texts) <= whole + in_flight + timed_out, f"Telegram, person {person}, {found}"
        texts = in_slack(world, f"D{person}")
        assert answered(texts) == [f"{one}s" for one in expected], f"Slack, person {person}, {found}"
        assert len(texts) == EACH * parts(person, format_for_slack), f"Slack, person {person}, {found}"
    asked = times_asked(world)
    assert found.finished, "no crash came after an answer was finished"
    assert {one: asked[one] for one in found.finished} == found.finished


def times_asked(world: World) -> Counter[str]:
    """How often the model was asked each question."""
    asked = (ASKED.fullmatch(chat["messages"][-1]["content"]) for chat in world.model.chats)
    return Counter(match[1] for match in asked if match)


def answered(texts: Sequence[str]) -> list[str]:
    """The questions whose answers begin in these messages, in their order, each once."""
    return list(dict.fromkeys(match[1] for text in texts if (match := ANSWER.match(text))))


def parts(person: int, how: Callable[[str], Sequence[Part]]) -> int:
    """Messages that an answer takes on a platform."""
    return len(how(echo([{"content": asking(question(person, 0))}])))


@pytest.mark.timeout(300 * ROUNDS)
@pytest.mark.parametrize("points", [NAMES[::2], NAMES[1::2]], ids=["even points", "odd points"])
async def test_killed_at_every_named_point_nobody_is_forgotten(world: World, points: Sequence[str]) -> None:
    """One crash after another on the same data; the last process finishes what they left."""
    world.model.reply(echo)
    persons, found = count(1), Found()
    people: list[int] = []
    redis_folder = world.folder / "r"
    os.mkdir(redis_folder)  # noqa: PTH102 - before any coroutine runs
    with redis_server(redis_folder) as url:
        settings = {**world.platforms(), **world.with_model(), **world.unlimited(), "REDIS_URL": url}
        settings["FRONTDESK_INBOX__LEASE"] = "3s"
        settings["FRONTDESK_LIMITS__MESSAGES"] = '["1000/minute"]'
        for nth in range(2, 2 + ROUNDS):
            for point in points:
                crashing = [sys.executable, "-m", "tests.process.crashing", point, str(nth), "serve"]
                doomed = Bot(world.folder, settings, command=crashing)
                await doomed.start(ready=False)
                here = [next(persons) for _ in range(PEOPLE)]
                write(world, here)
                people += here
                assert await doomed.ended() == -9, point
                await found.look(url, world)
        async with Bot(world.folder, settings):
            await everybody_answered(world, people)
            await nothing_waits(url)
    check(world, people, found)


def write(world: World, people: Sequence[int]) -> None:
    """All of them, on both platforms, all at once."""
    for number in range(EACH):
        for person in people:
            world.telegram.say(asking(question(person, number)), user=User(id=person))
            world.slack.say(f"D{person}", f"U{person}", asking(f"{question(person, number)}s"))


async def everybody_answered(world: World, people: Sequence[int]) -> None:
    """Until each has as many answers as questions."""

    def all_there() -> bool:
        return all(
            len(answered(in_telegram(world, person))) == len(answered(in_slack(world, f"D{person}"))) == EACH
            for person in people
        )

    await world.telegram.wait_until(all_there, "everybody's answers", timeout_s=120)


async def nothing_waits(url: str) -> None:
    """Until all mailboxes are empty: the last parts are out."""
    client = Redis.from_url(url, protocol=3)
    async with asyncio.timeout(60):
        while await client.zcard("fd:{p0}:due"):  # noqa: ASYNC110 - another process settles
            await asyncio.sleep(0.05)
    await client.aclose()

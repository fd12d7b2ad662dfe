"""The crash matrix: `kill -9` at each named point under load, on both platforms; everybody is answered all the same.

The points stand in `tests.process.crashing.POINTS`. At each of them one process of both roles is killed, and a gateway
or a worker alone while the other goes on living. Nothing is lost, nothing is out of order, the model is asked once for
an answer that was finished, and whatever a person sees twice was on its way when the process died: the ledger says
*sending* and has no id. Slack finds even those again. A gateway that dies doubles nothing at all.

In short a gateway and a worker die once at each of their points, a process of both roles at every third, and on a Redis
Cluster at every fifth. In full all of them at each, here ten times: `FRONTDESK_CRASHES=10 python -m pytest
tests/process/test_crashes.py`; with FRONTDESK_TESTED_REDIS=cluster on a cluster only.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Literal

import pytest

from adapters.slack.format import format_markdown as format_for_slack
from adapters.telegram.format import format_markdown as format_for_telegram
from bot.message import Part
from bot.store.client import connect
from tests.conftest import ON_CLUSTER
from tests.process.conftest import World
from tests.process.crashing import POINTS
from tests.process.running import Bot
from tests.process.test_crowd import in_slack, in_telegram
from tests.servers.openai import ChatMessages
from tests.servers.redis import redis_server
from tests.servers.redis_cluster import redis_cluster
from tests.servers.telegram_chat import User

Role = Literal["all", "gateway", "worker"]

PEOPLE, EACH = 4, 2
MOMENT_S = 1.0
"""After so long one more person writes, for as long as the process lives."""
IN_FULL = int(os.environ.get("FRONTDESK_CRASHES", "0"))
ROUNDS = max(1, IN_FULL)
LONG = "word " * 2700
"""Several messages on both platforms."""
ASKED = re.compile(r"How much is (q\d+x\d\w?)\?")
ANSWER = re.compile(f"You asked: {ASKED.pattern}")
TABLE: dict[Role, list[str]] = {
    "all": list(POINTS) if IN_FULL else list(POINTS)[::3],
    "gateway": [name for name, point in POINTS.items() if point.role == "gateway"],
    "worker": [name for name, point in POINTS.items() if point.role == "worker"],
}
ON_A_CLUSTER = list(POINTS) if IN_FULL else list(POINTS)[::5]
LIVING: dict[Role, list[Role]] = {"all": [], "gateway": ["worker"], "worker": ["gateway"]}
"""Who goes on living while those of a role die."""


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
        async with connect(url) as client:
            async for name in client.scan_iter(match="fd:{p*}:turn:*"):
                turn = {text(field): text(value) for field, value in (await client.hgetall(name)).items()}
                conversation = text(name).split(":turn:")[1]
                begun = {part: sent for part, sent in turn.items() if re.fullmatch(r"s\d+", part)}
                self.in_flight[conversation] += sum(not sent for sent in begun.values())
                if "reply" in turn:
                    body = await client.hget(name.replace(b":turn:", b":body:"), turn["id"])
                    for one in ASKED.findall(text(body)):
                        self.finished.setdefault(one, asked[one])


def text(value: object) -> str:
    """What Redis holds, as text."""
    return value.decode() if isinstance(value, bytes) else str(value)


def check(world: World, people: Sequence[int], found: Found) -> None:
    """Everybody has every answer whole and in order; twice only what was on its way in Telegram.

    On its way when the process died, or sent without an answer in time: that too is said and sent again.
    """
    outputs = [path.read_text() for path in world.folder.glob("*/output.txt")]
    timed_out = sum(said.count("not known whether a message went out") for said in outputs)
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


@pytest.fixture
def shared_redis(world: World, request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of the Redis that all processes of a test share: one server, or a cluster."""
    folder = world.folder / "r"
    folder.mkdir()
    if request.param == "cluster":
        with redis_cluster(folder) as cluster:
            yield cluster.url
    else:
        with redis_server(folder) as url:
            yield url


@dataclass
class Matrix:
    """What one run of the matrix has to do with.

    Attributes:
        people: who have written so far.
    """

    world: World
    redis_url: str
    people: list[int] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        """Answers that nobody else has, and a patient Slack.

        It repeats at once what a broken socket brought, and does not give up after three gateways. What it repeats
        because nobody acknowledged it in time comes behind what was written later, an order that we could not keep.
        """
        self.world.model.reply(echo)
        self.world.slack.sockets.ack_timeout_s = 120.0
        self.world.slack.sockets.retry_delays_s = (0.0, 0.5, *(2.0 for _ in range(60)))

    def bot(self, folder: str, *before_serve: str, role: Role) -> Bot:
        """A process of that role; those of one folder write into one file."""
        settings = {**self.world.platforms(), **self.world.with_model(), **self.world.light(), **self.world.unlimited()}
        settings |= {"REDIS_URL": self.redis_url, "FRONTDESK_INBOX__LEASE": "3s"}
        settings["FRONTDESK_LIMITS__MESSAGES"] = '["1000/minute"]'
        here = Path(self.world.folder, folder)
        here.mkdir(exist_ok=True)
        command = [sys.executable, "-m", *before_serve, "serve", "--role", role]
        return Bot(here, settings, command=command)

    @asynccontextmanager
    async def living(self, *roles: Role) -> AsyncIterator[None]:
        """Processes of these roles go on living, and stop in order at the end."""
        async with AsyncExitStack() as stack:
            for role in roles:
                await stack.enter_async_context(self.bot(f"living {role}", "bot", role=role))
            yield

    async def crash(self, role: Role, point: str, nth: int) -> None:
        """Start a process that dies at a point, and let people write until it does."""
        doomed = self.bot("doomed", "tests.process.crashing", point, str(nth), role=role)
        await doomed.start(ready=False)
        ended = asyncio.create_task(doomed.ended())
        self.write(PEOPLE)
        while not (await asyncio.wait([ended], timeout=MOMENT_S))[0]:
            self.write(1)
        assert ended.result() == -9, point

    def write(self, people: int) -> None:
        """So many new ones write on both platforms, all at once."""
        here = [next(self._numbers) for _ in range(people)]
        for number in range(EACH):
            for person in here:
                self.world.telegram.say(asking(question(person, number)), user=User(id=person))
                self.world.slack.say(f"D{person}", f"U{person}", asking(f"{question(person, number)}s"))
        self.people += here

    async def ends(self) -> None:
        """Until each has as many answers as questions, and all mailboxes are empty: the last parts are out."""

        def all_there() -> bool:
            return all(
                len(answered(in_telegram(self.world, one))) == len(answered(in_slack(self.world, f"D{one}"))) == EACH
                for one in self.people
            )

        # Longer than Slack waits for an acknowledgement: on a busy machine an event may be too slow, and come again.
        await self.world.telegram.wait_until(all_there, "everybody's answers", timeout_s=240)
        async with connect(self.redis_url) as client, asyncio.timeout(60):
            while [name async for name in client.scan_iter(match="fd:{p*}:due")]:  # noqa: ASYNC110 - others settle
                await asyncio.sleep(0.05)


@pytest.mark.timeout(450 * ROUNDS)
@pytest.mark.parametrize("role", TABLE)
@pytest.mark.parametrize("shared_redis", ["cluster"] if ON_CLUSTER else ["one server"], indirect=True)
async def test_killed_at_every_named_point_nobody_is_forgotten(world: World, shared_redis: str, role: Role) -> None:
    """Processes of each role."""
    await killed_at(TABLE[role], Matrix(world, shared_redis), role)


@pytest.mark.one_server  # there the test above runs on the cluster
@pytest.mark.timeout(450 * ROUNDS)
@pytest.mark.parametrize("shared_redis", ["cluster"], indirect=True)
async def test_killed_on_a_cluster_nobody_is_forgotten(world: World, shared_redis: str) -> None:
    """A process of both roles."""
    await killed_at(ON_A_CLUSTER, Matrix(world, shared_redis), "all")


async def killed_at(points: Sequence[str], matrix: Matrix, role: Role) -> None:
    """One crash after another on the same data; the last process of a round finishes what they left."""
    world, found = matrix.world, Found()
    async with matrix.living(*LIVING[role]):
        for nth in range(2, 2 + ROUNDS):
            for point in points:
                await matrix.crash(role, point, nth)
                if role != "gateway":
                    await found.look(matrix.redis_url, world)
            # Before the next round: who has seen ten crashes is given up.
            async with matrix.living(role):
                await matrix.ends()
    check(world, matrix.people, found)
    if role == "gateway":
        assert set(times_asked(world).values()) == {1}
    else:
        assert found.finished, "no crash came after an answer was finished"

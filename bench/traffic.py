"""People who write to a bot through the test servers, and how long they wait for its reply.

The servers run in this process, so that neither they nor the people count for the bot. A reply has arrived when the
bot's request to send it reached the server; the server's own record of calls tells of it, without polling.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, TypeVar

from tests.servers.slack import SlackServer
from tests.servers.slack_api import Call as SlackCall
from tests.servers.telegram import TelegramServer
from tests.servers.telegram_chat import User
from tests.servers.telegram_contract import Call as TelegramCall

REPLY_S = 60.0
C = TypeVar("C")
Name = Literal["telegram", "slack"]


class Heard(list[C]):
    """A list of calls that tells of each new one."""

    def __init__(self, hear: Callable[[C], None]) -> None:
        super().__init__()
        self._hear = hear

    def append(self, call: C) -> None:
        """As a list does, and tell."""
        super().append(call)
        self._hear(call)


class People:
    """Everybody who writes on one platform. Each person has one question open at a time.

    Args:
        name: of the platform.
        say: puts a person's message in.
        expected: words that every good reply holds; another reply ends the run.
    """

    def __init__(self, name: Name, say: Callable[[int, str], None], expected: str) -> None:
        self.name = name
        self._say = say
        self._expected = expected
        self._waiting: dict[int, asyncio.Future[float]] = {}
        self._met = 10_000

    def new_person(self) -> int:
        """Somebody who never wrote before."""
        self._met += 1
        return self._met

    def replied(self, person: int, text: str) -> None:
        """A reply arrived; called by the server."""
        waiting = self._waiting.pop(person, None)
        if waiting is None:
            return
        if self._expected in text:
            waiting.set_result(time.perf_counter())
        else:
            waiting.set_exception(RuntimeError(f"an unexpected reply on {self.name}: {text[:200]!r}"))

    async def ask(self, person: int, text: str) -> float:
        """Write, and wait for the reply; the milliseconds in between.

        Raises:
            TimeoutError: no reply came.
        """
        waiting: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting[person] = waiting
        asked_at = time.perf_counter()
        self._say(person, text)
        async with asyncio.timeout(REPLY_S):
            return (await waiting - asked_at) * 1000

    async def in_lanes(self, lanes: Sequence[Iterable[tuple[int, str]]]) -> float:
        """All lanes at once, the messages of a lane one after the other's reply; the seconds until the last reply."""

        async def walk(lane: Iterable[tuple[int, str]]) -> None:
            for person, text in lane:
                await self.ask(person, text)

        began = time.perf_counter()
        async with asyncio.TaskGroup() as tasks:
            for lane in lanes:
                tasks.create_task(walk(lane))
        return time.perf_counter() - began

    async def at_rate(self, texts: Iterable[str], *, per_s: float) -> float:
        """A new person with each text, evenly spaced; the median of their waits in milliseconds."""
        async with asyncio.TaskGroup() as tasks:
            asking = []
            for text in texts:
                asking.append(tasks.create_task(self.ask(self.new_person(), text)))
                await asyncio.sleep(1 / per_s)
        return statistics.median(task.result() for task in asking)


def telegram_people(server: TelegramServer, expected: str) -> People:
    """People in private chats with the bot."""

    def say(person: int, text: str) -> None:
        server.say(text, user=User(id=person))

    def hear(call: TelegramCall) -> None:
        if call.method.lower() == "sendmessage" and call.status == 200:
            people.replied(int(call.parameters["chat_id"]), call.parameters["text"])

    people = People("telegram", say, expected)
    server.calls = Heard(hear)
    return people


def slack_people(server: SlackServer, expected: str) -> People:
    """People in direct messages with the bot."""

    def say(person: int, text: str) -> None:
        server.say(f"D{person}", f"U{person}", text)

    def hear(call: SlackCall) -> None:
        if call.method == "chat.postMessage":
            text = str(call.params.get("markdown_text") or call.params.get("text"))
            people.replied(int(str(call.params["channel"])[1:]), text)

    people = People("slack", say, expected)
    server.api.calls = Heard(hear)
    return people

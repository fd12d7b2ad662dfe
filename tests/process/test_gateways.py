"""Two gateways on one Redis: Slack spreads its events over both, Telegram is polled by one of them.

Killed, stopped, suspended, or cut off from Redis while people write: nothing is lost, nothing comes twice, and each
conversation is answered in its order. In order means that a person writes on when Slack has heard that we have what was
written before: what is on its way to two gateways at once has no order.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.process.conftest import World, text_of
from tests.process.running import Bot
from tests.servers.proxy import Proxy
from tests.servers.redis import redis_server
from tests.servers.telegram_chat import User

PEOPLE = range(1, 7)


class People:
    """People who each write on both platforms, one message after the other."""

    def __init__(self, world: World) -> None:
        self._telegram, self._slack = world.telegram, world.slack
        self._rounds = 0

    def write(self) -> None:
        """Each of them the next message."""
        self._rounds += 1
        for number in PEOPLE:
            self._telegram.say(f"person {number} message {self._rounds}", user=User(id=number))
            self._slack.say(f"D{number}", f"U{number}", f"person {number} message {self._rounds}")

    async def heard(self) -> None:
        """Until all they wrote is acknowledged."""
        expected = self._rounds * len(PEOPLE)
        await self._slack.wait_until(lambda: len(self._acked()) == expected, f"{expected} messages heard")
        await self._telegram.wait_confirmed(timeout_s=60)

    def _acked(self) -> set[str]:
        sockets = self._slack.sockets
        acked = {ack.envelope_id for ack in sockets.acks}
        events = [sent["payload"]["event"] for sent in sockets.sent if sent["envelope_id"] in acked]
        return {event["text"] for event in events if event["text"].startswith("person")}

    async def answered(self) -> None:
        """Until each has as many answers as messages; exactly those, in order."""
        await self._slack.wait_until(
            lambda: all(len(texts) >= self._rounds for number in PEOPLE for texts in self._answers(number)),
            "everybody's answers",
        )
        for number in PEOPLE:
            expected = [f"You said: person {number} message {one + 1}" for one in range(self._rounds)]
            assert self._answers(number) == [expected, expected]

    def _answers(self, number: int) -> list[list[str]]:
        in_telegram = [sent.text for sent in self._telegram.messages(number)]
        return [in_telegram, [text_of(answer) for answer in self._slack.from_bot(f"D{number}")]]


def part(world: World, role: str, name: str, url: str) -> Bot:
    """A process of that role, with a folder of its own for its output."""
    folder = Path(world.folder, name)
    folder.mkdir()
    settings = {**world.platforms(), **world.with_model(), **world.light(), **world.unlimited(), "REDIS_URL": url}
    return Bot(folder, {"FRONTDESK_INBOX__LEASE": "3s", **settings}, command=Bot.serving("--role", role))


@asynccontextmanager
async def started(world: World) -> AsyncIterator[tuple[Bot, Bot, Proxy]]:
    """Two gateways and a worker; the first gateway reaches Redis through a proxy. All that still run are stopped."""
    world.model.reply(lambda messages: f"You said: {messages[-1]['content']}")
    # Slack has patience for minutes. Here more tries make up for it, as each goes to any of the two.
    world.slack.sockets.ack_timeout_s, world.slack.sockets.retry_delays_s = 1.0, [0.1] * 15
    folder = world.folder / "redis"
    folder.mkdir()
    with redis_server(folder) as url:
        async with Proxy(unix=str(folder / "redis.sock")) as proxy:
            first = part(world, "gateway", "first", f"redis://127.0.0.1:{proxy.port}")
            async with part(world, "worker", "worker", url), first, part(world, "gateway", "second", url) as second:
                yield first, second, proxy


async def metrics(bot: Bot) -> dict[str, float]:
    """The samples of a process by name and labels, as they stand on its page."""
    async with aiohttp.ClientSession() as http, http.get(f"{bot.url}/metrics") as response:
        lines = (await response.text()).splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[:1] != "#")}


@pytest.mark.timeout(300)
async def test_two_gateways_that_come_and_go_lose_and_double_nothing(world: World) -> None:
    """Cut off from Redis, killed, stopped, started again; the one that polls Telegram suspended beyond its lead."""
    async with started(world) as (first, second, proxy):
        people = People(world)
        people.write()
        await people.heard()
        proxy.refuse()
        proxy.cut()
        people.write()
        await people.heard()
        proxy.heal()
        people.write()
        await second.kill()
        await people.heard()
        await second.start()
        people.write()
        code = await first.stop()
        await people.heard()
        await first.start()  # the second one leads now
        second.suspend()
        people.write()
        await people.heard()
        second.resume()
        await world.telegram.wait_until(lambda: "the lead is lost" in second.said(), "it stands by")
        people.write()
        await people.heard()
        await people.answered()
        await asyncio.gather(first.wait_ready(), second.wait_ready())
        figures = [await metrics(one) for one in (first, second)]
        said = first.said() + second.said()

    assert code == 0
    assert world.slack.sockets.given_up == []
    assert "another process is polling" not in said
    for platform, expected in (("slack", [1, 1]), ("telegram", [1, 0])):
        assert [one[f'frontdesk_platform_connected{{platform="{platform}"}}'] for one in figures] == expected
    silences = [one['frontdesk_platform_silence_seconds{platform="telegram"}'] for one in figures]
    assert [math.isnan(silence) for silence in silences] == [False, True], "only who polls hears Telegram"

"""A rolling restart under load: two gateways and two workers, one after the other; nobody notices anything."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Self

import aiohttp
import pytest
from aiohttp import web

from tests.process.conftest import World
from tests.process.running import Bot
from tests.process.test_crowd import in_slack, in_telegram
from tests.servers.openai import ChatMessages
from tests.servers.redis import redis_server
from tests.servers.telegram_chat import User

PEOPLE = range(1, 7)
PAUSE_S = 0.5
"""Of a person between two messages."""
UNANSWERED = 3
"""Messages that a person writes on one platform without an answer."""
NOT_PASSED_ON = {"host", "content-length", "transfer-encoding"}


class Balancer:
    """Calls go to the gateways in turn; one that was taken out gets no further call, as behind a Service.

    Attributes:
        answers: how often each status was given.
        taken: bodies that were answered with 200.
    """

    def __init__(self) -> None:
        self._behind: list[str] = []
        self._turn = count()
        self._busy: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self.taken: list[str] = []
        self.url = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Self]:
        """On a free port."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            async with aiohttp.ClientSession() as self._http:
                yield self
        finally:
            await runner.cleanup()

    def put_in(self, gateway: str) -> None:
        """It gets calls from now on."""
        self._behind.append(gateway)

    async def take_out(self, gateway: str) -> None:
        """It gets no more calls, and those that it has are answered."""
        self._behind.remove(gateway)
        while self._busy[gateway]:  # noqa: ASYNC110 - the calls count themselves
            await asyncio.sleep(0.01)

    async def takes(self, words: str) -> None:
        """Wait until a call with these words was answered with 200."""
        async with asyncio.timeout(30):
            while not any(words in body for body in self.taken[-100:]):  # noqa: ASYNC110 - likewise
                await asyncio.sleep(0.01)

    async def _pass_on(self, request: web.Request) -> web.Response:
        gateway = self._behind[next(self._turn) % len(self._behind)]
        body = await request.read()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in NOT_PASSED_ON}
        self._busy[gateway] += 1
        try:
            async with self._http.post(gateway + request.path, data=body, headers=headers) as answer:
                self.answers[answer.status] += 1
                if answer.status == 200:
                    self.taken.append(body.decode())
                return web.Response(status=answer.status, body=await answer.read())
        except aiohttp.ClientError:
            self.answers[0] += 1
            return web.Response(status=502)
        finally:
            self._busy[gateway] -= 1


@pytest.fixture
def shared_redis(world: World) -> Iterator[str]:
    """A Redis that all processes share."""
    folder = world.folder / "r"
    folder.mkdir()
    with redis_server(folder) as url:
        yield url


async def echo(messages: ChatMessages) -> str:
    """Say what was asked, after a while: whoever stops has turns in work."""
    await asyncio.sleep(0.3)
    return f"You asked: {messages[-1]['content']}"


def question(person: int, number: int) -> str:
    """A question that nobody else asks."""
    return f"How much is q{person}x{number}?"


async def writes(world: World, balancer: Balancer, person: int, end: asyncio.Event) -> list[str]:
    """One person, on both platforms, until the end; what they have asked."""
    asked: list[str] = []
    while not end.is_set():
        asked.append(question(person, len(asked)))
        world.telegram.say(asked[-1], user=User(id=person))
        world.slack.say(f"D{person}", f"U{person}", asked[-1].replace("q", "s"))
        # Slack promises no order: it is that in which we take the messages.
        await balancer.takes(asked[-1].replace("q", "s"))
        await asyncio.sleep(PAUSE_S)
        while len(asked) - answered(world, person) >= UNANSWERED:  # noqa: ASYNC110 - others answer
            await asyncio.sleep(PAUSE_S)
    return asked


def answered(world: World, person: int) -> int:
    """How many of a person's questions were answered on both platforms."""
    return min(len(in_telegram(world, person)), len(in_slack(world, f"D{person}")))


def part(world: World, url: str, role: str, number: int) -> Bot:
    """A process of that role, called by both platforms, with a folder of its own."""
    folder = Path(world.folder, f"{role}{number}")
    folder.mkdir()
    settings = {
        **world.platforms(),
        **world.slack_over_http(),
        **world.with_model(),
        **world.light(),
        **world.unlimited(),
        "FRONTDESK_TELEGRAM__MODE": "webhook",
        "FRONTDESK_TELEGRAM__WEBHOOK_URL": "https://bot.example",
        "TELEGRAM_WEBHOOK_SECRET": "secret-of-the-test",
        "REDIS_URL": url,
    }
    return Bot(folder, settings, command=Bot.serving("--role", role))


@pytest.mark.timeout(240)
async def test_a_rolling_restart_loses_doubles_and_disorders_nothing(world: World, shared_redis: str) -> None:
    """Each process is stopped and started while people write; each call of a platform is answered with 200."""
    world.model.reply(echo)
    gateways = [part(world, shared_redis, "gateway", number) for number in range(2)]
    workers = [part(world, shared_redis, "worker", number) for number in range(2)]
    end, codes = asyncio.Event(), []
    async with AsyncExitStack() as stack, Balancer().listening() as balancer:
        for one in (*gateways, *workers):
            stack.push_async_exit(one)
        await asyncio.gather(*(one.start() for one in (*gateways, *workers)))
        for gateway in gateways:
            balancer.put_in(gateway.url)
        world.telegram.webhook.base, world.slack.events_url = balancer.url, f"{balancer.url}/slack/events"
        people = [asyncio.create_task(writes(world, balancer, person, end)) for person in PEOPLE]
        for gateway, worker in zip(gateways, workers, strict=True):
            await balancer.take_out(gateway.url)
            codes.append(await gateway.stop())
            await gateway.start()
            balancer.put_in(gateway.url)
            codes.append(await worker.stop())
            await worker.start()
        end.set()
        asked = dict(zip(PEOPLE, await asyncio.gather(*people), strict=True))
        await world.telegram.wait_until(
            lambda: all(answered(world, person) >= len(questions) for person, questions in asked.items()),
            "everybody's answers",
        )

    for person, questions in asked.items():
        answers = [f"You asked: {one}" for one in questions]
        assert in_telegram(world, person) == answers
        assert in_slack(world, f"D{person}") == [one.replace("q", "s") for one in answers]
        assert len(answers) > 4
    assert codes == [0, 0, 0, 0]
    assert set(balancer.answers) == {200}


async def test_who_stops_says_so_as_long_as_it_has_turns_in_work(world: World) -> None:
    """A load balancer learns it from /acceptz before nobody listens there any more; the turn ends with its answer."""
    answering = asyncio.Event()

    async def answer_later(messages: ChatMessages) -> str:
        await answering.wait()
        return await echo(messages)

    world.model.reply(answer_later)
    bot = world.bot(world.platforms(), world.with_model(), world.unlimited())
    await bot.start()
    world.telegram.say("How much is a transfer?", user=User(id=1))
    await world.telegram.wait_until(lambda: bool(world.model.chats), "the model is asked")
    stopping = asyncio.create_task(bot.stop())
    async with asyncio.timeout(20), aiohttp.ClientSession() as http:
        while True:
            async with http.get(f"{bot.url}/acceptz") as response:
                if response.status == 503:
                    reasons = (await response.json())["reasons"]
                    break
    answering.set()

    assert await stopping == 0
    assert reasons == ["stopping"]
    assert in_telegram(world, 1) == ["You asked: How much is a transfer?"]

"""A running Front Desk whose entrances are tried, and what it counted and said meanwhile."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aiohttp

from tests.garbage.hostile import CANARY
from tests.process.conftest import World, opened_world
from tests.process.running import Bot
from tests.servers.openai import ChatMessages

_COUNT = re.compile(r'frontdesk_received_total\{accepted="(\w+)",platform="(\w+)"\} (\d+)')
LONGEST_LINE = 2_000
WEBHOOK_SECRET = "secret-of-the-webhook"
LOG = {"FRONTDESK_LOGGING__FORMAT": "json"}


class House:
    """One bot process with the outside around it.

    Args:
        world: the outside.
        bot: the process, running.
    """

    def __init__(self, world: World, bot: Bot) -> None:
        self.world = world
        self.bot = bot
        self.said = ""
        self.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60))

    async def counts(self, platform: str) -> Counter[str]:
        """Events of a platform so far, by what became of them."""
        async with self.http.get(f"{self.bot.url}/metrics") as response:
            page = await response.text()
        return Counter({found[1]: int(found[3]) for found in _COUNT.finditer(page) if found[2] == platform})

    async def counted(self, platform: str, total: int) -> Counter[str]:
        """The counts, once they are so many in all."""
        counts: Counter[str] = Counter()

        async def enough() -> bool:
            nonlocal counts
            counts = await self.counts(platform)
            return counts.total() >= total

        await until(enough, lambda: f"{total} events of {platform}, there are {counts}")
        return counts

    def lines(self) -> list[dict[str, object]]:
        """What it logged until it ended."""
        return [json.loads(line) for line in self.said.splitlines() if line.startswith("{")]

    def assert_discreet(self, *loggers: str, malformed: int) -> None:
        """One bounded line for each malformed input, no error, nothing of what people wrote and no secret."""
        said = self.said
        lines = [line for line in self.lines() if line["level"] != "info"]
        assert CANARY not in said
        for secret in (self.world.telegram.token, self.world.slack.bot_token, "signing-secret", WEBHOOK_SECRET):
            assert secret not in said
        assert max(map(len, said.splitlines())) < LONGEST_LINE
        assert [line for line in lines if line["level"] in ("error", "critical")] == []
        assert "Traceback" not in said
        about = [line for line in lines if str(line["logger"]) in loggers]
        assert len(about) == malformed


async def until(holds: Callable[[], object], what: Callable[[], str], *, seconds: float = 60) -> None:
    """Return once it holds.

    Raises:
        AssertionError: it does not within the time; says what was waited for.
    """
    deadline = time.monotonic() + seconds
    while True:
        held = holds()
        if asyncio.iscoroutine(held):
            held = await held
        if held:
            return
        assert time.monotonic() < deadline, f"waited in vain for {what()}"
        await asyncio.sleep(0.02)


def echo(messages: ChatMessages) -> str:
    """The model's answer."""
    return f"You said: {messages[-1]['content']}"


@asynccontextmanager
async def opened_house(*settings: dict[str, str]) -> AsyncIterator[House]:
    """A bot on both platforms, with the page and a model, without limits; it must end in order."""
    async with opened_world() as world:
        world.model.reply(echo)
        world.slack.sockets.ack_timeout_s = 60  # what comes twice would be counted twice
        plain = {"FRONTDESK_KNOWLEDGE__PATHS": "[]"}
        bot = world.bot(world.platforms(), world.with_model(), world.unlimited(), LOG, plain, *settings)
        await bot.start()
        house = House(world, bot)
        try:
            yield house
        finally:
            await house.http.close()
            code = await bot.stop()
            house.said = bot.said()
        assert code == 0

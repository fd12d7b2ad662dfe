"""Redis fails in nine ways under load: nothing is acknowledged that is not stored, and nothing is lost or said twice.

A gateway and a worker with Telegram's polling and Slack's sockets, and one process with both webhooks, each on a real
Redis behind a proxy. Each time people wait for the model when Redis goes away and others write meanwhile; the model
answers before Redis is back. Then everybody has every answer, and the model was asked once.

In short, as here, an outage lasts until the bot has noticed it. In full, both ways of receiving through every fault
for 30 s each: `FRONTDESK_REDIS_AWAY=30 python -m pytest tests/process/test_redis_fails.py`.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial

import pytest
import pytest_asyncio

from tests.process.conftest import World, opened_world
from tests.process.redis_failing import FAULTS, HANGS, Place, Watch, comes, page, part, place, unstored
from tests.process.running import Bot
from tests.process.test_crowd import in_slack, in_telegram
from tests.servers.openai import ChatMessages
from tests.servers.telegram_chat import User

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(400)]

AWAY_S = float(os.environ.get("FRONTDESK_REDIS_AWAY", "0"))
PEOPLE = 4
"""On each platform."""
CROWD, CROWD_EACH = (10, 20) if AWAY_S else (0, 0)
"""On each platform too; they write during the outage, and their answers are only counted."""
KEY_LOAD_MS = 500 if AWAY_S else 60
LEASE = {"FRONTDESK_INBOX__LEASE": "6s"}
CALLED = {
    "FRONTDESK_TELEGRAM__MODE": "webhook",
    "FRONTDESK_TELEGRAM__WEBHOOK_URL": "https://bot.example",
    "TELEGRAM_WEBHOOK_SECRET": "secret-of-the-test",
}
WHILE_POLLING = list(FAULTS) if AWAY_S else [one for one in FAULTS if one not in {"unreachable", "swallowed"}]
WHILE_CALLED = list(FAULTS) if AWAY_S else ["unreachable", "full"]
IN_FLIGHT, MEANWHILE = 0, 1
PLATFORMS = ("slack", "telegram")


@dataclass
class Office:
    """A bot, its Redis and its platforms, through all faults; each fault has people of its own.

    Attributes:
        bots: the processes; the first one receives.
        answering: the model answers what was asked before the outage.
        first: id of the first person of this fault.
    """

    world: World
    redis: Place
    bots: list[Bot]
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    first: int = 100

    @property
    def people(self) -> range:
        """Of this fault, the same on both platforms."""
        return range(self.first, self.first + PEOPLE)

    def everybody_writes(self, number: int) -> list[int]:
        """One message of each on both platforms; the ids of Telegram's updates."""
        for person in self.people:
            self.world.slack.say(f"D{person}", f"U{person}", asking(f"s{person}", number))
        return [self.world.telegram.say(asking(f"t{person}", number), user=User(id=person)) for person in self.people]

    @property
    def crowd(self) -> range:
        """Who writes much meanwhile."""
        return range(self.first + PEOPLE, self.first + PEOPLE + CROWD)

    def crowd_writes(self) -> None:
        """What the crowd has to say, all at once."""
        for number in range(CROWD_EACH):
            for person in self.crowd:
                self.world.slack.say(f"D{person}", f"U{person}", asking(f"s{person}", 10 + number))
                self.world.telegram.say(asking(f"t{person}", 10 + number), user=User(id=person))

    def crowd_is_answered(self) -> bool:
        """Each of them has as many answers on either platform."""
        return all(
            min(len(in_telegram(self.world, person)), len(in_slack(self.world, f"D{person}"))) >= CROWD_EACH
            for person in self.crowd
        )

    def asked(self) -> Counter[str]:
        """How often the model was asked each question; how it is worded anew may be asked again."""
        contents = (str(chat["messages"][-1]["content"]) for chat in self.world.model.chats)
        return Counter(content for content in contents if content.startswith("How much is"))

    def answers(self) -> list[list[str]]:
        """What each person has been told, on Telegram and on Slack."""
        return [
            *(in_telegram(self.world, person) for person in self.people),
            *(in_slack(self.world, f"D{person}") for person in self.people),
        ]

    def expected(self) -> list[list[str]]:
        """The same, when all is well."""
        return [
            [f"You asked: {asking(f'{platform}{person}', number)}" for number in (IN_FLIGHT, MEANWHILE)]
            for platform in "ts"
            for person in self.people
        ]

    def acknowledged(self) -> list[str]:
        """Questions over Slack's socket that were acknowledged."""
        acked = {ack.envelope_id for ack in self.world.slack.sockets.acks}
        return [
            str(one["payload"]["event"].get("text"))
            for one in self.world.slack.sockets.sent
            if one["envelope_id"] in acked and "event" in one["payload"]
        ]

    async def answer(self, messages: ChatMessages) -> str:
        """The model: what was asked before the outage is answered during it."""
        question = messages[-1]["content"]
        if question.endswith(f"n{IN_FLIGHT}?"):
            await self.answering.wait()
        return f"You asked: {question}"


def asking(person: str, number: int) -> str:
    """A question that stands alone, and that nobody else asks."""
    return f"How much is {person}n{number}?"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def polling() -> AsyncIterator[Office]:
    """A gateway and a worker, with Telegram's polling and Slack's sockets."""
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(opened_world())
        redis = await stack.enter_async_context(place(world.folder / "redis", key_load_ms=KEY_LOAD_MS))
        bots = [part(world, redis.url, role, role, LEASE) for role in ("gateway", "worker")]
        office = opened(world, redis, bots)
        for bot in bots:
            stack.push_async_exit(bot)
        await asyncio.gather(*(bot.start() for bot in bots))
        yield office


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def called() -> AsyncIterator[Office]:
    """One process that does everything, called by Telegram and Slack."""
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(opened_world())
        redis = await stack.enter_async_context(place(world.folder / "redis", key_load_ms=KEY_LOAD_MS))
        bot = part(world, redis.url, "all", "all", LEASE, CALLED, world.slack_over_http())
        office = opened(world, redis, [bot])
        await stack.enter_async_context(bot)
        world.telegram.webhook.base = bot.url
        world.slack.events_url = f"{bot.url}/slack/events"
        yield office


def opened(world: World, redis: Place, bots: list[Bot]) -> Office:
    """An office whose Slack brings events again for as long as the real one does: five minutes."""
    office = Office(world, redis, bots)
    world.model.reply(office.answer)
    world.slack.sockets.retry_delays_s = (0.0, 0.5, *(2.0 for _ in range(60)))
    return office


@pytest.mark.parametrize("fault", WHILE_POLLING)
async def test_redis_fails_while_we_poll(polling: Office, fault: str) -> None:
    """No offset moves, no socket acknowledges; after it everybody is answered once and in order."""
    await bear(polling, fault)


@pytest.mark.parametrize("fault", WHILE_CALLED)
async def test_redis_fails_while_we_are_called(called: Office, fault: str) -> None:
    """Telegram and Slack get 503, never 200; after it everybody is answered once and in order."""
    await bear(called, fault)


async def bear(office: Office, fault: str) -> None:
    """One outage from its beginning to the last answer."""
    world, gateway = office.world, office.bots[0]
    office.first += 100
    office.answering.clear()
    office.everybody_writes(IN_FLIGHT)
    held = [asking(f"{platform}{person}", IN_FLIGHT) for platform in "ts" for person in office.people]
    await comes(lambda: all(office.asked()[one] for one in held), "the model is asked")
    await comes(lambda: not world.telegram.unconfirmed, "Telegram is acknowledged")
    refused = [await unstored(gateway, platform) for platform in PLATFORMS]

    async with FAULTS[fault](office.redis):
        with Watch(office.bots, office.redis.proxy) as watch:
            updates = office.everybody_writes(MEANWHILE)
            office.crowd_writes()
            office.answering.set()
            await notices(office, refused, fault)
            await asyncio.sleep(AWAY_S)
            tries = sum([await unstored(gateway, platform) for platform in PLATFORMS]) - sum(refused)
            unconfirmed, acknowledged = set(world.telegram.unconfirmed), office.acknowledged()
            said = {status for update in updates for status in world.telegram.webhook.answers[update]}

    assert set(updates) <= unconfirmed
    assert not {asking(f"s{person}", MEANWHILE) for person in office.people} & set(acknowledged)
    assert said <= {0, 503}
    assert {wait for waits in world.telegram.webhook.waits.values() for wait in waits} <= {2}
    check_modest(watch, tries)
    await comes(lambda: all(map(is_whole, office.answers())), f"everybody's answers, after {fault}")
    await comes(office.crowd_is_answered, "the crowd's answers", seconds=240)
    await comes(lambda: not world.telegram.unconfirmed, "Telegram is acknowledged")
    for bot in office.bots:
        await bot.wait_ready()
    assert office.answers() == office.expected()
    for person in office.crowd:
        asked = [f"You asked: {asking(f't{person}', 10 + number)}" for number in range(CROWD_EACH)]
        assert in_telegram(world, person) == asked
        assert len(set(in_slack(world, f"D{person}"))) == len(in_slack(world, f"D{person}")) == CROWD_EACH
    assert {one: count for one, count in office.asked().items() if count != 1} == {}
    assert office.redis.node.ask("EXISTS", "fd:{p0}:dead") == 0
    assert "Traceback" not in "".join(bot.said() for bot in office.bots)


def is_whole(answers: Sequence[str]) -> bool:
    """A person has both answers."""
    return len(answers) >= 2


async def notices(office: Office, refused: Sequence[float], fault: str) -> None:
    """Until messages were refused, and every process says that it is not ready, and why.

    Slack, which waits for 3 s, is refused first; Telegram's poll waits for all attempts.
    """
    platforms = PLATFORMS[:1] if fault in HANGS and not AWAY_S else PLATFORMS
    for platform, before in zip(platforms, refused, strict=False):
        await comes(partial(is_refused, office.bots[0], platform, before), f"messages of {platform} are refused")
    for bot in office.bots:
        await comes(partial(is_unready, bot), "/readyz says so")
        assert (await page(f"{bot.url}/healthz"))[0] == 200


async def is_refused(bot: Bot, platform: str, before: float) -> bool:
    """Another message was not stored."""
    return await unstored(bot, platform) > before


async def is_unready(bot: Bot) -> bool:
    """Because of Redis, with the kind of error and what it means."""
    status, said = await page(f"{bot.url}/readyz")
    return status == 503 and bool(re.search(r"redis: nothing can be stored \(\w+\): it \w", said))


def check_modest(watch: Watch, tries: float) -> None:
    """Nobody spins, writes or grows because of an outage.

    Connections: two full pools of a process at once, three for each message that came and was not stored, and so many a
    second for all turns in flight and all loops. Lines: so many of each kind in ten seconds. Processor: three tenths of
    one for each process, and 5 ms for each message that came and was not stored.
    """
    processes = len(watch.bots)
    assert watch.connections <= 256 + 3 * tries + 40 * watch.seconds, (watch, tries)
    assert watch.lines <= 40 * processes + 4 * processes * watch.seconds, watch
    assert watch.cpu_s <= 1.0 * processes + 0.3 * processes * watch.seconds + 0.005 * tries, (watch, tries)
    assert watch.grown_bytes <= processes * 16 * 2**20, watch

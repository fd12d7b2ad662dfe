"""More people than the model can answer: the oldest first, everybody told, nothing grows, and it ends when it ends.

The short form takes half a minute. `FRONTDESK_OVERLOAD=300` lets people come for so many seconds; with `-s` it prints
what was measured.
"""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from redis.asyncio import Redis

from bot.texts import Texts
from tests.process.conftest import World, text_of
from tests.process.running import Bot
from tests.servers.openai import ChatMessages, tokens
from tests.servers.redis import redis_server
from tests.servers.telegram_chat import User

SECONDS = float(os.environ.get("FRONTDESK_OVERLOAD", "5"))
LONG = SECONDS > 60
WORKERS = 6
AT_ONCE = WORKERS // 2
"""Calls that the model takes at once, and places that the bot has for it."""
CALL_S = 0.4
ARRIVALS_PER_S = (1.5 if LONG else 3) * AT_ONCE / CALL_S
SEARCHES = 'frontdesk_step_seconds_count{step="retrieve"}'
TEXTS = Texts.load()
WORD = {language: TEXTS("waiting", language) for language in ("en", "zh")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What was seen at one moment."""

    waiting: float
    oldest_s: float
    rss: float
    redis: float


@dataclass
class Load:
    """People who ask, each once, a slow model that serves them, and what was measured meanwhile.

    Attributes:
        asked: when each question was asked, in order; seconds, monotonic.
        begun: when the model got it, in order.
        samples: one a second.
    """

    world: World
    asked: dict[str, float] = field(default_factory=dict)
    begun: dict[str, float] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)

    def __post_init__(self) -> None:
        free = asyncio.Semaphore(AT_ONCE)

        async def slowly(messages: ChatMessages) -> str:
            question = messages[-1]["content"]
            self.begun.setdefault(question, time.monotonic())
            async with free:
                await asyncio.sleep(CALL_S)
            return f"You asked: {question}"

        self.world.model.reply(slowly)

    def say(self) -> None:
        """Somebody new asks, on both platforms in turn, every third of them in Chinese."""
        person = len(self.asked)
        question = f"第{person}段讲了什么？" if person % 3 == 0 else f"What is paragraph {person} about?"
        self.asked[question] = time.monotonic()
        if person % 2:
            self.world.telegram.say(question, user=User(id=10_000 + person))
        else:
            self.world.slack.say(f"D{person}", f"U{person}", question)

    def heard(self, person: int) -> list[str]:
        """All that one person was told."""
        if person % 2:
            return [sent.text for sent in self.world.telegram.messages(10_000 + person)]
        return [text_of(sent) for sent in self.world.slack.from_bot(f"D{person}")]

    def answered(self) -> bool:
        """Everybody has an answer."""
        if len(self.begun) < len(self.asked):
            return False  # cheap, as it is asked with every message that is sent
        return all(self.heard(person)[-1:] == [f"You asked: {one}"] for person, one in enumerate(self.asked))

    async def come(self) -> None:
        """People ask, one after the other, faster than they can be answered."""
        for _ in range(round(SECONDS * ARRIVALS_PER_S)):
            self.say()
            await asyncio.sleep(1 / ARRIVALS_PER_S)

    async def until_answered(self) -> None:
        """Wait for the last one."""
        longest = 3 * len(self.asked) * CALL_S / AT_ONCE + 30
        await self.world.telegram.wait_until(self.answered, "everybody's answer", timeout_s=longest)

    def displacement(self) -> int:
        """How many places the one who was served most out of turn was off, among all of the same platform.

        What is said on two platforms comes to us on two ways; on a busy machine now one, now the other is late.
        """
        person = {question: number for number, question in enumerate(self.asked)}
        served = [[person[question] for question in self.begun if person[question] % 2 == which] for which in (0, 1)]
        return max(abs(one // 2 - number) for people in served for number, one in enumerate(people))

    @asynccontextmanager
    async def measured(self, bot: Bot) -> AsyncIterator[None]:
        """Look at the bot once a second until the block ends."""
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(self._measure(bot))
            yield
            task.cancel()

    async def _measure(self, bot: Bot) -> None:
        async with Redis(unix_socket_path=f"{self.world.folder}/data/redis.sock") as redis:
            while True:
                figures, memory = await metrics(bot), await redis.info("memory")
                self.samples.append(
                    Sample(
                        waiting=figures["frontdesk_queue_messages"],
                        oldest_s=figures["frontdesk_queue_oldest_seconds"],
                        rss=figures["process_resident_memory_bytes"],
                        redis=memory["used_memory"],
                    )
                )
                await asyncio.sleep(1)


async def metrics(bot: Bot) -> Mapping[str, float]:
    """What a scrape shows, by name and labels."""
    async with aiohttp.ClientSession() as http, http.get(f"{bot.url}/metrics") as response:
        page = await response.text()
    return {name: float(value) for name, value in re.findall(r"^([a-z].*) (\S+)$", page, re.MULTILINE)}


async def at_rest(bot: Bot) -> Mapping[str, float]:
    """A scrape when the last turn is settled, some milliseconds after its answer."""
    async with asyncio.timeout(60):
        while (figures := await metrics(bot))["frontdesk_queue_messages"]:
            pass
    return figures


def mean(values: list[float]) -> float:
    """Of what was seen."""
    return sum(values) / len(values)


@pytest.mark.timeout(120 + 6 * SECONDS)
async def test_more_than_the_model_can_answer(world: World) -> None:
    """Everybody is answered in the order they came, is told when it takes long, and nothing is left behind."""
    load = Load(world)
    few = {"FRONTDESK_WORKERS__CONCURRENCY": str(WORKERS)}
    settings = (world.platforms(), world.with_model(timeout="60s"), world.unlimited(), world.samples())
    async with world.bot(*settings, few) as bot:
        async with load.measured(bot):
            await load.come()
            await load.until_answered()
        after = await at_rest(bot)
        load.say()
        await load.until_answered()

    count, samples = len(load.asked), load.samples[2:]
    half = len(samples) // 2
    rss_grows = mean([one.rss for one in samples[half:]]) - mean([one.rss for one in samples[:half]])
    redis_grows = samples[-1].redis - samples[0].redis
    most = max(sample.waiting for sample in samples)
    waited = {question: load.begun[question] - asked for question, asked in load.asked.items()}
    told = [[text for text in load.heard(person) if text in WORD.values()] for person in range(count)]
    print(  # noqa: T201 - what the long form is run for
        f"\n{count} asked, at most {most:g} waited, {max(waited.values()):.0f} s the longest; off by "
        f"{load.displacement()}; {after[SEARCHES] / count:.2f} searches each; {sum(map(len, told))} words; RSS "
        f"{rss_grows / 1e6:+.1f} MB from half to half, Redis {redis_grows / count / 1e3:.1f} KB for each message"
    )
    assert load.displacement() <= AT_ONCE + WORKERS
    assert after[SEARCHES] <= 2.2 * count
    for person, (question, seconds) in enumerate(waited.items()):
        word = WORD["zh" if question[0] == "第" else "en"]
        assert told[person] == [word] if seconds > 16 else told[person] in ([], [word]), (person, seconds)
        assert not told[person] or seconds > 9, (person, seconds)
    assert rss_grows < 5e6
    assert redis_grows < 8e3 * count
    assert max(sample.oldest_s for sample in samples) > 5
    assert most > 4 * WORKERS
    assert (after["frontdesk_queue_messages"], after["frontdesk_queue_oldest_seconds"]) == (0, 0)
    assert after['frontdesk_model_calls_total{result="failed"}'] == 0


def worker(world: World, url: str, name: str, settings: dict[str, str], *role: str) -> Bot:
    """A process with a folder of its own for its output."""
    folder = Path(world.folder, name)
    folder.mkdir()
    return Bot(folder, settings | {"REDIS_URL": url}, command=Bot.serving("--role", *role))


@pytest.mark.timeout(150)
async def test_bounds_hold_under_overload(world: World) -> None:
    """Two workers: who waits too long hears one apology, who writes too much one refusal; tokens are counted once."""
    per_day = 2000
    settings = world.platforms() | world.with_model() | world.light() | world.unlimited()
    settings |= {
        "FRONTDESK_WORKERS__CONCURRENCY": "2",
        "FRONTDESK_INBOX__MAX_AGE": "1m",
        "FRONTDESK_INBOX__MAX_WAITING": "2",
        "FRONTDESK_LIMITS__TOKENS": f'["{per_day}/day"]',
        "FRONTDESK_LLM__MAX_OUTPUT_TOKENS": "200",
    }
    late, full = TEXTS("late", "en"), TEXTS("mailbox_full", "en")
    used: list[int] = []
    mention = f"<@{world.slack.workspace.bot_user}>"

    async def slowly(messages: ChatMessages) -> str:
        question = messages[-1]["content"]
        if "greedy" in question:
            used.append(tokens(*(message["content"] for message in messages), question))
            return question
        await asyncio.sleep(CALL_S)
        return question

    world.model.reply(slowly)
    (world.folder / "redis").mkdir()
    with redis_server(world.folder / "redis") as url:
        workers = [worker(world, url, f"worker{number}", settings, "worker") for number in range(2)]
        bots = [worker(world, url, "gateway", settings, "gateway"), *workers]
        await asyncio.gather(*(bot.start() for bot in bots))
        try:
            for number in range(12):
                world.slack.say(f"C{number}", "UGREEDY", f"{mention} greedy question {number}?")
            for number in range(6):
                world.telegram.say(f"Flood {number}?", user=User(id=1))
            for person in range(30):
                world.telegram.say(f"What does {person} mean?", user=User(id=100 + person))
            await world.telegram.wait_confirmed(timeout_s=30)
            nearly_too_old = int(time.time()) - 58
            for person in range(30, 40):
                world.telegram.say(f"What does {person} mean?", user=User(id=100 + person), date=nearly_too_old)
            await world.telegram.wait_until(
                lambda: (
                    all(world.telegram.messages(100 + person) for person in range(40))
                    and full in [sent.text for sent in world.telegram.messages(1)]
                ),
                "everybody's word",
            )
            await asyncio.gather(*(drained(bot) for bot in workers))
        finally:
            codes = [await bot.stop() for bot in bots]

    heard = [said_to(world, 100 + person) for person in range(40)]
    flooded = said_to(world, 1)
    assert {len(texts) for texts in heard} == {1}
    assert [person for person, texts in enumerate(heard) if texts == [late]] == list(range(30, 40))
    assert (flooded.count(full), len(flooded)) == (1, 3)
    assert 0 < sum(used) <= per_day
    assert len(used) < 12
    assert len([shown for number in range(12) for shown in world.slack.ephemerals(f"C{number}", "UGREEDY")]) == 1
    assert codes == [0, 0, 0]


def said_to(world: World, user: int) -> list[str]:
    """All but the words of waiting, which depend on how busy the machine is."""
    return [sent.text for sent in world.telegram.messages(user) if sent.text not in WORD.values()]


async def drained(bot: Bot) -> None:
    """Wait until nothing waits."""
    async with asyncio.timeout(60):
        while (await metrics(bot))["frontdesk_queue_messages"]:  # noqa: ASYNC110 - another process's doing
            await asyncio.sleep(0.1)

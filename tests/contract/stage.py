"""A platform, a clock and a worker for tests of delivery: Redis is real, what stands around it does as it is told."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from redis.asyncio import Redis

from bot.company import Company
from bot.deliver import Deliver
from bot.doorbell import Doorbell
from bot.errors import StoreUnavailable
from bot.line import Line
from bot.message import Part, Platform, ReplyTo, SentId
from bot.pipeline import Pipeline
from bot.store import keys
from bot.store.client import translated
from bot.store.inbox import RedisInbox
from bot.store.outbound import RedisOutbound
from bot.store.scripts import Argument, Scripts, milliseconds
from bot.texts import Texts
from bot.turn import MAIN, StoredAnswer, Turn
from bot.worker import Worker
from tests.contract.samples import LEASE
from tests.fakes.ports import FakeMeter, FakeSpending

TEXTS = Texts.load()
SEND_TIMEOUT = timedelta(seconds=10)
DEADLINE_S = 20.0
"""Of what a test waits for; a wait that takes as long has failed."""


@dataclass
class Stage:
    """A platform: what the bot sends is taken, refused or left hanging, as `acts` say, one for each send.

    Attributes:
        acts: errors to raise, None to take the message, or an event to wait for before it is taken; then all is taken.
        on_send: called before each send, with its key.
        asked: keys of all sends, in order.
        heard: texts that were taken, in order.
        posts: what `find` finds, by key; None: the platform does not let us look.
        looked_for: keys that were looked for.
        typed: how often typing was shown.
        typing_hangs: it is never done with showing it.
        typing_fails: raised when it is shown.
        looking_fails: raised by `find`.
    """

    acts: list[Exception | asyncio.Event | None] = field(default_factory=list)
    on_send: Callable[[str], Awaitable[None]] | None = None
    asked: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)
    posts: dict[str, SentId] | None = None
    looked_for: list[str] = field(default_factory=list)
    typed: int = 0
    typing_hangs: bool = False
    typing_fails: Exception | None = None
    looking_fails: Exception | None = None

    def format(self, markdown: str) -> tuple[Part, ...]:
        """One part for each paragraph."""
        return tuple(Part(text=paragraph) for paragraph in markdown.split("\n\n"))

    async def send(self, to: ReplyTo, part: Part, *, key: str, first: bool, private: bool) -> SentId:
        """Do as the next act says; the id is that of the key."""
        self.asked.append(key)
        if self.on_send is not None:
            await self.on_send(key)
        match self.acts.pop(0) if self.acts else None:
            case Exception() as error:
                raise error
            case asyncio.Event() as gate:
                await gate.wait()
        self.heard.append(part.text)
        return SentId(f"id of {key}")

    async def find(self, to: ReplyTo, key: str) -> SentId | None:
        """What was posted under that key."""
        self.looked_for.append(key)
        if self.looking_fails is not None:
            raise self.looking_fails
        return self.posts.get(key) if self.posts is not None else None

    async def typing(self, to: ReplyTo) -> None:
        """Count it."""
        self.typed += 1
        if self.typing_fails is not None:
            raise self.typing_fails
        if self.typing_hangs:
            await asyncio.Event().wait()


class FlakyScripts(Scripts):
    """A Redis that is away for the next so many runs of a script: `failing[name] = 3`."""

    def __init__(self, redis: Redis, *, now_ms: int | None = None) -> None:
        super().__init__(redis, now_ms=now_ms)
        self.failing: Counter[str] = Counter()

    async def run(self, name: str, keys: Sequence[str], *arguments: Argument) -> object:
        """Fail, or run."""
        if self.failing[name] > 0:
            self.failing[name] -= 1
            raise StoreUnavailable(name)
        return await super().run(name, keys, *arguments)


class PassingTime:
    """A doorbell that lets the time of Redis pass while nothing is due, so that nobody has to wait for it.

    While a turn is leased the clock stands: leases do not run out by themselves.
    """

    def __init__(self, redis: Redis, scripts: Scripts) -> None:
        self._redis = redis
        self._scripts = scripts

    def clear(self) -> None:
        """Nothing to forget."""

    def ring(self) -> None:
        """Nobody sleeps for long."""

    async def wait(self, longest: timedelta) -> None:
        """A moment of ours; as long as asked for on the clock of Redis."""
        await asyncio.sleep(0.002)
        with translated("leases"):
            leased = [name async for name in self._redis.scan_iter(f"{keys.inbox(0)}:claim:*", count=1000)]
        if not leased and self._scripts.now_ms is not None:
            self._scripts.now_ms += max(1, milliseconds(longest))


class Step:
    """A pipeline of one step: answers as told."""

    name = "answer"

    def __init__(self, answer: Callable[[Turn], Awaitable[Turn]]) -> None:
        self._answer = answer

    async def __call__(self, turn: Turn) -> Turn:
        """The turn that the answer makes of it."""
        return await self._answer(turn)


def answered(turn: Turn, text: str = "Fine.") -> Turn:
    """The turn ended with an answer."""
    stored = StoredAnswer(markdown=text, answer=text, epoch=0, references=(), tokens=10)
    return turn.answered(stored, "answered", None)


async def says_fine(turn: Turn) -> Turn:
    """Answers everything alike."""
    return answered(turn)


@dataclass(kw_only=True)
class Cast:
    """All that a worker is made of; tests name what matters to them."""

    redis: Redis
    scripts: Scripts
    inbox: RedisInbox
    outbound: RedisOutbound
    stages: dict[Platform, Stage]
    answer: Callable[[Turn], Awaitable[Turn]] = says_fine
    meter: FakeMeter = field(default_factory=FakeMeter)
    concurrency: int = 4
    drain: timedelta = timedelta(milliseconds=20)
    lease: timedelta = LEASE
    doorbell: Doorbell | None = None
    line: Line = field(default_factory=lambda: Line(2))
    max_attempts: int = 3
    spending: FakeSpending = field(default_factory=FakeSpending)
    workers: list[Worker] = field(default_factory=list)

    def worker(self) -> Worker:
        """A new worker."""
        worker = Worker(
            inbox=self.inbox,
            pipeline=Pipeline([Step(self.answer)], self.meter),
            line=self.line,
            spending=self.spending,
            deliver=Deliver(
                inbox=self.inbox,
                messengers=self.stages,
                outbound=self.outbound,
                meter=self.meter,
                instead=lambda _: TEXTS("part_refused", "en"),
                send_timeout=min(SEND_TIMEOUT, self.lease / 2),
            ),
            company=Company(
                inbox=self.inbox,
                messengers=self.stages,
                outbound=self.outbound,
                texts=TEXTS,
                send_timeout=min(SEND_TIMEOUT, self.lease / 2),
            ),
            messengers=self.stages,
            doorbell=self.doorbell or PassingTime(self.redis, self.scripts),
            texts=TEXTS,
            voice=None,
            base_of=lambda _: MAIN,
            meter=self.meter,
            concurrency=self.concurrency,
            lease=self.lease,
            max_attempts=self.max_attempts,
            drain=self.drain,
        )
        self.workers.append(worker)
        return worker

    @asynccontextmanager
    async def working(self) -> AsyncIterator[asyncio.Event]:
        """A worker at work; at the end of the block, or once the event is set, it is stopped in order."""
        stop = asyncio.Event()
        async with asyncio.timeout(DEADLINE_S), asyncio.TaskGroup() as tasks:
            tasks.create_task(self.worker().run(stop))
            try:
                yield stop
            finally:
                stop.set()

    async def until(self, done: Callable[[], bool]) -> None:
        """Work until something is so, and the turn that made it so has ended."""
        async with self.working():
            await comes_true(done)
            await self.at_rest()

    async def at_rest(self) -> None:
        """Wait until no message waits."""
        while True:
            with translated("due"):
                if not await self.redis.exists(f"{keys.inbox(0)}:due"):
                    break
            await asyncio.sleep(0.005)


async def comes_true(done: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if done():
                return
            await asyncio.sleep(0.005)

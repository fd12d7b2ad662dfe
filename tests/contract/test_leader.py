"""Who leads: one at a time, followed when it leaves or dies, and never two on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from types import SimpleNamespace

import pytest
from redis.asyncio import Redis

from bot.errors import StoreUnavailable
from bot.leader import Leader, LedReceiver
from bot.store import keys
from bot.store.leader import RedisLeader
from bot.store.scripts import Scripts

LIFE = timedelta(seconds=0.3)
LONG = timedelta(minutes=1)


class Receiving:
    """A receiver that notes when it runs."""

    def __init__(self) -> None:
        self.runs = 0
        self.running = asyncio.Event()

    def not_ready(self) -> str | None:
        """Ready while it runs."""
        return None if self.running.is_set() else "not running"

    def receives(self) -> bool:
        """While it runs."""
        return self.running.is_set()

    def silence(self) -> timedelta | None:
        """Nothing ever comes."""
        return timedelta(0) if self.running.is_set() else None

    async def run(self, stop: asyncio.Event) -> None:
        """Until it is stopped."""
        self.runs += 1
        self.running.set()
        await stop.wait()
        self.running.clear()


class Doubtful:
    """A lead that is held until told otherwise."""

    life = LIFE

    def __init__(self, *, answer: bool | Exception | None = True) -> None:
        self.answer = answer
        self._asked = asyncio.Semaphore(0)

    async def hold(self) -> bool:
        """As told; None: Redis is away."""
        self._asked.release()
        if self.answer is None:
            raise StoreUnavailable("away")
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    async def asked_again(self, times: int) -> None:
        """Wait until it was asked so often from now on; three times are its life."""
        self._asked = asyncio.Semaphore(0)
        async with asyncio.timeout(10):
            for _ in range(times):
                await self._asked.acquire()

    async def leave(self) -> None:
        """Nothing."""


async def stores() -> None:
    """Messages can be stored."""


async def stores_nothing() -> None:
    """Cut off from Redis."""
    raise StoreUnavailable("away")


def led_by(
    leader: Leader,
    receiving: Receiving,
    displaced: asyncio.Event | None = None,
    check: Callable[[], Awaitable[None]] = stores,
) -> LedReceiver:
    """A receiver under that leader; another receives once `displaced` is set."""
    return LedReceiver(receiving, leader, displaced=(displaced or asyncio.Event()).is_set, check=check, name="t")


@asynccontextmanager
async def running(led: LedReceiver) -> AsyncIterator[asyncio.Event]:
    """Run it inside the block; stop it at the end."""
    stop = asyncio.Event()
    task = asyncio.create_task(led.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


async def until(receiving: Receiving, *, runs: bool) -> None:
    """Until it runs, or no longer does."""
    async with asyncio.timeout(10):
        while receiving.running.is_set() is not runs:  # noqa: ASYNC110 - both ways are waited for
            await asyncio.sleep(0.01)


async def test_one_leads_and_another_follows_when_it_leaves(redis: Redis) -> None:
    """At once, without waiting for the lead to end; leaving what one does not have changes nothing."""
    one, two = (RedisLeader(Scripts(redis), task="t", life=LONG) for _ in range(2))

    heard = [await one.hold(), await two.hold(), await one.hold()]
    await two.leave()
    heard += [await two.hold()]
    await one.leave()
    heard += [await two.hold(), await one.hold()]

    assert heard == [True, False, True, False, True, False]
    assert 59_000 < await redis.pttl(keys.leader("t")) <= 60_000


async def test_other_tasks_have_other_leaders(redis: Redis) -> None:
    """Two bots are polled by two processes."""
    one, two = (RedisLeader(Scripts(redis), task=task, life=LONG) for task in ("t", "u"))

    assert [await one.hold(), await two.hold()] == [True, True]


async def test_of_two_receivers_one_runs_and_the_other_follows(redis: Redis) -> None:
    """Stopped in order: at once; the one that stands by counts as ready."""
    receivings = [Receiving(), Receiving()]
    leds = [led_by(RedisLeader(Scripts(redis), task="t", life=LIFE), one) for one in receivings]
    async with running(leds[0]) as stop_first:
        await until(receivings[0], runs=True)
        async with running(leds[1]):
            async with asyncio.timeout(10):
                while leds[1].not_ready() is not None:  # noqa: ASYNC110 - the receiver has no event for it
                    await asyncio.sleep(0.01)
            alone = not receivings[1].running.is_set()
            first = [one.receives() for one in leds]
            stop_first.set()
            await until(receivings[1], runs=True)
            second = [one.receives() for one in leds]

    assert alone
    assert (first, second) == ([True, False], [False, True])
    assert [one.runs for one in receivings] == [1, 1]
    assert await redis.exists(keys.leader("t")) == 0


async def test_a_receiver_that_fails_is_begun_again_and_the_log_says_why(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw must not be swallowed."""

    class Failing(Receiving):
        async def run(self, stop: asyncio.Event) -> None:
            if self.runs == 0:
                self.runs += 1
                raise ZeroDivisionError
            await super().run(stop)

    receiving = Failing()
    async with running(led_by(Doubtful(), receiving)):
        await until(receiving, runs=True)

    assert [one.exc_info[0] for one in caplog.records if one.exc_info] == [ZeroDivisionError]


async def test_a_leader_that_died_is_followed(redis: Redis) -> None:
    """Its lead ends by itself."""
    await RedisLeader(Scripts(redis), task="t", life=LIFE).hold()
    receiving = Receiving()

    async with running(led_by(RedisLeader(Scripts(redis), task="t", life=LIFE), receiving)):
        await until(receiving, runs=True)

    assert receiving.runs == 1


async def test_who_learns_that_another_leads_stops_and_may_lead_again() -> None:
    """A process that was suspended for longer than its lead."""
    receiving, leader = Receiving(), Doubtful()
    async with running(led_by(leader, receiving)):
        await until(receiving, runs=True)
        leader.answer = False
        await until(receiving, runs=False)
        leader.answer = True
        await until(receiving, runs=True)

    assert receiving.runs == 2


async def test_who_led_last_goes_on_while_nobody_can_know_who_leads() -> None:
    """Far beyond the end of the lead, since others cannot take it either; until another leads."""
    receiving, leader = Receiving(), Doubtful()
    async with running(led_by(leader, receiving)):
        await until(receiving, runs=True)
        leader.answer = None
        await leader.asked_again(9)
        went_on = receiving.running.is_set()
        leader.answer = False
        await until(receiving, runs=False)

    assert (went_on, receiving.runs) == (True, 1)


async def test_who_led_last_and_is_cut_off_ends_with_its_lead(monkeypatch: pytest.MonkeyPatch) -> None:
    """It can store nothing, and another may lead by then; not before."""
    receiving, leader, now = Receiving(), Doubtful(), [0.0]
    monkeypatch.setattr("bot.leader.time", SimpleNamespace(monotonic=lambda: now[0]))
    async with running(led_by(leader, receiving, check=stores_nothing)):
        await until(receiving, runs=True)
        leader.answer = None
        await leader.asked_again(5)
        went_on = receiving.running.is_set()
        now[0] = LIFE.total_seconds()
        await until(receiving, runs=False)
        leader.answer = True
        await until(receiving, runs=True)

    assert (went_on, receiving.runs) == (True, 2)


@pytest.mark.parametrize("answer", [None, ZeroDivisionError()])
async def test_who_led_last_ends_when_told_to_although_nobody_knows(answer: Exception | None) -> None:
    """A stop ends it as ever, whatever came of asking."""
    receiving, leader = Receiving(), Doubtful()
    async with running(led_by(leader, receiving)):
        await until(receiving, runs=True)
        leader.answer = answer
        await leader.asked_again(2)

    assert (receiving.running.is_set(), receiving.runs) == (False, 1)


@pytest.mark.parametrize("blip", [StoreUnavailable("away"), ZeroDivisionError()])
async def test_who_led_last_begins_again_once_messages_can_be_stored(
    blip: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though nobody can know yet who leads; until then it is not ready, and says why."""
    receiving, leader, failing = Receiving(), Doubtful(), list[Exception]()
    monkeypatch.setattr(receiving, "not_ready", lambda: None)  # as it was when it ran last

    async def check() -> None:
        if failing:
            raise failing[0]

    led = led_by(leader, receiving, check=check)
    async with running(led):
        await until(receiving, runs=True)
        failing.append(blip)
        leader.answer = None
        async with asyncio.timeout(10):
            while (said := led.not_ready()) is None:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)
        failing.clear()
        await until(receiving, runs=True)
        ready = led.not_ready()

    assert (said, ready) == ("who receives cannot be settled now", None)


async def test_who_never_led_does_not_begin_while_nobody_can_know_who_leads() -> None:
    """Or all would."""
    receiving, leader = Receiving(), Doubtful(answer=None)
    async with running(led_by(leader, receiving)):
        await leader.asked_again(5)

    assert receiving.runs == 0


async def test_who_led_last_makes_way_when_the_platform_names_another() -> None:
    """Only while nobody knows: who leads is not turned away by a stranger; and it leads again once that is settled."""
    receiving, leader, displaced = Receiving(), Doubtful(), asyncio.Event()
    async with running(led_by(leader, receiving, displaced)):
        await until(receiving, runs=True)
        displaced.set()
        await leader.asked_again(3)
        leads = receiving.running.is_set()
        leader.answer = None
        await until(receiving, runs=False)
        await leader.asked_again(3)
        runs = receiving.runs
        leader.answer = True
        await until(receiving, runs=True)

    assert (leads, runs, receiving.runs) == (True, 1, 2)

"""Redis answers, and what it holds cannot be used: to try again is in vain, and holds up no conversation."""

from __future__ import annotations

import logging
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from bot.deliver import insist
from bot.errors import StoreBroken
from bot.store import keys
from bot.store.client import translated
from bot.store.outbound import RedisOutbound
from bot.store.scripts import Scripts
from bot.turn import Turn
from tests.contract.samples import START_MS, claimed_by, conversation, inbox_on, incoming
from tests.contract.stage import TEXTS, Cast, Stage, answered

HISTORY = f"{keys.inbox(0)}:history:{conversation().id}"


@pytest.fixture
def stage() -> Stage:
    """The platform."""
    return Stage()


@pytest.fixture
def desk(redis: Redis, stage: Stage) -> Cast:
    """A desk that answers everything alike, on a clock that passes while nothing is due."""
    scripts = Scripts(redis, now_ms=START_MS)
    inbox, outbound = inbox_on(redis, scripts), RedisOutbound(scripts, {})
    return Cast(redis=redis, scripts=scripts, inbox=inbox, outbound=outbound, stages={"telegram": stage})


async def test_what_would_never_be_done_is_not_insisted_on() -> None:
    """Once, and not each second for ever."""
    tries = 0

    async def act() -> None:
        nonlocal tries
        tries += 1
        raise StoreBroken("settle: what Redis holds cannot be used")

    with pytest.raises(StoreBroken):
        await insist(act)

    assert tries == 1


@pytest.mark.parametrize("key", ["mail", "body"])
async def test_what_cannot_be_stored_is_not_taken_for_stored_when_it_comes_again(redis: Redis, key: str) -> None:
    """A script that Redis ends keeps what it wrote: the mark of a message that is seen comes last."""
    inbox, name = inbox_on(redis, Scripts(redis)), f"{keys.inbox(0)}:{key}:{conversation().id}"
    await redis.set(name, "of another kind")
    for _ in range(2):
        with pytest.raises(StoreBroken):
            await inbox.put(incoming(1))
    await redis.delete(name)

    assert await inbox.put(incoming(1)) == "stored"


@pytest.mark.parametrize("key", ["mail", "body", "turn", "history"])
async def test_a_conversation_that_cannot_be_claimed_holds_up_no_other(redis: Redis, key: str) -> None:
    """It is said to be broken each minute; when it is mended, what is left of it goes on."""
    scripts = Scripts(redis, now_ms=START_MS)
    inbox = inbox_on(redis, scripts)
    for number in range(3):
        await inbox.put(incoming(number, conversation(str(number))))
    name = f"{keys.inbox(0)}:{key}:{conversation('0').id}"
    await redis.delete(name)
    await redis.set(name, "of another kind")

    with pytest.raises(StoreBroken):
        await inbox.claim("t0")
    served = [(await claimed_by(inbox, f"t{number}")).incoming.id for number in (1, 2)]
    nothing = await inbox.claim("t3")
    untold = await inbox.claim_untold("t4", timedelta(milliseconds=1))
    await redis.delete(name)
    scripts.now_ms = START_MS + 60_000
    after = await inbox.claim("t5", spared_from=0)

    assert served == [incoming(number).id for number in (1, 2)]
    assert (nothing, untold) == (None, None)
    assert after is not None
    assert (after.incoming.id == incoming(0).id) == (key in ("turn", "history"))


async def test_an_answer_that_cannot_be_remembered_is_said_once(
    desk: Cast, stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """It is out; the turn ends without being remembered, and the log says so."""

    async def answer(turn: Turn) -> Turn:
        await desk.redis.set(HISTORY, "no list")
        return answered(turn)

    desk.answer = answer
    await desk.inbox.put(incoming(1))

    await desk.until(lambda: bool(stage.heard))

    assert stage.heard == ["Fine."]
    assert desk.meter.counted.count(("settled", "answered")) == 1
    (error,) = [one.getMessage() for one in caplog.records if one.levelno >= logging.ERROR]
    assert error.startswith("what was answered is not remembered")
    assert error.endswith("settle: what Redis holds cannot be used (WRONGTYPE)")


async def test_a_turn_that_meets_it_is_given_up_after_its_attempts(desk: Cast, stage: Stage) -> None:
    """As after any other exception, and not only when the patience with a store that is away is over."""

    async def answer(turn: Turn) -> Turn:
        await desk.redis.set("fd:text", "no list")
        with translated("look up"):
            await desk.redis.lpush("fd:text", "x")
        return turn

    desk.answer = answer
    await desk.inbox.put(incoming(1))

    await desk.until(lambda: bool(stage.heard))

    assert stage.heard == [TEXTS("failure", "en")]
    letter = await desk.redis.hget(f"{keys.inbox(0)}:dead:{incoming(1).id}", "reason")
    assert letter == b"3 exceptions, 0 crashes"
    assert (desk.scripts.now_ms or 0) - START_MS < 60_000

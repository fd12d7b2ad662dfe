"""Providers in order: who is asked, who is left alone, who waits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from bot.errors import ModelBusy, ModelFault, ModelUnavailable
from bot.llm.fallback import FAILURES, FIRST_PAUSE, LONGEST_PAUSE, Models
from bot.model import Completion, ModelMessage

HELLO = [ModelMessage(role="user", content="Hello")]


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Now."""
        return self.now


class Scripted:
    """A model that answers, fails or waits as told."""

    def __init__(self, says: str, *, fails: bool = False, fault: ModelFault = "away") -> None:
        self.says = says
        self.fails = fails
        self.fault = fault
        self.asked = 0
        self.hangs: asyncio.Event | None = None

    async def complete(self, messages: Sequence[ModelMessage], *, max_tokens: int | None = None) -> Completion:
        """Answer or fail."""
        self.asked += 1
        if self.hangs is not None:
            await self.hangs.wait()
        if self.fails:
            raise ModelUnavailable("HTTP 500", fault=self.fault)
        return Completion(text=self.says, complete=True)


def models(*scripted: Scripted, clock: Clock | None = None, most_waiting: int = 10) -> Models:
    """The models, named by what they say."""
    return Models([(one.says, one) for one in scripted], most_waiting=most_waiting, clock=clock or Clock())


async def failing(together: Models, times: int) -> None:
    """So many calls that nobody answers."""
    for _ in range(times):
        with pytest.raises(ModelUnavailable):
            await together.complete(HELLO)


async def test_the_first_answers_and_the_next_is_not_asked() -> None:
    """Its answer is nobody's fallback."""
    first, second = Scripted("first"), Scripted("second")

    completion = await models(first, second).complete(HELLO)

    assert (completion.text, completion.fallback, second.asked) == ("first", False, 0)


async def test_when_one_fails_the_next_answers_and_it_is_said_to_be_a_fallback() -> None:
    """So that it is not stored under the first one's name."""
    completion = await models(Scripted("first", fails=True), Scripted("second")).complete(HELLO)

    assert (completion.text, completion.fallback) == ("second", True)


async def test_when_all_fail_each_reason_is_named() -> None:
    """For the log."""
    with pytest.raises(ModelUnavailable, match="one: HTTP 500; two: HTTP 500"):
        await models(Scripted("one", fails=True), Scripted("two", fails=True)).complete(HELLO)


async def test_one_that_fails_again_and_again_is_left_alone_for_a_while() -> None:
    """Then one call may try; each trial that fails doubles the pause, up to a bound; a success ends it."""
    clock, model = Clock(), Scripted("one", fails=True)
    together = models(model, clock=clock)
    await failing(together, FAILURES + 3)
    asked = [model.asked]
    for factor in (1, 2, 4):
        clock.now += factor * FIRST_PAUSE.total_seconds() - 0.1
        await failing(together, 2)
        clock.now += 0.1
        await failing(together, 2)
        asked.append(model.asked)
    model.fails = False
    clock.now += LONGEST_PAUSE.total_seconds()
    answers = [await together.complete(HELLO) for _ in range(2)]

    assert asked == [FAILURES, FAILURES + 1, FAILURES + 2, FAILURES + 3]
    assert [answer.text for answer in answers] == ["one", "one"]


async def test_the_pause_has_a_bound() -> None:
    """However long a provider is away, it is tried again within minutes."""
    clock, model = Clock(), Scripted("one", fails=True)
    together = models(model, clock=clock)
    await failing(together, FAILURES)
    for _ in range(10):
        clock.now += LONGEST_PAUSE.total_seconds()
        await failing(together, 1)

    assert model.asked == FAILURES + 10


async def test_a_success_in_between_counts_the_failures_anew() -> None:
    """Only failures in a row open it."""
    model = Scripted("one", fails=True)
    together = models(model)
    await failing(together, FAILURES - 1)
    model.fails = False
    await together.complete(HELLO)
    model.fails = True
    await failing(together, FAILURES - 1)

    assert model.asked == 2 * FAILURES - 1


async def test_a_request_at_fault_is_not_the_provider_s() -> None:
    """One that is too long fails everywhere, and the provider is asked again."""
    model = Scripted("one", fails=True, fault="request")
    together = models(model)
    await failing(together, 3 * FAILURES)

    assert model.asked == 3 * FAILURES


async def test_a_wrong_key_is_noticed_at_once(caplog: pytest.LogCaptureFixture) -> None:
    """Nobody need fail five times for what only the operator can mend, and the operator gets one line about it."""
    model = Scripted("one", fails=True, fault="setup")
    together = models(model)
    await failing(together, 3 * FAILURES)

    assert model.asked == 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize(
    ("faults", "said"),
    [
        (("away", "request"), "away"),
        (("request", "request"), "request"),
        (("too_long", "away"), "too_long"),
        (("setup", "setup"), "away"),
    ],
)
async def test_what_all_of_them_together_say(faults: tuple[ModelFault, ModelFault], said: ModelFault) -> None:
    """A shorter request is worth trying if one of them asks for it; and "no answer to this" must be said by all."""
    together = models(*(Scripted(str(number), fails=True, fault=fault) for number, fault in enumerate(faults)))

    with pytest.raises(ModelUnavailable) as caught:
        await together.complete(HELLO)

    assert caught.value.fault == said


async def test_only_one_call_tries_and_a_cancelled_one_lets_the_next_try() -> None:
    """After a pause many may come at once."""
    clock, model = Clock(), Scripted("one", fails=True)
    together = models(model, clock=clock)
    await failing(together, FAILURES)
    clock.now += FIRST_PAUSE.total_seconds()
    model.hangs = asyncio.Event()
    trying = asyncio.create_task(together.complete(HELLO))
    await asyncio.sleep(0)
    await failing(together, 1)
    trying.cancel()
    await asyncio.wait([trying])
    model.hangs, model.fails = None, False

    assert (await together.complete(HELLO)).text == "one"
    assert model.asked == FAILURES + 2


async def test_a_call_from_before_says_nothing_of_the_trial() -> None:
    """One that was under way when the provider was left alone, and is cancelled or fails while another call tries."""
    clock, model = Clock(), Scripted("one", fails=True)
    together = models(model, clock=clock)
    model.hangs = before = asyncio.Event()
    early = [asyncio.create_task(together.complete(HELLO)) for _ in range(2)]
    await asyncio.sleep(0)
    model.hangs = None
    await failing(together, FAILURES)
    clock.now += FIRST_PAUSE.total_seconds()
    model.hangs = asyncio.Event()
    trying = asyncio.create_task(together.complete(HELLO))
    await asyncio.sleep(0)
    asked = model.asked
    early[0].cancel()
    before.set()
    await asyncio.wait(early)
    await failing(together, 1)
    assert model.asked == asked
    model.hangs.set()
    await asyncio.wait([trying])
    clock.now += 2 * FIRST_PAUSE.total_seconds()
    await failing(together, 1)

    assert model.asked == asked + 1


async def test_only_so_many_wait_for_one_and_the_others_are_told_to_come_back() -> None:
    """Or are answered by the next; when one has its answer there is room again."""
    first = Scripted("first")
    first.hangs = asyncio.Event()
    alone, together = models(first, most_waiting=2), models(first, Scripted("second"), most_waiting=2)
    waiting = [asyncio.create_task(one.complete(HELLO)) for one in (alone, alone, together, together)]
    await asyncio.sleep(0)

    with pytest.raises(ModelBusy) as busy:
        await alone.complete(HELLO)
    assert not busy.value.called
    assert (await together.complete(HELLO)).text == "second"
    first.hangs.set()
    assert [completion.text for completion in await asyncio.gather(*waiting)] == ["first"] * 4
    assert (await alone.complete(HELLO)).text == "first"

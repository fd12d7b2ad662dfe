"""Acts of all partitions side by side: what a hanging or failing one does to the others."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.errors import StoreUnavailable
from bot.store import partitions
from bot.store.partitions import of_those_that_answer

AWAY = StoreUnavailable("away")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """All partitions are waited for a moment only."""
    monkeypatch.setattr(partitions, "ALL_WITHIN", timedelta(milliseconds=50))


async def answers(text: str) -> str:
    """At once."""
    return text


async def fails(error: Exception) -> str:
    """At once."""
    raise error


class Hanging:
    """A partition that never answers, or once it is told to."""

    def __init__(self) -> None:
        self.given_up = False
        self.goes_on = asyncio.Event()

    async def act(self) -> str:
        """Hang."""
        try:
            await self.goes_on.wait()
        except asyncio.CancelledError:
            self.given_up = True
            raise
        return "late"


async def test_a_hanging_partition_is_left_out_and_given_up() -> None:
    """The others' answers come in order; nothing of it runs on."""
    hanging = Hanging()

    async with asyncio.timeout(20):
        found = await of_those_that_answer([answers("a"), hanging.act(), fails(AWAY), answers("b")])

    assert (found, hanging.given_up) == (["a", "b"], True)


async def test_while_none_has_answered_the_first_is_waited_for() -> None:
    """One failed, one answers late, one never."""
    late, never = Hanging(), Hanging()
    asking = asyncio.create_task(of_those_that_answer([fails(AWAY), never.act(), late.act()]))
    done, _ = await asyncio.wait([asking], timeout=0.2)
    late.goes_on.set()

    async with asyncio.timeout(20):
        found = await asking

    assert (done, found, never.given_up, late.given_up) == (set(), ["late"], True, False)


@pytest.mark.parametrize("others", [[], [RuntimeError("a mistake of ours")]])
async def test_what_fails_everywhere_and_mistakes_are_raised(others: list[Exception]) -> None:
    """One server that is away is no error; all are, and so is what is not about Redis at all."""
    mistakes = [answers("a"), *map(fails, others)] if others else [fails(AWAY)]

    with pytest.raises(type(others[0]) if others else StoreUnavailable):
        await of_those_that_answer([fails(AWAY), *mistakes])


async def test_who_stops_asking_leaves_nothing_running() -> None:
    """As the deadline of /readyz does."""
    hanging = Hanging()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await of_those_that_answer([hanging.act()])

    assert hanging.given_up

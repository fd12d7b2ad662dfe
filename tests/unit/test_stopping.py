"""Ending what runs: whoever is told to end does, also if it did not hear it the first time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot import stopping
from bot.stopping import end, unless_stopped


async def test_a_task_that_forgets_a_cancellation_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """As libraries do before Python 3.12, and TaskGroups that end by an error."""
    monkeypatch.setattr(stopping, "CANCEL_AGAIN", timedelta(milliseconds=10))
    forgotten = 0

    async def forgetful() -> None:
        nonlocal forgotten
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                forgotten += 1
                if forgotten == 3:
                    raise

    async def done() -> None:
        pass

    tasks = [asyncio.create_task(forgetful()), asyncio.create_task(done())]
    await asyncio.sleep(0)
    async with asyncio.timeout(20):
        await end(tasks)

    assert [task.cancelled() for task in tasks] == [True, False]


async def test_work_ends_with_the_stop_and_gives_its_result_without_one() -> None:
    """What it raises comes through."""
    stop = asyncio.Event()

    async def works() -> int:
        return 7

    async def fails() -> None:
        raise ZeroDivisionError

    async def is_stopped() -> int:
        stop.set()
        await asyncio.Event().wait()
        return 8

    assert await unless_stopped(works(), stop) == 7
    with pytest.raises(ZeroDivisionError):
        await unless_stopped(fails(), stop)
    async with asyncio.timeout(20):
        given = [await unless_stopped(is_stopped(), stop)]

    assert given == [None]

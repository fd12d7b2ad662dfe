"""Waiting that ends early when a process is stopped."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

CANCEL_AGAIN = timedelta(seconds=15)
"""Longer than any task of ours takes to end when it is told to, the stop of the embedded Redis included."""

T = TypeVar("T")


async def pause(longest: timedelta, stop: asyncio.Event) -> None:
    """Wait so long, or until `stop` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest.total_seconds()):
            await stop.wait()


async def unless_stopped(work: Coroutine[Any, Any, T], stop: asyncio.Event) -> T | None:
    """The result of `work`; None, and the work cancelled, if `stop` is set first.

    Raises:
        Whatever `work` raises.
    """
    task = asyncio.create_task(work, name="work unless stopped")
    stopping = asyncio.create_task(stop.wait(), name="the stop")
    try:
        await asyncio.wait((task, stopping), return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        task.cancel()
        stopping.cancel()
        await asyncio.gather(task, stopping, return_exceptions=True)


async def end(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Cancel tasks until all of them have ended: a library, or a TaskGroup with an error, may forget that it was told.

    What they raise stays with them.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=CANCEL_AGAIN.total_seconds())

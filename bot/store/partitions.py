"""The inbox partitions: their number, which is for ever, and asking all of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from datetime import timedelta
from typing import TypeVar

from bot.errors import StartError, StoreUnavailable
from bot.store import keys
from bot.store.client import translated
from bot.store.cluster import Client

Answer = TypeVar("Answer")

ALL_WITHIN = timedelta(seconds=1)
"""So long all partitions are waited for; a hanging server then keeps the answers of the others no longer. Well below
the deadline of `/readyz`."""


async def of_those_that_answer(acts: Iterable[Coroutine[object, object, Answer]]) -> list[Answer]:
    """Run an act of each partition side by side.

    Those that have not ended within `ALL_WITHIN` are cancelled, unless nothing has succeeded by then: the first one
    that does is waited for.

    Returns:
        What those that succeeded returned, in the order of the acts; at least one.

    Raises:
        StoreUnavailable: none succeeded; the error of the first act.
    """
    tasks = [asyncio.ensure_future(act) for act in acts]
    try:
        done, pending = await asyncio.wait(tasks, timeout=ALL_WITHIN.total_seconds())
        while pending and all(task.exception() for task in done):
            more, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            done |= more
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    ended = [task for task in tasks if task in done]
    errors = [error for task in ended if (error := task.exception())]
    for error in errors:
        if len(errors) == len(ended) or not isinstance(error, StoreUnavailable):
            raise error
    return [task.result() for task in ended if not task.exception()]


async def fix_partitions(redis: Client, partitions: int) -> None:
    """Fix the number of partitions at first start: SET NX and GET, one key without TTL.

    Raises:
        StartError: another number was fixed before; conversations would be looked for in the wrong place.
        StoreUnavailable: Redis did not answer.
    """
    with translated("fix_partitions"):
        await redis.set(keys.partitions(), partitions, nx=True)
        fixed = int(await redis.get(keys.partitions()) or 0)
    if fixed != partitions:
        raise StartError(
            f"inbox.partitions is {partitions}, but this Redis was started with {fixed}. "
            f"Set it back to {fixed}: messages wait in the partitions they were stored in."
        )

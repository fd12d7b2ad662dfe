"""The number of inbox partitions, which is for ever: a conversation is looked for where its hash says."""

from __future__ import annotations

from bot.errors import StartError
from bot.store import keys
from bot.store.client import translated
from bot.store.cluster import Client


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

"""What `frontdesk dead` does to the messages that could not be answered.

Part of the composition root: only `bot.app` asks.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.config import Config
from bot.dead import DeadAct, DeadLetter
from bot.stores import open_stores


async def dead_letters(config: Config) -> Sequence[DeadLetter]:
    """The messages that could not be answered, the latest first.

    Raises:
        StartError: Redis cannot be reached or started.
        StoreUnavailable: it went away.
    """
    async with open_stores(config, join=True, searched=False) as stores:
        return await stores.dead.list()


async def dead(config: Config, act: DeadAct, ids: Sequence[str] | None) -> dict[str, bool]:
    """Retry or drop dead letters, all of them if `ids` is None; for each id whether there was such a letter.

    Raises:
        StartError: Redis cannot be reached or started.
        StoreUnavailable: it went away; some may be done.
    """
    async with open_stores(config, join=True, searched=False) as stores:
        chosen = [letter.id for letter in await stores.dead.list()] if ids is None else ids
        do = stores.dead.retry if act == "retry" else stores.dead.drop
        return {message_id: await do(message_id) for message_id in chosen}

"""How many tokens of the model a person may use: an exact sliding window, decided by `spend.lua` on Redis's clock."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import chain
from typing import cast

from bot.message import PersonId
from bot.ports import Decision
from bot.store import keys
from bot.store.limiter import MOST_REFUSED, REMEMBERED
from bot.store.scripts import Scripts, milliseconds

RULE = "tokens"


class RedisSpending:
    """Implements the port `Spending`.

    Args:
        scripts: on the server that keeps the windows.
        windows: (most tokens, length); none limits nothing.
    """

    def __init__(self, scripts: Scripts, windows: Sequence[tuple[int, timedelta]]) -> None:
        self._scripts = scripts
        self._windows = tuple(chain.from_iterable((most, milliseconds(window)) for most, window in windows))

    async def reserve(self, person: PersonId, message: str, arrived_ms: int, tokens: int) -> Decision:
        """Reserve tokens for a message; see `spend.lua`. One round trip, none without windows.

        Raises:
            StoreUnavailable: they may be reserved; asking again gives the same decision.
        """
        if not self._windows:
            return Decision(allowed=True)
        key = keys.limit(RULE, person)
        answer = await self._scripts.run(
            "spend",
            [key, f"{key}:tokens", f"{key}:refused"],
            message,
            arrived_ms,
            MOST_REFUSED,
            milliseconds(REMEMBERED),
            max(1, tokens),
            self._scripts.now,
            *self._windows,
        )
        allowed, retry_ms, tell = cast("list[int]", answer)
        return Decision(allowed=allowed == 1, retry_after=timedelta(milliseconds=retry_ms), tell=tell == 1)

    async def spent(self, person: PersonId, message: str, tokens: int) -> None:
        """Correct the reservation; see `spent.lua`. One round trip, none without windows.

        Raises:
            StoreUnavailable: the reservation may stand as it was.
        """
        if self._windows:
            await self._scripts.run("spent", [f"{keys.limit(RULE, person)}:tokens"], message, tokens)

    async def release(self, person: PersonId, message: str) -> None:
        """Take a reservation back; see `unspend.lua`. One round trip, none without windows.

        Raises:
            StoreUnavailable: it may stand as it was; releasing again is safe.
        """
        if self._windows:
            key = keys.limit(RULE, person)
            await self._scripts.run("unspend", [key, f"{key}:tokens"], message)

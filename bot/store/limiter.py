"""The limiter: an exact sliding window per person, decided by `limit.lua` on Redis's clock."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import chain
from typing import cast

from bot.message import PersonId
from bot.ports import Decision
from bot.store import keys
from bot.store.scripts import Scripts, milliseconds

MOST_REFUSED = 1000
"""Refusals remembered of a person, so that one asked again gets the same decision; more would let a flood of
messages fill Redis, fewer than can wait in mailboxes would tell somebody twice."""
REMEMBERED = timedelta(hours=1)
"""A decision holds so long also under a shorter window, because a message that is put off comes here again: shorter
might refuse what was accepted, longer costs an entry for each message accepted meanwhile."""


class RedisLimiter:
    """Implements the port `Limiter`.

    Args:
        scripts: on the server that keeps the windows.
        rules: for each rule its windows, as (most messages, length); an empty one limits nothing.
    """

    def __init__(self, scripts: Scripts, rules: Mapping[str, Sequence[tuple[int, timedelta]]]) -> None:
        self._scripts = scripts
        self._windows = {
            rule: tuple(chain.from_iterable((most, milliseconds(window)) for most, window in windows))
            for rule, windows in rules.items()
        }

    async def decide(self, rule: str, person: PersonId, message: str, arrived_ms: int) -> Decision:
        """Decide about a message; see `limit.lua`. One round trip, none where the rule is empty.

        Raises:
            KeyError: there is no rule of that name.
            StoreUnavailable: it may have been decided; asking again gives the same decision.
        """
        windows = self._windows[rule]
        if not windows:
            return Decision(allowed=True)
        key = keys.limit(rule, person)
        answer = await self._scripts.run(
            "limit",
            [key, f"{key}:refused"],
            message,
            arrived_ms,
            MOST_REFUSED,
            milliseconds(REMEMBERED),
            self._scripts.now,
            *windows,
        )
        allowed, retry_ms, tell = cast("list[int]", answer)
        return Decision(allowed=allowed == 1, retry_after=timedelta(milliseconds=retry_ms), tell=tell == 1)

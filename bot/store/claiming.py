"""Running `claim.lua`, so that a claim that was held up on its way does nothing.

A server that hung, or a network that did, hands on what was sent to it meanwhile before anything newer. By then leases
have run out whose turns are still at work, here or in another process, and only wait to renew them. A claim that nobody
waits for any more would take one of them, and its answer would be paid for twice. So each claim says until when it may
be carried out: while no lease can have run out since it was sent.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import cast

from bot.errors import StoreBroken, StoreUnavailable
from bot.store.client import translated
from bot.store.cluster import server_of
from bot.store.scripts import Scripts, milliseconds

_NEVER = 2**53
PASSED_OVER = timedelta(seconds=4)
ASK_AGAIN = timedelta(seconds=2)
"""So seldom, and for so short, is a server asked that is away, while the conversations of others wait for us."""


class Claiming:
    """Keeps in mind what Redis's clock says, for each partition: on a cluster each server has its own.

    Args:
        scripts: on the server of the inbox.
        lease: how long a claim holds without renewal.
        max_turns: exchanges of history that come with it.
        history_ttl: life of a history after its last use.
    """

    def __init__(self, scripts: Scripts, *, lease: timedelta, max_turns: int, history_ttl: timedelta) -> None:
        self._scripts = scripts
        self._lease_ms = milliseconds(lease)
        self._max_turns = max_turns
        self._history_ms = milliseconds(history_ttl)
        self._ahead_ms: dict[str, int] = {}
        # Servers that did not answer: when to ask again (time.monotonic()); tokens that they may have given, by prefix.
        self._away: dict[str, float] = {}
        self._given: dict[str, str] = {}

    async def one_of_several(
        self, prefix: str, token: str, *, has_place: bool, spared_from: int | None
    ) -> tuple[list[object], str]:
        """As `run`, and the token that was used; a server that is away is passed over as if nothing were there.

        It keeps whoever asks waiting once; after that it is asked each `PASSED_OVER`, for `ASK_AGAIN`. What it may
        have given keeps its token, so the claim that comes through finds it.

        Raises:
            StoreUnavailable: it did not answer; do not use this token elsewhere.
        """
        token, server = self._given.get(prefix, token), server_of(self._scripts.redis, prefix)
        is_away, not_before = server in self._away, self._away.get(server, 0.0)
        if time.monotonic() < not_before:
            return [-1, -1], token
        try:
            with translated("claim"):
                async with asyncio.timeout(ASK_AGAIN.total_seconds() if is_away and not_before else None):
                    record = await self.run(prefix, token, has_place=has_place, spared_from=spared_from)
        except StoreBroken:
            raise  # the server answers
        except StoreUnavailable:
            self._given[prefix] = token
            self._away[server] = time.monotonic() + PASSED_OVER.total_seconds()
            raise
        self._given.pop(prefix, None)
        self._away.pop(server, None)
        return record, token

    def is_away(self, prefix: str) -> bool:
        """The server of this partition did not answer the last time."""
        return server_of(self._scripts.redis, prefix) in self._away

    def ask_all_again(self) -> None:
        """Nobody else has anything for us: whoever is away is asked the next time, for as long as it takes."""
        self._away = dict.fromkeys(self._away, 0.0)

    async def run(
        self,
        prefix: str,
        token: str,
        *,
        spared_from: int | None,
        has_place: bool = False,
        waited: timedelta = timedelta(0),
    ) -> list[object]:
        """What the script returns: two numbers if there is nothing to claim, else a record.

        One round trip. The first claim that is given anything tells the clock.

        Raises:
            StoreUnavailable: nothing is certain; or it was held up for half a lease, or the server's clock was set.
        """
        ahead_ms = self._ahead_ms.get(prefix)
        bound = ahead_ms is not None and not self._scripts.now
        answer = await self._scripts.run(
            "claim",
            [prefix],
            token,
            self._lease_ms,
            self._max_turns,
            self._history_ms,
            int(has_place),
            milliseconds(waited),
            self._scripts.now,
            (ahead_ms or 0) + _monotonic_ms() + self._lease_ms // 2 if bound else _NEVER,
            _NEVER if spared_from is None else spared_from,
        )
        if not isinstance(answer, list):
            self._ahead_ms[prefix] = int(cast("bytes", answer)) - _monotonic_ms()
            raise StoreUnavailable("claim: held up on its way")
        if len(answer) > 2:
            self._ahead_ms[prefix] = cast("list[int]", answer)[-3] - _monotonic_ms()
        return answer


def _monotonic_ms() -> int:
    return time.monotonic_ns() // 1_000_000

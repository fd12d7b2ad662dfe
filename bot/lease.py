"""A claimed conversation, and how long it is surely ours, on this process's monotonic clock."""

from __future__ import annotations

import time
from datetime import timedelta

from bot.ports import Claimed


class Lease:
    """Counts from before the request that got or prolonged it, so it never promises longer than Redis does."""

    def __init__(self, claimed: Claimed, *, asked_at: float, duration: timedelta) -> None:
        self.claimed = claimed
        self._seconds = duration.total_seconds()
        self._asked_at = asked_at
        self._until = asked_at + self._seconds

    def prolong(self, *, asked_at: float) -> None:
        """The lease was renewed by a request sent at `asked_at` (`time.monotonic()`)."""
        self._until = asked_at + self._seconds

    def lose(self) -> None:
        """Another has it: nothing may be sent any more."""
        self._until = 0.0

    def holds_for(self, needed: timedelta) -> bool:
        """An act that takes at most `needed` ends within the lease."""
        return self._until - time.monotonic() > needed.total_seconds()

    def age(self) -> timedelta:
        """How long ago the message arrived: until the claim by Redis's clock, since then by ours."""
        return self.claimed.waited + timedelta(seconds=time.monotonic() - self._asked_at)

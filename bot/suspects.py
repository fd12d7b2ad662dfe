"""Messages that saw processes end: one of them may have ended them.

A message that brings the process down does so again wherever it is claimed, and whatever was under way beside it is
charged with the crash, too. So those charged with more than one are answered one at a time in each process: the guilty
one soon stands alone with its crashes, and takes no innocent along to `MAX_CRASHES`: who is claimed while another is at
work is given back, and is not charged meanwhile. What ends a process does so soon; an answer that takes long makes the
others wait no longer than `ALONE`.
"""

from __future__ import annotations

import time
from datetime import timedelta

from bot.ports import Claimed

MAX_CRASHES = 10
"""Leases that may run out on one message before it is buried: more than a rolling kill causes, fewer than a loop."""
SUSPECT_AFTER = 2
"""Crashes that make a message suspect; one happens to everybody when a machine goes."""
SUSPECT_AGAIN = timedelta(seconds=1)
"""How soon one that must wait for another is looked at again."""
ALONE = timedelta(seconds=10)
"""How long one keeps the others waiting: after two kills at 64 turns each, people wait minutes and not half an hour."""


class Suspects:
    """The suspect message, if any, for which the others wait in this process now."""

    def __init__(self) -> None:
        self._token: str | None = None
        self._since = 0.0

    @property
    def spared_from(self) -> int | None:
        """Crashes from which on whoever is claimed next must wait; None: nobody must."""
        return SUSPECT_AFTER if self._one_is_at_work() else None

    def admit(self, claimed: Claimed) -> bool:
        """Whether a turn may go on now; one that is given up anyway may."""
        if not SUSPECT_AFTER <= claimed.crashes < MAX_CRASHES:
            return True
        if claimed.spared or self._one_is_at_work():
            return False
        self._token, self._since = claimed.token, time.monotonic()
        return True

    def _one_is_at_work(self) -> bool:
        return self._token is not None and time.monotonic() - self._since < ALONE.total_seconds()

    def ended(self, token: str) -> None:
        """A turn ended, whichever."""
        if self._token == token:
            self._token = None

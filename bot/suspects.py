"""Messages that saw processes end: one of them may have ended them.

A message that brings the process down does so again wherever it is claimed, and whatever was under way beside it is
charged with the crash, too. So those charged with more than one are answered one at a time in each process: the guilty
one soon stands alone with its crashes, and takes no innocent along to `MAX_CRASHES`.
"""

from __future__ import annotations

from datetime import timedelta

from bot.ports import Claimed

MAX_CRASHES = 10
"""Leases that may run out on one message before it is buried: more than a rolling kill causes, fewer than a loop."""
SUSPECT_AFTER = 2
"""Crashes that make a message suspect; one happens to everybody when a machine goes."""
SUSPECT_AGAIN = timedelta(seconds=1)
"""How soon one that must wait for another is looked at again."""


class Suspects:
    """The one suspect message, if any, that this process answers now."""

    def __init__(self) -> None:
        self._token: str | None = None

    def admit(self, claimed: Claimed) -> bool:
        """Whether a turn may go on now; one that is given up anyway may."""
        if not SUSPECT_AFTER <= claimed.crashes < MAX_CRASHES:
            return True
        if self._token is not None:
            return False
        self._token = claimed.token
        return True

    def ended(self, token: str) -> None:
        """A turn ended, whichever."""
        if self._token == token:
            self._token = None

"""What wakes the worker, as it sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import Protocol


class Doorbell(Protocol):
    """Says that something may be due."""

    def clear(self) -> None:
        """Forget past rings."""

    def ring(self) -> None:
        """Wake whoever waits here."""

    async def wait(self, longest: timedelta) -> None:
        """Return at the next ring or after `longest`; at once if it rang since `clear`."""

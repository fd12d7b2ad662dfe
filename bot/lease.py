"""A claimed conversation, and how long it is surely ours, on this process's monotonic clock."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from datetime import timedelta

from bot.errors import StoreUnavailable
from bot.ports import Claimed, Inbox

log = logging.getLogger(__name__)


class Lease:
    """Counts from before the request that got or prolonged it, so it never promises longer than Redis does.

    Attributes:
        claimed: the conversation.
        told_waiting: the person has had the word that it takes longer, before the claim or since.
    """

    def __init__(self, claimed: Claimed, *, asked_at: float, duration: timedelta) -> None:
        self.claimed = claimed
        self.told_waiting = claimed.told_waiting
        self._seconds = duration.total_seconds()
        self._asked_at = asked_at
        self._until = asked_at + self._seconds
        self._missed = 0.0
        self._got_on = False

    def get_on(self) -> None:
        """A part of its reply went out, or is known to be out."""
        self._got_on = True

    def prolong(self, *, asked_at: float) -> None:
        """The lease was renewed by a request sent at `asked_at` (`time.monotonic()`)."""
        self._until = asked_at + self._seconds

    def lose(self) -> None:
        """Another has it: nothing may be sent any more."""
        self._until = 0.0

    @property
    def third(self) -> timedelta:
        """Of its duration: the time between two renewals."""
        return timedelta(seconds=self._seconds / 3)

    @property
    def lost(self) -> bool:
        """Another has it."""
        return self._until == 0.0

    def ran_out(self) -> bool:
        """It ended by our clock, which is not to say that it is lost; says so once for each end."""
        if self.lost or self._until > time.monotonic() or self._missed == self._until:
            return False
        self._missed = self._until
        return True

    def holds_for(self, needed: timedelta) -> bool:
        """An act that takes at most `needed` ends within the lease."""
        return self._until - time.monotonic() > needed.total_seconds()

    def failing(self) -> timedelta:
        """How long its tries have failed, since it last got on; zero if they have not."""
        before = timedelta(0) if self._got_on else self.claimed.failing
        return before and before + timedelta(seconds=time.monotonic() - self._asked_at)

    def age(self) -> timedelta:
        """How long ago the message arrived: until the claim by Redis's clock, since then by ours."""
        return self.claimed.waited + timedelta(seconds=time.monotonic() - self._asked_at)


async def renew(inbox: Inbox, leases: Sequence[Lease]) -> None:
    """Prolong leases, or note that they are lost; those of one partition at a time, all partitions side by side.

    A partition that has not answered after a third of a lease, while others have, is given up: its server hangs, and
    theirs must be asked again before their leases end.

    Raises:
        StoreUnavailable: no partition answered. Of one that did not, while others did, the leases are as before.
    """
    by_token = {lease.claimed.token: lease for lease in leases}
    groups = inbox.together([lease.claimed for lease in leases])
    renewals = [asyncio.create_task(_renew(inbox, [by_token[claimed.token] for claimed in group])) for group in groups]
    try:
        if renewals:
            answered, _ = await asyncio.wait(renewals, timeout=leases[0].third.total_seconds())
            if not answered:
                await asyncio.wait(renewals)
    finally:
        for renewal in renewals:
            renewal.cancel()
    errors = [error for error in await asyncio.gather(*renewals, return_exceptions=True) if error is not None]
    for error in errors:
        if isinstance(error, asyncio.CancelledError):
            log.warning("some leases were not renewed: their server does not answer")
        elif len(errors) == len(groups) or not isinstance(error, StoreUnavailable):
            raise error
        else:
            log.warning("some leases were not renewed: %s", error)


async def try_renew(inbox: Inbox, leases: Sequence[Lease]) -> None:
    """As `renew`; if no partition answered, the leases are as before."""
    if leases:
        try:
            await renew(inbox, leases)
        except StoreUnavailable as error:
            log.warning("leases were not renewed: %s", error)


async def _renew(inbox: Inbox, leases: Sequence[Lease]) -> None:
    asked_at = time.monotonic()
    held = await inbox.renew([lease.claimed for lease in leases])
    for lease in leases:
        if lease.claimed.token in held:
            lease.prolong(asked_at=asked_at)
        else:
            lease.lose()

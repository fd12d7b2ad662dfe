"""The word of waiting for people whose message nobody works on: it waits in line for the model, or for a free worker.

Who is at work keeps their person company (`bot.company`). In an overload nearly everybody waits without that, so the
worker looks once a second for those whose time has come, the oldest first, a few at a time. Each is leased while the
word goes out, so that it comes before the answer, and gets its place back.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Callable
from datetime import timedelta

from bot.company import WORD_AFTER, Company
from bot.errors import StoreUnavailable
from bot.lease import Lease
from bot.message import Language
from bot.ports import Claimed, Inbox
from bot.stopping import pause
from bot.turn import IN_LINE

EVERY = timedelta(seconds=1)
MOST_AT_ONCE = 10
"""Words in a second: a third of what Telegram lets a bot send, the rest is for answers."""
BUDGET_AGAIN = timedelta(milliseconds=500)
TO_SPEND = timedelta(seconds=2)
"""How long one word waits for the budget of its chat; then it is left out."""

log = logging.getLogger(__name__)


class Watch:
    """Looks for people to tell.

    Args:
        inbox: where they wait.
        company: says the word.
        voice_of: the language of our own sentences for a message.
        lease: how long a claim holds.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        company: Company,
        voice_of: Callable[[Claimed], Language],
        lease: timedelta,
    ) -> None:
        self._inbox = inbox
        self._company = company
        self._voice_of = voice_of
        self._lease = lease

    async def run(self, stop: asyncio.Event, needed: Callable[[], bool]) -> None:
        """Look once a second until `stop` is set.

        Args:
            stop: ends it.
            needed: False: nobody can be waiting unclaimed, and Redis is not asked.
        """
        while not stop.is_set():
            if needed():
                try:
                    await self.look(stop)
                except StoreUnavailable as error:
                    log.warning("nobody was told that it takes longer: %s", error)
                except Exception:
                    # One turn of a background loop: what nobody foresaw must not end it, and the worker with it.
                    log.exception("nobody was told that it takes longer")
            await pause(EVERY, stop)

    async def look(self, stop: asyncio.Event) -> None:
        """Tell those whose time has come, at most `MOST_AT_ONCE`; nobody more once `stop` is set.

        Raises:
            StoreUnavailable: who was leased meanwhile is due again when the lease runs out.
        """
        for _ in range(MOST_AT_ONCE):
            if stop.is_set():
                return
            asked_at = time.monotonic()
            claimed = await self._inbox.claim_untold(uuid.uuid4().hex, WORD_AFTER)
            if claimed is None:
                return
            try:
                await self._tell(Lease(claimed, asked_at=asked_at, duration=self._lease), stop)
            finally:
                await self._inbox.defer(claimed, IN_LINE if claimed.has_place else timedelta(0))

    async def _tell(self, lease: Lease, stop: asyncio.Event) -> None:
        voice = self._voice_of(lease.claimed)
        for _ in range(TO_SPEND // BUDGET_AGAIN):
            # Nobody renews this lease: a word that might outlast it could come after the answer.
            if stop.is_set() or not lease.holds_for(self._company.send_timeout):
                return
            if await self._company.say_word_if_due(lease, voice):
                return
            await pause(BUDGET_AGAIN, stop)

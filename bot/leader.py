"""A receiver of which only one may run among all processes: the others stand by and follow within seconds.

Two that run at once for a moment, a suspended leader and its follower, do no harm: every message is stored once,
whoever brings it. So the lead saves quarrels with the platform, and correctness does not hang on it. Therefore who led
last goes on while nobody can know who leads, if messages can be stored: on a cluster the server that knows may be away
alone.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol

from bot.errors import StoreUnavailable
from bot.ports import Receiver
from bot.stopping import pause

STOP_WAIT = timedelta(seconds=20)
"""How long a receiver that has lost its lead may take to end before it is cancelled."""

log = logging.getLogger(__name__)


class Leader(Protocol):
    """Which of several processes does what only one may do."""

    @property
    def life(self) -> timedelta:
        """How long a lead holds without renewal."""

    async def hold(self) -> bool:
        """Become or remain the leader; False: another is."""

    async def leave(self) -> None:
        """Let another lead at once."""


class LedReceiver:
    """Implements `bot.ports.Receiver` by another that runs while this process leads.

    Args:
        receiver: what runs.
        leader: who may.
        displaced: whether the platform says that another receives.
        check: raises `StoreUnavailable` if nothing can be stored.
        name: for the log.
    """

    def __init__(
        self,
        receiver: Receiver,
        leader: Leader,
        *,
        displaced: Callable[[], bool],
        check: Callable[[], Awaitable[None]],
        name: str,
    ) -> None:
        self._receiver = receiver
        self._leader = leader
        self._displaced = displaced
        self._check = check
        self._name = name
        self._standing_by = self._leading = False

    def not_ready(self) -> str | None:
        """Why messages cannot reach us now; None when they can, or when another process receives them."""
        return None if self._standing_by else self._receiver.not_ready()

    def receives(self) -> bool:
        """Whether messages reach this process; never while another process receives, or nobody knows who."""
        return self._leading and self._receiver.receives()

    def silence(self) -> timedelta | None:
        """How long nothing has come; None while another process receives, or if nothing ever came."""
        return None if self._standing_by else self._receiver.silence()

    async def run(self, stop: asyncio.Event) -> None:
        """Stand by until we lead, receive while we do, and so on until `stop` is set."""
        while not stop.is_set():
            asked_at = time.monotonic()
            holds = await self._holds()
            if holds:
                self._standing_by = False
                await self._lead(stop, asked_at)
                continue
            if holds is False and not self._standing_by:
                log.info("%s: another process receives; standing by", self._name)
                self._standing_by = True
            await pause(self._leader.life / 3, stop)

    async def _lead(self, stop: asyncio.Event, held_since: float) -> None:
        """Receive until we are stopped, or another does."""
        ending, self._leading = asyncio.Event(), True
        receiving = asyncio.create_task(self._receiver.run(ending), name=f"{self._name} - receive while leading")
        try:
            while not stop.is_set() and not receiving.done():
                await pause(self._leader.life / 3, stop)
                asked_at = time.monotonic()
                holds = await self._holds()
                if holds:
                    held_since = asked_at
                elif holds is False or not await self._goes_on(held_since):
                    log.warning("%s: the lead is lost; another process receives from now on", self._name)
                    break
            ending.set()
            await asyncio.wait([receiving], timeout=STOP_WAIT.total_seconds())
        finally:
            self._leading = False
            receiving.cancel()
            for result in await asyncio.gather(receiving, return_exceptions=True):
                if isinstance(result, Exception):
                    log.error("%s: receiving failed; it is begun again", self._name, exc_info=result)
            await self._leave()

    async def _holds(self) -> bool | None:
        """Whether we lead; None if that cannot be settled now."""
        try:
            return await self._leader.hold()
        except StoreUnavailable as error:
            log.warning("%s: who receives could not be settled: %s", self._name, error)
        except Exception:
            # One turn of a background loop: what nobody foresaw must not end receiving.
            log.exception("%s: who receives could not be settled", self._name)
        return None

    async def _goes_on(self, held_since: float) -> bool:
        """Whether to receive although it cannot be settled who leads: the lead holds yet, or nobody can take it over.

        Who can store nothing is cut off from Redis, and another may lead.
        """
        if time.monotonic() - held_since < self._leader.life.total_seconds():
            return True
        if self._displaced():
            return False
        try:
            await self._check()
        except StoreUnavailable:
            return False
        return True

    async def _leave(self) -> None:
        try:
            await self._leader.leave()
        except StoreUnavailable as error:
            log.warning("%s: the lead was not given back, it ends by itself: %s", self._name, error)

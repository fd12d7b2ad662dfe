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
from typing import Protocol, TypeVar

from bot.errors import StoreUnavailable
from bot.ports import Receiver
from bot.stopping import pause

STOP_WAIT = timedelta(seconds=20)
"""How long a receiver that has lost its lead may take to end before it is cancelled."""

log = logging.getLogger(__name__)

T = TypeVar("T")


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
        self._held_since: float | None = None  # surely; None: never, or another has led since

    def not_ready(self) -> str | None:
        """Why messages cannot reach us now; None when they can, or when another process receives them."""
        if self._standing_by:
            return None
        return self._receiver.not_ready() or (None if self._leading else "who receives cannot be settled now")

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
            if holds or (holds is None and await self._goes_on()):
                self._standing_by = False
                self._held_since = asked_at if holds else self._held_since
                await self._lead(stop)
                continue
            if holds is False and not self._standing_by:
                log.info("%s: another process receives; standing by", self._name)
                self._standing_by, self._held_since = True, None
            await pause(self._leader.life / 3, stop)

    async def _lead(self, stop: asyncio.Event) -> None:
        """Receive until we are stopped, or another does."""
        ending, self._leading = asyncio.Event(), True
        receiving = asyncio.create_task(self._receiver.run(ending), name=f"{self._name} - receive while leading")
        try:
            while not stop.is_set() and not receiving.done():
                await pause(self._leader.life / 3, stop)
                asked_at = time.monotonic()
                holds = await self._holds()
                if holds:
                    self._held_since = asked_at
                elif holds is False or not await self._goes_on():
                    log.warning("%s: the lead is lost: another process receives, or may", self._name)
                    break
            ending.set()
            await asyncio.wait([receiving], timeout=STOP_WAIT.total_seconds())
        finally:
            self._leading = False
            ending.set()
            receiving.cancel()
            for result in await asyncio.gather(receiving, return_exceptions=True):
                if isinstance(result, Exception):
                    log.error("%s: receiving failed; it is begun again", self._name, exc_info=result)
            await self._settled(self._leader.leave, "that another may lead")

    async def _goes_on(self) -> bool:
        """Whether to receive although it cannot be settled who leads: the lead holds yet, or nobody can take it over.

        Who can store nothing is cut off from Redis, and another may lead.
        """
        if self._held_since is None:
            return False
        if time.monotonic() - self._held_since < self._leader.life.total_seconds():
            return True
        return not self._displaced() and bool(await self._settled(self._can_store, "whether messages can be stored"))

    async def _can_store(self) -> bool:
        await self._check()
        return True

    async def _holds(self) -> bool | None:
        """Whether we lead; None if that cannot be settled now."""
        return await self._settled(self._leader.hold, "who receives")

    async def _settled(self, act: Callable[[], Awaitable[T]], what: str) -> T | None:
        """What comes of an act; None, and a line in the log, if it fails: that must not end receiving."""
        try:
            return await act()
        except StoreUnavailable as error:
            log.warning("%s: %s could not be settled: %s", self._name, what, error)
        except Exception:
            # One turn of a background loop.
            log.exception("%s: %s could not be settled", self._name, what)
        return None

"""A receiver of which only one may run among all processes: the others stand by and follow within seconds.

Two that run at once for a moment, a suspended leader and its follower, do no harm: every message is stored once,
whoever brings it. So the lead saves quarrels with the platform, and correctness does not hang on it.
"""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import suppress
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
        name: for the log.
    """

    def __init__(self, receiver: Receiver, leader: Leader, *, name: str) -> None:
        self._receiver = receiver
        self._leader = leader
        self._name = name
        self._standing_by = False

    def not_ready(self) -> str | None:
        """Why messages cannot reach us now; None when they can, or when another process receives them."""
        return None if self._standing_by else self._receiver.not_ready()

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
        """Receive until we are stopped or may no longer."""
        ending = asyncio.Event()
        receiving = asyncio.create_task(self._receiver.run(ending), name=f"{self._name} - receive while leading")
        try:
            while not stop.is_set() and not receiving.done():
                await pause(self._leader.life / 3, stop)
                asked_at = time.monotonic()
                holds = await self._holds()
                if holds:
                    held_since = asked_at
                elif holds is False or time.monotonic() - held_since >= self._leader.life.total_seconds():
                    log.warning("%s: the lead is lost; another process receives from now on", self._name)
                    break
            ending.set()
            await asyncio.wait([receiving], timeout=STOP_WAIT.total_seconds())
        finally:
            receiving.cancel()
            for result in await asyncio.gather(receiving, return_exceptions=True):
                if isinstance(result, Exception):
                    log.error("%s: receiving failed; it is begun again", self._name, exc_info=result)
            with suppress(StoreUnavailable):
                await self._leader.leave()

    async def _holds(self) -> bool | None:
        """Whether we lead; None if that cannot be settled now."""
        try:
            return await self._leader.hold()
        except StoreUnavailable as error:
            log.warning("%s: who receives could not be settled: %s", self._name, error)
            return None

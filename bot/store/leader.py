"""Who of several processes does what only one may do, such as polling Telegram."""

from __future__ import annotations

import uuid
from datetime import timedelta

from bot.store import keys
from bot.store.scripts import Scripts, milliseconds


class RedisLeader:
    """Implements the port `Leader`: a lead that ends by itself unless it is renewed.

    Args:
        scripts: on the server of the inbox.
        task: what is led.
        life: how long a lead holds without renewal: a leader that dies is followed after so long.
    """

    def __init__(self, scripts: Scripts, *, task: str, life: timedelta) -> None:
        self._scripts = scripts
        self._key = keys.leader(task)
        self._token = uuid.uuid4().hex
        self._life = life

    @property
    def life(self) -> timedelta:
        """How long a lead holds without renewal."""
        return self._life

    async def hold(self) -> bool:
        """Become or remain the leader; see `leader_hold.lua`. One round trip, TTL `life`.

        Raises:
            StoreUnavailable: nothing is certain; who leads already does so until its lead ends.
        """
        return await self._scripts.run("leader_hold", [self._key], self._token, milliseconds(self._life)) == 1

    async def leave(self) -> None:
        """Let another lead at once; see `leader_leave.lua`. One round trip.

        Raises:
            StoreUnavailable: the lead ends by itself.
        """
        await self._scripts.run("leader_leave", [self._key], self._token)

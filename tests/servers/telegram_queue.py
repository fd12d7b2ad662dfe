"""The update queue of a bot, with the delivery rules of getUpdates."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.servers.telegram_text import Refused

Record = dict[str, object]

_NEVER_BY_DEFAULT = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
TERMINATED = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running"
WEBHOOK_ACTIVE = (
    "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first"
)


class UpdateQueue:
    """Updates wait until a later offset confirms them; a long poll waits for updates; one poll at a time."""

    def __init__(self, first_id: int) -> None:
        self.next_id = first_id
        self.webhook_url = ""
        self.webhook_secret = ""
        self.webhook_error: tuple[int, str] | None = None
        self._waiting: dict[int, Record] = {}
        self._again: dict[int, Record] = {}
        self._known: dict[int, Record] = {}
        self._allowed: frozenset[str] | None = None
        self._parked: asyncio.Future[None] | None = None

    @property
    def unconfirmed(self) -> list[int]:
        """Ids of updates not yet confirmed by an offset."""
        return sorted(self._waiting | self._again)

    def update(self, number: int) -> Record:
        """An update ever queued, confirmed or not."""
        return self._known[number]

    def add(self, update: Record) -> int:
        """Queue an update, with the next id unless it has one; returns the id."""
        number = update.get("update_id", self.next_id)
        if isinstance(number, int):
            self.next_id = max(self.next_id, number + 1)
        place = number if isinstance(number, int) else self.next_id
        record: Record = {"update_id": number, **update}
        self._known[place] = record
        if self._is_allowed(record):
            self._waiting[place] = record
            self._wake()
        return place

    def redeliver(self, ids: Sequence[int]) -> None:
        """Bring updates once more, whatever the offset says: as after an acknowledgement that was lost."""
        self._again |= {number: self._known[number] for number in ids}
        self._wake()

    def allow(self, kinds: Sequence[str] | None) -> None:
        """Which kinds are queued from now on; None keeps the setting, an empty list is the default."""
        if kinds is not None:
            self._allowed = frozenset(kinds) or None

    async def take(self, offset: int, limit: int, timeout_s: float) -> list[Record]:
        """The updates from `offset` on; all before it are confirmed and gone.

        Raises:
            Refused: 409, a webhook is set, or a later poll has come.
        """
        if self.webhook_url:
            raise Refused(409, WEBHOOK_ACTIVE)
        self._confirm(offset)
        if not self._ready() and timeout_s > 0:
            await self._park(timeout_s)
        found = self._ready()[:limit]
        for number in found:
            self._again.pop(number, None)
        return [self._known[number] for number in found]

    def confirm(self, number: int) -> None:
        """An update was taken by the webhook."""
        self._waiting.pop(number, None)
        self._again.pop(number, None)

    def close(self) -> None:
        """End a waiting poll, empty."""
        self._wake()

    def _confirm(self, offset: int) -> None:
        if offset < 0:
            keep = sorted(self._waiting)[offset:]
            self._waiting = {number: self._waiting[number] for number in keep}
        self._waiting = {number: record for number, record in self._waiting.items() if number >= offset}

    def _ready(self) -> list[int]:
        return sorted(self._waiting | self._again)

    async def _park(self, timeout_s: float) -> None:
        """Wait for an update; the poll that waited before is turned away."""
        if self._parked is not None and not self._parked.done():
            self._parked.set_exception(Refused(409, TERMINATED))
        parked = asyncio.get_running_loop().create_future()
        self._parked = parked
        try:
            async with asyncio.timeout(timeout_s):
                await parked
        except TimeoutError:
            pass
        finally:
            if self._parked is parked:
                self._parked = None

    def _wake(self) -> None:
        if self._parked is not None and not self._parked.done():
            self._parked.set_result(None)

    def _is_allowed(self, update: Record) -> bool:
        kinds = set(update) - {"update_id"}
        if self._allowed is None:
            return not kinds & _NEVER_BY_DEFAULT
        return not kinds or bool(kinds & self._allowed)

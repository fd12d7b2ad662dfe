"""Receives Telegram's updates by long polling: each is stored before the offset moves past it.

The library's own Updater acknowledges what is merely queued, and one unreadable update stops it for good; so this
loop asks for raw updates and reads each on its own. A crash at any line brings the unconfirmed updates again, and
the gate knows those it has. One poller per bot: Telegram itself turns the other away with 409.

A poll that hangs is given up when Telegram should have answered, whether nothing comes or a byte now and then; the
next one goes over a new connection and asks to be answered at once.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import TypeVar

from httpx import ConnectTimeout
from telegram import Bot
from telegram.error import BadRequest, Conflict, InvalidToken, NetworkError, RetryAfter, TelegramError, TimedOut

from adapters.telegram.parse import KINDS, Ignored, Me, parse
from bot.errors import MalformedEvent, StoreUnavailable
from bot.message import Incoming
from bot.ports import Gate, Meter, Reconnect
from bot.stopping import pause, unless_stopped

log = logging.getLogger(__name__)

ANSWER_S = 10.0
"""How long Telegram's answer may take beyond the time it was asked to wait for updates."""
STORE_BACKOFF = timedelta(seconds=4)
"""Longest wait while Redis, not Telegram, is away: people's messages are taken within seconds of its return."""
CONFLICT_MEMORY = timedelta(seconds=60)
"""Two pollers turn each other away in turns: a poll that succeeds in between does not end the conflict. Longer than
the longest backoff of another poller. A single conflict is none: Telegram may still hold a poll that we gave up, and
a process that was suspended finds that its successor has polled."""

FAR = 1000
"""Ids of updates count on by one. They begin elsewhere after a week without updates, and on another Bot API server, but
not in the midst of what waits, which is a day old at most."""

T = TypeVar("T")


class TelegramReceiver:
    """Implements `bot.ports.Receiver` for one bot."""

    def __init__(
        self,
        bot: Bot,
        gate: Gate,
        meter: Meter,
        *,
        poll_timeout: timedelta = timedelta(seconds=25),
        first_backoff: timedelta = timedelta(seconds=1),
        max_backoff: timedelta = timedelta(seconds=30),
        answer_timeout: timedelta = timedelta(seconds=ANSWER_S),
        conflict_memory: timedelta = CONFLICT_MEMORY,
        commands: Mapping[str, Sequence[tuple[str, str]]] | None = None,
    ) -> None:
        """Nothing is asked of the network yet.

        Args:
            bot: polled and asked who it is; not closed here.
            gate: where messages are stored.
            meter: counts what comes.
            poll_timeout: how long Telegram holds an empty poll open.
            first_backoff: wait after the first failure; doubles with each further one.
            max_backoff: the longest wait, and the wait after a refused token and in a conflict.
            answer_timeout: how long Telegram's answer may take beyond `poll_timeout`.
            conflict_memory: two conflicts within it are an alarm; without one for so long it is taken back.
            commands: name and description per language code, shown by Telegram's clients; the empty code is for
                everybody whose language has no list.
        """
        self._bot = bot
        self._gate = gate
        self._meter = meter
        self._poll_s = int(poll_timeout.total_seconds())
        self._first_backoff = first_backoff
        self._max_backoff = max_backoff
        self._answer_s = answer_timeout.total_seconds()
        self._conflict_memory_s = conflict_memory.total_seconds()
        self._commands = commands or {}
        self._offset: int | None = None
        self._doubted: int | None = None
        self._failures = 0
        self._probing = True
        self._problem: str | None = "has not reached Telegram yet"
        self._conflict = ("", 0.0)
        self._heard: float | None = None

    def not_ready(self) -> str | None:
        """Why messages cannot reach us now; None when they can."""
        return self._problem

    def receives(self) -> bool:
        """Whether they can."""
        return self.not_ready() is None

    def displaced(self) -> bool:
        """Whether another process receives: Telegram has said so twice, not long ago."""
        return self._problem is not None and self._problem == self._conflict[0]

    def silence(self) -> timedelta | None:
        """How long Telegram has given no usable answer; None if it never has."""
        return None if self._heard is None else timedelta(seconds=time.monotonic() - self._heard)

    async def run(self, stop: asyncio.Event) -> None:
        """Receive until `stop` is set, waiting out every failure.

        Stops at once while it waits for Telegram; what is being stored is stored first. Cancelling loses nothing.
        """
        # Another process may have received since we did.
        self._offset = None
        me: Me | None = None
        while me is None and not stop.is_set():
            me = await self._attempt(lambda: unless_stopped(self._introduce(), stop), stop)
        while me is not None and not stop.is_set():
            await self._attempt(lambda known=me: self._receive(known, stop), stop)  # type: ignore[misc]

    # --- one turn --------------------------------------------------------------------------------------------

    async def _introduce(self) -> Me:
        """Learn who we are and make receiving possible."""
        async with asyncio.timeout(4 * ANSWER_S):
            user = await self._bot.get_me()
            await self._listen()
            await self._show_commands()
        self._heard = time.monotonic()
        log.info("telegram: receiving as @%s", user.username)
        return Me(id=user.id, username=user.username or "")

    async def _listen(self) -> None:
        """Make this way of receiving the one that Telegram uses."""
        # Updates that waited for the webhook are kept: people wrote them.
        await self._bot.delete_webhook(drop_pending_updates=False)

    async def _show_commands(self) -> None:
        """Tell Telegram's clients our commands. Without it they still work, so a failure only costs a line."""
        for language, commands in self._commands.items():
            try:
                await self._bot.set_my_commands(commands, language_code=language or None)
            except TelegramError as error:
                log.warning("telegram: command list %r was not taken: %s", language, type(error).__name__)

    async def _receive(self, me: Me, stop: asyncio.Event) -> None:
        """One poll, and everything it brought stored."""
        updates = await unless_stopped(self._poll(), stop)
        if updates is None:
            return
        await self._store(self._believed(updates), me)
        self._works()

    async def _poll(self) -> list[object]:
        """Raw updates from the offset on. The first poll, and one after a failure, returns at once: does it work?

        Raises:
            TelegramError, TimeoutError: no updates now.
        """
        wait_s = 0 if self._probing else self._poll_s
        asked = {"offset": self._offset, "timeout": wait_s, "limit": 100, "allowed_updates": [*KINDS]}
        async with asyncio.timeout(wait_s + 2 * self._answer_s):
            # Spelled so that it reaches getUpdates raw: under its own name the library warns that `Bot.get_updates`
            # should be used, which fails for a whole batch when it cannot read one update of it.
            answer = await self._bot.do_api_request("get_Updates", asked, read_timeout=wait_s + self._answer_s)
        if not isinstance(answer, list):
            raise NetworkError("getUpdates brought no list")
        self._heard = time.monotonic()
        return answer

    def _believed(self, updates: list[object]) -> list[object]:
        """The updates before the first whose id is far from the last one's; the next poll brings the others again.

        A false id would move the offset, and Telegram forgets whatever lies before that. What is said twice is true.

        Raises:
            TelegramError: the first of them is in doubt.
        """
        numbers = [(place, number) for place, one in enumerate(updates) if (number := _update_id(one)) is not None]
        doubted, self._doubted = self._doubted, None
        last = self._offset or 0
        if self._offset is None and numbers:
            # At first nothing is known: those are true that have a neighbour, and one alone when it comes again.
            last = sorted(number for _, number in numbers)[len(numbers) // 2]
            if sum(abs(number - last) <= FAR for _, number in numbers) < 2:
                if doubted is None:
                    self._doubted = last
                    return []
                last = doubted
        for place, number in numbers:
            if abs(number - last) > FAR and (doubted is None or abs(number - doubted) > FAR):
                log.warning("telegram: ids of updates leap from %d to %d; asking again", last, number)
                self._doubted = number
                if place == numbers[0][0]:
                    raise TelegramError("ids of updates leap")
                return updates[:place]
            last = number
        return updates

    async def _store(self, updates: list[object], me: Me) -> None:
        """Store a batch, each conversation's messages in their order, all side by side; then move the offset.

        Raises:
            StoreUnavailable: something is not stored; the offset stands before the first such update.
            NetworkError: nothing in the batch has an id, so it can be neither stored nor confirmed.
        """
        lanes: defaultdict[str, list[tuple[int, Incoming]]] = defaultdict(list)
        ids = [number for update in updates if (number := _update_id(update)) is not None]
        for update in updates:
            incoming = self._read(update, me)
            if incoming is not None:
                lanes[incoming.conversation.id].append((_update_id(update) or 0, incoming))
        async with asyncio.TaskGroup() as group:
            stores = [group.create_task(self._store_lane(lane), name="telegram - store") for lane in lanes.values()]
        unstored = [number for store in stores if (number := store.result()) is not None]
        if ids:
            self._offset = min(unstored, default=max(ids) + 1)
        if unstored:
            raise StoreUnavailable(f"{len(unstored)} conversations wait")
        if updates and not ids:
            raise NetworkError("no update has an id")

    async def _store_lane(self, lane: list[tuple[int, Incoming]]) -> int | None:
        """Store one conversation's messages, each behind the one before; the id of the first not stored, or None."""
        puts: list[tuple[int, asyncio.Task[bool]]] = []
        async with asyncio.TaskGroup() as group:
            for number, incoming in lane:
                placed = asyncio.Event()
                put = group.create_task(self._put(incoming, placed), name="telegram - put")
                puts.append((number, put))
                await placed.wait()
                if put.done() and not put.result():
                    break
        return next((number for number, put in puts if not put.result()), None)

    async def _put(self, incoming: Incoming, placed: asyncio.Event) -> bool:
        """Store a message; `placed` is set as soon as the next one may follow, or at the end."""
        try:
            accepted = await self._gate.put(incoming, placed=placed.set)
        except StoreUnavailable:
            self._meter.received("telegram", "unstored")
            return False
        finally:
            placed.set()
        self._meter.received("telegram", accepted)
        return True

    def _read(self, update: object, me: Me) -> Incoming | None:
        """The message in an update; None if it is none for us."""
        try:
            read = parse(update, me)
        except MalformedEvent as error:
            log.warning("telegram: update %s passed over: %s", _update_id(update), error)
            self._meter.received("telegram", "malformed")
            return None
        if isinstance(read, Ignored):
            log.debug("telegram: update %s ignored: %s", _update_id(update), read.reason)
            self._meter.received("telegram", "ignored")
            return None
        return read

    # --- failures --------------------------------------------------------------------------------------------

    async def _attempt(self, work: Callable[[], Awaitable[T]], stop: asyncio.Event) -> T | None:
        """Do it; after a failure say what is wrong, wait, and return None."""
        try:
            return await work()
        except (TelegramError, StoreUnavailable, TimeoutError) as error:
            delay = self._fails(error)
        except Exception as error:
            # One turn of a background loop: an answer that no one foresaw must not end receiving.
            log.exception("telegram: unexpected failure while receiving")
            delay = self._fails(error)
        await pause(delay, stop)
        return None

    def _fails(self, error: Exception) -> timedelta:
        """Note the trouble, with one line in the log when it changes; how long to wait before the next try."""
        self._failures += 1
        self._probing = True
        if (reason := _reason(error)) is not None:
            self._meter.reconnected("telegram", reason)
        problem = _described(error)
        if isinstance(error, Conflict) and not self._conflicts_again(problem):
            log.info("telegram: another poll has ended ours; trying again")
            return self._first_backoff
        if problem != self._problem:
            level = logging.ERROR if isinstance(error, Conflict | InvalidToken) else logging.WARNING
            log.log(level, "telegram: no messages are received: %s", problem)
        self._problem = problem
        if isinstance(error, RetryAfter):
            return _as_timedelta(error.retry_after)
        if isinstance(error, InvalidToken | Conflict):
            return self._max_backoff
        longest = min(STORE_BACKOFF, self._max_backoff) if isinstance(error, StoreUnavailable) else self._max_backoff
        backoff: timedelta = min(self._first_backoff * 2 ** min(self._failures - 1, 10), longest)
        return backoff * random.uniform(0.75, 1.0)  # noqa: S311 - spreads retries, keeps no secret

    def _conflicts_again(self, problem: str) -> bool:
        """Remember a conflict; False for the first in a while."""
        now = asyncio.get_running_loop().time()
        _, until = self._conflict
        self._conflict = (problem, now + self._conflict_memory_s)
        return now < until

    def _works(self) -> None:
        """A poll succeeded and all it brought is stored."""
        self._failures = 0
        self._probing = False
        conflict, until = self._conflict
        if self._problem is None or (self._problem == conflict and asyncio.get_running_loop().time() < until):
            return
        log.info("telegram: messages are received")
        self._problem = None


def _reason(error: Exception) -> Reconnect | None:
    """For the metrics; None: it is not Telegram's doing."""
    match error:
        case StoreUnavailable():
            return None
        case Conflict():
            return "conflict"
        case InvalidToken() | RetryAfter() | BadRequest():
            return "refused"
        case TimeoutError() | TimedOut() if not isinstance(error.__cause__, ConnectTimeout):
            return "unanswered"
        case _:
            return "unreachable"


def _described(error: Exception) -> str:
    """What is wrong, in our own words: the library's may hold the URL with the token, or a proxy's whole page."""
    match error:
        case StoreUnavailable():
            return "messages cannot be stored"
        case InvalidToken():
            return "Telegram does not know this bot token, or telegram.api_url is no Bot API"
        case Conflict() if "webhook" in str(error).lower():
            return "a webhook is set for this bot; only one way of receiving can be used at a time"
        case Conflict():
            return "another process is polling with the same bot token; stop one of them"
        case RetryAfter():
            return "Telegram asks us to wait"
        case BadRequest() if error.__cause__ is None:
            # Telegram's own words, such as why it does not call the address of a webhook.
            return f"Telegram refuses what it is asked: {error.message[:200]}"
        case NetworkError() | TimeoutError():
            return f"Telegram cannot be reached ({type(error.__cause__ or error).__name__})"
        case _:
            return f"Telegram's answer cannot be used ({type(error).__name__})"


def _as_timedelta(value: int | timedelta) -> timedelta:
    return value if isinstance(value, timedelta) else timedelta(seconds=value)


def _update_id(update: object) -> int | None:
    number = update.get("update_id") if isinstance(update, dict) else None
    known = isinstance(number, int) and not isinstance(number, bool) and 0 <= number < 1 << 63
    return number if known else None

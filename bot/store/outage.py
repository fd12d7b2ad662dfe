"""That Redis is away is said once, and once that it is back, whoever notices: a line in the log of each process.

What everybody says besides, of a claim or a renewal that failed, is of one kind each and soon counted only
(`bot.logs.Outages`).
"""

from __future__ import annotations

import asyncio
import logging
import time

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

WELL_S = 10.0
"""It is back when nothing has failed for so long: longer than the tries of a part that is away alone, on a cluster,
and than those of a server that answers some and not others."""

FORGOTTEN_S = 60.0
"""An act that is seldom done may not say for long that it is done again: a failure so long after the last one is a new
outage."""

_REFUSALS = (
    ("MISCONF", "it cannot write to its disk: make room there, and see its own log"),
    ("NOREPLICAS", "it has too few replicas to take writes"),
    ("max number of clients", "it takes no more connections: raise its maxclients"),
)
"""How its words begin for which the library has no class of their own, and what they mean."""
_KINDS: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (OutOfMemoryError, "it is full and takes no writes: give it a higher maxmemory, or make room in it"),
    (ReadOnlyError, "it is a replica and takes no writes"),
    (BusyLoadingError, "it is loading its data"),
    ((AuthenticationError, AuthorizationError), "it does not take our user or password"),
    ((RedisTimeoutError, TimeoutError), "it does not answer"),
    ((RedisConnectionError, OSError), "it cannot be reached"),
    ((ClusterError, RedisClusterException), "a part of the cluster has no primary"),
)

log = logging.getLogger(__name__)


def meaning(error: BaseException) -> str | None:
    """What is the matter with Redis, and what to do if that is not plain; None: it is not away, it refused one act.

    Says nothing of what the server said: that may quote a person's words.
    """
    for begins, words in _REFUSALS:
        if str(error).startswith(begins):
            return words
    return next((words for kind, words in _KINDS if isinstance(error, kind)), None)


class Outage:
    """Whether Redis is away, by what becomes of the acts of this process."""

    def __init__(self) -> None:
        self._failing: set[str] = set()
        self._began = self._failed_last = 0.0
        self._well_since: float | None = None

    def failed(self, act: str, error: BaseException, said: str) -> None:
        """An act failed; the first one is an error in the log.

        Args:
            act: its name.
            error: of the library.
            said: the error in words that may be logged.
        """
        words = meaning(error)
        if words is None:
            return
        now = time.monotonic()
        if now - self._failed_last > FORGOTTEN_S:
            self._failing.clear()
        self._failed_last = now
        if not self._failing:
            self._began = now
            log.error("Redis is away: %s (%s)", words, said)
        self._failing.add(act)
        self._well_since = None

    def succeeded(self, act: str) -> None:
        """An act was done; a full server still reads, so only those that had failed say that it is back."""
        if act not in self._failing or self._well_since is not None:
            return
        self._well_since = time.monotonic()
        asyncio.get_running_loop().call_later(WELL_S, self._end, self._well_since)

    def _end(self, well_since: float) -> None:
        if self._well_since == well_since:
            log.info("Redis is back; it was away for %.0f s", well_since - self._began)
            self._failing.clear()
            self._well_since = None


outage = Outage()
"""Of this process; Redis is one for the operator, on however many servers."""

"""How Redis is reached: the only file that knows its library's connection settings and errors.

Two kinds of client. `connect` is for commands that answer at once; every script of ours may run twice, so a timeout
is tried again. `connect_blocking` is for what waits by design (blocking reads, pub/sub), which the first kind would
cut off and repeat. Neither does any I/O here: connections open at first use, and `bot.store.probe` says whether the
server will do.

Errors of the library end here as well: every act on Redis stands in `with translated("<act>"):`, and only
`StoreUnavailable` passes the port.
"""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from types import TracebackType

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialWithJitterBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisClusterException, RedisError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig

from bot.errors import ConfigError, StoreUnavailable

RETRIES = 2
"""Three attempts in all: enough for a dropped connection or a restart of a moment. The library's own ten would hold
a worker for a minute on a server that is gone."""
ANSWER_TIMEOUT = timedelta(seconds=4)
"""Of one attempt. Three of them end within the default lease of 15 s; much shorter would repeat commands that only
wait for a slow disk."""
CONNECT_TIMEOUT = timedelta(seconds=2)
POOL_TIMEOUT = timedelta(seconds=5)
"""How long a command waits for a free connection before it counts as failed."""
MAX_CONNECTIONS = 50
BLOCKING_MARGIN = timedelta(seconds=10)
"""On top of the longest block: a server that is merely late must not look dead."""

_PINNED: dict[str, object] = {
    # Answers have one shape whatever the URL says: RESP3, unconverted, bytes (vectors are not text).
    "protocol": 3,
    "legacy_responses": False,
    "decode_responses": False,
}


def connect(
    url: str,
    *,
    answer_timeout: timedelta = ANSWER_TIMEOUT,
    connect_timeout: timedelta = CONNECT_TIMEOUT,
    max_connections: int = MAX_CONNECTIONS,
    retries: int = RETRIES,
) -> Redis:
    """A client for commands that answer at once: bytes, RESP3; `aclose()` closes its connections.

    A command that meets a lost connection or a timeout is sent again, up to three times in all: send only what may
    run twice. When all connections are busy, commands queue for `POOL_TIMEOUT`.

    Args:
        url: `redis://`, `rediss://` (TLS) or `unix://`; its query may set the library's connection options.
        answer_timeout: of one attempt.
        connect_timeout: of opening a connection.
        max_connections: at most so many at once.
        retries: after the first attempt.

    Raises:
        ConfigError: the URL cannot be read; never quotes a password.
    """
    return _client(url, answer_timeout, connect_timeout, max_connections, retries)


def connect_blocking(
    url: str,
    *,
    block: timedelta,
    connect_timeout: timedelta = CONNECT_TIMEOUT,
    max_connections: int = MAX_CONNECTIONS,
) -> Redis:
    """A client for blocking reads and pub/sub; each reader holds a connection of its own while it waits.

    Args:
        url: as for `connect`.
        block: the longest that a command of this client may block.
        connect_timeout: of opening a connection.
        max_connections: at most so many readers at once.

    Raises:
        ConfigError: the URL cannot be read.
    """
    return _client(url, block + BLOCKING_MARGIN, connect_timeout, max_connections, RETRIES)


def _client(
    url: str, answer_timeout: timedelta, connect_timeout: timedelta, max_connections: int, retries: int
) -> Redis:
    options: dict[str, object] = {
        "socket_timeout": answer_timeout.total_seconds(),
        "socket_connect_timeout": connect_timeout.total_seconds(),
        "max_connections": max_connections,
        "timeout": POOL_TIMEOUT.total_seconds(),
        "client_name": "frontdesk",
        "retry": Retry(
            ExponentialWithJitterBackoff(cap=0.5, base=0.05),
            retries,
            (RedisConnectionError, RedisTimeoutError),
        ),
        # A command of Redis Enterprise alone; elsewhere it costs a refused command per connection.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    try:
        pool = BlockingConnectionPool(**{**options, **parse_url(url), **_PINNED})  # type: ignore[arg-type]  # options by name
        # A connection is built, not opened: an option that the library does not know shows now, not at first use.
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError) as error:
        # Not chained: the library quotes parts of a malformed URL, and these may be of the password.
        reason = "has an unknown option" if isinstance(error, TypeError) else "cannot be read"
        expected = "expected redis://, rediss:// or unix://, special characters %-encoded"
        raise ConfigError([f"redis.url {reason}: {redacted(url)}; {expected}"]) from None
    return Redis.from_pool(pool)


def redacted(url: str) -> str:
    """The URL without its password, for logs and errors; hides too much rather than too little.

    Whatever stands before the last `@` is taken for credentials, so that a password with a bare `/`, `#` or `@`
    stays hidden although such a URL cannot be parsed.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return "***"
    rest = re.sub(r"(?i)(\?.*?pass\w*=).*", r"\1***", rest, flags=re.DOTALL)
    credentials, at, place = rest.rpartition("@")
    if not at:
        return f"{scheme}://{rest}"
    user, colon, _ = credentials.partition(":")
    return f"{scheme}://{user}:***@{place}" if colon else f"{scheme}://***@{place}"


class _Translation:
    """A class and not a generator: it stands around every command, and costs a few plain calls.

    It also brings back a cancellation that got lost inside: redis-py sends through `asyncio.wait_for`, which before
    Python 3.12 forgets to be cancelled if what it waits for is done in the same moment (python/cpython#86296). A task
    that is told to end would go on, and whoever waits for its end would wait for ever.
    """

    __slots__ = ("_act", "_cancelled_before", "_task")

    def __init__(self, act: str) -> None:
        self._act = act

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._cancelled_before = self._task.cancelling() if self._task is not None else 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cancelled = self._task is not None and self._task.cancelling() > self._cancelled_before
        if cancelled and not isinstance(error, asyncio.CancelledError):
            raise asyncio.CancelledError
        if isinstance(error, (RedisError, RedisClusterException, OSError)):
            raise StoreUnavailable(f"{self._act}: {_reason(error)}") from error


def translated(act: str) -> _Translation:
    """A block in which a failure of Redis becomes `StoreUnavailable`.

    `with translated("inbox.put"): await script(...)`. Takes the library's errors, `OSError` and `TimeoutError` (also
    that of an `asyncio.timeout` inside the block); cancellation passes through. A plain `with`, also around awaits.

    Args:
        act: what was being done, as the operator reads it; no text of a person.
    """
    return _Translation(act)


def _reason(error: Exception) -> str:
    """The class, and for a lost connection where to; what the server answered may quote a person's words."""
    name = type(error).__name__
    if isinstance(error, (RedisConnectionError, RedisTimeoutError, OSError)) and str(error):
        return f"{name}: {error}"
    return name

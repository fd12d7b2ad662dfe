"""How Redis is reached: the only file that knows its library's connection settings and errors.

Two kinds of client. `connect` is for commands that answer at once; every script of ours may run twice, so a timeout
is tried again. `connect_blocking` is for what waits by design (blocking reads, pub/sub), which the first kind would
cut off and repeat. Neither does any I/O here: connections open at first use, and `bot.store.probe` says whether the
server will do. Both are the same for one server, a primary behind Sentinels and a cluster (`bot.store.addresses`).

Errors of the library end here as well: every act on Redis stands in `with translated("<act>"):`, and only
`StoreUnavailable` passes the port; a `StoreBroken` if trying again is in vain.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import cast

from redis.asyncio import BlockingConnectionPool, Redis, Sentinel, SSLConnection
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, SentinelConnectionPool, SentinelManagedConnection
from redis.backoff import ExponentialWithJitterBackoff, NoBackoff
from redis.exceptions import AuthenticationError, ReadOnlyError, RedisClusterException, RedisError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.maint_notifications import MaintNotificationsConfig

from bot.errors import ConfigError, StoreBroken, StoreUnavailable
from bot.store.addresses import EXPECTED, Address, read, redacted
from bot.store.cluster import Client, Cluster
from bot.store.outage import outage

RETRIES = 2
"""Three attempts in all: enough for a dropped connection or a restart of a moment. The library's own ten would hold
a worker for a minute on a server that is gone."""
ANSWER_TIMEOUT = timedelta(seconds=4)
"""Of one attempt. Three of them end within the default lease of 15 s; much shorter would repeat commands that only
wait for a slow disk."""
CONNECT_TIMEOUT = timedelta(seconds=2)
POOL_TIMEOUT = timedelta(seconds=5)
"""How long a command waits for a free connection before it counts as failed."""
MAX_CONNECTIONS = 128
"""While a replica hangs that is waited for, each of 64 turns may hold one for two seconds: as many are left over."""
MAX_CONNECTIONS_PER_NODE = 500
"""In a cluster nobody queues for a connection to a server, one too many fails. More than all turns, renewals and
arriving messages of a process need at once."""
BLOCKING_MARGIN = timedelta(seconds=10)
"""On top of the longest block: a server that is merely late must not look dead."""

log = logging.getLogger(__name__)

_PINNED: dict[str, object] = {
    # Answers have one shape whatever the URL says: RESP3, unconverted, bytes (vectors are not text).
    "protocol": 3,
    "legacy_responses": False,
    "decode_responses": False,
}


def connect(
    url: str,
    *,
    setting: str = "REDIS_URL",
    answer_timeout: timedelta = ANSWER_TIMEOUT,
    connect_timeout: timedelta = CONNECT_TIMEOUT,
    max_connections: int = MAX_CONNECTIONS,
    retries: int = RETRIES,
) -> Client:
    """A client for commands that answer at once: bytes, RESP3; `aclose()` closes its connections.

    A command that meets a lost connection or a timeout is sent again, up to three times in all: send only what may
    run twice. Behind Sentinels and in a cluster each attempt goes to whoever is the primary by then. When all
    connections are busy, commands queue for `POOL_TIMEOUT` (not in a cluster, see `MAX_CONNECTIONS_PER_NODE`).

    Args:
        url: see `bot.store.addresses`; its query may set the library's connection options.
        setting: the variable or key that the URL came from, for the error.
        answer_timeout: of one attempt.
        connect_timeout: of opening a connection.
        max_connections: at most so many at once; no bound of a cluster's.
        retries: after the first attempt.

    Raises:
        ConfigError: the URL cannot be read; never quotes a password.
    """
    return _client(url, setting, _Limits(answer_timeout, connect_timeout, max_connections, retries))


def connect_blocking(
    url: str,
    *,
    block: timedelta,
    connect_timeout: timedelta = CONNECT_TIMEOUT,
    max_connections: int = MAX_CONNECTIONS,
) -> Client:
    """A client for blocking reads and pub/sub; each reader holds a connection of its own while it waits.

    Args:
        url: as for `connect`.
        block: the longest that a command of this client may block.
        connect_timeout: of opening a connection.
        max_connections: at most so many readers at once; no bound of a cluster's.

    Raises:
        ConfigError: the URL cannot be read.
    """
    return _client(url, "REDIS_URL", _Limits(block + BLOCKING_MARGIN, connect_timeout, max_connections, RETRIES))


@dataclass(frozen=True, slots=True)
class _Limits:
    """Of one client; the arguments of `connect`."""

    answer_timeout: timedelta
    connect_timeout: timedelta
    max_connections: int
    retries: int


def _client(url: str, setting: str, limits: _Limits) -> Client:
    options: dict[str, object] = {
        "socket_timeout": limits.answer_timeout.total_seconds(),
        "socket_connect_timeout": limits.connect_timeout.total_seconds(),
        "max_connections": limits.max_connections,
        "timeout": POOL_TIMEOUT.total_seconds(),
        "client_name": "frontdesk",
        "retry": Retry(
            ExponentialWithJitterBackoff(cap=0.5, base=0.05),
            limits.retries,
            # A server that became a replica keeps its connections; behind the same address there is a primary by now.
            (RedisConnectionError, RedisTimeoutError, ReadOnlyError),
        ),
        # A command of Redis Enterprise alone; elsewhere it costs a refused command per connection.
        "maint_notifications_config": MaintNotificationsConfig(enabled=False),
    }
    try:
        address = read(url)
        options |= {**address.options, **_PINNED}
        if address.kind == "cluster":
            return _cluster(address, options)
        pool = _sentinel_pool(address, options) if address.kind == "sentinel" else _pool(options)
    except (ValueError, TypeError, RedisClusterException) as error:
        # Not chained: the library quotes parts of a malformed URL, and these may be of the password.
        reason = "has an unknown option" if isinstance(error, TypeError) else "cannot be read"
        raise ConfigError([f"{setting} {reason}: {redacted(url)}; {EXPECTED}"]) from None
    return Redis.from_pool(pool)


def _pool(options: dict[str, object]) -> BlockingConnectionPool:
    pool = BlockingConnectionPool(**options)  # type: ignore[arg-type]  # options by name
    # A connection is built, not opened: an option that the library does not know shows now, not at first use.
    pool.connection_class(**pool.connection_kwargs)
    return pool


class SentinelRefused(AuthenticationError):
    """No Sentinel names the primary, and one does not let us in."""


class SentinelsAway(MasterNotFoundError):
    """Not one Sentinel answers."""


class _Sentinels(Sentinel):
    """Tells one that does not let us in from one that is away; the library has both in its words alone."""

    async def discover_master(self, service_name: str) -> tuple[str, int]:
        """Where the primary is.

        Raises:
            SentinelRefused: user or password are not those of the Sentinels.
            SentinelsAway: none of them answers.
            MasterNotFoundError: none knows.
        """
        try:
            return cast("tuple[str, int]", await super().discover_master(service_name))
        except MasterNotFoundError as error:
            if AuthenticationError.__name__ in str(error):
                raise SentinelRefused("a Sentinel does not take our user or password") from None
            if all(f"{one} - " in str(error) for one in self.sentinels):
                raise SentinelsAway("no Sentinel answers") from None
            raise


class _PrimaryConnection(SentinelManagedConnection):
    """Asks the Sentinels anew whenever it opens; the library does so for a command's first attempt alone."""

    async def send_packed_command(self, command: bytes | str | Iterable[bytes], check_health: bool = True) -> None:
        if not self.is_connected:
            await self._connect_retry()  # type: ignore[no-untyped-call]
        await super().send_packed_command(command, check_health)


class _EncryptedPrimaryConnection(_PrimaryConnection, SSLConnection):
    """The same with TLS."""


class _SentinelPool(SentinelConnectionPool, BlockingConnectionPool):
    """Asks the Sentinels for the primary before each connection it opens, and lets commands queue when all are busy."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Close the connections; all of them: those to the Sentinels, too, which the library leaves open."""
        await super().disconnect(inuse_connections)
        if inuse_connections:
            await self.sentinel_manager.aclose()


def _sentinel_pool(address: Address, options: dict[str, object]) -> _SentinelPool:
    encrypted = options.pop("connection_class", None) is SSLConnection
    sentinel_options = {
        **{name: value for name, value in options.items() if name.startswith("ssl_")},
        **address.sentinel_options,
        "ssl": encrypted,
        # A Sentinel answers at once. One that is silent is passed over for the next one, not asked again.
        "socket_timeout": options["socket_connect_timeout"],
        "socket_connect_timeout": options["socket_connect_timeout"],
        "retry": Retry(NoBackoff(), 0),
        "maint_notifications_config": options["maint_notifications_config"],
    }
    sentinels = _Sentinels(address.hosts, sentinel_kwargs=sentinel_options)  # type: ignore[no-untyped-call]
    options["connection_class"] = _EncryptedPrimaryConnection if encrypted else _PrimaryConnection
    pool = _SentinelPool(address.name, sentinels, **options)  # type: ignore[no-untyped-call]
    pool.connection_class(**pool.connection_kwargs)
    return pool


async def close(client: Client) -> None:
    """Close a client's connections. A server that hangs says no farewell, as TLS has it: that is no failure."""
    try:
        await client.aclose()
    except (RedisError, OSError) as error:
        log.debug("a connection to Redis was not closed in order: %s", reason(error))


def behind_sentinels(client: Client) -> bool:
    """Whether Sentinels say which server the client talks to."""
    return isinstance(client, Redis) and isinstance(client.connection_pool, _SentinelPool)


def _cluster(address: Address, options: dict[str, object]) -> Cluster:
    options["ssl"] = options.pop("connection_class", None) is SSLConnection
    options["max_connections"] = MAX_CONNECTIONS_PER_NODE
    del options["timeout"]
    return Cluster(
        startup_nodes=[ClusterNode(host, port) for host, port in address.hosts],
        # A part of the slots without a server concerns the conversations in it and nobody else.
        require_full_coverage=False,
        # A slot that moved is noted by itself. Reading the map anew closes all connections, and commands in flight
        # on them fail; that is for servers that are gone.
        reinitialize_steps=0,
        **options,
    )


COMMON = ("BusyLoadingError", "ConnectionError", "OutOfMemoryError", "ReadOnlyError", "ResponseError", "TimeoutError")
failures: Counter[str] = Counter(dict.fromkeys(COMMON, 0))
"""How often Redis failed in this process, by the class of the error; for the metrics."""


_BROKEN = re.compile(r"WRONGTYPE|user_script:\d+|(hash )?value is not an integer|value is not a valid float")
"""How the server's words begin where a command or a script met what it cannot use; the second is an error of Lua. What
passes by itself or by the operator's hand (full, read-only, loading, killed, a slot on its way) begins otherwise."""


class KeptCancellation:
    """A block after which a cancellation is there that got lost inside. A plain `with`, also around awaits.

    redis-py sends through `asyncio.wait_for`, which before Python 3.12 forgets to be cancelled if what it waits for is
    done in the same moment (python/cpython#86296). A task that is told to end would go on, and whoever waits for its
    end would wait for ever. So every act on Redis stands in such a block, and no loop that waits for something stands
    in one as a whole.
    """

    __slots__ = ("_cancelled_before", "_task")

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._cancelled_before = self._task.cancelling() if self._task is not None else 0

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        cancelled = self._task is not None and self._task.cancelling() > self._cancelled_before
        if cancelled and not isinstance(error, asyncio.CancelledError):
            raise asyncio.CancelledError


class _Translation(KeptCancellation):
    """A class and not a generator: it stands around every command, and costs a few plain calls."""

    __slots__ = ("_act",)

    def __init__(self, act: str) -> None:
        self._act = act

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if isinstance(error, (RedisError, RedisClusterException, OSError)):
            failures[type(error).__name__] += 1
            outage.failed(self._act, error, reason(error))
            if isinstance(error, ResponseError) and (found := _BROKEN.match(str(error))):
                raise StoreBroken(f"{self._act}: what Redis holds cannot be used ({found[0]})") from error
            raise StoreUnavailable(f"{self._act}: {reason(error)}") from error
        if error is None:
            outage.succeeded(self._act)


def translated(act: str) -> _Translation:
    """A block in which a failure of Redis becomes `StoreUnavailable`, or `StoreBroken`.

    `with translated("inbox.put"): await script(...)`. Takes the library's errors, `OSError` and `TimeoutError` (also
    that of an `asyncio.timeout` inside the block); cancellation passes through. A plain `with`, also around awaits.

    Args:
        act: what was being done, as the operator reads it; no text of a person.
    """
    return _Translation(act)


def reason(error: Exception) -> str:
    """The class, and for a lost connection where to; what the server answered may quote a person's words."""
    name = type(error).__name__
    if isinstance(error, MasterNotFoundError):
        # Behind its first words the library prints its own objects.
        return f"{name}: {str(error).partition(' : ')[0]}"
    if isinstance(error, (RedisConnectionError, RedisTimeoutError, OSError)) and str(error):
        return f"{name}: {error}"
    return name

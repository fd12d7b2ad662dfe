"""What is wrong with a Redis, in words: what was found and what to do, from what the server or the library said.

Pure. `bot.store.probe` asks; here stands what it says. No text carries a password.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from redis.asyncio.sentinel import MasterNotFoundError
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from bot.store import keys
from bot.store.client import SentinelRefused, SentinelsAway, reason

REQUIRED_VERSION = (8, 0)
REQUIRED = ".".join(map(str, REQUIRED_VERSION))


@dataclass(frozen=True, slots=True)
class Place:
    """A Redis as the operator knows it; as text, its address.

    Attributes:
        address: without its password.
        setting: the variable, or the key of config.yaml, that the address came from.
    """

    address: str
    setting: str

    def __str__(self) -> str:
        """For sentences that say where."""
        return self.address


def told_by_server(error: Exception) -> Exception:
    """What the server said: the library wraps a refused handshake as a lost connection or an unreachable cluster."""
    while type(error) in (RedisConnectionError, RedisClusterException) and isinstance(
        error.__cause__, (RedisError, RedisClusterException, OSError)
    ):
        error = error.__cause__
    return error


def is_away(error: Exception) -> bool:
    """It does not answer at all, which is not to say that it does not let us in; or what it needs is not there yet."""
    if str(error).startswith("NOREPLICAS"):
        return True
    return isinstance(error, (RedisConnectionError, RedisTimeoutError, OSError, ClusterDownError)) and not isinstance(
        error, (AuthenticationError, AuthorizationError)
    )


def verdict(error: Exception, command: str, place: Place) -> str:
    """What an error of `command` means and what to do; completes "Redis at …"."""
    text = str(error)
    if isinstance(error, MasterNotFoundError | SentinelRefused):
        return _of_sentinels(error, place)
    if isinstance(error, (AuthenticationError, AuthorizationError)):
        return (
            f"does not let us in: user or password is missing or wrong; set both in {place.setting} "
            f"(redis://user:password@host:port, special characters %-encoded)"
        )
    if text.startswith("NOREPLICAS"):
        return "has too few replicas to take writes: start them, or set min-replicas-to-write lower"
    if is_away(error):
        return f"cannot be reached ({reason(error)}): start it, or correct {place.setting}{_tls(place)}"
    if isinstance(error, RedisClusterException) and "not enabled" in text:
        return f"is not part of a cluster: set {place.setting} to redis://host:port"
    if "unknown command" in text.lower() and "sentinel" in text.lower():
        return f"is no Sentinel: set {place.setting} to redis://host:port, or to the Sentinels' own addresses"
    if isinstance(error, ReadOnlyError):
        return f"is a read-only replica: set {place.setting} to its primary"
    if isinstance(error, OutOfMemoryError):
        return "is full and takes no writes: give it a higher maxmemory, or make room in it"
    return _of_command(error, command, place)


def _of_sentinels(error: Exception, place: Place) -> str:
    if isinstance(error, SentinelRefused):
        return (
            f"is behind Sentinels that do not let us in: give theirs in {place.setting} by ?sentinel_username=…&"
            f"sentinel_password=…, %-encoded; user and password before the @ are those of Redis itself"
        )
    if isinstance(error, SentinelsAway):
        return f"cannot be found: no Sentinel answers. Start them, or correct {place.setting}{_tls(place)}"
    return (
        f"is not known to its Sentinels, or away: the name at the end of {place.setting} must be theirs for the "
        f"primary, and it must run"
    )


def _tls(place: Place) -> str:
    """A server without TLS says nothing to one who begins with it."""
    return " (rediss:// needs TLS; redis:// does not)" if place.address.startswith("rediss") else ""


def _of_command(error: Exception, command: str, place: Place) -> str:
    text = str(error)
    if isinstance(error, NoPermissionError) or "no permissions" in text.lower():
        # The command may stand inside a script.
        inner = re.search(r"run the '([^']+)' command", text)
        refused = inner[1].upper() if inner else f"{command} ({text})"
        return (
            f"refuses {refused} to our user: allow it in the ACL; needed are "
            f"`~{keys.PREFIX}:* &{keys.PREFIX}:* +@all -@dangerous +info` and the FT.* commands"
        )
    if command == "FT.CREATE" and "db != 0" in text:
        return (
            f"searches in database 0 alone: name no other in {place.setting}. Two bots cannot share one Redis, "
            f"whatever the number: give each a Redis of its own"
        )
    if "unknown command" in text.lower() and command.startswith("FT."):
        return f"has no search ({command} is unknown): use Redis 8 with its query engine, as in the image redis:8"
    if "unknown command" in text.lower() and command == "PING":
        return f"is too old ({text}); needed is Redis {REQUIRED} or newer, for one the image redis:8"
    return f"refused {command}: {text}"

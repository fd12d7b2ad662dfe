"""Is this Redis one that we can keep our promises on? Asked once at start, by doing what will be done later.

Each finding is a `StartError` with what was found, what is needed and what to do; none carries a password. The checks
stand in one list, cheapest and most telling first. What a check writes lies under scratch keys of its own, is
deleted at once, and would go by itself in a minute. Who serves waits a while for a Redis that is away, which may be
starting, too, or failing over; every other finding ends the process at once.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
import struct
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import cast

from redis.asyncio import RedisCluster
from redis.asyncio.client import PubSub
from redis.crc import REDIS_CLUSTER_HASH_SLOTS
from redis.exceptions import BusyLoadingError, RedisClusterException, RedisError

from bot.errors import StartError
from bot.stopping import pause
from bot.store import keys
from bot.store.addresses import redacted
from bot.store.client import KeptCancellation, behind_sentinels
from bot.store.cluster import Client, beside
from bot.store.refusals import REQUIRED, REQUIRED_VERSION, Place, is_away, told_by_server, verdict
from bot.store.scripts import Durability, milliseconds, source

LOADING_WAIT = timedelta(minutes=2)
"""For a server that loads its data: a large index of the HNSW kind takes half a minute."""
AWAY_WAIT = timedelta(minutes=1)
"""For a server that is not there yet: Sentinels take half a minute to notice, by default, and some seconds to vote."""
SEARCH_WAIT = timedelta(seconds=10)
"""For one scratch passage to be found."""
SCRATCH_TTL = timedelta(minutes=1)
_POLL = timedelta(milliseconds=100)
_AWAY_POLL = timedelta(seconds=2)
_PROGRESS_S = 5.0

log = logging.getLogger(__name__)


class _Away(StartError):
    """A server does not answer, or is not there. One of several concerns those alone whose data it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerFacts:
    """What the server says of itself, for the log and for `doctor`.

    Attributes:
        version: of Redis, `8.2.3`.
        maxmemory_bytes: 0 if there is no limit; at the limit writes are refused and the platforms keep the messages.
        persistent: it writes an append-only file; without, what was accepted is lost when the server is.
        replicas: second servers connected to it.
        primaries: servers over which the slots are spread and that answer; of several, the other facts are those of the
            weakest.
    """

    version: str
    maxmemory_bytes: int
    persistent: bool
    replicas: int
    primaries: int = 1


async def probe(
    redis: Client,
    *,
    url: str,
    setting: str = "REDIS_URL",
    durability: Durability = "memory",
    loading_wait: timedelta = LOADING_WAIT,
    stop: asyncio.Event | None = None,
) -> ServerFacts:
    """Check that the server can do all that we need; about ten round trips for each primary.

    Of a cluster, primaries that are away are passed over with a warning: the people of the others can be served.

    Args:
        redis: from `bot.store.client.connect`.
        url: it was connected with, for the messages; shown without its password.
        setting: the variable or key that the URL came from, for the messages.
        durability: that it must be able to give.
        loading_wait: how long to wait while it loads its data.
        stop: if given, a server that does not answer is waited for, and a replica that is needed, `AWAY_WAIT` at most;
            set, it ends all waiting.

    Raises:
        StartError: what is wrong and what to do.
    """
    place, stopping = Place(redacted(url), setting), stop or asyncio.Event()
    deadline, told = time.monotonic() + AWAY_WAIT.total_seconds(), False
    while True:
        try:
            facts = await _probe(redis, place, loading_wait, stopping)
            _check_durability(facts, durability, place)
        except _Away as error:
            if stop is None or stop.is_set() or time.monotonic() > deadline:
                raise
            if not told:
                log.warning("%s. Waiting for it, %g s at most", error, AWAY_WAIT.total_seconds())
        else:
            return facts
        told = True
        await pause(_AWAY_POLL, stopping)


async def _probe(redis: Client, place: Place, loading_wait: timedelta, stop: asyncio.Event) -> ServerFacts:
    await _reach(redis, place, loading_wait, stop)
    if not isinstance(redis, RedisCluster):
        return await _probe_primary(redis, keys.kb(f"probe-{secrets.token_hex(8)}"), place)
    await _check_slots(redis, place)
    # A key for each primary, which leads there.
    scratches: dict[str, str] = {}
    while len(scratches) < len(redis.get_primaries()):
        scratch = keys.kb(f"probe-{secrets.token_hex(8)}")
        scratches[_name_of(redis, scratch)] = scratch
    found, away = list[ServerFacts](), list[Exception]()
    for name, scratch in scratches.items():
        try:
            found.append(await _probe_primary(redis, scratch, replace(place, address=f"{place} ({name})")))
        except (_Away, BusyLoadingError) as error:
            away.append(error)
            log.warning("%s. What it has waits until it is back; the others are served", error)
    if not found:
        raise away[0]
    return ServerFacts(
        version=min((one.version for one in found), key=_numbers),
        maxmemory_bytes=min((one.maxmemory_bytes for one in found if one.maxmemory_bytes), default=0),
        persistent=all(one.persistent for one in found),
        replicas=min(one.replicas for one in found),
        primaries=len(found),
    )


async def _probe_primary(redis: Client, scratch: str, place: Place) -> ServerFacts:
    """Check the server that has the scratch key."""
    with _telling("INFO", place):
        sections = ("server", "memory", "persistence", "replication", "cluster")
        said = await redis.info(*sections, **beside(redis, scratch))  # type: ignore[arg-type]  # of a cluster alone
    facts = cast("dict[str, object]", said)
    _check_version(facts, place)
    _check_role(facts, place, in_cluster=isinstance(redis, RedisCluster))
    _check_eviction(facts, place)
    with _telling("EVAL", place):
        await _send(redis, "EVAL", source("probe"), 1, scratch, milliseconds(SCRATCH_TTL))
    await _check_pubsub(redis, scratch, place)
    await _check_search(redis, scratch, place)
    found = ServerFacts(
        version=str(facts["redis_version"]),
        maxmemory_bytes=int(str(facts.get("maxmemory", 0))),
        persistent=str(facts.get("aof_enabled", 0)) == "1",
        replicas=int(str(facts.get("connected_slaves", 0))),
    )
    if not found.persistent:
        log.warning("Redis at %s writes no append-only file: messages it holds are lost when it stops", place)
    # INFO has this line where both settings are above 0; CONFIG may be refused to us.
    if behind_sentinels(redis) and found.replicas and "min_slaves_good_slaves" not in facts:
        log.warning(
            "Redis at %s takes messages also when it is cut off from replicas and Sentinels, and loses them then: "
            "set min-replicas-to-write 1 and min-replicas-max-lag 10 on each of its servers",
            place,
        )
    return found


async def _check_slots(redis: RedisCluster, place: Place) -> None:
    """Every slot has a server, be it away, as any of them sees it."""
    with _telling("CLUSTER INFO", place):
        said = await redis.cluster_info()
    if said.get("cluster_slots_assigned") != str(REDIS_CLUSTER_HASH_SLOTS):
        raise StartError(
            f"The cluster at {place} is not whole: {said.get('cluster_slots_assigned')} of {REDIS_CLUSTER_HASH_SLOTS} "
            f"slots have a server. Look at CLUSTER SHARDS, and start the bot again when all have one"
        )


def _name_of(redis: RedisCluster, key: str) -> str:
    node = redis.get_node_from_key(key)
    return node.name if node is not None else ""


def _check_durability(facts: ServerFacts, durability: Durability, place: Place) -> None:
    if durability == "fsync" and not facts.persistent:
        raise StartError(
            f"inbox.durability is fsync, but Redis at {place} writes no append-only file: set appendonly yes"
        )
    if durability == "replica" and not facts.replicas:
        raise _Away(
            f"inbox.durability is replica, but no replica is connected to Redis at {place}: start one, "
            f"or set inbox.durability to memory or fsync"
        )


async def _reach(redis: Client, place: Place, loading_wait: timedelta, stop: asyncio.Event) -> None:
    """Return once the server answers and has its data."""
    deadline = time.monotonic() + loading_wait.total_seconds()
    told = -_PROGRESS_S
    while True:
        try:
            with _telling("PING", place):
                await _ping(redis)
        except BusyLoadingError:
            if time.monotonic() > deadline or stop.is_set():
                raise StartError(f"Redis at {place} is still loading its data: start the bot when it has") from None
        else:
            return
        if time.monotonic() - told >= _PROGRESS_S:
            told = time.monotonic()
            log.info("Redis at %s loads its data; waiting", place)
        await pause(_POLL, stop)


async def _ping(redis: Client) -> None:
    if isinstance(redis, RedisCluster):
        # Any of them; by itself the library would ask them all.
        await redis.ping(target_nodes=RedisCluster.DEFAULT_NODE)
    else:
        await redis.ping()


@contextmanager
def _telling(command: str, place: Place) -> Iterator[None]:
    """Turn a failure of `command` into words; a server that is loading passes through."""
    try:
        with KeptCancellation():
            yield
    except (RedisError, RedisClusterException, OSError) as error:
        cause = told_by_server(error)
        if isinstance(cause, BusyLoadingError):
            raise cause from None
        kind = _Away if is_away(cause) else StartError
        raise kind(f"Redis at {place} {verdict(cause, command, place)}") from error


def _check_version(facts: dict[str, object], place: Place) -> None:
    text = str(facts.get("redis_version", "0"))
    name = str(facts.get("server_name", "redis"))
    if _numbers(text) < REQUIRED_VERSION:
        found = f"Redis {text}" if name == "redis" else f"{name} (compatible with Redis {text})"
        raise StartError(f"{place} is {found}; needed is Redis {REQUIRED} or newer, for one the image redis:8")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:2])


def _check_role(facts: dict[str, object], place: Place, *, in_cluster: bool) -> None:
    if facts.get("role") == "slave":
        raise StartError(
            f"Redis at {place} is a replica of {facts.get('master_host')}:{facts.get('master_port')}: "
            f"set {place.setting} to its primary"
        )
    if facts.get("redis_mode") == "sentinel":
        raise StartError(f"{place} is a Sentinel: set {place.setting} to redis+sentinel://host:port,host:port/name")
    if str(facts.get("cluster_enabled", 0)) == "1" and not in_cluster:
        raise StartError(
            f"Redis at {place} is part of a cluster: set {place.setting} to redis+cluster://host:port,host:port"
        )


def _check_eviction(facts: dict[str, object], place: Place) -> None:
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise StartError(
            f"Redis at {place} has maxmemory-policy {policy}: at its memory limit it would silently delete accepted "
            f"messages. Set it to noeviction: `CONFIG SET maxmemory-policy noeviction`, and in its redis.conf"
        )


async def _check_pubsub(redis: Client, scratch: str, place: Place) -> None:
    with _telling("SUBSCRIBE", place):
        async with _pubsub_at(redis, scratch) as pubsub:
            await pubsub.subscribe(scratch)
            await pubsub.get_message(timeout=SEARCH_WAIT.total_seconds())


def _pubsub_at(redis: Client, scratch: str) -> PubSub:
    """At this very server; later it is any that answers."""
    if isinstance(redis, RedisCluster):
        return redis.pubsub(node=redis.get_node_from_key(scratch))
    return redis.pubsub()


async def _check_search(redis: Client, scratch: str, place: Place) -> None:
    """Create an index like ours, find a passage in it by words and by vector, and drop both."""
    index, passage = f"{scratch}:index:probe", f"{scratch}:p:probe:1"
    vector = struct.pack("<2f", 1.0, 0.0)
    shape = ["TYPE", "FLOAT32", "DIM", "2", "DISTANCE_METRIC", "COSINE"]
    schema = ["text", "TEXT", "NOSTEM", "tag", "TAG", "vector", "VECTOR", "FLAT", "6", *shape]
    options = ["PREFIX", "1", f"{scratch}:p:", "TEMPORARY", str(int(SCRATCH_TTL.total_seconds())), "STOPWORDS", "0"]
    with _telling("FT.CREATE", place):
        await _send(redis, "FT.CREATE", index, *options, "SCHEMA", *schema)
    try:
        with _telling("HSET", place):
            await _send(redis, "HSET", passage, "text", "frontdesk", "tag", "probe", "vector", vector)
            await _send(redis, "PEXPIRE", passage, milliseconds(SCRATCH_TTL))
        words: list[str | bytes | int] = ["@text:(frontdesk)", "SCORER", "BM25STD", "DIALECT", 2]
        nearest: list[str | bytes | int] = [
            "(@tag:{probe})=>[KNN 1 @vector $v]",
            "PARAMS",
            2,
            "v",
            vector,
            "DIALECT",
            2,
        ]
        with _telling("FT.SEARCH", place):
            await _until_found(redis, ["FT.SEARCH", index, *words], place)
            await _until_found(redis, ["FT.SEARCH", index, *nearest], place)
    finally:
        with _telling("FT.DROPINDEX", place):
            await _send(redis, "FT.DROPINDEX", index, "DD")


async def _until_found(redis: Client, search: list[str | bytes | int], place: Place) -> None:
    """Ask until the scratch passage is found; indexing runs behind the write."""
    deadline = time.monotonic() + SEARCH_WAIT.total_seconds()
    while True:
        answer = await _send(redis, *search)
        if isinstance(answer, dict) and answer.get(b"total_results") == 1:
            return
        if time.monotonic() > deadline:
            raise StartError(f"The search of Redis at {place} does not find what it was given: {answer!r}")
        await asyncio.sleep(_POLL.total_seconds())


async def _send(redis: Client, *words: str | bytes | int) -> object:
    send = cast("Callable[..., Awaitable[object]]", redis.execute_command)  # untyped in redis-py
    return await send(*words)

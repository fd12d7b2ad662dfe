"""Durability: nothing counts as stored before it is on disk, or on a second server; real servers, stopped for real."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from bot.errors import StartError, StoreUnavailable
from bot.message import SentId
from bot.ports import Delivery
from bot.store import keys, scripts
from bot.store.inbox import RedisInbox
from bot.store.probe import probe
from bot.store.scripts import Durability, Scripts
from tests.contract.samples import claimed_by, conversation, inbox_on, incoming
from tests.contract.stage import comes_true
from tests.servers.redis import redis_server

pytestmark = pytest.mark.one_server

DELIVERY = Delivery(parts=(), outcome="answered")


@contextmanager
def server(*extra: str) -> Iterator[str]:
    """A server of the test's own."""
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder, redis_server(Path(folder), *extra) as url:
        yield url


def free_port() -> int:
    """A TCP port that is free now."""
    with socket.socket() as probing:
        probing.bind(("127.0.0.1", 0))
        return int(probing.getsockname()[1])


@contextmanager
def primary_and_replica() -> Iterator[tuple[str, str]]:
    """Their URLs; the replica follows."""
    port = free_port()
    at_once = ("--repl-diskless-sync-delay", "0")
    with server("--port", str(port), *at_once) as primary, server("--replicaof", "127.0.0.1", str(port)) as replica:
        with BlockingRedis(unix_socket_path=urlsplit(primary).path) as client:
            client.wait(1, 10_000)
            while client.info("replication")["connected_slaves"] != 1:
                client.wait(1, 100)
        yield primary, replica


def pid_of(url: str) -> int:
    """The process of a server."""
    with BlockingRedis(unix_socket_path=urlsplit(url).path) as client:
        return int(client.info("server")["process_id"])


def lasting(client: Redis, durability: Durability) -> RedisInbox:
    """An inbox that waits for that."""
    return inbox_on(client, Scripts(client, durability=durability))


def erase(admin: BlockingRedis) -> None:
    """All that a server has, as if it had come back without it."""
    admin.flushall()


async def test_with_fsync_a_message_is_stored_when_it_is_on_disk() -> None:
    """Where nothing is written to disk nothing counts as stored, though it is in memory; a redelivery waits as well."""
    with server("--appendonly", "yes") as url:
        client = Redis.from_url(url, protocol=3)
        inbox = lasting(client, "fsync")
        stored = await inbox.put(incoming(1))
        again = await inbox.put(incoming(1))
        await client.config_set("appendonly", "no")
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await inbox.put(incoming(2))
        claimed = await claimed_by(inbox, "t")
        await inbox.record(claimed, DELIVERY, sent=(0, SentId("1")))
        settled = await inbox.settle(claimed, None)
        await client.aclose()

    assert (stored, again, settled) == ("stored", "duplicate", "settled")


async def put(inbox: RedisInbox, number: int, placed: asyncio.Event) -> str:
    """Store a message; the event is set when the next one may follow, or at the end."""
    try:
        return await inbox.put(incoming(number), placed=placed.set)
    finally:
        placed.set()


async def test_messages_of_one_conversation_wait_for_the_disk_together() -> None:
    """Each is put when the one before it has its place: they lie in order, and few waits make them all durable."""
    with server("--appendonly", "yes", "--appendfsync", "everysec") as url:
        client = Redis.from_url(url, protocol=3)
        inbox, puts = lasting(client, "fsync"), []
        for number in range(30):
            placed = asyncio.Event()
            puts.append(asyncio.create_task(put(inbox, number, placed)))
            await placed.wait()
        stored = await asyncio.gather(*puts)
        waits = (await client.info("commandstats"))["cmdstat_waitaof"]["calls"]
        order = await client.lrange(f"{keys.inbox(0)}:mail:{incoming(0).conversation.id}", 0, -1)
        await client.aclose()

    assert stored == ["stored"] * 30
    assert order == [incoming(number).id.encode() for number in range(30)]
    assert waits < 10


async def test_a_wait_that_was_cancelled_leaves_the_next_ones_alone() -> None:
    """Whoever waited with it is told that nothing is certain; the next message is waited for as ever."""
    with server("--appendonly", "yes", "--appendfsync", "everysec") as url:
        client = Redis.from_url(url, protocol=3)
        inbox = lasting(client, "fsync")
        puts = []
        for number in range(2):  # the second waits for others while the first waits for the disk
            placed = asyncio.Event()
            puts.append(asyncio.create_task(put(inbox, number, placed)))
            await placed.wait()
        waits = [task for task in asyncio.all_tasks() if task.get_name() == "store - lasting"]
        for wait in waits:
            wait.cancel()
        told = await asyncio.gather(*puts, return_exceptions=True)
        stored = await put(inbox, 2, asyncio.Event())
        await client.aclose()

    assert len(waits) == 2
    assert [type(one) for one in told] == [StoreUnavailable] * 2
    assert stored == "stored"


async def test_what_is_lost_before_it_was_durable_is_not_acknowledged() -> None:
    """The server has it no more: the next try stores it. Nothing is asked about a message that was not to be stored."""
    with server("--appendonly", "yes", "--appendfsync", "always") as url, BlockingRedis.from_url(url) as admin:
        client = Redis.from_url(url, protocol=3)
        inbox = lasting(client, "fsync")
        with pytest.raises(StoreUnavailable, match="gone with the server that had it"):
            await inbox.put(incoming(1), placed=lambda: erase(admin))
        again = await inbox.put(incoming(1))
        unaddressed = await inbox.put(incoming(2, conversation(thread="t"), addressing="follow"))
        await client.aclose()

    assert (again, unaddressed) == ("stored", "unaddressed")


async def test_nobody_overtakes_a_message_that_was_lost_before_it_was_durable() -> None:
    """Another server than the one that had it takes the next one only behind it, when both come again."""
    with server("--appendonly", "yes", "--appendfsync", "everysec") as url, BlockingRedis.from_url(url) as admin:
        client = Redis.from_url(url, protocol=3)
        inbox, placed = lasting(client, "fsync"), asyncio.Event()
        first = asyncio.create_task(put(inbox, 1, placed))
        await placed.wait()
        erase(admin)
        with pytest.raises(StoreUnavailable, match="put: the message before it is gone"):
            await inbox.put(incoming(2))
        with pytest.raises(StoreUnavailable, match="lasting: gone"):
            await first
        again = [await inbox.put(incoming(number)) for number in (1, 2)]
        order = await client.lrange(f"{keys.inbox(0)}:mail:{incoming(0).conversation.id}", 0, -1)
        await client.aclose()

    assert again == ["stored", "stored"]
    assert order == [incoming(number).id.encode() for number in (1, 2)]


async def test_with_replica_a_message_is_stored_when_a_second_server_has_it() -> None:
    """While the replica hangs nothing counts as stored, a redelivery neither; then the platform's next try succeeds."""
    with primary_and_replica() as (primary, replica):
        client, second = Redis.from_url(primary, protocol=3), Redis.from_url(replica, protocol=3)
        inbox = lasting(client, "replica")
        stored = await inbox.put(incoming(1))
        there = [name async for name in second.scan_iter(match="*:mail:*")]
        follower = pid_of(replica)
        os.kill(follower, signal.SIGSTOP)
        try:
            for _ in range(2):
                with pytest.raises(StoreUnavailable, match="lasting: not replica within 2 s"):
                    await inbox.put(incoming(2))
        finally:
            os.kill(follower, signal.SIGCONT)
        again = await inbox.put(incoming(2))
        await client.aclose()
        await second.aclose()

    assert (stored, len(there), again) == ("stored", 1, "duplicate")


async def test_with_replica_what_was_shown_is_on_the_second_server_too() -> None:
    """So that a take-over after a failover does not show it again; with fsync alone this is not waited for."""
    with primary_and_replica() as (primary, replica):
        client = Redis.from_url(primary, protocol=3)
        inbox = lasting(client, "replica")
        await inbox.put(incoming(1))
        claimed = await claimed_by(inbox, "t")
        recorded = await inbox.record(claimed, DELIVERY, sent=(0, SentId("1")))
        follower = pid_of(replica)
        os.kill(follower, signal.SIGSTOP)
        try:
            with pytest.raises(StoreUnavailable):
                await inbox.record(claimed, sending=1)
            with pytest.raises(StoreUnavailable):
                await inbox.settle(claimed, None)
        finally:
            os.kill(follower, signal.SIGCONT)
        settled = await inbox.settle(claimed, None)
        await client.aclose()

    assert (recorded, settled) == (True, "done")


async def test_with_replica_what_was_done_before_is_waited_for_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """An act that finds itself done where the replica does not know it yet, asked by one who has written nothing."""
    monkeypatch.setattr(scripts, "LAST_WITHIN", timedelta(milliseconds=200))
    with primary_and_replica() as (primary, replica):
        one, other = (Redis.from_url(primary, protocol=3) for _ in range(2))
        inbox, again = lasting(one, "replica"), lasting(other, "replica")
        await inbox.put(incoming(1))
        claimed = await claimed_by(inbox, "t")
        follower = pid_of(replica)
        os.kill(follower, signal.SIGSTOP)
        try:
            for each in (inbox, again):
                with pytest.raises(StoreUnavailable, match="record: not replica"):
                    await each.record(claimed, DELIVERY, sent=(0, SentId("1")), sending=1)
            await other.connection_pool.disconnect()
            for each in (inbox, again):
                with pytest.raises(StoreUnavailable, match="settle: not replica"):
                    await each.settle(claimed, None)
        finally:
            os.kill(follower, signal.SIGCONT)
        settled = await again.settle(claimed, None)
        for client in (one, other):
            await client.aclose()

    assert settled == "done"


async def test_after_a_failover_nothing_that_was_acknowledged_is_gone() -> None:
    """The primary is killed, the replica promoted: all that counted as stored is there, in order."""
    with primary_and_replica() as (primary, replica):
        client = Redis.from_url(primary, protocol=3)
        inbox = lasting(client, "replica")
        for number in range(50):
            await inbox.put(incoming(number))
        os.kill(pid_of(primary), signal.SIGKILL)
        await client.aclose()
        promoted = Redis.from_url(replica, protocol=3)
        await promoted.replicaof("NO", "ONE")
        heir = inbox_on(promoted, Scripts(promoted))
        found = []
        for number in range(50):
            claimed = await claimed_by(heir, f"t{number}")
            found.append(claimed.incoming.id)
            await heir.settle(claimed, None)
        await promoted.aclose()

    assert found == [incoming(number).id for number in range(50)]


async def test_a_server_that_cannot_do_it_is_refused_at_start() -> None:
    """With what to do about it."""
    with server() as url:
        client = Redis.from_url(url, protocol=3)
        with pytest.raises(StartError, match="set appendonly yes"):
            await probe(client, url=url, durability="fsync")
        with pytest.raises(StartError, match="no replica is connected"):
            await probe(client, url=url, durability="replica")
        await client.aclose()


async def test_who_serves_waits_for_a_replica(caplog: pytest.LogCaptureFixture) -> None:
    """After a failover there is none until the old primary is back."""
    port = free_port()
    with server("--port", str(port)) as primary:
        client = Redis.from_url(primary, protocol=3)
        waiting = asyncio.create_task(probe(client, url=primary, durability="replica", stop=asyncio.Event()))
        await comes_true(lambda: "no replica is connected" in caplog.text)
        with server("--replicaof", "127.0.0.1", str(port)):
            facts = await waiting
        await client.aclose()

    assert facts.replicas == 1

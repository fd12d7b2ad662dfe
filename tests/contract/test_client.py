"""How Redis is reached: shapes, timeouts, retries and errors, against the real server and real sockets."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import NoPermissionError, ResponseError

from bot.errors import ConfigError, StoreBroken, StoreUnavailable
from bot.store.addresses import redacted
from bot.store.client import close, connect, connect_blocking, translated
from bot.store.cluster import Client
from bot.store.embedded import _state
from bot.store.passages_lock import ingest_lock
from bot.store.probe import probe
from tests.servers.proxy import Proxy
from tests.servers.redis import redis_server

pytestmark = pytest.mark.one_server


async def test_answers_are_bytes_in_resp3_shapes_whatever_the_url_says(redis_url: str) -> None:
    """An operator's URL may tune the connection, not the shape of what the stores read."""
    redis = connect(f"{redis_url}?protocol=2&decode_responses=yes&db=3")

    await redis.zadd("z", {"a": 1.5})
    scores = await redis.zrange("z", 0, -1, withscores=True)
    info = await redis.client_info()
    await redis.aclose()

    assert scores == [[b"a", 1.5]]
    assert (int(info["resp"]), int(info["db"])) == (3, 3)


async def test_more_callers_than_connections_queue(redis_url: str) -> None:
    """Two connections serve fifty callers at once."""
    redis = connect(redis_url, max_connections=2)

    pongs = await asyncio.gather(*[redis.ping() for _ in range(50)])
    clients = [client for client in await redis.client_list() if client["name"] == "frontdesk"]
    await redis.aclose()

    assert pongs == [True] * 50
    assert len(clients) <= 2


async def test_a_lost_connection_is_opened_again(redis: Redis, redis_url: str) -> None:
    """Connections that the server closed are no failure to the caller."""
    client = connect(redis_url)
    await client.set("k", "v")

    await redis.client_kill_filter(_type="normal", skipme=True)
    value = await client.get("k")
    await client.aclose()

    assert value == b"v"


async def test_a_dead_server_is_told_after_three_attempts(unused_port: int) -> None:
    """Nobody listens: three attempts, one StoreUnavailable that names act, class and place."""
    redis = connect(f"redis://:hunter2@127.0.0.1:{unused_port}")

    with pytest.raises(StoreUnavailable) as caught, translated("inbox.put"):
        await redis.ping()
    await redis.aclose()

    assert str(caught.value).startswith("inbox.put: ConnectionError: ")
    assert f"127.0.0.1:{unused_port}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_a_server_that_never_answers_times_out() -> None:
    """A hanging server costs three answer timeouts, not a minute."""
    connections = 0

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while await reader.read(1024):
            pass
        writer.close()

    server = await asyncio.start_server(hang, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    redis = connect(f"redis://127.0.0.1:{port}", answer_timeout=timedelta(milliseconds=100))

    with pytest.raises(StoreUnavailable, match="ping: TimeoutError"), translated("ping"):
        await redis.ping()
    await redis.aclose()
    server.close()

    assert 1 <= connections <= 3


async def test_a_blocking_read_outlasts_the_answer_timeout(redis_url: str) -> None:
    """A blocking read is neither cut off nor repeated: it comes back empty after its own time."""
    redis = connect_blocking(redis_url, block=timedelta(milliseconds=300))

    result = await redis.xread({"nothing": "0"}, block=300)
    stats = await redis.info("commandstats")
    await redis.aclose()

    assert not result
    assert stats["cmdstat_xread"]["calls"] >= 1


async def test_errors_of_the_server_are_translated_without_their_text() -> None:
    """What the server answered may quote a person's words: only the class is told."""
    with pytest.raises(StoreUnavailable) as caught, translated("passages.search"):
        raise ResponseError("Syntax error at offset 3 near my_diagnosis")

    assert str(caught.value) == "passages.search: ResponseError"
    assert isinstance(caught.value.__cause__, ResponseError)


@pytest.mark.parametrize("error", [TimeoutError(), OSError(28, "No space left"), NoPermissionError("no")])
async def test_what_is_translated(error: Exception) -> None:
    """Timeouts, sockets and refusals are all one error to the caller."""
    with pytest.raises(StoreUnavailable, match=r"^act: "), translated("act"):
        raise error


async def test_a_value_that_cannot_be_used_is_told_from_a_server_that_is_away(redis: Redis) -> None:
    """By commands and inside scripts; without the words of the server."""
    await redis.set("text", "secret")
    acts = [
        redis.lpush("text", "x"),
        redis.incr("text"),
        redis.eval("return redis.call('LPUSH', KEYS[1], 'x')", 1, "text"),
        redis.eval("return 1 + redis.call('GET', KEYS[1]):len().secret", 1, "text"),
    ]
    told = []
    for act in acts:
        with pytest.raises(StoreBroken) as caught, translated("act"):
            await act
        told.append(str(caught.value))

    words = "act: what Redis holds cannot be used"
    assert told == [
        f"{words} (WRONGTYPE)",
        f"{words} (value is not an integer)",
        f"{words} (WRONGTYPE)",
        f"{words} (user_script:1)",
    ]


async def test_a_deadline_inside_the_block_is_translated(redis: Redis) -> None:
    """`asyncio.timeout` within the block ends as StoreUnavailable."""
    with pytest.raises(StoreUnavailable, match="act: TimeoutError"), translated("act"):
        async with asyncio.timeout(0.05):
            await redis.blpop(["nothing"], timeout=5)


async def test_cancellation_and_our_own_errors_pass_through() -> None:
    """Only failures of Redis are translated."""
    with pytest.raises(asyncio.CancelledError), translated("act"):
        raise asyncio.CancelledError
    with pytest.raises(KeyError), translated("act"):
        raise KeyError("ours")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("redis://:hunter2@localhost/0", "redis://:***@localhost/0"),
        ("rediss://app:hunter2@redis.example.org:6380", "rediss://app:***@redis.example.org:6380"),
        ("redis://hunter2@localhost", "redis://***@localhost"),
        ("redis://:hun@ter2/x#y@localhost", "redis://:***@localhost"),
        ("unix:///run/redis.sock?db=1&password=hunter2", "unix:///run/redis.sock?db=1&password=***"),
        ("unix:///run/redis.sock?password=hun&ter2@x", "unix:///run/redis.sock?password=***"),
        ("redis+cluster://app:hunter2@a:1,b:2", "redis+cluster://app:***@a:1,b:2"),
        ("redis+sentinel://a:1,b/n?sentinel_password=hunter2", "redis+sentinel://a:1,b/n?sentinel_password=***"),
        ("hunter2", "***"),
    ],
)
def test_a_url_is_shown_without_its_password(url: str, shown: str) -> None:
    """Logs and errors show where, never the secret."""
    assert redacted(url) == shown


@pytest.mark.parametrize(
    "url",
    [
        "http://:hunter2@localhost",
        "redis://:hunter2#x@localhost",
        "redis://:hunter2@localhost?colour=red",
        "hunter2",
        "redis+sentinel://:hunter2@a:1,b:2",
        "redis+sentinel://:hunter2@a:x/name",
        "redis+sentinel://:hunter2@a,b/name?colour=red",
        "redis+cluster://:hunter2@a:1,,b:2",
        "redis+cluster://:hunter2@a:1/name",
        "redis+cluster://:hunter2@a:1?db=1",
        "redis+cluster://:hunter2@a:1?colour=red",
        "redis+ring://:hunter2@a:1",
    ],
)
def test_a_bad_url_is_a_configuration_error_without_the_password(url: str) -> None:
    """A scheme, port or option that cannot be is told before any network is touched."""
    with pytest.raises(ConfigError) as caught:
        connect(url, setting="FRONTDESK_REDIS__URL")

    assert "hunter2" not in str(caught.value)
    assert str(caught.value).startswith("FRONTDESK_REDIS__URL ")


async def test_the_password_is_not_in_any_repr(redis_url: str) -> None:
    """A client may end up in a traceback or a debugger's log."""
    redis = connect("redis://app:hunter2@localhost")

    assert isinstance(redis, Redis)
    assert "hunter2" not in repr(redis)
    assert "hunter2" not in repr(redis.connection_pool)
    await redis.aclose()


@pytest.fixture
async def unused_port() -> int:
    """A port of 127.0.0.1 on which nobody listens."""
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate with")
async def test_tls(tmp_path: Path) -> None:
    """`rediss://` speaks TLS, checks the certificate, and carries commands."""
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    await asyncio.to_thread(
        subprocess.run,
        [*request, *names, "-keyout", str(key), "-out", str(certificate)],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    folder = tmp_path / "r"
    folder.mkdir()
    with redis_server(folder) as url:
        socket = url.removeprefix("unix://")

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_unix_connection(socket)
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))

        server = await asyncio.start_server(relay, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        trusting = connect(f"rediss://127.0.0.1:{port}?ssl_ca_certs={certificate}")
        doubting = connect(f"rediss://127.0.0.1:{port}")

        assert await trusting.ping()
        with pytest.raises(StoreUnavailable, match="CERTIFICATE_VERIFY_FAILED"), translated("ping"):
            await doubting.ping()
        async with Proxy(port=port) as proxy:
            left = connect(
                f"rediss://127.0.0.1:{proxy.port}?ssl_ca_certs={certificate}", connect_timeout=timedelta(seconds=1)
            )
            await left.ping()
            proxy.swallow()
            await close(left)  # without a farewell, and no error

        await close(trusting)
        await close(doubting)
        server.close()
        await server.wait_closed()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hand on what comes until its end."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def asks(redis: Client) -> None:
    """A command."""
    with translated("ask"):
        await redis.get("fd:nothing")


async def begins_an_ingest(redis: Client) -> None:
    """One that has nothing to do."""
    async with ingest_lock(redis, "fd:kb:main:ingest", wait=timedelta(seconds=1)):
        pass


async def starts(redis: Client) -> None:
    """What a process asks first."""
    await probe(redis, url="redis://here")


async def waits_for_the_embedded_server(redis: Client) -> None:
    """Until it has loaded its data."""
    assert await _state(redis) == "ready"


@pytest.mark.parametrize("act", [asks, begins_an_ingest, starts, waits_for_the_embedded_server])
async def test_a_cancelled_task_ends(redis_url: str, act: Callable[[Client], Awaitable[None]]) -> None:
    """Whatever the moment of its cancellation, a task that asks Redis in a loop ends: none is lost in the library."""
    redis = connect(redis_url)

    async def go_on() -> None:
        while True:
            await act(redis)

    still_running = 0
    for moment in range(200):
        await redis.delete("fd:kb:main:ingest")  # cancelled as it was taken, it would be waited for
        task = asyncio.create_task(go_on())
        for _ in range(moment % 40):
            await asyncio.sleep(0)
        task.cancel()
        _, pending = await asyncio.wait([task], timeout=5)
        still_running += len(pending)
    await redis.aclose()

    assert still_running == 0

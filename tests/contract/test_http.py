"""The HTTP application and its server, over real sockets."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from httpx2 import AsyncClient
from httpx2 import Response as HttpResponse
from redis.asyncio import Redis
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from bot import health
from bot.errors import StartError, StoreUnavailable
from bot.health import intake, readiness
from bot.http.app import build
from bot.http.metrics import PrometheusMeter
from bot.http.server import serve
from bot.request_body import MOST_BYTES
from bot.store.client import connect
from bot.store.cluster import Client
from bot.store.scripts import Scripts
from tests.contract.samples import inbox_on

REASONS: list[str] = []


async def _ready() -> list[str]:
    return list(REASONS)


async def _read(request: Request) -> Response:
    return JSONResponse({"bytes": len(await request.body())})


async def _fail(_request: Request) -> Response:
    raise RuntimeError("the secret of the house")


async def _hang(request: Request) -> Response:
    request.app.state.hanging.set()
    await asyncio.sleep(3600)
    return PlainTextResponse("never")


@asynccontextmanager
async def _server(
    stop: asyncio.Event, *, drain: timedelta = timedelta(seconds=5)
) -> AsyncIterator[tuple[AsyncClient, asyncio.Event]]:
    """The application with three odd routes; yields a client and the event that a request hangs."""
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    odd = [Route("/read", _read, methods=["POST"]), Route("/fail", _fail), Route("/hang", _hang)]
    app = build(ready=_ready, takes=_ready, metrics=PrometheusMeter(), routes=odd)
    app.state.hanging = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(app, "127.0.0.1", 0, stop, started.set_result, drain=drain), name="test - serve")
        try:
            async with AsyncClient(base_url=f"http://127.0.0.1:{await started}", timeout=20) as client:
                yield client, app.state.hanging
        finally:
            stop.set()


@pytest.fixture(autouse=True)
def no_reasons() -> None:
    """Each test begins ready."""
    REASONS.clear()


@pytest.fixture
async def client() -> AsyncIterator[AsyncClient]:
    """A client of a running server."""
    async with _server(asyncio.Event()) as (client, _):
        yield client


async def test_alive(client: AsyncClient) -> None:
    """Liveness is a plain yes, whatever else is wrong."""
    REASONS.append("Redis does not answer")

    response = await client.get("/healthz")

    assert (response.status_code, response.json()) == (200, {"status": "alive"})


async def test_ready(client: AsyncClient) -> None:
    """Ready when nothing speaks against it."""
    response = await client.get("/readyz")

    assert (response.status_code, response.json()) == (200, {"ready": True, "reasons": []})


async def test_not_ready_says_why(client: AsyncClient) -> None:
    """A 503 names every reason."""
    REASONS.extend(["documents are being read", "slack: connecting"])

    response = await client.get("/readyz")

    assert response.status_code == 503
    assert response.json() == {"ready": False, "reasons": ["documents are being read", "slack: connecting"]}


@pytest.mark.parametrize(
    ("failure", "reason"), [(StoreUnavailable("x"), "Redis does not answer"), (TimeoutError(), "not known within 3 s")]
)
async def test_readiness_that_fails_is_a_reason(failure: Exception, reason: str) -> None:
    """Asking may fail too: that is a reason, not an error."""

    async def ready() -> list[str]:
        raise failure

    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    app = build(ready=ready, takes=ready, metrics=PrometheusMeter())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(app, "127.0.0.1", 0, stop, started.set_result))
        async with AsyncClient(base_url=f"http://127.0.0.1:{await started}") as client:
            response = await client.get("/readyz")
        stop.set()

    assert (response.status_code, response.json()["reasons"]) == (503, [reason])


class Unreached:
    """A platform that cannot reach us, as Telegram says of a webhook."""

    async def run(self, stop: asyncio.Event) -> None:
        """Nothing comes."""

    def not_ready(self) -> str | None:
        """Its own words."""
        return "Connection refused"

    def receives(self) -> bool:
        """They do not reach us."""
        return False

    def silence(self) -> timedelta | None:
        """Nothing ever has come."""
        return None


@pytest.mark.parametrize("state", ["running", "stopping", "store away", "store hangs"])
async def test_routing_asks_whether_messages_can_be_stored(
    redis: Redis, state: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a platform says is an alarm and no reason to route elsewhere: it would never be reached again."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        if state == "store hangs":
            unused.listen()
            monkeypatch.setattr(health, "STORED_WITHIN", timedelta(milliseconds=50))
        away = connect(f"redis://127.0.0.1:{unused.getsockname()[1]}", retries=0)
        store: Client = away if state.startswith("store") else redis
        inbox, told = inbox_on(store, Scripts(store)), asyncio.Event()
        if state == "stopping":
            told.set()
        started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        app = build(
            ready=lambda: readiness(told, inbox, {"telegram": Unreached()}, None),
            takes=lambda: intake(told, inbox),
            metrics=PrometheusMeter(),
        )
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(serve(app, "127.0.0.1", 0, stop, started.set_result))
            async with AsyncClient(base_url=f"http://127.0.0.1:{await started}") as client:
                ready, takes = [await client.get(path) for path in ("/readyz", "/acceptz")]
            stop.set()
        await away.aclose()

    reasons = {
        "running": [],
        "stopping": ["stopping"],
        "store away": ["redis: nothing can be stored (ConnectionError): it cannot be reached"],
        "store hangs": ["redis: nothing can be stored (TimeoutError): it does not answer"],
    }[state]
    alarm = [] if state == "stopping" else ["telegram: Connection refused"]
    assert (ready.status_code, ready.json()) == (503, {"ready": False, "reasons": [*alarm, *reasons]})
    assert (takes.status_code, takes.json()) == (
        503 if reasons else 200,
        {"ready": not reasons, "reasons": reasons},
    )


@pytest.mark.parametrize("path", ["/nothing", "/healthz/", "/telegram/webhook", "/../etc/passwd"])
async def test_unknown_path(client: AsyncClient, path: str) -> None:
    """What is not there is a 404 in JSON, never a redirect."""
    response = await client.get(path)

    assert (response.status_code, response.json()) == (404, {"error": "Not Found"})


async def test_wrong_method(client: AsyncClient) -> None:
    """Another method than the route's is a 405 in JSON that names those allowed."""
    response = await client.post("/healthz")

    assert (response.status_code, response.json()) == (405, {"error": "Method Not Allowed"})
    assert "GET" in response.headers["allow"]


async def test_error_shows_nothing_of_the_inside(client: AsyncClient) -> None:
    """A failure inside is a 500 with one sentence; the details stay in the log."""
    response = await client.get("/fail")

    assert (response.status_code, response.json()) == (500, {"error": "internal error"})
    assert "server" not in response.headers


async def test_body_at_the_limit(client: AsyncClient) -> None:
    """A body of exactly the limit is read."""
    response = await client.post("/read", content=b"x" * MOST_BYTES)

    assert response.json() == {"bytes": MOST_BYTES}


async def test_body_over_the_limit(client: AsyncClient) -> None:
    """One byte more is refused."""
    response = await client.post("/read", content=b"x" * (MOST_BYTES + 1))

    assert response.status_code == 413


async def test_body_over_the_limit_in_chunks(client: AsyncClient) -> None:
    """A body that does not say its length is counted as it comes."""

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(MOST_BYTES // 10_000 + 1):
            yield b"x" * 10_000

    response = await client.post("/read", content=chunks())

    assert response.status_code == 413


async def test_port_in_use() -> None:
    """A taken port is a sentence that says what to do."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(StartError, match=rf"127\.0\.0\.1:{port} is taken .* set another server\.port"):
            await serve(
                build(ready=_ready, takes=_ready, metrics=PrometheusMeter()), "127.0.0.1", port, asyncio.Event(), print
            )


@pytest.mark.parametrize("host", ["192.0.2.1", "no-such-name.invalid"])
async def test_address_of_no_machine_of_ours(host: str) -> None:
    """A host that is not ours is named."""
    with pytest.raises(StartError, match=f"'{host}' is no address of this machine"):
        await serve(build(ready=_ready, takes=_ready, metrics=PrometheusMeter()), host, 0, asyncio.Event(), print)


async def test_name_is_bound_on_each_of_its_addresses() -> None:
    """`localhost` is answered, whichever address the client tries."""
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    stop = asyncio.Event()
    app = build(ready=_ready, takes=_ready, metrics=PrometheusMeter())
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(serve(app, "localhost", 0, stop, started.set_result))
        async with AsyncClient(base_url=f"http://localhost:{await started}") as client:
            response = await client.get("/healthz")
        stop.set()

    assert response.status_code == 200


async def test_signals_are_left_alone() -> None:
    """Running the server changes no signal handler."""
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    async with _server(asyncio.Event()) as (client, _):
        await client.get("/healthz")
        during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    assert during == before


async def test_stop_lets_idle_connections_go() -> None:
    """With nothing under way, stopping needs no deadline, and the port is free afterwards."""
    stop = asyncio.Event()
    async with asyncio.timeout(10), _server(stop) as (client, _):
        await client.get("/healthz")
        port = client.base_url.port
        stop.set()

    assert port is not None
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


async def test_stop_cuts_what_hangs() -> None:
    """A request that does not end is cut at the deadline, and the server ends."""
    stop = asyncio.Event()
    async with asyncio.timeout(10), _server(stop, drain=timedelta(seconds=1)) as (client, hanging):
        request = asyncio.create_task(client.get("/hang"))
        await hanging.wait()
        stop.set()
        (outcome,) = await asyncio.gather(request, return_exceptions=True)

    assert isinstance(outcome, Exception) or (isinstance(outcome, HttpResponse) and outcome.status_code == 500)


async def test_cancelling_closes_the_port() -> None:
    """A cancelled server listens no longer."""
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    app = build(ready=_ready, takes=_ready, metrics=PrometheusMeter())
    task = asyncio.create_task(serve(app, "127.0.0.1", 0, asyncio.Event(), started.set_result))
    port = await started

    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)

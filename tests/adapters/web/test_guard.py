"""Who may use the page: Host, Origin and token, over real HTTP."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import SecretStr

from adapters.web import guard
from adapters.web.routes import routes
from bot.errors import StartError
from bot.http.metrics import PrometheusMeter
from tests.adapters.web.fakes import FakeBox, FakeGate, desk

TOKEN = SecretStr("correct horse 口令")
BEARER = (b"authorization", f"bearer {TOKEN.get_secret_value()}".encode())
MESSAGE = {"id": "m1", "text": "hi"}
PATHS = ["/", "/chat/events"]


@pytest.mark.parametrize(
    "host", ["evil.example:8080", "evil.example", "", "127.0.0.1.evil.example", "127.0.0.1@evil", "a b"]
)
@pytest.mark.parametrize("path", PATHS)
async def test_foreign_host(host: str, path: str) -> None:
    """A name that was pointed at us by somebody else gets nothing."""
    async with desk() as page:
        response = await page.client.get(path, headers={"host": host})

    assert response.status_code == 421
    assert "Front Desk" not in response.text


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "LocalHost", "[::1]"])
async def test_own_hosts(name: str) -> None:
    """The names of this machine are known, with any port: it may be mapped."""
    async with desk() as page:
        response = await page.client.get("/", headers={"host": f"{name}:12345"})

    assert response.status_code == 200


async def test_configured_host() -> None:
    """The configured name is known, others are not, token or no token."""
    async with desk(host="desk.example", token=TOKEN) as page:
        own = await page.client.get("/", headers=[BEARER, (b"host", b"desk.example")])
        foreign = await page.client.get("/", headers=[BEARER, (b"host", b"evil.example")])

    assert (own.status_code, foreign.status_code) == (200, 421)


async def test_all_addresses() -> None:
    """Bound to all addresses, any name will do, and the token decides."""
    async with desk(host="0.0.0.0", token=TOKEN) as page:  # noqa: S104 - the name the guard is told, not bound to
        response = await page.client.get("/", headers={"host": "desk.example"})

    assert response.status_code == 401


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1", "http://localhost", ""])
async def test_foreign_origin(origin: str) -> None:
    """A page of another site, or of another port of this machine, may not post."""
    async with desk() as page:
        response = await page.client.post("/chat", json=MESSAGE, headers={"origin": origin})

    assert response.status_code == 403
    assert page.gate.incoming == []


async def test_own_origin() -> None:
    """The page itself may, and so may a program, which names no origin."""
    async with desk() as page:
        own = await page.client.post("/chat", json=MESSAGE, headers={"origin": page.origin})
        program = await page.client.post("/chat", json=MESSAGE)

    assert (own.status_code, program.status_code) == (202, 202)


async def test_own_origin_behind_tls() -> None:
    """A proxy that ends TLS changes the scheme of the origin and keeps its name."""
    async with desk() as page:
        headers = {"origin": "https://localhost", "host": "localhost"}
        response = await page.client.post("/chat", json=MESSAGE, headers=headers)

    assert response.status_code == 202


async def test_without_token() -> None:
    """A browser is asked for the token; a program hears 401; nothing is stored."""
    async with desk(token=TOKEN) as page:
        shown = await page.client.get("/")
        events = await page.client.get("/chat/events")
        post = await page.client.post("/chat", json=MESSAGE)

    assert (shown.status_code, events.status_code, post.status_code) == (401, 401, 401)
    assert 'type="password"' in shown.text
    assert "script-src 'none'" in shown.headers["content-security-policy"]
    assert events.headers["www-authenticate"] == "Bearer"
    assert page.gate.incoming == []


async def test_token_once_in_the_address() -> None:
    """It gives a cookie that is not the token, and leaves the address; page and posts then work."""
    async with desk(token=TOKEN) as page:
        login = await page.client.get("/", params={"token": TOKEN.get_secret_value()})
        shown = await page.client.get("/")
        post = await page.client.post("/chat", json=MESSAGE)
        again = await page.client.get("/", params={"token": TOKEN.get_secret_value()})

    cookie = login.headers["set-cookie"]
    assert (login.status_code, login.headers["location"]) == (303, "./")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert TOKEN.get_secret_value() not in cookie
    assert (shown.status_code, post.status_code) == (200, 202)
    assert (again.status_code, again.headers["location"]) == (303, "./")


@pytest.mark.parametrize("token", ["x", "correct horse", "correct horse 口令口令", "\u00e9"])
async def test_wrong_token(token: str) -> None:
    """Nearly right is wrong, in the address, the header and the cookie."""
    async with desk(token=TOKEN) as page:
        address = await page.client.get("/", params={"token": token})
        header = await page.client.get("/", headers=[(b"authorization", f"Bearer {token}".encode())])
        cookie = await page.client.get("/", headers=[(b"cookie", f"{guard.COOKIE}={token}".encode())])

    assert [response.status_code for response in (address, header, cookie)] == [401, 401, 401]
    assert "set-cookie" not in address.headers


async def test_token_in_the_address_of_a_post() -> None:
    """Only the page's own address takes it: elsewhere it would stay in histories and logs."""
    async with desk(token=TOKEN) as page:
        params = {"token": TOKEN.get_secret_value()}
        post = await page.client.post("/chat", json=MESSAGE, params=params)
        events = await page.client.get("/chat/events", params=params)

    assert (post.status_code, events.status_code) == (401, 401)


async def test_bearer() -> None:
    """A program shows the token in the header."""
    async with desk(token=TOKEN) as page:
        response = await page.client.post("/chat", json=MESSAGE, headers=[BEARER])

    assert response.status_code == 202


async def test_refusals_carry_the_headers_too() -> None:
    """No answer of the page can be framed or sniffed, refusals included."""
    async with desk(token=TOKEN) as page:
        responses = [
            await page.client.get("/"),
            await page.client.get("/", headers={"host": "evil.example"}),
            await page.client.post("/chat", json=MESSAGE, headers={"origin": "null"}),
        ]

    assert {response.headers["x-frame-options"] for response in responses} == {"DENY"}
    assert {response.headers["x-content-type-options"] for response in responses} == {"nosniff"}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "desk.example", ""])  # noqa: S104 - refused here
def test_reachable_by_others_needs_a_token(host: str) -> None:
    """Open to other machines without a token: it does not start, and says what to set."""
    box = FakeBox()

    with pytest.raises(StartError, match="FRONTDESK_WEB_TOKEN"):
        routes(FakeGate(), box, PrometheusMeter(), stop=asyncio.Event(), host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "localhost", "::1"])
def test_this_machine_needs_none(host: str) -> None:
    """On loopback the page is open to whoever sits at the machine."""
    assert len(routes(FakeGate(), FakeBox(), PrometheusMeter(), stop=asyncio.Event(), host=host)) == 3

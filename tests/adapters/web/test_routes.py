"""The chat page over real HTTP: posting, receiving, reconnecting, stopping."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

import pytest
from httpx2 import AsyncClient, Response

from adapters.web import stream
from adapters.web.parse import MAX_TEXT_CHARS
from adapters.web.session import COOKIE
from bot.message import Command
from tests.adapters.web.fakes import Desk, desk

Event = tuple[str, str, dict[str, object]]
"""Id, name and data."""


@pytest.fixture
async def page() -> AsyncIterator[Desk]:
    """An open page on this machine."""
    async with desk() as running:
        yield running


async def _say(client: AsyncClient, text: str, message_id: str = "m1", **headers: str) -> Response:
    return await client.post("/chat", json={"id": message_id, "text": text}, headers=headers)


@asynccontextmanager
async def _stream(client: AsyncClient, after: str = "0", **headers: str) -> AsyncIterator[AsyncIterator[Event]]:
    """The events of a stream, as a browser would read them."""
    async with client.stream("GET", "/chat/events", params={"after": after}, headers=headers) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")

        async def events() -> AsyncIterator[Event]:
            record: dict[str, str] = {}
            async for line in response.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    record[name] = value
                elif "event" in record:
                    yield record.get("id", ""), record["event"], json.loads(record["data"])
                    record = {}

        yield events()


async def _replies(client: AsyncClient, count: int, after: str = "0", **headers: str) -> list[tuple[str, object]]:
    """Id and text of the next replies."""
    found: list[tuple[str, object]] = []
    async with asyncio.timeout(20), _stream(client, after, **headers) as events:
        async for event_id, name, data in events:
            if name == "reply":
                found.append((event_id, data["text"]))
            if len(found) == count:
                break
    return found


async def test_the_page(page: Desk) -> None:
    """The page is one file that asks nobody else for anything and may not be framed."""
    response = await page.client.get("/")

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["x-frame-options"] == "DENY"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cache-control"] == "no-store"
    assert "src=" not in response.text.replace("<img src=", "")
    assert "innerHTML" not in response.text


async def test_the_name_is_text() -> None:
    """A bot's name with markup in it is shown as it is written."""
    async with desk(name='<b onclick="x">& Co') as page:
        response = await page.client.get("/")

    assert "<h1>&lt;b onclick=&quot;x&quot;&gt;&amp; Co</h1>" in response.text


async def test_question_and_answer(page: Desk) -> None:
    """What is posted is stored once confirmed, and its reply comes over the stream."""
    response = await _say(page.client, "Where is my card?", **{"accept-language": "en-GB,en"})

    assert (response.status_code, response.json()) == (202, {"accepted": "stored"})
    (incoming,) = page.gate.incoming
    assert (incoming.text, incoming.locale, incoming.addressing) == ("Where is my card?", "en-gb", "direct")
    assert incoming.id == f"web:{incoming.conversation.user}:m1"
    assert await _replies(page.client, 1) == [("1-0", "echo: Where is my card?")]
    assert page.registry.get_sample_value("frontdesk_received_total", {"platform": "web", "accepted": "stored"}) == 1


async def test_a_command(page: Desk) -> None:
    """A slash makes a command of it."""
    await _say(page.client, "/reset now")

    assert page.gate.incoming[0].command == Command(name="reset", argument="now", addressed=True)


async def test_the_same_id_again_is_no_second_message(page: Desk) -> None:
    """Sending again after a lost answer is harmless."""
    await _say(page.client, "hi")

    response = await _say(page.client, "hi")

    assert (response.status_code, response.json()) == (202, {"accepted": "duplicate"})
    assert len(page.gate.incoming) == 1


async def test_session_cookie(page: Desk) -> None:
    """128 random bits that scripts and other sites never see, and that stay the same."""
    first = await _say(page.client, "one", "m1")
    await _say(page.client, "two", "m2")

    cookie = first.headers["set-cookie"]
    assert cookie.startswith(f"{COOKIE}=")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    assert len(page.client.cookies[COOKIE]) == 32
    assert len({incoming.conversation.id for incoming in page.gate.incoming}) == 1


async def test_the_page_itself_gives_no_session(page: Desk) -> None:
    """It may be opened from another site, which hides the cookie that is there: a new one would replace it."""
    response = await page.client.get("/")

    assert "set-cookie" not in response.headers


async def test_secure_cookie_behind_tls(page: Desk) -> None:
    """Behind a proxy that ends TLS the cookie never travels in the clear."""
    response = await _say(page.client, "hi", **{"x-forwarded-proto": "https"})

    assert "Secure" in response.headers["set-cookie"].split("; ")


async def test_a_session_of_ones_own_making_is_not_taken(page: Desk) -> None:
    """A cookie in another form is replaced by a new session."""
    await _say(page.client, "hi", cookie=f"{COOKIE}=" + "A" * 32)

    assert page.gate.incoming[0].conversation.user != "A" * 32


async def test_two_people_do_not_read_each_other(page: Desk) -> None:
    """Another browser has another session and an empty box."""
    await _say(page.client, "mine")
    async with page.stranger() as other:
        await _say(other, "theirs")

        assert await _replies(other, 1) == [("2-0", "echo: theirs")]
    assert await _replies(page.client, 1) == [("1-0", "echo: mine")]


async def test_replies_come_as_they_are_given(page: Desk) -> None:
    """An open page hears of a reply without asking again."""
    async with asyncio.timeout(20), _stream(page.client) as events:
        _, name, greeting = await anext(events)
        await _say(page.client, "hi")
        event = await anext(events)

    assert (name, greeting["ping_s"]) == ("hello", 15.0)
    assert event == ("1-0", "reply", {"text": "echo: hi", "interim": False})


async def test_reconnecting_goes_on_after_the_last_seen(page: Desk) -> None:
    """`after` and, with more right, the browser's own `Last-Event-ID` leave out what was seen."""
    for number in range(3):
        await _say(page.client, f"{number}", f"m{number}")

    by_address = await _replies(page.client, 1, after="2-0")
    by_header = await _replies(page.client, 2, after="0", **{"last-event-id": "1-0"})

    assert by_address == [("3-0", "echo: 2")]
    assert by_header == [("2-0", "echo: 1"), ("3-0", "echo: 2")]


async def test_the_session_tag_is_not_the_session(page: Desk) -> None:
    """The page's script can tell sessions apart, and knows none."""
    async with _stream(page.client) as events:
        _, _, first = await anext(events)
    async with _stream(page.client) as events:
        _, _, again = await anext(events)
    async with page.stranger() as other, _stream(other) as events:
        _, _, foreign = await anext(events)

    assert first["session"] == again["session"] != foreign["session"]
    assert str(first["session"]) not in page.client.cookies[COOKIE]


async def test_markup_arrives_as_text(page: Desk) -> None:
    """Scripts, line breaks and event-stream syntax in a text are only text."""
    text = "<script>alert(1)</script>\n\ndata: x\r\nevent: hello\u2028é😀"
    await _say(page.client, text)

    assert await _replies(page.client, 1) == [("1-0", f"echo: {text}")]


async def test_a_word_of_waiting_is_no_answer() -> None:
    """The page goes on waiting after it."""
    async with (
        desk(waiting_words=frozenset({"echo: wait"})) as page,
        asyncio.timeout(20),
        _stream(page.client) as events,
    ):
        await anext(events)
        await _say(page.client, "wait")

        assert await anext(events) == ("1-0", "reply", {"text": "echo: wait", "interim": True})


async def test_an_idle_stream_shows_that_it_lives() -> None:
    """Silence would look like a dead line."""
    async with desk(ping=timedelta(milliseconds=20)) as page, asyncio.timeout(20), _stream(page.client) as events:
        names = [(await anext(events))[1] for _ in range(3)]

    assert names == ["hello", "ping", "ping"]


async def test_stopping_ends_open_streams() -> None:
    """A page left open does not hold up the stop until the deadline cuts it."""
    async with desk() as page, asyncio.timeout(4), _stream(page.client) as events:
        await anext(events)
        page.stop.set()

        assert [event async for event in events] == []


async def test_redis_away_when_posting(page: Desk) -> None:
    """Nothing is confirmed that is not stored; the same id is taken later."""
    page.gate.failures = 1

    refused = await _say(page.client, "hi")
    taken = await _say(page.client, "hi")

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    assert taken.status_code == 202


async def test_redis_away_when_reading() -> None:
    """A stream that loses Redis ends, so that the browser comes again with what it saw last."""
    async with desk(ping=timedelta(milliseconds=20)) as page, asyncio.timeout(20), _stream(page.client) as events:
        await anext(events)
        page.box.broken = True

        assert {name async for _, name, _ in events} <= {"ping"}


async def test_no_stream_without_the_box(page: Desk) -> None:
    """The browser hears 503 and not an empty stream."""
    page.box.broken = True

    response = await page.client.get("/chat/events")

    assert response.status_code == 503


@pytest.mark.parametrize("after", ["x", "-1", "1-", "1;2", "9" * 20, "1 OR 1"])
async def test_an_id_in_another_form(page: Desk, after: str) -> None:
    """What is no id never reaches Redis."""
    response = await page.client.get("/chat/events", params={"after": after})

    assert response.status_code == 400


async def test_newer_streams_replace_older_ones(page: Desk) -> None:
    """A session has a few streams; one more ends the oldest, which may hang on a dead line."""
    async with asyncio.timeout(20), _stream(page.client) as oldest, AsyncExitStack() as newer:
        await anext(oldest)
        # Kept in a list: a generator of lines that nobody holds closes its response.
        others = [await newer.enter_async_context(_stream(page.client)) for _ in range(stream.MAX_PER_SESSION)]
        greetings = [(await anext(other))[1] for other in others]

        assert [event async for event in oldest] == []

    assert greetings == ["hello"] * stream.MAX_PER_SESSION


async def test_streams_are_bounded(page: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is an open connection, so there is a last one; the place is free again once it ends."""
    monkeypatch.setattr(stream, "MAX_STREAMS", 1)

    async with asyncio.timeout(20), page.stranger() as other, page.stranger() as third:
        async with _stream(page.client) as events:
            await anext(events)
            refused = await other.get("/chat/events")
        while (response := await third.send(third.build_request("GET", "/chat/events"), stream=True)).is_error:
            await response.aclose()
        await response.aclose()

    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert response.status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 50_000, b"\xff", b'{"id": "a"}', b'{"id": "a/b", "text": "hi"}'])
async def test_garbage(page: Desk, body: bytes) -> None:
    """What is no message is a 400, is counted, and reaches no mailbox."""
    response = await page.client.post("/chat", content=body, headers={"content-type": "application/json"})

    assert response.status_code == 400
    assert page.gate.incoming == []
    labels = {"platform": "web", "accepted": "malformed"}
    assert page.registry.get_sample_value("frontdesk_received_total", labels) == 1


async def test_too_long(page: Desk) -> None:
    """A text far over any question is refused as too large, so that the page can say so."""
    response = await _say(page.client, "x" * (MAX_TEXT_CHARS + 1))

    assert response.status_code == 413
    assert page.gate.incoming == []


async def test_a_form_cannot_post(page: Desk) -> None:
    """A form of another site can send text/plain, which is not taken."""
    response = await page.client.post(
        "/chat", content=b'{"id": "a", "text": "hi"}', headers={"content-type": "text/plain"}
    )

    assert response.status_code == 415
    assert page.gate.incoming == []

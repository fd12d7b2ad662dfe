"""The chat page's requests and the HTTP server itself, given everything but what they expect."""

from __future__ import annotations

import asyncio
import io
import re
from urllib.parse import urlsplit

import pytest
from hypothesis import strategies as st

from adapters.telegram.webhook import PATH, SECRET_HEADER
from tests.garbage.hostile import CANARY, bodies, generated, in_batches
from tests.garbage.house import WEBHOOK_SECRET, House, opened_house
from tests.garbage.test_telegram import HOOK
from tests.process.page import PageVisitor

BATCH = 50
_SAMPLE = {"id": "sample", "text": f"What does {CANARY} cost?"}
_HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=60)
_TYPES = st.sampled_from(["application/json"] * 8 + ["application/json; charset=utf-16", "text/plain", "é"])


@pytest.mark.timeout(3600)
async def test_posts_to_the_chat_page() -> None:
    """Every body is stored or refused with a status and a word; each is counted, and neighbours are answered."""
    own_id = re.compile(rb'"id":"sample"')
    found = generated(st.tuples(bodies([_SAMPLE]), _TYPES, _HEADER, _HEADER))
    async with opened_house() as house:
        expected = 0
        for number, batch in enumerate(in_batches(found, BATCH)):
            async with PageVisitor(house.bot.url) as visitor:
                jobs = [
                    _post(house, own_id.sub(b'"id":"%d"' % place, body), content_type, language, cookie)
                    for place, (body, content_type, language, cookie) in enumerate(batch)
                ]
                answer, *statuses = await asyncio.gather(visitor.ask(f"Neighbour {number}?"), *jobs)
            assert answer == f"You said: Neighbour {number}?"
            assert set(statuses) <= {202, 400, 413, 415}
            expected += 1 + len(batch)
        counts = await house.counted("web", expected)
    assert counts.total() == expected
    house.assert_discreet("adapters.web.routes", malformed=counts["malformed"])


async def _post(house: House, body: bytes, content_type: str, language: str, cookie: str) -> int:
    headers = {"content-type": content_type, "accept-language": language, "cookie": f"frontdesk_session={cookie}"}
    async with house.http.post(f"{house.bot.url}/chat", data=io.BytesIO(body), headers=headers) as response:
        assert await response.text()
        return response.status


@pytest.mark.timeout(3600)
async def test_streams_asked_for_in_odd_ways() -> None:
    """A place in the stream that is none is refused; one that is there is given, and the stream can be left."""
    asked = generated(st.tuples(_HEADER | st.from_regex(r"[0-9]{1,19}(-[0-9]{1,19})?", fullmatch=True), _HEADER))
    async with opened_house() as house:
        refused = 0
        for batch in in_batches(asked, BATCH):
            statuses = await asyncio.gather(*(_events(house, after, language) for after, language in batch))
            assert set(statuses) <= {200, 400}
            refused += statuses.count(400)
        async with PageVisitor(house.bot.url) as visitor:
            assert await visitor.ask("Still there?") == "You said: Still there?"
        counts = await house.counts("web")
    assert counts["malformed"] == refused
    house.assert_discreet("adapters.web.routes", malformed=refused)


async def _events(house: House, after: str, cookie: str) -> int:
    headers = {"last-event-id": after, "cookie": f"frontdesk_session={cookie}"}
    async with house.http.get(f"{house.bot.url}/chat/events", headers=headers) as response:
        return response.status


def _raw(line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join([line, b"Host: 127.0.0.1", *headers, b"", body])


_SECRET = f"{SECRET_HEADER}: {WEBHOOK_SECRET}".encode()
_JSON = b"content-type: application/json"
_POSTS = (f"POST {PATH} HTTP/1.1".encode(), b"POST /chat HTTP/1.1")
ODD_REQUESTS: tuple[tuple[bytes, int], ...] = (
    *((_raw(post, _SECRET, _JSON, b"content-length: -5"), 400) for post in _POSTS),
    *((_raw(post, _SECRET, _JSON, b"content-length: 5", b"content-length: 6"), 400) for post in _POSTS),
    *((_raw(post, _SECRET, _JSON, b"content-length: " + b"9" * 30), 400) for post in _POSTS),
    *((_raw(post, _SECRET, _JSON, b"content-length: 9" + b"9" * 5000), 400) for post in _POSTS),
    *((_raw(post, _SECRET, _JSON, b"transfer-encoding: chunked", body=b"zz\r\n"), 400) for post in _POSTS),
    *(
        (_raw(post, _SECRET, _JSON, b"transfer-encoding: chunked", body=b"f4241\r\n" + b"a" * 1_000_001), 413)
        for post in _POSTS
    ),
    (_raw(b"PUT /chat HTTP/1.1"), 405),
    (_raw(f"GET {PATH} HTTP/1.1".encode()), 405),
    (_raw(b"GET /chat/../../etc/passwd HTTP/1.1"), 404),
    (_raw(b"GET /%00%ff HTTP/1.1"), 404),
    (b"\x16\x03\x01\x02\x00" + b"\0" * 50, 400),
    (b"\0" * 10 + b"\r\n\r\n", 400),
)


async def test_requests_that_are_no_http() -> None:
    """Each is answered with a status at once; with a body cut off by its sender nothing happens."""
    async with opened_house(HOOK) as house:
        for request, expected in ODD_REQUESTS:
            assert (request[:80], await _status(house, request)) == (request[:80], expected)
        for post in _POSTS:
            await _status(house, _raw(post, _SECRET, _JSON, b"content-length: 100", body=b"{"), leave=True)
        for secret in ("", "x", "é", "0" * 10_000):
            headers = {SECRET_HEADER: secret} if secret else {}
            async with house.http.post(house.bot.url + PATH, data=b"{}", headers=headers) as response:
                assert response.status == 401
        await house.counted("telegram", 4)
        async with PageVisitor(house.bot.url) as visitor:
            assert await visitor.ask("Still there?") == "You said: Still there?"
        counts = await house.counts("telegram")
    assert counts["unproven"] == 4
    assert "Traceback" not in house.said
    assert [line for line in house.lines() if line["level"] == "error"] == []


async def _status(house: House, request: bytes, *, leave: bool = False) -> int:
    address = urlsplit(house.bot.url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(request)
        await writer.drain()
        if leave:
            return 0
        async with asyncio.timeout(30):
            return int((await reader.readline()).split(b" ")[1])
    except ConnectionError:
        return -1
    finally:
        writer.close()

"""Who sends slowly, or not to the end, holds no connection for long; who sends a lot is refused with a word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot import request_body
from bot.http import server
from bot.request_body import MOST_BYTES, BodyRefused, body_of
from tests.adapters.web.fakes import running

HEAD = b"POST /in HTTP/1.1\r\nHost: here\r\n"


async def _take(request: Request) -> Response:
    try:
        body = await body_of(request)
    except BodyRefused as refused:
        return PlainTextResponse(str(refused), status_code=refused.status)
    return PlainTextResponse(f"{len(body)} bytes")


@asynccontextmanager
async def _connected() -> AsyncIterator[Callable[[], object]]:
    stop = asyncio.Event()
    async with running([Route("/in", _take, methods=["POST"])], stop) as origin:
        yield lambda: asyncio.open_connection("127.0.0.1", int(origin.rpartition(":")[2]))


async def _drip(connect: Callable[[], object], head: bytes, drop: bytes) -> bytes:
    """Send a head and then a drop again and again, until the server ends the connection; what it said."""
    reader, writer = await connect()  # type: ignore[misc]
    said = bytearray()

    async def listen() -> None:
        with suppress(ConnectionError):
            while piece := await reader.read(1000):
                said.extend(piece)

    listening = asyncio.create_task(listen())
    writer.write(head)
    async with asyncio.timeout(30):
        while not listening.done():
            writer.write(drop)
            await asyncio.sleep(0.02)
    writer.close()
    return bytes(said)


async def test_a_head_that_does_not_come_ends_the_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether byte by byte or not at all; on a connection that has been answered before, too."""
    monkeypatch.setattr(server, "HEAD", timedelta(seconds=0.2))
    async with _connected() as connect:
        nothing = await _drip(connect, b"", b"")
        slowly = await _drip(connect, HEAD, b"x")
        again = await _drip(connect, HEAD + b"content-length: 2\r\n\r\nab" + HEAD, b"x")

    assert (nothing, slowly) == (b"", b"")
    assert again.endswith(b"2 bytes")


async def test_a_body_that_does_not_come_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """With 408, and who goes on dripping is cut off."""
    monkeypatch.setattr(server, "HEAD", timedelta(seconds=0.2))
    monkeypatch.setattr(request_body, "WITHIN", timedelta(seconds=0.2))
    async with _connected() as connect:
        announced = await _drip(connect, HEAD + b"content-length: 900000\r\n\r\n", b"x")
        chunked = await _drip(connect, HEAD + b"transfer-encoding: chunked\r\n\r\n", b"1\r\nx\r\n")

    assert b" 408 " in announced.partition(b"\r\n")[0]
    assert b" 408 " in chunked.partition(b"\r\n")[0]


async def test_a_body_that_is_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Announced or not, before all of it has come; one that just fits is taken."""
    monkeypatch.setattr(server, "HEAD", timedelta(seconds=0.5))
    size = b"content-length: %d\r\n\r\n"
    async with _connected() as connect:
        fits = await _drip(connect, HEAD + b"connection: close\r\n" + size % MOST_BYTES + b"x" * MOST_BYTES, b"")
        announced = await _drip(connect, HEAD + size % (MOST_BYTES + 1), b"x")
        chunked = await _drip(
            connect, HEAD + b"transfer-encoding: chunked\r\n\r\n", b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
        )

    assert fits.endswith(f"{MOST_BYTES} bytes".encode())
    assert b" 413 " in announced.partition(b"\r\n")[0]
    assert b" 413 " in chunked.partition(b"\r\n")[0]


async def test_a_body_that_is_cut_off_is_no_failure_of_ours(caplog: pytest.LogCaptureFixture) -> None:
    """Nothing is logged but by who reads it, and others are served."""
    async with _connected() as connect:
        _, writer = await connect()  # type: ignore[misc]
        writer.write(HEAD + b"content-length: 10\r\n\r\nx")
        await writer.drain()
        writer.close()
        fits = await _drip(connect, HEAD + b"connection: close\r\ncontent-length: 1\r\n\r\nx", b"")

    assert fits.endswith(b"1 bytes")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []

"""The chat page's HTTP side: the page itself, `POST /chat`, and `GET /chat/events`.

It stores what a person posts and hands out what waits for them; it knows nothing of answers. A post is confirmed
only once it is stored; without that the page sends the same id again, for less than an hour: it is stored once.
"""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import UTC, datetime, timedelta

from pydantic import SecretStr
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from adapters.web.guard import Guard, allowed_hosts, is_loopback
from adapters.web.page import Page, load
from adapters.web.parse import MAX_TEXT_CHARS, parse, read_post
from adapters.web.session import keep, session_of
from adapters.web.stream import PING, Streams
from bot.errors import MalformedEvent, StartError, StoreUnavailable
from bot.ports import Gate, Meter, PageBox
from bot.request_body import BodyRefused, body_of

PUT_DEADLINE = timedelta(seconds=10)
_log = logging.getLogger(__name__)
_SENT_ID = re.compile(r"[0-9]{1,19}(-[0-9]{1,19})?")


def routes(
    gate: Gate,
    box: PageBox,
    meter: Meter,
    *,
    stop: asyncio.Event,
    host: str,
    token: SecretStr | None = None,
    name: str = "Front Desk",
    waiting_words: frozenset[str] = frozenset(),
    ping: timedelta = PING,
) -> list[BaseRoute]:
    """The page's routes, guarded.

    Args:
        gate: where messages are handed in.
        box: where replies are fetched.
        meter: counts what is posted.
        stop: ends open streams.
        host: what the server is bound to; names a request may call us by follow from it.
        token: needed unless `host` is loopback.
        name: the bot's name, shown on the page.
        waiting_words: texts that only say that an answer takes longer, in all languages.
        ping: silence after which an open page hears that the line is alive.

    Raises:
        StartError: `host` can be reached from other machines and there is no token.
    """
    if token is None and not is_loopback(host):
        raise StartError(f"the chat page on {host} needs a token: set FRONTDESK_WEB_TOKEN or web.enabled: false")
    page, login = load("page.html", name=name), load("login.html", name=name)
    hosts = allowed_hosts(host, has_token=token is not None)
    guard = Middleware(Guard, hosts=hosts, token=token, login=login, policy=page.policy)
    chat = _Chat(gate, meter, page, Streams(box, stop, waiting_words=waiting_words, ping=ping))
    return [
        Route("/", chat.show, middleware=[guard]),
        Route("/chat", chat.post, methods=["POST"], middleware=[guard]),
        Route("/chat/events", chat.events, middleware=[guard]),
    ]


class _Chat:
    """The three endpoints."""

    def __init__(self, gate: Gate, meter: Meter, page: Page, streams: Streams) -> None:
        self._gate = gate
        self._meter = meter
        self._page = page
        self._streams = streams

    async def show(self, _request: Request) -> Response:
        return HTMLResponse(self._page.html)

    async def post(self, request: Request) -> Response:
        # A form of another site can post text/plain without asking; JSON it cannot.
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return self._malformed(415, "send application/json")
        session = session_of(request)
        try:
            client_id, text = read_post(await body_of(request))
            if len(text) > MAX_TEXT_CHARS:
                return self._malformed(413, f"the text is longer than {MAX_TEXT_CHARS} characters")
            locale = request.headers.get("accept-language")
            incoming = parse(session=session, message_id=client_id, text=text, locale=locale, now=datetime.now(UTC))
        except BodyRefused as exc:
            return self._malformed(exc.status, str(exc))
        except MalformedEvent as exc:
            return self._malformed(400, str(exc))
        try:
            async with asyncio.timeout(PUT_DEADLINE.total_seconds()):
                accepted = await self._gate.put(incoming)
        except (StoreUnavailable, TimeoutError):
            self._meter.received("web", "unstored")
            return _away()
        self._meter.received("web", accepted)
        response = JSONResponse({"accepted": accepted}, status_code=202)
        keep(response, session, request)
        return response

    def _malformed(self, status: int, why: str) -> Response:
        self._meter.received("web", "malformed")
        _log.warning("web: a request could not be read: %s", why)
        return _error(status, why)

    async def events(self, request: Request) -> Response:
        # A browser that reconnects says itself what it saw last; the address is then the older word.
        after = request.headers.get("last-event-id") or request.query_params.get("after", "0")
        if not _SENT_ID.fullmatch(after):
            return self._malformed(400, "after must be the id of a message")
        if self._streams.full:
            return _error(503, "too many open pages", retry_after_s=5)
        session = session_of(request)
        try:
            messages = await self._streams.first(session, after)
        except StoreUnavailable:
            return _away()
        response = StreamingResponse(
            self._streams.events(session, after, messages),
            media_type="text/event-stream",
            headers={"x-accel-buffering": "no"},  # nginx would hold small events back
        )
        keep(response, session, request)
        return response


def _away() -> Response:
    return _error(503, "not stored; send it again", retry_after_s=1)


def _error(status: int, what: str, *, retry_after_s: int | None = None) -> Response:
    headers = {"retry-after": str(retry_after_s)} if retry_after_s is not None else None
    return JSONResponse({"error": what}, status_code=status, headers=headers)

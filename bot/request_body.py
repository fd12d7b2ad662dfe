"""The body of a request, as much of it as we take and as long as we wait: for every route that takes one."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from starlette.requests import ClientDisconnect, Request

from bot.errors import MalformedEvent

MOST_BYTES = 1_000_000
"""Far above any event; nothing here takes files."""
WITHIN = timedelta(seconds=10)
"""Who sends more slowly holds a connection for nothing. Slack gives up after 3 s."""


class BodyRefused(MalformedEvent):
    """The body was not read to its end; `status` is what the caller is answered."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.status = status


async def body_of(request: Request) -> bytes:
    """The whole body.

    Raises:
        BodyRefused: it is too large (413), too slow (408), or was cut off (400).
    """
    # Asked first, since the application cuts a longer one off before we could count it.
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > MOST_BYTES:
        raise BodyRefused("a body that is too large", 413)
    body = bytearray()
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MOST_BYTES:
                    raise BodyRefused("a body that is too large", 413)
    except TimeoutError as error:
        raise BodyRefused("a body that does not come", 408) from error
    except ClientDisconnect as error:
        raise BodyRefused("a body that was cut off", 400) from error
    return bytes(body)

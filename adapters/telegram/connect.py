"""The connection to the Bot API, shared by the receiver and the messenger.

Nothing is asked of the network here: a worker can start while Telegram is away. python-telegram-bot's own
`initialize` is not used, since it calls getMe and puts the token into its error.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from telegram import Bot
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from bot.lenient_json import loads

CONNECT_TIMEOUT_S = 5.0
"""A host that does not take a connection in that time is away; the send then counts as not made."""
READ_TIMEOUT_S = 8.0
"""Telegram answers a send within a second. Longer would keep a worker's lease busy: see `send.DEADLINE`."""
POOL_TIMEOUT_S = 2.0
"""With a connection for every concurrent send nobody waits; more means that Telegram hangs."""
CONNECTIONS = 96
"""64 concurrent sends (`workers.concurrency`) and their typing indicators."""

_WOULD_LEAK = ("httpx", "httpcore")
"""They log the URL of every request, and the URL holds the token."""
_WOULD_TELL = ("telegram.Bot", "telegram.request.BaseRequest", "telegram.request.HTTPXRequest")
"""Below ERROR they log parameters and answers, and for a broken answer all of it: people's words."""


@asynccontextmanager
async def telegram_bot(*, token: str, api_url: str) -> AsyncIterator[Bot]:
    """A bot for sending and polling, its connections closed at the end.

    Args:
        token: of the bot.
        api_url: of the Bot API, without `/bot<token>`.
    """
    keep_secrets_out_of_logs()
    # Opts into the library's coming type of `retry_after`; without it every 429 is also a deprecation warning.
    os.environ.setdefault("PTB_TIMEDELTA", "true")
    send = HTTPXRequest(
        connection_pool_size=CONNECTIONS,
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        write_timeout=CONNECT_TIMEOUT_S,
        pool_timeout=POOL_TIMEOUT_S,
    )
    # The poll's read timeout is given per call: it depends on how long Telegram is asked to wait. Its second
    # connection lets a new poll start while one that was just cancelled is still being closed.
    poll = _PollRequest(connection_pool_size=2, connect_timeout=CONNECT_TIMEOUT_S, pool_timeout=POOL_TIMEOUT_S)
    base = api_url.rstrip("/")
    try:
        yield Bot(token, f"{base}/bot", f"{base}/file/bot", request=send, get_updates_request=poll)
    finally:
        await send.shutdown()
        await poll.shutdown()


class _PollRequest(HTTPXRequest):
    """Reads what Telegram answers; the library's own way of it fails for a whole batch."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, object]:
        try:
            answer = loads(payload.decode("utf-8", "replace"))
        except ValueError as error:
            raise TelegramError("Invalid server response") from error
        if not isinstance(answer, dict):
            raise TelegramError("Invalid server response")
        return answer


def keep_secrets_out_of_logs() -> None:
    """Raise the level of the loggers of libraries that would write the token or people's words."""
    for name in _WOULD_LEAK:
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _WOULD_TELL:
        logging.getLogger(name).setLevel(logging.CRITICAL)

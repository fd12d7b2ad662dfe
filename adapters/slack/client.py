"""The one Web API client of the Slack adapter, over one pooled HTTP session.

Retry handlers are off: the default one posts a message again after a dropped connection, and who may send twice is
decided by delivery, which looks for the first post before. The client's own deadline does not apply to a given
session, so the session carries one. The library logs whole payloads at DEBUG: its logger is kept above that.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from aiohttp import ClientSession, ClientTimeout
from slack_sdk.web.async_client import AsyncWebClient

API_URL = "https://slack.com/api/"
_CONNECT_S = 5.0


@asynccontextmanager
async def slack_client(
    *, bot_token: str, api_url: str = API_URL, call_timeout: timedelta = timedelta(seconds=10)
) -> AsyncIterator[AsyncWebClient]:
    """A client whose session is closed at the end; must be entered inside the event loop.

    Args:
        bot_token: `xoxb-…`.
        api_url: another server for tests.
        call_timeout: of one whole call, the wait for a free connection included.
    """
    async with ClientSession(
        timeout=ClientTimeout(total=call_timeout.total_seconds(), sock_connect=_CONNECT_S)
    ) as session:
        yield AsyncWebClient(
            token=bot_token, base_url=api_url, session=session, retry_handlers=[], logger=library_logger()
        )


def library_logger() -> logging.Logger:
    """A logger for the Slack libraries that never prints what people write, whatever level the operator sets."""
    logger = logging.getLogger("adapters.slack.sdk")
    logger.setLevel(logging.ERROR)
    return logger

"""Telegram's updates by webhook: Telegram calls us, and is answered 200 only when the message is stored.

Until then it keeps the update and brings it again, for up to 24 hours; those of one chat come one after another
(https://core.telegram.org/bots/api#setwebhook). Any number of gateways may listen behind one address.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response
from telegram import Bot

from adapters.telegram.parse import KINDS, Me
from adapters.telegram.receive import ANSWER_S, TelegramReceiver, unless_stopped
from bot.errors import StoreUnavailable
from bot.ports import Gate, Meter

PATH = "/telegram/webhook"
MOST_BODY_BYTES = 1024 * 1024
"""An update is a few KB."""
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - the name of a header
_PUT_S = 10.0
"""Telegram waits longer for an answer, and repeats the update when there is none."""

log = logging.getLogger(__name__)


class TelegramWebhook(TelegramReceiver):
    """Receives through `handle`, once Telegram has been told where we are.

    Args:
        bot: from `adapters.telegram.connect.telegram_bot`.
        gate: where messages are stored before they are acknowledged.
        meter: counts what came.
        url: the public address of this server, https; the path is ours.
        secret: Telegram sends it along with each update.
        commands: as for `TelegramReceiver`.
    """

    def __init__(
        self,
        bot: Bot,
        gate: Gate,
        meter: Meter,
        *,
        url: str,
        secret: str,
        commands: Mapping[str, Sequence[tuple[str, str]]] | None = None,
        first_backoff: timedelta = timedelta(seconds=1),
    ) -> None:
        super().__init__(bot, gate, meter, commands=commands, first_backoff=first_backoff)
        self._url = url.rstrip("/") + PATH
        self._secret = secret
        self._me: Me | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Tell Telegram where we are, until it has understood; then wait for `stop`. The webhook stays set."""
        while self._me is None and not stop.is_set():
            self._me = await self._attempt(lambda: unless_stopped(self._introduce(), stop), stop)
        if self._me is not None:
            self._works()
            await stop.wait()

    async def _listen(self) -> None:
        async with asyncio.timeout(2 * ANSWER_S):
            await self._bot.set_webhook(
                self._url, secret_token=self._secret, allowed_updates=KINDS, drop_pending_updates=False
            )

    async def handle(self, request: Request) -> Response:
        """Answer one update: 200 stored or nothing for us, 401 not Telegram's, 413 too large, 503 not stored."""
        given = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._secret.encode()):
            log.warning("telegram: a call of the webhook without its secret was refused")
            return Response(status_code=401)
        if self._me is None:
            return Response(status_code=503)
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > MOST_BODY_BYTES:
                return Response(status_code=413)
        try:
            update: object = json.loads(body)
        except (ValueError, RecursionError):
            update = None
        return Response(status_code=await self._take(update, self._me))

    async def _take(self, update: object, me: Me) -> int:
        incoming = self._read(update, me)
        if incoming is None:
            return 200
        try:
            async with asyncio.timeout(_PUT_S):
                accepted = await self._gate.put(incoming)
        except (StoreUnavailable, TimeoutError) as error:
            log.warning("telegram: %s was not stored and not acknowledged: %s", incoming.id, str(error) or "too slow")
            return 503
        self._meter.received("telegram", accepted)
        return 200

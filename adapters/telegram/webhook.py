"""Telegram's updates by webhook: Telegram calls us, and is answered 200 only when the message is stored.

Until then it keeps the update and brings it again, for up to 24 hours
(https://core.telegram.org/bots/api#getting-updates). No order is promised; Telegram's server, as published, keeps an
update that failed at the head of its queue and sends what stands behind it later (tdlib/telegram-bot-api,
WebhookActor.cpp). Any number of gateways may listen behind one address.

Whoever has the token can take the webhook away, and nothing tells us. So we ask now and then. One that was removed is
set again, at most once an hour for each gateway: whoever removes it more often means it. The address of another is left
to it, since two deployments that take the bot from each other in turns would both lose people's questions.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from starlette.requests import Request
from starlette.responses import Response
from telegram import Bot, WebhookInfo

from adapters.telegram.parse import KINDS, Me
from adapters.telegram.receive import ANSWER_S, TelegramReceiver
from bot.errors import StoreUnavailable
from bot.lenient_json import loads
from bot.ports import Gate, Meter
from bot.request_body import BodyRefused, body_of
from bot.stopping import pause, unless_stopped

PATH = "/telegram/webhook"
SECRET_HEADER = "x-telegram-bot-api-secret-token"  # noqa: S105 - the name of a header
_CANNOT_BRING = "Telegram cannot bring its messages to telegram.webhook_url"
_PUT_S = 10.0
"""Telegram waits longer for an answer, and repeats the update when there is none."""
_AGAIN_S = 2
"""After a 503, by Retry-After, in whole seconds. Without it Telegram waits twice as long each time, up to one or two
minutes (`on_update_error` in the same WebhookActor.cpp), and people would wait on when all is well again."""

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
        first_backoff: wait after the first failure; doubles with each further one.
        check: between two questions whether the webhook is still ours and works.
        set_again: a webhook that was removed is set again once in this time, by each gateway for itself.
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
        check: timedelta = timedelta(minutes=1),
        set_again: timedelta = timedelta(hours=1),
    ) -> None:
        super().__init__(bot, gate, meter, commands=commands, first_backoff=first_backoff)
        self._url = url.rstrip("/") + PATH
        self._secret = secret
        self._me: Me | None = None
        self._check_every = check
        self._set_again_s = set_again.total_seconds()
        self._restored: float | None = None
        self._last_error: datetime | None = None
        self._pending = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Tell Telegram where we are, and see to it that it stays so, until `stop`. The webhook stays set."""
        while self._me is None and not stop.is_set():
            self._me = await self._attempt(lambda: unless_stopped(self._introduce(), stop), stop)
        if self._me is not None:
            self._works()
        while not stop.is_set():
            await pause(self._check_every, stop)
            await self._attempt(lambda: unless_stopped(self._check(), stop), stop)

    async def _listen(self) -> None:
        async with asyncio.timeout(2 * ANSWER_S):
            await self._bot.set_webhook(
                self._url, secret_token=self._secret, allowed_updates=KINDS, drop_pending_updates=False
            )
            self._last_error = (await self._bot.get_webhook_info()).last_error_date

    # --- is it still ours? -------------------------------------------------------------------------------------------

    async def _check(self) -> None:
        async with asyncio.timeout(2 * ANSWER_S):
            info = await self._bot.get_webhook_info()
        self._heard = time.monotonic()
        if not info.url and self._may_set_again():
            log.warning("telegram: the webhook was removed by another process; it is set again")
            self._meter.reconnected("telegram", "webhook_gone")
            await self._listen()
            self._works()
            return
        problem = self._trouble(info)
        self._last_error, self._pending = info.last_error_date, info.pending_update_count
        if problem is None:
            self._works()
            return
        if problem != self._problem:
            log.error("telegram: no messages are received: %s", problem)
            self._meter.reconnected("telegram", "conflict" if info.url != self._url else "refused")
        self._problem = problem

    def _may_set_again(self) -> bool:
        now = time.monotonic()
        may = self._restored is None or now - self._restored > self._set_again_s
        self._restored = now if may else self._restored
        return may

    def _trouble(self, info: WebhookInfo) -> str | None:
        """What is wrong with the webhook, in words for the operator."""
        if not info.url:
            return "the webhook was removed again by another process with this token; stop it, then restart this one"
        if info.url != self._url:
            return "the webhook leads to another deployment with this token; stop it, then restart this one"
        failed = info.last_error_date != self._last_error
        # Telegram tries ever more seldom: without a new error things are better only if fewer messages wait.
        known = self._problem is not None and self._problem.startswith(_CANNOT_BRING)
        stuck = known and info.pending_update_count >= self._pending
        if info.pending_update_count and (failed or stuck):
            return f"{_CANNOT_BRING}: {(info.last_error_message or '')[:200]}"
        return None

    # --- what comes --------------------------------------------------------------------------------------------------

    async def handle(self, request: Request) -> Response:
        """Answer one update: 200 stored or none of ours, 401 unproven, 503 not stored, 4xx cannot be read."""
        given = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(given.encode("utf-8", "replace"), self._secret.encode()):
            self._meter.received("telegram", "unproven")
            log.warning("telegram: a call of the webhook without its secret was refused")
            return Response(status_code=401)
        if self._me is None:
            return _response(503)
        self._heard = time.monotonic()
        try:
            body = await body_of(request)
        except BodyRefused as refused:
            self._meter.received("telegram", "malformed")
            log.warning("telegram: %s came to the webhook and was refused", refused)
            return Response(status_code=refused.status)
        try:
            update = loads(body.decode())
        except ValueError:
            update = None
        return _response(await self._take(update, self._me))

    async def _take(self, update: object, me: Me) -> int:
        incoming = self._read(update, me)
        if incoming is None:
            return 200
        try:
            async with asyncio.timeout(_PUT_S):
                accepted = await self._gate.put(incoming)
        except (StoreUnavailable, TimeoutError) as error:
            away = error if isinstance(error, StoreUnavailable) else StoreUnavailable("too slow")
            self._meter.received("telegram", "unstored")
            log.warning("telegram: %s was not stored and not acknowledged: %s", incoming.id, away)
            return 503
        self._meter.received("telegram", accepted)
        return 200


def _response(status: int) -> Response:
    return Response(status_code=status, headers={"Retry-After": str(_AGAIN_S)} if status == 503 else None)

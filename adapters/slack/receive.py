"""Slack's inbound side in its two modes, each a `bot.ports.Receiver`.

Both hand payloads to the same `Intake`; here is only what differs: a WebSocket that we open, or an HTTP endpoint that
Slack calls and whose requests prove themselves by a signature over the raw bytes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from datetime import timedelta
from urllib.parse import parse_qsl

from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import Response

from adapters.slack.intake import Intake
from adapters.slack.socket import Patience, SocketMode
from bot.lenient_json import loads
from bot.ports import Gate, Meter
from bot.request_body import BodyRefused, body_of

CHECK = timedelta(minutes=1)
_UNFIT = 3
_UNFIT_FOR_S = 600.0
"""So many requests whose signature does not fit, and none since whose does, are an alarm: a wrong secret or clock. It
ends so long after the last one: a stranger may have sent them, where nobody else writes."""
_OLDEST_S = 300
"""Of a signature, for the library that verifies it."""

_log = logging.getLogger(__name__)


class SlackSocketReceiver:
    """Receives over Socket Mode.

    Args:
        client: from `adapters.slack.client.slack_client`.
        app_token: `xapp-…`.
        gate: where messages are stored before they are acknowledged.
        meter: counts what came.
        patience: when a connection is given up.
        check: between two questions whether the bot's token is still taken.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        *,
        app_token: str,
        gate: Gate,
        meter: Meter,
        patience: Patience | None = None,
        check: timedelta = CHECK,
    ) -> None:
        self._intake = Intake(client, gate=gate, meter=meter, check=check)
        self._socket = SocketMode(
            client, app_token=app_token, take=self._intake.take, meter=meter, patience=patience or Patience()
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Receive until `stop`; reconnects by itself."""
        if await self._intake.identify(stop):
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._socket.run(stop), name="slack - sockets")
                tasks.create_task(self._intake.watch(stop), name="slack - watch the token")

    def not_ready(self) -> str | None:
        """Why messages cannot reach us now; None when they can."""
        return self._intake.reason or self._socket.reason

    def receives(self) -> bool:
        """Whether they can."""
        return self.not_ready() is None

    def silence(self) -> timedelta | None:
        """How long no frame at all has come; None if none ever has."""
        return self._socket.silence


class SlackHttpReceiver:
    """Receives signed HTTP requests: mount `handle` for POST /slack/events.

    Args:
        client: from `adapters.slack.client.slack_client`.
        signing_secret: of the app.
        gate: where messages are stored before they are acknowledged.
        meter: counts what came.
        check: as for `SlackSocketReceiver`.
    """

    def __init__(
        self, client: AsyncWebClient, *, signing_secret: str, gate: Gate, meter: Meter, check: timedelta = CHECK
    ) -> None:
        self._intake = Intake(client, gate=gate, meter=meter, check=check)
        self._meter = meter
        self._verifier = SignatureVerifier(signing_secret)
        self._heard: float | None = None
        self._unfit = 0
        self._unfit_at = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Ask who we are, and then whether that still holds, until `stop`: the messages come through `handle`."""
        if await self._intake.identify(stop):
            await self._intake.watch(stop)

    def not_ready(self) -> str | None:
        """Why messages cannot reach us now; None when they can."""
        if self._unfit >= _UNFIT and time.monotonic() - self._unfit_at < _UNFIT_FOR_S:
            return "requests come whose signature does not fit SLACK_SIGNING_SECRET and this machine's clock"
        return self._intake.reason

    def receives(self) -> bool:
        """Whether they can."""
        return self.not_ready() is None

    def silence(self) -> timedelta | None:
        """How long no signed request has come; None if none ever has."""
        return None if self._heard is None else timedelta(seconds=time.monotonic() - self._heard)

    async def handle(self, request: Request) -> Response:
        """Answer one request: 200 stored or none of ours, 401 unproven, 503 not stored, 4xx cannot be read."""
        try:
            body = await body_of(request)
        except BodyRefused as refused:
            self._intake.malformed(str(refused))
            return Response(status_code=refused.status)
        if not self._is_signed(request, body):
            self._meter.received("slack", "unproven")
            if "x-slack-signature" in request.headers:
                self._unfit, self._unfit_at = self._unfit + 1, time.monotonic()
            _log.warning("slack: a request without a valid signature was refused%s", _by_the_clock(request))
            return Response(status_code=401)
        self._heard = time.monotonic()
        self._unfit = 0
        payload = _payload(body, request.headers.get("content-type", ""))
        # These two come before the app is installed anywhere, so they need no identity.
        if isinstance(payload, dict) and payload.get("type") == "url_verification":
            return _json({"challenge": str(payload.get("challenge", ""))})
        if isinstance(payload, dict) and "ssl_check" in payload:
            return Response(status_code=200)
        return _response(await self._intake.take(payload))

    def _is_signed(self, request: Request, body: bytes) -> bool:
        timestamp = request.headers.get("x-slack-request-timestamp", "")
        signature = request.headers.get("x-slack-signature", "")
        # The library fails on other than digits and on other than ASCII instead of saying no.
        if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= len("9999999999")):
            return False
        if not signature.isascii():
            return False
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return False
        return self._verifier.is_valid(text, timestamp, signature)


def _by_the_clock(request: Request) -> str:
    """A hint for the log where the time of a signature is what is wrong: then all requests are refused."""
    timestamp = request.headers.get("x-slack-request-timestamp", "")
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= len("9999999999")):
        return ""
    off_s = time.time() - int(timestamp)
    if abs(off_s) <= _OLDEST_S:
        return ""
    return f": by this machine's clock it was signed {abs(off_s):.0f} s {'ago' if off_s > 0 else 'ahead'}"


def _payload(body: bytes, content_type: str) -> object:
    """Events come as JSON, slash commands as a form, interactions as JSON in the field `payload` of a form.

    Read here and not by Bolt, which takes any form with the word "payload" in a value for an interaction.
    """
    try:
        if content_type.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded":
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            return loads(form["payload"]) if "payload" in form else form
        return loads(body.decode())
    except ValueError:
        return None


def _json(record: dict[str, str]) -> Response:
    return Response(json.dumps(record), media_type="application/json")


def _response(answer: BoltResponse) -> Response:
    return Response(answer.body, status_code=answer.status)

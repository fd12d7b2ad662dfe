"""Signed HTTP events, as Slack posts them to an app's endpoint, and the ways in which a request can be wrong."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import time
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from aiohttp import ClientSession, ClientTimeout

from tests.servers.slack_workspace import Json

Signing = Literal[
    "valid", "wrong secret", "no signature", "not ascii", "stale", "future", "non-numeric", "no timestamp"
]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the endpoint said."""

    status: int
    text: str
    content_type: str


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """The value of X-Slack-Signature."""
    base = b"v0:" + timestamp.encode() + b":" + body
    return "v0=" + hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()


def signed_headers(secret: str, body: bytes, signing: Signing = "valid") -> dict[str, str]:
    """Headers for a body, right or wrong in the way asked for."""
    now = int(time.time())
    timestamps = {"stale": str(now - 301), "future": str(now + 301), "non-numeric": "soon"}
    timestamp = timestamps.get(signing, str(now))
    headers = {"X-Slack-Request-Timestamp": timestamp}
    if signing == "no timestamp":
        headers = {}
    if signing == "not ascii":
        return headers | {"X-Slack-Signature": "v0=é"}
    if signing != "no signature":
        secret = "another" if signing == "wrong secret" else secret
        headers["X-Slack-Signature"] = signature(secret, timestamp, body)
    return headers


def encoded(payload: Json, *, form: bool) -> tuple[bytes, str]:
    """Body and content type: JSON for events, a form for slash commands."""
    if form:
        return urlencode(payload).encode(), "application/x-www-form-urlencoded"
    return json.dumps(payload).encode(), "application/json"


async def post(
    url: str,
    secret: str,
    body: bytes,
    content_type: str,
    *,
    signing: Signing = "valid",
    retry: tuple[int, str] | None = None,
    timeout_s: float = 3.0,
) -> Answer:
    """Post a body to the endpoint as Slack does.

    Raises:
        ClientError, TimeoutError: no answer.
    """
    headers = signed_headers(secret, body, signing) | {"Content-Type": content_type}
    if retry is not None:
        headers |= {"X-Slack-Retry-Num": str(retry[0]), "X-Slack-Retry-Reason": retry[1]}
    async with (
        ClientSession(timeout=ClientTimeout(total=timeout_s)) as session,
        session.post(url, data=io.BytesIO(body), headers=headers) as response,
    ):
        return Answer(status=response.status, text=await response.text(), content_type=response.content_type)

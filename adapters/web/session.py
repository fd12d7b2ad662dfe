"""Who is at the page: a random 128-bit id in a cookie that scripts and other sites never see.

The id is not looked up anywhere: whoever holds it is the session. It is given out by the answers to the page's own
requests and not with the page itself: the page may be opened by a link on another site, and then the browser keeps
a `SameSite=Strict` cookie back, so that handing out one there would throw away the conversation the person has.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import timedelta

from starlette.requests import Request
from starlette.responses import Response

COOKIE = "frontdesk_session"
LIFETIME = timedelta(days=7)
"""Longer than any history lives; after it the person is a stranger again."""

_SESSION = re.compile(r"[0-9a-f]{32}")


def session_of(request: Request) -> str:
    """The session that the request belongs to; a new one if it brings none in the right form."""
    found = request.cookies.get(COOKIE, "")
    return found if _SESSION.fullmatch(found) else secrets.token_hex(16)


def keep(response: Response, session: str, request: Request) -> None:
    """Give the session's cookie with a response, or prolong it."""
    response.set_cookie(
        COOKIE,
        session,
        max_age=int(LIFETIME.total_seconds()),
        path="/",
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def tag(session: str) -> str:
    """A name for the session that its page's script may know; the session cannot be had from it."""
    return hashlib.sha256(b"frontdesk page " + session.encode()).hexdigest()[:16]

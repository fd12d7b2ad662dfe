"""Who may use the chat page: its Host, its Origin, its token; and the headers that keep other sites out.

Host is checked against names we know, because a page of another site can point its own name at 127.0.0.1 and then
read what we answer (DNS rebinding). Origin is checked on every POST, because any page can post. With a token
set, the page and what it calls need it: as `Authorization: Bearer`, or once as `?token=` in the address, which gives
a cookie and is redirected away. The cookie holds a keyed hash, never the token.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
from urllib.parse import urlsplit

from pydantic import SecretStr
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.web.page import Page

COOKIE = "frontdesk_access"
COOKIE_S = 30 * 24 * 3600

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[0-9a-z._-]+)(?::\d{1,5})?")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
_WILDCARDS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared with, not bound to


def is_loopback(host: str) -> bool:
    """Whether a server bound to `host` is reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def allowed_hosts(host: str, *, has_token: bool) -> frozenset[str] | None:
    """Names that a request may call us by, without port: those of loopback and the configured one.

    None allows every name: bound to all addresses nobody can list our names, and a token is then required, which a
    page under a rebound name does not have.
    """
    if host in _WILDCARDS and has_token:
        return None
    return _LOOPBACK | {f"[{host}]" if ":" in host else host.lower()}


class Guard:
    """ASGI middleware around the page's routes.

    Args:
        app: what it guards.
        hosts: see `allowed_hosts`.
        token: None where the page is open to whoever reaches it.
        login: shown to a browser that has no token yet.
        policy: the page's Content-Security-Policy.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: frozenset[str] | None, token: SecretStr | None, login: Page, policy: str
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token.get_secret_value().encode() if token is not None else None
        self._login = login
        self._policy = policy

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with a refusal; either way with the headers."""
        request = Request(scope)
        refusal = self._refusal(request)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._add_headers(MutableHeaders(scope=message))
            await send(message)

        await (refusal or self._app)(scope, receive, send_guarded)

    def _refusal(self, request: Request) -> Response | None:
        host = request.headers.get("host", "").lower()
        name = _HOST.fullmatch(host)
        if name is None or (self._hosts is not None and name[1] not in self._hosts):
            return JSONResponse({"error": "this server does not go by that name"}, status_code=421)
        if request.method == "POST" and not _same_origin(request, host):
            return JSONResponse({"error": "another site's page may not post here"}, status_code=403)
        if self._token is not None:
            return self._ask_token(request, self._token)
        return None

    def _ask_token(self, request: Request, token: bytes) -> Response | None:
        page = request.url.path == "/"
        offered = request.query_params.get("token") if page else None
        if _carries(request, token):
            # Signed in already, by a link that names the token again: it still must not stay in the address.
            return RedirectResponse("./", status_code=303) if offered is not None else None
        if offered is not None and hmac.compare_digest(offered.encode(), token):
            return _sign_in(request, token)
        if page:
            policy = {"content-security-policy": self._login.policy}
            return HTMLResponse(self._login.html, status_code=401, headers=policy)
        return JSONResponse({"error": "token needed"}, status_code=401, headers={"www-authenticate": "Bearer"})

    def _add_headers(self, headers: MutableHeaders) -> None:
        headers.setdefault("content-security-policy", self._policy)
        headers.setdefault("cache-control", "no-store")
        headers["x-frame-options"] = "DENY"
        headers["x-content-type-options"] = "nosniff"
        headers["referrer-policy"] = "no-referrer"
        headers["cross-origin-opener-policy"] = "same-origin"
        headers["cross-origin-resource-policy"] = "same-origin"


def _same_origin(request: Request, host: str) -> bool:
    """A browser names the origin of every POST; a program such as curl names none and has no cookies to abuse."""
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin.lower()).netloc == host


def _carries(request: Request, token: bytes) -> bool:
    scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
    # Header bytes come decoded as Latin-1, whatever they are; the token is compared as UTF-8 bytes.
    if scheme.lower() == "bearer" and hmac.compare_digest(bearer.strip().encode("latin-1"), token):
        return True
    return hmac.compare_digest(request.cookies.get(COOKIE, "").encode(), _cookie_value(token).encode())


def _cookie_value(token: bytes) -> str:
    return hmac.new(token, b"frontdesk page access", hashlib.sha256).hexdigest()


def _sign_in(request: Request, token: bytes) -> Response:
    response = RedirectResponse("./", status_code=303)
    # Lax, unlike the session: a link in a mail or a wiki must open the page for those who have signed in. What
    # changes anything is a POST, and those are checked by Origin.
    response.set_cookie(
        COOKIE,
        _cookie_value(token),
        max_age=COOKIE_S,
        path="/",
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response

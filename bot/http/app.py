"""The ASGI application: liveness, readiness, intake, metrics, and the routes that adapters bring.

It knows no platform and decides nothing. Whatever goes wrong inside, the caller learns a status and one word; the
traceback goes to the log. Request bodies are bounded here, once, for every route.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from bot.errors import StoreUnavailable
from bot.http.metrics import CONTENT_TYPE
from bot.request_body import MOST_BYTES

READY_DEADLINE = timedelta(seconds=3)
"""Shorter than a load balancer's usual 5 s, so that it reads a reason and not a timeout."""
NO_STORE = {"cache-control": "no-store"}

Readiness = Callable[[], Awaitable[list[str]]]


class MetricsPage(Protocol):
    """What `/metrics` shows."""

    async def render(self) -> bytes:
        """The page in Prometheus's text format."""
        ...


def build(*, ready: Readiness, takes: Readiness, metrics: MetricsPage, routes: Sequence[BaseRoute] = ()) -> Starlette:
    """The application.

    Args:
        ready: reasons why messages cannot be answered now; an empty list when they can.
        takes: reasons why no message can be taken now; a balancer routes elsewhere for these alone.
        metrics: the page of `/metrics`.
        routes: of the adapters; each guards its own (signatures, Host, token).
    """
    own = [
        Route("/healthz", _health),
        Route("/readyz", _readiness(ready)),
        Route("/acceptz", _readiness(takes)),
        Route("/metrics", _scrape(metrics)),
    ]
    app = Starlette(
        routes=[*own, *routes],
        exception_handlers={HTTPException: _refusal, Exception: _failure},
        max_body_size=MOST_BYTES,
    )
    # A redirect would repeat the Host header to whoever sent it; a path with a stray slash is simply unknown.
    app.router.redirect_slashes = False
    return app


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "alive"}, headers=NO_STORE)


def _readiness(ready: Readiness) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        reasons = await _reasons(ready)
        body = {"ready": not reasons, "reasons": reasons}
        return JSONResponse(body, status_code=503 if reasons else 200, headers=NO_STORE)

    return answer


async def _reasons(ready: Readiness) -> list[str]:
    try:
        async with asyncio.timeout(READY_DEADLINE.total_seconds()):
            return await ready()
    except TimeoutError:
        return [f"not known within {READY_DEADLINE.total_seconds():g} s"]
    except StoreUnavailable:
        return ["Redis does not answer"]


def _scrape(metrics: MetricsPage) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        return Response(await metrics.render(), headers={"content-type": CONTENT_TYPE, **NO_STORE})

    return answer


async def _refusal(_request: Request, exc: Exception) -> Response:
    status = exc.status_code if isinstance(exc, HTTPException) else 500
    detail = exc.detail if isinstance(exc, HTTPException) else "internal error"
    headers = dict(exc.headers or {}) if isinstance(exc, HTTPException) else {}
    return JSONResponse({"error": detail}, status_code=status, headers={**headers, **NO_STORE})


async def _failure(_request: Request, _exc: Exception) -> Response:
    return JSONResponse({"error": "internal error"}, status_code=500, headers=NO_STORE)

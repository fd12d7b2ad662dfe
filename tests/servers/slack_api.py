"""Slack's Web API of the test server: the methods our bot may call, as strict as the real ones.

Every call is recorded. Faults are queued per method and used up in order: an error code, a status, a rate limit,
a hang, a connection cut before or after the effect, or an odd answer.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from aiohttp import web
from slack_sdk.web.async_client import AsyncWebClient

from tests.servers.limits import Limits, slack_rules
from tests.servers.slack_workspace import Channel, Json, Workspace

MARKDOWN_LIMIT_CHARS = 12_000
TEXT_LIMIT_CHARS = 40_000


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with one call.

    Attributes:
        error: answer `ok: false` with this code.
        status: answer with this HTTP status and no JSON.
        retry_after_s: answer 429 with this header.
        cut: close the connection without an answer, before or after the effect.
        hang: never answer; `after` the effect or before it.
        body: answer with these bytes for JSON, after the effect.
    """

    error: str | None = None
    status: int | None = None
    retry_after_s: int | None = None
    cut: Literal["before", "after"] | None = None
    hang: Literal["before", "after"] | None = None
    body: bytes | None = None


@dataclass(frozen=True, kw_only=True)
class Call:
    """A call as it came."""

    method: str
    params: Json
    token: str


class ApiError(Exception):
    """A refusal: `ok: false` with a code."""


@cache
def known_parameters(method: str) -> frozenset[str]:
    """The parameters that the SDK's client knows for a method."""
    function = getattr(AsyncWebClient, method.replace(".", "_"))
    names = set(inspect.signature(function).parameters) - {"self", "kwargs"}
    # The library itself may add team_id, for apps installed for a whole organisation.
    return frozenset(names | {"token", "team_id"})


def _truth(value: object) -> bool:
    return value in {True, "1", "true"}


@dataclass(kw_only=True)
class WebApi:
    """The methods, over one workspace."""

    workspace: Workspace
    bot_token: str
    app_token: str
    socket_url: Callable[[], str]
    posted: Callable[[str, Json], None]
    calls: list[Call] = field(default_factory=list)
    statuses: list[Json] = field(default_factory=list)
    responses: list[Json] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=lambda: defaultdict(list))
    socket_mode_enabled: bool = True
    limits: Limits | None = None

    def routes(self) -> list[web.RouteDef]:
        """For the server's router."""
        return [
            web.post("/api/{method}", self.handle),
            web.get("/api/{method}", self.handle),
            web.post("/commands/{rest:.*}", self._response_url),
        ]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Read, record, fail if told to, act, answer."""
        method = request.match_info["method"]
        call = await self._read(method, request)
        self.calls.append(call)
        fault = self.faults[method].pop(0) if self.faults[method] else Fault()
        refusal = await self._break_before(request, fault) or self._limited(call)
        if refusal is not None:
            return refusal
        try:
            answer: Json = {"ok": True, **self._act(call)}
        except ApiError as error:
            answer = {"ok": False, "error": str(error)}
        if fault.hang == "after":
            await asyncio.Event().wait()
        if fault.cut == "after":
            return _cut(request)
        if fault.body is not None:
            return web.Response(body=fault.body, content_type="application/json")
        return web.json_response(answer)

    async def _read(self, method: str, request: web.Request) -> Call:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if request.method == "GET":
            params: Json = dict(request.query)
        elif request.content_type == "application/json":
            params = json.loads(await request.text())
        else:
            params = {k: str(v) for k, v in (await request.post()).items()} | dict(request.query)
        return Call(method=method, params=params, token=token or str(params.pop("token", "")))

    def _limited(self, call: Call) -> web.StreamResponse | None:
        channel = str(call.params.get("channel") or call.params.get("channel_id") or "")
        if self.limits is None or not channel:
            return None
        # Slack limits each method by itself: a channel is closed for posts.
        place = channel if call.method.startswith("chat.") else (call.method, channel)
        wait_s = self.limits.wait_s(place, slack_rules(call.method, channel))
        return None if wait_s is None else _rate_limited(wait_s)

    async def _break_before(self, request: web.Request, fault: Fault) -> web.StreamResponse | None:
        if fault.retry_after_s is not None:
            return _rate_limited(fault.retry_after_s)
        if fault.status is not None:
            return web.Response(text="<html>sorry</html>", status=fault.status, content_type="text/html")
        if fault.error is not None:
            return web.json_response({"ok": False, "error": fault.error})
        if fault.hang == "before":
            await asyncio.Event().wait()
        return _cut(request) if fault.cut == "before" else None

    def _act(self, call: Call) -> Json:
        methods: dict[str, Callable[[Json], Json]] = {
            "auth.test": self._auth_test,
            "apps.connections.open": self._connections_open,
            "chat.postMessage": self._post_message,
            "chat.postEphemeral": self._post_ephemeral,
            "chat.update": self._update,
            "conversations.open": self._open,
            "conversations.replies": self._replies,
            "conversations.history": self._history,
            "assistant.threads.setStatus": self._set_status,
        }
        if call.method not in methods:
            raise ApiError("unknown_method")
        self._check_token(call)
        parameters = {"app_token"} if call.method == "apps.connections.open" else set()
        if set(call.params) - known_parameters(call.method) - parameters:
            raise ApiError("invalid_arguments")
        return methods[call.method](call.params)

    def _check_token(self, call: Call) -> None:
        if not call.token:
            raise ApiError("not_authed")
        if call.token not in {self.bot_token, self.app_token}:
            raise ApiError("invalid_auth")
        if (call.token == self.app_token) != (call.method == "apps.connections.open"):
            raise ApiError("not_allowed_token_type")

    # --- methods ----------------------------------------------------------------------------------------------------

    def _auth_test(self, params: Json) -> Json:
        w = self.workspace
        names = {"url": "https://example.slack.com/", "team": "Example", "user": "frontdesk"}
        return names | {"team_id": w.team, "user_id": w.bot_user, "bot_id": w.bot_id, "is_enterprise_install": False}

    def _connections_open(self, params: Json) -> Json:
        if not self.socket_mode_enabled:
            raise ApiError("socket_mode_not_enabled")
        return {"url": self.socket_url()}

    def _post_message(self, params: Json) -> Json:
        channel = self._postable(params)
        text = _checked_text(params)
        message = self.workspace.bot_message(
            channel, text, thread=params.get("thread_ts"), metadata=_checked_metadata(params)
        )
        self.posted(channel.id, message)
        return {"channel": channel.id, "ts": message["ts"], "message": message}

    def _post_ephemeral(self, params: Json) -> Json:
        channel = self._postable(params)
        text = _checked_text(params)
        ts, root = self.workspace.new_ts(), params.get("thread_ts")
        # In a thread without a reply Slack answers "ok" and shows nothing (docs.slack.dev, chat.postEphemeral).
        if root is None or any(m.get("thread_ts") == root != m["ts"] for m in channel.messages):
            shown = {"user": params["user"], "text": text, "ts": ts}
            channel.ephemerals.append(shown | ({} if root is None else {"thread_ts": root}))
        return {"message_ts": ts}

    def _update(self, params: Json) -> Json:
        channel = self._postable(params)
        text = _checked_text(params)
        for message in channel.messages:
            if message["ts"] == params.get("ts"):
                if message.get("bot_id") != self.workspace.bot_id:
                    raise ApiError("cant_update_message")
                message["text"] = text
                shown = {k: v for k, v in message.items() if k not in {"ts", "thread_ts"}}
                return {"channel": channel.id, "ts": message["ts"], "text": text, "message": shown}
        raise ApiError("message_not_found")

    def _open(self, params: Json) -> Json:
        users = str(params.get("users") or "").split(",")
        if users == [""]:
            raise ApiError("users_list_not_supplied")
        channel = self.workspace.channel("D" + "".join(users), kind="im")
        return {"channel": {"id": channel.id}}

    def _replies(self, params: Json) -> Json:
        channel = self._readable(params)
        root = params.get("ts")
        thread = [m for m in channel.messages if root in {m["ts"], m.get("thread_ts")}]
        if not thread:
            raise ApiError("thread_not_found")
        return _page(thread, params)

    def _history(self, params: Json) -> Json:
        channel = self._readable(params)
        top = [m for m in channel.messages if m.get("thread_ts", m["ts"]) == m["ts"]]
        return _page(top[::-1], params)

    def _set_status(self, params: Json) -> Json:
        self._readable({"channel": params.get("channel_id")})
        if not params.get("thread_ts"):
            raise ApiError("invalid_thread_ts")
        self.statuses.append(dict(params))
        return {}

    async def _response_url(self, request: web.Request) -> web.Response:
        self.responses.append(json.loads(await request.text()))
        return web.Response(text="ok")

    def _readable(self, params: Json) -> Channel:
        channel = self.workspace.channels.get(str(params.get("channel")))
        if channel is None:
            raise ApiError("channel_not_found")
        return channel

    def _postable(self, params: Json) -> Channel:
        channel = self._readable(params)
        if channel.archived:
            raise ApiError("is_archived")
        if self.workspace.bot_user not in channel.members:
            raise ApiError("not_in_channel")
        return channel


def _checked_text(params: Json) -> str:
    if "markdown_text" in params:
        if "text" in params or "blocks" in params:
            raise ApiError("markdown_text_conflict")
        text = str(params["markdown_text"])
        limit_chars = MARKDOWN_LIMIT_CHARS
    else:
        text = str(params.get("text") or "")
        limit_chars = TEXT_LIMIT_CHARS
    if not text.strip() and not params.get("blocks"):
        raise ApiError("no_text")
    if len(text) > limit_chars:
        raise ApiError("msg_too_long")
    return text


def _checked_metadata(params: Json) -> Json | None:
    metadata: Any = params.get("metadata")
    if isinstance(metadata, str):
        metadata = json.loads(metadata)
    if metadata is not None and set(metadata) != {"event_type", "event_payload"}:
        raise ApiError("invalid_metadata_schema")
    return metadata if isinstance(metadata, dict) else None


def _page(messages: list[Json], params: Json) -> Json:
    """One page: `oldest` is exclusive unless inclusive, the cursor is an offset, metadata only when asked for."""
    oldest = str(params.get("oldest") or "0")
    inclusive = _truth(params.get("inclusive"))
    kept = [m for m in messages if m["ts"] > oldest or (inclusive and m["ts"] == oldest)]
    start = int(params.get("cursor") or 0)
    end = start + int(params.get("limit") or 100)
    hidden = set() if _truth(params.get("include_all_metadata")) else {"metadata"}
    page = [{k: v for k, v in m.items() if k not in hidden} for m in kept[start:end]]
    more = end < len(kept)
    return {"messages": page, "has_more": more, "response_metadata": {"next_cursor": str(end) if more else ""}}


def _rate_limited(wait_s: int) -> web.Response:
    headers = {"Retry-After": str(wait_s)}
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()

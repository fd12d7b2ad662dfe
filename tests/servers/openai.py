"""A strict OpenAI-compatible server on 127.0.0.1: chat completions, streamed or not, and embeddings.

    async with OpenAiServer() as server:
        server.reply("Hello")                      # from now on; or a function of the messages, async if it likes
        server.fail(Status(429, retry_after_s=0))  # the next chat request; several queue up
        model = ChatModel(base_url=server.base_url, api_key=server.key, ...)
        server.chats[-1]["messages"]               # what was asked

It runs on the caller's event loop. A request that the real service would refuse gets the same refusal and stands in
`violations`; leaving the `async with` with violations fails the test, so that no retry or fallback hides one. Where
FRONTDESK_SHARED names the folder of the published contracts, each body is checked against the schema too. It counts
tokens roughly and knows no model: with no reply set it says `You asked: ` and the last message's words.
"""

from __future__ import annotations

import asyncio
import base64
import functools
import hashlib
import json
import os
import struct
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from aiohttp import web

ChatMessages = list[dict[str, str]]
ReplyFunction = Callable[[ChatMessages], str | Awaitable[str]]
Body = dict[str, Any]


# --- faults: what goes wrong with one request -----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Status:
    """Refuse with an HTTP status and the API's error object, or a page of HTML as a proxy does."""

    status: int
    retry_after_s: float | str | None = None
    message: str = "scripted fault"
    code: str | None = None
    page: bool = False


@dataclass(frozen=True, slots=True)
class Hang:
    """Take the request and never answer, or say nothing more after so many chunks of text."""

    chunks: int | None = None


@dataclass(frozen=True, slots=True)
class _Break:
    """After so many chunks of text."""

    chunks: int = 1


class Cut(_Break):
    """Tear the connection; 0: before any byte of the answer."""


class Truncated(_Break):
    """End the stream cleanly, without a finish_reason or [DONE]."""


class Malformed(_Break):
    """Send a line that is no JSON."""


class ErrorChunk(_Break):
    """Send an error object inside a stream that began with 200."""


@dataclass(frozen=True, slots=True)
class Slow:
    """Answer well, with a pause before each chunk."""

    pause_s: float = 0.05


@dataclass(frozen=True, slots=True)
class Finish:
    """Answer with another finish_reason: `length`, `content_filter`."""

    reason: str = "length"


Fault = Status | Hang | Cut | Truncated | Malformed | ErrorChunk | Slow | Finish


# --- the contract ---------------------------------------------------------------------------------------------


@functools.cache
def validator(schema: str) -> Callable[[Body], list[str]] | None:
    """What is wrong with a body by the published schema; None where FRONTDESK_SHARED is not set."""
    shared = os.environ.get("FRONTDESK_SHARED")
    if not shared:
        return None
    import jsonschema  # type: ignore[import-untyped]  # ships no types; needed only where the specs are
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    document = json.loads(Path(shared, "specs/openai/openapi.json").read_text(encoding="utf-8"))
    registry: Registry[Any] = Registry().with_resource("spec:", DRAFT202012.create_resource(document))
    check = jsonschema.Draft202012Validator({"$ref": f"spec:#/components/schemas/{schema}"}, registry=registry)
    return lambda body: [f"{error.json_path}: {error.message[:200]}" for error in check.iter_errors(body)]


CHAT_KEYS = frozenset({"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"})
"""All that we send; another key would be news to some compatible server."""


def chat_problems(body: Body) -> list[str]:
    """What the strictest compatible server would refuse in a chat request."""
    problems = [f"unknown argument {key}" for key in sorted(body.keys() - CHAT_KEYS)]
    messages = body.get("messages")
    if not isinstance(body.get("model"), str) or not body["model"]:
        problems.append("model: missing")
    if not isinstance(messages, list) or not messages:
        return [*problems, "messages: missing or empty"]
    for at, message in enumerate(messages):
        if message.get("role") not in ("system", "user", "assistant"):
            problems.append(f"messages[{at}].role: {message.get('role')!r}")
        if not isinstance(message.get("content"), str) or not message["content"]:
            problems.append(f"messages[{at}].content: missing or empty")
    if messages[-1].get("role") != "user":
        problems.append("messages: the last one is not the user's")
    if "stream_options" in body and not body.get("stream"):
        problems.append("stream_options: only allowed when stream is true")
    check = validator("CreateChatCompletionRequest")
    return problems + (check(body) if check else [])


def embedding_problems(body: Body) -> list[str]:
    """What the service would refuse in an embeddings request."""
    inputs = body.get("input")
    texts = inputs if isinstance(inputs, list) else [inputs]
    problems = []
    if not 1 <= len(texts) <= 2048:
        problems.append(f"input: {len(texts)} items, 1 to 2048 allowed")
    if not all(isinstance(text, str) and text for text in texts):
        problems.append("input: an empty string")
    check = validator("CreateEmbeddingRequest")
    return problems + (check(body) if check else [])


# --- the server -----------------------------------------------------------------------------------------------


class OpenAiServer:
    """See the module. All attributes may be read and set by the test at any time.

    Attributes:
        base_url: with `/v1`; set once entered.
        key: the only key that is accepted.
        chats: bodies of all authorised chat requests, oldest first, the failed ones too.
        embeddings: bodies of all authorised embeddings requests.
        violations: what the real service would have refused; must be empty at the end.
        always: a fault that every chat request meets, after the queue of `fail`.
        rejects_max_tokens: take `max_completion_tokens` alone, as newer models do.
        rejects_dimensions: refuse `dimensions` for embeddings, as models of one size do.
        rejects_usage: refuse `stream_options`, as some older compatible servers do.
        dimensions: of the vectors when the request does not say.
        embedding_faults: `Status` or `Hang`, one per embeddings request.
        chunk_chars: length of a streamed piece.
        max_chars: of all messages of a request together; longer ones are refused as too long.
    """

    def __init__(self, *, key: str = "sk-test-0123456789", port: int = 0) -> None:
        self.base_url = ""
        self.key = key
        self.chats: list[Body] = []
        self.embeddings: list[Body] = []
        self.violations: list[str] = []
        self.always: Fault | None = None
        self.rejects_usage = False
        self.rejects_max_tokens = False
        self.rejects_dimensions = False
        self.dimensions = 64
        self.embedding_faults: deque[Status | Hang] = deque()
        self.chunk_chars = 7
        self.max_chars: int | None = None
        self._port = port
        self._faults: deque[Fault] = deque()
        self._reply: ReplyFunction = lambda messages: f"You asked: {messages[-1]['content']}"
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_post("/v1/chat/completions", self._chat)
        application.router.add_post("/v1/embeddings", self._embed)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.base_url = f"http://127.0.0.1:{self._port}/v1"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()
        if error is None:
            assert not self.violations, self.violations

    def reply(self, reply: str | ReplyFunction) -> None:
        """Say this from now on: a text, or what the function makes of the request's messages."""
        self._reply = reply if callable(reply) else lambda _: reply

    def fail(self, *faults: Fault) -> None:
        """Let the next chat requests fail, one fault each; then all is well again."""
        self._faults.extend(faults)

    # --- chat

    async def _chat(self, request: web.Request) -> web.StreamResponse:
        body = await self._authorised(request)
        if isinstance(body, web.Response):
            return body
        self.chats.append(body)
        if self.rejects_usage and "stream_options" in body:
            return refusal(400, "Unrecognized request argument supplied: stream_options")
        if self.rejects_max_tokens and "max_tokens" in body:
            return refusal(400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.")
        if problems := chat_problems(body):
            return self._violated(problems)
        if self.max_chars is not None and sum(len(message["content"]) for message in body["messages"]) > self.max_chars:
            return refusal(400, "This model's maximum context length is 8192 tokens.", code="context_length_exceeded")
        fault = self._faults.popleft() if self._faults else self.always
        if isinstance(fault, Status):
            if fault.page:
                return web.Response(text="<html>Bad gateway</html>", status=fault.status, content_type="text/html")
            return refusal(fault.status, fault.message, fault.retry_after_s, fault.code)
        if isinstance(fault, Hang) and fault.chunks is None:
            return await self._hang()
        if isinstance(fault, Cut) and fault.chunks == 0:
            return abort(request)
        answer = self._reply(body["messages"])
        text = answer if isinstance(answer, str) else await answer
        if body.get("stream"):
            try:
                return await self._stream(request, body, text, fault)
            except ConnectionResetError:  # the client had enough
                return web.Response()
        return web.json_response(whole(body, text, fault.reason if isinstance(fault, Finish) else "stop"))

    async def _stream(self, request: web.Request, body: Body, text: str, fault: Fault | None) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        size = self.chunk_chars
        pieces = [text[at : at + size] for at in range(0, len(text), size)]
        await send(response, chunk(body, {"role": "assistant", "content": ""}))
        for count, piece in enumerate(pieces):
            if isinstance(fault, _Break) and count == fault.chunks:
                return await self._break(request, response, fault)
            if isinstance(fault, Hang) and count == fault.chunks:
                await self._closing.wait()
            if isinstance(fault, Slow):
                await asyncio.sleep(fault.pause_s)
            await send(response, chunk(body, {"content": piece}))
        if isinstance(fault, _Break):
            return await self._break(request, response, fault)
        await send(response, chunk(body, {}, finish=fault.reason if isinstance(fault, Finish) else "stop"))
        if (body.get("stream_options") or {}).get("include_usage"):
            await send(response, {**chunk(body, {}), "choices": [], "usage": usage(body["messages"], text)})
        await response.write(b"data: [DONE]\n\n")
        return response

    async def _break(self, request: web.Request, response: web.StreamResponse, fault: Fault) -> web.StreamResponse:
        match fault:
            case Cut():
                return abort(request)
            case Malformed():
                await response.write(b'data: {"id": "chatcmpl-1", "choices": [{"delta"\n\n')
            case ErrorChunk():
                await send(response, {"error": {"message": "scripted", "type": "server_error", "code": None}})
        return response

    # --- embeddings

    async def _embed(self, request: web.Request) -> web.Response:
        body = await self._authorised(request)
        if isinstance(body, web.Response):
            return body
        self.embeddings.append(body)
        if self.rejects_dimensions and "dimensions" in body:
            return refusal(400, "This model does not support specifying dimensions.")
        if problems := embedding_problems(body):
            return self._violated(problems)
        fault = self.embedding_faults.popleft() if self.embedding_faults else None
        if isinstance(fault, Status):
            return refusal(fault.status, fault.message, fault.retry_after_s, fault.code)
        if isinstance(fault, Hang):
            return await self._hang()
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        vectors = [vector(text, body.get("dimensions", self.dimensions)) for text in texts]
        encode = as_base64 if body.get("encoding_format") == "base64" else list
        data = [{"object": "embedding", "index": at, "embedding": encode(v)} for at, v in enumerate(vectors)]
        count = {"prompt_tokens": tokens(*texts), "total_tokens": tokens(*texts)}
        # The API promises an index, not an order: the last comes first.
        return web.json_response({"object": "list", "model": body["model"], "data": data[::-1], "usage": count})

    # --- both

    async def _authorised(self, request: web.Request) -> Body | web.Response:
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return refusal(401, "Incorrect API key provided")
        if request.content_type != "application/json":
            return self._violated([f"content type {request.content_type}"])
        try:
            body = await request.json()
        except ValueError:
            return self._violated(["the body is not JSON"])
        return body if isinstance(body, dict) else self._violated(["the body is not an object"])

    async def _hang(self) -> web.Response:
        await self._closing.wait()
        return refusal(503, "closing")

    def _violated(self, problems: list[str]) -> web.Response:
        self.violations.extend(problems)
        return refusal(400, "; ".join(problems))


# --- what goes over the wire ------------------------------------------------------------------------------------


def refusal(
    status: int, message: str, retry_after_s: float | str | None = None, code: str | None = None
) -> web.Response:
    """The API's error object; a text for `retry_after_s` goes into the header as it is."""
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return web.json_response({"error": error}, status=status, headers=headers)


def abort(request: web.Request) -> web.Response:
    """Tear the connection down, with a reset if anything is unread."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def send(response: web.StreamResponse, record: Body) -> None:
    """One server-sent event."""
    await response.write(f"data: {json.dumps(record, ensure_ascii=False)}\n\n".encode())


def chunk(body: Body, delta: dict[str, str], finish: str | None = None) -> Body:
    """One chunk of a streamed completion."""
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000, "model": body["model"]}
    return {**head, "choices": [choice]}


def whole(body: Body, text: str, finish: str) -> Body:
    """A completion in one piece."""
    message = {"role": "assistant", "content": text, "refusal": None}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1_790_000_000, "model": body["model"]}
    return {**head, "choices": [choice], "usage": usage(body["messages"], text)}


def usage(messages: Sequence[dict[str, str]], text: str) -> dict[str, int]:
    """Token counts of a completion."""
    asked, said = tokens(*(message["content"] for message in messages)), tokens(text)
    return {"prompt_tokens": asked, "completion_tokens": said, "total_tokens": asked + said}


def tokens(*texts: str) -> int:
    """A rough count, the same for the same texts."""
    return sum(len(text.encode()) // 4 + 1 for text in texts)


def vector(text: str, dimensions: int) -> list[float]:
    """Texts with words in common are near; deliberately not of length 1."""
    values = [0.0] * dimensions
    for word in (text.lower().split() or [""]) + [text[at : at + 2] for at in range(len(text) - 1)]:
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        values[int.from_bytes(digest[:4], "big") % dimensions] += 2.0 if digest[4] % 2 else -2.0
    return values if any(values) else [2.0] * dimensions


def as_base64(values: list[float]) -> str:
    """float32 little-endian, base64."""
    return base64.b64encode(struct.pack(f"<{len(values)}f", *values)).decode()

"""The chat model: an OpenAI-compatible server, asked for a streamed answer that counts only when it is whole.

It streams although the answer is handed over in one piece: a stream that ends without a finish_reason shows an answer
that was cut, which a plain response cannot. As nothing of a failed answer has been shown to anybody, a stream that
breaks is asked for again like any other failure; whoever shows text while it comes must not.

Servers differ in two parameters, and each is settled by the first answer: some refuse `stream_options` (then no tokens
are reported), and OpenAI's newer models take `max_completion_tokens` where everybody else knows `max_tokens`. No
temperature is sent: reasoning models refuse one. Reasoning in fields of its own is passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from openai import AsyncOpenAI, AsyncStream, BadRequestError, UnprocessableEntityError

from bot.errors import ModelUnavailable
from bot.llm.provider import Provider, ProviderFailed, RetryBudget, failure_of
from bot.model import Completion, ModelMessage


@dataclass(slots=True)
class _Received:
    """What has come of a stream so far."""

    pieces: list[str] = field(default_factory=list)
    finish: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def add(self, chunk: object) -> None:
        """Take one chunk as parsed JSON.

        Raises:
            TypeError, AttributeError, ValueError: it has another shape.
        """
        record = cast("dict[str, Any]", chunk)
        usage = record.get("usage")
        if usage:  # in a chunk of its own, without choices
            self.prompt_tokens = int(usage.get("prompt_tokens") or 0)
            self.completion_tokens = int(usage.get("completion_tokens") or 0)
        for choice in record.get("choices") or ():
            content = (choice.get("delta") or {}).get("content")
            if content:
                self.pieces.append(str(content))
            self.finish = choice.get("finish_reason") or self.finish

    def completion(self) -> Completion:
        # A server may cut an emoji's halves apart. Together they are whole again; a lone half could not be stored.
        joined = "".join(self.pieces).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        text = joined.strip()
        if not self.finish:
            raise ProviderFailed("the answer broke off", transient=True)
        if self.finish == "content_filter":
            # What came before it stepped in is half a sentence, or what it did not want to be read.
            raise ProviderFailed("the answer was withheld (content_filter)", transient=False, fault="request")
        if not text:
            reason = f"an empty answer (finish_reason {self.finish[:20]!r})"
            raise ProviderFailed(reason, transient=False, fault="request")
        return Completion(
            text=text,
            complete=self.finish == "stop",
            prompt_tokens=self.prompt_tokens,
            completion_tokens=self.completion_tokens,
        )


class ChatModel:
    """A chat model on one server; implements `bot.model.Model`. Safe to use from many tasks at once.

    Args:
        base_url: with its version part (`http://127.0.0.1:11434/v1`); None: OpenAI's own.
        api_key: None: the server asks for none. Never in a log, an error or the repr.
        model: as the server calls it.
        timeout: for one answer, with all its retries and waits.
        max_output_tokens: the server cuts the answer there; it then counts as not complete.
        retries: per answer, at most.
        retry_budget: across answers; by default a tenth of them and 3 in 10 s.
    """

    def __init__(
        self,
        *,
        base_url: str | None,
        api_key: str | None,
        model: str,
        timeout: timedelta,
        max_output_tokens: int,
        retries: int = 2,
        retry_budget: RetryBudget | None = None,
    ) -> None:
        self._provider = Provider(
            base_url=base_url, api_key=api_key, model=model, timeout=timeout, retries=retries, budget=retry_budget
        )
        self._model = model
        self._max_output_tokens = max_output_tokens
        self._asks_usage = True
        self._usage_known = False
        self._new_limit = base_url is None

    def __repr__(self) -> str:
        return f"ChatModel({self._provider.where})"

    async def complete(self, messages: Sequence[ModelMessage], *, max_tokens: int | None = None) -> Completion:
        """Ask the model. Cancelling it closes the connection; the server may still count the tokens.

        Args:
            messages: the request.
            max_tokens: the server cuts the answer there; None: at `max_output_tokens`. A model that reasons first
                may have said nothing by then, which is an empty answer.

        Raises:
            ModelUnavailable: no whole answer within the deadline and the retries, an empty or a withheld one. The text
                says which model, where and what, and nothing of what was asked.
        """
        wire = [_on_the_wire(message) for message in messages]
        limit = self._max_output_tokens if max_tokens is None else max_tokens
        try:
            return await self._provider.call(lambda client: self._ask(client, wire, limit))
        except ProviderFailed as failure:
            raise ModelUnavailable(str(failure), fault=failure.fault) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._provider.close()

    async def _ask(self, client: AsyncOpenAI, wire: list[dict[str, str]], limit: int) -> Completion:
        asks_usage, new_limit = self._asks_usage, self._new_limit
        try:
            completion = await self._stream(client, wire, limit, asks_usage=asks_usage, new_limit=new_limit)
        except (BadRequestError, UnprocessableEntityError) as error:
            # Not a retry of a failure: the same question in the server's own dialect.
            asks_usage, new_limit = self._other_dialect(error, asks_usage=asks_usage, new_limit=new_limit)
            completion = await self._stream(client, wire, limit, asks_usage=asks_usage, new_limit=new_limit)
        self._asks_usage, self._new_limit, self._usage_known = asks_usage, new_limit, True
        return completion

    def _other_dialect(
        self, error: BadRequestError | UnprocessableEntityError, *, asks_usage: bool, new_limit: bool
    ) -> tuple[bool, bool]:
        if failure_of(error).fault == "too_long":
            raise error
        text = f"{error.param} {error.message}"
        if "max_completion_tokens" in text or "max_tokens" in text:
            return asks_usage, not new_limit
        # Servers word it in many ways; until one answer has come with it, it is the likeliest cause.
        if asks_usage and ("stream_options" in text or not self._usage_known):
            return False, new_limit
        raise error

    async def _stream(
        self, client: AsyncOpenAI, wire: list[dict[str, str]], limit: int, *, asks_usage: bool, new_limit: bool
    ) -> Completion:
        """One request, through the library's connection but past its typed layer.

        That layer rebuilds every message of the request and every chunk of the answer as an object of its own, which
        costs two to four times as much as all the rest of the call (`python -m bench.road`); we need two fields.
        """
        received = _Received()
        body: dict[str, object] = {"model": self._model, "messages": wire, "stream": True}
        body["max_completion_tokens" if new_limit else "max_tokens"] = limit
        if asks_usage:
            body["stream_options"] = {"include_usage": True}
        stream = await client.post(
            "/chat/completions", body=body, cast_to=object, stream=True, stream_cls=AsyncStream[object]
        )
        async with stream:
            try:
                async for chunk in stream:
                    received.add(chunk)
            except (ValueError, TypeError, AttributeError, KeyError):
                # The library parses each line and checks no shape: text that is no JSON, an object of another form.
                raise ProviderFailed("a malformed stream", transient=True) from None
        return received.completion()


def _on_the_wire(message: ModelMessage) -> dict[str, str]:
    # A lone surrogate cannot be sent.
    return {"role": message.role, "content": message.content.encode("utf-8", "replace").decode()}

"""The chat model against a server that speaks its protocol, well and badly."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Protocol

import pytest
from openai import AsyncOpenAI

from bot.errors import ModelUnavailable
from bot.llm.chat import ChatModel
from bot.llm.provider import RetryBudget
from bot.model import Completion, ModelMessage
from tests.servers.openai import (
    Cut,
    ErrorChunk,
    Fault,
    Finish,
    Hang,
    Malformed,
    OpenAiServer,
    Slow,
    Status,
    Truncated,
    tokens,
    validator,
)

ASK = (ModelMessage(role="system", content="Be short."), ModelMessage(role="user", content="SECRET-QUESTION 你好"))


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    """A server that answers everything."""
    async with OpenAiServer() as server:
        server.reply("Five days [1].")
        yield server


class MakeChat(Protocol):
    """Makes a model on a server; it is closed when the test ends."""

    def __call__(
        self, server: OpenAiServer, *, timeout_s: float = 20, retries: int = 2, budget: RetryBudget | None = None
    ) -> ChatModel:
        """A model on that server."""
        ...


@pytest.fixture
async def chat() -> AsyncIterator[MakeChat]:
    """Makes models."""
    async with AsyncExitStack() as stack:

        def make(
            server: OpenAiServer, *, timeout_s: float = 20, retries: int = 2, budget: RetryBudget | None = None
        ) -> ChatModel:
            model = ChatModel(
                base_url=server.base_url,
                api_key=server.key,
                model="test-model",
                timeout=timedelta(seconds=timeout_s),
                max_output_tokens=50,
                retries=retries,
                retry_budget=budget or RetryBudget(per_10_s=100),
            )
            stack.push_async_callback(model.close)
            return model

        yield make


async def test_an_answer_is_streamed_and_handed_over_whole(server: OpenAiServer, chat: MakeChat) -> None:
    """The text is put together, and the tokens are those that the server counted."""
    model = chat(server)

    completion = await model.complete(ASK)

    said, asked = tokens("Five days [1]."), tokens(*(message.content for message in ASK))
    assert completion == Completion(text="Five days [1].", complete=True, prompt_tokens=asked, completion_tokens=said)
    assert server.chats == [
        {
            "model": "test-model",
            "messages": [{"role": message.role, "content": message.content} for message in ASK],
            "stream": True,
            "stream_options": {"include_usage": True},
            "max_tokens": 50,
        }
    ]


async def test_one_request_may_have_a_limit_of_its_own(server: OpenAiServer, chat: MakeChat) -> None:
    """The next is cut where all others are."""
    model = chat(server)

    await model.complete(ASK, max_tokens=7)
    await model.complete(ASK)

    assert [body["max_tokens"] for body in server.chats] == [7, 50]


@pytest.mark.skipif(validator("CreateChatCompletionRequest") is None, reason="shared data absent")
async def test_requests_match_the_published_contract(server: OpenAiServer, chat: MakeChat) -> None:
    """The server holds each body against the published schema; it also finds what is wrong with a bad one."""
    check = validator("CreateChatCompletionRequest")
    assert check is not None

    await chat(server).complete(ASK)

    assert check(server.chats[0]) == []
    assert check({**server.chats[0], "messages": [{"role": "nobody", "content": "x"}]})


@pytest.mark.parametrize(
    "fault",
    [
        *(Status(429), Status(429, retry_after_s=0.01), Status(500), Status(503), Status(408), Status(409)),
        *(Cut(0), Cut(2), Truncated(), Malformed(), ErrorChunk()),
    ],
    ids=str,
)
async def test_a_failure_that_may_pass_is_tried_again(server: OpenAiServer, fault: Fault, chat: MakeChat) -> None:
    """One fault of the server costs the person nothing but time."""
    server.fail(fault)

    completion = await chat(server).complete(ASK)

    assert completion.text == "Five days [1]."
    assert len(server.chats) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_a_refusal_is_not_tried_again(server: OpenAiServer, status: int, chat: MakeChat) -> None:
    """A wrong key or model stays wrong."""
    model = chat(server)
    await model.complete(ASK)
    server.always = Status(status)

    with pytest.raises(ModelUnavailable, match=f"HTTP {status}"):
        await model.complete(ASK)

    assert len(server.chats) == 2


@pytest.mark.parametrize("fault", [Status(500), Cut(0), Cut(1), Truncated(0), Malformed(), ErrorChunk()], ids=str)
async def test_a_failure_that_stays_ends_after_the_retries(server: OpenAiServer, fault: Fault, chat: MakeChat) -> None:
    """Never the half of an answer: after the last try the caller is told, with model, server and kind of failure."""
    server.always = fault

    with pytest.raises(ModelUnavailable, match=r"test-model at 127\.0\.0\.1:\d+: .+\(2 tries\)"):
        await chat(server, retries=1).complete(ASK)

    assert len(server.chats) == 2


async def test_a_server_that_hangs_ends_at_the_deadline(server: OpenAiServer, chat: MakeChat) -> None:
    """The deadline holds for all tries together."""
    server.always = Hang()

    with pytest.raises(ModelUnavailable, match=r"0\.3 s|does not answer"):
        await chat(server, timeout_s=0.3).complete(ASK)


async def test_a_stream_that_dawdles_ends_at_the_deadline(server: OpenAiServer, chat: MakeChat) -> None:
    """Bytes that keep coming do not prolong it."""
    server.always = Slow(pause_s=0.2)
    server.reply("x" * 700)

    with pytest.raises(ModelUnavailable, match=r"no whole answer within 0\.5 s"):
        await chat(server, timeout_s=0.5).complete(ASK)


async def test_a_wait_beyond_the_deadline_is_not_begun(server: OpenAiServer, chat: MakeChat) -> None:
    """A server that asks for an hour is believed: the person gets the documents' words at once."""
    server.always = Status(429, retry_after_s=3600)

    with pytest.raises(ModelUnavailable, match="429"):
        await chat(server).complete(ASK)

    assert len(server.chats) == 1


async def test_an_empty_account_is_not_asked_again(server: OpenAiServer, chat: MakeChat) -> None:
    """429 with `insufficient_quota` is no rush hour; and the code is named to the operator."""
    server.always = Status(429, code="insufficient_quota")

    with pytest.raises(ModelUnavailable, match="429 insufficient_quota"):
        await chat(server).complete(ASK)

    assert len(server.chats) == 1


async def test_the_budget_bounds_the_retries_of_everybody(server: OpenAiServer, chat: MakeChat) -> None:
    """With a dead server 40 people cost hardly more than 40 requests."""
    server.always = Status(500)
    model = chat(server, budget=RetryBudget(share=0.1, per_10_s=3, clock=lambda: 0.0))

    results = await asyncio.gather(*(model.complete(ASK) for _ in range(40)), return_exceptions=True)

    assert all(isinstance(result, ModelUnavailable) for result in results)
    assert len(server.chats) == 40 + 3 + 4


def test_the_budget_fills_with_time_and_calls() -> None:
    """Three retries to begin with, one more for ten calls, three more for ten seconds, and never more than the most."""
    now = [0.0]
    budget = RetryBudget(share=0.1, per_10_s=3, most=5, clock=lambda: now[0])

    def available() -> int:
        return sum(budget.take() for _ in range(20))

    assert available() == 3
    for _ in range(11):
        budget.called()
    assert available() == 1
    now[0] = 10.1
    assert available() == 3
    now[0] = 1000
    assert available() == 5


async def test_an_answer_that_was_cut_is_not_complete(server: OpenAiServer, chat: MakeChat) -> None:
    """It is shown, and it may not be stored for others."""
    server.fail(Finish("length"))

    completion = await chat(server).complete(ASK)

    assert (completion.text, completion.complete) == ("Five days [1].", False)


async def test_a_withheld_answer_is_none(server: OpenAiServer, chat: MakeChat) -> None:
    """What came before the filter stepped in is not shown, and the same question is not asked again."""
    server.fail(Finish("content_filter"))

    with pytest.raises(ModelUnavailable, match="content_filter") as caught:
        await chat(server).complete(ASK)

    assert (caught.value.fault, len(server.chats)) == ("request", 1)


@pytest.mark.parametrize("text", ["", " \n "])
async def test_an_empty_answer_is_a_failure(server: OpenAiServer, text: str, chat: MakeChat) -> None:
    """A reasoning model that ran out of tokens says nothing; asking again would cost the same and say the same."""
    server.reply(text)

    with pytest.raises(ModelUnavailable, match="empty"):
        await chat(server).complete(ASK)

    assert len(server.chats) == 1


async def test_a_server_without_usage_is_asked_without(server: OpenAiServer, chat: MakeChat) -> None:
    """Some compatible servers refuse `stream_options`: after the first refusal it is left out for good."""
    server.rejects_usage = True
    model = chat(server)

    first, second = await model.complete(ASK), await model.complete(ASK)

    assert (first.text, first.prompt_tokens, second.completion_tokens) == ("Five days [1].", 0, 0)
    assert ["stream_options" in body for body in server.chats] == [True, False, False]


async def test_a_server_of_the_newer_limit_is_asked_with_it(server: OpenAiServer, chat: MakeChat) -> None:
    """Models that refuse `max_tokens` get `max_completion_tokens`, the usage stays."""
    server.rejects_max_tokens = True
    model = chat(server)

    completions = [await model.complete(ASK), await model.complete(ASK)]

    assert all(completion.prompt_tokens for completion in completions)
    assert ["max_tokens" in body for body in server.chats] == [True, False, False]
    assert server.chats[-1]["max_completion_tokens"] == 50


async def test_credentials_in_an_address_are_not_named() -> None:
    """Whoever puts a password into the address does not read it in a log."""
    model = ChatModel(
        base_url="http://user:SECRET@127.0.0.1:9/v1?key=SECRET",
        api_key=None,
        model="m",
        timeout=timedelta(seconds=1),
        max_output_tokens=1,
        retries=0,
    )

    with pytest.raises(ModelUnavailable, match=r"^m at 127\.0\.0\.1:9: no connection") as caught:
        await model.complete(ASK)

    assert "SECRET" not in f"{caught.value} {model!r}"
    await model.close()


async def test_no_connection_is_said_so(chat: MakeChat) -> None:
    """Nobody listens: the operator reads where."""
    async with OpenAiServer() as gone:
        model = chat(gone, retries=1)

    with pytest.raises(ModelUnavailable, match=r"at 127\.0\.0\.1:\d+: no connection"):
        await model.complete(ASK)


async def test_no_secret_and_no_words_leave_by_errors_or_logs(
    server: OpenAiServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the key nor what was asked or what the server said stands in errors, logs or the repr."""
    caplog.set_level(logging.INFO)
    server.always = Status(500, message=f"cannot do SECRET-QUESTION with {server.key}")
    model = ChatModel(
        base_url=server.base_url,
        api_key=server.key,
        model="test-model",
        timeout=timedelta(seconds=5),
        max_output_tokens=50,
        retries=1,
    )

    with pytest.raises(ModelUnavailable) as caught:
        await model.complete(ASK)

    seen = [str(caught.value), repr(caught.value), repr(model), caplog.text]
    assert not [text for text in seen if "SECRET" in text or server.key in text]
    assert caught.value.__cause__ is None
    assert "trying again" in caplog.text
    await model.close()


async def test_cancelling_gives_the_connection_back(server: OpenAiServer, chat: MakeChat) -> None:
    """A turn that is cancelled in mid-answer leaves a model that still works."""
    asked = asyncio.Event()

    async def never(_: list[dict[str, str]]) -> str:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError

    server.reply(never)
    model = chat(server)
    task = asyncio.create_task(model.complete(ASK), name="test - complete")
    await asked.wait()

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    server.reply("Yes.")
    assert (await model.complete(ASK)).text == "Yes."


async def test_fifty_at_once_each_get_their_own(server: OpenAiServer, chat: MakeChat) -> None:
    """Concurrent answers do not mix."""
    server.reply(lambda messages: f"You asked {messages[-1]['content']}")
    model = chat(server, timeout_s=120)  # fifty connections at once, on a busy machine
    await model.complete(ASK)

    completions = await asyncio.gather(
        *(model.complete([ModelMessage(role="user", content=f"number {n}")]) for n in range(50))
    )

    assert [completion.text for completion in completions] == [f"You asked number {n}" for n in range(50)]


async def test_the_environment_does_not_move_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the configuration says where questions go: OPENAI_BASE_URL is not read."""
    monkeypatch.setitem(os.environ, "OPENAI_BASE_URL", "http://127.0.0.1:1/elsewhere")

    model = ChatModel(base_url=None, api_key="sk-x", model="m", timeout=timedelta(seconds=1), max_output_tokens=1)

    assert repr(model) == "ChatModel(m at api.openai.com)"
    assert isinstance(model._provider._client, AsyncOpenAI)  # noqa: SLF001 - the address it would really call
    assert str(model._provider._client.base_url) == "https://api.openai.com/v1/"  # noqa: SLF001 - as above
    await model.close()


async def test_a_lone_surrogate_can_be_asked(server: OpenAiServer, chat: MakeChat) -> None:
    """Half an emoji, cut by some client, does not break the request."""
    completion = await chat(server).complete([ModelMessage(role="user", content="\ud83d hi")])

    assert completion.text == "Five days [1]."

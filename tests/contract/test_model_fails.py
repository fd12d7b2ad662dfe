"""Whatever becomes of the model, the person hears something: another's answer, or quotes with a line that says why.

The real client asks real servers. What bounds the time is counted in requests and deadlines, not measured: one provider
takes its `timeout` at the most, retries and their waits included, and the next one is asked then.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.llm import provider
from bot.llm.chat import ChatModel
from bot.llm.fallback import FAILURES, Models
from bot.llm.provider import RetryBudget
from bot.message import Language
from bot.model import Model
from bot.steps.answer import Answer
from bot.texts import Texts
from bot.turn import Exchange, Passage, Quoted, Turn
from tests.fakes.ports import FakeAnswers, FakeMeter
from tests.make import incoming, passage, turn
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
)

TEXTS = Texts.load()
RETRIES = 2
LONG_WAIT_S = 3600
QUESTIONS: dict[Language, str] = {"en": "How much is a transfer?", "zh": "转账要多少钱？"}


@dataclass
class Desk:
    """Two providers and the step that asks them."""

    first: OpenAiServer
    second: OpenAiServer
    stack: AsyncExitStack
    meter: FakeMeter = field(default_factory=FakeMeter)

    def model(self, server: OpenAiServer, timeout_s: float, budget: RetryBudget | None = None) -> ChatModel:
        """A client of a server."""
        model = ChatModel(
            base_url=server.base_url,
            api_key=server.key,
            model="test-model",
            timeout=timedelta(seconds=timeout_s),
            max_output_tokens=50,
            retries=RETRIES,
            retry_budget=budget or RetryBudget(per_10_s=100),
        )
        self.stack.push_async_callback(model.close)
        return model

    def step(self, *models: Model) -> Answer:
        """The step, with these in order."""
        return Answer(
            model=Models([(f"provider {n}", model) for n, model in enumerate(models, 1)], most_waiting=8),
            quote=lambda _, __, passages: Quoted(f"> {passages[0].text} [1]"),
            answers=FakeAnswers(),
            persona="Be kind.",
            name="Desk",
            texts=TEXTS,
            meter=self.meter,
        )

    def alone(self, timeout_s: float = 20) -> Answer:
        """The step with the first provider only."""
        return self.step(self.model(self.first, timeout_s))

    def both(self, timeout_s: float = 20) -> Answer:
        """The step with both."""
        return self.step(self.model(self.first, timeout_s), self.model(self.second, 20))


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    """The second provider is well; between two tries passes a moment."""
    monkeypatch.setattr(provider, "FIRST_WAIT_S", 0.01)
    async with OpenAiServer() as first, OpenAiServer() as second, AsyncExitStack() as stack:
        first.reply("From the first. [1]")
        second.reply("From the second. [1]")
        yield Desk(first, second, stack)


def asked(language: Language = "en", *, passages: Iterable[Passage] | None = None) -> Turn:
    """A question whose answer may stand in a document."""
    found = (passage(),) if passages is None else tuple(passages)
    question = incoming(QUESTIONS[language])
    return replace(turn(question), language=language, voice=language, passages=found, storable=True)


def said(ended: Turn) -> str:
    """What the person would read."""
    assert ended.draft is not None
    return ended.draft.markdown


def in_an_hour() -> str:
    """As HTTP writes it."""
    return email.utils.formatdate(time.time() + LONG_WAIT_S, usegmt=True)


@dataclass(frozen=True)
class Case:
    """How a provider fails, each time it is asked.

    Attributes:
        fault: what its server does.
        requests: how many reach it for one question.
        line: what the person reads below the quotes.
        logged: what the operator reads.
        timeout_s: of the provider.
    """

    fault: Callable[[], Fault]
    requests: int
    line: str = "model_away"
    logged: str = ""
    timeout_s: float = 20


ALL_TRIES = 1 + RETRIES
CASES = {
    "429 and a moment": Case(lambda: Status(429, retry_after_s=0.01), ALL_TRIES, logged="HTTP 429"),
    "429 and an hour": Case(lambda: Status(429, retry_after_s=LONG_WAIT_S), 1, logged="HTTP 429"),
    "429 and a date": Case(lambda: Status(429, retry_after_s=in_an_hour()), 1, logged="HTTP 429"),
    "429 without a word": Case(lambda: Status(429), ALL_TRIES, logged="HTTP 429"),
    "nothing left": Case(lambda: Status(429, code="insufficient_quota"), 1, logged="top it up"),
    "a wrong key": Case(lambda: Status(401, code="invalid_api_key"), 1, logged="api_key_env"),
    "a key without rights": Case(lambda: Status(403), 1, logged="may not use this model"),
    "no such model": Case(lambda: Status(404, code="model_not_found"), 1, logged="set model and base_url"),
    "500": Case(lambda: Status(500), ALL_TRIES, logged="HTTP 500"),
    "a proxy's 502": Case(lambda: Status(502, page=True), ALL_TRIES, logged="HTTP 502"),
    "503": Case(lambda: Status(503), ALL_TRIES, logged="HTTP 503"),
    "no answer": Case(lambda: Hang(), 1, logged="no whole answer within 0.3 s", timeout_s=0.3),
    "silence after some words": Case(lambda: Hang(1), 1, logged="no whole answer within 0.3 s", timeout_s=0.3),
    "words that come too slowly": Case(lambda: Slow(0.25), 1, logged="no whole answer within 0.3 s", timeout_s=0.3),
    "cut at once": Case(lambda: Cut(0), ALL_TRIES, logged="broke off"),
    "cut": Case(lambda: Cut(1), ALL_TRIES, logged="broke off"),
    "an end too early": Case(lambda: Truncated(1), ALL_TRIES, logged="broke off"),
    "no JSON": Case(lambda: Malformed(1), ALL_TRIES, logged="malformed"),
    "an error among the words": Case(lambda: ErrorChunk(1), ALL_TRIES, logged="error within the stream"),
    "withheld": Case(lambda: Finish("content_filter"), 1, "model_declined", "content_filter"),
    "refused": Case(lambda: Status(422), 1 + 1, "model_declined", "HTTP 422"),
}
"""422 may mean a parameter that the server does not know: it is asked once more without."""


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_alone_it_fails_and_the_person_reads_quotes_and_why(
    desk: Desk, case: Case, language: Language, caplog: pytest.LogCaptureFixture
) -> None:
    """In their language, after so many requests within one deadline; the operator reads one line of it, and counts."""
    desk.first.always = case.fault()

    ended = await desk.alone(case.timeout_s)(asked(language))

    assert said(ended).startswith(f"> {passage().text}")
    assert said(ended).endswith(f"_{TEXTS(case.line, language)}_")
    assert not ended.storable
    assert len(desk.first.chats) == case.requests
    assert desk.meter.counted == [("model", "failed")]
    lines = [record.getMessage() for record in caplog.records if record.name == "bot.steps.answer"]
    assert len(lines) == 1
    assert case.logged in lines[0]
    assert desk.first.key not in caplog.text
    assert QUESTIONS[language] not in caplog.text


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_the_next_provider_answers(desk: Desk, case: Case) -> None:
    """Whatever the first one's trouble is; its answer is not kept for others, who may be given the first one's."""
    desk.first.always = case.fault()

    ended = await desk.both(case.timeout_s)(asked())

    assert said(ended).startswith("From the second. [1]")
    assert not ended.storable
    assert (len(desk.first.chats), len(desk.second.chats)) == (case.requests, 1)
    assert desk.meter.counted == [("model", "ok")]


async def test_a_name_that_leads_nowhere_and_a_closed_port(desk: Desk) -> None:
    """As any other: the next one is asked."""
    for url in ("http://127.0.0.1:9/v1", "http://nowhere.invalid/v1"):
        lost = OpenAiServer()
        lost.base_url = url
        ended = await desk.step(desk.model(lost, 5), desk.model(desk.second, 20))(asked())

        assert said(ended).startswith("From the second.")


@pytest.mark.parametrize("text", ["", " \n "])
async def test_an_empty_answer_is_none(desk: Desk, text: str) -> None:
    """Nothing is not shown as an answer, and "I cannot reach the model" would be untrue."""
    desk.first.reply(text)

    ended = await desk.alone()(asked())

    assert TEXTS("model_declined", "en") in said(ended)
    assert len(desk.first.chats) == 1


async def test_an_answer_that_ran_out_of_room_is_shown_and_said_to_be(desk: Desk) -> None:
    """It is the person's, and nobody else's."""
    desk.first.always = Finish("length")

    ended = await desk.alone()(asked())

    assert said(ended).startswith("From the first. [1]")
    assert TEXTS("cut_off", "en") in said(ended)
    assert not ended.storable


async def test_words_that_come_slowly_but_in_time_are_an_answer(desk: Desk) -> None:
    """The first may take long."""
    desk.first.always = Slow(0.1)

    assert said(await desk.alone()(asked())).startswith("From the first.")


# --- too long ---------------------------------------------------------------------------------------------------------


FOUR = tuple(replace(passage(), id=f"a#{n}", text=f"Passage {n}. " + "word " * 400) for n in range(4))
PAST = tuple(Exchange(question=f"And {n}? " + "word " * 400, answer="Yes.", tokens=500) for n in range(3))


async def test_what_is_too_long_is_asked_again_with_half(desk: Desk) -> None:
    """Fewer passages and less history; the answer cites what it was given, and is nobody else's."""
    desk.first.max_chars = 10_000
    long = replace(asked(passages=FOUR), history=PAST)

    ended = await desk.alone()(long)

    assert said(ended).startswith("From the first. [1]")
    whole, half = (str(chat["messages"]) for chat in desk.first.chats)
    assert [f"Passage {n}." in half for n in range(4)] == [True, True, False, False]
    assert ("And 0?" in whole, "And 0?" in half, "And 2?" in half) == (True, False, True)
    assert half.count(QUESTIONS["en"]) == 1
    assert not ended.storable


async def test_what_is_too_long_all_the_same_is_said(desk: Desk) -> None:
    """Two requests, then the quotes, all of them: no third try."""
    desk.first.max_chars = 10

    ended = await desk.alone()(asked(passages=FOUR))

    assert TEXTS("model_declined", "en") in said(ended)
    assert len(desk.first.chats) == 2
    assert ended.passages == FOUR


async def test_where_nothing_can_be_left_out_there_is_no_second_request(desk: Desk) -> None:
    """The same again would be refused again."""
    desk.first.max_chars = 10

    await desk.alone()(asked())

    assert len(desk.first.chats) == 1


async def test_a_provider_with_more_room_answers_the_whole(desk: Desk) -> None:
    """Before anything is left out."""
    desk.first.max_chars = 10

    ended = await desk.both()(asked(passages=FOUR))

    assert said(ended).startswith("From the second.")
    assert "Passage 3." in str(desk.second.chats[0]["messages"])


# --- bounds -----------------------------------------------------------------------------------------------------------


async def test_a_dead_provider_is_left_alone_and_asked_again(desk: Desk) -> None:
    """After five failures in a row nobody waits for it; a wrong key is noticed at the first."""
    step = desk.alone()
    desk.first.always = Status(500)
    for _ in range(FAILURES + 5):
        await step(asked())
    dead = len(desk.first.chats)
    desk.first.chats.clear()
    desk.first.always = Status(401)
    step = desk.alone()
    for _ in range(5):
        await step(asked())

    assert dead == FAILURES * ALL_TRIES
    assert len(desk.first.chats) == 1


async def test_retries_are_a_share_of_the_calls(desk: Desk) -> None:
    """A server that is down for everybody gets few requests more than there are questions."""
    budget = RetryBudget(share=0.1, per_10_s=0)
    desk.first.always = Status(500)
    for _ in range(10):
        # Each with a breaker of its own, which would ask even less.
        await desk.step(desk.model(desk.first, 20, budget))(asked())

    assert len(desk.first.chats) == 11

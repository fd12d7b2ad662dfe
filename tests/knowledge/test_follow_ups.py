"""Follow-ups over the samples: from the pipeline's steps through the real index, with and without a model's server."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.knowledge.ingest import Ingest
from bot.llm.chat import ChatModel
from bot.llm.quote import quote
from bot.model import Model
from bot.pipeline import Pipeline
from bot.steps.answer import Answer
from bot.steps.retrieve import Retrieve
from bot.steps.reuse import Reuse
from bot.steps.rewrite import Rewrite
from bot.store.bases import KnowledgeBases
from bot.store.passages import Passages
from bot.texts import Texts
from bot.turn import Exchange, Turn
from tests.fakes.ports import FakeAnswers, FakeMeter
from tests.make import incoming, turn
from tests.servers.openai import Hang, OpenAiServer, Status

SAMPLES = Path(__file__).parents[2] / "samples"
TEXTS = Texts.load()
OPEN, OPEN_ZH = "How do I open an account?", "怎么开户？"

pytestmark = pytest.mark.timeout(120)


def after(before: str, question: str) -> Turn:
    """A question that follows another one."""
    history = (Exchange(question=before, answer="With your passport. [1]", tokens=9),)
    return turn(incoming(question), history=history)


def steps(client: Redis, passages: Passages, model: Model | None) -> Pipeline:
    """From reuse, which finds out what leans, to the answer."""
    meter, answers = FakeMeter(), FakeAnswers()
    bases = KnowledgeBases(client, ["main"], lambda _: passages)
    return Pipeline(
        [
            Reuse(answers=answers, scope="s", enabled=True, meter=meter),
            Rewrite(model=model, meter=meter),
            Retrieve(knowledge=bases, top_k=5),
            Answer(
                model=model, quote=quote, answers=answers, persona="Be kind.", name="Desk", texts=TEXTS, meter=meter
            ),
        ],
        meter,
    )


FOLLOW_UPS = [
    (OPEN, "and for children?", "7 to 15"),
    ("How long does a transfer take?", "and to America?", "2 to 4 working days"),
    ("I sent money to the wrong account", "and if it was an instant transfer?", "cannot be called back"),
    (OPEN_ZH, "孩子呢？", "7 至 15"),
    ("转账多久到账？", "转到美国呢？", "2 至 4 个工作日"),
    ("透支的利率是多少？", "没有约定的呢？", "14.5%"),
]


async def test_without_a_model_the_last_question_finds_the_passage(
    client: Redis, passages: Passages, ingest: Ingest
) -> None:
    """In both languages; the follow-ups alone find something else or nothing."""
    await ingest.sync([SAMPLES])
    pipeline = steps(client, passages, None)

    missed = []
    for before, question, fact in FOLLOW_UPS:
        ended = await pipeline.run(after(before, question))
        assert ended.leans
        if not any(fact in passage.text for passage in ended.passages[:3]):
            missed.append(question)
        assert ended.draft is not None
        assert "[1]" in ended.draft.answer or "[2]" in ended.draft.answer

    assert missed == []


@pytest.mark.parametrize(
    ("before", "question", "written", "fact"),
    [
        (OPEN, "and for companies?", "How old must children be to open an account?", "7 to 15"),
        (OPEN_ZH, "那公司呢？", "孩子几岁可以开户？", "7 至 15"),
    ],
)
async def test_with_a_model_its_question_finds_the_passage(
    client: Redis, passages: Passages, ingest: Ingest, before: str, question: str, written: str, fact: str
) -> None:
    """One small call more; the call that answers hears the person's own words.

    The model here writes out another question than was asked, so that what is found shows which one was searched for.
    """
    await ingest.sync([SAMPLES])
    async with OpenAiServer() as server:
        server.reply(lambda messages: written if "last_message" in messages[-1]["content"] else "Yes. [1]")
        model = chat(server)
        ended = await steps(client, passages, model).run(after(before, question))
        await model.close()

    small, large = server.chats
    assert (small["max_tokens"], large["max_tokens"]) == (100, 500)
    assert question in small["messages"][-1]["content"]
    assert before in small["messages"][-1]["content"]
    assert large["messages"][-1]["content"] == question
    assert fact in large["messages"][-2]["content"]
    assert ended.sought == written


async def test_a_question_that_stands_alone_costs_one_call(client: Redis, passages: Passages, ingest: Ingest) -> None:
    """At the start of a conversation and later in it."""
    await ingest.sync([SAMPLES])
    async with OpenAiServer() as server:
        model = chat(server)
        pipeline = steps(client, passages, model)
        await pipeline.run(turn(incoming("and for companies?")))
        await pipeline.run(after(OPEN, "What is the daily limit for transfers?"))
        await model.close()

    assert len(server.chats) == 2


@pytest.mark.parametrize("fault", [Status(401), Hang()])
async def test_a_model_that_fails_to_write_it_out_may_still_answer(
    client: Redis, passages: Passages, ingest: Ingest, fault: Status | Hang, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is searched for together with the question before."""
    monkeypatch.setattr("bot.steps.rewrite.DEADLINE", timedelta(seconds=0.5))
    await ingest.sync([SAMPLES])

    async with OpenAiServer() as server:
        server.reply("Yes. [1]")
        server.fail(fault)
        model = chat(server)
        ended = await steps(client, passages, model).run(after(OPEN, "and for children?"))
        await model.close()

    assert ended.sought == f"and for children?\nand for children?\n{OPEN}"
    assert ended.draft is not None
    assert ended.draft.answer == "Yes. [1]"
    assert any("7 to 15" in passage.text for passage in ended.passages[:3])


def chat(server: OpenAiServer) -> ChatModel:
    """A model on that server."""
    return ChatModel(
        base_url=server.base_url,
        api_key=server.key,
        model="test-model",
        timeout=timedelta(seconds=20),
        max_output_tokens=500,
        retries=0,
    )

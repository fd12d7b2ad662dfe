"""Whatever people write as a question: the server lives and answers, and no word of theirs is part of a query."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis.asyncio import Redis

from bot.knowledge.ingest import Ingest
from bot.llm.embed import BuiltinEmbedder
from bot.store.client import connect
from bot.store.passages import Passages

SAMPLES = Path(__file__).parents[2] / "samples"

TRAPS = [
    "in|the|machine",
    "In|the|machine",
    "a|the",
    "(the|a|an)",
    "@words:{*}",
    "*",
    "-",
    "~foo",
    "*=>[KNN 10 @embedding $vector]",
    '"unclosed',
    "(((((",
    "}{][)(",
    "@text:(fee)",
    "%%%fee%%%",
    "$vector",
    "as inf -inf nan 1e999 0x10",
    "w'zzz w*",
    "fee\x00fee",
    "\ud800 lone surrogate",
    "=>{$weight: 1e999}",
    "FLUSHALL\r\nFLUSHALL\r\n",
    "'; return redis.call('FLUSHALL') --",
    "fee " * 20_000,
    "费用" * 20_000,
    "".join(chr(n) for n in range(0x20, 0x3000)),
]


@pytest.fixture
async def filled(ingest: Ingest, passages: Passages) -> Passages:
    """A knowledge base with the samples in it."""
    await ingest.sync([SAMPLES])
    return passages


async def lives(client: Redis, passages: Passages) -> bool:
    """The same server is up and finds what it found."""
    found = (await passages.search("What does a safe deposit box cost?", "en", 1)).passages
    return bool(await client.ping()) and "140 euros" in found[0].text


async def test_traps(filled: Passages, client: Redis) -> None:
    """Stop words in a union, query syntax, broken Unicode, endless text."""
    started = (await client.info("server"))["run_id"]

    for question in TRAPS:
        await filled.search(question, "en", 5)

    assert await lives(client, filled)
    assert (await client.info("server"))["run_id"] == started


async def test_naughty_strings(filled: Passages, client: Redis, shared_data: Path) -> None:
    """The public list of strings that break programs."""
    started = (await client.info("server"))["run_id"]

    for question in json.loads((shared_data / "naughty-strings" / "blns.json").read_text()):
        await filled.search(question, "en", 5)

    assert await lives(client, filled)
    assert (await client.info("server"))["run_id"] == started


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_real_questions(filled: Passages, client: Redis, shared_data: Path, language: str) -> None:
    """Questions of XQuAD, as asked and joined by bars."""
    articles = json.loads((shared_data / "xquad" / f"xquad.{language}.json").read_text())["data"]
    questions = [qa["question"] for article in articles for part in article["paragraphs"] for qa in part["qas"]]
    chosen = random.Random(4).sample(questions, 100)

    for question in chosen:
        await filled.search(question, "en", 5)
        await filled.search("|".join(question.split()), "zh", 5)

    assert await lives(client, filled)


@pytest.fixture(scope="module")
def trap_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Documents made of the traps."""
    folder = tmp_path_factory.mktemp("traps")
    for number, text in enumerate(TRAPS):
        (folder / f"{number}.txt").write_text(text[:5000].encode("utf-8", "replace").decode().replace("\x00", " "))
    return folder


async def test_documents_made_of_traps(ingest: Ingest, passages: Passages, client: Redis, trap_folder: Path) -> None:
    """What is ingested may be as hostile as what is asked."""
    summary = await ingest.sync([trap_folder])

    assert len(summary.added) + len(summary.failed) == len(TRAPS)
    for question in TRAPS:
        await passages.search(question, "en", 5)
    assert await client.ping()


SYNTAX = st.lists(st.sampled_from([*"|()-@{}[]*~%$\"'=>: ", "the", "in", "费用"])).map("".join)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=st.text(max_size=200) | SYNTAX)
async def test_generated_questions(redis_url: str, embedder: BuiltinEmbedder, question: str) -> None:
    """Random text and random query syntax."""
    client = connect(redis_url)
    passages = Passages(client, embedder, max_cosine_distance=0.8, kb="generated")
    await passages.ensure_index()

    found = await passages.search(question, "en", 5)
    await client.aclose()

    assert found.passages == ()

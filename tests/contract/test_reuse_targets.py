"""What reuse promises, counted on all our paraphrases with the built-in embedder and a real Redis.

No answer crosses a scope, and none is given after a source it cites has changed.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.guard.verdict import judge
from bot.language import language_of
from bot.llm.embed import BuiltinEmbedder
from bot.similar import NEAREST, key_of, refused_by, scope_of_answers
from bot.store.answers import RedisAnswers
from bot.store.answers_index import AnswersIndex
from bot.store.scripts import Scripts
from bot.turn import MAIN, StoredAnswer
from tests import make

FOLDER = Path(__file__).parents[1] / "reuse"
BOUND = 0.4
MINE = "mine"
STRANGERS = [("another persona", MAIN), ("another model", MAIN), (MINE, "staff")]


@dataclass
class Asked:
    """A paraphrase that the guard passes.

    Attributes:
        stored: the question whose answer is stored.
        text: the one asked.
        vector: of it.
    """

    stored: str
    text: str
    vector: bytes


@dataclass
class Store:
    """All answers in one Redis."""

    index: AnswersIndex
    asked: list[Asked]

    async def hits(self, scope: str, base: str, found: Collection[str]) -> int:
        """How many paraphrases are given an answer, where these passages are found."""
        hits = 0
        for one in self.asked:
            where = scope_of_answers(scope, one.text, language_of(one.text))
            near = await self.index.nearest(base, where, one.vector, NEAREST)
            hits += any(not refused_by(each, one.text, found, max_cosine_distance=BOUND) for each in near)
        return hits


@pytest.fixture
async def store(redis: Redis) -> AsyncIterator[Store]:
    """Each first question of a pair is stored, made from one passage and citing it."""
    lines = [line for path in sorted(FOLDER.glob("*paraphrases_*.jsonl")) for line in path.read_text().splitlines()]
    pairs = [(pair["stored"], pair["asked"]) for pair in map(json.loads, lines)]
    pairs = [(stored, asked) for stored, asked in pairs if judge(stored, asked).reuse]
    embedder = BuiltinEmbedder()
    index, answers = AnswersIndex(redis, embedder), RedisAnswers(Scripts(redis), ttl=timedelta(hours=1))
    vectors = await embedder.embed([text for pair in pairs for text in pair])
    await index.nearest(MAIN, scope_of_answers(MINE, "", "en"), vectors[0], 1)
    for (stored, _), vector in zip(pairs, vectors[::2], strict=True):
        scope = scope_of_answers(MINE, stored, language_of(stored))
        answer = StoredAnswer(
            markdown="", answer="", epoch=0, references=("a@1",), tokens=1, cited=(1,), question=stored
        )
        key = key_of(MAIN, scope, stored)
        await answers.store(key, make.incoming().id, answer, make.conversation(), 1, scope=scope, vector=vector)
    yield Store(index, [Asked(*pair, vector) for pair, vector in zip(pairs, vectors[1::2], strict=True)])
    embedder.close()


async def test_no_answer_crosses_a_scope_and_none_outlives_its_source(store: Store) -> None:
    """Nearly all are served at home; not one elsewhere, and not one once the passage has another version."""
    count = len(store.asked)

    served = await store.hits(MINE, MAIN, {"a@1", "b@1"})
    elsewhere = [await store.hits(scope, base, {"a@1", "b@1"}) for scope, base in STRANGERS]
    changed = [await store.hits(MINE, MAIN, found) for found in ({"a@2", "b@1"}, {"b@1"}, set[str]())]

    assert count >= 150
    assert served >= 0.95 * count
    assert elsewhere == [0, 0, 0]
    assert changed == [0, 0, 0]

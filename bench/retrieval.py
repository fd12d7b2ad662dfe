"""How well questions find their passage: words alone, nearness alone, and both as the bot does it.

    FRONTDESK_SHARED=<folder with data/> python -m bench.retrieval [--half even|odd]

XQuAD: 240 paragraphs, 1,190 questions, the same in English and Chinese, through the real index and the real ranking on
a real Redis. `both` holds all paragraphs in both languages and wants the asker's; `mixed` holds each paragraph in one
language only, so that half the questions are asked across languages. `samples` asks the questions of the tests. The
constants of `bot.store.passages_rank` were chosen on all questions; the halves tell how far the figures scatter.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from redis.asyncio import Redis

from bot.knowledge.ingest import Ingest
from bot.knowledge.words import query_tokens, tokens
from bot.llm.embed import BuiltinEmbedder
from bot.message import Language
from bot.store.client import connect
from bot.store.passages import CANDIDATES, Passages
from bot.store.passages_index import PassageIndex, rows
from bot.store.passages_rank import best, merged
from tests.knowledge.sample_questions import CHINESE, ENGLISH, UNANSWERABLE
from tests.servers.redis import redis_server

K = 10
MAX_COSINE_DISTANCE = 0.8
PARAGRAPHS = 240
"""In XQuAD, per language."""
NO_BOUND = 2.0


@dataclass(frozen=True)
class Base:
    """What is searched, in order of its numbers."""

    languages: list[Language]
    texts: list[str]
    vectors: list[bytes]


@dataclass(frozen=True)
class Asked:
    """A question and the number of the paragraph that answers it."""

    text: str
    language: Language
    vector: bytes
    gold: int


@dataclass
class Score:
    """Recall at 1 and 5 and mean reciprocal rank at 10."""

    asked: int = 0
    first: int = 0
    five: int = 0
    reciprocal: float = 0.0

    def add(self, numbers: Sequence[int], gold: int) -> None:
        """Count one question: the numbers found, best first, and the right one."""
        self.asked += 1
        if gold in numbers:
            rank = numbers.index(gold) + 1
            self.first += rank == 1
            self.five += rank <= 5
            self.reciprocal += 1 / rank

    def __str__(self) -> str:
        """R@1 / R@5 / MRR."""
        first, five = 100 * self.first / self.asked, 100 * self.five / self.asked
        return f"{first:.1f} / {five:.1f} / {self.reciprocal / self.asked:.3f}"


async def ask_all(redis: Redis, embedder: BuiltinEmbedder, base: Base, questions: Sequence[Asked]) -> dict[str, Score]:
    """Index the base and ask every question in the three ways."""
    await redis.flushall()
    index = PassageIndex(redis, kb="main", embedder=embedder.name, dimensions=embedder.dimensions)
    await index.ensure()
    await fill(redis, index, base)
    scores = {"words": Score(), "nearness": Score(), "fused": Score()}
    for asked in questions:
        words = query_tokens(asked.text)
        pipeline = redis.pipeline(transaction=False)
        pipeline.execute_command(*index.nearest(asked.vector, CANDIDATES))
        pipeline.execute_command(*index.sharing(words or ["wnothing"], CANDIDATES))
        nearest, sharing = map(rows, await pipeline.execute())
        found = best(
            merged(nearest, sharing),
            question_tokens=words,
            language=asked.language,
            max_cosine_distance=MAX_COSINE_DISTANCE,
            k=K,
        )
        scores["words"].add([int(row.fields["number"]) for row in sharing[:K]], asked.gold)
        scores["nearness"].add([int(row.fields["number"]) for row in nearest[:K]], asked.gold)
        scores["fused"].add([int(passage.id.partition(":")[2]) for passage in found], asked.gold)
    return scores


async def fill(redis: Redis, index: PassageIndex, base: Base) -> None:
    """Write the base's paragraphs as passages of one document."""
    for start in range(0, len(base.texts), 100):
        pipeline = redis.pipeline(transaction=False)
        for number in range(start, min(start + 100, len(base.texts))):
            text = base.texts[number]
            fields: dict[str | bytes, str | bytes | int] = {
                # The same paragraph in the other language is its copy, as `en/7.md` and `zh/7.md` are.
                "path": f"{base.languages[number]}/{number % PARAGRAPHS}.md",
                "document": "x",
                "version": "1",
                "number": number,
                "title": "",
                "place": "",
                "text": text,
                "language": base.languages[number],
                "words": " ".join(tokens(text)),
                "embedding": base.vectors[number],
            }
            pipeline.hset(f"{index.prefix}{number}", mapping=fields)  # type: ignore[arg-type]  # invariant dict
        await pipeline.execute()


async def xquad(shared: Path, language: Language, embedder: BuiltinEmbedder, half: str) -> tuple[Base, list[Asked]]:
    """Paragraphs and questions of one language."""
    articles = json.loads((shared / f"data/xquad/xquad.{language}.json").read_text())["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    texts = [paragraph["context"] for paragraph in paragraphs]
    pairs = [(qa["question"], number) for number, paragraph in enumerate(paragraphs) for qa in paragraph["qas"]]
    if half:
        pairs = pairs[0 if half == "even" else 1 :: 2]
    vectors = await embedder.embed([question for question, _ in pairs])
    questions = [Asked(text, language, vector, gold) for (text, gold), vector in zip(pairs, vectors, strict=True)]
    return Base([language] * len(texts), texts, await embedder.embed(texts)), questions


def alternating(first: Base, second: Base) -> Base:
    """Even paragraphs of one, odd of the other."""
    chosen = [(first, second)[number % 2] for number in range(len(first.texts))]
    return Base(
        [base.languages[number] for number, base in enumerate(chosen)],
        [base.texts[number] for number, base in enumerate(chosen)],
        [base.vectors[number] for number, base in enumerate(chosen)],
    )


async def ask_samples(redis: Redis, embedder: BuiltinEmbedder) -> None:
    """The questions of the tests on `samples/`, and how far away the passages of unanswerable ones stay."""
    await redis.flushall()
    passages = Passages(redis, embedder, max_cosine_distance=NO_BOUND)
    summary = await Ingest(passages, embedder).sync([Path("samples")])
    print(f"\nsamples: {len(summary.added)} documents")
    sets: tuple[tuple[Language, tuple[tuple[str, str, str], ...]], ...] = (("en", ENGLISH), ("zh", CHINESE))
    for language, questions in sets:
        first = five = 0
        distances = [NO_BOUND]
        for question, _, fact in questions:
            found = (await passages.search(question, language, 5)).passages
            holding = [passage for passage in found if fact in passage.text]
            first += found[0] in holding
            five += bool(holding)
            distances.extend(one.cosine_distance for one in holding[:1] if one.cosine_distance is not None)
        print(f"  {language}: the fact is in the first passage {first}/{len(questions)}, in five {five}, ", end="")
        print(f"at most {sorted(distances)[-2]:.2f} away")
    nearest = []
    for question in UNANSWERABLE:
        found = (await passages.search(question, "en", 5)).passages
        nearest.append(min(passage.cosine_distance or NO_BOUND for passage in found))
    print(f"  unanswerable: nearest passage {min(nearest):.2f} to {max(nearest):.2f} away")


async def main(url: str, shared: Path, half: str) -> None:
    """Print the table."""
    redis, embedder = connect(url), BuiltinEmbedder()
    english, ask_english = await xquad(shared, "en", embedder, half)
    chinese, ask_chinese = await xquad(shared, "zh", embedder, half)
    count = len(english.texts)
    both = Base(english.languages + chinese.languages, english.texts + chinese.texts, english.vectors + chinese.vectors)
    in_second = [Asked(one.text, one.language, one.vector, one.gold + count) for one in ask_chinese]
    mixed = alternating(english, chinese)
    table: list[tuple[str, Base, Sequence[Asked]]] = [
        ("en", english, ask_english),
        ("zh", chinese, ask_chinese),
        ("zh → en", english, ask_chinese),
        ("en → zh", chinese, ask_english),
        ("both, en asks", both, ask_english),
        ("both, zh asks", both, in_second),
        ("mixed, en asks", mixed, ask_english),
        ("mixed, zh asks", mixed, ask_chinese),
    ]
    print(f"{'R@1 / R@5 / MRR':16}{'words':>26}{'nearness':>26}{'fused':>26}")
    for name, base, questions in table:
        scores = await ask_all(redis, embedder, base, questions)
        print(f"{name:16}" + "".join(f"{scores[way]!s:>26}" for way in ("words", "nearness", "fused")))
    await ask_samples(redis, embedder)
    await redis.aclose()
    embedder.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=("even", "odd"), default="", help="every second question only")
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder, redis_server(Path(folder)) as server:
        asyncio.run(main(server, Path(os.environ["FRONTDESK_SHARED"]), parser.parse_args().half))

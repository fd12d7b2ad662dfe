"""How well questions find their document: words alone, vectors alone, and both as the bot does it.

    FRONTDESK_SHARED=<folder with data/> python -m bench.retrieval [--half even|odd] [--sets NAME …] [--no-about]

The files of each base of `bench.retrieval_sets` are ingested as always, and the questions searched as always, on a real
Redis with the default configuration, the language of a question being what the bot takes it for. *words* and *vectors*
are the two searches that a search is made of, each asked for as many passages. A document's rank is that of its first
passage, documents counted once. A question that finds nothing counts as missed. *p* is that of the exact two-sided
sign test between *both* and the better of the other two, over the questions of which only one of them has the right
document first. At the end: how many questions about something else find nothing, as they should.

Constants of `bot.store.passages_rank` are chosen with `--half even`; what is published is `--half odd`.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from redis.asyncio import Redis

from bench.retrieval_sets import Asked, Base, Set, Sets
from bot.config_tree import Knowledge
from bot.knowledge.ingest import Ingest
from bot.knowledge.words import query_tokens
from bot.language import language_of
from bot.llm.embed import BuiltinEmbedder
from bot.store.client import connect
from bot.store.passages import Passages
from bot.store.passages_index import PassageIndex, rows
from bot.store.passages_serving import document_id
from bot.turn import Passage
from tests.knowledge.sample_questions import CHINESE, ENGLISH, UNANSWERABLE
from tests.servers.redis import redis_server

K = 5
"""Passages asked for, as by default; what stands deeper counts as missed."""


class Remembering:
    """The built-in embedder, asked once for each text: bases share their texts."""

    def __init__(self) -> None:
        self._embedder = BuiltinEmbedder()
        self._known: dict[str, bytes] = {}
        self.name, self.dimensions = self._embedder.name, self._embedder.dimensions

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """As the built-in one."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, await self._embedder.embed(new), strict=True))
        return [self._known[text] for text in texts]

    def close(self) -> None:
        """Likewise."""
        self._embedder.close()


@dataclass
class Ranks:
    """Of the right document for each question, 0 if it was not found."""

    of: list[int] = field(default_factory=list)

    def within(self, count: int) -> float:
        """Recall at `count`."""
        return sum(0 < rank <= count for rank in self.of) / len(self.of)

    @property
    def mrr(self) -> float:
        """Mean reciprocal rank."""
        return sum(1 / rank for rank in self.of if rank) / len(self.of)

    def __str__(self) -> str:
        """R@1 / R@3 / R@5 / MRR."""
        recalls = " / ".join(f"{100 * self.within(count):.1f}" for count in (1, 3, 5))
        return f"{recalls} / {self.mrr:.3f}"


def sign_test(one: Ranks, other: Ranks) -> float:
    """Two-sided probability of so unequal wins, if who wins were a coin's throw; a win is being first alone."""
    firsts = [(a == 1, b == 1) for a, b in zip(one.of, other.of, strict=True)]
    won, lost = firsts.count((True, False)), firsts.count((False, True))
    count, fewer = won + lost, min(won, lost)
    return min(2 * sum(math.comb(count, k) for k in range(fewer + 1)) / 2**count, 1.0)


class Bench:
    """A server, and what is ingested there now."""

    def __init__(self, redis: Redis, embedder: Remembering) -> None:
        self._redis = redis
        self._embedder = embedder
        self._passages = self._new()
        self._index = PassageIndex(redis, kb="main", embedder=embedder.name, dimensions=embedder.dimensions)
        self._ingested = ""
        self._paths: dict[str, str] = {}

    async def ingest(self, base: Base) -> None:
        """This base and nothing else."""
        if base.name == self._ingested:
            return
        await self._redis.flushall()
        self._passages = self._new()
        with tempfile.TemporaryDirectory(prefix="base") as folder:
            for name, text in base.files.items():
                (Path(folder) / name).write_text(text, encoding="utf-8")
            summary = await Ingest(self._passages, self._embedder).sync([Path(folder)], origin="cli")
        if len(summary.added) != len(base.files):
            raise RuntimeError(f"{base.name}: {summary.failed}")
        self._ingested = base.name
        self._paths = {document_id(path): path for path in await self._passages.documents()}

    async def ranks(self, asked: Asked) -> tuple[int, int, int]:
        """Of the right document, by words, by vectors, by both."""
        [vector] = await self._embedder.embed([asked.text])
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.execute_command(*self._index.sharing(query_tokens(asked.text) or ["wnothing"], K))
        pipeline.execute_command(*self._index.nearest(vector, K))
        words, vectors = (
            [self._paths[row.fields["document"]] for row in rows(reply)] for reply in await pipeline.execute()
        )
        both = [passage.document for passage in await self.search(asked)]
        return rank(words, asked.file), rank(vectors, asked.file), rank(both, asked.file)

    async def search(self, asked: Asked, k: int = K) -> tuple[Passage, ...]:
        """What the bot finds."""
        return (await self._passages.search(asked.text, language_of(asked.text), k)).passages

    async def samples(self) -> None:
        """The questions of the tests on `samples/`: is the fact in the first passage, in five, how far away is it."""
        await self._redis.flushall()
        self._passages, self._ingested = self._new(), ""
        await Ingest(self._passages, self._embedder).sync([Path("samples")])
        for name, questions in (("en", ENGLISH), ("zh", CHINESE)):
            first = five = 0
            for question, _, fact in questions:
                holding = [fact in passage.text for passage in await self.search(Asked(question), 5)]
                first += holding[:1] == [True]
                five += any(holding)
            print(f"samples, {name}: the fact is in the first passage {first}/{len(questions)}, in five {five}")
        nothing = [not await self.search(Asked(question)) for question in UNANSWERABLE]
        print(f"samples: {sum(nothing)} of {len(nothing)} questions about something else find nothing")

    def _new(self) -> Passages:
        bound = Knowledge().max_cosine_distance
        return Passages(self._redis, self._embedder, max_cosine_distance=bound)


def rank(paths: Sequence[str], file: str) -> int:
    """Place of the file among the documents found, from 1; 0 if it is not there."""
    names = [Path(path).name for path in dict.fromkeys(paths)]
    return names.index(file) + 1 if file in names else 0


async def row(bench: Bench, one: Set) -> str:
    """A line of the table."""
    await bench.ingest(one.base)
    words, vectors, both = Ranks(), Ranks(), Ranks()
    for asked in one.questions:
        for ranks, each in zip((words, vectors, both), await bench.ranks(asked), strict=True):
            ranks.of.append(each)
    better = max(words, vectors, key=lambda ranks: (ranks.within(1), ranks.mrr))
    return f"| {one.name} | {len(one.questions)} | {words} | {vectors} | {both} | {sign_test(both, better):.2g} |"


async def refused(bench: Bench, one: Set) -> str:
    """A line of the second table."""
    await bench.ingest(one.base)
    nothing = [not await bench.search(asked) for asked in one.questions]
    return f"| {one.name} | {len(nothing)} | {sum(nothing) / len(nothing):.1%} |"


async def main(url: str, arguments: argparse.Namespace) -> None:
    """Print both tables."""
    redis, embedder = connect(url), Remembering()
    bench = Bench(redis, embedder)
    sets = Sets(Path(os.environ["FRONTDESK_SHARED"]), arguments.half)
    chosen = [one for one in sets.answerable() if any(name in one.name for name in arguments.sets)]
    print("| R@1 / R@3 / R@5 / MRR | questions | words | vectors | both | p |\n|---|---|---|---|---|---|")
    for one in chosen:
        print(await row(bench, one), flush=True)
    if arguments.about:
        print("\n| about something else | questions | find nothing |\n|---|---|---|")
        for one in sorted(sets.out_of_scope(), key=lambda one: one.base.name):
            print(await refused(bench, one), flush=True)
        print()
        await bench.samples()
    await redis.aclose()
    embedder.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", choices=("even", "odd"), help="every second question only; default: all")
    parser.add_argument("--sets", nargs="*", default=[""], help="parts of names of sets; default: all of them")
    parser.add_argument("--about", action=argparse.BooleanOptionalAction, default=True, help="questions out of scope")
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder, redis_server(Path(folder)) as server:
        asyncio.run(main(server, parser.parse_args()))

"""How long a search takes beside a plain vector search, at 1,000, 10,000 and 100,000 passages, flat and by a graph.

    python -m bench.search [--cache FOLDER] [--sizes 1000 10000 100000] [--kinds flat hnsw] [--rounds 5]

Text: Debian's `linux-doc` and `python3-doc`, fetched with `apt-get download` into the cache, cut at blank lines into
passages of up to 900 characters; what is left to 100,000 is copies. `EMBEDDED` of them are embedded; the vectors of all
others are made, somewhere between two neighbours among these. Each size is filled through `Passages`, as ingest does,
and searched by it, with the question's vector at hand; *plain* is `FT.SEARCH … KNN` for as many passages through the
same client, the two in turns. Milliseconds are p50 / p99; the ratio is of the p50, and in brackets that of the fastest
round of each question, which says more where other programs run. *CPU* is that of client and server together, ours
and plain. Then the server saves, is killed and started again; *LOADING* is how long it answers nothing, in brackets
the CPU of it. *Lost* is how many of the truly nearest 5 and 24 the index does not find.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import random
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from redis.asyncio import Redis

from bench.search_questions import QUESTIONS
from bot.errors import EmbeddingUnavailable
from bot.knowledge.document import DocumentRecord, NewPassage
from bot.knowledge.ingest import words_of
from bot.knowledge.split import Piece
from bot.knowledge.vectors import coded
from bot.llm.embed import BuiltinEmbedder
from bot.store.client import connect
from bot.store.passages import Passages
from bot.store.passages_index import Kind, PassageIndex, rows
from tests.servers.redis import redis_server

PACKAGES = ("linux-doc-6.1", "python3.11-doc")
PASSAGE_CHARS = 900
EMBEDDED = 4000
NEIGHBOURS = 10
NOISE = 0.3
"""Length of the random part of a made vector, beside that of about 1 between two real neighbours."""
TOP = 5
DEEPER = 24
"""How many of the nearest are looked at, too, for what a graph does not find."""
DIMENSIONS = 512
NO_BOUND = 2.0
SENTENCES = 6
"""In a passage of this length; each has a code, read with the passage."""
ROUNDING = 1e-5
"""Two computations of one distance differ by less."""
LOADING_S = 900.0

Matrix = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


@dataclass(frozen=True)
class Corpus:
    """Passages in a fixed order: (document, text), and a vector for each."""

    passages: list[tuple[str, str]]
    vectors: Matrix
    questions: dict[str, bytes]


class Known:
    """An embedder that knows its texts' vectors already: what is measured is the search."""

    name, dimensions = f"usem3-{DIMENSIONS}", DIMENSIONS

    def __init__(self, vectors: dict[str, bytes]) -> None:
        self._vectors = vectors

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Looked up."""
        try:
            return [self._vectors[text] for text in texts]
        except KeyError:
            raise EmbeddingUnavailable("not embedded before") from None


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Of one kind and size. Milliseconds, in the order they were taken; MB per 1,000 passages; seconds."""

    kind: Kind
    size: int
    ours: list[float]
    plain: list[float]
    memory_mb: float
    written_per_s: float
    lost: tuple[float, float]
    used_ms: tuple[float, float]
    loading_s: float = 0.0
    cpu_s: float = 0.0

    def line(self) -> str:
        """A line of the table."""
        ours, plain_ones = (
            f"{quantile(taken, 0.5):.2f} / {quantile(taken, 0.99):.2f}" for taken in (self.ours, self.plain)
        )
        ratio = quantile(self.ours, 0.5) / quantile(self.plain, 0.5)
        undisturbed = quantile(fastest(self.ours), 0.5) / quantile(fastest(self.plain), 0.5)
        return (
            f"| {self.kind} | {self.size:,} | {ours} | {plain_ones} | {ratio:.2f} ({undisturbed:.2f}) "
            f"| {self.used_ms[0]:.2f} / {self.used_ms[1]:.2f} = {self.used_ms[0] / self.used_ms[1]:.2f} "
            f"| {self.memory_mb:.1f} | {self.written_per_s:,.0f} | {self.loading_s:.1f} ({self.cpu_s:.1f}) "
            f"| {self.lost[0]:.1%} / {self.lost[1]:.1%} |"
        )


# --- the corpus -------------------------------------------------------------------------------------------------


def fetch(cache: Path) -> Path:
    """The folder with the packages' documentation, fetched if it is not there."""
    documentation = cache / "usr" / "share" / "doc"
    if not documentation.exists():
        subprocess.run(["apt-get", "download", *PACKAGES], cwd=cache, check=True)  # noqa: S603, S607 - fixed words
        for package in cache.glob("*.deb"):
            subprocess.run(["dpkg-deb", "-x", str(package), str(cache)], check=True)  # noqa: S603, S607 - likewise
    return documentation


def documents(documentation: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of every source of the documentation, in order."""
    for path in sorted([*documentation.rglob("*.rst.gz"), *documentation.rglob("*.rst.txt")]):
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        yield str(path.relative_to(documentation)), content.decode("utf-8", "replace")


def cut(text: str) -> Iterator[str]:
    """Passages of whole paragraphs, as many as fit; a longer paragraph is cut where it is full."""
    passage = ""
    for paragraph in text.split("\n\n"):
        for at in range(0, len(paragraph.strip()), PASSAGE_CHARS):
            part = paragraph.strip()[at : at + PASSAGE_CHARS]
            if passage and len(passage) + len(part) > PASSAGE_CHARS:
                yield passage
                passage = ""
            passage = f"{passage}\n\n{part}".strip()
    if passage:
        yield passage


async def corpus(cache: Path, size: int) -> Corpus:
    """The first passages in a random order of documents, copies if there are too few, and their vectors."""
    sources = list(documents(fetch(cache)))
    random.Random(1).shuffle(sources)
    passages = [(name, passage) for name, text in sources for passage in cut(text)]
    print(f"{len(passages):,} passages of {len(sources):,} documents", flush=True)
    round_trip = 0
    while len(passages) < size:
        round_trip += 1
        passages += [(f"copy-{round_trip}/{name}", text) for name, text in passages[: size - len(passages)]]
    embedder = BuiltinEmbedder()
    stored = cache / f"vectors-{EMBEDDED}.npy"
    if not stored.exists():
        began = time.perf_counter()
        texts = [text for _, text in random.Random(2).sample(passages, EMBEDDED)]
        np.save(stored, np.frombuffer(b"".join(await embedder.embed(texts)), dtype="<f4").reshape(-1, DIMENSIONS))
        print(f"{EMBEDDED} of them embedded, {EMBEDDED / (time.perf_counter() - began):.0f} a second", flush=True)
    questions = dict(zip(QUESTIONS, await embedder.embed(QUESTIONS), strict=True))
    embedder.close()
    return Corpus(passages[:size], spread(np.load(stored), size), questions)


def spread(real: Matrix, size: int) -> Matrix:
    """As many vectors as are wanted: the real ones, then made ones; shape (size, dimensions), L2-normalised.

    Random directions alone would make all copies of one vector equally near, which is harder than any text.
    """
    generator = np.random.default_rng(3)
    wanted = max(size - len(real), 0)
    neighbours = np.argsort(-(real @ real.T), axis=1)[:, 1 : NEIGHBOURS + 1]
    ones = generator.integers(0, len(real), wanted)
    others = neighbours[ones, generator.integers(0, NEIGHBOURS, wanted)]
    share = generator.random((wanted, 1), dtype="<f4")
    noise = generator.standard_normal((wanted, DIMENSIONS)).astype("<f4")
    noise *= NOISE / np.linalg.norm(noise, axis=1, keepdims=True)
    made = share * real[ones] + (1 - share) * real[others] + noise
    vectors = np.concatenate([real, made / np.linalg.norm(made, axis=1, keepdims=True)])
    generator.shuffle(vectors)
    return vectors[:size].astype("<f4")


# --- measuring --------------------------------------------------------------------------------------------------


async def fill(passages: Passages, corpus: Corpus, start: int, end: int) -> float:
    """Write passages `start` to `end` as ingest does, each document's as one; how many a second."""
    began = time.perf_counter()
    at = start
    while at < end:
        name = corpus.passages[at][0]
        until = at
        while until < end and corpus.passages[until][0] == name:
            until += 1
        # A size may end in the middle of a document: the rest of it is another one.
        path = f"{name}#{at}"
        record = DocumentRecord(version="1" * 16, sha256="", title=name, passages=until - at, origins={"cli": "bench"})
        await passages.write(path, record, [new(corpus, number, number - at) for number in range(at, until)])
        assert await passages.switch(path, record)  # noqa: S101 - else nothing below means anything
        at = until
    return (end - start) / (time.perf_counter() - began)


def new(corpus: Corpus, at: int, number: int) -> NewPassage:
    """A passage as ingest would hand it over."""
    name, text = corpus.passages[at]
    title = name.rpartition("/")[2]
    return NewPassage(
        number=number,
        title=title,
        place="",
        text=text,
        url="",
        words=words_of(title, Piece("", text)),
        language="en",
        embedding=corpus.vectors[at].tobytes(),
        codes=coded([corpus.vectors[at].tobytes()] * (1 + SENTENCES)),
    )


async def timed(
    redis: Redis, passages: Passages, index: PassageIndex, corpus: Corpus, rounds: int
) -> list[list[float]]:
    """Milliseconds of our searches and of plain ones, question by question in turns."""
    taken: list[list[float]] = [[], []]
    for round_number in range(rounds + 1):
        for question, vector in corpus.questions.items():
            began = time.perf_counter()
            found = await passages.search(question, "en", TOP)
            between = time.perf_counter()
            await plain(redis, index, vector, TOP)
            ended = time.perf_counter()
            assert found.passages  # noqa: S101 - a search that finds nothing is quick
            # The first round opens connections and fills caches.
            if round_number:
                taken[0].append((between - began) * 1000)
                taken[1].append((ended - between) * 1000)
    return taken


async def used_by(
    redis: Redis, passages: Passages, index: PassageIndex, corpus: Corpus, rounds: int
) -> tuple[float, float]:
    """Milliseconds of CPU that our search and a plain one take of this process and the server together."""

    async def used() -> float:
        of_server = await redis.info("cpu")
        return float(time.process_time() + of_server["used_cpu_user"] + of_server["used_cpu_sys"])

    ours = plain_ones = 0.0
    for _ in range(rounds):
        began = await used()
        for question in corpus.questions:
            await passages.search(question, "en", TOP)
        between = await used()
        for vector in corpus.questions.values():
            await plain(redis, index, vector, TOP)
        ours, plain_ones = ours + between - began, plain_ones + await used() - between
    searches = rounds * len(corpus.questions)
    return ours * 1000 / searches, plain_ones * 1000 / searches


async def plain(redis: Redis, index: PassageIndex, vector: bytes, count: int) -> None:
    """The nearest passages as anybody would ask for them, each with its path and text."""
    await redis.execute_command(  # type: ignore[no-untyped-call]  # redis-py leaves it bare
        *("FT.SEARCH", index.name, f"*=>[KNN {count} @embedding $vector AS distance]"),
        *("PARAMS", 2, "vector", vector, "SORTBY", "distance"),
        *("RETURN", 3, "path", "text", "distance", "LIMIT", 0, count, "DIALECT", 2),
    )


async def lost(redis: Redis, index: PassageIndex, corpus: Corpus, size: int) -> tuple[float, float]:
    """Shares of the 5 and the 24 truly nearest that the index does not find."""
    missed, vectors = [0, 0], corpus.vectors[:size]
    for vector in corpus.questions.values():
        nearest = np.sort(1 - vectors @ np.frombuffer(vector, dtype="<f4"))
        reply = await redis.execute_command(*index.nearest(vector, DEEPER))  # type: ignore[no-untyped-call]  # bare
        found = [float(row.fields["distance"]) for row in rows(reply)]
        for place, count in enumerate((TOP, DEEPER)):
            missed[place] += count - sum(distance <= nearest[count - 1] + ROUNDING for distance in found[:count])
    asked = len(corpus.questions)
    return missed[0] / (TOP * asked), missed[1] / (DEEPER * asked)


async def measure(kind: Kind, corpus: Corpus, sizes: Sequence[int], rounds: int) -> list[Figures]:
    """Every size of one kind, each filled on top of the one before."""
    figures: list[Figures] = []
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder:
        for start, size in zip((0, *sizes), sizes, strict=False):
            with server(folder) as url:
                figures.append(await measure_size(url, kind, corpus, start, size, rounds))
            with server(folder) as url:
                figures[-1] = replace(
                    figures[-1], loading_s=loading_seconds(Path(folder)), cpu_s=await cpu_seconds(url)
                )
            print(f"{figures[-1].line()}", flush=True)
    return figures


def server(folder: str) -> AbstractContextManager[str]:
    """A server that loads what the last one in this folder saved."""
    return redis_server(Path(folder), seconds=LOADING_S)


def loading_seconds(folder: Path) -> float:
    """What the server's log says of its last start; in that time it answers nothing."""
    return float(re.findall(r"DB loaded from disk: ([\d.]+) seconds", (folder / "redis.log").read_text())[-1])


async def cpu_seconds(url: str) -> float:
    """What a server has used since its start; of one that has just loaded, for loading."""
    redis = connect(url)
    used = await redis.info("cpu")
    await redis.aclose()
    return float(used["used_cpu_user"] + used["used_cpu_sys"])


async def measure_size(url: str, kind: Kind, corpus: Corpus, start: int, size: int, rounds: int) -> Figures:
    """Fill up from `start` to `size`, search, save."""
    # Saving takes longer than the bot would wait for an answer.
    redis = connect(url, answer_timeout=timedelta(minutes=5))
    known = Known(corpus.questions)
    passages = Passages(redis, known, max_cosine_distance=NO_BOUND, flat_up_to=-1 if kind == "hnsw" else None)
    await passages.ensure_index()
    index = PassageIndex(redis, kb="main", embedder=known.name, dimensions=DIMENSIONS, kind=kind)
    before = (await redis.info("memory"))["used_memory"]
    written_per_s = await fill(passages, corpus, start, size)
    memory = ((await redis.info("memory"))["used_memory"] - before) / (size - start) / 1000
    ours, plain_ones = await timed(redis, passages, index, corpus, rounds)
    used_ms = await used_by(redis, passages, index, corpus, rounds)
    missed = await lost(redis, index, corpus, size)
    await redis.save()
    await redis.aclose()
    return Figures(
        kind=kind,
        size=size,
        ours=ours,
        plain=plain_ones,
        memory_mb=memory,
        written_per_s=written_per_s,
        lost=missed,
        used_ms=used_ms,
    )


# --- printing ---------------------------------------------------------------------------------------------------


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share is at or below."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def fastest(taken: Sequence[float]) -> list[float]:
    """Of each question its fastest round: what it takes where nothing else runs."""
    return [min(taken[at :: len(QUESTIONS)]) for at in range(len(QUESTIONS))]


HEAD = """
| index | passages | search, ms | plain, ms | ratio | CPU, ms | MB / 1,000 | written/s | LOADING s (CPU) | lost 5 / 24 |
|---|---|---|---|---|---|---|---|---|---|"""


async def main(cache: Path, sizes: Sequence[int], kinds: Sequence[Kind], rounds: int) -> None:
    """Measure all and print the table."""
    texts = await corpus(cache, max(sizes))
    print(HEAD, flush=True)
    for kind in kinds:
        await measure(kind, texts, sizes, rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cache", type=Path, help="keeps the documentation and the vectors; else a temporary folder")
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--kinds", nargs="+", choices=("flat", "hnsw"), default=["flat", "hnsw"])
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fd-docs") as temporary:
        place = asked.cache or Path(temporary)
        place.mkdir(parents=True, exist_ok=True)
        asyncio.run(main(place, asked.sizes, asked.kinds, asked.rounds))

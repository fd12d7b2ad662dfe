"""How long passages should be: whether the one that holds the answer is found, and what the prompt costs.

    FRONTDESK_SHARED=<folder with data/> python -m bench.splitting [--corpora …] [--sizes 220/400/60 …] [--every 2]

Documents are made of real text, read, cut and ingested as always, and searched as always, on a real Redis. *xquad*: the
paragraphs of an article as one document. *run-on*: the same without any blank line, as text comes out of many PDFs;
here passages must be cut within paragraphs. *faq*: the chapters of the Debian FAQ, its questions left out of the text
and asked. A question of XQuAD is answered by a passage that holds the answer with the 15 characters around it, one of
the FAQ by a passage of its section. Sizes were chosen on the even questions of each corpus; the odd ones only report.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bot.knowledge.ingest import Ingest
from bot.knowledge.progress import Progress
from bot.knowledge.read import parse_content
from bot.knowledge.split import Sizes
from bot.llm.embed import BuiltinEmbedder
from bot.message import Language
from bot.store.client import connect
from bot.store.passages import Passages
from bot.tokens import estimate_tokens
from bot.turn import Passage
from tests.servers.redis import redis_server

K = 10
"""Passages asked for: enough to fill a thousand tokens, but for the smallest ones."""
PROMPT_PASSAGES = 5
PROMPT_TOKENS = 1_000
AROUND = 15
"""Characters beside the answer that must be in the passage: a chance occurrence elsewhere is no answer."""
MAX_COSINE_DISTANCE = 0.8
NUMBERING = re.compile(r"^[\d.]+\s*")
SIZES = (
    *("80/145/60", "120/220/60", "160/290/60", "220/400/60", "300/550/60", "400/730/60", "220/220/60"),
    *("160/290/0", "220/400/0", "300/550/0", "220/400/100", "220/400/140"),
)


@dataclass(frozen=True)
class Asked:
    """A question, and what a passage must be to answer it."""

    text: str
    holds: Callable[[Passage], bool]


@dataclass
class Corpus:
    """Documents by file name, and questions."""

    language: Language
    documents: dict[str, str] = field(default_factory=dict)
    questions: list[Asked] = field(default_factory=list)


@dataclass
class Score:
    """Of one half of the questions."""

    asked: int = 0
    first: int = 0
    five: int = 0
    within: int = 0
    tokens: int = 0

    def add(self, asked: Asked, found: Sequence[Passage]) -> None:
        """Count one question."""
        right = [asked.holds(passage) for passage in found]
        costs = [estimate_tokens(passage.text) for passage in found]
        self.asked += 1
        self.first += any(right[:1])
        self.five += any(right[:PROMPT_PASSAGES])
        self.within += any(one and sum(costs[: at + 1]) <= PROMPT_TOKENS for at, one in enumerate(right))
        self.tokens += sum(costs[:PROMPT_PASSAGES])

    def __str__(self) -> str:
        """R@1 / R@5 / R within the tokens; tokens of five."""
        first, five, within = (100 * count / self.asked for count in (self.first, self.five, self.within))
        return f"{first:.1f} / {five:.1f} / {within:.1f}, {self.tokens / self.asked:.0f}"


class Remembering:
    """The built-in embedder, each text once."""

    def __init__(self, embedder: BuiltinEmbedder) -> None:
        self._embedder = embedder
        self._known: dict[str, bytes] = {}
        self.name, self.dimensions = embedder.name, embedder.dimensions

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Looked up, or as the real one."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known.update(zip(new, await self._embedder.embed(new), strict=True))
        return [self._known[text] for text in texts]


def xquad(shared: Path, language: Language, *, between: str) -> Corpus:
    """Articles; `between` separates their paragraphs."""
    corpus = Corpus(language)
    articles = json.loads((shared / f"data/xquad/xquad.{language}.json").read_text())["data"]
    for number, article in enumerate(articles):
        paragraphs = article["paragraphs"]
        text = between.join(squeezed(paragraph["context"]) for paragraph in paragraphs)
        corpus.documents[f"{number}.md"] = f"# {article['title'].replace('_', ' ')}\n\n{text}\n"
        for paragraph in paragraphs:
            for asked in paragraph["qas"]:
                answer = asked["answers"][0]
                start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
                around = squeezed(paragraph["context"][max(start - AROUND, 0) : end + AROUND])
                corpus.questions.append(Asked(asked["question"], holding(f"{number}.md", around)))
    return corpus


def holding(name: str, words: str) -> Callable[[Passage], bool]:
    """A passage of that document that has the words."""
    return lambda passage: Path(passage.document).name == name and words in squeezed(passage.text)


def squeezed(text: str) -> str:
    """With single blanks."""
    return " ".join(text.split())


def faq(shared: Path, language: Language) -> Corpus:
    """Chapters of the Debian FAQ without their tables of contents; each question gives way to a number."""
    corpus = Corpus(language)
    folder = shared / "data/kb-debian-faq" / ("zh-cn" if language == "zh" else "")
    for file in sorted(folder.glob("*.html")):
        document = parse_content(file.name, file.read_bytes())
        sections = [(place, body) for place, body in document.sections if place]
        if file.name.startswith("index"):
            continue
        lines = [f"# {document.title}"]
        for number, (place, body) in enumerate(sections):
            lines += [f"## S{number}", body]
            question = NUMBERING.sub("", place.rpartition(" › ")[2])
            corpus.questions.append(Asked(question, in_section(f"{file.stem}.md", f"S{number}")))
        corpus.documents[f"{file.stem}.md"] = "\n\n".join(lines)
    return corpus


def in_section(name: str, place: str) -> Callable[[Passage], bool]:
    """A passage of that section."""
    return lambda passage: Path(passage.document).name == name and passage.place == place


CORPORA: dict[str, Callable[[Path], Corpus]] = {
    "xquad en": lambda shared: xquad(shared, "en", between="\n\n"),
    "xquad zh": lambda shared: xquad(shared, "zh", between="\n\n"),
    "run-on en": lambda shared: xquad(shared, "en", between=" "),
    "run-on zh": lambda shared: xquad(shared, "zh", between=""),
    "faq en": lambda shared: faq(shared, "en"),
    "faq zh": lambda shared: faq(shared, "zh"),
}


def write(corpus: Corpus, folder: Path) -> None:
    """The documents, as files."""
    for name, text in corpus.documents.items():
        Path(folder, name).write_text(text, encoding="utf-8")


async def ask_all(url: str, corpus: Corpus, folder: Path, embedder: Remembering, sizes: Sizes) -> None:
    """Ingest the documents with passages of these sizes, ask all questions, print both halves."""
    redis = connect(url)
    await redis.flushall()
    passages = Passages(redis, embedder, max_cosine_distance=MAX_COSINE_DISTANCE)
    written = 0

    def count(progress: Progress) -> None:
        nonlocal written
        written = progress.passages

    summary = await Ingest(passages, embedder, sizes=sizes).sync([folder], progress=count)
    if summary.failed:
        raise SystemExit(f"not ingested: {summary.failed}")
    halves = Score(), Score()
    for number, asked in enumerate(corpus.questions):
        found = await passages.search(asked.text, corpus.language, K)
        halves[number % 2].add(asked, found.passages)
    await redis.aclose()
    print(f"{sizes.target}/{sizes.limit}/{sizes.overlap} | {written} | {halves[0]} | {halves[1]} |", flush=True)


async def main(url: str, shared: Path, corpora: Sequence[str], sizes: Sequence[str], every: int) -> None:
    """Print a table for each corpus."""
    builtin = BuiltinEmbedder()
    embedder = Remembering(builtin)
    for name in corpora:
        corpus = CORPORA[name](shared)
        corpus.questions = [asked for at, asked in enumerate(corpus.questions) if at // 2 % every == 0]
        print(f"\n{name}: {len(corpus.documents)} documents, {len(corpus.questions)} questions\n", flush=True)
        print("| target/limit/overlap | passages | even: R@1 / R@5 / R in 1,000 tokens, tokens of 5 | odd |")
        print("|---|---|---|---|")
        with tempfile.TemporaryDirectory() as folder:
            write(corpus, Path(folder))
            for each in sizes:
                print("| ", end="")
                await ask_all(url, corpus, Path(folder), embedder, Sizes(*map(int, each.split("/"))))
    builtin.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpora", nargs="+", choices=CORPORA, default=[*CORPORA])
    parser.add_argument("--sizes", nargs="+", default=SIZES, metavar="TARGET/LIMIT/OVERLAP")
    parser.add_argument("--every", type=int, default=1, help="of each half, only one question in so many")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder, redis_server(Path(folder)) as server:
        shared = Path(os.environ["FRONTDESK_SHARED"])
        asyncio.run(main(server, shared, arguments.corpora, arguments.sizes, arguments.every))

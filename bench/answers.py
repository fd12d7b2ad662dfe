"""What people get without a model: how often a quote, the right one, a hint, or a plain "not in the documents".

    FRONTDESK_SHARED=<folder with data/> python -m bench.answers [--half even|odd] [--only follow-ups|quotes]

Everything goes through the ingest, index, ranking and quoting that serve. The bounds of `bot.llm.quote` were chosen on
every other question (`--half even`); the other half is what is reported.

*Follow-ups* (`bench/follow_ups.jsonl`): is a passage with the fact among the first three, if the follow-up is searched
for by itself, with the question before it as `bot.steps.rewrite` does without a model, and as a person wrote it out,
which is what a model can reach.

*Quotes*: four knowledge bases (the 240 paragraphs of XQuAD in English and in Chinese, the Debian FAQ in both languages,
our samples), each asked what it answers and what it does not. `own paragraph missing` asks XQuAD's questions after the
paragraph that answers them was taken out of what was found; others about the same article are still there.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import html
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from bot.config import Config
from bot.knowledge.ingest import Ingest
from bot.language import language_of
from bot.llm.embed import BuiltinEmbedder
from bot.llm.quote import quote
from bot.message import Language
from bot.prompt import cited
from bot.standalone import fitness
from bot.steps.rewrite import together
from bot.store.client import connect
from bot.store.passages import Passages
from bot.turn import Passage
from tests.knowledge.sample_questions import CHINESE, ENGLISH, UNANSWERABLE
from tests.servers.redis import redis_server

TOP_K = 5
FIRST = 3
"""Of the passages found for a follow-up: what a model surely reads."""
SOME = 5
"""Every so many questions of the large sets are asked where nothing answers them."""
FOLLOW_UPS = Path(__file__).parent / "follow_ups.jsonl"

IsRight = Callable[[Passage], bool]


class Asked(NamedTuple):
    """A question, its language, and which passages answer it (None: no passage does)."""

    text: str
    language: Language
    is_right: IsRight | None = None


@dataclass
class Tally:
    """What came of one set of questions."""

    asked: int = 0
    quoted: int = 0
    right: int = 0
    first: int = 0
    named: int = 0
    named_right: int = 0

    def add(self, question: Asked, passages: Sequence[Passage]) -> None:
        """Count one question."""
        said = quote(question.text, question.language, passages)
        _, numbers = cited(said.markdown, len(passages))
        is_right = [question.is_right is not None and question.is_right(passage) for passage in passages]
        self.asked += 1
        self.quoted += bool(numbers)
        self.right += any(is_right[number - 1] for number in numbers)
        self.first += bool(numbers) and is_right[numbers[0] - 1]
        self.named += bool(said.near)
        self.named_right += any(is_right[number - 1] for number in said.near)

    def __str__(self) -> str:
        """Shares in per cent: of all; the right ones of those quoted or named."""

        def share(part: int, whole: int) -> str:
            return f"{100 * part / whole:.1f}" if whole else "–"

        refused = self.asked - self.quoted - self.named
        cells = (
            *(str(self.asked), share(self.quoted, self.asked), share(self.right, self.quoted)),
            *(share(self.first, self.quoted), share(self.named, self.asked), share(self.named_right, self.named)),
            share(refused, self.asked),
        )
        return "".join(f"{cell:>9}" for cell in cells)


@dataclass
class Base:
    """A knowledge base and what it is asked.

    Attributes:
        folder: its documents.
        answered: questions that it answers.
        others: name → questions that it does not answer.
        near: also ask the answered ones with the right passages taken out.
    """

    folder: Path
    answered: list[Asked]
    others: dict[str, list[Asked]] = field(default_factory=dict)
    near: bool = False


# --- the questions ----------------------------------------------------------------------------------------------


def xquad(data: Path, language: Language, folder: Path) -> list[Asked]:
    """Its questions; each paragraph becomes a file of the folder."""
    folder.mkdir()
    articles = json.loads((data / f"xquad/xquad.{language}.json").read_text(encoding="utf-8"))["data"]
    paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
    questions = []
    for number, paragraph in enumerate(paragraphs):
        file = folder / f"{number}.txt"
        file.write_text(paragraph["context"], encoding="utf-8")
        questions += [Asked(qa["question"], language, _of_document(str(file))) for qa in paragraph["qas"]]
    return questions


def debian(data: Path, folder: Path) -> list[Asked]:
    """Its FAQ as files of the folder, and the headings that are questions; they stand in the indexed text."""
    folder.mkdir()
    questions = []
    for page in sorted([*data.glob("kb-debian-faq/*.html"), *data.glob("kb-debian-faq/zh-cn/*.html")]):
        if page.name.startswith("index"):
            continue
        shutil.copy(page, folder)
        text = page.read_text(encoding="utf-8")
        for heading in re.findall(r'<h[23][^>]*class="title"[^>]*>(.*?)</h[23]>', text, re.DOTALL):
            words = " ".join(html.unescape(re.sub("<[^>]+>", "", heading)).split())
            numbered = re.fullmatch(r"(?:\d+\.)+\s*(.+[?？].*)", words)
            if numbered:
                language: Language = "zh" if "zh-cn" in page.name else "en"
                questions.append(Asked(numbered[1], language, _under_heading(numbered[1])))
    return questions


def samples() -> list[Asked]:
    """What the tests ask, and the follow-ups written out."""
    asked = [(question, fact) for question, _, fact in (*ENGLISH, *CHINESE)]
    asked += [(row["alone"], row["fact"]) for row in follow_ups()]
    return [Asked(question, language_of(question), _showing(fact)) for question, fact in asked]


def banking(data: Path) -> list[Asked]:
    """Banking77's test questions, some of them."""
    rows = list(csv.DictReader((data / "banking77/test.csv").open(encoding="utf-8")))
    return [Asked(row["text"], "en") for row in rows[::SOME]]


def bases(data: Path, folder: Path) -> dict[str, Base]:
    """All of them."""
    english, chinese = xquad(data, "en", folder / "en"), xquad(data, "zh", folder / "zh")
    faq, ours, bank = debian(data, folder / "faq"), samples(), banking(data)

    def foreign(questions: list[Asked], language: Language | None = None) -> list[Asked]:
        chosen = [question for question in questions if language in (None, question.language)]
        return [Asked(question.text, question.language) for question in chosen]

    encyclopedia = foreign([*english[::SOME], *chinese[::SOME]])
    none = [Asked(question, language_of(question)) for question in UNANSWERABLE]
    return {
        "XQuAD en": Base(
            folder / "en",
            english,
            {"banking77": bank, "samples": foreign(ours, "en"), "Debian FAQ": foreign(faq, "en")},
            near=True,
        ),
        "XQuAD zh": Base(
            folder / "zh", chinese, {"samples": foreign(ours, "zh"), "Debian FAQ": foreign(faq, "zh")}, near=True
        ),
        "Debian FAQ": Base(
            folder / "faq", faq, {"XQuAD": encyclopedia, "banking77": bank, "samples": foreign(ours)}
        ),
        "samples": Base(
            Path("samples"),
            ours,
            {"XQuAD": encyclopedia, "Debian FAQ": foreign(faq), "of the tests": none, "banking77 (near)": bank},
        ),
    }  # fmt: skip


def follow_ups() -> list[dict[str, str]]:
    """Rows with `before` as the last question before."""
    rows = [json.loads(line) for line in FOLLOW_UPS.read_text(encoding="utf-8").splitlines()]
    return [{**row, "before": row["before"][-1]} for row in rows]


def _of_document(path: str) -> IsRight:
    return lambda passage: passage.document == path


def _under_heading(heading: str) -> IsRight:
    return lambda passage: heading in passage.place or heading in passage.title


def _showing(fact: str) -> IsRight:
    return lambda passage: fact in passage.text


# --- the answers ------------------------------------------------------------------------------------------------


async def measure_quotes(passages: Passages, name: str, base: Base, start: int) -> None:
    """Ask one base all its questions and print what came of them."""
    tally, missing = Tally(), Tally()
    for question in base.answered[start::2]:
        found = (await passages.search(question.text, question.language, 2 * TOP_K)).passages
        tally.add(question, found[:TOP_K])
        if base.near and question.is_right is not None:
            wrong = [passage for passage in found if not question.is_right(passage)]
            missing.add(Asked(question.text, question.language), wrong[:TOP_K])
    print(f"{name + ', asked what it answers':42}{tally}")
    if base.near:
        print(f"{'  own paragraph missing':42}{missing}")
    for other, questions in base.others.items():
        tally = Tally()
        for question in questions[start::2]:
            tally.add(question, (await passages.search(question.text, question.language, TOP_K)).passages)
        print(f"{'  asked ' + other:42}{tally}")


async def measure_follow_ups(passages: Passages, start: int) -> None:
    """Print how often each way of searching finds the right passage, and how many follow-ups are seen as such."""
    print(f"\n{'follow-ups':12}{'asked':>7}{'by itself':>12}{'with the one before':>22}{'written out':>14}{'lean':>7}")
    for language in ("en", "zh"):
        rows = [row for row in follow_ups() if row["language"] == language][start::2]
        counts = [0, 0, 0, 0]
        for row in rows:
            tried = (row["asked"], together(row["before"], row["asked"]), row["alone"])
            for at, question in enumerate(tried):
                found = (await passages.search(question, language, TOP_K)).passages
                counts[at] += any(row["fact"] in passage.text for passage in found[:FIRST])
            counts[3] += fitness(row["asked"], language, has_history=True).leans
        itself, before, written, lean = counts
        print(f"{language:12}{len(rows):>7}{itself:>12}{before:>22}{written:>14}{lean:>7}")
        questions = [question for question, *_ in (ENGLISH if language == "en" else CHINESE)][start::2]
        taken = sum(fitness(question, language, has_history=True).leans for question in questions)
        print(f"{'':12}of {len(questions)} questions that stand alone {taken} are taken for follow-ups")


async def main(url: str, shared: Path, start: int, only: str) -> None:
    """Print both tables."""
    redis, embedder = connect(url), BuiltinEmbedder()
    with tempfile.TemporaryDirectory() as folder:
        todo = bases(shared / "data", Path(folder))
        if only != "follow-ups":
            heads = ("asked", "quoted", "right", "first", "named", "right", "refused")
            print(f"{'in %':42}" + "".join(f"{head:>9}" for head in heads))
        for at, (name, base) in enumerate(todo.items()):
            if only == "follow-ups" and name != "samples":
                continue
            passages = Passages(
                redis, embedder, kb=f"b{at}", max_cosine_distance=Config().knowledge.max_cosine_distance
            )
            await Ingest(passages, embedder).sync([base.folder])
            if only != "follow-ups":
                await measure_quotes(passages, name, base, start)
        if only != "quotes":
            await measure_follow_ups(passages, start)
    await redis.aclose()
    embedder.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--half", choices=("even", "odd"), default="odd", help="even: the one the bounds were chosen on"
    )
    parser.add_argument("--only", choices=("follow-ups", "quotes"), default="", help="one of the two tables")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder, redis_server(Path(folder)) as server:
        first = 0 if arguments.half == "even" else 1
        asyncio.run(main(server, Path(os.environ["FRONTDESK_SHARED"]), first, arguments.only))

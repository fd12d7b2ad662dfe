"""The knowledge bases and questions that `bench.retrieval` asks: XQuAD and the Debian FAQ, a file for each part.

A file's name is a hash: nothing in it tells which file is whose copy. XQuAD: a file for each of 240 paragraphs, and
1,190 questions, the same in English and Chinese. Debian FAQ: a file for each of 147 sections without its heading, which
is the question; nothing else of the page is in the file.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Literal

from bot.knowledge.read import parse_content

Half = Literal["even", "odd"]
LANGUAGES = ("en", "zh")
CORPORA = ("XQuAD", "FAQ")
OUT_OF_SCOPE = 300
"""Questions about something else, of each kind, about; evenly chosen."""
_NUMBERING = re.compile(r"^[\d.]+\s*")


@dataclass(frozen=True)
class Corpus:
    """Texts, and questions with the number of the text that answers each."""

    texts: list[str]
    questions: list[tuple[str, int]]


@dataclass(frozen=True)
class Asked:
    """A question and the file that answers it; none if nothing does."""

    text: str
    file: str = ""


@dataclass(frozen=True)
class Base:
    """What is ingested together: text by file name."""

    name: str
    files: dict[str, str]


@dataclass(frozen=True)
class Set:
    """Questions asked of a base."""

    name: str
    base: Base
    questions: list[Asked]


class Sets:
    """All of them, from the shared data.

    Args:
        shared: the folder that holds `data/`.
        half: even questions, on which constants are chosen, or odd ones, which are reported; all if None.
    """

    def __init__(self, shared: Path, half: Half | None) -> None:
        self._data = shared / "data"
        self._every = slice({"even": 0, "odd": 1, None: 0}[half], None, 2 if half else 1)
        self._corpora = {f"XQuAD {language}": self._xquad(language) for language in LANGUAGES}
        self._corpora |= {f"FAQ {language}": self._debian_faq(language) for language in LANGUAGES}
        self._bases = {name: Base(name, _files(name, corpus.texts)) for name, corpus in self._corpora.items()}

    def answerable(self) -> list[Set]:
        """Sets of one base stand together: each corpus by itself, all of them in one base, and `mixed`.

        Of `mixed` each paragraph is in one language only, so that half of its questions are asked across languages.
        """
        found = []
        for name in CORPORA:
            for own in LANGUAGES:
                part = f"{name} {own}"
                found += [
                    Set(f"{name} {asker} → {own}", self._bases[part], self._asked(f"{name} {asker}", part))
                    for asker in LANGUAGES
                ]
        files = {file: text for base in self._bases.values() for file, text in base.files.items()}
        one = Base("all in one", files)
        found += [Set(f"all in one, {part}", one, self._asked(part, part)) for part in self._corpora]
        texts = [
            self._corpora[f"XQuAD {LANGUAGES[at % 2]}"].texts[at] for at in range(len(self._bases["XQuAD en"].files))
        ]
        mixed = Base("mixed", _files("mixed", texts))
        return found + [
            Set(f"mixed, {asker} asks", mixed, self._asked(f"XQuAD {asker}", "mixed")) for asker in LANGUAGES
        ]

    def out_of_scope(self) -> list[Set]:
        """Questions that no text of the base answers."""
        asked = {name: self._asked(name, name) for name in self._corpora}
        rows = list(csv.reader((self._data / "banking77/test.csv").open(encoding="utf-8")))[1:]
        asked["banking77"] = [Asked(row[0]) for row in rows[self._every]]
        pairs = (
            *(("XQuAD en", "FAQ en"), ("XQuAD zh", "FAQ zh"), ("FAQ en", "XQuAD en"), ("FAQ zh", "XQuAD zh")),
            *(("XQuAD zh", "FAQ en"), ("FAQ zh", "XQuAD en")),
            *(("banking77", "XQuAD en"), ("banking77", "FAQ en"), ("banking77", "XQuAD zh")),
        )
        return [
            Set(f"{name} asked of {base}", self._bases[base], [Asked(one.text) for one in _about(asked[name])])
            for name, base in pairs
        ]

    def _asked(self, corpus: str, part: str) -> list[Asked]:
        """The corpus's questions, answered by the files of that part."""
        return [Asked(text, _file(part, number)) for text, number in self._corpora[corpus].questions[self._every]]

    def _xquad(self, language: str) -> Corpus:
        articles = json.loads((self._data / f"xquad/xquad.{language}.json").read_text(encoding="utf-8"))["data"]
        paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
        questions = [(qa["question"], number) for number, paragraph in enumerate(paragraphs) for qa in paragraph["qas"]]
        return Corpus([paragraph["context"] for paragraph in paragraphs], questions)

    def _debian_faq(self, language: str) -> Corpus:
        folder = self._data / "kb-debian-faq" / ("" if language == "en" else "zh-cn")
        documents = [parse_content(file.name, file.read_bytes()) for file in sorted(folder.glob("*.html"))]
        sections = [section for document in documents for section in document.sections if section[0]]
        headings = [_NUMBERING.sub("", place.split(" › ")[-1]) for place, _ in sections]
        return Corpus([text for _, text in sections], [(heading, number) for number, heading in enumerate(headings)])


def _about(questions: Sequence[Asked]) -> Sequence[Asked]:
    return questions[:: max(len(questions) // OUT_OF_SCOPE, 1)]


def _file(part: str, number: int) -> str:
    return f"{sha256(f'{part} {number}'.encode()).hexdigest()[:12]}.txt"


def _files(part: str, texts: Sequence[str]) -> dict[str, str]:
    return {_file(part, number): text for number, text in enumerate(texts)}

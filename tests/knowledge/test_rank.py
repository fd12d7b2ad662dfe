"""The ranking by itself: languages, copies, bounds."""

from __future__ import annotations

import pytest

from bot.message import Language
from bot.store.passages_index import Row
from bot.store.passages_rank import Candidate, best


def candidate(path: str, language: Language, *, distance: float | None, bm25: float = 0.0, text: str = "") -> Candidate:
    """A passage as the two searches bring it."""
    fields = {
        "document": path,
        "path": path,
        "number": "0",
        "version": "1",
        "title": "",
        "place": "",
        "text": text,
        "language": language,
    }
    return Candidate(Row(f"key:{path}:{language}", fields, bm25), distance, bm25)


def order(candidates: list[Candidate], *, language: Language = "en", tokens: tuple[str, ...] = ("wfee",)) -> list[str]:
    """Paths, best first."""
    found = best(candidates, question_tokens=tokens, language=language, max_cosine_distance=0.8, k=5)
    assert all(0 <= passage.score <= 1 for passage in found)
    return [f"{passage.document} {passage.language}" for passage in found]


@pytest.mark.parametrize(
    ("own", "foreign"),
    [("en/fees.md", "zh/fees.md"), ("docs/fees.en.html", "docs/zh-cn/fees.html"), ("fees-en.md", "fees-zh-CN.md")],
)
def test_the_askers_copy_comes_first(own: str, foreign: str) -> None:
    """Though the copy in the other language is a little nearer."""
    found = [candidate(foreign, "zh", distance=0.60), candidate(own, "en", distance=0.63)]

    assert order(found) == [f"{own} en", f"{foreign} zh"]


def test_another_document_in_the_askers_language_does_not_push_in() -> None:
    """The right passage in the other language beats a chance word in the asker's."""
    found = [
        candidate("zh/fees.md", "zh", distance=0.5),
        candidate("en/branches.md", "en", distance=0.75, bm25=2.0),
    ]

    assert order(found) == ["zh/fees.md zh", "en/branches.md en"]


def test_a_document_in_two_languages_is_no_copy_of_itself() -> None:
    """Its passages compete like any others."""
    found = [candidate("both.md", "zh", distance=0.5), candidate("both.md", "en", distance=0.75)]

    assert order(found) == ["both.md zh", "both.md en"]


def test_nothing_near_and_nothing_shared_is_nothing() -> None:
    """All or nothing: one that is near brings the others with it."""
    far = candidate("a.md", "en", distance=0.9, bm25=0.5, text="about something")

    assert order([far], tokens=("wfee", "wcard", "wloan")) == []
    assert order([far, candidate("b.md", "en", distance=0.7)], tokens=("wfee", "wcard", "wloan")) == [
        "b.md en",
        "a.md en",
    ]


def test_shared_words_are_enough() -> None:
    """A far passage that holds most of the question's words is found, as is one without a vector."""
    text = "The fee for a card"

    assert order([candidate("a.md", "en", distance=0.95, bm25=0.5, text=text)], tokens=("wfee", "wcard")) == ["a.md en"]
    assert order([candidate("a.md", "en", distance=None, bm25=0.5, text=text)], tokens=("wfee", "wcard")) == ["a.md en"]

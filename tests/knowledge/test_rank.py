"""The ranking by itself: words, nearness, languages, copies, bounds."""

from __future__ import annotations

import numpy as np
import pytest

from bot.knowledge.document import DocumentRecord
from bot.knowledge.vectors import coded
from bot.message import Language
from bot.store.passages_index import Row
from bot.store.passages_rank import Candidate, best, coverages, merged


def row(path: str, language: Language = "en", *, words: str = "", distance: str = "", codes: bytes = b"") -> Row:
    """A passage as Redis returns it; `words` is as ingest writes it."""
    fields = {"place": "", "text": "", "language": language, "words": words}
    raw = {
        name.encode(): value.encode() for name, value in (fields | ({"distance": distance} if distance else {})).items()
    }
    return Row(f"key:p:{path}:{language}:0", raw | {b"codes": codes})


def candidate(path: str, language: Language = "en", *, distance: float | None, words: str = "") -> Candidate:
    """The same, its nearness known."""
    return Candidate(row(path, language, words=words), None if distance is None else 1 - distance)


def order(candidates: list[Candidate], *, language: Language = "en", tokens: tuple[str, ...] = ("wfee",)) -> list[str]:
    """Paths, best first."""
    record = DocumentRecord(version="1", sha256="", title="", passages=1, origins={})
    documents = {path: (path, record) for path in (one.row.fields["document"] for one in candidates)}
    found = best(
        candidates, question_tokens=tokens, language=language, max_cosine_distance=0.8, k=5, documents=documents
    )
    assert all(0 <= passage.score <= 1 for passage in found)
    return [f"{passage.document} {passage.language}" for passage in found]


def test_the_askers_copy_comes_first() -> None:
    """Though the copy in the other language is nearer: the two change places."""
    question, other = unit(np.eye(512)[0]), unit(np.eye(512)[1])
    text, copy, alone = (unit(np.random.default_rng(seed).normal(size=512)) for seed in (1, 1, 2))
    rows = [
        row("2.md", "zh", distance="0.60", codes=coded([text, other])),
        row("1.md", "en", distance="0.63", codes=coded([copy, other])),
        row("3.md", "zh", distance="0.61", codes=coded([alone, other])),
    ]

    candidates = merged(rows, [], question)

    assert [one.twin for one in candidates] == ["key:p:1.md:en:0", "key:p:2.md:zh:0", ""]
    assert order(candidates) == ["1.md en", "3.md zh", "2.md zh"]


def test_the_askers_copy_comes_first_by_its_words() -> None:
    """Where nothing in the path tells that one is a copy of the other."""
    found = [candidate("2.md", "zh", distance=0.5), candidate("1.md", "en", distance=0.6, words="wfee")]

    assert order(found) == ["1.md en", "2.md zh"]


def test_another_document_in_the_askers_language_does_not_push_in() -> None:
    """The right passage in the other language beats a chance word in the asker's."""
    found = [
        candidate("zh/fees.md", "zh", distance=0.5),
        candidate("en/branches.md", "en", distance=0.75, words="wcharge"),
    ]

    assert order(found, tokens=("wcharge", "wtransfer", "wabroad", "wcost")) == ["zh/fees.md zh", "en/branches.md en"]


def test_words_in_one_sentence_count_more_than_words_all_over() -> None:
    """The same words, and the passage that says them together first."""
    together = candidate("together.md", distance=None, words="wfee wcard . wopen")
    apart = candidate("apart.md", distance=None, words="wfee . wopen . wcard")

    covered = coverages([together, apart], ("wfee", "wcard"))

    assert covered == pytest.approx([1.0, 0.75], abs=0.01)


def test_a_rare_word_counts_more_than_a_common_one() -> None:
    """Rarity is that among the candidates."""
    found = [candidate(f"{word}.md", distance=None, words=word) for word in ("wrare", "wcommon", "wcommon", "wcommon")]

    rare, common, *_ = coverages(found, ("wrare", "wcommon"))

    assert rare > 2 * common


def test_no_tokens_are_no_coverage() -> None:
    """A question of stop words alone, or no candidates, divides by nothing."""
    assert coverages([candidate("a.md", distance=0.5)], ()) == [0.0]
    assert coverages([], ("wfee",)) == []


def test_nothing_near_and_nothing_shared_is_nothing() -> None:
    """All or nothing: one that is near brings the others with it."""
    far = candidate("a.md", "en", distance=0.9)

    assert order([far], tokens=("wfee", "wcard", "wloan")) == []
    assert order([far, candidate("b.md", "en", distance=0.7)], tokens=("wfee", "wcard", "wloan")) == [
        "b.md en",
        "a.md en",
    ]


def test_across_languages_a_little_farther_is_near_enough() -> None:
    """Where nothing is in the asker's language; else the bound is as it is."""
    foreign = candidate("a.md", "zh", distance=0.84)

    assert order([foreign]) == ["a.md zh"]
    assert order([foreign, candidate("b.md", "en", distance=0.9)]) == []


def test_shared_words_are_enough() -> None:
    """A far passage that holds most of the question's words is found, as is one without a vector."""
    assert order([candidate("a.md", distance=0.95, words="wfee wcard")], tokens=("wfee", "wcard")) == ["a.md en"]
    assert order([candidate("a.md", distance=None, words="wfee wcard")], tokens=("wfee", "wcard")) == ["a.md en"]


def test_where_there_is_no_vector_the_words_are_the_whole_score() -> None:
    """Half of the question in a passage is enough, and a chance word in it is not."""
    half = candidate("a.md", distance=None, words="wfee wcard")
    chance = candidate("b.md", distance=None, words="wcard")

    assert order([half, chance], tokens=("wfee", "wcard", "wabroad")) == ["a.md en", "b.md en"]
    assert order([chance], tokens=("wfee", "wcard", "wabroad")) == []


def test_what_only_words_brought_is_as_near_as_its_codes_say() -> None:
    """Each passage once; the exact distance where there is one; the nearest sentence counts half."""
    random = np.random.default_rng(1)
    question, sentence, other = (unit(random.normal(size=512)) for _ in range(3))
    codes = coded([other, unit(np.frombuffer(question, "<f4") + np.frombuffer(sentence, "<f4")), other])

    both, far = row("both.md", distance="0.5", codes=codes), row("words.md", codes=codes)
    exact, coded_only = merged([both], [row("both.md", codes=codes), far], question)

    assert exact.row is both
    assert exact.nearness == pytest.approx((0.5 + 0.7) / 2, abs=0.1)
    assert coded_only.nearness == pytest.approx((0.0 + 0.7) / 2, abs=0.1)


def test_without_a_vector_nothing_is_near_or_far() -> None:
    """And a passage written without codes is as near as its distance says."""
    assert merged([], [row("a.md")], None)[0].nearness is None
    assert merged([row("a.md", distance="0.25")], [], unit(np.ones(512)))[0].nearness == 0.75


def unit(numbers: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bytes:
    """As a vector of an embedder."""
    return (numbers / np.linalg.norm(numbers)).astype("<f4").tobytes()

"""From two lists of candidates to one ranking: nearness of meaning and shared words, weighed. Pure.

Plain reciprocal rank fusion lets the weaker list drag the stronger one down, so scores are weighed instead, each on a
scale of its own that does not depend on the other candidates. `bench/retrieval.py` measures what comes of it and is
where the constants were chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.knowledge.words import tokens
from bot.message import Language
from bot.store.passages_index import Row
from bot.turn import Passage

WORDS_WEIGHT = 0.5
"""Of shared words; the rest is nearness. Higher loses questions asked in other words or another language."""
BM25_HALF = 20.0
"""The BM25 score that counts as one half. A right passage has 10 to 50, a chance word 2 to 6."""
FOREIGN_WORDS = 0.2
"""What a passage in another language than the asker's gets for words, since it can share none. Less, and chance words
in the asker's language beat the right passage in the other (R@5 76 % instead of 95 %); more, and copies in other
languages come before the asker's."""
STRONG_SHARE = 0.5
"""A passage that holds more than this share of the question's tokens is kept however far its vector is."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A passage that one of the two searches, or both, brought.

    Attributes:
        row: as Redis returned it.
        distance: cosine distance in [0, 2]; None if only words brought it.
        bm25: 0 if only nearness brought it.
    """

    row: Row
    distance: float | None
    bm25: float

    @property
    def is_chinese(self) -> bool:
        """In which of the two languages the passage is."""
        return self.row.fields["language"] == "zh"


def merged(nearest: Iterable[Row], sharing: Iterable[Row]) -> list[Candidate]:
    """Both lists as one, each passage once."""
    found = {row.key: Candidate(row, float(row.fields["distance"]), 0.0) for row in nearest}
    for row in sharing:
        near = found.get(row.key)
        found[row.key] = Candidate(row, near.distance if near else None, row.score)
    return list(found.values())


def best(
    candidates: Sequence[Candidate],
    *,
    question_tokens: Sequence[str],
    language: Language,
    max_cosine_distance: float,
    k: int,
) -> tuple[Passage, ...]:
    """The best `k`, best first, without those that are neither near enough nor strong in words.

    Args:
        candidates: in any order.
        question_tokens: distinct tokens of the question.
        language: of the asker.
        max_cosine_distance: [0, 2], lower is stricter.
        k: at most so many.
    """
    chosen: list[Passage] = []
    for score, candidate in _scored(candidates, language):
        if len(chosen) == k:
            break
        near = candidate.distance is not None and candidate.distance <= max_cosine_distance
        if near or _is_strong(candidate, question_tokens):
            chosen.append(_passage(candidate, score))
    return tuple(chosen)


def _scored(candidates: Sequence[Candidate], language: Language) -> list[tuple[float, Candidate]]:
    """With scores in [0, 1], best first; equal ones by key, so that the same search gives the same order."""
    chinese = language == "zh"
    # If everything is foreign, the question is asked across languages, and shared words (names, figures) tell.
    some_own = any(candidate.is_chinese == chinese for candidate in candidates)
    # What only words brought is no nearer than the last of those that nearness brought.
    farthest = max((one.distance for one in candidates if one.distance is not None), default=1.0)

    def score(candidate: Candidate) -> float:
        words = candidate.bm25 / (candidate.bm25 + BM25_HALF)
        if some_own and candidate.is_chinese != chinese:
            words = max(words, FOREIGN_WORDS)
        nearness = 1 - (farthest if candidate.distance is None else candidate.distance)
        return min(max(WORDS_WEIGHT * words + (1 - WORDS_WEIGHT) * nearness, 0.0), 1.0)

    return sorted(((score(one), one) for one in candidates), key=lambda pair: (-pair[0], pair[1].row.key))


def _is_strong(candidate: Candidate, question_tokens: Sequence[str]) -> bool:
    if not question_tokens or not candidate.bm25:
        return False
    fields = candidate.row.fields
    held = set(tokens(f"{fields['title']}\n{fields['place']}\n{fields['text']}"))
    return sum(1 for token in question_tokens if token in held) > STRONG_SHARE * len(question_tokens)


def _passage(candidate: Candidate, score: float) -> Passage:
    fields = candidate.row.fields
    return Passage(
        id=f"{fields['document']}:{fields['number']}",
        document=fields["path"],
        version=fields["version"],
        title=fields["title"],
        place=fields["place"],
        text=fields["text"],
        language="zh" if candidate.is_chinese else "en",
        score=score,
        cosine_distance=candidate.distance,
    )

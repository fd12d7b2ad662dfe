"""From two lists of candidates to one ranking: nearness of meaning and shared words, weighed. Pure.

Plain reciprocal rank fusion lets the weaker list drag the stronger one down, so scores are weighed instead, each on a
scale of its own that does not depend on the other candidates. `bench/retrieval.py` measures what comes of it and is
where the constants were chosen.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from bot.knowledge.words import tokens
from bot.message import Language
from bot.store.passages_index import Row
from bot.turn import Passage

WORDS_WEIGHT = 0.5
"""Of shared words; the rest is nearness. Higher loses questions asked in other words or another language."""
BM25_HALF_PER_TOKEN = 4.0
"""The BM25 score per token of the question that counts as one half. A right passage reaches about that; measured per
token, short questions and small knowledge bases are on the same scale as long and large ones."""
FOREIGN_SHARE = 0.5
"""A passage in another language than the asker's shares no words with the question, so it gets this part of what the
best one in the asker's language got. Less, and chance words beat the right passage in the other language (R@5 78 %
instead of 94 %); more, and copies in other languages come before the asker's."""
STRONG_SCORE = 0.2
"""A passage with this fused score is relevant however far its vector is: of questions about something else 1 in 100
reaches it, of answerable ones without a near vector 4 in 5."""
STRONG_SHARE = 0.35
"""A passage that holds more than this share of the question's tokens is relevant too: in a small knowledge
base, or without vectors, scores stay low."""

_LANGUAGE_PART = re.compile(r"(?i)(?<![^/._-])(en|zh)([-_][a-z]{2,4})?[/._-]")


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
    def path(self) -> str:
        """Of its document."""
        return self.row.fields["path"]

    @property
    def language(self) -> Language:
        """Of the passage."""
        return "zh" if self.row.fields["language"] == "zh" else "en"


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
    """The best `k`, best first; none if not one of them is near enough or strong in words.

    All or nothing: where one is relevant, the others may be what the model needs beside it, and dropping each that is
    far away by itself loses 4 of 100 right passages.

    Args:
        candidates: in any order.
        question_tokens: distinct tokens of the question.
        language: of the asker.
        max_cosine_distance: [0, 2], lower is stricter.
        k: at most so many.
    """
    ranked = _scored(candidates, question_tokens, language)[:k]
    near = any(one.distance is not None and one.distance <= max_cosine_distance for one in candidates)
    if not near and not any(_is_strong(score, one, question_tokens) for score, one in ranked):
        return ()
    return tuple(_passage(candidate, score) for score, candidate in ranked)


def _scored(
    candidates: Sequence[Candidate], question_tokens: Sequence[str], language: Language
) -> list[tuple[float, Candidate]]:
    """With scores in [0, 1], best first; equal ones by key, so that the same search gives the same order."""
    half = BM25_HALF_PER_TOKEN * max(len(question_tokens), 1)
    # What only words brought is no nearer than the last of those that nearness brought.
    farthest = max((one.distance for one in candidates if one.distance is not None), default=1.0)
    # None of the asker's own language: a question across languages, where shared names and figures alone tell.
    best_own = max((one.bm25 / (one.bm25 + half) for one in candidates if one.language == language), default=0.0)

    def score(candidate: Candidate) -> float:
        words = candidate.bm25 / (candidate.bm25 + half)
        if candidate.language != language:
            words = max(words, FOREIGN_SHARE * best_own)
        nearness = 1 - (farthest if candidate.distance is None else candidate.distance)
        return min(max(WORDS_WEIGHT * words + (1 - WORDS_WEIGHT) * nearness, 0.0), 1.0)

    scored = _own_copies_first([(score(one), one) for one in candidates], language)
    return sorted(scored, key=lambda pair: (-pair[0], pair[1].language != language, pair[1].row.key))


def _own_copies_first(scored: list[tuple[float, Candidate]], language: Language) -> list[tuple[float, Candidate]]:
    """Where a document's copy in another language scores best, the asker's own copy takes its score."""
    own: dict[str, tuple[float, Candidate]] = {}
    for score, candidate in scored:
        document = _without_language(candidate.path)
        if candidate.language == language and (document not in own or score > own[document][0]):
            own[document] = score, candidate
    raised: dict[str, float] = {}
    for score, candidate in scored:
        _, copy = own.get(_without_language(candidate.path), (0.0, candidate))
        # A document that is itself in two languages is no copy of itself.
        if candidate.language != language and copy.path != candidate.path:
            raised[copy.row.key] = max(score, raised.get(copy.row.key, 0.0))
    return [(max(score, raised.get(candidate.row.key, 0.0)), candidate) for score, candidate in scored]


@lru_cache(maxsize=10_000)
def _without_language(path: str) -> str:
    """`samples/zh/fees.md`, `samples/en/fees.md` and `samples/fees.zh-cn.md` are one document."""
    return _LANGUAGE_PART.sub("", path)


def _is_strong(score: float, candidate: Candidate, question_tokens: Sequence[str]) -> bool:
    if score >= STRONG_SCORE:
        return True
    if not question_tokens or not candidate.bm25:
        return False
    fields = candidate.row.fields
    held = set(tokens(f"{fields['title']}\n{fields['place']}\n{fields['text']}"))
    return sum(1 for token in question_tokens if token in held) > STRONG_SHARE * len(question_tokens)


def _passage(candidate: Candidate, score: float) -> Passage:
    fields = candidate.row.fields
    return Passage(
        id=f"{fields['document']}:{fields['number']}",
        document=candidate.path,
        version=fields["version"],
        title=fields["title"],
        place=fields["place"],
        text=fields["text"],
        language=candidate.language,
        score=score,
        cosine_distance=candidate.distance,
        # Passages written before links were kept have none.
        url=fields.get("url", ""),
    )

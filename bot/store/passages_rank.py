"""From two lists of candidates to one ranking: nearness of meaning and coverage by words, half and half. Pure.

Both searches only bring candidates. Their own scores are not fused: reciprocal ranks let the weaker list drag the
stronger one down, and BM25 has no scale that is the same for every question. Instead each candidate is looked at again,
with two numbers in [0, 1] that mean the same for every question and every knowledge base: how near its meaning is, and
which share of the question's words it holds. Both are the mean of the whole passage and its best sentence, because a
question asks about one sentence of a passage whose others only say what it is about. `bench/retrieval.py` measures
what comes of it; the constants were chosen there on the even questions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bot.knowledge.document import DocumentRecord
from bot.knowledge.vectors import cosines, twins
from bot.knowledge.words import SENTENCE_BREAK
from bot.message import Language
from bot.store.passages_index import Row
from bot.turn import Passage

WORDS_WEIGHT = 0.5
"""Of coverage; the rest is nearness. From 0.4 to 0.6 the figures hardly move; lower loses Chinese, higher loses
questions asked in other words or another language."""
FOREIGN_SHARE = 0.7
"""A passage in another language than the asker's shares no words with the question, so it gets this part of the best
coverage in the asker's language. With 0.5, chance words beat 4 of 100 right passages in the other language; with 0.8,
passages in the other language beat 1 or 2 of 100 in the asker's."""
STRONG_SCORE = 0.25
"""A passage with this score is relevant however far its vector is: questions about something else reach it in 2 of 100
cases, or 1 in 10 if they share a way of asking with the documents ("How do I change my …")."""
STRONG_COVERAGE = 0.3
"""Likewise where the question has no vector and the score is coverage alone. As many questions about something else
reach it as find something with vectors (4 to 22 of 100), and 94 (English) or 70 (Chinese) of 100 that have an answer;
with 0.5 only 79 and 28."""
FOREIGN_FARTHER = 0.05
"""Where nothing is in the asker's language, right passages are this much farther away, and no words tell."""

BM25_K1 = 0.6
"""How much a repeated word counts. The usual 1.2 loses 1 of 200 Chinese questions, and counting it once as many in
knowledge bases of short and long passages."""
BM25_B = 0.75
"""How much a passage's length counts: the usual."""

Integers = np.ndarray[tuple[int, ...], np.dtype[np.intp]]

_BREAK = SENTENCE_BREAK.encode()
_BREAK_MARK = ord(SENTENCE_BREAK.strip())
"""No word of the index has it."""


class Candidate(NamedTuple):
    """A passage that one of the two searches, or both, brought.

    Attributes:
        row: as Redis returned it.
        nearness: mean of its cosine and its nearest sentence's; None if the question has no vector.
        twin: key of the candidate that says the same in the other language; empty if there is none.
    """

    row: Row
    nearness: float | None
    twin: str = ""

    @property
    def language(self) -> Language:
        """Of the passage."""
        return "zh" if self.row.raw.get(b"language") == b"zh" else "en"


def merged(nearest: Iterable[Row], sharing: Iterable[Row], vector: bytes | None) -> list[Candidate]:
    """Both lists as one, each passage once.

    Args:
        nearest: with the exact `distance`.
        sharing: without it: there the passage's code has to do.
        vector: of the question, L2-normalised; None if there is none.
    """
    found = {row.key: row for row in sharing} | {row.key: row for row in nearest}
    if vector is None:
        return [Candidate(row, None) for row in found.values()]
    both = list(found.values())
    codes = [row.codes for row in both]
    pairs = twins(codes, [row.raw.get(b"language") or b"" for row in both], dimensions=len(vector) // 4)
    return [
        Candidate(row, _nearness(row, *cosine), both[twin].key if twin is not None else "")
        for row, cosine, twin in zip(both, cosines(vector, codes), pairs, strict=True)
    ]


def _nearness(row: Row, whole: float, sentence: float) -> float:
    distance = row.raw.get(b"distance")
    if distance is not None:
        whole = 1 - float(distance)
    return (whole + sentence) / 2 if row.codes else whole


def best(
    candidates: Sequence[Candidate],
    *,
    question_tokens: Sequence[str],
    language: Language,
    max_cosine_distance: float,
    k: int,
    documents: Mapping[str, tuple[str, DocumentRecord]],
) -> tuple[Passage, ...]:
    """The best `k`, best first; none if not one of them is near enough or strong.

    All or nothing: where one is relevant, the others may be what the model needs beside it.

    Args:
        candidates: in any order.
        question_tokens: distinct tokens of the question.
        language: of the asker.
        max_cosine_distance: [0, 2], lower is stricter; of 1 - nearness.
        k: at most so many.
        documents: document id → its path and record; of every candidate.
    """
    scored = _scored(candidates, coverages(candidates, question_tokens), language)
    bound = max_cosine_distance
    if all(candidate.language != language for candidate in candidates):
        bound += FOREIGN_FARTHER
    distances = [1 - one.nearness for one in candidates if one.nearness is not None]
    strong = STRONG_SCORE if distances else STRONG_COVERAGE
    if not any(distance <= bound for distance in distances) and not any(score >= strong for score, _ in scored):
        return ()
    return tuple(_passage(candidate, score, documents) for score, candidate in scored[:k])


def coverages(candidates: Sequence[Candidate], question_tokens: Sequence[str]) -> list[float]:
    """Which share of the question's words each candidate holds: mean of the whole passage and its best sentence.

    Words count by their rarity among the candidates, as in BM25: one that all of them hold tells nothing. In the whole
    passage they count as in BM25, too (https://doi.org/10.1561/1500000019): more if repeated, less if it is long. 0 is
    none of them, 1 all of them in one sentence of a passage of average length; a short one reaches a little more.
    """
    if not candidates or not question_tokens:
        return [0.0] * len(candidates)
    texts = [one.row.raw.get(b"words") or b"" for one in candidates]
    lengths = np.array([len(text) + len(_BREAK) for text in texts])
    # One text of all: each word is looked for once, and what follows is a few operations on arrays.
    text = b" %b " % _BREAK.join(texts)
    starts = np.cumsum(lengths) - lengths
    breaks = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == _BREAK_MARK)
    found = [_places(text, f" {token} ".encode()) for token in question_tokens]
    places = np.array([place for each in found for place in each], dtype=np.intp)
    words = np.repeat(np.arange(len(found)), [len(each) for each in found])

    counts = _counts(words, np.searchsorted(starts, places, side="right") - 1, (len(found), len(texts)))
    holds = _counts(words, np.searchsorted(breaks, places), (len(found), len(breaks) + 1)) > 0
    holding = np.count_nonzero(counts, axis=1)
    rarity = np.log(1 + (len(texts) - holding + 0.5) / (holding + 0.5))
    # Lengths in bytes: only how they compare with the average counts.
    slow = BM25_K1 * (1 - BM25_B + BM25_B * lengths / lengths.mean())
    passage = rarity @ (counts * (BM25_K1 + 1) / (counts + slow))
    best_sentence = np.maximum.reduceat(rarity @ holds, np.searchsorted(breaks, starts))
    shares: list[float] = ((passage + best_sentence) / (2 * rarity.sum())).tolist()
    return shares


def _places(text: bytes, word: bytes) -> list[int]:
    """Where the word begins; its blanks are its own, as in `bytes.count`."""
    places, find, at = [], text.find, -len(word)
    while (at := find(word, at + len(word))) >= 0:
        places.append(at)
    return places


def _counts(words: Integers, parts: Integers, shape: tuple[int, int]) -> Integers:
    """How often each word occurs in each part, from pairs of both."""
    return np.bincount(words * shape[1] + parts, minlength=shape[0] * shape[1]).reshape(shape)


def _scored(
    candidates: Sequence[Candidate], covered: Sequence[float], language: Language
) -> list[tuple[float, Candidate]]:
    """With scores, best first; equal ones by key, so that the same search gives the same order."""
    ours = [one.language == language for one in candidates]
    foreign = FOREIGN_SHARE * max((share for share, own in zip(covered, ours, strict=True) if own), default=0.0)
    scores: dict[str, float] = {}
    for one, share, own in zip(candidates, covered, ours, strict=True):
        words = share if own else max(share, foreign)
        near = words if one.nearness is None else one.nearness
        scores[one.row.key] = WORDS_WEIGHT * words + (1 - WORDS_WEIGHT) * near
    for one, own in zip(candidates, ours, strict=True):
        # The asker's copy takes the better score of the two.
        if not own and one.twin and scores[one.row.key] > scores[one.twin]:
            scores[one.row.key], scores[one.twin] = scores[one.twin], scores[one.row.key]
    order = sorted((-scores[one.row.key], not own, one.row.key, one) for one, own in zip(candidates, ours, strict=True))
    return [(-score, one) for score, _, _, one in order]


def _passage(candidate: Candidate, score: float, documents: Mapping[str, tuple[str, DocumentRecord]]) -> Passage:
    fields = candidate.row.fields
    path, record = documents[fields["document"]]
    return Passage(
        id=f"{fields['document']}:{fields['number']}",
        document=path,
        version=fields["version"],
        title=record.title,
        place=fields["place"],
        text=fields["text"],
        language=candidate.language,
        score=min(max(score, 0.0), 1.0),
        cosine_distance=None if candidate.nearness is None else 1 - candidate.nearness,
        url=fields.get("url", ""),
    )

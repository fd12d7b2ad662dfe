"""What `frontdesk eval` reads and prints: how well questions find their documents, and which answers are reused.

Pure; what is searched and decided comes from the code that serves (`bot.app`, `bot.evaluate_reuse`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from bot.errors import ConfigError
from bot.ports import Found

Z = 1.96
"""Of a 95 % interval, in standard deviations."""
DEPTH = 10
"""Passages looked at for each question; the reciprocal rank of what stands deeper counts as zero."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """One question and what was found for it.

    Attributes:
        question: as asked.
        found: the passages.
        milliseconds: of the whole search, embedding included.
    """

    question: str
    found: Found
    milliseconds: float

    def to_json(self) -> str:
        """One line: question, passages with document, place, text and score, milliseconds."""
        passages = [
            {"document": p.document, "place": p.place, "text": p.text, "score": round(p.score, 6)}
            for p in self.found.passages
        ]
        record = {"question": self.question, "passages": passages, "milliseconds": round(self.milliseconds, 3)}
        return json.dumps(record, ensure_ascii=False)


def read_questions(lines: Iterable[str], name: str) -> list[str]:
    """One question per line, blank lines left out.

    Raises:
        ConfigError: there is none.
    """
    questions = [line.strip() for line in lines if line.strip()]
    if not questions:
        raise ConfigError([f"{name}: found no question, allowed one per line"])
    return questions


def read_expected(lines: Iterable[str], name: str) -> list[tuple[str, str]]:
    """Pairs of question and document from lines of `{"question": …, "document": …}`.

    Raises:
        ConfigError: with every line that is none.
    """
    pairs: list[tuple[str, str]] = []
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            pairs.append((str(record["question"]), str(record["document"])))
        except (ValueError, KeyError, TypeError):
            problems.append(f'{name}, line {number}: allowed {{"question": "…", "document": "…"}}')
    if not pairs and not problems:
        problems.append(f"{name}: found no line")
    if problems:
        raise ConfigError(problems)
    return pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two questions of different people, and whether the answer to the first is the answer to the second."""

    stored: str
    asked: str
    same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What reuse makes of a pair.

    Attributes:
        pair: the two questions.
        distance: cosine distance of their vectors, in [0, 2], lower is closer.
        refused_by: why the answer to the first is not given to the second (`bot.similar.RefusedBy`); empty if it is.
    """

    pair: Pair
    distance: float
    refused_by: str

    @property
    def reuse(self) -> bool:
        """It is given."""
        return not self.refused_by

    def to_json(self) -> str:
        """One line: reuse, distance, refused_by, and the pair as it was read."""
        verdict = {"reuse": self.reuse, "distance": round(self.distance, 6), "refused_by": self.refused_by}
        return json.dumps(verdict | asdict(self.pair), ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """How many of how many, with the 95 % interval of the share (Wilson 1927).

    Attributes:
        hits: so many,
        pairs: of so many.
    """

    hits: int
    pairs: int

    @property
    def share(self) -> float | None:
        """Of the hits, in [0, 1]; None of nothing."""
        return self.hits / self.pairs if self.pairs else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Low and high end; None of nothing."""
        share, count = self.share, self.pairs
        if share is None:
            return None
        middle = share + Z**2 / (2 * count)
        spread = Z * math.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
        low, high = ((middle + end) / (1 + Z**2 / count) for end in (-spread, spread))
        return max(0.0, low), min(1.0, high)

    def to_record(self) -> dict[str, object]:
        """For JSON."""
        return {"hits": self.hits, "pairs": self.pairs, "share": self.share, "interval": self.interval}

    def __str__(self) -> str:
        """Share, interval and counts, for people."""
        if self.interval is None:
            return "none"
        low, high = self.interval
        return f"{self.share:.4f} [{low:.4f}, {high:.4f}]  {self.hits} of {self.pairs}"


def read_pairs(lines: Iterable[str], name: str) -> list[Pair]:
    """Pairs from lines of `{"stored": …, "asked": …, "same": …}`.

    Raises:
        ConfigError: with every line that is none.
    """
    pairs: list[Pair] = []
    problems: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            stored, asked, same = record["stored"], record["asked"], record["same"]
        except (ValueError, KeyError, TypeError):
            stored = asked = same = None
        if isinstance(stored, str) and isinstance(asked, str) and isinstance(same, bool):
            pairs.append(Pair(stored=stored, asked=asked, same=same))
        else:
            problems.append(f'{name}, line {number}: allowed {{"stored": "…", "asked": "…", "same": true or false}}')
    if not pairs and not problems:
        problems.append(f"{name}: found no line")
    if problems:
        raise ConfigError(problems)
    return pairs


def reuse_figures(judged: Sequence[Judged]) -> dict[str, Rate]:
    """Hit rate on pairs that are the same, wrong-hit rate on those that are not, and precision of all hits."""
    same = [one.reuse for one in judged if one.pair.same]
    different = [one.reuse for one in judged if not one.pair.same]
    return {
        "hit_rate": Rate(hits=sum(same), pairs=len(same)),
        "wrong_hit_rate": Rate(hits=sum(different), pairs=len(different)),
        "precision": Rate(hits=sum(same), pairs=sum(same) + sum(different)),
    }


def retrieval_figures(searched: Sequence[Searched], documents: Sequence[str]) -> dict[str, float]:
    """Recall at 1 and 5, mean reciprocal rank, and the 50th and 99th percentile of the milliseconds.

    Args:
        searched: one for each question; not empty.
        documents: the one that each question should find, as ingested.
    """
    ranks = [_rank(one.found, document) for one, document in zip(searched, documents, strict=True)]
    times = sorted(one.milliseconds for one in searched)
    count = len(ranks)
    return {
        "questions": count,
        "recall@1": sum(rank == 1 for rank in ranks) / count,
        "recall@5": sum(0 < rank <= 5 for rank in ranks) / count,
        "mrr": sum(1 / rank for rank in ranks if rank) / count,
        "p50_ms": _percentile(times, 0.50),
        "p99_ms": _percentile(times, 0.99),
    }


def _rank(found: Found, document: str) -> int:
    """Place of the document among those found, from 1; 0 if it is not among them."""
    documents = list(dict.fromkeys(passage.document for passage in found.passages))
    return documents.index(document) + 1 if document in documents else 0


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Nearest rank."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]

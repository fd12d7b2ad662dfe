"""How well questions find their documents: what `frontdesk eval` prints. Pure; the search is the one that serves."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.errors import ConfigError
from bot.ports import Found

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

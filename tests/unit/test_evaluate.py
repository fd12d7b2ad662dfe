"""The figures of an evaluation."""

from __future__ import annotations

from bot.evaluate import Searched, retrieval_figures
from bot.ports import Found
from tests.make import passage


def searched(*names: str, milliseconds: float) -> Searched:
    """A question that found these documents, in this order."""
    passages = tuple(passage(name=name) for name in names)
    return Searched(question="q", found=Found(passages=passages, epoch=1), milliseconds=milliseconds)


def test_ranks_are_of_documents() -> None:
    """Two passages of one document take one place; what is not found counts as zero."""
    results = [
        searched("fees", "cards", milliseconds=1.0),
        searched("cards", "cards", "fees", milliseconds=3.0),
        searched("cards", milliseconds=2.0),
    ]

    figures = retrieval_figures(results, ["samples/en/fees.md"] * 3)

    assert figures == {
        "questions": 3,
        "recall@1": 1 / 3,
        "recall@5": 2 / 3,
        "mrr": (1 + 1 / 2) / 3,
        "p50_ms": 2.0,
        "p99_ms": 3.0,
    }

"""Which of some 680 questions may be shared, most of them written before the rules were last changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bot.language import language_of
from bot.standalone import fitness

LARGER_SET = Path(__file__).parents[1] / "reuse" / "standalone.jsonl"


def shared(question: str) -> bool:
    """Whether its answer may be stored for others and given to others."""
    decision = fitness(question, language_of(question), has_history=False)
    return decision.storable and decision.servable


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize(("kind", "least"), [("alone", 0.95), ("history", 0.98), ("asker", 0.95), ("now", 0.9)])
def test_most_questions_of_a_larger_set_are_told_apart(kind: str, least: float, language: str) -> None:
    """Shared if they stand alone, refused if they lean; what no word shows ("who won the election?") is missed."""
    rows = [json.loads(line) for line in LARGER_SET.read_text(encoding="utf-8").splitlines()]
    asked = [row["question"] for row in rows if row["kind"] == kind and language_of(row["question"]) == language]

    right = [question for question in asked if shared(question) == (kind == "alone")]

    assert len(asked) > 30
    assert len(right) >= least * len(asked)

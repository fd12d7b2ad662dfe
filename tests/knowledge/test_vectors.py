"""Codes of vectors: small, and nearly as good; and which sentences of a passage have one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.vectors import MAX_SENTENCES, coded, cosines, embedded, sentence_texts, twins


def unit(seed: int, *, dimensions: int = 512) -> bytes:
    """A random vector of length 1."""
    numbers = np.random.default_rng(seed).normal(size=dimensions)
    return (numbers / np.linalg.norm(numbers)).astype("<f4").tobytes()


class Counting:
    """An embedder whose vector of a text is a random one, chosen by the text."""

    name, dimensions = "counting", 512

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Always the same for the same text."""
        self.asked.append(list(texts))
        return [unit(len(text)) for text in texts]


@pytest.mark.parametrize("dimensions", [512, 1536, 100])
def test_a_code_is_a_sixteenth_of_the_vector_and_points_the_same_way(dimensions: int) -> None:
    """Of a vector itself it says nearly 1, of another nearly the cosine."""
    vector, other = unit(1, dimensions=dimensions), unit(2, dimensions=dimensions)
    code = coded([other, vector])

    [(whole, sentence)] = cosines(vector, [code])

    assert len(code) == 2 * 2 * -(-dimensions // 8)
    assert whole == pytest.approx(float(np.frombuffer(vector, "<f4") @ np.frombuffer(other, "<f4")), abs=0.15)
    assert sentence > 0.85


def test_each_passage_has_its_own_whole_and_its_nearest_sentence() -> None:
    """Passages of different lengths, one without sentences, one without codes, one of another embedder."""
    codes = [coded([unit(1), unit(2), unit(3)]), coded([unit(3)]), b"", coded([unit(1, dimensions=100)])]

    first, second, empty, foreign = cosines(unit(3), codes)

    assert (first[0] < 0.2, first[1] > 0.85) == (True, True)
    assert second[0] == second[1] > 0.85
    assert empty == foreign == (0.0, 0.0)
    assert cosines(unit(3), [b""]) == [(0.0, 0.0)]


async def test_a_passage_is_embedded_as_a_whole_and_sentence_by_sentence() -> None:
    """In one call for all passages."""
    embedder = Counting()

    vectors = await embedded(embedder, [("Fees\nOne fee. Two fees.", "One fee. Two fees."), ("无", "无")])

    assert embedder.asked == [["Fees\nOne fee. Two fees.", "无", "One fee.", "Two fees.", "无"]]
    assert [vector for vector, _ in vectors] == [unit(23), unit(1)]
    assert [codes for _, codes in vectors] == [coded([unit(23), unit(8), unit(9)]), coded([unit(1), unit(1)])]


@given(st.lists(st.sampled_from(["One fee.", "两笔费用。", "- a point"]), max_size=60))
def test_many_sentences_share_vectors(parts: list[str]) -> None:
    """Never more than a passage may have, none empty, and nothing left out."""
    found = sentence_texts("\n".join(parts))

    assert len(found) <= MAX_SENTENCES
    assert all(found)
    assert "".join("".join(found).split()) == "".join("".join(parts).split())


def test_a_copy_is_the_nearest_in_the_other_language_both_ways() -> None:
    """Passages of one language have none, nor have two that only share a subject."""
    codes = [coded([unit(1)]), coded([unit(1)]), coded([unit(2)]), coded([unit(1)]), b""]

    assert twins(codes, ["en", "zh", "zh", "en", "zh"], dimensions=512) == [1, 0, None, None, None]
    assert twins(codes, ["en"] * 5, dimensions=512) == [None] * 5
    assert twins([], [], dimensions=512) == []

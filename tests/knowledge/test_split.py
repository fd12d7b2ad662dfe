"""Cutting sections into passages: nothing is lost, nothing too long, and what belongs together stays together."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.split import MAX_TOKENS, OVERLAP_TOKENS, TARGET_TOKENS, Piece, split
from bot.tokens import estimate_tokens

SENTENCES = st.sampled_from(
    [
        "The fee is 4.90 a month. ",
        'He said: "Call us!" Then he left.\n',
        "请先挂失银行卡。",
        "“为什么？”她问。\n\n",
        "```\n# not a heading\n\ncode\n```\n",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "word " * 90,
        "字" * 350,
        "x" * 1500,
        "- an item\n- another\n",
        "\n\n\n",
        "   ",
        "~~~\nunclosed ",
    ]
)


@given(st.lists(SENTENCES, max_size=30).map("".join) | st.text(alphabet="ab.。！? \n`|-字，\u3000", max_size=400))
def test_no_text_is_lost(text: str) -> None:
    """Passages, freed of what they repeat from their neighbours, are the text; only blanks may go."""
    position = 0
    bare = re.sub(r"\s", "", text)

    for piece in split([("place", text)]):
        body = re.sub(r"\s", "", piece.text)
        # A passage begins where the last one ended, or a little before: the overlap.
        start = max(
            (back for back in range(position + 1) if bare.startswith(body, back) and position <= back + len(body)),
            default=-1,
        )
        assert start >= 0, f"not in its place: {piece.text!r}"
        position = start + len(body)

    assert position == len(bare)


@given(st.lists(SENTENCES, max_size=30).map("".join))
def test_no_passage_is_too_long_or_empty(text: str) -> None:
    """The hard bound holds for everything, the overlap included."""
    for piece in split([("", text)]):
        assert piece.text.strip()
        assert estimate_tokens(piece.text) <= MAX_TOKENS + OVERLAP_TOKENS


def test_paragraphs_stay_whole_where_they_can() -> None:
    """A passage half full is closed before a paragraph that would not fit."""
    first, second = "One sentence of some length here. " * 15, "Another sentence stands in this one. " * 12

    pieces = split([("", f"{first}\n\n{second}")])

    assert len(pieces) == 2
    assert pieces[1].text.endswith(second.strip())


def test_neighbours_share_their_border_sentence() -> None:
    """The last sentence of a passage is the first of the next."""
    sentences = [f"Sentence number {number} has a few more words in it." for number in range(40)]

    pieces = split([("", " ".join(sentences))])

    assert len(pieces) > 1
    for before, after in pairwise(pieces):
        assert before.text.rsplit(". ", 1)[1].rstrip(".") == after.text.split(". ", 1)[0]


def test_chinese_is_cut_after_sentences() -> None:
    """A passage of Chinese ends with its sentence's punctuation."""
    text = "挂失后旧卡立即停用，新卡会在四个工作日内寄到您登记的地址。" * 30

    pieces = split([("", text)])

    assert len(pieces) > 1
    assert all(piece.text.endswith("。") for piece in pieces)


def test_a_code_block_and_a_table_stay_whole() -> None:
    """They are longer than the target but fit the bound: no cut inside."""
    code = "```\n" + "\n\n".join(f"line {number} of the example" for number in range(45)) + "\n```"
    table = "\n".join(f"| row {number} | some value |" for number in range(45))
    assert TARGET_TOKENS < estimate_tokens(code) < MAX_TOKENS
    assert TARGET_TOKENS < estimate_tokens(table) < MAX_TOKENS

    pieces = split([("", f"Before.\n\n{code}\n\nBetween.\n\n{table}\n\nAfter.")])

    assert [code in piece.text for piece in pieces].count(True) == 1
    assert [table in piece.text for piece in pieces].count(True) == 1


def test_a_passage_keeps_its_place_and_stays_in_its_section() -> None:
    """Sections are never mixed."""
    assert split([("A", "One."), ("A › B", "Two.")]) == [Piece("A", "One."), Piece("A › B", "Two.")]

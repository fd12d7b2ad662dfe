"""Cutting sections into passages: nothing is lost, nothing too long, and what belongs together stays together."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.sentences import sentences
from bot.knowledge.split import SIZES, Piece, Sizes, split
from bot.tokens import estimate_tokens

PROSE = [
    "The fee is 4.90 a month. ",
    'He said: "Call us!" Then he left.\n',
    "Ask Dr. No, e.g. by mail, or see No. 5.",
    "Do the following:\n\n",
    "请先挂失银行卡。",
    "“为什么？”她问。\n\n",
    "word " * 90,
    "字" * 350,
    "x" * 1500,
    "- an item\n- another\n",
    "\n\n\n",
    "   ",
    " " * 3000,
]
BLOCKS = [
    "```\n# not a heading\n\ncode\n```\n",
    "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "| a | b |\n|---|---|\n" + "| cell | cell |\n" * 90,
    "| " + "wide " * 300 + "|\n|---|\n| x |\n" * 9,
    "\n```python\n" + "print(1)\n\n" * 90 + "```\n",
    "~~~\nunclosed ",
]
SOME_SIZES = st.sampled_from([SIZES, Sizes(20, 40, 5), Sizes(40, 44, 40), Sizes(100, 300, 0)])
"""Each leaves room for a word beside what is repeated: else words are cut."""


@given(
    st.lists(st.sampled_from(PROSE), max_size=20).map("".join)
    | st.text(alphabet="ab.。！? \n-1，\u3000", max_size=400),
    SOME_SIZES,
)
def test_no_prose_is_lost(text: str, sizes: Sizes) -> None:
    """Passages, freed of the sentences they repeat, are the text in order; only blanks may go."""
    position = 0
    bare = re.sub(r"\s", "", text)

    for piece in split([("place", text)], sizes):
        body = re.sub(r"\s", "", piece.text)
        # A passage begins where the last one ended, or a little before: the overlap.
        backwards = range(position, max(position - len(body), 0) - 1, -1)
        start = next((at for at in backwards if bare.startswith(body, at)), -1)
        assert start >= 0, f"not in its place: {piece.text!r}"
        position = start + len(body)

    assert position == len(bare)


@given(st.lists(st.sampled_from(PROSE + BLOCKS), max_size=20), SOME_SIZES)
def test_nothing_is_lost_and_the_order_is_kept(parts: list[str], sizes: Sizes) -> None:
    """Of code and tables neither: numbered, all numbers come, first in their own order, whatever is repeated."""
    numbers = iter(range(1_000_000))
    text = re.sub(r"\b[a-z]+\b", lambda _: f"n{next(numbers)}n", "".join(parts))

    found = [int(number) for piece in split([("", text)], sizes) for number in re.findall(r"n(\d+)n", piece.text)]

    assert list(dict.fromkeys(found)) == list(range(next(numbers)))


@given(st.lists(st.sampled_from(PROSE + BLOCKS), max_size=20).map("".join), SOME_SIZES)
def test_no_passage_is_too_long_or_empty(text: str, sizes: Sizes) -> None:
    """The limit holds for everything, for what is repeated too."""
    for piece in split([("", text)], sizes):
        assert piece.text.strip()
        assert estimate_tokens(piece.text) <= sizes.limit


HOSTILE = [
    "x",
    " ",
    "\n",
    "- \n",
    ". ",
    ".",
    "?!)",
    "1. ",
    "a.b. ",
    "。",
    "！”",
    "字!",
    "| ",
    "|\n",
    "|-|\n",
    "```\n",
    "~~~ ",
    ":\n\n",
]


@pytest.mark.parametrize("unit", HOSTILE, ids=repr)
def test_hostile_text_takes_linear_time(unit: str) -> None:
    """Eight times the text takes about eight times the work: CPU time, with room for noise, far below 64 times."""

    def seconds(length: int) -> float:
        text = unit * (length // len(unit))
        began = time.process_time()
        split([("", text)])
        return time.process_time() - began

    small = min(seconds(20_000) for _ in range(3))

    assert seconds(160_000) < 30 * small + 0.5


def test_a_paragraph_stays_whole_up_to_the_limit() -> None:
    """It is longer than the target and stays one passage, apart from its neighbours."""
    paragraph = "One sentence of some length here. " * 30
    assert SIZES.target < estimate_tokens(paragraph) < SIZES.limit
    opening = "An opening of its own, which is a good deal longer than half a passage. " * 7

    pieces = split([("", f"{opening}\n\n{paragraph}\n\n{opening}")])

    assert [piece.text for piece in pieces] == [opening.strip(), paragraph.strip(), opening.strip()]


def test_short_paragraphs_share_a_passage() -> None:
    """They are joined up to the target, with the blank lines between them."""
    paragraphs = [f"Short paragraph number {number} of this text." for number in range(40)]

    pieces = split([("", "\n\n".join(paragraphs))])

    assert 2 < len(pieces) < 10
    assert "\n\n".join(piece.text for piece in pieces) == "\n\n".join(paragraphs)


def test_what_is_introduced_stays_with_its_introduction() -> None:
    """`Do this:` is no end of a passage: it goes along to the list, table or code after it."""
    before = "A sentence that fills the passage before it. " * 15
    listed = "\n".join(f"- step number {number} of the whole matter" for number in range(12))

    pieces = split([("", f"{before}\n\nDo this:\n\n{listed}")])

    assert [piece.text for piece in pieces] == [before.strip(), f"Do this:\n\n{listed}"]


def test_parts_of_a_paragraph_are_about_equal_and_share_their_border_sentence() -> None:
    """The last sentence of a part is the first of the next; no small rest is left."""
    text = " ".join(f"Sentence number {number} has a few more words in it." for number in range(40))

    pieces = split([("", text)])

    lengths = [len(piece.text) for piece in pieces]
    assert len(pieces) == 3
    assert max(lengths) - min(lengths) < 150
    for before, after in pairwise(pieces):
        assert before.text.rsplit(". ", 1)[1].rstrip(".") == after.text.split(". ", 1)[0]


def test_chinese_is_cut_after_sentences() -> None:
    """A passage of Chinese ends with its sentence's punctuation."""
    text = "挂失后旧卡立即停用，新卡会在四个工作日内寄到您登记的地址。" * 30

    pieces = split([("", text)])

    assert len(pieces) > 1
    assert all(piece.text.endswith("。") for piece in pieces)


def test_a_sentence_too_long_is_cut_where_it_hurts_least() -> None:
    """After a clause, not within a word."""
    text = "the first of many words that never come to an end, " * 40

    pieces = split([("", text)])

    assert len(pieces) > 1
    assert all(piece.text.endswith("end,") for piece in pieces)


def test_a_code_block_and_a_table_stay_whole() -> None:
    """They are longer than the target but within the limit: no cut inside."""
    code = "```\n" + "\n\n".join(f"line {number} of the example" for number in range(45)) + "\n```"
    table = "\n".join(f"| row {number} | some value |" for number in range(45))
    assert SIZES.target < estimate_tokens(code) < SIZES.limit
    assert SIZES.target < estimate_tokens(table) < SIZES.limit

    pieces = split([("", f"Before.\n\n{code}\n\nBetween.\n\n{table}\n\nAfter.")])

    assert [code in piece.text for piece in pieces].count(True) == 1
    assert [table in piece.text for piece in pieces].count(True) == 1


def test_a_long_table_is_cut_between_rows_and_repeats_its_header() -> None:
    """Each part is a table by itself; all rows come once, in order."""
    header = "| account | fee |\n|---|---|"
    rows = [f"| account number {number} | {number} euros |" for number in range(120)]

    pieces = split([("Fees", "\n".join([header, *rows]))])

    assert len(pieces) > 3
    parts = [piece.text.removeprefix(header + "\n") for piece in pieces]
    assert all(piece.text.startswith(header) for piece in pieces)
    assert "\n".join(parts).split("\n") == rows


def test_long_code_is_cut_between_lines_and_fenced_again() -> None:
    """Each part opens and closes its fence, so that none of it becomes markup."""
    lines = [f"call number {number} of the program" for number in range(120)]

    pieces = split([("", "~~~sh\n" + "\n".join(lines) + "\n~~~")])

    assert len(pieces) > 3
    assert all(re.fullmatch(r"~~~sh\n(call .*\n)+~~~", piece.text) for piece in pieces)
    assert [line for piece in pieces for line in piece.text.split("\n")[1:-1]] == lines


def test_a_passage_keeps_its_place_and_stays_in_its_section() -> None:
    """Sections are never mixed."""
    assert split([("A", "One."), ("A › B", "Two.")]) == [Piece("A", "One."), Piece("A › B", "Two.")]


@pytest.mark.parametrize(
    "expected",
    [
        ["He met Dr. Smith, e.g. on Monday, at 3.5 km. ", "Then it rained. "],
        ['"Why?" she asked. ', "J. R. R. Tolkien wrote it. ", "See Fig. 3 and p. 12! ", "No. 5 is alive."],
        ["He said no. ", "The U.S. Army left, etc. and so on… ", '"Go." ', "He went."],
        ["1. Open the app. ", "Tap it.\n", "2. Close it\n", "  - nested\n", "* last"],
        ["A line that\nwas only wrapped. ", "Another."],
        ["请先挂失。", "“为什么？”", "她问。", "什么?", "走了!", "好的……", "费用是3.5元；", "完。\n", "　　第二段"],
        ["步骤：\n", "（一）打开\n", "二、关闭\n", "3）完成"],
    ],
)
def test_sentences_end_where_people_end_them(expected: list[str]) -> None:
    """Not at abbreviations, initials, numbers or wrapped lines; list items are sentences."""
    assert list(sentences("".join(expected))) == expected


@given(st.text(alphabet="aB.!?。”)1 \n-e,g字", max_size=200))
def test_sentences_are_the_text(text: str) -> None:
    """Joined, they are what they were cut from, and none is empty."""
    found = list(sentences(text))

    assert "".join(found) == text
    assert all(found)

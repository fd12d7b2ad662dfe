"""Which questions are the same but for spelling."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.spelling import normalise


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("How do I reset my password?", "how do i  reset my password"),
        ("How do I reset my password?", "HOW DO I RESET MY PASSWORD???"),
        ("How do I reset my password?", "“How do I reset my password”"),
        ("don't", "don’t"),
        ("VPN 怎么连？", "VPN怎么连"),
        ("怎么重置密码？", "怎么重置密码~"),
        ("怎么重置密码？", " 怎么重置密码。。。"),
        ("不，可以退款吗？", "不 可以退款吗"),
        ("ＡＢＣ１２３", "abc123"),
        ("Hello, how are you?", "hello how are you".replace("hello ", "hello, ")),
        ("pass\u200bword", "password"),
        ("Straße", "STRASSE"),
        ("10–20 people", "10-20 people"),
        ("minus \u22125", "minus -5"),
    ],
)
def test_spelling_does_not_make_another_question(one: str, other: str) -> None:
    """Case, width, spaces, quotes and closing marks are folded."""
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1.5", "15"),
        ("1.5", "1,5"),
        ("1,000", "1000"),
        ("version 1.2.3", "version 1.23"),
        ("C++", "C"),
        ("C++", "C#"),
        (".NET", "net"),
        ("-5 degrees", "5 degrees"),
        ("+5", "5"),
        ("5%", "5"),
        ("$500", "€500"),
        ("10²", "102"),
        ("H₂O", "H2O"),
        ("1½", "11/2"),
        ("10-20", "10, 20"),
        ("10–20", "10, 20"),
        ("12:30", "1230"),
        ("5'", '5"'),
        ("No, refunds are possible", "No refunds are possible"),
        ("不，可以退款吗", "不可以退款吗"),
        ("不 可以退款吗", "不可以退款吗"),
        ("can", "can't"),
        ("can not", "can"),
        ("from A to B", "from B to A"),
        ("re-sign", "resign"),
        ("a/b", "ab"),
        ("a & b", "a b"),
        ("x > 5", "x < 5"),
        ("皖", "滇"),
        ("TCP/IP", "TCP IP"),
        ("#5", "5"),
        ("😀", "😢"),
    ],
)
def test_meaning_makes_another_question(one: str, other: str) -> None:
    """Numbers, signs, units, negations and pauses stay."""
    assert normalise(one) != normalise(other)


QUESTIONISH = st.lists(
    st.sampled_from([*"aB1 2,.;:!?。，、'\"’“”~-–—+²½①Ａ码不\u200b\n&<>/()#%", "...", ", ", "--", " - ", "C++"]),
    max_size=30,
).map("".join)


@given(st.text(max_size=80) | QUESTIONISH)
def test_normalising_twice_changes_nothing(question: str) -> None:
    """The form is final, whatever is written."""
    assert normalise(normalise(question)) == normalise(question)


@given(st.decimals(-9999, 9999, places=2, allow_nan=False), st.decimals(-9999, 9999, places=2, allow_nan=False))
def test_different_numbers_are_different_questions(one: object, other: object) -> None:
    """No sign, digit or point of a number is lost."""
    same = normalise(f"Is {one} enough?") == normalise(f"Is {other} enough?")

    assert same == (str(one) == str(other))


@given(QUESTIONISH)
def test_case_and_outer_marks_never_matter(question: str) -> None:
    """Shouting, blanks around and a closing mark make no other question."""
    assert normalise(f"  {question.upper()} ?! ") == normalise(question.upper())


@pytest.mark.timeout(5)
@pytest.mark.parametrize("unit", [",", " ", ", ", "'", ". ", "码 ", "-", " –", "~", "²", ".", "1 – "])
def test_a_huge_question_takes_no_huge_time(unit: str) -> None:
    """The time grows with the length, not with its square."""
    normalise(unit * (100_000 // len(unit)))

"""Formatting: within Slack's limit, whole, harmless."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from adapters.slack.cut import cut, slices
from adapters.slack.format import MARKDOWN_LIMIT, format_markdown, length

FAMILY = "👩‍👩‍👧‍👦"
PLAIN = re.compile(r"\s|```|~~~|\u200b")


def _texts(markdown: str, limit: int = MARKDOWN_LIMIT) -> list[str]:
    return [part.text for part in format_markdown(markdown, limit=limit)]


def test_a_short_answer_is_one_part_unchanged() -> None:
    """Slack renders Markdown itself."""
    markdown = "# Title\n\n- **a**\n- `b`\n\n```py\nif x < 1:\n    pass\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"

    assert _texts(markdown) == [markdown]


@pytest.mark.parametrize("markdown", ["", "   ", "\n\n\n"])
def test_nothing_is_still_something(markdown: str) -> None:
    """Slack refuses an empty text, and a reply is never silent."""
    assert _texts(markdown) == ["…"]


def test_paragraphs_stay_whole() -> None:
    """A cut falls between paragraphs where it can, and parts are filled."""
    paragraphs = ["a" * 30, "b" * 30, "c" * 30, "d" * 30]

    assert _texts("\n\n".join(paragraphs), limit=70) == ["a" * 30 + "\n\n" + "b" * 30, "c" * 30 + "\n\n" + "d" * 30]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("one line here\nanother line", ["one line here", "another line"]),
        ("One sentence. Another one.", ["One sentence.", "Another one."]),
        ("第一句话在这里结束了。第二句话接着来说。", ["第一句话在这里结束了。", "第二句话接着来说。"]),
        ("several words without stop", ["several words", "without stop"]),
        ("x" * 30, ["x" * 16, "x" * 14]),
    ],
)
def test_the_best_boundary_is_taken(text: str, pieces: list[str]) -> None:
    """Line, then sentence, then space, then anywhere."""
    assert list(cut(text, 16)) == pieces


def test_a_long_fence_is_closed_and_opened_again() -> None:
    """With its info string, between lines, with all its code."""
    lines = [f"    line {number}" for number in range(40)]

    parts = _texts("Look:\n\n```python\n" + "\n".join(lines) + "\n```\n\nDone.", limit=120)

    fences = [part.split("\n") for part in parts if "```" in part]
    assert len(fences) > 3
    assert all(fence.count("```python") == fence.count("```") == 1 for fence in fences)
    assert [line for fence in fences for line in fence if line.startswith("    line")] == lines


def test_a_fence_with_longer_ticks_keeps_shorter_ones_inside() -> None:
    """The inner fence is code."""
    markdown = "````md\n" + "\n".join(["```", "x", "", "```"] * 20) + "\n````"

    parts = _texts(markdown, limit=80)

    assert all(part.startswith("````md\n") and part.endswith("\n````") for part in parts)


def test_code_in_a_line_longer_than_a_part_loses_nothing() -> None:
    """Not even its spaces."""
    line = "x = 1;  " * 100

    parts = _texts(f"```\n{line}\n```", limit=100)

    assert "".join(part.split("\n")[1] for part in parts) == line


@pytest.mark.parametrize("character", [FAMILY, "👍🏽", "🇩🇪", "é" + "\u0301\u0302", "❤️", "각", "🏴󠁧󠁢󠁥󠁮󠁧󠁿"])
def test_what_is_seen_as_one_character_is_never_cut(character: str) -> None:
    """Wherever the limit falls."""
    for limit in range(len(character.encode("utf-16-le")) // 2, 60):
        for pieces in (cut(character * 20, limit, length), slices(character * 20, limit, length)):
            assert all(piece.replace(character, "") == "" for piece in pieces)


def test_the_limit_counts_utf_16_units() -> None:
    """An emoji outside the basic plane counts twice: safe whichever way Slack counts."""
    assert [length(text) for text in _texts("😀" * 7000)] == [12_000, 2_000]


@pytest.mark.parametrize(
    "ping",
    [
        "<!channel>",
        "<!here>",
        "<!everyone>",
        "<!HERE>",
        "<@U123>",
        "<@W1|ana>",
        "<#C1>",
        "<!subteam^S1|@team>",
        "<!date^1^{date}^https://evil.example|today>",
        "@channel",
        "@here",
        "@Everyone",
    ],
)
@pytest.mark.parametrize("around", ["{}", "`{}`", "```\n{}\n```", "a {} b", "\\{}", "<{}>", "> {}"])
def test_nobody_is_pinged(ping: str, around: str) -> None:
    """The bracket and what follows it are kept apart by an invisible character, in code too."""
    [text] = _texts(around.format(ping))

    assert ping not in text
    assert text.replace("\u200b", "") == around.format(ping)


@pytest.mark.parametrize(
    "code",
    [
        "<!DOCTYPE html>",
        "<!-- note -->",
        "List<@NonNull String>",
        "#include <stdio.h>",
        "a <@ b",
        "<!hereditary>",
        "<#if x>",
        "a@here.example",
        "@hereditary",
    ],
)
def test_other_code_is_untouched(code: str) -> None:
    """Only what Slack reads as a mention is changed."""
    assert _texts(code) == [code]


_MARKDOWN = st.lists(
    st.one_of(
        st.text(max_size=80),
        st.sampled_from(
            ["\n", "\n\n", "```py\n", "\n```\n", "~~~\n", "```", "    ", "<!here>", FAMILY, "中文。", "x" * 90]
        ),
    ),
    max_size=25,
).map("".join)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("unit", ["a\n \n", " ", "\n", "`x", "```\n", "🇩🇪", "<!here>", "a. ", "> ", "~~~ a\n"])
def test_a_huge_answer_is_cut_in_time(unit: str) -> None:
    """300,000 characters of anything: the time grows with the length only."""
    parts = _texts(unit * (300_000 // len(unit)) + "x")

    assert all(length(part) <= MARKDOWN_LIMIT for part in parts)


@given(markdown=_MARKDOWN, limit=st.integers(min_value=40, max_value=200))
@example(markdown="```" + "i" * 300 + "\ncode\n```", limit=40)
@example(markdown="```\n\n\n\n```", limit=40)
def test_everything_arrives_within_the_limit(markdown: str, limit: int) -> None:
    """No part is blank or too long, and apart from white space and repeated fences nothing is lost or added."""
    parts = _texts(markdown, limit)

    assert parts
    assert all(part.strip() and length(part) <= limit for part in parts)
    if "`" not in markdown and "~" not in markdown and markdown.strip():
        assert PLAIN.sub("", "".join(parts)) == PLAIN.sub("", markdown)


@given(lines=st.lists(st.text(alphabet="abc {}();😀", max_size=60), min_size=1, max_size=30))
def test_code_arrives_line_by_line(lines: list[str]) -> None:
    """A fence cut in many parts holds the same code, blank lines and spaces included."""
    parts = _texts("```py\n" + "\n".join(lines) + "\n```", limit=70)

    code = [line for part in parts for line in part.split("\n")[1:-1]]
    assert "".join(code) == "".join(lines)
    assert all(part.startswith("```py\n") and part.endswith("\n```") for part in parts)


@given(text=st.text(max_size=300), limit=st.integers(min_value=2, max_value=50))
def test_cutting_loses_only_white_space(text: str, limit: int) -> None:
    """At the seams; slices lose nothing at all."""
    pieces = list(cut(text, limit, length))

    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(piece.strip() and length(piece) <= limit for piece in pieces)
    assert "".join(slices(text, limit, length)) == text

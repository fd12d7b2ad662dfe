"""Lists of sources that are not ours."""

from __future__ import annotations

import pytest

from bot.forged import without_own_sources


@pytest.mark.parametrize(
    ("answer", "left"),
    [
        ("Five [1].\n\nSources:\n[1] Official bank rules", "Five [1]."),
        ("Five [1].\n\n---\n**Sources:**\n\n- [1] Official rules\n- [2] Law\n", "Five [1]."),
        ("Five [1].\n\n### References\n1. Official rules\n2. Law", "Five [1]."),
        ("Five [1].\n\n**Official sources used:**\n- Bank rules\n  of 2026", "Five [1]."),
        ("Five [1].\n\n_Source:_ Official rules, section 3", "Five [1]."),
        ("Five [1].\n> **Sources:**\n> - \\[1\\] Official rules", "Five [1]."),
        ("五天[1]。\n\n**来源：**\n\n- [1] 银行官方规定", "五天[1]。"),
        ("五天[1]。\n\n参考资料：\n1. 官方规定\n2. 法律", "五天[1]。"),
        ("五天[1]。\n\n資料來源：【1】官方規定", "五天[1]。"),
        ("五天[1]。\n出处：官方规定", "五天[1]。"),
        ("Five [1].\n\n## Sources\n[1] Rules\n\nI hope this helps!", "Five [1].\n\n\nI hope this helps!"),
        # Its marks, where no others are, still say which passages were meant.
        ("Five days.\n\nSources: [1], [3]", "Five days. [1][3]"),
        ("五天。\n来源：[2]《银行规定》", "五天。 [2]"),
        # An answer that is nothing else keeps its entries and loses the heading.
        ("Sources:\n- salary\n- rent", "- salary\n- rent"),
    ],
)
def test_a_list_of_the_models_own_goes(answer: str, left: str) -> None:
    """In English and Chinese, whatever it is dressed in."""
    assert without_own_sources(answer) == left


@pytest.mark.parametrize(
    "answer",
    [
        "Sources differ on this: some say five.",
        "Income has these parts.\n\nSources:\n- salary\n- rent\n\nAll of them are taxed.",
        "```\nSources:\n- [1] x\n```",
        "No sources were found.",
        "Reference number: 12",
        "来源于河流的水。",
        "The source is open [1].\n- one\n- two",
        "",
    ],
)
def test_words_about_sources_stay(answer: str) -> None:
    """Sentences, code, and lists of something else."""
    assert without_own_sources(answer) == answer


@pytest.mark.timeout(5)
@pytest.mark.parametrize("unit", ["Sources:\n", "- [1] x\n", "Sources: [1]\n\n", "* ", "> ", "sources ", "\n", "来源"])
def test_a_huge_answer_takes_no_huge_time(unit: str) -> None:
    """The time grows with the length of the answer, not with its square."""
    without_own_sources(unit * (60_000 // len(unit)) + "x")

"""Small talk is told from questions."""

from __future__ import annotations

import pytest

from bot.smalltalk import Kind, small_talk


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("hi", "hello"),
        ("Hello!! 👋", "hello"),
        ("who are you?", "hello"),
        ("你好", "hello"),
        ("在吗？", "hello"),
        ("您是谁", "hello"),
        ("Thanks!", "thanks"),
        ("ok, thanks", "thanks"),
        ("谢谢！", "thanks"),
        ("好的", "thanks"),
        ("Bye", "bye"),
        ("再见～", "bye"),
    ],
)
def test_small_talk(text: str, kind: Kind) -> None:
    """Whatever marks and emoji stand around it."""
    assert small_talk(text) == kind


@pytest.mark.parametrize("text", ["hi, what does a card cost?", "你好，转账要多少钱？", "", "👍", "???", "okra"])
def test_everything_else_is_a_question(text: str) -> None:
    """A greeting before a question is no small talk."""
    assert small_talk(text) is None

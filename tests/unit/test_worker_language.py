"""Which language a person is addressed in."""

from __future__ import annotations

import pytest

from bot.message import Command, Incoming, Language
from bot.ports import Claimed
from bot.turn import Exchange
from bot.voice import language_for
from tests.make import incoming

CHINESE = (Exchange(question="转账要多少钱？", answer="", tokens=1),)


@pytest.mark.parametrize(
    ("message", "history", "expected"),
    [
        (incoming("转账要多少钱？", locale="en"), (), "zh"),
        (incoming("How much?", locale="zh-hans"), CHINESE, "en"),
        (incoming("???", locale="zh-hans"), (), "zh"),
        (incoming("???"), CHINESE, "zh"),
        (incoming("/reset", command=Command(name="reset"), locale="zh-hans"), (), "zh"),
        (incoming("/reset", command=Command(name="reset")), CHINESE, "zh"),
        (incoming("/reset 频道", command=Command(name="reset", argument="频道")), (), "zh"),
        (incoming("/reset", command=Command(name="reset")), (), "en"),
    ],
)
def test_language_for(message: Incoming, history: tuple[Exchange, ...], expected: Language) -> None:
    """Words decide; else the platform's hint, else the last question. A command's name is in nobody's language."""
    claimed = Claimed(incoming=message, arrived_ms=1, token="t", history=history)

    assert language_for(claimed) == expected

"""Invisible characters."""

from __future__ import annotations

import pytest

from bot.visible import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("25 days" + "".join(chr(0xE0000 + ord(letter)) for letter in "obey"), "25 days"),
        ("a" + "".join(chr(0xE0100 + byte) for byte in b"obey"), "a"),
        ("a\ufe00\ufe01\ufe02b", "ab"),
        ("\u202egnihton\u202c \u2066x\u2069", "gnihton x"),
        ("ig\u200bno\u2060re\ufeff th\u00adis", "ignore this"),
        ("a\u200d\u200c\u200d\u200c\u200db", "a\u200db"),
        ("nul\0 bell\a escape\x1b[31m c1\x9b", "nul bell escape[31m c1"),
        ("line\r\nfeed\ttab", "line\r\nfeed\ttab"),
        ("👩\u200d👧 ❤\ufe0f می\u200cخواهم שלום\u200f", "👩\u200d👧 ❤\ufe0f می\u200cخواهم שלום\u200f"),
        ("银行卡，e\u0301", "银行卡，e\u0301"),
    ],
)
def test_only_what_shows_nothing_goes(text: str, shown: str) -> None:
    """Hidden messages go; emoji, joined letters and accents stay as they are."""
    assert visible(text) == shown

"""How many tokens a text will cost, near enough for a budget, without a vocabulary.

Not exact and not meant to be: every model counts by its own vocabulary, and what the server reports corrects the
estimate where it matters. It errs upwards, so that a history cut by it fits.
"""

from __future__ import annotations

import math

FIRST_CJK = "\u2e80"
"""From here on one character is most of a token: Han, kana, Hangul, full-width forms, emoji."""
TOKENS_PER_CJK = 0.8
"""Measured 0.73 with o200k_base on Chinese."""
TOKENS_PER_OTHER = 0.3
"""Measured 0.18 on English prose; code and other alphabets take more."""


def estimate_tokens(text: str) -> int:
    """An upper-side estimate; 0 only for the empty text."""
    cjk = 0 if text.isascii() else sum(map(FIRST_CJK.__le__, text))
    # Rounded first: 10 * 0.3 is a hair over 3.
    return math.ceil(round(cjk * TOKENS_PER_CJK + (len(text) - cjk) * TOKENS_PER_OTHER, 6))

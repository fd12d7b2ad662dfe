"""Where a text may be cut without breaking what a reader sees as one character.

Pure. The rules of Unicode's grapheme clusters (UAX #29) as far as the standard library's data reach: marks, joiners,
skin tones, flags, tags, Hangul syllables and Indic conjuncts. In doubt it keeps characters together.
"""

from __future__ import annotations

import unicodedata

_ZWJ = "\u200d"
_MARKS = frozenset({"Mn", "Mc", "Me"})
_VIRAMA = 9
_THAI_LAO_AM = "\u0e33\u0eb3"


def is_boundary(text: str, place: int) -> bool:
    """Whether `text` may be cut before the character at `place`."""
    if place <= 0 or place >= len(text):
        return True
    before, after = text[place - 1], text[place]
    if before < "\u0300" and after < "\u0300":
        return not (before == "\r" and after == "\n")
    if before == _ZWJ or unicodedata.combining(before) == _VIRAMA:
        return False
    if _joins_the_one_before(after):
        return False
    if _is_flag_letter(before) and _is_flag_letter(after):
        return _flag_letters_before(text, place) % 2 == 0
    return not (_is_leading_hangul(before) and _is_leading_hangul(after))


def _joins_the_one_before(char: str) -> bool:
    return (
        char == _ZWJ
        or char in _THAI_LAO_AM
        or unicodedata.category(char) in _MARKS
        or "\U0001f3fb" <= char <= "\U0001f3ff"  # skin tones
        or "\U000e0020" <= char <= "\U000e007f"  # tags: the flags of Scotland and Wales
        or "\u1160" <= char <= "\u11ff"  # Hangul vowels and finals
        or "\uff9e" <= char <= "\uff9f"  # halfwidth Japanese voicing marks
    )


def _is_flag_letter(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _flag_letters_before(text: str, place: int) -> int:
    count = 0
    while count < place and _is_flag_letter(text[place - 1 - count]):
        count += 1
    return count


def _is_leading_hangul(char: str) -> bool:
    return "\u1100" <= char <= "\u115f"

"""When two questions are the same one but for case, width, spaces and punctuation marks. Pure.

It decides no more than spelling: rewordings are other questions here. Where a mark or a sign might carry meaning it
stays, since a wrong "same" gives somebody the answer to another question.
"""

from __future__ import annotations

import re
import unicodedata

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_SEPARATORS = re.compile(
    rf"""
      (?: [.!?:]+(?![^\W_{_HAN}]) | (?<!\d)[,;]+ | [,;]+(?!\d) | [。、·…‥]+ | [–—]+ )+
    """,
    re.VERBOSE,
)
"""Punctuation that only separates. It stays in what it is part of: `1.5`, `.net`, `12:30`, `1,000`, `-5`."""
_QUOTES = re.compile(r"""[“”„‟«»「」『』`´]|(?<!\d)"|(?<![^\W_])'|(?<!\d)'(?![^\W_])""")
"""All but apostrophes within words and the marks of feet and inches."""
_UNSEEN = re.compile("[\u00ad\u200b\u2060\ufeff\ufe0e\ufe0f]")
_VARIANTS = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "\u2212": "-", "\u2010": "-", "\u2011": "-"})
_PERHAPS_APART = re.compile("[^\x00-\x7f\u3000-\u303f\u3400-\u9fff\uff00-\uffef]")
_KEPT_APART = {"<super>": "^", "<sub>": "_", "<fraction>": " ", "<circle>": " ", "<square>": " "}


def normalise(question: str) -> str:
    """One spelling for all questions that are the same but for case, width, spaces and punctuation marks.

    What carries meaning stays: digits and what stands between them, signs, units, `C++` against `C#`, words like
    "not", and that there is a pause (`不，可以` is not `不可以`). Idempotent.
    """
    text = question
    # Folding one thing can make room for folding another. Two rounds settle what people write, five whatever else.
    for _ in range(5):
        spelled = _spelled(text)
        if spelled == text:
            break
        text = spelled
    return text


def fold(text: str) -> str:
    """Case, width and compatibility forms folded; marks and spaces stay.

    Superscripts, fractions and circled digits are kept apart from their neighbours: NFKC alone would make 102 of
    10², and 11/2 of 1½.
    """
    text = _UNSEEN.sub("", text)
    text = _PERHAPS_APART.sub(_kept_apart, text)
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(_VARIANTS)


def _kept_apart(match: re.Match[str]) -> str:
    tag = unicodedata.decomposition(match[0]).partition(" ")[0]
    return _KEPT_APART.get(tag, "") + match[0]


def _spelled(text: str) -> str:
    text = re.sub(r"(?<=\d)\s?[–—]\s?(?=\d)", "-", fold(text))
    text = _SEPARATORS.sub(", ", _QUOTES.sub(" ", text))
    text = re.sub(rf"(?<=[{_HAN}])~+", ", ", text)
    # Between Chinese characters a space is a pause; beside a foreign word it is only typography.
    text = re.sub(rf"(?<=[{_HAN}])\s+(?=[{_HAN}])", ", ", text)
    text = re.sub(rf"(?<=[{_HAN}])\s+(?=[^\W_{_HAN}])|(?<=[^\W_{_HAN}])\s+(?=[{_HAN}])", "", text)
    text = re.sub(r"(?:\s|,(?!\d))+", lambda space: ", " if "," in space[0] else " ", text)
    return text.strip(" ,")

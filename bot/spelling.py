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


_NAMES = """
    us it who aids visa windows teams word excel access outlook numbers pages notes photos messages contacts maps
    keynote docs sheets slides forms meet classroom go rust swift ruby python turkey china chile jordan chad polish
    reading hull bath nice cork orange apple amazon target gap shell subway discover chase ford jaguar dove galaxy edge
    safari opera slack zoom signal line stripe square wise snap spark oracle mark will bill rob grace hope faith joy
    rose dawn jack pat sue drew frank grant max may march august
"""
_TWO_READINGS = frozenset(_NAMES.split())
"""Words that are names, of companies, programs, places and people, if they begin with a capital within a sentence."""
_WITHIN = re.compile(r"(?<=[\w,)]\s)(?<!\d\s)[A-Z][A-Za-z]+\b(?!['\u2019-]\w)")
_NO_NAMES = re.compile(
    r"(?i)\b(?:in|until|till|by|since|from|of|next|last|this|before|after|and|to|for) (?:may|march|august)\b|"
    r"\b(?:may|march|august) \d|"
    r"\bvisa (?=(?:debit|credit|card)s?\b)"
)


def names_by_case(text: str) -> list[tuple[int, int]]:
    """Where a word stands that only its capital makes a name (`US`, `Windows`), as begin and end.

    A text that is all or mostly in capitals tells no names.
    """
    spans = [match.span() for match in _WITHIN.finditer(text) if match[0].casefold() in _TWO_READINGS]
    if not spans:
        return []
    names = frozenset(spans)
    words = [match[0] for match in re.finditer(r"[^\W\d_]+", text) if match.span() not in names and match[0] != "I"][1:]
    if sum(word.islower() for word in words) <= len(words) / 2:
        return []
    dates = [match.span() for match in _NO_NAMES.finditer(text)]
    return [(start, end) for start, end in spans if not any(begin <= start < stop for begin, stop in dates)]


def normalise(question: str) -> str:
    """One spelling for all questions that are the same but for case, width, spaces and punctuation marks.

    What carries meaning stays: digits and what stands between them, signs, units, `C++` against `C#`, words like
    "not", and that there is a pause (`不，可以` is not `不可以`). A word that is a name only by
    its capital keeps it: the US are not us. Idempotent.
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


def _folded_but_names(text: str) -> str:
    parts, at = [], 0
    for start, end in names_by_case(text):
        parts += [fold(text[at:start]), text[start:end].upper()]
        at = end
    return "".join((*parts, fold(text[at:])))


def _spelled(text: str) -> str:
    text = re.sub(r"(?<=\d)\s?[–—]\s?(?=\d)", "-", _folded_but_names(text))
    text = _SEPARATORS.sub(", ", _QUOTES.sub(" ", text))
    text = re.sub(rf"(?<=[{_HAN}])~+", ", ", text)
    # Between Chinese characters a space is a pause; beside a foreign word it is only typography.
    text = re.sub(rf"(?<=[{_HAN}])\s+(?=[{_HAN}])", ", ", text)
    text = re.sub(rf"(?<=[{_HAN}])\s+(?=[^\W_{_HAN}])|(?<=[^\W_{_HAN}])\s+(?=[{_HAN}])", "", text)
    text = re.sub(r"(?:\s|,(?!\d))+", lambda space: ", " if "," in space[0] else " ", text)
    return text.strip(" ,")

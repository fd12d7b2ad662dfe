"""The words of a text, as the search index keeps them and as a query may contain them.

Both sides go through the same function, so what is written is what is found. Nothing else ever reaches a query
string: a token is `w` followed by letters and digits only, which makes it free of operators, numbers, stop words and
reserved words of the query language by construction, and needs no escaping. Chinese, Japanese and Korean runs become
overlapping pairs of characters (a single character where it stands alone): no word list, and the same pairs on both
sides. English plurals are folded; nothing else is stemmed. This module does not rank and knows no Redis.
"""

from __future__ import annotations

import re
import unicodedata

from bot.guard.script import TO_SIMPLIFIED

MARK = "w"
"""Put before every token: `inf`, `as`, `2024` and `the` mean nothing to the query parser as `winf`, `w2024` …"""
SENTENCE_BREAK = " . "
"""Between the tokens of two sentences. Not a line break: RediSearch would make one token of the two beside it."""
MAX_TOKEN_CHARS = 40
"""Longer words are cut on both sides; only keys and addresses are longer, and their beginnings tell them apart."""
MAX_QUERY_TOKENS = 64
"""A question has fewer; a pasted page would make a union that costs everybody's Redis milliseconds."""

_CJK = (
    "\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
)
_RUN = re.compile(f"(?:(?=\\w)[{_CJK}])+|[^\\W_{_CJK}]+")
_CJK_CHARACTER = re.compile(f"[{_CJK}]")

_STOP_ENGLISH = """
a about am an and any are as at be been being but by can could did do does doing for from had has have having he her
hers him his how i if in into is it its just me my of on or our ours please shall she should so some than that the
their theirs them then there these they this those to us was we were what when where which while who whom whose why
will with would you your yours d ll m re s t ve
"""
_STOP_CHINESE = """
什么 怎么 怎样 如何 哪里 哪些 哪个 多少 为什 可以 是否 请问 我的 你们 我们 他们 的是
是什 么是 吗 呢 的 了 吧 啊 是 我 你 在
"""
STOP_TOKENS = frozenset(MARK + word for word in (_STOP_ENGLISH + _STOP_CHINESE).split())
"""Left out of index and query: they say how something is asked, not what. Our own list, since RediSearch's is off."""

_SHORTEST_PLURAL_CHARS = 4


def is_cjk(character: str) -> bool:
    """The character belongs to a script written without spaces (Han, kana, hangul)."""
    return _CJK_CHARACTER.match(character) is not None


def tokens(text: str) -> list[str]:
    """All tokens of a text, in order, repeated as they occur, without stop words.

    Each matches `w[letters and digits]+`, is casefolded, in simplified characters and at most `MAX_TOKEN_CHARS` + 1
    long.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).translate(TO_SIMPLIFIED)
    found: list[str] = []
    for run in _RUN.findall(folded):
        found.extend(_pairs(run) if is_cjk(run[0]) else _word(run))
    return [token for token in (MARK + word for word in found) if token not in STOP_TOKENS]


def query_tokens(text: str) -> list[str]:
    """The tokens a question is searched by: each once, first occurrences first, at most `MAX_QUERY_TOKENS`."""
    return list(dict.fromkeys(tokens(text)))[:MAX_QUERY_TOKENS]


def says_something(text: str) -> bool:
    """There is a letter or a digit in it: not only punctuation, emoji or blanks."""
    return _RUN.search(unicodedata.normalize("NFKC", text)) is not None


def _pairs(run: str) -> list[str]:
    return [run[at : at + 2] for at in range(len(run) - 1)] if len(run) > 1 else [run]


def _word(run: str) -> list[str]:
    # A stop word is left out before it is folded: "does" would be a doe.
    return [] if MARK + run in STOP_TOKENS else [_singular(run[:MAX_TOKEN_CHARS])]


def _singular(word: str) -> str:
    """English plurals fold onto their singulars; a wrong fold does no harm, both sides make it."""
    if len(word) < _SHORTEST_PLURAL_CHARS or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return word[:-2]
    return word[:-1]

"""In which way two questions differ: the name under which a refusal is counted and reported.

It never decides. The first kind that fits is named, from the ones a reader would look for first.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from typing import Literal

from bot.guard.form import Form
from bot.guard.table import words

Kind = Literal[
    "",
    "language",
    "unknown_characters",
    "question_type",
    "versions",
    "money",
    "dates",
    "times",
    "units",
    "numbers",
    "negation",
    "quantifiers",
    "comparatives",
    "antonyms",
    "owners",
    "names",
    "direction",
    "content",
]

_NEGATIONS = words(
    """
    not no never without nobody nothing none neither nor hardly unless 不 没 没有 无 未 非 别 勿 无需 不必
    不过敏 不会 不是
    """
)
_QUANTIFIERS = words(
    """
    all some any every each both either most many few few-some several only always sometimes ever part half
    one single double 所有 全 全部 每 各 都 只 只有 部 有些 有的 大 多 少 总 总是 有时 首 其中 单 双
    """
)
_COMPARATIVES = words(
    """
    more less most least than over under above below before after least earlier later faster slower cheaper
    expensive older younger maximum minimum larger smaller higher lower 比 更 最 较 以上 以下 超过 至少 至多
    大于 小于 多于 少于 前 后 早 晚 快 慢
    """
)
_ANTONYM_PAIRS = """
enable/disable open/close lock/unlock subscribe/unsubscribe install/uninstall add/remove
check-in/check-out upload/download increase/decrease login/logout buy/sell lend/borrow first/last
arrival/departure hot/cold start/stop accept/decline pros/cons incoming/outgoing import/export
raised/cut new/old in/out 开启/关闭 锁定/解锁 订阅/退订 安装/卸载 添加/删除 上传/下载 提/降 高/低 入/出
存/取 内/外 进/出 新/旧 优/缺 绑定/解绑
开/销 涨/降 加/退 借/还
"""
_ANTONYMS = tuple(frozenset(pair.split("/")) for pair in _ANTONYM_PAIRS.split())
_VERSION = re.compile(r"(?:n:)?v?\d+(?:\.\d+)+[a-z0-9]*|v\d+|http/\d|\w+/\d")
_CODE = re.compile(r"(?:n:|ord:).*|.*\d.*|[零一二两三四五六七八九十百千万亿]")


def kind_of(stored: Form, asked: Form, foreign: Callable[[str], bool], is_name: Callable[[str], bool]) -> Kind:
    """The kind of the difference between two forms that are not the same.

    Args:
        stored: of the stored question.
        asked: of the one asked now.
        foreign: whether a word holds characters that the embedder is likely not to know.
        is_name: whether a word is written like a name in one of the questions.
    """
    one, other = Counter(stored.words), Counter(asked.words)
    words = set((one - other) | (other - one))
    modes = set(stored.mode.split()) ^ set(asked.mode.split())
    if not words:
        return _of_same_words(stored, asked, modes)
    kinds: tuple[tuple[Kind, bool], ...] = (
        ("unknown_characters", any(foreign(word) for word in words)),
        ("versions", any(_VERSION.fullmatch(word) for word in words)),
        ("money", any(word.startswith("money:") for word in words)),
        ("dates", any(word.startswith(("date:", "wd:")) for word in words)),
        ("times", any(word.startswith("time:") for word in words)),
        ("units", any(word.startswith("u:") for word in words)),
        ("numbers", any(_CODE.fullmatch(word) for word in words)),
        ("negation", bool(words & _NEGATIONS) or "not" in modes),
        ("quantifiers", bool(words & _QUANTIFIERS)),
        ("comparatives", bool(words & _COMPARATIVES)),
        ("antonyms", any(pair <= words for pair in _ANTONYMS)),
        ("names", any(is_name(word) for word in words)),
        ("question_type", stored.asks != asked.asks),
    )
    return next((kind for kind, fits in kinds if fits), "content")


def _of_same_words(stored: Form, asked: Form, modes: set[str]) -> Kind:
    if "not" in modes:
        return "negation"
    if stored.asks != asked.asks or modes:
        return "question_type"
    return "direction" if stored.words != asked.words else "owners"

"""A Chinese question, reduced to its form.

Order: script, politeness, quantities, words by the longest entry of the table, particles, then the question word: it
says what is asked and goes in front, and a topic before it becomes the object if it cannot be the one who acts
(`密码怎么重置` is `怎么重置密码`, `客人怎么邀请` is not `怎么邀请客人`).
"""

from __future__ import annotations

import re
import unicodedata

from bot.guard.chinese_courtesy import untroubled
from bot.guard.chinese_frames import reworded
from bot.guard.chinese_words import (
    A_OR_AN,
    ACTORS,
    HAPPENS,
    HOURS_OF_BUSINESS,
    LINKED,
    LONGEST,
    MEASURE,
    NO_VERBS,
    TABLE,
)
from bot.guard.form import Form
from bot.guard.quantity import spell_quantities
from bot.guard.script import SAME_SOUND, TO_SIMPLIFIED
from bot.guard.table import words
from bot.spelling import fold

_HAN = "\u3400-\u9fff"
_ACCENTED = re.compile("[\u00c0-\u024f\u1e00-\u1eff]")
_PAUSE = re.compile(r"(?<=[不没否是对好])[\s,，、]+(?=\S)")
_IS_HAN = re.compile(f"[{_HAN}]")
_TOKEN = re.compile(
    r"(?:n|u|money|time|date|ord|wd):[^\s\u3400-\u9fff]+|[a-z0-9\u00c0-\u024f]+(?:['.,:/_@&-]+[a-z0-9\u00c0-\u024f]+)*(?:\+\+|#|\+)?|[^\s,.;:!?\"'，。、；：！？“”‘’「」『』《》·…—~]"
)
_DIGITS = {character: number for number, character in enumerate("零一二三四五六七八九")} | {"两": 2, "〇": 0}
_TENS = {"十": 10, "百": 100, "千": 1000}
_NUMERAL = re.compile(
    rf"(?:(?<=第)|(?<![零〇一二两三四五六七八九十百千万亿分之点]))([零〇一二两三四五六七八九十百千万]+)(?=(?:{MEASURE}))"
)
_CLOCK = re.compile(
    r"(早上|上午|凌晨|中午|下午|傍晚|晚上|夜里)?(\d{1,2}|[一二两三四五六七八九十]{1,3})(?:点(半|钟|整|(\d{1,2})分)?|时(?=(?:开|关|上|下)))"
)
_WEEKDAY = re.compile(r"(?:星期|礼拜|周)([一二三四五六日天])(?!年|期)")
_CHINESE_DATE = re.compile(r"(\d{1,2})月(\d{1,2})[日号]")
_HOW_TO = re.compile(
    r"^(?:我?(?:想要?|要|需要|打算))?(.{2,20}?)[,，]?(?:的(?:具体)?(?:方法|流程|步骤)(?:是什么|是怎样的|是怎么样的|有哪些|是啥)|"
    r"(?:方法|流程|步骤)(?:是什么|是怎样的|是怎么样的|有哪些|是啥)|[,，]?(?:应该|该|需要|要)?(?:怎么做|怎么操作|如何操作))[?？。\s]*$"
)
_WHY = re.compile(
    r"^(.{2,30}?)的?(?:是什么原因|原因是什么|是怎么回事|怎么回事|咋回事|是什么情况|什么原因|是何原因|是为什么|是为何|是因为什么)[?？。\s]*$"
)
_PRICE = re.compile(
    r"^(.{1,20}?)(?:的(?:价格|费用|价钱|售价)(?:是|要)?(?:多少钱?)|(?:价格|价钱|售价)(?:是)?多少钱?|(?:需要|要|是|得)?多少钱|(?<=[费金价])(?:是|要)?多少)[?？。\s]*$"
)
_FOREIGN_NAME = re.compile(rf"[{_HAN}]{{1,8}}(?:·[{_HAN}]{{1,8}})+")
_RANGE = re.compile(r"(?<=[\d日年月号点])\s*(?:[-–—~]+|至)\s*(?=\d)")
_BORN_IN = re.compile(r"[在于]([^,，。;；的在于]{2,12})(出生|去世|逝世|长大)(?![在于])")
_ADVERB = re.compile(r"^([^,，。]{1,8}?)(后来|随后|接下来|此后|最终|最后)(?![一的])")
_NO_SURNAME = re.compile("[餘範](?=醫師|醫生|老師|教授|律師|先生|小姐|女士|經理|主任|師傅|太太)")
_APART = {"餘": "馀", "範": "笵"}
"""Not the surnames 余 and 范, which simplified script spells like these."""
_MOMENT = ("wd:", "date:", "time:")
_MOMENTS = words("早上 上午 中午 下午 晚上 夜里 周末")
_ARTICLE_AFTER = ("是", "为", "成为", "作为", "的")
_HOLDS_MOMENT = words("的 前 后 以前 以后 起 到 从 和 每 自 比 改 修改 或 之前 之后 内 以内")
MAX_QUESTION_CHARS = 40
"""Longer texts are stories or statements: the patterns of a question are not looked for."""
MAX_SHORT_WORDS = 14
"""Above it, a text may hold several clauses, and a moment of time belongs to one of them."""
_ASKING = ("怎么", "何时", "几点", "几号", "哪里", "为何", "怎么办")
_TIMES = ("何时", "几点", "几号")
_PLACES_AND_TIMES = (*_TIMES, "哪里")
MAX_VERB_CHARS = 3
MAX_TOPIC_WORDS = 8


def chinese_form(question: str) -> Form:
    """The form of a question, as it is written."""
    text = untroubled(simplified(fold(question)))
    if len(text) <= MAX_QUESTION_CHARS:
        text = reworded(text)
    text = _ADVERB.sub(r"\2\1", _BORN_IN.sub(r"\2在\1", text))
    text = _FOREIGN_NAME.sub(lambda name: name[0].translate(SAME_SOUND), text)
    text = _quantities(_RANGE.sub("到", _PAUSE.sub("|", text)))
    asks, text = _framed(text)
    words = _particles(_words(text))
    yes_no = "吗" in words
    words = [word for word in words if word != "吗"]
    words = _without_asker(words)
    if not asks:
        asks, words = _asked(words)
    if yes_no:
        words = _verb_first(words)
    words = _difference(words)
    return Form(asks=asks or ("吗" if yes_no else ""), mode="", words=tuple(words))


def simplified(text: str) -> str:
    """The text in simplified script, without accents."""
    return _plain_letters(_NO_SURNAME.sub(lambda match: _APART[match[0]], text).translate(TO_SIMPLIFIED))


def _plain_letters(text: str) -> str:
    """Without the accents of Latin letters: names are typed with and without them."""
    return _ACCENTED.sub(lambda letter: unicodedata.normalize("NFD", letter[0])[0], text)


def _quantities(text: str) -> str:
    text = _WEEKDAY.sub(lambda match: f" wd:{'一二三四五六日'.find(match[1].replace('天', '日'))} ", text)
    text = _CLOCK.sub(_clock, text)
    text = _NUMERAL.sub(lambda match: str(_value(match[1])), text)
    text = _CHINESE_DATE.sub(lambda match: f" date:{int(match[1])}-{int(match[2])} ", text)
    text = re.sub(r"(?<=\d)%|百分之(\d+(?:\.\d+)?)", lambda match: f"{match[1]}%" if match[1] else "%", text)
    return spell_quantities(re.sub(r"(?<=\d)\s+(?=[\u3400-\u9fff])", "", text))


def _clock(match: re.Match[str]) -> str:
    half, figure, rest, minutes = match.groups()
    hour = int(figure) if figure.isdigit() else _value(figure)
    if not half and rest is None:
        return match[0]
    if half in ("下午", "傍晚", "晚上") and hour < 12:
        hour += 12
    if hour > 24:
        return match[0]
    return f" time:{hour}:{'30' if rest == '半' else (minutes or '00').zfill(2)} "


def _value(numeral: str) -> int:
    """`三百二十` → 320. What is read figure by figure (`二〇二三`) is read so."""
    if not set(numeral) & {"十", "百", "千", "万"}:
        return int("".join(str(_DIGITS[character]) for character in numeral))
    total = section = figure = 0
    for character in numeral:
        if character in _DIGITS:
            figure = _DIGITS[character]
        elif character == "万":
            total, section, figure = (total + section + figure) * 10000, 0, 0
        else:
            section, figure = section + (figure or 1) * _TENS[character], 0
    return total + section + figure


def _framed(text: str) -> tuple[str, str]:
    """Questions that are asked by a frame around the matter: its price, its reason, the way to do it."""
    for asks, frame in (("价", _PRICE), ("为何", _WHY), ("怎么", _HOW_TO)):
        match = frame.match(text)
        if match and not re.search("[怎哪谁何]|什么|为啥", match[1]):
            return asks, match[1]
    return "", text


def _words(text: str) -> list[str]:
    """The longest words of the table, and what else stands there: Latin words, quantities, single characters."""
    words: list[str] = []
    at = 0
    while at < len(text):
        length = next((n for n in range(LONGEST.get(text[at], 0), 0, -1) if text[at : at + n] in TABLE), 0)
        token = None if length and _IS_HAN.match(text[at]) else _TOKEN.match(text, at)
        if token:
            words += TABLE.get(token[0], (token[0],))
            at = token.end()
        else:
            words += TABLE[text[at : at + length]] if length else ()
            at += max(length, 1)
    return words


def _particles(words: list[str]) -> list[str]:
    """Without the particles that only join and the articles; one moment of time in front."""
    words = _moment_first(_without_articles(words))
    kept: list[str] = []
    for at, word in enumerate(words):
        following = words[at + 1] if at + 1 < len(words) else ""
        if word in ("的", "之") or (word == "了" and following not in ("吗", "没", "") and _says_little(words, at)):
            continue
        if word == "在" and (following == "哪里" or following.startswith(("n:", *_MOMENT))):
            continue
        kept.append(word)
    return kept


def _says_little(words: list[str], at: int) -> bool:
    """Whether the `了` there says nothing new: what is lost has been lost, but `换了手机` is not `换手机`."""
    return len(words) > MAX_SHORT_WORDS or bool(HAPPENS.search("".join(words[:at])))


def _moment_first(words: list[str]) -> list[str]:
    """`图书馆周五关门` as `周五图书馆关门`: in a short question with one moment that nothing else holds on to."""
    moments = [at for at, word in enumerate(words) if word.startswith(_MOMENT) or word in _MOMENTS]
    if len(moments) != 1 or len(words) > MAX_SHORT_WORDS:
        return words
    at = moments[0]
    if {*words[at - 1 : at], *words[at + 1 : at + 2]} & _HOLDS_MOMENT:
        return words
    return [words[at], *words[:at], *words[at + 1 :]]


def _without_articles(words: list[str]) -> list[str]:
    """`是一个城市` as `是城市`."""
    kept: list[str] = []
    skip = 0
    for at, word in enumerate(words):
        article = word == "n:1" and words[at + 1 : at + 2] and words[at + 1] in A_OR_AN and len(words) > at + 2
        if article and at and words[at - 1] in _ARTICLE_AFTER:
            skip = 2
        if skip:
            skip -= 1
            continue
        kept.append(word)
    return kept


def _without_asker(words: list[str]) -> list[str]:
    if (
        words[:1] == ["我"]
        and "你" not in words
        and words[1:2]
        and words[1] in (*_ASKING, "能", "必须", "应该", "需要", "想")
        and not HOURS_OF_BUSINESS.search("".join(words))
    ):
        words = words[1:]
    if words[:1] == ["你"] and words[1:2] and words[1] in _TIMES and HOURS_OF_BUSINESS.search("".join(words)):
        words = words[1:]
    return words


def _asked(words: list[str]) -> tuple[str, list[str]]:
    """The question word in front, where there is exactly one and it says what is asked."""
    places = [at for at, word in enumerate(words) if word in _ASKING]
    if len(places) != 1 or "什么" in words or "谁" in words:
        return "", words
    at = places[0]
    asks, topic, rest = words[at], words[:at], words[at + 1 :]
    if asks == "怎么" and topic[:2] == ["如果"]:
        return asks, [*topic, "@", *rest]
    if asks == "哪里" and rest[:1] == ["能"]:
        rest = rest[1:]
    if asks == "哪里" and topic[-1:] == ["能"]:
        topic = topic[:-1]
    if asks == "哪里" and rest[:1] == ["找到"] and not topic:
        return asks, [*rest[1:], "@"]
    if asks == "怎么办":
        happened = HAPPENS.search("".join(topic).rstrip("了"))
        untold = ("如果", "了") if happened else ("如果",)
        return asks, [word for word in topic if word not in untold] if not rest else [*topic, "@", *rest]
    if asks == "为何" or not topic:
        return asks, topic + rest
    if not rest and asks in _PLACES_AND_TIMES:
        return asks, topic
    if _is_verb(rest) and _is_thing(topic):
        return asks, rest + topic
    return asks, [*topic, "@", *rest]


def _is_verb(words: list[str]) -> bool:
    """Whether what follows the question word is so short that it can only be a verb: the topic is its object."""
    return 0 < len("".join(words)) <= MAX_VERB_CHARS and not NO_VERBS & set(words) and bool(_IS_HAN.match(words[0]))


def _is_thing(topic: list[str]) -> bool:
    """Whether the topic is a thing, none that can be the one who acts."""
    return len(topic) <= MAX_TOPIC_WORDS and not LINKED & set(topic) and not ACTORS.search("".join(topic))


def _verb_first(words: list[str]) -> list[str]:
    """`航班可以取消吗` as `可以取消航班吗`."""
    if words.count("能") != 1 or {"不", "没"} & set(words):
        return words
    at = words.index("能")
    return (
        ["能", *words[at + 1 :], *words[:at]] if at and _is_verb(words[at + 1 :]) and _is_thing(words[:at]) else words
    )


def _difference(words: list[str]) -> list[str]:
    """`甲和乙有什么区别`: the two in either order."""
    for ending in (["有", "什么", "区别"], ["有", "什么", "不同"], ["有", "何", "不同"], ["区别", "是", "什么"]):
        characters = [character for word in ending for character in (word if word in ("区别", "不同") else [word])]
        if words[-len(characters) :] == characters and words.count("和") == 1:
            middle = words.index("和")
            pair = sorted((words[:middle], words[middle + 1 : -len(characters)]))
            return [*pair[0], "和", *pair[1], "有", "什么", "区别"]
    return words

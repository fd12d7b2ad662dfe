"""Numbers, units, money, times and dates of a text, spelled in one way: `n:5 u:kg`, `money:500:usd`, `time:15:00`.

Nothing is converted from one unit into another, and nothing that can be read in two ways (`03/04`, `1.000`, `10
pounds`) is read in either: it stays as it is written.
"""

from __future__ import annotations

import re

_MONTHS = "january february march april may june july august september october november december"
_MONTH_OF = {name: number for number, name in enumerate(_MONTHS.split(), 1)}
_MONTH_OF |= {name[:3]: number for name, number in _MONTH_OF.items()} | {"sept": 9}
_MONTH = "|".join(sorted(_MONTH_OF, key=len, reverse=True))
_FIGURES = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen
nineteen
"""
_TENS_TEXT = "twenty thirty forty fifty sixty seventy eighty ninety"
_TENS = {word: number * 10 for number, word in enumerate(_TENS_TEXT.split(), 2)}
_WORDS = {word: number for number, word in enumerate(_FIGURES.split())} | _TENS
_ORDINALS_TEXT = "first second third fourth fifth sixth seventh eighth ninth tenth"
_ORDINALS = {word: number for number, word in enumerate(_ORDINALS_TEXT.split(), 1)}
_UNITS = {
    "kg": "kg kgs kilo kilos kilogram kilograms kilogramme kilogrammes 公斤 千克",
    "g": "g gram grams gramme grammes 克",
    "mg": "mg milligram milligrams 毫克",
    "lb": "lb lbs",
    "km": "km kilometer kilometers kilometre kilometres 公里 千米",
    "m": "m meter meters metre metres 米",
    "cm": "cm centimeter centimeters centimetre centimetres 厘米",
    "mm": "mm millimeter millimeters millimetre millimetres 毫米",
    "l": "l liter liters litre litres 升",
    "ml": "ml milliliter milliliters millilitre millilitres 毫升",
    "kb": "kb kilobyte kilobytes",
    "mb": "mb megabyte megabytes",
    "gb": "gb gigabyte gigabytes",
    "tb": "tb terabyte terabytes",
    "%": "% percent",
    "hour": "hour hours hr hrs 小时 个小时 钟头",
    "minute": "minute minutes min mins 分钟",
    "day": "day days 天",
    "week": "week weeks 周 星期 个星期",
    "month": "month months 个月",
    "year": "year years 年",
}
_UNIT_OF = {spelling: unit for unit, spellings in _UNITS.items() for spelling in spellings.split()}
_CURRENCY_OF = {"$": "usd", "€": "eur", "£": "gbp", "dollar": "usd", "dollars": "usd", "usd": "usd"} | {
    "euro": "eur",
    "euros": "eur",
    "eur": "eur",
    "gbp": "gbp",
    "元": "cny",
    "块": "cny",
    "块钱": "cny",
    "rmb": "cny",
    "cny": "cny",
    "元人民币": "cny",
    "美元": "usd",
    "美金": "usd",
    "欧元": "eur",
    "英镑": "gbp",
    "日元": "jpy",
}
_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?(?![\d.,]*\d)"
_UNIT = "|".join(sorted(map(re.escape, _UNIT_OF), key=len, reverse=True))
_CURRENCY = "|".join(sorted((re.escape(name) for name in _CURRENCY_OF if name not in "$€£"), key=len, reverse=True))
_FREE = r"(?<![a-z0-9_:/.-])(?<!\d,)"
"""Nothing before it that would make it part of a code, a version or a date in figures."""
_END = r"(?![a-z0-9])"

_QUANTITY = re.compile(
    rf"""
      {_FREE} (?P<day>\d{{1,2}})(?:st|nd|rd|th)?\s(?:of\s)?(?P<month>{_MONTH})\b
    | \b(?P<month2>{_MONTH})\s(?P<day2>\d{{1,2}})(?:st|nd|rd|th)?(?![\d:.,]*\d)\b
    | {_FREE} (?P<hour>1[0-2]|0?[1-9])(?:[:.](?P<minute>[0-5]\d))?\s?(?P<half>am|pm|a\.m\.?|p\.m\.?){_END}
    | {_FREE} (?P<hour24>[01]?\d|2[0-3]):(?P<minute24>[0-5]\d)(?![\d:])
    | (?<![a-z0-9]) (?P<sign>[$€£])\s?(?P<sum>{_NUMBER})(?![a-z0-9_%])
    | {_FREE} (?P<sum2>{_NUMBER})\s?(?P<currency>{_CURRENCY}){_END}
    | {_FREE} (?P<amount>{_NUMBER})\s?(?P<unit>{_UNIT}){_END}
    | {_FREE} (?P<number>{_NUMBER})(?![a-z0-9_%:/-])
    """,
    re.VERBOSE,
)
_ONES = "|".join(word for word, number in _WORDS.items() if 0 < number < 10)
_SPELLED_OUT = re.compile(
    rf"\b(?:(?P<tens>{'|'.join(_TENS)})[ -](?P<ones>{_ONES})"
    rf"|(?P<word>{'|'.join(_WORDS)})|(?P<ordinal>{'|'.join(_ORDINALS)}))\b(?!-)"
)
_FIGURE_ORDINAL = re.compile(rf"{_FREE}(\d{{1,3}})(?:st|nd|rd|th)\b")


def spell_quantities(text: str) -> str:
    """The text, folded before, with its quantities between spaces in their one spelling."""
    if not text.isascii() or re.search(r"\d|[a-z]", text):
        text = _QUANTITY.sub(_quantity, _SPELLED_OUT.sub(_figure, text))
        text = _FIGURE_ORDINAL.sub(r" ord:\1 ", text)
    return text


def _figure(match: re.Match[str]) -> str:
    if match["ordinal"]:
        return f"ord:{_ORDINALS[match['ordinal']]}"
    if match["tens"]:
        return str(_WORDS[match["tens"]] + _WORDS[match["ones"]])
    return str(_WORDS[match["word"]])


def _quantity(match: re.Match[str]) -> str:
    month = match["month"] or match["month2"]
    if month:
        return f" date:{_MONTH_OF[month]}-{int(match['day'] or match['day2'])} "
    if match["hour"]:
        hour = int(match["hour"]) % 12 + (12 if match["half"][0] == "p" else 0)
        return f" time:{hour}:{match['minute'] or '00'} "
    if match["hour24"]:
        return f" time:{int(match['hour24'])}:{match['minute24']} "
    total = match["sum"] or match["sum2"]
    if total:
        return f" money:{_plain(total)}:{_CURRENCY_OF[match['sign'] or match['currency']]} "
    if match["amount"]:
        return f" n:{_plain(match['amount'])} u:{_UNIT_OF[match['unit']]} "
    return f" n:{_plain(match['number'])} "


def _plain(number: str) -> str:
    number = number.replace(",", "")
    whole, point, rest = number.partition(".")
    return (whole.lstrip("0") or "0") + point + rest

"""Pronouns whose antecedent stands before them in the same message: "if a parcel is lost, who pays for it?".

Only for a message that begins a conversation. After others a pronoun may as well mean what was said there, and a
question that finds its meaning in itself loses nothing by being taken for one that leans.
"""

from __future__ import annotations

import re

from bot.standalone.patterns import either

__all__ = ["is_told_in_full", "resolved"]

# --- English --------------------------------------------------------------------------------------------------------

_NOT_THE_THING = (
    r"(?:same|other|first|second|last|next|one|way|moment|case|time|question|problem|issue|lot|bit|idea|info|certain|"
    r"refund|discount|fee|price|"
    r"charge|penalty|deadline|date|limit|copy|list)"
)
_THING = rf"\b(?:an?|the|my|our|your|some|every|no|any|two|three|someone's) (?!{_NOT_THE_THING}\b)[a-z][a-z-]{{2,}}"
_FRONTED = re.compile(
    rf"^\W*(?:(?:if|when|once|after|before|while|suppose|unless)\b|(?=(?:my|an?) )|someone |somebody |"
    r"i (?:(?:have|just|accidentally) )*(?:lost|forgot|forgotten|broke|misplaced|damaged|dropped|got|received|found|"
    r"have|own|"
    r"want|need|would like)\b|i'd like |i(?: a|')m (?:having|trying|interested|looking)\b)"
    rf"(?!.*\bthank)[^,;.!?]*?(?:{_THING}|\b[a-z]+ing (?!to\b|in\b|trouble\b|diff|prob|"
    rf"issue)[a-z]{{3,}})[^,;.!?]*[,;.!?]+\s?"
)
"""A clause in front that brings in a thing."""
_BACK = re.compile(
    r"\b(?:it|its|it's|itself|they|them|their|themselves|he|she|him|her|his)\b|\b(?:an?|the) (?:new )?(?:one|ones)\b|"
    r"(?<=\bget )one\b|(?<=\border )one\b|(?<=\bbuy )one\b|"
    r"\b(?:do|make) (?:this|that)\b"
)
_JOINED = re.compile(
    rf"(?P<kept>\b[a-z]+ {_THING}(?: \w+)?,? (?:after|before|once|while|without|and)\b"
    r"(?: (?:\w+ing|i|you|have|has|\w+))??) (?:it|them)\b"
)
"""`Change an order after placing it`, `get the app and install it`."""
_OF_MANY = re.compile(
    r"(?P<kept>\b(?:can|do|should|may|must|are|could|will|would|have|did)(?: the| all| most| new| foreign)? [a-z]{3,}s"
    r"(?: \w+){1,5}?) (?:their(?: own)?|themselves)\b"
)
"""`Can students change their major?`"""

# --- Chinese --------------------------------------------------------------------------------------------------------

_ASKS = re.compile(
    r"怎么|怎样|如何|什么|哪|谁|多少|几|为何|是否|吗|何时|多久|能否|可否|有没有|是不是|能不能|[呢吧么?？]"
)
_TO_SOMEBODY = re.compile(
    r"[我你您咱妳俺]|请|\b(?:i|me|my|you|your|we|our)\b|^\W*(?:给|帮|把|再|说|讲|翻译|总结|列|重复|换|用|写|接着|继续)"
)
_POINTS_OUT_OF_IT = re.compile(r"上述|上文|如上|同上|刚才|刚刚|以下|下列|前面(?:说|提|讲)|上面(?:说|提|讲)")
_MIN_STATEMENT = 12
_NO_THING_ZH = either(
    r"[\d一二三四五六七八九十百]+\s*(?:世纪|年代|年|个?月|日|号|岁|点|时|次|天|周)+(?:底|初|末|中)?",
    r"[以之]?[前后]来?|期间|当时|不久|此后|随后|最[后初终早]|同时|此外|另外|其中|结果|事实上|实际上|如果|假如|要是|因为|由于|虽然|尽管|但是|然而|不过|"
    r"因此|所以|于是|而且|并且|同样|值得注意|的话|周末|平时|国外|国内",
    r"[的了在是和与及有于到从被由把对为以但而且并将就都又当自随根据按]",
    r"好的?|谢谢|可以|不是|是的|行|嗯|哦",
)
_NAMES_ZH = re.compile(r"[\u3400-\u9fff]{2,}|[a-z]{2,}")
_FRONTED_ADVERBIAL = re.compile(r"^\W*(?:在|于|当|从|根据|据|自|随着|对|作为|除)[^,，]*[,，]\s*$")
"""`在竞选活动中，` in front of a pronoun names no one whom it could mean."""
_CONDITION_ZH = re.compile(r"^([^,，。?？]{4,}(?:了|被\w+|过期|损坏|坏|丢失?)[^,，。?？]{0,3})[,，]\s*")
_AS_MUCH_ZH = re.compile(r"(^\W*(?!到底|究竟|请问|那|可|但|就)[\u4e00-\u9fff]{2,6}?为什么会?)[这那]么")
_BACK_ZH = re.compile(r"[它他她]们?的?")


def resolved(text: str) -> str:
    """The same message without the pronouns that find their antecedent in it; unchanged where that is in doubt.

    Args:
        text: folded, in simplified characters.
    """
    if condition := _CONDITION_ZH.match(text):
        named = _NAMES_ZH.findall(_NO_THING_ZH.sub("", condition[1]))
        if sum(map(len, named)) >= 3:
            text = condition[0] + _BACK_ZH.sub("", text[condition.end() :])
    text = _AS_MUCH_ZH.sub(r"\1", text)
    if fronted := _FRONTED.match(text):
        text = fronted[0] + _BACK.sub("", text[fronted.end() :])
    return _OF_MANY.sub(r"\g<kept>", _JOINED.sub(r"\g<kept>", text))


def is_told_in_full(text: str, at: int) -> bool:
    """Whether this is a statement that names something before the word at this place, which points back.

    Args:
        text: folded, in simplified characters.
        at: the place in it.
    """
    return _is_statement(text) and _names_something(text[:at])


def _is_statement(text: str) -> bool:
    """It tells something of the world: asks nothing, and speaks neither of the writer nor to the reader."""
    long = len(re.findall(r"[\u3400-\u9fff]", text)) >= _MIN_STATEMENT
    return long and not any(rule.search(text) for rule in (_ASKS, _TO_SOMEBODY, _POINTS_OUT_OF_IT))


def _names_something(before: str) -> bool:
    return bool(_NAMES_ZH.search(_NO_THING_ZH.sub(" ", before))) and not _FRONTED_ADVERBIAL.match(before)

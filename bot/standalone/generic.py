"""Generic "I" and "my": "how do I see my invoices?" is answered the same for everybody.

Whoever asks how, where or whether something can be done says "my" of a thing that everybody has. `as_anybody` puts such
a question into the form that the rules about the asker let through; what they know of one's own record ("where is my
order?", "I paid twice") stays as it is.
"""

from __future__ import annotations

import re

from bot.standalone.patterns import either

__all__ = ["as_anybody"]

_KIN = (
    r"(?:wife|husband|son|daughter|mother|father|mom|mum|dad|child|children|kids?|friends?|partner|brother|sister|"
    r"parents?|colleagues?|boss|manager|doctor)"
)
_TO_LEARN = r"(?:know|hear|see|check|ask|learn|find out|track)"
_FRAME = either(
    r"\b(?:(?:how(?! (?:much|many|long|soon|far|old|high)\b)|where)(?: \w+)?|whom?|(?:what|which) (?:\w+ )?"
    r"(?:documents?|papers?|forms?|information|details|id|steps?|kinds?|types?|methods?|ways?)(?: of \w+)?)"
    r" (?:do|can|could|should|must|may|would|might) (?:i|we) (?!owe\b|still\b|know\b|qualify\b|expect\b|earn\b|"
    r"sit\b|be\b|meet\b|go (?:for|on|at)\b|have to (?:go|be|pay)\b)|"
    r"\bwhat (?:do|can|could|should|must|may) (?:i|we) (?!owe\b|know\b|expect\b|earn\b|get\b|pay\b|receive\b|"
    r"(?:have|need) to pay\b)",
    r"^\W*(?:can|could|may) (?:i|we) (?!have\b|still\b|know\b|expect\b)|^\W*(?:do|must|should) (?:i|we) (?:need|"
    r"have) to\b",
    r"\b(?:how|where) (?:i|we) (?:can|could|should|must)\b|^\W*when (?=my .*\b(?:what|how|do i|can i)\b)",
    r"\bwhat happens (?:if|when|once|after)\b|^\W*what if\b",
    r"\bhow (?:long|much) does it (?:take|cost)\b|\bwhat to do (?:if|when)\b",
    r"\b(?:is it possible|is there (?:a|any) way|am i allowed|how) to\b",
    rf"(?<!do )\bi (?:want|need|would like|have) to (?!{_TO_LEARN}\b)|\bi'd (?:like|love) to (?!{_TO_LEARN}\b)|"
    r"\bi(?: a|')m (?:interested in|trying to|looking to)\b",
    rf"\b(?:can|could|may|should|must) (?=my {_KIN}\b)|\bdoes (?=my {_KIN} (?:need|have) to\b)",
    r"(?<!check )(?<!see )(?<!know )(?<!look )(?<!confirm )(?<!verify )(?<!sure )"
    r"(?<!ask )(?<!me )(?<!wonder )(?<!wondering )(?<!out )(?<!tell )(?<!doubt )"
    r"\b(?:if|once|after|before|unless) (?=(?:i \w+ )?(?:my|our) )",
)
_ASKED_BY_ANYBODY = re.compile(rf"(?:{_FRAME.pattern})(?:(?!, (?:my|our)\b)[^.?!])*")
"""Up to the end of the sentence "my" is anybody's."""
_MY = re.compile(r"\b(?:my|our)\b")
_TO_ME = re.compile(r" (?:to me|for me|with me|myself)\b")
_SUPPOSED = re.compile(
    r"(\b(?:do|happens) (?:if|when|once|after)|^\W*if) i(?:'ve| have| had| was| am|'m)?(?: already| been)? \w+|"
    r"(\b(?:something|anything|items|things?|an? [\w-]+)) i (?:have )?(?:bought|ordered|paid for|received)\b"
)
"""What may happen to anybody, and what anybody may have bought."""
_EVENT_EN = (
    r"(?:(?:was|were|got|is|are|has been|have been|just got|went) (?:stolen|lost|missing|broken|damaged|blocked|"
    r"locked|frozen|"
    r"swallowed|retained|eaten|hacked|compromised|expired|cracked|gone|full|about to expire|not working)|"
    r"(?:has |have |just |will |is )?(?:expires?|expired|expiring|expire|broke|crashed|stopped working)|"
    r"(?:does not|doesn't|do not|don't|won't|isn't) (?:work|working|turn on|start|connect|open))"
)
_WHAT_TO_DO = (
    r"(?=.*\b(?:(?:how|where|what|who|whom) (?:do|can|could|should|must|to|would)(?: i| we| do| go)|(?:can|"
    r"could) (?:i|we)|do (?:i|we) (?:need|have) to)\b)"
)
_OWN_RECORD = (
    r"(?:order|payment|transfer|transaction|refund|parcel|package|delivery|money|cash|salary|flight|train|booking|"
    r"application|loan|claim|deposit|top-?up|withdrawal|invoice|bill)"
)
_WHAT_HAPPENED = either(
    rf"^\W*(?:help\W+)?(?:my|"
    rf"our) (?!(?:[\w-]+ ){{0,2}}{_OWN_RECORD}\b)(?P<thing>(?:[\w-]+ ){{1,3}}?){_EVENT_EN}\b(?: soon)?"
    rf"{_WHAT_TO_DO}",
    rf"^\W*i(?:'ve| have)? (?:just |recently )?(?:moved|got married|(?:can't|cannot) find (?:my|our|"
    rf"the) (?P<gone>[\w-]+)|(?:lost|forgot|forgotten|broke|misplaced|damaged|"
    rf"dropped)"
    rf"(?: (?:my|our|an?|the) (?P<lost>[\w-]+))?|(?:got|received|have) (?:a|my|the) "
    rf"(?P<got>(?:new|second|replacement|disposable|virtual|temporary) \w+))\b{_WHAT_TO_DO}",
    r"\bthe (?:card|phone|device|key|account) i (?:just |recently )?(?:got|received|bought|opened)\b",
)
_LEAD_IN = re.compile(
    r"^\W*(?:(?:just|i am|i'm|i was|was) (?:just )?(?:wondering|asking|curious)|(?:just )?(?:a )?quick question|"
    r"excuse me|sorry)"
    r"(?:,? (?:if|whether|about))?\b\W*"
)
_UNDER_A_CONDITION = r"\b(?:after|if|when|once|even|without)\b"
_ANYTIME = either(
    rf"(?<=\bcan i )still(?= [^.?!]*{_UNDER_A_CONDITION})",
    r"(?<=\bthe )last (?=day (?:to|of|for)\b)",
    r"最近的?(?=(?:网点|分行|支行|银行|门店|分店|店|医院|药店|地铁|车站|取款机|停车场|营业厅|服务点))",
    r"(?<=后)还(?=能|可以|要|需)|(?<=下单)还(?=能|可以)|(?:(?<=了,)|(?<=了,它))还(?=能|可以)",
)
"""Words of now that mean no moment here: nearest, last of a row, still under a condition."""
_STILL_AFTER = re.compile(rf"(^\W*{_UNDER_A_CONDITION}[^.?!]*\bcan i )still\b")

_HOW_ZH = r"(?:怎么|如何|怎样|咋|(?:在|去|从)?(?:哪里|哪儿|哪))"
_RECORD_ZH = r"(?:订单|贷款|申请|退款|快递|包裹|物流|货|理赔|工资|钱|余额|进度|航班|火车|预约|付款|转账)"
_BY_WHOM_ZH = either(
    rf"(?P<how>{_HOW_ZH}(?:可以|才?能|去|才)?[^我你他她它这那,，。?？没被会还了]{{1,8}})(?:我们?|自己)的(?!.*为什么)",
    r"(?P<may>^\W*我?(?:可以|能不能|可不可以|能否|能)[^我你他她它这那,，。?？没被会还查看帮给替]{1,8})(?:我们?|自己)的",
    r"(?P<when>^\W*)我(?=(?:什么时候|何时|几号|哪天)(?:要|需要|应该|必须|得)(?![上考面值拿收])\w)",
    rf"(?P<thing>^\W*)我的(?=(?!{_RECORD_ZH})[^什哪多几怎]{{1,5}}(?:可以|能|该|应该)\w)",
    rf"(?P<know>{_HOW_ZH}(?:才能)?(?:知道|确认|查询|查到|判断|证明))(?:我|自己)(?=[能可是有符满])",
    r"(?P<then>^\W*)我(?=[^,，了]{2,4}[以之]?[后前](?:还|能|可|怎|要|多|如))",
    rf"(?P<event>^\W*)我(?:的|(?!的))(?=(?!{_RECORD_ZH})[^,，。?？]{{1,6}}(?:丢|不见|坏|破|过期|到期|损坏|找不到|没电|被吞|被锁|被盗|被偷|碎)"
    rf"了?[,，。]?\s*(?:我)?(?:该|要|应该)?(?:{_HOW_ZH}|找谁))",
    rf"(?P<wish>^\W*)我不(?:想|要|需要)(?=[^,，]{{1,5}}了[,，]?\s*{_HOW_ZH})",
)
"""The asker's own thing in a question how, where, whether or when something is done: the words before it stay."""
_DONE_ZH = re.compile(
    rf"(?<=丢|见|坏|破|期|到|电|吞|锁|盗|偷|碎|订|约|要|用)了(?=[,，。]?\s*(?:我)?(?:该|要|应该)?(?:{_HOW_ZH}|找谁))"
)


def as_anybody(text: str) -> str:
    """The question as anybody would ask it.

    Args:
        text: folded, in simplified characters.
    """
    text = _LEAD_IN.sub("", text)
    text = _ANYTIME.sub("", _STILL_AFTER.sub(r"\1", text))
    text = _SUPPOSED.sub(lambda match: f"{match[1] or match[2]} ", text)
    text = _WHAT_HAPPENED.sub(
        lambda match: f"a {match['thing'] or match['lost'] or match['gone'] or match['got'] or 'certain'} ", text
    )
    text = _ASKED_BY_ANYBODY.sub(lambda asked: _TO_ME.sub("", _MY.sub("a", asked[0])), text)
    return _DONE_ZH.sub("", _BY_WHOM_ZH.sub(_before, text))


def _before(match: re.Match[str]) -> str:
    return next(part for part in match.groups() if part is not None)

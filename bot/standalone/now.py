"""Whether the answer to a question changes with the time of asking."""

from __future__ import annotations

from bot.standalone.patterns import either

__all__ = ["is_asked_of", "is_there_now"]

_PERIOD = (
    r"(?:week|month|year|quarter|morning|afternoon|evening|night|weekend|semester|term|season|time|spring|summer|"
    r"autumn|"
    r"fall|winter|monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|may|june|july|"
    r"august|september|october|november|december|christmas|holiday|hour|minute|day|decade)s?"
)
_EVENT = (
    r"(?:strikes?|outages?|delays?|disruptions?|traffic|queues?|incidents?|accidents?|closures?|power cuts?|anyone|"
    r"anybody|"
    r"someone|somebody|news|updates?)"
)
_PLACE = (
    r"(?:rooms?|seats?|tables?|tickets?|slots?|appointments?|spots?|places?|spaces?|beds?|vacanc(?:y|ies)|openings?|"
    r"copies|"
    r"units?)"
)
_NOW_EN = either(
    r"\b(?:today|today's|tonight|tomorrow|tomorrow's|yesterday|yesterday's|now|nowadays|currently|current|presently|"
    r"lately|recent|recently|latest|newest|upcoming|soon|soonest|still|ago|already|anymore|so far|yet|"
    r"at the moment|at present|at this point|these days|as of|up to date|right away|news|weather|forecast|"
    r"exchange rates?|stock prices?|share price|outage|downtime)\b",
    rf"\b(?:this|next|last|past|coming|previous|past few|next few|last few) (?:\w+ )?{_PERIOD}\b",
    r"\bwhat(?:'s| is) the (?:time|date)\b(?! (?:period|limit|frame|zone|difference|window|slot))|\bwhat (?:time|day|"
    r"date|year|month) is (?:it|today)\b|"
    r"\b(?:down|offline) \?*$|"
    r"(?<!when )(?<!days )(?<!day )(?<!times )\bis (?!not? )(?:[\w'-]+ ){1,4}"
    r"(?:down|offline|available|open|closed|working|online|in stock|sold out|delayed|busy|back|fixed)\b"
    r"(?! (?:on|at|during|in|for|to|from|every|all|after|before|until|when|if|with)\b)|"
    r"\bwill (?:[\w'-]+ ){1,4}be (?:back|fixed)\b",
    r"^\W*is (?:[\w.'-]+ ){1,4}(?:in|out|around|on duty|on call|on leave|away|there|here|up)\W*$",
    rf"^\W*any (?:\w+ )?{_EVENT}\b",
    rf"\bany (?:\w+ )?{_PLACE}(?: (?:free|left|available|open|vacant))?(?: (?:for|on|in|at) [\w' ]+)?\W*$|"
    r"\bhow (?:many|much)\b.*\b(?<!was )(?<!were )(?:left|remain|remaining)\b",
    r"\bnext (?:bus|train|tram|ferry|flight|shuttle|meeting|class|lecture|release|event|course|exam|session)\b|"
    r"^\W*what(?:'s| is) (?:new|up|going on|happening)\W*$",
)
_THERE_IS = either(
    rf"\b(?:is|are) there (?:an? |any )?(?:\w+ )?{_EVENT}\b",
    r"^\W*(?:is|are) there\b.*\bleft\b",
)
_NOW_ZH = either(
    r"今[天日晚早年儿后]|明[天日晚早年儿]|[昨后前][天日晚年]|去年|现在|目前|当前|如今|眼下|此刻|最近|近期|近来|最新|本[周月年]|本(?:季度|学期)",
    r"[下上](?:周|个月|月|星期|礼拜|季度|学期|半年|次|回)|刚刚|刚才|几点了|(?:星期|礼拜|周)几(?:了|\W*$)|几号(?:了|\W*$)|即将|已经|还没|尚未",
    r"天气|汇率|股价|油价|金价|新闻|截至|截止(?:到)?(?:今|目前|现在)|近(?:[几一两三]|\d)|什么时候(?:恢复|上线|发布|开放)|(?:坏|挂|崩|宕机)了(?!.*(?:怎么|如何|怎样|谁|哪))|"
    r"维护中|还在|"
    r"有货|缺货(?!的)|了(?:吗|没有?|么)\W*$|下一?(?:班|趟|场)",
    r"在(?:吗|不在|么|嘛)\W*$|人[多少](?:吗|么|不多)|[忙挤堵](?:吗|么|不)|有(?:人|空)(?:吗|么)\W*$|有(?:罢工|停电|停水|故障|延误|堵车|事故)|[剩余](?:多少|几|下)|"
    r"^\W*(?:还)?有(?:没有)?(?:空|余|多余的?)?(?:房|票|座|位|号|床|名额)\w?(?:吗|么|没有)?\W*$|还有(?:房|票|座|位|号|床|名额|空)",
)


def is_asked_of(text: str) -> bool:
    """Whether it asks about now, or about a day that is told from now.

    Args:
        text: folded, in simplified characters, without empty pointers.
    """
    return bool(_NOW_EN.search(text) or _NOW_ZH.search(text))


def is_there_now(text: str) -> bool:
    """Whether it asks if something is there that comes and goes ("is there a strike?", "are there any seats left?").

    Args:
        text: folded.
    """
    return bool(_THERE_IS.search(text))

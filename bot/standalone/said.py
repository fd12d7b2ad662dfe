"""Whether a question leans on what was said before: by words that point back, or by saying too little."""

from __future__ import annotations

import re

from bot.standalone.antecedents import is_told_in_full, resolved
from bot.standalone.patterns import either

__all__ = ["leans", "says_something", "without_empty_pointers"]

_SAYS_SOMETHING = re.compile(r"[^\W\d_]{2}|[\u3400-\u9fff]")
_EMPTY_WORDS = either(
    r"\b(?:yes|yeah|yep|no|nope|ok|okay|sure|right|why|how|what|when|where|who|which|really|and|or|so|then|more|go on|"
    r"continue|next|please|the|a|an|well|hm+|thanks?|thank you|not|but|i see|come|huh|all)\b",
    r"为什么|怎么样|怎么办|怎么|什么|继续|好的|好吧|好|是的|是|对|不是|不|嗯+|哦|啊|吗|呢|吧|然后|谢谢|多谢|可以|行|没有|有|详细|真的|请",
)

_LEANS_ON_NOTHING = either(
    r"^\W*(?:hi|hello|hey|dear)(?: there| all| team)?\b|\bthe reasons? that\b|"
    r"\b(?:someone|somebody|anyone) else(?= \w)|"
    r"(?<= (?:to|by|or) )(?:someone|somebody|anyone) else\b|\bthe next step (?=(?:after|in|when)\b)",
    r"(?:能|可以|请)?(?:告诉我(?:一下)?|帮我看(?:看|一下|下)?)(?=.*(?:怎么|如何|怎样|什么|哪|多少))",
    r"\b(?:is|are|was|were|will|be|isn't|aren't|if|that|when) there\b(?!\s*(?:\?|$))|\bthere(?:'s| is| are| will be)\b",
    r"\b(?:is|was|be|would|will) it (?:be )?(?:\w+ly )?(?:possible|ok|okay|safe|necessary|required|allowed|legal|"
    r"permitted|mandatory|compulsory|free|worth|useful|better|best|normal|common)"
    r"(?: for (?:an? |the )?\w+(?: \w+)?)? to(?= \w)",
    r"\bhow much (?:is|will|would) it (?:be )?(?:in order )?to(?= \w)",
    r"\b(?:does|will|would) it (?:take|cost)(?: for (?:an? |the )?\w+(?: \w+){0,4}?)? to(?= \w)",
    r"\b(?:means?|ensure|sure|so|confirm|requires?|fact|says?|provided) that(?= (?:the|an?|my|i|we|no|all|every)\b)",
    r"\bthe (?:most|least|\w+est|only|maximum|minimum)(?: \w+)? that (?=(?:i|you|we|can|is|are)\b)",
    r"\b(?:something|anything|everything|anyone|anywhere|people|any \w+|an? (?:\w+ )?\w+) that (?=(?:is|are|was|were|"
    r"has|have|"
    r"can|"
    r"does|do|i|you|we)\b)|\babove (?=[\d$€£¥])|\bsuch as\b|\bwhat (?:is|are) the differences? between\b",
    r"其他|其它|其余|其实|尤其|极其|与其(?![他它余中实])|土耳其|他人|吉他|刹那|其次",
    r"应该|该怎么|该如何|该去|该找|该做|不该|该不该|活该",
    r"(?<=[\d岁年月天元万人次级个%])以[上下]",
)
"""Words that only look as if they pointed somewhere; taken out before the rules look."""
_LEANS_EN = either(
    r"\b(?:it|its|it's|itself|this|these|those|that|that's|he|she|him|her|his|hers|they|them|their|theirs|they're|"
    r"he's|she's|there|here|such|former|latter|above|aforementioned|mentioned|earlier|again|else|instead|previously|"
    r"otherwise|likewise|also|vice versa|ditto|both(?! (?:the |my |of the )?\w+s\b| (?:an? |the |my )?[\w-]+ and\b)|"
    r"neither|mine)\b",
    r"\b(?:too|as well|either|though|then|so|only|yet)\s*[?.!]*\s*$|\bdo(?:es)? (?:so|the same)\b|"
    r"\bif (?:so|not)\b",
    r"^\W*(?:and|but|or|so|then|also|plus|what about|how about|same|except|because|as for|"
    r"what if not|why not|not|another|any (?:other|more)|other|others|even|only|just|ok|okay|yes|no)\b(?!\s?[-/])",
    r"^\W*(?:for(?! how)|with|without)\b(?![^,?]*,? (?:can|could|do|may|must|should|would)? ?i \w+ \w)|"
    r"^\W*(?:in|on|at|to|next to|close to|around|behind|under|from|by|before|after|during|until|near|via|per|between|"
    r"within)\b(?!-)"
    r"(?!.*\b(?:what|which|how|when|where|who|why|is|are|do|does|did|can|could|may|must|should|will|would|i|you|we)\b)|"
    r"\bthe same(?= (?:true|thing|possible|valid|available|applies|apply|goes|case|in|on|for|here|there)\b|\W*$)",
    r"^\W*(?:\d+|one|two|three|four|five|six) [a-z]+\W*$",
    r"^\W*how come\W*$|\bany others?\b|^\W*(?:which|what) ones?\b|^\W*(?:which|what) is (?:the )?\w+(?:er|est)\W*$|"
    r"^\W*(?:show|give) me (?:\w+ )?examples?\W*$|\bmore (?:specific|precise)\b|\b(?:simpler|other) words\b",
    r"\bones?\s*(?:[?.!,]|$)|\bthe \w+ ones?\b(?! (?:of|who|which|that|with|in|on)\b)|"
    r"\ba \w+er (?:way|option|method)\W*$|"
    r"\bthe (?:first|second|third|fourth|last|other|next|previous) (?:one|two|option|point|step|"
    r"part|answer|question|message|link|document|paragraph|sentence|item|method|way)s?\b|\bthe others?\b",
    r"\b(?:previous|last|first|earlier) (?:answers?|repl(?:y|ies)|responses?|conversations?|discussions?|chats?|"
    r"questions?|messages?)\b|\byour (?:answer|reply|response|message|explanation|list)s?\b",
    r"\byou(?:'ve| have| had)? (?:just |already )?(?:said|told|mentioned|wrote|answered|explained|listed|recommended|"
    r"suggested|gave|sent|meant?)\b|\bi (?:just )?(?:said|told|mentioned|asked|meant|wrote)\b|\bdo you mean\b",
    r"\bmore (?:details?|info|information|examples?)\b(?! (?:about|on|of|for)\b)|\btell me more\b|\belaborate\b|"
    r"\bin (?:detail|short|other words)\s*[?.!]*\s*$|\bremember(?:ed)?\b|\bsummari[sz]e\b|\brephrase\b|"
    r"^\W*(?:can you |could you |please )*repeat\b|\brepeat (?:it|that|your)\b|"
    r"\btranslate\b|"
    r"^(?:.*\b(?:say|answer|reply|explain|write|tell)\b.*)?\W*in (?:english|chinese)(?: please| pls)?\W*$",
)
_LEANS_ZH = either(
    r"[它她他这那此其]|该(?:产品|公司|服务|功能|政策|文件|项目|账户|业务|员工|部门|银行|系统|规定|问题|方法|活动|卡|计划|费用|协议|条款)",
    r"上面|上述|前面|后面|下面|(?<![可得])以[上下]|前者|后者|刚才|刚刚|刚说|刚问|上一|前一个|后一个|下一步|(?<!合)同上|如上|上文",
    r"(?:^|[,，。\s你我])之前|之前(?:说|提|问|讲|的|那)|先前|刚(?:说|提|讲)",
    r"第[一二三四五六七八九十\d]+(?:个|点|种|条|步|项|款|句)|^\W*(?:能|可以|有没有|要)?(?:再)?(?:快|慢|早|晚|便宜|简单)一?[点些]",
    r"另外|另一|别的(?:吗|呢|办法|方法|选择|\W*$)|同样|一样|还有(?:吗|呢|什么|哪|没)|还(?:需要|要|能|可以|会|应)|也|再(?:说|讲|来|给|详细|具体|解释|问|举|帮|试)",
    r"详细(?:说|讲|一点|点|介绍一下$)|具体(?:点|一点|说|讲)|展开|举(?:个|一个)?例|换句话|换个|总结|概括|翻译|重复|复述",
    r"你(?:刚|说|提到|讲|告诉|推荐|列|指|意思|的(?:回答|答案|意思|话))|^\W*(?:是|啥|有)?什么意思\W*$|记得|记住",
    r"^\W*(?:那|然后|所以|但是|可是|不过|而且|还|也|或者|如果不|否则|对于|至于|除了|只有|只是|就是|为什么呢|怎么办\W*$|因为|比)",
    r"^\W*(?:换成|改成|改为)|^\W*[一二两三四五六七八九十\d]+(?:个|位|天|年|次|张|份|间|晚|人|小时|块|元)[\u4e00-\u9fff]{0,2}\W*$",
    r"^\W*在(?![线职校读岗])[\u4e00-\u9fff]{2,4}\?\W*$|^\W*(?!可)[\u4e00-\u9fff]{1,5}(?:可以|行|可不可以|行不行)[吗么]?\W*$|"
    r"^\W*哪个(?:更|比较|最)?\w{0,3}\W*$|更\w{1,3}的(?:吗|么)?\W*$|接着说|回答(?:短|长|简|详)|说得|一遍|^\W*(?:两个都|都)|"
    r"^\W*[\u4e00-\u9fff]{1,5}怎么样\W*$",
)
_NE_WITHOUT_QUESTION = re.compile(
    r"^(?!.*(?:怎么|怎样|如何|什么|哪|谁|多少|几|为何|是否|吗|何时|多久|多长|多大|能否|可否|有没有|是不是)).*呢[\s?？!！。.~]*$"
)
"""`学生呢？` asks what was asked before, of something else; `怎么重置密码呢？` stands alone."""


def without_empty_pointers(text: str) -> str:
    """The same without the words that only look as if they pointed somewhere ("is it possible to", "其他").

    Args:
        text: folded, in simplified characters.
    """
    return _LEANS_ON_NOTHING.sub(" ", text)


def says_something(text: str) -> bool:
    """Whether there is more than "yes", "why?" or a number."""
    return bool(_SAYS_SOMETHING.search(_EMPTY_WORDS.sub(" ", text)))


def leans(text: str, *, opens: bool) -> bool:
    """Whether it means something only with what was said.

    Args:
        text: folded, in simplified characters, without empty pointers.
        opens: nothing was said before. Then a pronoun may find its antecedent in the message itself.
    """
    if opens:
        text = resolved(text)
    if _LEANS_EN.search(text) or _NE_WITHOUT_QUESTION.search(text):
        return True
    pointer = _LEANS_ZH.search(text)
    return pointer is not None and not (opens and is_told_in_full(text, pointer.start()))

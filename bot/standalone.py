"""Whether the answer to a question may be shared with other people. Pure.

It may only be shared if it would be the same for anybody, in any conversation, at any time. So a question that leans
on what was said ("and for students?"), on who asks ("where is my order?") or on now ("open today?") is neither stored
nor served, nor is one that carries what identifies somebody. All of it is decided by lists of words, in English and
in Chinese of both scripts, and both look at every text, as people mix them. They refuse when in doubt: a wrong refusal
costs one call of the model, a wrong sharing tells one person what was meant for another.

Generic "I" and "my" are not personal ("how do I reset my password?"): personal is the state or the possession of one's
own record.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from bot.message import Language
from bot.spelling import fold, normalise

__all__ = ["Fitness", "fitness", "normalise"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitness:
    """What may be done with the answer to a question.

    Attributes:
        storable: it may be stored for others.
        servable: one that was stored for others may be given.
        leans: the question means something only with what was said before.
    """

    storable: bool
    servable: bool
    leans: bool = False


_UNFIT = Fitness(storable=False, servable=False)

MAX_CHARS = 500
"""Whoever writes more tells a story of their own, and nobody will write the same again."""


def fitness(question: str, language: Language, *, has_history: bool) -> Fitness:
    """Decide by the question's words.

    Args:
        question: as written.
        language: of the question.
        has_history: earlier exchanges stand in the request. Then its answer is never storable, and a stored one is
            servable only if this is a whole question with a subject of its own.
    """
    if len(question) > MAX_CHARS:
        return _UNFIT
    text = _simplified(fold(question))
    if _INTRODUCTION.search(question):
        return _UNFIT
    if not _SAYS_SOMETHING.search(_EMPTY_WORDS.sub(" ", text)):
        return Fitness(storable=False, servable=False, leans=True)
    plain = _LEANS_ON_NOTHING.sub(" ", text)
    if any(rule.search(plain) for rule in _LEANING):
        return Fitness(storable=False, servable=False, leans=True)
    if any(rule.search(plain) for rule in _RULES):
        return _UNFIT
    if not has_history:
        return Fitness(storable=True, servable=True)
    whole = _is_whole_chinese(text) if language == "zh" else _is_whole_english(text)
    return Fitness(storable=False, servable=whole, leans=not whole)


_PAIRS = (
    "這这剛刚現现當当總总後后從从給给幫帮辦办歲岁訂订單单貸贷請请領领餘余帳账賬账號号戶户發发預预約约險险償偿還还導导師师話话電电郵邮機机證证們们個个點点種种條条項项麼么裡里裏里問问誰谁為为幾几說说講讲繼继續续該该"
    "嗎吗時时間间會会資资獎奖積积額额績绩處处進进審审匯汇價价氣气遺遗買买過过實实無无與与經经遞递達达貨货醫医藥药兒儿媽妈級级聯联係系絡络週周禮礼歷历體体細细舉举換换則则並并遠远費费關关開开設设備备應应對对樣样詢询"
    "銀银許许須须長长業业內内將将來来兩两確确認认讓让錢钱檔档類类結结記记論论義义動动產产務务規规員员統统議议協协復复複复譯译錄录團团隊队職职崗岗簽签訴诉報报轉转狀状態态滿满屬属夠够權权聞闻維维護护線线壞坏掛挂題题"
    "釋释試试薦荐詳详紹绍謝谢萬万極极寫写購购據据稱称錯错準准數数妳你牠它"
)
"""Traditional and simplified form of the characters in the rules below; whoever adds a word adds its characters."""
_TO_SIMPLIFIED = str.maketrans(_PAIRS[::2], _PAIRS[1::2])


def _simplified(text: str) -> str:
    return text.translate(_TO_SIMPLIFIED)


def _any(*patterns: str) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


# --- it says too little -------------------------------------------------------------------------------------------

_SAYS_SOMETHING = re.compile(r"[^\W_]")
_EMPTY_WORDS = _any(
    r"\b(?:yes|yeah|yep|no|nope|ok|okay|sure|right|why|how|what|when|where|who|which|really|and|or|so|then|more|go on|"
    r"continue|next|please|the|a|an|well|hm+|thanks?|thank you|not|but|i see|come|huh|all)\b",
    r"为什么|怎么样|怎么办|怎么|什么|继续|好的|好吧|好|是的|是|对|不是|不|嗯+|哦|啊|吗|呢|吧|然后|谢谢|多谢|可以|行|没有|有|详细|真的|请",
)

# --- it carries what identifies somebody ----------------------------------------------------------------------------

_INTRODUCTION = _any(
    r"\b(?:[Ii] am|[Ii]['\u2019]m|[Ii] was|[Cc]all me)\s+[A-Z][a-z]+",
    r"\b[Tt]his is\s+[A-Z][a-z]+\s*(?:[,.;:!]|and\b|speaking|from|here)",
)
_IDENTIFIES = _any(
    r"\S@\w|(?:^|\s)@\w",  # addresses and handles
    r"(?:\d[\s().-]{0,2}){6}",  # phones, cards, orders, dates of birth
    r"\b(?:order|invoice|ticket|case|tracking|account|booking|card|policy|contract|reference|customer|employee|ref|id)"
    r"(?:\s|\W){0,3}(?:no\.?|number|id)?\W{0,3}(?=[a-z-]{0,8}\d)[\w-]{3,}",
    r"(?:订单|工单|单号|账号|账户|卡号|编号|客户|员工|工号|合同|保单|发票|尾号|运单)(?:号码?)?[\s:是为#]{0,3}[a-z-]{0,6}\d{3,}",
    r"#\s?\d{3,}",
    r"\bmy (?:first |last |full |user)?name(?:'s)?\W{0,2}(?:is|was|[:=])",
    r"我叫|叫我|我姓|我的?(?:名字|姓名)(?:是|[:：])|^\W*本人|本人(?:是|叫|名下|的账)",
)

# --- it leans on what was said --------------------------------------------------------------------------------------

_LEANS_ON_NOTHING = _any(
    r"^\W*(?:hi|hello|hey|dear)(?: there| all| team)?\b|\bthe reasons? that\b|"
    r"\b(?:someone|somebody|anyone) else(?= \w)",
    r"(?:能|可以|请)?(?:告诉我(?:一下)?|帮我看(?:看|一下|下)?)(?=.*(?:怎么|如何|怎样|什么|哪|多少))",
    r"\b(?:is|are|was|were|will|be|isn't|aren't|if|that|when) there\b(?!\s*(?:\?|$))|\bthere(?:'s| is| are| will be)\b",
    r"\b(?:is|was|be|would|will) it (?:be )?(?:\w+ly )?(?:possible|ok|okay|safe|necessary|required|allowed|legal|"
    r"permitted|mandatory|compulsory|free|worth|useful|better|best|normal|common)"
    r"(?: for (?:an? |the )?\w+(?: \w+)?)? to(?= \w)",
    r"\b(?:does|will|would) it (?:take|cost)(?: for (?:an? |the )?\w+(?: \w+)?)? to(?= \w)",
    r"\b(?:means?|ensure|sure|so|confirm|requires?|fact|says?|provided) that(?= (?:the|an?|my|i|we|no|all|every)\b)",
    r"\babove (?=[\d$€£¥])|\bsuch as\b|\bwhat (?:is|are) the differences? between\b",
    r"其他|其它|其余|其实|尤其|极其|与其(?![他它余中实])|土耳其|他人|吉他|刹那|其次",
    r"应该|该怎么|该如何|该去|该找|该做|不该|该不该|活该",
    r"(?<=[\d岁年月天元万人次级个%])以[上下]",
)
"""Words that only look as if they pointed somewhere; taken out before the rules look."""
_LEANS_EN = _any(
    r"\b(?:it|its|it's|itself|this|these|those|that|that's|he|she|him|her|his|hers|they|them|their|theirs|they're|"
    r"he's|she's|there|here|such|former|latter|above|aforementioned|mentioned|earlier|again|else|instead|previously|"
    r"otherwise|likewise|also|vice versa|ditto|both(?! (?:the |my |of the )?\w+s\b)|neither|mine)\b",
    r"\b(?:too|as well|either|though|then|so|only|yet)\s*[?.!]*\s*$|\bdo(?:es)? (?:so|the same)\b|"
    r"\bif (?:so|not)\b",
    r"^\W*(?:and|but|or|so|then|also|plus|what about|how about|same|for|with|without|except|because|as for|"
    r"what if not|why not|not|another|any (?:other|more)|other|others|even|only|just|ok|okay|yes|no)\b(?!\s?[-/])",
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
_LEANS_ZH = _any(
    r"[它她他这那此其]|该(?:产品|公司|服务|功能|政策|文件|项目|账户|业务|员工|部门|银行|系统|规定|问题|方法|活动|卡|计划|费用|协议|条款)",
    r"上面|上述|前面|后面|下面|(?<![可得])以[上下]|前者|后者|刚才|刚刚|刚说|刚问|上一|前一个|后一个|下一步|(?<!合)同上|如上|上文",
    r"(?:^|[,，。\s你我])之前|之前(?:说|提|问|讲|的|那)|先前|刚(?:说|提|讲)",
    r"第[一二三四五六七八九十\d]+(?:个|点|种|条|步|项|款|句)|^\W*(?:能|可以|有没有|要)?(?:再)?(?:快|慢|早|晚|便宜|简单)一?[点些]",
    r"另外|另一|别的(?:吗|呢|办法|方法|选择|\W*$)|同样|一样|还有(?:吗|呢|什么|哪|没)|还(?:需要|要|能|可以|会|应)|也|再(?:说|讲|来|给|详细|具体|解释|问|举|帮|试)",
    r"详细(?:说|讲|一点|点|介绍一下$)|具体(?:点|一点|说|讲)|展开|举(?:个|一个)?例|换句话|换个|总结|概括|翻译|重复|复述",
    r"你(?:刚|说|提到|讲|告诉|推荐|列|指|意思|的(?:回答|答案|意思|话))|^\W*(?:是|啥|有)?什么意思\W*$|记得|记住",
    r"^\W*(?:那|然后|所以|但是|可是|不过|而且|还|也|或者|如果不|否则|对于|至于|除了|只有|只是|就是|为什么呢|怎么办\W*$|因为|比)",
    r"^\W*哪个(?:更|比较|最)?\w{0,3}\W*$|更\w{1,3}的(?:吗|么)?\W*$|接着说|回答(?:短|长|简|详)|说得|一遍|^\W*(?:两个都|都)|"
    r"^\W*[\u4e00-\u9fff]{1,5}怎么样\W*$",
)
_NE_WITHOUT_QUESTION = re.compile(
    r"^(?!.*(?:怎么|怎样|如何|什么|哪|谁|多少|几|为何|是否|吗|何时|多久|多长|多大|能否|可否|有没有|是不是)).*呢[\s?？!！。.~]*$"
)
"""`学生呢？` asks what was asked before, of something else; `怎么重置密码呢？` stands alone."""

# --- it leans on who asks -------------------------------------------------------------------------------------------

_RECORD_EN = (
    r"(?:order|loan|mortgage|application|balance|ticket|delivery|deliveries|shipment|parcel|package|appointment|booking|"
    r"reservation|invoice|bill|refund|claim|payment|transaction|transfer|deposit|statement|salary|payslip|pay|wage|"
    r"bonus|points?|score|case|request|complaint|contract|prescription|result|grade|schedule|shift|debt|savings|pension|"
    r"reimbursement|expense|history|status|remaining|eligibility|birthday|age|role|manager|boss|supervisor|mentor|"
    r"team|colleague|doctor|wife|husband|son|daughter|mother|father|mom|mum|dad|child|children|kid|friend|partner|"
    r"brother|sister|parent|situation|condition|problem|issue|question)"
)
"""What one has, and a bank or a shop keeps a record of, and people that only the asker has."""
_STORY = re.compile(
    r"^(?!.*(?:\?|\b(?:how|what|where|when|which|who|why|can|could|may|is|are|does|do you|forgot|lost|"
    r"want to|would like to|i'd like to|need to|need (?:some )?(?:help|assistance))\b))"
    r".*\b(?:my|i (?:do not|don't|can't|cannot|cant|can not))\b"
)
"""A sentence about one's own thing that asks nothing (`The ATM took my card`) tells what happened to somebody."""
_UNLESS_IF = "(?<!if )(?<!when )(?<!while )"
_UNLESS_MAY = "(?<!can )(?<!could )(?<!may )(?<!must )(?<!should )"
_PERSONAL_EN = _any(
    rf"\b(?:my|our)(?: [\w-]+){{0,2}} {_RECORD_EN}s?\b",
    r"(?:^|[.,;:!?]\s*|\b(?:why|that|when|because|but|and) )(?:my|our)\b",
    r"\b(?:where|what|when|who|why)(?:'s| is| are|'re| was| were| will| has| have| did| does) (?:my|our)\b",
    r"\b(?:is|are|was|were|has|have|had|does|did|will|isn't|aren't|wasn't|hasn't|haven't|doesn't|didn't|won't)"
    r"(?: all)?(?: of)? (?:my|our)\b(?! (?:personal )?(?:data|information|privacy)\b)",
    r"\b(?:wasn't|weren't|didn't|haven't|hadn't|couldn't|wouldn't) i\b|"
    r"\b(?:(?:didn't|won't|wouldn't|doesn't|not) let|charged|gave|sent|told|asked) me\b",
    r"\bam i\b(?! (?:allowed|required|supposed|obliged|permitted)\b)|\b(?:was|were|have|did|had) i\b",
    r"\b(?:do|will) i (?:still|already|owe|qualify|have(?! to\b)|get paid|get my|"
    r"receive my)\b",
    rf"{_UNLESS_IF}\bi am\b|{_UNLESS_IF}\bi'm\b(?! (?:unable|not able|trying|having trouble|getting))|"
    r"\bi'd\b(?! (?:like|love|rather))",
    rf"{_UNLESS_MAY}\bi(?:'ve| have| had| was| did| already| just| recently| never| only| last)+ "
    r"(?!to\b|forgot|lost\b)\w+",
    r"\bi (?!(?:allowed|required|supposed|obliged|permitted)\b|need\b|exceed\b|proceed\b|succeed\b|speed\b|"
    r"feed\b)(?:\w{2,}ed|paid|sent|bought|got|made|spent|took|gave|"
    r"left|came|went|saw|found|had|was|did)\b",
    rf"{_UNLESS_MAY}\bi (?:live|work|study|owe|earn)\b",
    r"\b(?:did|have|has|can|could|do|will|please) (?:(?:you|anyone|somebody|someone) )?(?:already |please )?(?:get|got|"
    r"received?|see|check|process|processed|ship|shipped|approved?|find|look up|cancel|change|update|delete|send|call) "
    r"(?:me|my|our)\b|^\W*(?:check|find|look up|cancel|change|update|delete|send|call|track|reset|book|"
    r"renew|close|block|activate|extend|pay|refund) (?:me|my|our)\b",
    r"\b(?:about|for|of|on|from|to|with|remember|know|recogni[sz]e|call|contact|remind) me\b|\bmyself\b",
    r"\bwhen (?:do|will|can) i (?:get|receive|expect|hear|be)\b|"
    r"\b(?:is|are) (?:\w+ ){1,5}(?:showing|pending|stuck|missing)\b|"
    r"^\W*(?:terminate|remove|stop|unblock|freeze|deactivate) (?:me|my|our)\b",
)
_PERSONAL_ZH = _any(
    r"(?:我|我们|咱们?|自己)的?(?:[\w]{0,4}?)(?:订单|贷款|申请|余额|工单|快递|包裹|物流|货|预约|发票|账单|退款|理赔|保单|合同|工资|薪|奖金|"
    r"社保|公积金|积分|额度|信用分|成绩|排班|报销|进度|审批|流水|欠款|还款|存款|剩余|经理|主管|领导|上级|老板|导师|同事|医生|病历|处方|"
    r"生日|年龄|地址|电话|手机号|邮箱|身份证号|卡号|父母|妈妈|爸爸|老公|老婆|妻子|丈夫|儿子|女儿|孩子|朋友|家人|情况|问题|资料|文件|资格|明细|投诉|"
    r"状态|记录|部门|团队|职位|岗位|套餐|流量|消费|还剩|签证)",
    r"我的?\w{0,6}(?:到哪|到了|什么时候|何时|为什么|为何|怎么(?:还|没|不|被|会|这)|好了|批了|通过了|是多少|还有多少|是什么时候|在哪|被|是哪)",
    r"我(?:还|有|欠|剩|能有|应有|现)(?:有|剩|欠|能|应)?\w{0,4}(?:多少|几|资格|权)|我(?:符合|满足|属于|算|够|欠|住|来自|今年|在\w{1,8}(?:工作|上班|读))",
    r"我(?:们)?是(?!否|不是)|我(?:们)?(?:已|刚|上|昨|前|曾|没收|没有?收|收到|买|订|付|交|提交|下单|被|投诉|报名|拍|寄|约|借|存|转)",
    r"我(?!\S{0,6}(?:忘|丢|遗失|掉))\S{0,8}了(?!解)|我(?:申请|办理|预约|贷|取|填|写)(?:的|过)",
    r"(?:帮|给|替|为|关于|认识|联系|通知|告诉|提醒|收到|发给|对)我(?:的|们|查|看|办|改|取消|催|退|发|寄|写|吗|了|$)?",
    r"[扣收骗找]了?我|我有[^,，]{1,6}[吗,，]|我\s?\d+岁|怎么样了",
    r"查(?:一下|下)(?:我|订单|余额|进度|物流|快递)",
)

# --- it leans on now ------------------------------------------------------------------------------------------------

_PERIOD = (
    r"(?:week|month|year|quarter|morning|afternoon|evening|night|weekend|semester|term|season|time|spring|summer|autumn|"
    r"fall|winter|monday|tuesday|wednesday|thursday|friday|saturday|sunday|january|february|march|april|may|june|july|"
    r"august|september|october|november|december|christmas|holiday|hour|minute|day|decade)s?"
)
_NOW_EN = _any(
    r"\b(?:today|today's|tonight|tomorrow|tomorrow's|yesterday|yesterday's|now|nowadays|currently|current|presently|"
    r"lately|recent|recently|latest|newest|upcoming|soon|soonest|still|ago|already|anymore|so far|yet|"
    r"at the moment|at present|at this point|these days|as of|up to date|right away|news|weather|forecast|"
    r"exchange rates?|stock prices?|share price|outage|downtime)\b",
    rf"\b(?:this|next|last|past|coming|previous|past few|next few|last few) (?:\w+ )?{_PERIOD}\b",
    r"\bwhat(?:'s| is) the (?:time|date)\b|\bwhat (?:time|day|date|year|month) is (?:it|today)\b|"
    r"\b(?:down|offline) \?*$|"
    r"(?<!when )\bis (?:[\w'-]+ ){1,4}"
    r"(?:down|offline|available|open|closed|working|online|in stock|sold out|delayed|busy|back|fixed)\b"
    r"(?! (?:on|at|during|in|for|to|from|every|all|after|before|until|when|if|with)\b)|"
    r"\bwill (?:[\w'-]+ ){1,4}be (?:back|fixed)\b",
    r"\bthe next (?:bus|train|tram|ferry|flight|shuttle|meeting|class|lecture|release|event|course|exam|session)\b|"
    r"^\W*what(?:'s| is) (?:new|up|going on|happening)\W*$",
)
_NOW_ZH = _any(
    r"今[天日晚早年儿后]|明[天日晚早年儿]|[昨后前][天日晚年]|去年|现在|目前|当前|如今|眼下|此刻|最近|近期|近来|最新|本[周月年]|本(?:季度|学期)",
    r"[下上](?:周|个月|月|星期|礼拜|季度|学期|半年|次|回)|刚刚|刚才|几点了|(?:星期|礼拜|周)几(?:了|\W*$)|几号(?:了|\W*$)|即将|已经|还没|尚未",
    r"天气|汇率|股价|油价|金价|新闻|截至|截止(?:到)?(?:今|目前|现在)|近(?:[几一两三]|\d)|什么时候(?:恢复|上线|发布|开放)|(?:坏|挂|崩|宕机)了(?!.*(?:怎么|如何|怎样|谁|哪))|维护中|还在|"
    r"有货|缺货(?!的)|了(?:吗|没有?|么)\W*$|下一?(?:班|趟|场)",
)

_LEANING = (_LEANS_EN, _LEANS_ZH, _NE_WITHOUT_QUESTION)
_RULES = (
    *(_IDENTIFIES,),
    *(_STORY, _PERSONAL_EN, _PERSONAL_ZH, _NOW_EN, _NOW_ZH),
)

# --- with live history: is it a whole question? ---------------------------------------------------------------------

_QUESTION_EN = re.compile(
    r"\b(?:what|how|why|when|where|who|which|whom|whose|can|could|do|does|did|is|are|should|may|must|will|would)\b"
    r"|^\W*(?:explain|describe|list|show|define|compare|tell|give)\b"
)
_TOPICLESS_EN = re.compile(
    r"\b(?:what|how|why|when|where|who|which|whom|whose|can|could|do|does|did|is|are|was|were|be|been|should|may|must|will|"
    r"would|shall|have|has|had|i|me|my|we|us|our|you|your|a|an|the|of|in|on|at|to|for|from|by|with|without|about|into|if|"
    r"as|and|or|not|no|any|some|all|much|many|long|often|far|soon|more|less|most|least|please|explain|describe|list|show|"
    r"tell|give|need|needed|want|get|use|used|using|work|works|start|make|take|takes|apply|cost|costs|charge|charges|fees?|"
    r"price|prices|pay|required?|requirements?|documents?|steps?|process|time|times|days?|hours?|weeks?|months?|years?|"
    r"money|amount|limits?|rules?|options?|ways?|things?|details?|information|info|happens?|possible|available|allowed|"
    r"change|cancel|approval|approved|approve|wait|send|find|help|difference|example|examples|mean|means|know|good|better|"
    r"best|different|other|deadline|conditions?|minimum|maximum|available)\b"
)
_QUESTION_ZH = re.compile(
    r"怎么|怎样|如何|什么|哪|谁|多少|几|为何|是否|吗|何时|多久|多长|多大|能否|可否|有没有|是不是|能不能|可不可以"
)
_TOPICLESS_ZH = re.compile(
    r"怎么办|怎么|怎样|如何|为什么|什么时候|什么|哪里|哪些|哪个|哪|谁|多少钱|多少|为何|是否|何时|多久|多长|多大|能否|可否|有没有|是不是|能不能|可不可以|"
    r"请问|请|我们|我|你们|你|您|的|了|吗|呢|吧|啊|是|在|和|与|及|有|要|会|能|可以|需要|应该|办理|申请|准备|材料|手续|费用|时间|流程|条件|要求|"
    r"使用|开通|取消|修改|收费|免费|到账|生效|审批|审核|步骤|方法|方式|价格|限制|规定|区别|支持|提供|查询|联系|操作|完成|成功|失败|原因|一下|"
    r"几天|几个|几|天|钱|元|个|次|大概|一般|通常|具体|最多|最少|最低|最高|至少|不能|不可以|不|没有|没|必须|提前|办|做|用|交|付|给|到|去|找|算|选|改"
)


def _is_whole_english(text: str) -> bool:
    topic = re.findall(r"[^\W\d_]{3,}", _TOPICLESS_EN.sub(" ", text))
    return len(text.split()) >= 4 and bool(_QUESTION_EN.search(text)) and len(topic) >= 2


def _is_whole_chinese(text: str) -> bool:
    topic = re.findall(r"[\u3400-\u9fff]|[a-z]{2,}", _TOPICLESS_ZH.sub(" ", text))
    return len(text) >= 6 and bool(_QUESTION_ZH.search(text)) and len(topic) >= 3

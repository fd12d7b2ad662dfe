"""Whether a question carries what identifies somebody, or asks about the state of one's own record."""

from __future__ import annotations

import re

from bot.standalone.patterns import either

__all__ = ["introduces_somebody", "is_told_of"]

_INTRODUCTION = either(
    r"\b(?:[Ii] am|[Ii]['\u2019]m|[Ii] was|[Cc]all me)\s+[A-Z][a-z]+",
    r"\b[Tt]his is\s+[A-Z][a-z]+\s*(?:[,.;:!]|and\b|speaking|from|here)",
)
_IDENTIFIES = either(
    r"\S@\w|(?:^|\s)@\w",  # addresses and handles
    r"(?<!\d)(?!1\d{3}\s?-\s?(?:1\d{3}|\d\d)(?!\d))(?:\d[\s().-]{0,2}){6}",  # phones, cards, orders, dates of birth
    r"\b(?:order|invoice|ticket|case|tracking|account|booking|card|policy|contract|reference|customer|employee|ref|id)"
    r"(?:\s|\W){0,3}(?:no\.?|number|id)?\W{0,3}(?=[a-z-]{0,8}\d)[\w-]{3,}",
    r"(?:订单|工单|单号|账号|账户|卡号|编号|客户|员工|工号|合同|保单|发票|尾号|运单)(?:号码?)?[\s:是为#]{0,3}[a-z-]{0,6}\d{3,}",
    r"#\s?\d{3,}",
    r"\bmy (?:first |last |full |user)?name(?:'s)?\W{0,2}(?:is|was|[:=])",
    r"我叫|叫我|我姓|我的?(?:名字|姓名)(?:是|[:：])|^\W*本人|本人(?:是|叫|名下|的账)",
)

_RECORD_EN = (
    r"(?:order|loan|mortgage|application|balance|ticket|delivery|deliveries|shipment|parcel|package|appointment|"
    r"booking|"
    r"reservation|flight|invoice|bill|refund|claim|payment|transaction|transfer|deposit|statement|salary|payslip|pay|"
    r"wage|"
    r"bonus|points?|score|case|request|complaint|contract|prescription|result|grade|schedule|shift|debt|savings|"
    r"pension|"
    r"reimbursement|expense|history|status|remaining|eligibility|birthday|age|role|manager|boss|supervisor|mentor|"
    r"team|colleague|doctor|wife|husband|son|daughter|mother|father|mom|mum|dad|child|children|kid|friend|partner|"
    r"brother|sister|parent|situation|condition|problem|issue|question)"
)
"""What one has, and a bank or a shop keeps a record of, and people that only the asker has."""
_STORY = re.compile(
    r"^(?!.*(?:\?|\b(?:how|what|where|when|which|who|why|can(?!'t)|could|may|is|are|does|do you|forgot|forgotten|lost|"
    r"want to|would like to|i'd like to|need to|need (?:some )?(?:help|assistance))\b))"
    r".*\b(?:my|i (?:do not|don't|can't|cannot|cant|can not))\b"
)
"""A sentence about one's own thing that asks nothing (`The ATM took my card`) tells what happened to somebody."""
_UNLESS_IF = "(?<!if )(?<!when )(?<!while )"
_UNLESS_MAY = "(?<!can )(?<!could )(?<!may )(?<!must )(?<!should )"
_ACT = (
    r"(?:resend|re-?issue|re-?activate|activate|extend|update|change|fix|correct|renew|upgrade|reset|resubmit|retry|"
    r"reverse|refund|unblock|unlock|unfreeze|cancel|confirm|"
    r"approve|"
    r"check|verify|process|forward|release|restore|send|call|hold|waive|book|reserve|delete|close|open|block|freeze)"
)
"""To be done now, to one thing: `Can you resend the code?` asks for the code, not how."""
_PERSONAL_EN = either(
    rf"\b(?:my|our)(?: [\w'-]+){{0,2}} {_RECORD_EN}s?\b",
    r"(?:^|[.,;:!?]\s*|\b(?:why|that|when|because|but|and) )(?:my|our)\b",
    r"\b(?:where|what|when|who|why)(?:'s| is| are|'re| was| were| will| has| have| did| does) (?:my|our)\b",
    r"\b(?:is|are|was|were|has|have|had|does|did|will|isn't|aren't|wasn't|hasn't|haven't|doesn't|didn't|won't)"
    r"(?: all)?(?: of)? (?:my|our)\b(?! (?:personal )?(?:data|information|privacy)\b)",
    r"^\W*(?:has|have|did) (?:somebody|someone|anybody|anyone|you|they)\b.*\b(?:my|our|me|us)\b|"
    r"\b(?:wasn't|weren't|didn't|haven't|hadn't|couldn't|wouldn't) i\b|"
    r"\b(?:(?:didn't|won't|wouldn't|doesn't|not) let|charged|gave|sent|told|asked) me\b",
    r"\bam i\b(?! (?:allowed|required|supposed|obliged|permitted)\b)|\b(?:was|were|have|did|had) i\b",
    r"\b(?:do|will) i (?:still|already|owe|qualify|have(?! to\b)|get paid|get my|"
    r"receive my)\b",
    rf"{_UNLESS_IF}\bi(?: a|')m\b(?! (?:unable|not able|trying|having (?:trouble|difficult|problem)|interested in|"
    rf"getting))|"
    r"\bi'd\b(?! (?:like|love|rather))",
    rf"{_UNLESS_MAY}\bi(?:'ve| have| had| was| did| already| just| recently| never| only| last)+ "
    r"(?!to\b|forgot|lost\b)\w+",
    r"\b(?:i|we) (?!(?:allowed|required|supposed|obliged|permitted)\b|need\b|exceed\b|proceed\b|succeed\b|speed\b|"
    r"feed\b)(?:\w{2,}ed|paid|sent|bought|got|made|spent|took|gave|"
    r"left|came|went|saw|found|had|was|did)\b",
    rf"{_UNLESS_MAY}\bi (?:live|work|study|owe|earn)\b",
    r"\b(?:did|have|has|can|could|do|will|please) (?:(?:you|anyone|somebody|someone) )?(?:already |please )?(?:get|got|"
    r"received?|see|check|process|processed|ship|shipped|approved?|find|look up|cancel|change|update|delete|send|call) "
    r"(?:me|my|our)\b|^\W*(?:check|find|look up|cancel|change|update|delete|send|call|track|reset|book|"
    r"renew|close|block|activate|extend|pay|refund) (?:me|my|our)\b",
    r"^(?!.*\b(?:if|when|should)\b).*\bi (?:do not|don't|dont|did not|didn't|didnt) "
    r"(?:recogni[sz]e|remember|recall|make|do|authori[sz]e|order|get|receive)\b|"
    r"^(?!.*\b(?:how|what|where|which|if|can|do|is)\b).*\bi (?:think|believe|noticed|suspect)\b",
    r"\b(?:about|for|of|on|from|to|with|remember|know|recogni[sz]e|call|contact|remind) me\b|\bmyself\b",
    r"\bwhen (?:do|will|can) i (?:get|receive|expect|hear|be)\b|"
    r"\b(?:is|are) (?:\w+ ){1,5}(?:showing|pending|stuck|missing)\b|"
    r"^\W*(?:terminate|remove|stop|unblock|freeze|deactivate) (?:me|my|our)\b",
    r"\b(?:you|please) (?:please )?(?:un\w+|re(?:fund|imburse|register|move|serve)|call|phone|text|email|contact|"
    r"reach|hear|see|"
    r"book|enrol|sign|add|verify|transfer|connect|pay|notify|invite|approve|forgive) (?:me|us)\b",
    rf"\b(?:can|could|will|would) you (?:please )?(?:{_ACT}|re\w{{3,}}|un\w{{3,}}) (?:me|my|our)\b",
    rf"(?:\b(?:can|could|will|would) you |^\W*|\bplease )(?:please )?{_ACT} (?:the|that) [\w-]+\W*(?:please\W*)?$",
)
_PERSONAL_ZH = either(
    r"(?:我们?|咱们?|自己)(?:信用|(?![想要需可能会错取怎如哪什去办开付交退换改给把打准应得用])\w){0,4}?(?:订单|贷款|申请|余额|工单|快递|包裹|物流|货|预约|发票|账单|退款|理赔|保单|合同|"
    r"工资|薪|奖金|"
    r"社保|公积金|积分|额度|信用分|成绩|排班|报销|进度|审批|流水|欠款|还款|存款|剩余|经理|主管|领导|上级|老板|导师|同事|医生|病历|处方|"
    r"生日|年龄|地址|电话|手机号|邮箱|身份证号|卡号|父母|妈妈|爸爸|老公|老婆|妻子|丈夫|儿子|女儿|孩子|朋友|家人|情况|问题|资料|文件|资格|明细|投诉|"
    r"状态|记录|部门|团队|职位|岗位|套餐|流量|消费|还剩|签证)",
    r"我的?\w{0,6}(?:到哪|到了|什么时候|何时|为什么|为何|怎么(?:还|没|不|被|会|这)|好了|批了|通过了|是多少|还有多少|是什么时候|在哪|被|是哪)",
    r"我(?:还|有|欠|剩|能有|应有|现)(?:有|剩|欠|能|应)?\w{0,4}(?:多少|几|资格|权)|我(?:符合|满足|属于|算|够|欠|住|来自|今年|在\w{1,8}(?:工作|上班|读))",
    r"我(?:们)?是(?!否|不是)|我(?:们)?(?:已|刚|上|昨|前|曾|没收|没有?收|收到|买|订|付|交|提交|下单|被|投诉|报名|拍|寄|约|借|存|转)",
    r"我(?!\S{0,6}(?:忘|丢|遗失|掉))\S{0,8}了(?!解)|我(?:申请|办理|预约|贷|取|填|写|报|选|订|买|租|寄|点|约|借)(?:的|过)",
    r"(?:帮|给|替|为|关于|认识|联系|通知|告诉|提醒|收到|发给|对)我(?:的|们|查|看|办|改|取消|催|退|发|寄|写|吗|了|$)?",
    r"[扣收骗找]了?我|怎么我|我有[^,，]{1,6}[吗,，]|我\s?\d+岁|怎么样了",
    r"查(?:一下|下)(?:我|订单|余额|进度|物流|快递)|我(?:想|要|想要|需要)(?:查|看|问)(?:一下|下|询)?(?:订单|余额|进度|物流|快递|成绩|账单|积分)",
    r"^(?!.*(?:怎么|如何|怎样|哪|什么)).*(?:重新|再|^|给|请|能|可以|麻烦|帮|帮忙)(?:发|寄|查|改|退|转|催|解封|解锁|取消|恢复|重置|冻结|激活|确认|核实|核对)(?:一下|下|一遍)",
    r"^(?!.*(?:怎么|如何|怎样|哪|什么|吗|可以)).*(?:重新|再)(?:发|寄|送|开|审|算)|我能(?:贷|借|领|拿|得|享受)\w{0,3}(?:多少|几|什么|哪些)",
    r"等了|[了过][^,，。]{0,2}[一二两三四五六七八九十几半\d]+个?(?:小时|天|周|星期|礼拜|月|年|分钟|钟头)了",
)


def introduces_somebody(question: str) -> bool:
    """Whether it begins with who is asking ("I'm Alice").

    Args:
        question: as written, since names are told by their capitals.
    """
    return bool(_INTRODUCTION.search(question))


def is_told_of(text: str) -> bool:
    """Whether it tells of somebody or asks about somebody's own record.

    Args:
        text: folded, in simplified characters, in the form of `bot.standalone.generic.as_anybody`.
    """
    return any(rule.search(text) for rule in (_IDENTIFIES, _STORY, _PERSONAL_EN, _PERSONAL_ZH))

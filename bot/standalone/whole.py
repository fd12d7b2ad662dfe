"""Whether a question names its own subject, so that it means the same whatever was said before it."""

from __future__ import annotations

import re

from bot.message import Language

__all__ = ["is_whole"]

_QUESTION_EN = re.compile(
    r"\b(?:what|how|why|when|where|who|which|whom|whose|can|could|do|does|did|is|are|should|may|must|will|would)\b"
    r"|^\W*(?:explain|describe|list|show|define|compare|tell|give)\b"
)
_TOPICLESS_EN = re.compile(
    r"\b(?:what|how|why|when|where|who|which|whom|whose|can|could|do|does|did|is|are|was|were|be|been|should|may|must|"
    r"will|"
    r"would|shall|have|has|had|i|me|my|we|us|our|you|your|a|an|the|of|in|on|at|to|for|from|by|with|without|about|into|"
    r"if|"
    r"as|and|or|not|no|any|some|all|much|many|long|often|far|soon|more|less|most|least|please|explain|describe|list|"
    r"show|"
    r"tell|give|need|needed|want|get|use|used|using|work|works|start|make|take|takes|apply|cost|costs|charge|charges|"
    r"fees?|"
    r"price|prices|pay|required?|requirements?|documents?|steps?|process|time|times|days?|hours?|weeks?|months?|years?|"
    r"money|amount|limits?|rules?|options?|ways?|things?|details?|information|info|happens?|possible|available|allowed|"
    r"change|cancel|approval|approved|approve|wait|send|find|help|difference|example|examples|mean|means|know|good|"
    r"better|"
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


def is_whole(text: str, language: Language) -> bool:
    """Whether it asks something, of something that it names.

    Args:
        text: folded, in simplified characters.
        language: of the question.
    """
    return _is_whole_chinese(text) if language == "zh" else _is_whole_english(text)


def _is_whole_english(text: str) -> bool:
    topic = re.findall(r"[^\W\d_]{3,}", _TOPICLESS_EN.sub(" ", text))
    return len(text.split()) >= 4 and bool(_QUESTION_EN.search(text)) and len(topic) >= 2


def _is_whole_chinese(text: str) -> bool:
    topic = re.findall(r"[\u3400-\u9fff]|[a-z]{2,}", _TOPICLESS_ZH.sub(" ", text))
    return len(text) >= 6 and bool(_QUESTION_ZH.search(text)) and len(topic) >= 3

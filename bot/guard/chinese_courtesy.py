"""What a Chinese asker says around the question: greetings, thanks, haste. Taken off where a boundary shows.

Chinese is written without spaces, so `感谢` may begin `感谢信` and `急` be all of `急诊`. A greeting goes only before a
mark or before a word that begins a question; thanks and haste only after a mark or after a particle that ends one.
"""

from __future__ import annotations

import re

_ASKS = (
    "请问|请教|打扰|麻烦问|麻烦您|想问|想请|想了解|想咨询|想知道|我|你们|您们|您这|问一下|问下|怎么|怎样|如何|为什么|为啥|什么|哪|几点|多少|可以|可不可以|能不能|"
    "能否|有没有|是不是|是否|要不要|不好意思|劳驾|帮忙|这个|这里"
)
_MARK = r"[\s,.!?;:~、。，！？；：]"
_HELLO = "你好|您好|大家好|早上好|上午好|下午好|晚上好|亲爱的|亲们|亲|哈喽|嗨"
_SORRY = "麻烦|谢谢|多谢|感谢|劳驾|急|在线等|不好意思|打扰了|打扰一下|帮忙"
_INQUIRY = (
    "问一下|问下|请问一下|请问下|请问|请教一下|请教|麻烦问一下|麻烦问下|麻烦您问一下|我想请问一下|我想请问|我想问一下|我想问下|我想问|想问一下|想问下|想问问|"
    "我想知道|我想了解一下|我想了解|想了解一下|想知道|咨询一下|我想咨询一下|能告诉我|可以告诉我|请告诉我|告诉我一下|"
    "帮忙看下|帮忙看一下|请帮我看看|帮我看看|帮我看下|麻烦您|打扰一下|不好意思打扰一下"
)
_FRONT = re.compile(
    rf"^(?:(?:{_INQUIRY}){_MARK}*|(?:{_HELLO}|{_SORRY})+(?:啊|呀|哦|啦|了|您|你)?{_MARK}+|(?:{_HELLO})+(?=(?:{_ASKS}).{{3}})"
    rf"|(?:{_HELLO}|{_SORRY})+(?={_INQUIRY}))"
)
_BACK = re.compile(
    rf"(?:(?:{_MARK}+|(?<=[吗呢吧呀啊嘛么]))(?:谢谢(?:您|你|啦|了|大家)?|多谢|感谢|麻烦了|麻烦您了|拜托了?|急|很急|急急急|在线等|劳驾|请问|亲))+{_MARK}*$"
)
_MARKS_AT_ENDS = " ,.!?。，！？~"
_FINAL = re.compile(r"(?<=.)[呢啊呀哦啦哈哟噢]+(?=[\s,.!?，。！？~]*$)")
_ONLY_SOFTENS = re.compile(
    r"(?:一般|通常|具体|大概)(?:来说|情况下)?(?=需要多|需要几|要多|要几|多久|几天|几点|多少|怎么|如何|怎样|什么时候|是什么|是多少|是怎么|在哪|"
    r"有哪|有什么|需要什么|需要哪|要什么|会怎|能怎|去哪|哪)"
)


def untroubled(text: str) -> str:
    """The question, folded and in simplified script, without courtesies at its ends and words that only soften it."""
    before = ""
    while text != before:
        before = text
        text = text.strip(_MARKS_AT_ENDS)
        text = _BACK.sub("", _FINAL.sub("", text))
        text = _FRONT.sub("", text, count=1)
    return _ONLY_SOFTENS.sub("", text)

"""Small talk, for the time when there is no model to make it: greetings, thanks, good-byes. Pure.

Only whole messages of a closed list count; everything else is a question to the documents.
"""

from __future__ import annotations

from typing import Literal

from bot.spelling import normalise

Kind = Literal["hello", "thanks", "bye"]

_HELLO = """
hi, hello, hey, hi there, hello there, hey there, good morning, good afternoon, good evening, who are you, what are you,
what can you do, what do you do, are you there, 你好, 您好, 你们好, 嗨, 哈喽, 在吗, 在不在, 有人吗,
早上好, 上午好, 中午好, 下午好, 晚上好, 你是谁, 您是谁, 你是什么, 你能做什么, 你会什么, 你可以做什么
"""
_THANKS = """
thanks, thank you, thx, ty, many thanks, thanks a lot, thank you very much, cheers, great, great thanks, ok, okay,
ok thanks, okay thanks, perfect, got it,
谢谢, 谢谢你, 谢谢您, 多谢, 感谢, 非常感谢, 好的, 好, 好的谢谢, 明白了, 知道了, 收到, 懂了
"""
_BYE = "bye, goodbye, bye bye, see you, good night, 再见, 拜拜, 回头见, 晚安"


def _set(words: str) -> frozenset[str]:
    return frozenset(" ".join(word.split()) for word in words.split(","))


_WORDS: dict[Kind, frozenset[str]] = {"hello": _set(_HELLO), "thanks": _set(_THANKS), "bye": _set(_BYE)}


def small_talk(text: str) -> Kind | None:
    """What kind of small talk a message is, if it is nothing else; marks and emoji around it do not count."""
    said = "".join(character for character in normalise(text) if character.isalnum() or character == " ")
    said = " ".join(said.split())
    return next((kind for kind, words in _WORDS.items() if said in words), None)

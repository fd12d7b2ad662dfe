"""Texts made to be slow: whatever reads a person's words takes eight times as long for eight times as much of them.

What is measured is CPU time of the same work on 1,000 and on 8,000 characters, side by side. Quadratic work takes
64 times as long.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

import pytest

from adapters.slack.format import format_markdown as slack_parts
from adapters.slack.mrkdwn import addresses_others, readable
from adapters.telegram.format import format_markdown as telegram_parts
from adapters.telegram.words import read_words
from bot.forged import without_own_sources
from bot.guard.verdict import judge
from bot.knowledge.words import query_tokens
from bot.language import language_of
from bot.prompt import build
from bot.sanitise import harmless
from bot.smalltalk import small_talk
from bot.spelling import normalise
from bot.standalone import fitness
from bot.visible import visible

_NUMBERS = itertools.count(1)
SHORT, LONG = 1_000, 8_000
MOST_TIMES = 32
QUICK_S = 0.05
"""Whatever takes less for the longer text may grow as it likes: nobody notices."""
KNOWN = {("parts for Telegram", "```\n")}
"""The library for Telegram's formats measures all before it at each fence: 8,000 characters of nothing else take 80 ms,
beside the event loop."""


READERS: dict[str, Callable[[str], object]] = {
    "language": language_of,
    "small talk": small_talk,
    "spelling": normalise,
    "guard": lambda text: (judge(text, text), judge("How much is a transfer?", f"How much is a transfer to {text}")),
    "stands alone": lambda text: [fitness(text, "en", has_history=has) for has in (False, True)],
    "stands alone, Chinese": lambda text: [fitness(text, "zh", has_history=has) for has in (False, True)],
    "visible": visible,
    "search words": query_tokens,
    "prompt": lambda text: build("persona", "name", (), (), text, "en"),
    "Slack's marks": lambda text: (readable(text, "U0BOT"), addresses_others(text, "U0BOT")),
    "Telegram's words": lambda text: read_words({"text": text}, 1, "bot"),
    "what a model echoes": lambda text: harmless(without_own_sources(text), [text]),
    "parts for Slack": slack_parts,
    "parts for Telegram": telegram_parts,
}
PIECES = (
    *("a ", "((", "。", "not ", "0,", "1.5 ", "a", "Aa ", "<@U0BOT> ", "<@U0BOT>|", "<", "&amp;", "[1] ", "[", "]("),
    *("http://a.", "www.a.b ", "%", "$1 ", "is it ", "what about ", "，", "的", "不", "吗？", "我", "3月", "第1"),
    *(
        "1-",
        "--",
        "  ",
        "\t",
        "\n",
        "\n\n",
        "`",
        "```\n",
        "**",
        "|",
        "> ",
        "- a\n",
        '"',
        "’s ",
        "a-",
        "A. B. ",
        "Z\u0300",
    ),
    *(
        "😀",
        "\u200b",
        "\u202e",
        "ab@c.d ",
        "1/2/",
        "of the ",
        "May I ",
        "don't ",
        "who, ",
        "if ",
        "!",
        "?",
        "...",
        "; ",
    ),
    *(" thanks", "please! ", "二", "百万", "kg ", "[1]: http://a\n", "\\", "# a\n", "how do I "),
)


def seconds(read: Callable[[str], object], text: str, *, best_of: int = 3) -> float:
    """CPU time; each another text, as the guard remembers what it has read."""
    taken: list[float] = []
    for _ in range(best_of):
        unread = f"{next(_NUMBERS)} {text}"
        began = time.process_time()
        read(unread)
        taken.append(time.process_time() - began)
    return min(taken)


def of_length(piece: str, length: int) -> str:
    """The piece again and again, with an end that fits nothing."""
    return (piece * (length // len(piece) + 1))[: length - 1] + "x"


@pytest.mark.parametrize("reader", READERS)
def test_reading_grows_with_the_length(reader: str) -> None:
    """For every kind of hostile text; one that is read quickly anyway is not measured twice."""
    read = READERS[reader]
    read(of_length("once, for what is made at the first use ", SHORT))
    slow: list[str] = []
    for piece in PIECES:
        if (reader, piece) in KNOWN:
            continue
        short, long = of_length(piece, SHORT), of_length(piece, LONG)
        if seconds(read, long, best_of=1) > QUICK_S and seconds(read, long) > MOST_TIMES * seconds(read, short):
            slow.append(repr(piece))
    assert slow == []

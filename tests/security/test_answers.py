"""Whatever a model writes, nothing is live in it but what was given: in CommonMark, Telegram, Slack and on the page."""

from __future__ import annotations

import random
import re

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.slack.format import format_markdown as slack_parts
from adapters.telegram.format import format_markdown as telegram_parts
from bot.forged import without_own_sources
from bot.prompt import cited
from bot.sanitise import harmless
from tests.adapters.web.script import needs_node, outside_texts, shown_on_page
from tests.security.live import beyond, live_in_markdown, live_in_slack, live_in_telegram

GIVEN = ("See https://bank.example/fees?year=2026#top, www.bank.example/cards and README.md.",)
ALLOWED = (
    "https://bank.example/fees?year=2026#top",
    "https://bank.example/fees?year=2026",
    "https://bank.example/fees",
    "https://bank.example",
    "https://www.bank.example/cards",
    "https://www.bank.example",
)
PIECES = [
    *"`*_~[]()<>!\\\n \t#>-|&;:/.@$",
    "``",
    "```",
    "~~~",
    "](",
    "![",
    "\n\n",
    "\n    ",
    "\n> ",
    "\n- ",
    "\n1. ",
    "a",
    "1",
    "https://",
    "evil.example",
    "/?q=secret",
    "https://evil.example/?q=secret",
    "https://bank.example/fees",
    "https://bank.example/?q=secret",
    "www.evil.example",
    "t.me/evil",
    "tg://user?id=1",
    "javascript:alert(1)",
    "mailto:a@evil.example",
    "<https://evil.example>",
    "[bank](https://evil.example/a)",
    "![x](https://evil.example/a.png)",
    "[ref]",
    "[ref]: https://evil.example",
    "<img src=https://evil.example>",
    "<!--",
    "-->",
    "<!channel>",
    "<@U1>",
    "@here",
    "@ana",
    "/forget",
    "&#104;ttps://evil.example",
    "&lt;",
    "&#96;",
    "\u200b",
    "\u202e",
    "\u2028",
    "[1]",
    "[9]",
    "Sources:",
    "银行",
]
HOSTILE = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


def shown(answer: str) -> str:
    """What becomes of a model's answer that was given two passages."""
    said, _ = cited(without_own_sources(harmless(answer, GIVEN)), 2)
    return harmless(said, GIVEN)


@settings(max_examples=500)
@given(HOSTILE)
def test_nothing_is_live_but_what_was_given(answer: str) -> None:
    """Pieces of every attack, thrown together."""
    safe = shown(answer)

    assert beyond(live_in_markdown(safe), ALLOWED) == []
    assert beyond(live_in_telegram(telegram_parts(safe)), ALLOWED) == []
    assert beyond(live_in_slack(slack_parts(safe)), ALLOWED) == []


@needs_node
async def test_the_page_makes_no_other_links() -> None:
    """The same on the chat page, whose reader of Markdown is its own."""
    chance = random.Random(3)
    answers = ["".join(chance.choices(PIECES, k=chance.randrange(25))) for _ in range(3000)]

    safe = [shown(answer) for answer in answers]

    for answer, built in zip(safe, await shown_on_page(*safe), strict=True):
        links = re.findall(r"\bhref=(\S+)", outside_texts(built))
        assert beyond(links, ALLOWED) == [], answer

"""Documents shown as they are: quoted where there is no model, and by /source. Quoting runs nothing either."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.slack.format import format_markdown as slack_parts
from adapters.telegram.format import format_markdown as telegram_parts
from bot.llm.quote import quote
from bot.prompt import named
from bot.steps.answer import Answer
from bot.texts import Texts
from bot.turn import Passage
from tests.fakes.ports import FakeAnswers, FakeMeter
from tests.make import incoming, passage, turn
from tests.security.attacks import OWN, PAYLOADS
from tests.security.live import beyond, live_in_markdown, live_in_slack, live_in_telegram
from tests.security.test_answers import ALLOWED, shown


def near(text: str) -> Passage:
    """A passage that is quoted whatever is asked."""
    return replace(passage(text), cosine_distance=0.1, title=f"Fees {text[:60]}")


@pytest.mark.parametrize("text", [*PAYLOADS, *OWN])
async def test_a_quote_holds_only_links_of_its_document(text: str) -> None:
    """Without a model: no picture, no mention, no command; links are those that the passage writes out."""
    answer = Answer(
        model=None,
        quote=quote,
        answers=FakeAnswers(),
        persona="",
        name="Front Desk",
        texts=Texts.load(),
        meter=FakeMeter(),
    )

    drafted = await answer(replace(turn(incoming("What about fees?")), passages=(near(text),)))

    assert drafted.draft is not None
    markdown = drafted.draft.markdown
    assert "![" not in markdown
    live = all_live(markdown)
    assert [found for found in live if found.partition("://")[2].rstrip("/") not in text] == []
    assert not [found for found in live if not found.startswith(("https://", "http://"))]


@pytest.fixture
def naughty() -> list[str]:
    """The public list of strings that break programs."""
    shared = os.environ.get("FRONTDESK_SHARED")
    if not shared:
        pytest.skip("shared data absent")
    strings: list[str] = json.loads((Path(shared) / "data" / "naughty-strings" / "blns.json").read_text("utf-8"))
    return strings


def test_naughty_strings_as_answers(naughty: list[str]) -> None:
    """Nothing raises and nothing is live that was not given."""
    for text in naughty:
        assert beyond(all_live(shown(text)), ALLOWED) == [], text


def test_naughty_strings_as_titles(naughty: list[str]) -> None:
    """A title may hold an address, which shows itself; no more."""
    for text in naughty:
        live = all_live(named(replace(passage("x"), title=text)))
        assert [found for found in live if found.partition("://")[2].rstrip("/") not in text] == [], text


def all_live(markdown: str) -> list[str]:
    """What is live in it anywhere."""
    in_apps = [*live_in_telegram(telegram_parts(markdown)), *live_in_slack(slack_parts(markdown))]
    return [*live_in_markdown(markdown), *in_apps]


def test_naughty_strings_on_each_platform(naughty: list[str]) -> None:
    """What never went through the core does not break a format function either, nor call anybody on Slack."""
    for text in naughty:
        for parts in (telegram_parts(text), slack_parts(text)):
            assert parts
            assert all(part.text for part in parts)
        assert not any("<!channel>" in part.text for part in slack_parts(f"{text}<!channel>"))

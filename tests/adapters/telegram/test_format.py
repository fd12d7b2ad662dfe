"""Markdown as Telegram shows it: formatting, limits, and every word arriving."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.telegram import format as formatting
from adapters.telegram.format import NOTHING, format_markdown
from bot.message import Part
from tests.servers.telegram_text import checked_text, units


def text_of(markdown: str) -> str:
    """The whole text of an answer."""
    return "\n".join(part.text for part in format_markdown(markdown))


def test_styles_become_entities() -> None:
    """Bold, code, links, quotes and fences are shown as such, offsets in UTF-16 units."""
    (part,) = format_markdown("😀 **粗体** and `code`\n\n```python\nx = 1\n```")

    assert part == Part(
        text="😀 粗体 and code\n\nx = 1",
        entities=(
            {"type": "bold", "offset": 3, "length": 2},
            {"type": "code", "offset": 10, "length": 4},
            {"type": "pre", "offset": 16, "length": 5, "language": "python"},
        ),
    )


def test_headings_and_lists_are_plain_and_calm() -> None:
    """No emoji of the converter's choice; lists keep their bullets and numbers."""
    assert text_of("# Fees\n\n- one\n- two\n\n1. first\n2. second") == "Fees\n\n• one\n• two\n\n1. first\n2. second"


def test_a_source_is_a_link_behind_its_mark() -> None:
    """The mark stays text, the place leads to its document, brackets in its title show."""
    (part,) = format_markdown("Yes. [1]\n\n- [1] [A \\[b\\] › p. 3](https://x.example/a%20%28b%29)\n- [2] Loans")

    assert part.text == "Yes. [1]\n\n• [1] A [b] › p. 3\n• [2] Loans"
    assert part.entities == ({"type": "text_link", "offset": 16, "length": 12, "url": "https://x.example/a%20%28b%29"},)


@pytest.mark.parametrize(
    "markdown",
    [
        "ssh user@<host> now",
        "List<String> and Vec<T>",
        "<div>block</div>",
        "<!-- not hidden --> x",
        "[1]: Terms of business.pdf",
        "[Source 1]: https://bank.example/terms",
        "> [1]: quoted.md",
        "a < b > c",
        "$10.49 (~$11.20)",
    ],
)
def test_what_looks_like_markup_is_not_swallowed(markdown: str) -> None:
    """Placeholders, generics, HTML and source lists are words of the answer."""
    assert text_of(markdown) == markdown.removeprefix("> ")


def test_placeholders_in_code_are_shown_as_written() -> None:
    """What is hidden from the converter comes back within code, too."""
    assert text_of("`<host>`\n\n```\n<a>\n[b]: c\n```") == "<host>\n\n<a>\n[b]: c"


def test_autolinks_stay_links() -> None:
    """A bare link in angle brackets is still one."""
    (part,) = format_markdown("<https://bank.example/a>")

    assert part.text == "https://bank.example/a"
    assert [entity["type"] for entity in part.entities] == ["text_link"]


@pytest.mark.parametrize(
    "target", ["docs/terms.md", "/Users/x/y.md", "http://localhost/x", "mailto:a@b.example", "http://[", "#top"]
)
def test_links_that_telegram_refuses_are_text(target: str) -> None:
    """One such link would cost the whole message; its text remains."""
    assert format_markdown(f"see [the terms]({target}) please") == (Part(text="see the terms please"),)


@pytest.mark.parametrize("markdown", ["", " ", "\n\n", "#", "```\n```", "\u200b", "\u2060\ufeff", "\u3164"])
def test_nothing_to_see_is_said(markdown: str) -> None:
    """There is always one part, and never an empty one: Telegram would refuse it."""
    (part,) = format_markdown(markdown)

    assert part.text in (NOTHING, markdown.strip())
    assert part.text.strip("\u200b\u2060\ufeff\u3164")


def test_a_converter_that_fails_costs_only_the_formatting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Should conversion raise, the Markdown is sent as it was written."""

    def fail(*_: object, **__: object) -> None:
        raise RecursionError

    monkeypatch.setattr(formatting, "convert", fail)

    assert format_markdown("**bold**") == (Part(text="**bold**"),)


def test_half_surrogates_do_not_break_it() -> None:
    """A broken character from a document becomes U+FFFD."""
    assert text_of("a \ud83d b \udc00") == "a \ufffd b \ufffd"


def test_a_long_answer_arrives_in_several_parts() -> None:
    """Paragraphs are kept together, and all of them arrive in order."""
    paragraphs = [f"**Paragraph {n}.** " + "Some words about it. " * 20 for n in range(40)]

    parts = format_markdown("\n\n".join(paragraphs))

    assert len(parts) > 3
    assert all(re.match(r"Paragraph \d+\.", part.text) for part in parts)
    assert re.findall(r"Paragraph (\d+)\.", "".join(part.text for part in parts)) == [str(n) for n in range(40)]


def test_many_styles_are_spread_over_parts() -> None:
    """Telegram ignores entities after the hundredth: a new part begins before that."""
    parts = format_markdown(" ".join(f"**w{n}**" for n in range(250)))

    assert [len(part.entities) for part in parts] == [100, 100, 50]


_WORD = st.text(st.characters(categories=["Lu", "Ll", "Lo", "Nd"], codec="utf-8"), min_size=1, max_size=12)
_EMOJI = st.sampled_from(["😀", "👩‍👩‍👧‍👦", "🇩🇪", "👍🏽", "🏴󠁧󠁢󠁳󠁣󠁴󠁿", "é", "한", "नि", "你好。", "！"])
_PIECE = st.one_of(
    _WORD,
    _EMOJI,
    _WORD.map("**{}**".format),
    _WORD.map("`{}`".format),
    _WORD.map("\n\n# {}\n\n".format),
    _WORD.map("\n- {}".format),
    _WORD.map("\n\n> {}\n\n".format),
    _WORD.map("\n\n```py\n  {}\n\n  x\n```\n\n".format),
    _WORD.map("[{}](https://a.example/x)".format),
    _WORD.map("[{}](not/a/url)".format),
    st.tuples(_WORD, st.integers(1, 1500)).map(lambda pair: f"{pair[0]} " * pair[1]),
    st.sampled_from([" ", "\n", "\n\n", "* * *", "|a|b|\n|-|-|\n|c|d|\n", "<x>", "~~", "**", "```", "$", "\\"]),
)
_MARKDOWN = st.lists(_PIECE, max_size=30).map(" ".join) | st.text(max_size=300)


def check_limits(parts: tuple[Part, ...]) -> None:
    """Telegram would take every part, with every entity."""
    assert parts
    for part in parts:
        text, entities = checked_text(part.text, list(part.entities))
        assert text == part.text.strip()
        assert len(entities) == len(part.entities) <= 100
        assert units(part.text) <= 4096


@settings(max_examples=300)
@given(_MARKDOWN)
@example("```\n" + "x" * 9000 + "\n```")
@example("> " * 200 + "deep")
@example("- " * 500 + "deep")
@example("*" * 3000 + "x")
@example("👩‍👩‍👧‍👦" * 3000)
@example("\u0301" * 9000)
@example("\u200b" * 9000)
def test_telegram_takes_whatever_the_model_writes(markdown: str) -> None:
    """Any Markdown, well-formed or not, becomes messages within all limits."""
    check_limits(format_markdown(markdown))


@settings(max_examples=200)
@given(st.lists(_WORD.map(lambda word: f"q{word}q"), min_size=1, max_size=60), st.randoms(use_true_random=False))
def test_every_word_arrives(words: list[str], random: object) -> None:
    """Whatever the formatting around them, all words arrive in their order."""
    shapes = [
        "{}",
        "**{}**",
        "`{}`",
        "\n\n## {}\n\n",
        "\n- {}",
        "<{}>",
        "\n\n```\n{}\n```\n\n",
        "[{}](docs/x.md)",
        "\n[{}]: x",
    ]
    markdown = " ".join(random.choice(shapes).format(word * 20) for word in words)  # type: ignore[attr-defined]

    shown = "".join(part.text for part in format_markdown(markdown))

    place = 0
    for word in words:
        found = re.sub(r"\s", "", shown).find(word * 20, place)
        assert found >= 0
        place = found + 1

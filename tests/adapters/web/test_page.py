"""The page's own script: what Markdown becomes, and what it never becomes."""

from __future__ import annotations

import re

import pytest

from adapters.web.page import load
from tests.adapters.web.script import needs_node, node, outside_texts, page_with, scripts, shown_on_page

CASES = {
    "Hello": '(p "Hello")',
    "one\ntwo\n\nthree": '(p "one" (br) "two")(p "three")',
    "a **b** c": '(p "a " (strong "b") " c")',
    "a *b* and _c_ ~~d~~": '(p "a " (em "b") " and " (em "c") " " (s "d"))',
    "**立即生效**,新卡": '(p (strong "立即生效") ",新卡")',
    "***x***": '(p (strong (em "x")))',
    "2 * 3 * 4 and a_b_c": '(p "2 * 3 * 4 and a_b_c")',
    "**open": '(p "**open")',
    r"\*plain\* 1\. \n": r'(p "*plain* 1. \\n")',
    "use `**x**` and ``a`b``": '(p "use " (code "**x**") " and " (code "a`b"))',
    "`open": '(p "`open")',
    "```python\nif x:\n    **y**\n```\nafter": '(pre (code "if x:\\n    **y**"))(p "after")',
    "```\nopen": '(pre (code "open"))',
    "~~~\n```\n~~~": '(pre (code "```"))',
    "# Title #\ntext": '(p (strong "Title"))(p "text")',
    "- a\n- b\n\n- c": '(ul (li (p "a")) (li (p "b")) (li (p "c")))',
    "3. a\n4) b": '(ol start=3 (li (p "a")) (li (p "b")))',
    "1. a\n   - b\n   - c\n2. d": '(ol start=1 (li (p "a") (ul (li (p "b")) (li (p "c")))) (li (p "d")))',
    "- a\n  more": '(ul (li (p "a" (br) "more")))',
    "> a\n> > b\n\nc": '(blockquote (p "a") (blockquote (p "b")))(p "c")',
    "a\n\n---\nb": '(p "a")(hr)(p "b")',
    "| a | b |\n|---|---|": '(pre (code "| a | b |\\n|---|---|"))',
    "[a **b**](https://e.org/x_(y))": (
        '(p (a href=https://e.org/x_(y) rel=noopener nofollow noreferrer target=_blank "a " (strong "b")))'
    ),
    "see <http://e.org/a_b>, or (<https://e.org>).": (
        '(p "see " (a href=http://e.org/a_b rel=noopener nofollow noreferrer target=_blank "http://e.org/a_b") ", or ('
        '" (a href=https://e.org/ rel=noopener nofollow noreferrer target=_blank "https://e.org") ").")'
    ),
    "see https://e.org and <mailto:a@e.org>": '(p "see https://e.org and <mailto:a@e.org>")',
    "[a `](https://e.org)`": '(p "[a " (code "](https://e.org)"))',
    "*a `b* <https://e.org>`": '(p "*a " (code "b* <https://e.org>"))',
    "``` a ``` b\n```": '(p (code "a") " b")(pre (code ""))',
    "![logo](https://e.org/i.png)": (
        '(p (a href=https://e.org/i.png rel=noopener nofollow noreferrer target=_blank "logo"))'
    ),
    "": "",
}

HOSTILE = (
    '<https://e.org" onclick=alert(1)>',
    "<javascript://e.org/%0aalert(1)>",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:x)",
    "[x](//evil.example)",
    "[x](/path)",
    "[x](file:///etc/passwd)",
    "[x](<javascript:alert(1)>)",
    "![x](javascript:alert(1))",
    "<javascript:alert(1)>",
    '[a](https://e.org" onclick="alert(1))',
    "[[a](javascript:x)](javascript:y)",
    "```<img onerror=x>\n<script>\n```",
    "> - # **<iframe src=javascript:x>**",
    "&lt;script&gt;",
)


@needs_node
async def test_what_markdown_becomes() -> None:
    """The little Markdown that answers need becomes nodes; whatever is none stays text."""
    shown = await shown_on_page(*CASES)

    assert dict(zip(CASES, shown, strict=True)) == CASES


@needs_node
async def test_nothing_hostile_becomes_anything() -> None:
    """Markup stays text and only http and https become links, whatever is tried."""
    allowed = {"p", "a", "br", "code", "pre", "strong", "em", "s", "ul", "ol", "li", "blockquote", "hr"}

    for shown in await shown_on_page(*HOSTILE):
        built = outside_texts(shown)
        assert set(re.findall(r"\((\w+)", built)) <= allowed
        assert not re.search(r"href=(?!https?:)", built), shown
        assert not re.search(r"\bon\w+=", built), shown


@needs_node
@pytest.mark.timeout(60)
async def test_no_text_makes_the_page_hang() -> None:
    """Texts made to be searched again and again are read in one go: the whole lot within node's 30 s."""
    n = 20_000
    pieces = (
        "*a ",
        "**a ",
        "_a ",
        "[",
        "[a](",
        "`a ``b ",
        "![",
        "> ",
        "- ",
        "~~",
        "***",
        "# ",
        "|",
        "1. ",
        "\\",
        "http://",
        "<http://",
        "[`",
    )

    shown = await shown_on_page(*(piece * n for piece in pieces), "\n".join(["> " * 50 + "x"] * 200), "  " * n + "- x")

    assert len(shown) == len(pieces) + 2


@needs_node
@pytest.mark.parametrize("number", [0, 1])
async def test_scripts_are_sound(number: int) -> None:
    """Both scripts of the page can be read by a JavaScript engine."""
    status, out = await node("--check", "-", given=scripts()[number])

    assert status == 0, out


@needs_node
async def test_a_message_is_offered_again_for_less_than_an_hour() -> None:
    """Longer ago the server might not know its id, and answer twice; a button that was there before sends no more."""
    items = [
        {"who": "me", "id": "early", "text": "a", "at": 7_200_000 - 3_600_000, "state": "failed"},
        {"who": "me", "id": "just now", "text": "b", "at": 7_200_000 - 60_000, "state": "sending"},
    ]
    acts = """
        const words = () => buttons.map(button => [button.textContent, button.disabled]);
        const found = [words()];
        const again = async () => {
          buttons[1].heard.click();
          while (buttons.length < 2) await new Promise(done => realTimeout(done, 1));
          found.push([...posted]);
        };
        await again();
        now += 3_600_000;
        await again();
        return [...found, words()];
    """

    before, first, second, after = await page_with(
        {"session": "s", "last": "0", "cleared": 0, "items": items}, now_ms=7_200_000, acts=acts
    )

    late = ["Not sent. Please write it again.", True]
    assert before == [late, ["Not sent. Tap to send again.", False]]
    assert first == second == ["just now"] * 4
    assert after == [late, late]


def test_no_markup_is_ever_made_from_text() -> None:
    """The page has no way to turn a string into markup or code."""
    html = load("page.html", name="Front Desk").html

    assert len(scripts()) == 2
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|srcdoc", html)
    assert not re.search(r"\son\w+\s*=\s*[\"']", html)
    assert "style=" not in html


def test_every_sentence_in_both_languages() -> None:
    """English and Chinese have the same words."""
    english, chinese = re.findall(r"^    (?:en|zh): \{(.*?)\},$", scripts()[1], re.DOTALL | re.MULTILINE)

    assert re.findall(r"(\w+): \"", english) == re.findall(r"(\w+): \"", chinese)

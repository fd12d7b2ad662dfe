"""What is made of an answer before anybody sees it."""

from __future__ import annotations

import pytest

from bot.sanitise import addresses_outside_code, harmless

GIVEN = ("Fees: https://bank.example/fees and www.bank.example/cards, README.md, https://xn--bnk-5na.example/x.",)


@pytest.mark.parametrize(
    "answer",
    [
        "Five days [1].\n\n- **bold** and _em_\n- `code` [2][3]\n\n> quote\n\n| a | b |\n|---|---|",
        "```python\nurl = 'https://x.example'  # @decorator <b> &lt;\n```\nText.",
        "> ```\n> https://x.example\n> ```",
        "Write to help@bank.example or call 555 0100; 5 km/h, and/or, 24/7, a < b, C:\\temp",
        "See [the fees](https://bank.example/fees) or <https://bank.example/fees>.",
        "银行卡丢了怎么办？请先挂失【1】。",
        "1\\. no list, \\*no emphasis\\*, 2 * 3 * 4",
        "",
    ],
)
def test_an_ordinary_answer_stays_as_it_is(answer: str) -> None:
    """Marks, lists, code, mail addresses and links that were given."""
    assert harmless(answer, GIVEN) == answer


@pytest.mark.parametrize(
    ("answer", "shown"),
    [
        # links
        ("see https://bank.example/fees.", "see <https://bank.example/fees>."),
        ("www.bank.example/cards", "[www.bank.example/cards](https://www.bank.example/cards)"),
        ("README.md", "README.md"),
        ("[x](https://evil.example/?q=secret)", "x (`https://evil.example/?q=secret`)"),
        ("[x](https://bank.example/?q=secret)", "x (`https://bank.example/?q=secret`)"),
        ("go to evil.example/?q=1, now", "go to `evil.example/?q=1`, now"),
        ("<https://evil.example|bank>", "`https://evil.example|bank`"),
        ("[https://bank.example](https://evil.example)", "`https://bank.example` (`https://evil.example`)"),
        ("[www.other.example](https://bank.example/fees)", "<https://bank.example/fees>"),
        ("[our bank](https://xn--bnk-5na.example/x)", "our bank (<https://xn--bnk-5na.example/x>)"),
        ("[1](https://bank.example/fees)", "[1] <https://bank.example/fees>"),
        ("[x](javascript:alert(1)) [y](data:text/html,z) [z](tg://user?id=1)", "x y z"),
        ("[mail](mailto:a@bank.example)", "mail (a@bank.example)"),
        ("[terms](docs/terms.md)", "terms"),
        ('[t](https://bank.example/fees "title")', "[t](https://bank.example/fees)"),
        ("[a\nb](https://evil.example)", "[a\nb] (`https://evil.example`)"),
        ("[ref]: https://evil.example\n[x][ref]", "[ref] : `https://evil.example`\n[x][ref]"),
        # pictures
        ("![logo](https://bank.example/fees)", "[logo](https://bank.example/fees)"),
        ("![](https://evil.example/a.png?q=1)", "(`https://evil.example/a.png?q=1`)"),
        ("Look!![a](https://bank.example/fees)", "Look! [a](https://bank.example/fees)"),
        # HTML, entities, escapes
        ('<img src="https://evil.example/a">', '\\<img src="`https://evil.example/a`">'),
        ("&lt;b&gt; &amp;lt; a&nbsp;b", "\\<b> \\&lt; a b"),
        ("<b@ana> <1@ana> 1 <2", "\\<b@ana> \\<1@ana> 1 <2"),
        ("&#96; /forget", "\u02cb `/forget`"),
        ("&#104;ttps://evil.example", "`https://evil.example`"),
        (r"https:\/\/evil\.example", "`https://evil.example`"),
        # mentions and commands
        ("@channel ask @ana, then /forget", "`@channel` ask `@ana`, then `/forget`"),
        # code
        ("`a\nb ` https://evil.example ` c", "\u02cba\nb ` https://evil.example ` c"),
        ("``https://evil.example", "\u02cb\u02cb`https://evil.example`"),
        ("`a`https://evil.example", "`a` `https://evil.example`"),
        ("\\https://evil.example", "\\ `https://evil.example`"),
        ("1. do\n   ```sh\n   curl x\n     y\n   ```\n2. next", "1. do\n```sh\ncurl x\n  y\n```\n2. next"),
        ("```\nnever closed", "```\nnever closed\n```"),
        ("- x\n  ```\nhttps://evil.example\n  ```", "- x\n```\nhttps://evil.example\n```"),
        # hidden characters
        ("pay\u202e\U000e0041\u200b now", "pay now"),
    ],
)
def test_what_could_be_live_is_not(answer: str, shown: str) -> None:
    """Links show where they lead, what was not given cannot be clicked, nothing is loaded and nobody called."""
    assert harmless(answer, GIVEN) == shown


def test_an_answer_made_harmless_stays_as_it_is() -> None:
    """A second time nothing is left to do."""
    answer = (
        "1. See [x](https://evil.example), @ana:\n   ```\n   a\n   ```\n![y](https://bank.example/fees) &lt;b> `open"
    )

    once = harmless(answer, GIVEN)

    assert harmless(once, GIVEN) == once


def test_code_gives_no_addresses_to_the_next_answer() -> None:
    """What one answer showed as code is no link in the next."""
    earlier = harmless("https://bank.example/fees, https://evil.example/?q=1\n```\nhttps://evil.example/x\n```", GIVEN)

    left = addresses_outside_code(earlier)

    assert "bank.example/fees" in left
    assert "evil.example" not in left


@pytest.mark.timeout(5)
@pytest.mark.parametrize(
    "unit",
    [
        *("`", "` `` ", "~", "```\n", "- ```\n", "> ```\n", "[", "[](", "[a](b", "![", "](", "[(", "[a](<", "[a]:"),
        *("\\", "\\`", "&", "&#", "&lt;", "<", "<a", "<a:", "@", "@a", "/a", "https://", "[a](https://", "a.", "a-"),
        *("!", ">", "\n", " ", "1. ", "- ", "(", "\ufe0f", "ab.cd@"),
    ],
)
def test_a_huge_answer_takes_no_huge_time(unit: str) -> None:
    """The time grows with the length of the answer, not with its square."""
    harmless(unit * (60_000 // len(unit)), GIVEN)

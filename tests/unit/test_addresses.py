"""Which addresses a text holds, and which of them count as given."""

from __future__ import annotations

import pytest

from bot.addresses import ADDRESS, host_of, is_known, known_addresses, trimmed

KNOWN = known_addresses(
    [
        "[Fees](https://bank.example/fees/2026?plan=basic#cards), (see https://Docs.Bank.example/a_(b)).",
        "也可以访问https://bank.example/zh，或 www.bank.example/cards。https://a@evil.example/x",
    ]
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("see https://a.example/x, or (http://b.example/y_(z)).", ["https://a.example/x", "http://b.example/y_(z)"]),
        ("**https://a.example/x**", ["https://a.example/x"]),
        ("见https://a.example/x，好", ["https://a.example/x"]),
        ("www.a.example. t.me/x?start=1 docs/README.md", ["www.a.example", "t.me/x?start=1", "docs/README.md"]),
        ("a.b@c.example and a@b.example/x", []),
        ("1.50 e.g. and/or 24/7 U.S.A. word.Word 3.5kg", []),
        ("tg://user?id=1 ftp://a.example JAVASCRIPT://x", ["tg://user?id=1", "ftp://a.example", "JAVASCRIPT://x"]),
        ("https://银行.example/a", ["https://银行.example/a"]),
        ("https://u:p@evil.example/", ["https://u:p@evil.example/"]),
    ],
)
def test_what_looks_like_an_address(text: str, found: list[str]) -> None:
    """With and without a scheme, up to the sentence's punctuation; mail addresses and numbers are none."""
    assert [trimmed(match[0]) for match in ADDRESS.finditer(text)] == found


@pytest.mark.parametrize(
    "address",
    [
        "https://bank.example/fees/2026?plan=basic#cards",
        "https://bank.example/fees/2026?plan=basic",
        "https://bank.example/fees",
        "https://bank.example/",
        "HTTPS://BANK.example",
        "bank.example/fees/",
        "http://docs.bank.example/a_(b)",
        "https://bank.example/zh",
        "https://www.bank.example/cards",
    ],
)
def test_an_address_that_was_given_is_known(address: str) -> None:
    """Whole or by its beginning, in whatever case its host is written."""
    assert is_known(address, KNOWN)


@pytest.mark.parametrize(
    "address",
    [
        "https://bank.example/fees/2026?plan=secret",
        "https://bank.example/fees/2026?plan=basic&q=secret",
        "https://bank.example/fees/20",
        "https://bank.example/FEES",
        "https://secret.bank.example",
        "https://bank.example.evil.example/fees",
        "https://bank.example:8443/fees",
        "https://bank.example@evil.example/fees",
        "https://a@evil.example/x",
        "ftp://bank.example/fees",
        "tg://bank.example/fees",
    ],
)
def test_an_address_made_up_is_not(address: str) -> None:
    """Not one character of a path, a query or a host may be the model's own."""
    assert not is_known(address, KNOWN)


def test_the_host_is_all_that_names_it() -> None:
    """With port and with what stands before an @, in lower case."""
    assert host_of("https://A.example:8443/x") == "a.example:8443"
    assert host_of("https://bank.example@evil.example?x") == "bank.example@evil.example"


@pytest.mark.timeout(5)
@pytest.mark.parametrize("unit", ["a", "a.", "a/", "/", "https://", "www.", "a-", "a.bc", "a@", "x:", "ab.cd@", "."])
def test_a_huge_text_takes_no_huge_time(unit: str) -> None:
    """The time grows with the length of the text, not with its square."""
    known_addresses([unit * (100_000 // len(unit))])

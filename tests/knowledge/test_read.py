"""Reading files of text: headings, HTML, tables, and everything that is no document."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import UnreadableDocument
from bot.knowledge import read as reading
from bot.knowledge.document import Document
from bot.knowledge.formats import FORMATS
from bot.knowledge.read import parse_content, read_content


def test_markdown_sections_carry_the_headings_that_lead_to_them() -> None:
    """The title's own heading is not repeated; deeper ones are joined by an arrow."""
    text = "# Cards\n\nIntro.\n\n## Lost\n\nBlock it.\n\n### Abroad\n\nCall us.\n\n## New\n\nFour days.\n"

    assert parse_content("cards.md", text.encode()) == Document(
        path="cards.md",
        title="Cards",
        sections=(
            ("", "Intro."),
            ("Lost", "Block it."),
            ("Lost › Abroad", "Call us."),
            ("New", "Four days."),
        ),
    )


def test_a_hash_in_a_code_block_is_no_heading() -> None:
    """Fences are respected, also those of tildes and those never closed."""
    text = "# Title\n\n```sh\n# comment\n```\n\n~~~\n## two\n~~~\n\n````\n```\n# three\n"

    document = parse_content("a.md", text.encode())

    assert len(document.sections) == 1
    assert "# comment" in document.sections[0][1]
    assert document.sections[0][1].endswith("# three")


def test_underlined_headings_and_front_matter() -> None:
    """`===` and `---` make headings; a header between dashes at the top is no text."""
    document = parse_content(
        "a.md", b"---\ntags: [x]\n---\nTitle\n=====\n\nText.\n\nPart\n----\n\nMore.\n\n---\n\nEnd.\n"
    )

    assert document.title == "Title"
    assert document.sections == (("", "Text."), ("Part", "More.\n\n---\n\nEnd."))


def test_a_heading_without_text_is_kept_as_text() -> None:
    """A list of headings alone says something too."""
    document = parse_content("a.md", b"# Menu\n\n## Soup of the day\n\n## Bread\n")

    assert [text for _, text in document.sections] == ["Soup of the day", "Bread"]


def test_html_drops_what_is_not_for_reading() -> None:
    """Scripts, styles and navigation go; headings, lists, tables and code stay as text."""
    html = """<html><head><title>Fees &amp; prices</title><style>p {}</style></head><body><nav>Home</nav>
    <h1>Fees &amp; prices</h1><p>All in <b>euros</b>.<br>Since January.</p><script>var a = 1;</script>
    <h2>Cards</h2><ul><li>Debit<li><p>Credit</p></ul>
    <table><tr><th>Card</th><th>Fee</th></tr><tr><td>Debit</td><td>0</td></tr></table>
    <pre>  kept\n    as is</pre></body></html>"""

    document = parse_content("fees.html", html.encode())

    assert document.title == "Fees & prices"
    assert document.sections == (
        ("", "All in euros.\nSince January."),
        ("Cards", "- Debit\n- Credit\n\n| Card | Fee |\n| --- | --- |\n| Debit | 0 |\n\n```\n  kept\n    as is\n```"),
    )


def test_html_as_deep_as_it_likes() -> None:
    """Ten thousand nested elements break nothing."""
    html = "<div>" * 10_000 + "<p>deep down</p>"

    assert "deep down" in parse_content("a.html", html.encode()).sections[0][1]


@given(st.text(max_size=300) | st.text(alphabet="<>/pdivh1tableriul&; \"'=!-", max_size=300))
def test_any_html_is_read_or_refused(html: str) -> None:
    """Broken markup never raises anything but our own error."""
    with contextlib.suppress(UnreadableDocument):
        parse_content("a.html", html.encode())


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"", "empty"),
        ("a.pdf", b" \n\t", "empty"),
        ("a.txt", b"text\x00more", "binary"),
        ("a.html", b"<html><script>x</script></html>", "no text"),
        ("a.md", b"---\na: b\n---\n", "no text"),
        ("a.doc", b"PK", "can be read"),
        ("a.json", b'{"a": }', "no JSON: .* line 1"),
        ("a.json", b'"   "', "no text"),
        ("a.csv", b",,,\n,,\n", "no text"),
    ],
)
def test_what_cannot_be_read_says_why(name: str, content: bytes, reason: str) -> None:
    """Each in a line that the operator can act on."""
    with pytest.raises(UnreadableDocument, match=reason):
        parse_content(name, content)


def test_files_that_cannot_be_opened_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, a folder, too large."""
    with pytest.raises(UnreadableDocument, match="no such file"):
        read_content(tmp_path / "gone.md")
    with pytest.raises(UnreadableDocument, match="not a regular file"):
        read_content(tmp_path)

    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    (tmp_path / "big.txt").write_text("eleven char")
    with pytest.raises(UnreadableDocument, match="larger than"):
        read_content(tmp_path / "big.txt")


def test_a_text_file_may_be_smaller_than_a_packed_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no pictures to be large with; what is unpacked is bounded in turn."""
    monkeypatch.setattr(reading, "MAX_TEXT_BYTES", 10)
    with pytest.raises(UnreadableDocument, match="for a file of text"):
        parse_content("a.txt", b"eleven char")

    monkeypatch.setattr(reading, "MAX_CHARACTERS", 8)
    with pytest.raises(UnreadableDocument, match="more than 8 characters"):
        parse_content("a.txt", b"nine char")


def test_every_format_has_a_reader() -> None:
    """The list of suffixes promises nothing that ends in an error of programming."""
    for suffix in FORMATS:
        with contextlib.suppress(UnreadableDocument):
            parse_content(f"a{suffix}", b"a, b\n")


@pytest.mark.parametrize(
    ("front", "title", "url"),
    [
        ("title: Fees\nurl: https://bank.example/fees", "Fees", "https://bank.example/fees"),
        ("source: 'http://bank.example/a?b=c'", "A", "http://bank.example/a?b=c"),
        ("url: javascript:alert(1)", "A", ""),
        ("url: file:///etc/passwd", "A", ""),
        ("url: https://", "A", ""),
        ('url: "https://bank.example/> <!channel>"', "A", ""),
    ],
)
def test_front_matter_says_title_and_address(front: str, title: str, url: str) -> None:
    """Only an address of the web, without anything that could break out of a link."""
    document = parse_content("a.md", f"---\n{front}\n---\n# A\n\nText.\n".encode())

    assert (document.title, document.url) == (title, url)


def test_a_page_names_its_address() -> None:
    """`canonical` before `og:url`; only http and https."""
    canonical = '<link rel="canonical" href="https://bank.example/fees">'
    shared = '<meta property="og:url" content="https://bank.example/shared">'

    assert parse_content("a.html", f"{canonical}{shared}<p>a".encode()).url == "https://bank.example/fees"
    assert parse_content("a.html", f"{shared}<p>a".encode()).url == "https://bank.example/shared"
    assert parse_content("a.html", b'<link rel="canonical" href="/fees"><p>a').url == ""


def test_the_only_outer_heading_is_the_title_unless_there_is_a_better_one() -> None:
    """Several outer headings are chapters, and the file gives its name."""
    one = parse_content("a.md", b"# Fees\n\n## Cards\n\nText.")
    two = parse_content("a.md", b"# Fees\n\nText.\n\n# Cards\n\nText.")
    own = parse_content("a.html", b"<title>Bank</title><h1>Fees</h1><p>Text.")

    assert (one.title, one.sections) == ("Fees", (("Cards", "Text."),))
    assert (two.title, two.sections) == ("a", (("Fees", "Text."), ("Cards", "Text.")))
    assert (own.title, own.sections) == ("Bank", (("Fees", "Text."),))


def test_headings_with_hashes_and_long_lines() -> None:
    """A closing run of `#` is no text; a line made to be slow is not."""
    document = parse_content("a.md", ("# C# ##\n\ntext\n\n## F#\n\ntext\n# " + " #" * 100_000 + "x").encode())

    assert document.sections[0][0] == "C#"
    assert document.sections[1][0] == "C# › F#"


def test_tables_of_pages() -> None:
    """Cells over several rows are said in each; bars are escaped; a table that lays out a page is none."""
    html = """<table><caption>Fees</caption><tr><th>Card<th colspan=2>Fee | year</tr>
    <tr><td rowspan=2>Debit<td>new<td>0</tr><tr><td>old<td>5</tr></table>
    <table><tr><td><h2>Menu</h2><p>Text.</td></tr></table>"""

    assert parse_content("a.html", html.encode()).sections == (
        ("", "Fees\n\n| Card | Fee \\| year |  |\n| --- | --- | --- |\n| Debit | new | 0 |\n| Debit | old | 5 |"),
        ("", "Text."),
    )


def test_a_page_in_the_encoding_it_names() -> None:
    """Which alone tells short texts apart."""
    html = '<html><head><meta charset="big5"><title>費</title></head><body><p>費 a</body>'

    assert parse_content("a.html", html.encode("big5")).title == "費"


def test_rows_of_cells() -> None:
    """Whatever stands between the cells; line ends and bars within them do no harm."""
    expected = "| Card | Fee |\n| --- | --- |\n| Debit, new | 0 |\n| a\\|b c |  |"

    for delimiter in ",;\t|":
        text = f'Card{delimiter}Fee\n"Debit, new"{delimiter}0\n\n"a|b\nc"{delimiter}\n'
        assert parse_content("a.csv", text.encode()).sections == (("", expected),)


def test_json_is_read_as_people_would() -> None:
    """Keys lead to what they hold, lists of small records are tables, numbers stay as they are written."""
    content = b"""{"bank": "Acme", "open": true, "cards": [{"name": "Debit", "fee": 0.10}, {"name": "Gold", "fee": 12}],
    "faq": [{"q": "How?", "a": "So.", "tags": ["x", "y"]}, {"q": "Why?", "more": {"deep": [1, {"er": null}]}}]}"""

    assert parse_content("a.json", content).sections == (
        ("", "bank: Acme\nopen: true"),
        ("cards", "| name | fee |\n| --- | --- |\n| Debit | 0.10 |\n| Gold | 12 |"),
        ("faq", "q: How?\na: So.\ntags: x, y\n\nq: Why?\n\nmore:\n\ndeep:\n\n1"),
    )


def test_json_lines_and_endless_numbers() -> None:
    """One record a line is a list of them; a number of any length is text."""
    lines = b'{"a": 1, "b": 2}\n\n{"a": 3, "b": 4}\n'

    assert parse_content("a.jsonl", lines).sections == (("", "| a | b |\n| --- | --- |\n| 1 | 2 |\n| 3 | 4 |"),)
    assert parse_content("a.json", b"[" + b"9" * 10_000 + b"]").sections == (("", "9" * 10_000),)


def test_code_is_one_block_between_fences() -> None:
    """With a fence longer than any in it."""
    code = 'def f():\n    """\n    ```\n    """\n'

    assert parse_content("a.py", code.encode()).sections == (("", f"````py\n{code.rstrip()}\n````"),)


def test_real_pages(shared_data: Path) -> None:
    """The Debian FAQ: questions are the places, commands are code, tables of contents and navigation are gone."""
    path = shared_data / "kb-debian-faq" / "pkgtools.en.html"
    document = parse_content(path.name, path.read_bytes())
    chinese = shared_data / "kb-debian-faq" / "zh-cn" / "ftparchives.zh-cn.html"

    places = dict(document.sections)
    assert document.title == "Chapter 8. The Debian package management tools"
    assert (
        "```\napt update\n```"
        in places["8.1. What programs does Debian provide for managing its packages? › 8.1.2. APT"]
    )
    assert not any("Table of Contents" in text or "Chapter 9" in text for text in places.values())
    assert "软件包" in parse_content(chinese.name, chinese.read_bytes()).sections[-1][1]

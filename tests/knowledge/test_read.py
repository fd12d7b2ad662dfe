"""Reading files: encodings, headings, HTML, and everything that is no document."""

from __future__ import annotations

import codecs
import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import UnreadableDocument
from bot.knowledge import read as reading
from bot.knowledge.document import Document
from bot.knowledge.read import parse_content, read, read_bytes


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
        ("Cards", "- Debit\n- Credit\n\n| Card | Fee |\n| Debit | 0 |\n\n```\n  kept\n    as is\n```"),
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
    "content",
    [
        "费用 fees".encode(),
        codecs.BOM_UTF8 + "费用 fees".encode(),
        codecs.BOM_UTF16_LE + "费用 fees".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "费用 fees".encode("utf-16-be"),
        "费用 fees".encode("gb18030"),
    ],
    ids=["utf-8", "utf-8 bom", "utf-16-le", "utf-16-be", "gb18030"],
)
def test_encodings(content: bytes) -> None:
    """UTF-8, UTF-16 with a mark and GB18030 give the same text."""
    assert parse_content("a.txt", content).sections == (("", "费用 fees"),)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b" \n\t", "empty"),
        ("a.md", b"\x89PNG\r\n\x1a\n\x00\x00", "binary|neither"),
        ("a.txt", b"text\x00more", "binary"),
        ("a.txt", bytes(range(0x80, 0x100)), "neither"),
        ("a.txt", codecs.BOM_UTF16_LE + b"\x00", "neither"),
        ("a.html", b"<html><script>x</script></html>", "no text"),
        ("a.md", b"---\na: b\n---\n", "no text"),
        ("a.docx", b"PK", "can be read"),
    ],
)
def test_what_cannot_be_read_says_why(name: str, content: bytes, reason: str) -> None:
    """Each in a line that the operator can act on."""
    with pytest.raises(UnreadableDocument, match=reason):
        parse_content(name, content)


async def test_files_that_cannot_be_opened_say_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Missing, a folder, too large."""
    with pytest.raises(UnreadableDocument, match="no such file"):
        await read_bytes(tmp_path / "gone.md")
    with pytest.raises(UnreadableDocument, match="not a regular file"):
        await read_bytes(tmp_path)

    monkeypatch.setattr(reading, "MAX_BYTES", 10)
    (tmp_path / "big.txt").write_text("eleven char")
    with pytest.raises(UnreadableDocument, match="larger than"):
        await read_bytes(tmp_path / "big.txt")


async def test_a_file_becomes_a_document(tmp_path: Path) -> None:
    """The name is the path as ingested; without a heading the file's name is the title."""
    file = tmp_path / "hours.txt"
    file.write_text("Open from nine.\r\nClosed on Sunday.\r\n")

    assert await read(file, name="docs/hours.txt") == Document(
        path="docs/hours.txt", title="hours", sections=(("", "Open from nine.\nClosed on Sunday."),)
    )

"""PDF, Word, PowerPoint, Excel and e-books: text, tables, and where each stands."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from zipfile import ZipFile

import pytest

from bot.errors import UnreadableDocument
from bot.knowledge.read import parse_content
from bot.knowledge.read_zip import parse_xml
from tests.knowledge.sample_files import archive, docx, epub, paragraph, pdf, pptx, rows, shape, xlsx

STYLES = """<w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>
<w:style w:styleId="Mine"><w:name w:val="My own"/><w:basedOn w:val="Outlined"/></w:style>
<w:style w:styleId="Outlined"><w:name w:val="Outlined"/><w:pPr><w:outlineLvl w:val="1"/></w:pPr></w:style>
<w:style w:styleId="Ring"><w:name w:val="Ring"/><w:basedOn w:val="Ring"/></w:style>
<w:style w:styleId="T"><w:name w:val="Title"/></w:style><w:style w:styleId="C"><w:name w:val="toc 1"/></w:style>
<w:style w:styleId="B"><w:name w:val="List Bullet"/><w:pPr><w:numPr/></w:pPr></w:style>"""


def sections(name: str, content: bytes) -> tuple[tuple[str, str], ...]:
    """What is read of a file."""
    return parse_content(name, content).sections


def test_pages_and_the_outline_of_a_pdf_are_its_places() -> None:
    """A heading is cut out of the page where it stands; a page may have several, and a heading several pages."""
    pages = ["1 Returns\n1.1 Refunds\nWithin 14 days.\n1.2 退换货\n十四天内可以退货。", "More of it."]
    document = parse_content(
        "a.pdf", pdf(pages, outline=[(0, "Returns"), (0, "Refunds"), (0, "退换货")], title="Policy")
    )

    assert document.title == "Policy"
    assert document.sections == (
        ("Refunds, p. 1", "Within 14 days."),
        ("退换货, p. 1", "十四天内可以退货。"),
        ("退换货, p. 2", "More of it."),
    )


@pytest.mark.parametrize(
    ("title", "shown"),
    [
        ("Microsoft Word - terms.docx", "terms"),
        ("Microsoft Word - terms", "terms"),
        ("untitled", "terms"),
        ("final_v2.indd", "terms"),
        ("", "terms"),
        ("How to use Node.js", "How to use Node.js"),
    ],
)
def test_a_pdf_without_outline_has_pages(title: str, shown: str) -> None:
    """And the name of its file, if its title is what a program put there."""
    document = parse_content("terms.pdf", pdf(["One.", "Two."], title=title))

    assert (document.title, document.sections) == (shown, (("p. 1", "One."), ("p. 2", "Two.")))


def test_lines_of_a_pdf_become_sentences() -> None:
    """Wrapped lines are joined, with a blank where words have one; lists and short lines stay as they are."""
    page = (
        "A sentence that goes on over the end of its\nline until it comes to its end in the third\nline.\n"
        "• first item of a list\n• second item\n"
        "这是一个很长的句子它在行尾没有结束而是继续到下一行然后才\n结束。"
    )

    assert sections("a.pdf", pdf([page])) == (
        (
            "p. 1",
            (
                "A sentence that goes on over the end of its line until it comes to its end in the third line.\n"
                "• first item of a list\n• second item\n"
                "这是一个很长的句子它在行尾没有结束而是继续到下一行然后才结束。"
            ),
        ),
    )


def test_running_heads_and_page_numbers_are_no_text() -> None:
    """What comes again on each page is left out, and a sentence between two pages is whole."""
    pages = [
        f"Acme Bank, terms\nText of this page number {name} goes\n- {number} -" for number, name in enumerate("abc", 1)
    ]
    pages[1] = pages[1].replace("Text", "on here. Text")

    assert sections("a.pdf", pdf(pages)) == (
        ("p. 1", "Text of this page number a goes on here."),
        ("p. 2", "Text of this page number b goes"),
        ("p. 3", "Text of this page number c goes"),
    )


def test_a_table_of_contents_is_left_out_and_a_list_of_prices_is_not() -> None:
    """Both are lines of dots and numbers; the numbers of pages grow."""
    names = ["Accounts", "Cards", "Loans", "Savings", "Transfers"]
    contents = "\n".join(f"{name} . . . . . . . . {number}" for number, name in enumerate(names, start=1))
    prices = "\n".join(f"{name} ........ {number}" for number, name in zip((5, 3, 2, 4, 1), names, strict=True))

    assert sections("a.pdf", pdf([contents, prices, "Text.", "", "More."])) == (
        ("p. 2", prices),
        ("p. 3", "Text."),
        ("p. 5", "More."),
    )


def test_a_real_pdf(shared_data: Path) -> None:
    """The Debian FAQ, set by TeX: blanks between words, cut words made whole, questions as places, pages to look at."""
    document = parse_content("faq.pdf", (shared_data / "kb-debian-faq" / "debian-faq.en.pdf").read_bytes())
    places = dict(document.sections)

    assert document.title == "The Debian GNU/Linux FAQ"
    assert (
        "pointers to other documentation will be given" in places["Definitions and overview › What is this FAQ?, p. 9"]
    )
    assert not any(text.startswith("CHAPTER") for text in places.values())
    assert sum(", p. " in place for place in places) > 150


def test_a_word_file() -> None:
    """Headings by outline level whatever their style is called; lists, breaks and footnotes; no table of contents."""
    body = (
        paragraph("Returns policy", "T")
        + paragraph("Refunds 3", "C")
        + paragraph("Refunds", "berschrift1")
        + paragraph("By card", "Mine")
        + paragraph("one", "B")
        + paragraph("two", properties="<w:numPr/>")
        + "<w:p><w:r><w:t>Within </w:t><w:tab/><w:t>14</w:t></w:r><w:del><w:r><w:delText>15</w:delText></w:r></w:del>"
        "<w:hyperlink><w:r><w:t> days</w:t><w:br/><w:t>or so</w:t></w:r></w:hyperlink>"
        "<w:r><w:rPr><w:vanish/></w:rPr><w:t>hidden</w:t></w:r><w:r><w:footnoteReference w:id='2'/></w:r></w:p>"
        + paragraph("Text.", "Ring")
    )
    document = parse_content(
        "a.docx", docx(body, styles=STYLES, footnotes=f'<w:footnote w:id="2">{paragraph("Since 2024.")}</w:footnote>')
    )

    assert document.title == "Returns policy"
    assert document.sections == (
        ("Refunds › By card", "- one\n- two\n\nWithin \t14 days\nor so\n\n(Since 2024.)\n\nText."),
    )


def test_tables_of_word() -> None:
    """Cells over several rows are said in each, over several columns in the first."""

    def cell(text: str, properties: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(text)}</w:tc>"

    wide, high = '<w:gridSpan w:val="2"/>', '<w:vMerge w:val="restart"/>'
    body = (
        "<w:tbl>"
        f"<w:tr>{cell('Card')}{cell('Fee', wide)}</w:tr>"
        f"<w:tr>{cell('Debit', high)}{cell('new')}{cell('0')}</w:tr>"
        f"<w:sdt><w:sdtContent><w:tr>{cell('', '<w:vMerge/>')}{cell('old')}{cell('5')}</w:tr></w:sdtContent></w:sdt>"
        "</w:tbl>"
    )

    assert sections("a.docx", docx(body)) == (
        ("", "| Card | Fee |  |\n| --- | --- | --- |\n| Debit | new | 0 |\n| Debit | old | 5 |"),
    )


def test_slides() -> None:
    """Title and number are the place; tables, groups and notes are read, hidden slides and their numbers are not."""
    table = (
        "<p:graphicFrame><a:graphic><a:graphicData><a:tbl><a:tr><a:tc><a:p><a:r><a:t>Card</a:t></a:r></a:p></a:tc>"
        "<a:tc><a:p><a:r><a:t>Fee</a:t></a:r></a:p></a:tc></a:tr></a:tbl></a:graphicData></a:graphic></p:graphicFrame>"
    )
    content = pptx(
        [
            shape("Welcome", "ctrTitle"),
            shape("Refunds", "title") + shape("Step one\nStep two", "body") + shape("7", "sldNum"),
            shape("secret"),
            table + f"<p:grpSp>{shape('in a group')}</p:grpSp>",
        ],
        hidden=[3],
        notes={2: "Say it slowly."},
    )

    assert sections("a.pptx", content) == (
        ("Welcome, slide 1", "Welcome"),
        ("Refunds, slide 2", "Step one\nStep two\n\nSay it slowly."),
        ("slide 4", "| Card | Fee |\n\nin a group"),
    )


def test_sheets() -> None:
    """The sheet is the place; blocks between empty rows are tables; hidden sheets are not read."""
    sheets = {
        "Fees": rows(["Fees of the bank"], [], ["Card", "Fee"], ["Debit", "0"]),
        "Old": rows(["secret"]),
        "费用": rows(["", "年费"], ["", "免"]),
    }

    assert sections("a.xlsx", xlsx(sheets, hidden="Old")) == (
        ("Fees", "Fees of the bank\n\n| Card | Fee |\n| --- | --- |\n| Debit | 0 |"),
        ("费用", "年费\n免"),
    )


def test_cells_are_written_as_people_see_them() -> None:
    """Dates, times, percentages and currencies by their format; a cell over several rows is said in each."""
    styles = (
        '<numFmts><numFmt numFmtId="164" formatCode="0.0%"/>'
        '<numFmt numFmtId="165" formatCode="#,##0.00\\ &quot;€&quot;"/>'
        '<numFmt numFmtId="166" formatCode="[$$-409]#,##0"/><numFmt numFmtId="167" formatCode="dd/mm/yyyy\\ hh:mm"/>'
        "</numFmts><cellXfs>"
        + "".join(f'<xf numFmtId="{number}"/>' for number in (0, 14, 20, 164, 165, 166, 167))
        + "</cellXfs>"
    )
    cells = (
        '<c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c><c t="str"><f>A1</f><v>by formula</v></c>',
        '<c r="B2"><v>1400.5</v></c><c r="C2" s="1"><v>46022</v></c><c r="D2" s="2"><v>0.5</v></c>',
        '<c r="A3" t="b"><v>1</v></c><c r="B3" s="3"><v>0.035</v></c><c r="C3" s="4"><v>1400.5</v></c>',
        '<c r="B4" s="5"><v>12</v></c><c r="C4" s="6"><v>46022.75</v></c><c r="D4" t="e"><v>#N/A</v></c>',
        '<c r="B5"><v>0.1</v></c><c r="C5" s="99"><v>1e3</v></c><c r="D5" s="1"><v>-5</v></c>',
    )
    data = "".join(f'<row r="{number}">{row}</row>' for number, row in enumerate(cells, start=1))
    sheet = f'<sheetData>{data}</sheetData><mergeCells><mergeCell ref="A3:A4"/></mergeCells>'

    (section,) = sections("a.xlsx", xlsx({"S": sheet}, strings=["Name", "Value"], styles=styles))

    assert section[1].split("\n")[2:] == [
        "|  | 1400.5 | 2025-12-31 | 12:00 |",
        "| TRUE | 3.5% | 1400.50 € |  |",
        "| TRUE | $12 | 2025-12-31 18:00 | #N/A |",
        "|  | 0.1 | 1000 | -5 |",
    ]
    assert section[1].startswith("| Name | Value | by formula |  |\n")


def test_one_cell_in_the_farthest_corner() -> None:
    """A sheet is as large as what stands in it."""
    cells = '<row r="1"><c r="A1"><v>1</v></c></row><row r="1048576"><c r="XFD1048576"><v>2</v></c></row>'

    assert sections("a.xlsx", xlsx({"S": f"<sheetData>{cells}</sheetData>"})) == (("S", "1\n\n2"),)


def test_an_e_book() -> None:
    """Chapters by the table of contents, unless their own heading says the same; sections below them."""
    chapters = {
        "a.xhtml": "<html><body><h1>Returns</h1><p>Intro.</p><h2>Refunds</h2><p>14 days.</p></body></html>",
        "b.xhtml": "<html><body><p>No heading here.</p></body></html>",
        "c.xhtml": "<html><body><p>The same chapter goes on.</p></body></html>",
        "d.xhtml": "<html><body><img src='cover.png'/></body></html>",
    }
    document = parse_content("a.epub", epub(chapters, contents={"a.xhtml": "Returns", "b.xhtml#top": "Cards"}))

    assert document.title == "A book"
    assert document.sections == (
        ("Returns", "Intro."),
        ("Returns › Refunds", "14 days."),
        ("Cards", "No heading here."),
        ("Cards", "The same chapter goes on."),
    )


def test_a_protected_book_says_so() -> None:
    """Its text is there and cannot be read."""
    members = {"META-INF/encryption.xml": '<e><CipherReference URI="OPS/a.xhtml"/></e>'}
    book = epub({"a.xhtml": "garbage"})

    with pytest.raises(UnreadableDocument, match="protected"):
        parse_content("a.epub", _with(book, members))


def test_a_pdf_behind_a_password_says_so(shared_data: Path) -> None:
    """One that needs none to be read is read, although it is encrypted."""
    folder = shared_data / "malformed-pdf"

    with pytest.raises(UnreadableDocument, match="password"):
        parse_content("a.pdf", (folder / "arturt" / "encrypted.pdf").read_bytes())
    assert sections("a.pdf", (folder / "arturt" / "not_encrypted.pdf").read_bytes())


def test_xml_without_entities_may_have_a_document_type() -> None:
    """E-books have; only what could be expanded is refused."""
    assert parse_xml(b'<!DOCTYPE a SYSTEM "http://nowhere.example/a.dtd"><a>&lt;</a>').text == "<"
    with pytest.raises(UnreadableDocument, match="cannot be read"):
        parse_xml(b"<!DOCTYPE a><a>&b;</a>")
    with pytest.raises(UnreadableDocument, match="cannot be read"):
        parse_xml(b'<?xml version="1.0" encoding="no-such"?><a/>')


def _with(content: bytes, members: dict[str, str]) -> bytes:
    """An archive with more members."""
    with ZipFile(BytesIO(content)) as packed:
        return archive({**{name: packed.read(name) for name in packed.namelist()}, **members})


def test_members_are_found_whatever_their_case() -> None:
    """Some programs write `SharedStrings.xml`, some backslashes."""
    sheet = '<sheetData><row r="1"><c r="A1" t="s"><v>0</v></c></row></sheetData>'
    with ZipFile(BytesIO(xlsx({"S": sheet}, strings=["Fee"]))) as packed:
        members = {name.replace("/", "\\").upper(): packed.read(name) for name in packed.namelist()}

    assert sections("a.xlsx", archive(members)) == (("S", "Fee"),)

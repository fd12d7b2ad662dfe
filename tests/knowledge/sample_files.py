"""Small real files of each format, made by hand: what a reader must understand is seen in the file itself."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO

OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
P = f'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:r="{OFFICE}"'
A = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main"'
S = f'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="{OFFICE}"'


_FONT = (
    "<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /UniGB-UTF16-H /DescendantFonts "
    "[<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo "
    "<< /Registry (Adobe) /Ordering (GB1) /Supplement 4 >> /DW 500 >>] >>"
)


def archive(members: Mapping[str, str | bytes]) -> bytes:
    """A ZIP archive."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return out.getvalue()


def relations(targets: Sequence[tuple[str, str]]) -> str:
    """Relations `rId1`, `rId2` … to members: (kind, target)."""
    rows = (
        f'<Relationship Id="rId{number}" Type="{OFFICE}/{kind}" Target="{target}"/>'
        for number, (kind, target) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{PACKAGE}">{"".join(rows)}</Relationships>'


def docx(body: str, *, styles: str = "", footnotes: str = "", head: str = "") -> bytes:
    """A Word file with this body; `head` goes before the root element."""
    return archive(
        {
            "_rels/.rels": relations([("officeDocument", "word/document.xml")]),
            "word/_rels/document.xml.rels": relations([("styles", "styles.xml"), ("footnotes", "footnotes.xml")]),
            "word/document.xml": f"{head}<w:document {W}><w:body>{body}</w:body></w:document>",
            "word/styles.xml": f"<w:styles {W}>{styles}</w:styles>",
            "word/footnotes.xml": f"<w:footnotes {W}>{footnotes}</w:footnotes>",
        }
    )


def paragraph(text: str, style: str = "", properties: str = "") -> str:
    """A paragraph of Word."""
    named = f'<w:pStyle w:val="{style}"/>' if style else ""
    return f"<w:p><w:pPr>{named}{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def pptx(slides: Sequence[str], *, hidden: Sequence[int] = (), notes: Mapping[int, str] | None = None) -> bytes:
    """A presentation; each slide is the content of its tree of shapes, notes are texts by number from 1."""
    members: dict[str, str] = {
        "_rels/.rels": relations([("officeDocument", "ppt/presentation.xml")]),
        "ppt/_rels/presentation.xml.rels": relations(
            [("slide", f"slides/slide{number}.xml") for number in range(1, len(slides) + 1)]
        ),
        "ppt/presentation.xml": f"<p:presentation {P}><p:sldIdLst>"
        + "".join(f'<p:sldId r:id="rId{number}" id="{255 + number}"/>' for number in range(1, len(slides) + 1))
        + "</p:sldIdLst></p:presentation>",
    }
    for number, shapes in enumerate(slides, start=1):
        show = ' show="0"' if number in hidden else ""
        tree = f"<p:cSld><p:spTree>{shapes}</p:spTree></p:cSld>"
        members[f"ppt/slides/slide{number}.xml"] = f"<p:sld {P} {A}{show}>{tree}</p:sld>"
    for number, text in (notes or {}).items():
        members[f"ppt/slides/_rels/slide{number}.xml.rels"] = relations([("notesSlide", "../notesSlides/n1.xml")])
        members["ppt/notesSlides/n1.xml"] = f"<p:notes {P} {A}>{shape(text, 'body')}</p:notes>"
    return archive(members)


def shape(text: str, kind: str = "") -> str:
    """A shape with a paragraph for each line."""
    place = f'<p:nvPr><p:ph type="{kind}"/></p:nvPr>' if kind else "<p:nvPr/>"
    lines = "".join(f"<a:p><a:r><a:t>{line}</a:t></a:r></a:p>" for line in text.split("\n"))
    return f"<p:sp><p:nvSpPr>{place}</p:nvSpPr><p:txBody>{lines}</p:txBody></p:sp>"


def xlsx(sheets: Mapping[str, str], *, strings: Sequence[str] = (), styles: str = "", hidden: str = "") -> bytes:
    """A workbook; each sheet is the content of its root element."""
    states = {hidden: "hidden"}
    listed = "".join(
        f'<sheet name="{name}" sheetId="{number}" r:id="rId{number}" state="{states.get(name, "visible")}"/>'
        for number, name in enumerate(sheets, start=1)
    )
    targets = [("worksheet", f"/xl/worksheets/sheet{number}.xml") for number in range(1, len(sheets) + 1)]
    members = {
        "_rels/.rels": relations([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f"<workbook {S}><sheets>{listed}</sheets></workbook>",
        "xl/_rels/workbook.xml.rels": relations(
            [*targets, ("sharedStrings", "sharedStrings.xml"), ("styles", "styles.xml")]
        ),
        "xl/sharedStrings.xml": f"<sst {S}>{''.join(f'<si><t>{text}</t></si>' for text in strings)}</sst>",
        "xl/styles.xml": f"<styleSheet {S}>{styles}</styleSheet>",
    }
    for number, content in enumerate(sheets.values(), start=1):
        members[f"xl/worksheets/sheet{number}.xml"] = f"<worksheet {S}>{content}</worksheet>"
    return archive(members)


def rows(*cells: Sequence[str]) -> str:
    """Rows of cells with text in them; an empty row is left out of the file, as Excel does."""
    return (
        "<sheetData>"
        + "".join(
            f'<row r="{number}">'
            + "".join(
                f'<c r="{chr(64 + at)}{number}" t="inlineStr"><is><t>{text}</t></is></c>'
                for at, text in enumerate(row, 1)
            )
            + "</row>"
            for number, row in enumerate(cells, start=1)
            if row
        )
        + "</sheetData>"
    )


def epub(chapters: Mapping[str, str], *, contents: Mapping[str, str] | None = None, title: str = "A book") -> bytes:
    """An e-book: file name → page, and file name → its name in the table of contents."""
    links = "".join(f'<li><a href="{name}">{text}</a></li>' for name, text in (contents or {}).items())
    items = "".join(
        f'<item id="c{n}" href="{one}" media-type="application/xhtml+xml"/>' for n, one in enumerate(chapters)
    )
    spine = "".join(f'<itemref idref="c{n}"/>' for n in range(len(chapters)))
    return archive(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
            '<rootfile full-path="OPS/book.opf"/></rootfiles></container>',
            "OPS/book.opf": '<package xmlns="http://www.idpf.org/2007/opf"><metadata '
            f'xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>{title}</dc:title></metadata><manifest>{items}'
            '<item id="nav" href="nav.xhtml" properties="nav" media-type="application/xhtml+xml"/></manifest>'
            f"<spine>{spine}</spine></package>",
            "OPS/nav.xhtml": f"<html><body><nav><ol>{links}</ol></nav></body></html>",
            **{f"OPS/{name}": page for name, page in chapters.items()},
        }
    )


def pdf(pages: Sequence[str], *, outline: Sequence[tuple[int, str]] = (), title: str = "") -> bytes:
    """A PDF with a line of text for each line, and an outline of (page from 0, title); any Chinese text works."""
    objects = [
        "<< /Type /Catalog /Pages 2 0 R /Outlines 4 0 R >>",
        f"<< /Type /Pages /Count {len(pages)} /Kids [{' '.join(f'{_page(n)} 0 R' for n in range(len(pages)))}] >>",
        _FONT,
    ]
    first = _page(len(pages))
    last = first + len(outline) - 1
    objects.append(f"<< /Type /Outlines /First {first} 0 R /Last {last} 0 R >>" if outline else "<< /Type /Outlines >>")
    objects.append(f"<< /Title <{_hex(title)}> >>")
    for number, page in enumerate(pages):
        lines = "".join(f"<{line.encode('utf-16-be').hex()}> Tj T*\n" for line in page.split("\n"))
        stream = f"BT /F1 10 Tf 14 TL 50 780 Td\n{lines}ET"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents {_page(number) + 1} 0 R "
            "/Resources << /Font << /F1 3 0 R >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    for number, (page_number, text) in enumerate(outline, start=first):
        following = f"/Next {number + 1} 0 R" if number < last else ""
        objects.append(f"<< /Title <{_hex(text)}> /Parent 4 0 R {following} /Dest [{_page(page_number)} 0 R /Fit] >>")
    return numbered(objects)


def _page(number: int) -> int:
    return 6 + 2 * number


def _hex(text: str) -> str:
    return ("\ufeff" + text).encode("utf-16-be").hex()


def numbered(objects: Sequence[str]) -> bytes:
    """A PDF of these objects, the first of which is its catalogue."""
    out = b"%PDF-1.7\n"
    places: list[int] = []
    for number, text in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{text}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    trailer = f"trailer << /Size {len(objects) + 1} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{len(out)}\n%%EOF"
    return out + f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}{trailer}".encode()

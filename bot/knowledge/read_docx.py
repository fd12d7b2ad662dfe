"""Word (.docx) → parts below its headings: paragraphs, lists, tables, notes; what is deleted or hidden is left out.

Office Open XML, ECMA-376 part 1, section 17. A heading is a paragraph whose style has an outline level, whatever the
style is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final
from xml.etree.ElementTree import Element

from bot.knowledge.read_parts import Content, Writer, table
from bot.knowledge.read_zip import Archive, first, value

_LEFT_OUT = frozenset({"del", "moveFrom", "delText", "instrText", "Fallback", "rPr", "pPr"})
_BREAKS: Final = {"tab": "\t", "br": "\n", "cr": "\n", "noBreakHyphen": "-"}
_MAX_STYLE_STEPS: Final = 20
"""Styles are based on each other; some in a ring."""


def read_docx(content: bytes) -> Content:
    """Parts of a Word file.

    Raises:
        UnreadableDocument: broken, behind a password, a bomb.
    """
    archive = Archive(content)
    main = next((name for kind, name in archive.related("").values() if kind == "officeDocument"), "word/document.xml")
    related = dict(archive.related(main).values())
    styles = _Styles(archive.xml(related["styles"]) if related.get("styles") in archive else None)
    notes: dict[str, Element] = {}
    for kind in ("footnote", "endnote"):
        if (name := related.get(f"{kind}s")) in archive and name:
            notes |= {f"{kind}{value(note, 'id')}": note for note in archive.xml(name)}
    walk = _Walk(styles, notes)
    body = first(archive.xml(main), "body")
    if body is not None:
        walk.blocks(body)
    return Content(parts=walk.writer.finished(), title=walk.title)


class _Styles:
    """What the styles of paragraphs mean.

    Args:
        root: of `styles.xml`.
    """

    def __init__(self, root: Element | None) -> None:
        self._styles = {value(one, "styleId"): one for one in (root if root is not None else ()) if one.tag == "style"}

    def name(self, style: str) -> str:
        """As it is called in every language of Word, in small letters."""
        return value(first(self._styles[style], "name")).lower() if style in self._styles else style.lower()

    def level(self, style: str) -> int:
        """Outline level from 1; 0 is no heading."""
        for _ in range(_MAX_STYLE_STEPS):
            named = re.fullmatch(r"heading ?([1-9])", self.name(style))
            if named:
                return int(named[1])
            if style not in self._styles:
                return 0
            outline = value(first(self._styles[style], "pPr", "outlineLvl"))
            if outline:
                return int(outline) + 1 if outline in "012345678" else 0
            style = value(first(self._styles[style], "basedOn"))
        return 0

    def is_list(self, style: str) -> bool:
        """Its paragraphs are items of a list."""
        return style in self._styles and first(self._styles[style], "pPr", "numPr") is not None


class _Walk:
    """Writes the blocks of a document below its headings."""

    def __init__(self, styles: _Styles, notes: dict[str, Element]) -> None:
        self.writer = Writer()
        self.title = ""
        self._styles = styles
        self._notes = notes
        self._in_list = False

    def blocks(self, element: Element) -> None:
        """Paragraphs and tables in order, also those in boxes of content."""
        for child in element:
            if child.tag == "p":
                self._paragraph(child)
            elif child.tag == "tbl":
                self._end_list()
                self.writer.block(table(self._rows(child)))
            elif child.tag not in _LEFT_OUT:
                self.blocks(child)
        self._end_list()

    def _paragraph(self, element: Element) -> None:
        text = _text(element).strip()
        style = value(first(element, "pPr", "pStyle"))
        outline = value(first(element, "pPr", "outlineLvl"))
        level = int(outline) + 1 if outline and outline in "012345678" else self._styles.level(style)
        name = self._styles.name(style)
        if not text or re.match(r"toc\b", name):
            return
        if name == "title" and not self.title:
            self.title = text
        elif level:
            self._end_list()
            self.writer.head(level, text)
        elif first(element, "pPr", "numPr") is not None or self._styles.is_list(style):
            self.writer.write(f"- {text}\n")
            self._in_list = True
        else:
            self._end_list()
            self.writer.block(text)
        for note in self._notes_of(element):
            self._end_list()
            self.writer.block(note)

    def _end_list(self) -> None:
        if self._in_list:
            self.writer.write("\n")
        self._in_list = False

    def _notes_of(self, element: Element) -> Iterator[str]:
        for kind in ("footnote", "endnote"):
            for reference in element.iter(f"{kind}Reference"):
                note = self._notes.get(kind + value(reference, "id"))
                text = " ".join(_text(note).split()) if note is not None else ""
                if text:
                    yield f"({text})"

    def _rows(self, element: Element) -> list[list[str]]:
        """Cells of a table; one merged over several rows is said in each."""
        rows: list[list[str]] = []
        for row in _inside(element, "tr"):
            cells: list[str] = []
            for cell in _inside(row, "tc"):
                properties = first(cell, "tcPr")
                span = value(first(properties, "gridSpan")) if properties is not None else ""
                merge = first(properties, "vMerge") if properties is not None else None
                goes_on = merge is not None and value(merge) != "restart" and rows and len(cells) < len(rows[-1])
                text = rows[-1][len(cells)] if goes_on else " ".join(_text(cell).split())
                cells += [text, *[""] * (min(int(span), 100) - 1 if span.isdecimal() else 0)]
            rows.append(cells)
        return rows


def _inside(element: Element, tag: str) -> Iterator[Element]:
    """Children of that name, also those in boxes of content."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in ("sdt", "sdtContent", "customXml"):
            yield from _inside(child, tag)


def _text(element: Element) -> str:
    """What is read in it; paragraphs inside (of cells, text boxes, notes) on lines of their own."""
    pieces: list[str] = []
    for child in element:
        if child.tag == "t":
            pieces.append(child.text or "")
        elif child.tag in _BREAKS:
            pieces.append(_BREAKS[child.tag])
        elif child.tag == "r" and first(child, "rPr", "vanish") is not None:
            continue
        elif child.tag not in _LEFT_OUT:
            pieces.append(_text(child) + ("\n" if child.tag in ("p", "tc", "tr") else ""))
    return "".join(pieces)

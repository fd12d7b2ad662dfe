"""PowerPoint (.pptx) → parts, one a slide: its title, text, tables and the speaker's notes; hidden slides are left out.

Office Open XML, ECMA-376 part 1, sections 19 and 21. Slides stand in the order in which they are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from bot.knowledge.read_parts import Content, Part, table
from bot.knowledge.read_zip import Archive, below, core_title, first, value

_TITLES = frozenset({"title", "ctrTitle"})
_NO_TEXT = frozenset({"sldNum", "dt", "ftr", "hdr", "sldImg"})


def read_pptx(content: bytes) -> Content:
    """Parts of a presentation.

    Raises:
        UnreadableDocument: broken, behind a password, a bomb.
    """
    archive = Archive(content)
    main = next(
        (name for kind, name in archive.related("").values() if kind == "officeDocument"), "ppt/presentation.xml"
    )
    related = archive.related(main)
    parts: list[Part] = []
    for number, one in enumerate(below(archive.xml(main), "sldIdLst", "sldId"), start=1):
        name = related.get(value(one, "r:id"), ("", ""))[1]
        if name in archive:
            parts += _slide(archive, name, number)
    return Content(parts=parts, title=core_title(archive))


def _slide(archive: Archive, name: str, number: int) -> list[Part]:
    root = archive.xml(name)
    if value(root, "show") in ("0", "false"):
        return []
    shapes = list(_shapes(root))
    title = next((" ".join(_text(shape).split()) for shape in shapes if _kind(shape) in _TITLES), "")
    texts = [_text(shape) for shape in shapes if _kind(shape) not in _TITLES | _NO_TEXT]
    for kind, notes in archive.related(name).values():
        if kind == "notesSlide" and notes in archive:
            texts += [_text(shape) for shape in _shapes(archive.xml(notes)) if _kind(shape) == "body"]
    text = "\n\n".join(one for one in texts if one)
    return [Part(((1, title),) if title else (), text or title, f"slide {number}")]


def _shapes(element: Element) -> Iterator[Element]:
    """Shapes and frames with tables, those in groups too."""
    for child in element:
        if child.tag in ("sp", "graphicFrame"):
            yield child
        elif child.tag != "Fallback":
            yield from _shapes(child)


def _kind(shape: Element) -> str:
    """What its place on the slide is for, `title` or `body` among others; empty for a free text."""
    place = first(shape, "nvSpPr", "nvPr", "ph")
    return (value(place, "type") or "body") if place is not None else ""


def _text(shape: Element) -> str:
    tables = [
        table([" ".join(_paragraphs(cell)) for cell in row if cell.tag == "tc"] for row in grid if row.tag == "tr")
        for grid in shape.iter("tbl")
    ]
    return "\n\n".join(tables) if tables else "\n".join(_paragraphs(shape))


def _paragraphs(element: Element) -> Iterator[str]:
    for paragraph in element.iter("p"):
        pieces = ((one.text or "") if one.tag == "t" else "\n" if one.tag == "br" else "" for one in paragraph.iter())
        text = "".join(pieces).strip()
        if text:
            yield text

"""E-books (.epub) → parts, chapter by chapter in reading order, below the names of the table of contents.

EPUB 2 and 3 (W3C EPUB 3.3). Chapters are read as web pages are (`bot.knowledge.read_html`).
"""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree.ElementTree import Element

from bot.errors import UnreadableDocument
from bot.knowledge.read_html import links, read_html
from bot.knowledge.read_parts import Content, Heading, Part
from bot.knowledge.read_zip import Archive, below, first, resolved, value

_PAGES = frozenset({"application/xhtml+xml", "text/html"})


def read_epub(content: bytes) -> Content:
    """Parts of a book.

    Raises:
        UnreadableDocument: broken, protected, a bomb.
    """
    archive = Archive(content)
    container = archive.xml("META-INF/container.xml")
    where = value(next(container.iter("rootfile"), None), "full-path")
    package = archive.xml(where)
    items = {value(one, "id"): one for one in below(package, "manifest", "item")}
    locked = _locked(archive)
    names = _names(archive, where, items)
    parts: list[Part] = []
    chapter: tuple[Heading, ...] = ()
    for reference in below(package, "spine", "itemref"):
        item = items.get(value(reference, "idref"))
        name = resolved(where, value(item, "href"))
        if item is None or name not in archive or value(reference, "linear") == "no":
            continue
        if value(item, "media-type") not in _PAGES or "nav" in value(item, "properties").split():
            continue
        if name in locked:
            raise UnreadableDocument("it is protected against copying")
        page = _page(archive.read(name))
        chapter = _chapter(chapter, names.get(name, ""), page)
        parts += [Part((*chapter, *part.headings), part.text) for part in page]
    title = first(package, "metadata", "title")
    return Content(parts=parts, title=(title.text or "") if title is not None else "")


def _page(content: bytes) -> list[Part]:
    """Its parts without the empty ones; none if it holds a picture only."""
    parts = read_html(content).parts if content.strip() else ()
    return [part for part in parts if part.headings or part.text.strip()]


def _chapter(before: tuple[Heading, ...], name: str, page: list[Part]) -> tuple[Heading, ...]:
    """Below which chapter a page stands: its own name, unless its headings say it; none goes on with the one before."""
    own = next((part.headings[0][1] for part in page if part.headings), "")
    if not name:
        return () if own else before
    return () if own.casefold() == " ".join(name.split()).casefold() else ((0, " ".join(name.split())),)


def _names(archive: Archive, package: str, items: Mapping[str, Element]) -> dict[str, str]:
    """Member → its first name in the table of contents, of EPUB 3 or 2."""
    names: dict[str, str] = {}
    for item in items.values():
        name = resolved(package, value(item, "href"))
        if name not in archive:
            continue
        if "nav" in value(item, "properties").split():
            for target, label in links(archive.read(name)):
                names.setdefault(resolved(name, target), label)
        elif value(item, "media-type") == "application/x-dtbncx+xml":
            for point in archive.xml(name).iter("navPoint"):
                text = first(point, "navLabel", "text")
                target = value(first(point, "content"), "src")
                names.setdefault(resolved(name, target), (text.text or "") if text is not None else "")
    return names


def _locked(archive: Archive) -> frozenset[str]:
    """Members that are encrypted; fonts often are, in books that are not protected."""
    if "META-INF/encryption.xml" not in archive:
        return frozenset()
    references = archive.xml("META-INF/encryption.xml").iter("CipherReference")
    return frozenset(value(one, "URI").lstrip("/") for one in references)

"""A file → its text, in sections, by the format that its suffix names.

Runs in a process of its own (`bot.knowledge.reader`). Reading never runs or fetches anything, and what cannot be read
ends in `UnreadableDocument` with a line that the operator can act on. Nothing is cut into passages here. Each format
is a module `read_*` with one function from bytes to `Content`; it is imported when the first such file comes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

from bot.errors import UnreadableDocument
from bot.knowledge.document import Document
from bot.knowledge.formats import FORMATS_TEXT, format_of
from bot.knowledge.read_parts import Content, Heading, Part

MAX_BYTES = 100 * 1024 * 1024
"""A larger file is no document for people."""
MAX_TEXT_BYTES = 20 * 1024 * 1024
"""The same for a file that is text: it has no pictures to be large with. Twenty Bibles."""
MAX_CHARACTERS = 20_000_000
"""Of text in one document, however small its file: what a bomb unpacks to does not reach the index."""
MAX_URL_CHARS = 2000
"""What browsers and chats take; a longer one is none for people."""
PLACE_SEPARATOR = " › "

_PACKED = frozenset({"pdf", "docx", "pptx", "sheets", "epub"})


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file, to be read.

    Raises:
        UnreadableDocument: it is not there, may not be read, is no file, or is larger than `MAX_BYTES`.
    """
    try:
        if not path.is_file():
            raise UnreadableDocument("no such file" if not path.exists() else "not a regular file")
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise UnreadableDocument(f"larger than {MAX_BYTES // (1024 * 1024)} MB")
            yield file
    except OSError as error:
        raise UnreadableDocument(error.strerror or type(error).__name__) from error


def read_content(path: Path) -> bytes:
    """The content of a file.

    Raises:
        UnreadableDocument: see `opened`.
    """
    with opened(path) as file:
        # As much as there is, not "at most so much": that would take so much memory at once.
        return file.read(os.fstat(file.fileno()).st_size)


def parse_content(name: str, content: bytes) -> Document:
    """A document from the content of a file.

    Args:
        name: path as ingested; its suffix says the format. Becomes `Document.path`.
        content: at most `MAX_BYTES`.

    Raises:
        UnreadableDocument: unknown suffix, too large, broken, no encoding fits, or no text in it. Libraries may raise
            what they like besides.
    """
    form = format_of(name)
    if form is None:
        raise UnreadableDocument(f"{Path(name).suffix.lower() or 'no suffix'}: only {FORMATS_TEXT} can be read")
    if form not in _PACKED and len(content) > MAX_TEXT_BYTES:
        raise UnreadableDocument(f"larger than {MAX_TEXT_BYTES // (1024 * 1024)} MB, for a file of text")
    if not content.strip():
        raise UnreadableDocument("the file is empty")
    return _document(name, _content(form, name, content))


def _content(form: str, name: str, content: bytes) -> Content:
    suffix = Path(name).suffix.lower()
    match form:
        case "html":
            from bot.knowledge.read_html import read_html

            return read_html(content)
        case "pdf":
            from bot.knowledge.read_pdf import read_pdf

            return read_pdf(content)
        case "docx":
            from bot.knowledge.read_docx import read_docx

            return read_docx(content)
        case "pptx":
            from bot.knowledge.read_pptx import read_pptx

            return read_pptx(content)
        case "sheets":
            from bot.knowledge.read_sheets import read_sheets

            return read_sheets(content)
        case "epub":
            from bot.knowledge.read_epub import read_epub

            return read_epub(content)
        case "markdown":
            from bot.knowledge.read_markdown import read_markdown

            return read_markdown(content)
        case _:
            from bot.knowledge.read_text import read_code, read_csv, read_json, read_text

            readers = {"csv": read_csv, "json": read_json, "text": read_text}
            return readers[form](content) if form in readers else read_code(content, suffix)


def _document(name: str, content: Content) -> Document:
    """Title: its own, else the heading that leads all that follows, else the file's name."""
    own = " ".join(content.title.split())
    lead = _lead(content.parts, own)
    sections = tuple((place, text) for place, text in _sections(content.parts, lead) if text)
    if not sections:
        raise UnreadableDocument("there is no text in it")
    if sum(len(text) for _, text in sections) > MAX_CHARACTERS:
        raise UnreadableDocument(f"more than {MAX_CHARACTERS:,} characters of text")
    title = own or (lead[1] if lead else "") or Path(name).stem
    return Document(path=name, title=title, sections=sections, url=_web_address(content.url))


def _lead(parts: Sequence[Part], title: str) -> Heading | None:
    """The first heading, if all others stand below it, and it does not say more than the document's own title."""
    outermost = [part.headings[0] for part in parts if part.headings]
    if not outermost or any(heading != outermost[0] for heading in outermost):
        return None
    said, known = outermost[0][1].casefold(), title.casefold()
    return outermost[0] if not title or said in known or known in said else None


def _sections(parts: Sequence[Part], lead: Heading | None) -> Iterator[tuple[str, str]]:
    """(place, text); the lead is not repeated in each place, a heading without text is its text."""
    for index, part in enumerate(parts):
        following = parts[index + 1].headings if index + 1 < len(parts) else ()
        leads_on = following[: len(part.headings)] == part.headings
        text = re.sub(r"\n{3,}", "\n\n", part.text).strip("\n").rstrip()
        if not text.strip():
            text = part.headings[-1][1] if part.headings and not leads_on else ""
        place = PLACE_SEPARATOR.join(heading[1] for heading in part.headings if heading != lead)
        yield ", ".join(one for one in (place, part.spot) if one), text


def _web_address(url: str) -> str:
    """The URL if it leads to a page of the web, else nothing."""
    url = url.strip()
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    good = parts.scheme in ("http", "https") and parts.hostname and len(url) <= MAX_URL_CHARS
    return url if good and url.isprintable() and not re.search(r"[\s<>|\"]", url) else ""

"""A file → its text, in sections: Markdown, plain text and HTML.

Reading never runs or fetches anything, and what cannot be read ends in `UnreadableDocument` with a line that the
operator can act on. Nothing is cut into passages here. All work is done in threads; the functions that parse are
pure.
"""

from __future__ import annotations

import asyncio
import codecs
import re
from collections.abc import Iterator
from pathlib import Path

from bot.errors import UnreadableDocument
from bot.knowledge.document import Document
from bot.knowledge.read_html import html_sections

MAX_BYTES = 20 * 1024 * 1024
"""A file larger than this is no document for people; reading it would hold hundreds of MB."""
SUFFIXES = frozenset({".md", ".markdown", ".txt", ".html", ".htm"})
PLACE_SEPARATOR = " › "

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-{3,})[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n(?:---|\.\.\.)\n", re.DOTALL)
_FORBIDDEN_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")

Heading = tuple[int, str]
"""Level from 1, and text."""


async def read_bytes(path: Path) -> bytes:
    """The content of a file.

    Raises:
        UnreadableDocument: it is not there, may not be read, is no file, or is larger than `MAX_BYTES`.
    """
    return await asyncio.to_thread(read_content, path)


async def parse(name: str, content: bytes) -> Document:
    """A document from the content of a file, by the suffix of its name.

    Args:
        name: path as ingested; becomes `Document.path`.
        content: at most `MAX_BYTES`.

    Raises:
        UnreadableDocument: unknown suffix, binary content, no encoding fits, or no text in it.
    """
    return await asyncio.to_thread(parse_content, name, content)


async def read(path: Path, *, name: str) -> Document:
    """Both of the above.

    Raises:
        UnreadableDocument: see there.
    """
    return await parse(name, await read_bytes(path))


def parse_content(name: str, content: bytes) -> Document:
    """As `parse`, without a thread.

    Raises:
        UnreadableDocument: see `parse`.
    """
    suffix = Path(name).suffix.lower()
    if suffix not in SUFFIXES:
        raise UnreadableDocument(f"{suffix or 'no suffix'}: only {', '.join(sorted(SUFFIXES))} can be read")
    text = decode(content).replace("\r\n", "\n").replace("\r", "\n")
    if suffix in (".html", ".htm"):
        title, parts = html_sections(text)
    elif suffix == ".txt":
        title, parts = "", [((), text)]
    else:
        title, parts = "", list(_markdown_parts(_FRONT_MATTER.sub("", text)))
    sections = tuple(_sections(parts))
    if not any(body for _, body in sections):
        raise UnreadableDocument("there is no text in it")
    return _document(name, title, parts, sections)


def decode(content: bytes) -> str:
    """Text from bytes: by byte order mark, else UTF-8, else GB18030 (what Chinese Windows writes).

    Raises:
        UnreadableDocument: binary content, or neither fits.
    """
    if not content.strip():
        raise UnreadableDocument("the file is empty")
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            return _decoded(content[len(bom) :], encoding)
    try:
        return _decoded(content, "utf-8")
    except UnreadableDocument:
        return _decoded(content, "gb18030")


def _decoded(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableDocument("neither UTF-8, UTF-16 with a byte order mark, nor GB18030 text") from error
    if _FORBIDDEN_CONTROLS.search(text):
        raise UnreadableDocument("binary content, not text")
    return text


def read_content(path: Path) -> bytes:
    """As `read_bytes`, without a thread.

    Raises:
        UnreadableDocument: see `read_bytes`.
    """
    try:
        if not path.is_file():
            raise UnreadableDocument("no such file" if not path.exists() else "not a regular file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise UnreadableDocument(error.strerror or type(error).__name__) from error
    if len(content) > MAX_BYTES:
        raise UnreadableDocument(f"larger than {MAX_BYTES // (1024 * 1024)} MB")
    return content


def _document(
    name: str,
    title: str,
    parts: list[tuple[tuple[Heading, ...], str]],
    sections: tuple[tuple[str, str], ...],
) -> Document:
    """Title: of the page, else the first heading if it leads all that follows, else the file's name."""
    first = next((headings[0] for headings, _ in parts if headings), None)
    title = title or (first[1] if first else "") or Path(name).stem
    return Document(path=name, title=" ".join(title.split()), sections=tuple((p, b) for p, b in sections if b))


def _sections(parts: list[tuple[tuple[Heading, ...], str]]) -> Iterator[tuple[str, str]]:
    """(place, text); the title's own heading is not repeated in each place, a heading without text is its text."""
    first = next((headings[0] for headings, _ in parts if headings), None)
    for index, (headings, body) in enumerate(parts):
        following = parts[index + 1][0] if index + 1 < len(parts) else ()
        leads_on = len(following) > len(headings) and following[: len(headings)] == headings
        text = body.strip("\n").rstrip()
        if not text.strip():
            text = headings[-1][1] if headings and not leads_on else ""
        yield PLACE_SEPARATOR.join(heading for level, heading in headings if (level, heading) != first), text


def _markdown_parts(text: str) -> Iterator[tuple[tuple[Heading, ...], str]]:
    """(headings that lead here, text below them). A `#` inside a fenced block is no heading."""
    trail: list[Heading] = []
    body: list[str] = []
    fence = ""
    for line in text.split("\n"):
        heading = None if fence else _heading(line, body)
        fence = _fence_after(line, fence)
        if heading is None:
            body.append(line)
            continue
        yield tuple(trail), "\n".join(body)
        body = []
        trail = [*(one for one in trail if one[0] < heading[0]), heading]
    yield tuple(trail), "\n".join(body)


def _heading(line: str, body: list[str]) -> Heading | None:
    """`# Heading`, or a line underlined by `===` or `---`, which is then taken off the body."""
    match = _HEADING.match(line)
    if match:
        return len(match[1]), match[2]
    match = _UNDERLINE.match(line)
    # An underline makes a heading of a one-line paragraph only; below anything else it is a rule or a table's border.
    alone = body and body[-1].strip() and (len(body) == 1 or not body[-2].strip())
    if match and alone and not re.match(r"\s*([-*+>|]|\d+[.)])", body[-1]):
        return (1 if match[1].startswith("=") else 2), body.pop().strip()
    return None


def _fence_after(line: str, fence: str) -> str:
    """The fence that is open after this line; empty outside."""
    match = _FENCE.match(line)
    if not fence:
        return match[1] if match else ""
    closes = match and match[1].startswith(fence) and not line.strip().strip(fence[0])
    return "" if closes else fence

"""What Office files and e-books are made of: XML inside a ZIP archive, opened with bounds.

Both can be bombs. Of an archive only the members asked for are unpacked, each and all together within a bound, and
what an archive holds inside another one is never opened. XML is read with entities undefined: a document type that
declares any is refused (expat itself expands them), and nothing is ever fetched. Trees are those of the standard
library; lxml would be 12 MB for the same.
"""

from __future__ import annotations

import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Final
from urllib.parse import unquote
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from bot.errors import UnreadableDocument

MAX_MEMBERS: Final = 20_000
MAX_MEMBER_BYTES: Final = 64 * 1024 * 1024
MAX_TOTAL_BYTES: Final = 256 * 1024 * 1024
"""Of all that is unpacked of one archive; a book of text has a hundredth."""
MAX_DEPTH: Final = 300
"""Of elements in each other; Office writes at most some dozens."""
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, KeyError, ValueError)


class Archive:
    """A ZIP archive in memory.

    Args:
        content: of the file.

    Raises:
        UnreadableDocument: no archive, or one with too many members.
    """

    def __init__(self, content: bytes) -> None:
        if content.startswith(b"\xd0\xcf\x11\xe0"):
            raise UnreadableDocument("it asks for a password, or is of an Office before 2007")
        try:
            self._zip = zipfile.ZipFile(BytesIO(content))
        except _BROKEN as error:
            raise UnreadableDocument("broken, or not what its name says") from error
        self._names = {_key(name): name for name in self._zip.namelist()}
        if len(self._names) > MAX_MEMBERS:
            raise UnreadableDocument(f"more than {MAX_MEMBERS:,} files are packed in it")
        self._left = MAX_TOTAL_BYTES

    def __contains__(self, name: str | None) -> bool:
        return name is not None and _key(name) in self._names

    def read(self, name: str) -> bytes:
        """A member, unpacked.

        Raises:
            UnreadableDocument: it is not there, is broken, has a password, or is too large.
        """
        most = min(self._left, MAX_MEMBER_BYTES)
        try:
            with self._zip.open(self._names[_key(name)]) as member:
                data = member.read(most + 1)
        except KeyError as error:
            raise UnreadableDocument("broken, or not what its name says") from error
        except RuntimeError as error:
            raise UnreadableDocument("it asks for a password") from error
        except _BROKEN as error:
            raise UnreadableDocument("broken: its parts cannot be unpacked") from error
        if len(data) > most:
            raise UnreadableDocument("its parts are too large, unpacked")
        self._left -= len(data)
        return data

    def xml(self, name: str) -> Element:
        """The root element of a member.

        Raises:
            UnreadableDocument: see `read`; or it is no XML, or declares entities.
        """
        return parse_xml(self.read(name))

    def related(self, name: str) -> dict[str, tuple[str, str]]:
        """What a member of an Office file refers to: id → (kind, name of the member); the web is left out.

        Raises:
            UnreadableDocument: see `xml`.
        """
        folder, _, base = name.rpartition("/")
        where = posixpath.join(folder, "_rels", base + ".rels")
        if where not in self:
            return {}
        return {
            one.get("Id", ""): (one.get("Type", "").rpartition("/")[2], resolved(name, one.get("Target", "")))
            for one in self.xml(where)
            if one.get("TargetMode") != "External"
        }


def resolved(name: str, target: str) -> str:
    """The member that `target` means inside the member `name`; a leading slash is the top of the archive."""
    target = unquote(target.partition("#")[0])
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), target)).lstrip("/")


def parse_xml(data: bytes, row: Callable[[Element], None] | None = None) -> Element:
    """The root element; names are without their namespaces, but for `r:id` and the like, which refer to members.

    Args:
        data: of the member.
        row: called with each element `row` when it is whole, which is then emptied: sheets are large.

    Raises:
        UnreadableDocument: no XML, too deep, or its document type declares entities.
    """
    builder = TreeBuilder()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    depth = 0

    def _start(name: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise UnreadableDocument("it is nested too deeply")
        builder.start(_local(name), {_attribute(key): one for key, one in attributes.items()})

    def _end(name: str) -> None:
        nonlocal depth
        depth -= 1
        element = builder.end(_local(name))
        if row and element.tag == "row":
            row(element)
            element.clear()

    def _entity(*_: object) -> None:
        raise UnreadableDocument("its XML declares entities, which no program that writes documents does")

    parser.StartElementHandler = _start
    parser.EndElementHandler = _end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = _entity
    try:
        parser.Parse(data, True)
    except (expat.ExpatError, LookupError) as error:  # the latter: an encoding that nobody knows
        raise UnreadableDocument("broken: its XML cannot be read") from error
    return builder.close()


def below(element: Element, *path: str) -> Iterator[Element]:
    """Descendants along a path of names, in order."""
    if not path:
        yield element
        return
    for child in element:
        if child.tag == path[0]:
            yield from below(child, *path[1:])


def first(element: Element, *path: str) -> Element | None:
    """The first descendant along a path of names."""
    return next(below(element, *path), None)


def value(element: Element | None, name: str = "val") -> str:
    """An attribute; empty if there is none, or no element."""
    return element.get(name, "") if element is not None else ""


def core_title(archive: Archive) -> str:
    """The title in the properties of an Office file, if somebody gave it one.

    Raises:
        UnreadableDocument: the properties are there and broken.
    """
    if "docProps/core.xml" not in archive:
        return ""
    title = first(archive.xml("docProps/core.xml"), "title")
    text = (title.text or "").strip() if title is not None else ""
    made_by_a_program = re.fullmatch(
        r"(?i)(microsoft |presentation$|powerpoint|untitled|document\d*$|.*\.\w{3,4}$).*", text
    )
    return "" if made_by_a_program else text


def _key(name: str) -> str:
    """Names of members are compared without case (ECMA-376 part 2), and some programs write backslashes."""
    return name.replace("\\", "/").casefold()


def _local(name: str) -> str:
    return name.rpartition(" ")[2]


def _attribute(name: str) -> str:
    return ("r:" if "/relationships " in name else "") + _local(name)

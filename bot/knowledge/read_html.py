"""HTML → parts. What is not for reading (scripts, styles, navigation, forms, hidden parts) is left out.

Pure: nothing is fetched, run or resolved. Paragraphs, list items, table rows and code blocks become lines of plain
text that `bot.knowledge.split` understands.
"""

from __future__ import annotations

import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser, LexborNode

from bot.knowledge.read_encoding import decode
from bot.knowledge.read_parts import Content, Writer, fenced, table

_DROPPED = (
    "script, style, noscript, template, nav, svg, iframe, object, button, select, input, textarea, head, [hidden], "
    "[aria-hidden=true], [role=navigation], [role=doc-toc], .toc, .navheader, .navfooter, body > footer"
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    {"address", "article", "aside", "body", "caption", "dd", "div", "dt", "fieldset", "figcaption", "footer", "form"}
    | {"header", "hr", "html", "main", "section", "summary", "tbody", "td", "tfoot", "th", "thead", "tr"}
)
_PARAGRAPHS = frozenset({"p", "ul", "ol", "dl", "table", "blockquote", "figure", "pre", "details"})
_NO_CELL = "pre, h1, h2, h3, h4, h5, h6"
"""A table that holds these, or another table, lays out a page."""
_MAX_SPAN: Final = 100
MAX_DEPTH: Final = 150
"""Nesting beyond it is flattened: each level takes three frames, and Python's stack ends at 1,000."""
_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]+)|<\?xml[^>]{0,100}?encoding=[\"']([\w.:-]+)")
_CODE_MARK = "\ue000"
"""Begins every line of code while the blanks of prose are trimmed; a private character, in no real text."""


def read_html(content: bytes) -> Content:
    """Parts of a page, its title, and its address if it names one (`canonical`, `og:url`). Any text is accepted.

    Raises:
        UnreadableDocument: not text.
    """
    tree = _tree(content)
    title = tree.css_first("title")
    head = " ".join(title.text().split()) if title is not None else ""
    url = _attribute(tree, "link[rel=canonical]", "href") or _attribute(tree, 'meta[property="og:url"]', "content")
    for node in tree.css(_DROPPED):
        node.decompose()
    walk = _Walk()
    root = tree.css_first("main") or tree.body
    if root is not None:
        walk.children(root, 0)
    return Content(parts=walk.finished().finished(), title=head, url=url)


def links(content: bytes) -> list[tuple[str, str]]:
    """(address as it is written, text) of each link of a page, in order.

    Raises:
        UnreadableDocument: not text.
    """
    return [(node.attributes.get("href") or "", _inline(node)) for node in _tree(content).css("a[href]")]


def _tree(content: bytes) -> LexborHTMLParser:
    declared = _CHARSET.search(content[:4096])
    name = next((group for group in declared.groups() if group), b"") if declared else b""
    return LexborHTMLParser(decode(content, name.decode("ascii", "ignore")).replace(_CODE_MARK, ""))


def _attribute(tree: LexborHTMLParser, selector: str, name: str) -> str:
    node = tree.css_first(selector)
    return (node.attributes.get(name) or "") if node is not None else ""


class _Walk:
    """Writes the text of a tree below its headings."""

    def __init__(self) -> None:
        self._writer = Writer()
        self._text: list[str] = []

    def finished(self) -> Writer:
        self._flush()
        return self._writer

    def children(self, node: LexborNode, depth: int) -> None:
        """Write a node's children, each in the way of its tag."""
        child = node.child
        while child is not None:
            self._write(child, depth + 1)
            child = child.next

    def _write(self, node: LexborNode, depth: int) -> None:
        tag = node.tag or ""
        if depth > MAX_DEPTH:
            self._text.append(f" {_inline(node)} ")
        elif tag == "-text":
            self._text.append(re.sub(r"\s+", " ", node.text_content or ""))
        elif tag in _HEADINGS:
            self._flush()
            self._writer.head(_HEADINGS[tag], _inline(node))
        elif tag == "pre":
            code = fenced(node.text()) if node.text().strip() else ""
            self._text.append("\n\n" + "".join(f"{_CODE_MARK}{line}\n" for line in code.split("\n")) + "\n")
        elif tag == "li":
            self._text.append("\n- ")
            self.children(node, depth)
        elif tag == "br":
            self._text.append("\n")
        elif tag == "table" and len(node.css("table")) == 1 and node.css_first(_NO_CELL) is None:
            self._table(node)
        else:
            edge = "\n\n" if tag in _PARAGRAPHS else "\n" if tag in _BLOCKS else ""
            self._text.append(edge)
            self.children(node, depth)
            self._text.append(edge)

    def _table(self, node: LexborNode) -> None:
        caption = node.css_first("caption")
        rows = table(_rows(node))
        self._text.append(f"\n\n{_inline(caption)}\n\n" if caption is not None else "\n\n")
        self._text.append("".join(f"{_CODE_MARK}{line}\n" for line in rows.split("\n")) + "\n")

    def _flush(self) -> None:
        lines = (line if line.startswith(_CODE_MARK) else line.strip(" \t") for line in "".join(self._text).split("\n"))
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")
        text = re.sub(r"(?m)^-\n+(?=[^\n-])", "- ", text)  # a list item that holds a paragraph
        self._writer.write(text.replace(_CODE_MARK, ""))
        self._text = []


def _rows(node: LexborNode) -> list[list[str]]:
    """Cells of a table; one that reaches over several rows is said in each, over several columns in the first."""
    rows: list[list[str]] = []
    from_above: dict[int, tuple[int, str]] = {}
    for row in node.css("tr"):
        cells: list[str] = []

        def fill() -> None:
            while (above := from_above.pop(len(cells), None)) is not None:  # noqa: B023  (called in this turn only)
                if above[0] > 1:
                    from_above[len(cells)] = (above[0] - 1, above[1])  # noqa: B023
                cells.append(above[1])  # noqa: B023

        for cell in row.css("td, th"):
            fill()
            text, wide = _inline(cell), _span(cell, "colspan")
            for column in range(len(cells), len(cells) + wide):
                if (high := _span(cell, "rowspan")) > 1:
                    from_above[column] = (high - 1, text if column == len(cells) else "")
            cells += [text] + [""] * (wide - 1)
        fill()
        rows.append(cells)
    return rows


def _span(cell: LexborNode, name: str) -> int:
    value = cell.attributes.get(name) or ""
    return min(int(value), _MAX_SPAN) if re.fullmatch(r"[1-9]\d{0,3}", value) else 1


def _inline(node: LexborNode) -> str:
    return " ".join(node.text(separator=" ").split())

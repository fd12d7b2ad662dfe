"""HTML → headings and text. What is not for reading (scripts, styles, navigation, forms, hidden parts) is left out.

Pure: nothing is fetched, run or resolved. Paragraphs, list items, table rows and code blocks become lines of plain
text that `bot.knowledge.split` understands.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

Part = tuple[tuple[tuple[int, str], ...], str]
"""(headings that lead here as (level, text), text below them)"""

_DROPPED = (
    "script, style, noscript, template, nav, svg, iframe, object, button, select, input, textarea, head, [hidden]"
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BLOCKS = frozenset(
    {"address", "article", "aside", "body", "caption", "dd", "div", "dt", "fieldset", "figcaption", "footer", "form"}
    | {"header", "hr", "html", "main", "section", "summary", "tbody", "tfoot", "thead"}
)
_PARAGRAPHS = frozenset({"p", "ul", "ol", "dl", "table", "blockquote", "figure", "pre", "details"})
MAX_DEPTH = 150
"""Nesting beyond it is flattened: each level takes three frames, and Python's stack ends at 1,000."""


def html_sections(text: str) -> tuple[str, list[Part]]:
    """Title (of the `title` element, may be empty) and parts, in order. Any text is accepted."""
    tree = LexborHTMLParser(text)
    head_title = tree.css_first("title")
    title = " ".join(head_title.text().split()) if head_title is not None else ""
    for node in tree.css(_DROPPED):
        node.decompose()
    writer = _Writer()
    root = tree.css_first("main") or tree.body
    if root is not None:
        writer.walk(root, 0)
    return title, writer.finished()


class _Writer:
    """Collects the text of a tree below its headings."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._trail: list[tuple[int, str]] = []
        self._body: list[str] = []

    def finished(self) -> list[Part]:
        """All parts; the last one is closed."""
        self._close()
        return self._parts

    def walk(self, node: LexborNode, depth: int) -> None:
        """Write a node's children, each in the way of its tag."""
        child = node.child
        while child is not None:
            self._write(child, depth + 1)
            child = child.next

    def _write(self, node: LexborNode, depth: int) -> None:
        tag = node.tag or ""
        if depth > MAX_DEPTH:
            self._body.append(f" {_inline(node)} ")
        elif tag == "-text":
            self._body.append(re.sub(r"\s+", " ", node.text_content or ""))
        elif tag in _HEADINGS:
            self._head(_HEADINGS[tag], _inline(node))
        elif tag == "pre":
            self._body.append("\n\n```\n" + node.text().strip("\n") + "\n```\n\n")
        elif tag == "li":
            self._body.append("\n- ")
            self.walk(node, depth)
        elif tag == "br":
            self._body.append("\n")
        elif tag == "tr":
            self._row(node)
        else:
            self._block(node, tag, depth)

    def _block(self, node: LexborNode, tag: str, depth: int) -> None:
        edge = "\n\n" if tag in _PARAGRAPHS else "\n" if tag in _BLOCKS else ""
        self._body.append(edge)
        self.walk(node, depth)
        self._body.append(edge)

    def _row(self, node: LexborNode) -> None:
        cells = [_inline(cell) for cell in node.css("td, th")]
        self._body.append("\n| " + " | ".join(cells) + " |\n")

    def _head(self, level: int, text: str) -> None:
        if not text:
            return
        self._close()
        self._trail = [*(one for one in self._trail if one[0] < level), (level, text)]

    def _close(self) -> None:
        lines = (re.sub(r"^[ \t]+|[ \t]+$", "", line) for line in _outside_code("".join(self._body)))
        text = re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()
        # Rows stand one below the other, or they would be as many tables.
        text = re.sub(r"(?<=\|)\n\n(?=\|)", "\n", text)
        text = re.sub(r"(?m)^-\n+(?=[^\n-])", "- ", text)  # a list item that holds a paragraph
        self._parts.append((tuple(self._trail), text.replace(_INDENT, " ")))
        self._body = []


_INDENT = "\ue000"
"""Stands for a blank of code while the blanks of prose are trimmed; a private character, in no real text."""


def _outside_code(text: str) -> list[str]:
    lines: list[str] = []
    for index, part in enumerate(text.split("```")):
        kept = part.replace(" ", _INDENT) if index % 2 else part
        lines.append(kept)
    return "```".join(lines).split("\n")


def _inline(node: LexborNode) -> str:
    return " ".join(node.text(separator=" ").split())

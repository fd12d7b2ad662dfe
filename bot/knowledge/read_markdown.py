"""Markdown → parts below its headings; the text itself stays as it is written."""

from __future__ import annotations

import re

from bot.knowledge.read_encoding import decode
from bot.knowledge.read_parts import Content, Heading, Writer

_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t](.*)")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-{3,})[ \t]*$")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_FRONT_MATTER = re.compile(r"\A---\n(.*?\n)(?:---|\.\.\.)\n", re.DOTALL)
_FIELD = re.compile(r"(?m)^(title|url|source):(.*)$")


def read_markdown(content: bytes) -> Content:
    """Parts of a Markdown file; `title`, and `url` or `source` of its front matter are taken over.

    Raises:
        UnreadableDocument: not text.
    """
    text = decode(content)
    front = _FRONT_MATTER.match(text)
    fields = {name: _unquoted(value.strip()) for name, value in _FIELD.findall(front[1])} if front else {}
    writer = Writer()
    body: list[str] = []
    fence = ""
    for line in text[front.end() if front else 0 :].split("\n"):
        heading = None if fence else _heading(line, body)
        fence = _fence_after(line, fence)
        if heading is None:
            body.append(line)
            continue
        writer.write("\n".join(body))
        body = []
        writer.head(*heading)
    writer.write("\n".join(body))
    url = fields.get("url") or fields.get("source", "")
    return Content(parts=writer.finished(), title=fields.get("title", ""), url=url)


def _unquoted(value: str) -> str:
    quoted = re.fullmatch(r"([\"'])(.*)\1", value)
    return quoted[2] if quoted else value


def _heading(line: str, body: list[str]) -> Heading | None:
    """`# Heading`, or a line underlined by `===` or `---`, which is then taken off the body."""
    match = _HEADING.match(line)
    if match:
        text = match[2].strip()
        open_end = text.rstrip("#")
        return len(match[1]), open_end if open_end[-1:] in ("", " ", "\t") else text
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

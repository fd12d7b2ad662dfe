"""What of a text is live where it is shown: links, pictures, mentions, commands. Read from the finished form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser

import pyromark

from bot.message import Part

CALLS = re.compile(r"(?<![\w.])@[A-Za-z]\w+|(?<![\w/<>.:~@-])/[A-Za-z]\w*(?![\w/.])")
"""An @name or a /command, as the chat apps find them."""
ADDRESSES = re.compile(
    r"[A-Za-z][\w+.-]*://[^\s`]+|\bwww\.\w|(?<![\w@.-])(?:[A-Za-z0-9-]+\.)+(?:example|com|me|org)\b(?!@\w)",
    re.IGNORECASE,
)
"""What chat apps make links of by themselves."""
_SLACK_CALLS = re.compile(
    r"<(?:@[UWB]|#[CGD]|!(?:here|channel|everyone|subteam|date)\b)|(?<![\w.+-])@(?:here|channel|everyone)\b",
    re.IGNORECASE,
)


class _Live(HTMLParser):
    """Collects what is live in HTML; text is looked at outside of code and links."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._quiet = 0
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Links give their address, pictures and whatever Markdown does not make give themselves."""
        if tag == "a":
            self.found.append(dict(attrs).get("href") or "")
        elif tag not in _OF_MARKDOWN:
            self.found.append(f"<{tag}>")
        if tag in ("a", "code"):
            self._quiet += 1

    def handle_endtag(self, tag: str) -> None:
        """Code and links end."""
        if tag in ("a", "code"):
            self._quiet -= 1

    def handle_data(self, data: str) -> None:
        """Words; what is in code or in a link parts them."""
        self._text.append("\n" if self._quiet else data)

    def all(self) -> list[str]:
        """What is live."""
        text = "".join(self._text)
        return [*self.found, *(match[0] for match in ADDRESSES.finditer(text))]


_OF_MARKDOWN = frozenset({"p", "em", "strong", "del", "code", "pre", "ul", "ol", "li", "blockquote", "hr", "br"})
_OF_MARKDOWN |= {"table", "thead", "tbody", "tr", "th", "td"}
_OF_MARKDOWN |= {f"h{level}" for level in range(1, 7)}


def live_in_markdown(markdown: str) -> list[str]:
    """What a CommonMark renderer would make live, and one that makes links of bare addresses too."""
    options = pyromark.Options.ENABLE_TABLES | pyromark.Options.ENABLE_STRIKETHROUGH
    parser = _Live()
    parser.feed(pyromark.html(markdown, options=options))
    parser.close()
    return parser.all()


def live_in_telegram(parts: Iterable[Part]) -> list[str]:
    """What Telegram would make live: links by entity, and what it finds in bare text."""
    found: list[str] = []
    for part in parts:
        quiet: set[int] = set()
        for entity in part.entities:
            offset, length = int(str(entity["offset"])), int(str(entity["length"]))
            if entity["type"] == "text_link":
                found.append(str(entity["url"]))
            elif entity["type"] in ("text_mention", "custom_emoji", "mention", "url", "date_time"):
                found.append(str(entity["type"]))
            if entity["type"] in ("text_link", "code", "pre"):
                quiet.update(range(offset, offset + length))
        for match in (*ADDRESSES.finditer(part.text), *re.finditer(r"(?<!\w)@[A-Za-z]\w+", part.text)):
            start = len(part.text[: match.start()].encode("utf-16-le")) // 2
            if quiet.isdisjoint(range(start, start + len(match[0]))):
                found.append(match[0])
    return found


def live_in_slack(parts: Iterable[Part]) -> list[str]:
    """Slack's control sequences and words that call everybody; `markdown_text` itself is CommonMark."""
    return [found for part in parts for found in (*_SLACK_CALLS.findall(part.text), *live_in_markdown(part.text))]


def beyond(found: Sequence[str], allowed: Iterable[str]) -> list[str]:
    """What is live and was not allowed; a last slash aside."""
    good = {address.rstrip("/") for address in allowed}
    return [address for address in found if address.rstrip("/") not in good]

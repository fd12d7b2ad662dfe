"""Web addresses in text: where they stand, and which of them the documents know. Pure.

What a link carries goes to whoever owns its host, so an address put together by a model can take a person's words
along (`https://evil.example/?q=…`), also to a host that a document names. Known is therefore the whole address as it
stands in a text that was given, or a beginning of it that ends at a `/`, `?` or `#`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_NOT_IN_HOST = r"""\s/?#<>"'`()\[\]{}|\\，。；：！？、（）《》「」『』【】“”‘’…"""
_PATH = r"(?:[/?#][!#-;=?-\[\]-_a-z{-~]*+)?"
"""ASCII alone: Chinese text goes on right behind an address, without a space."""
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_TOP = r"(?:[a-z]{2}|[A-Z]{2}|xn--)[A-Za-z0-9_.-]{0,100}+(?!@[A-Za-z0-9-]{1,63}\.[A-Za-z0-9])"
"""Anything like a top-level domain, for there are some 1,500; `Word.Word` is a missing space. Not a mailbox's name."""

_LONGEST = 2000
"""Characters of an address that may become a link; browsers and chat apps cut longer ones."""

ADDRESS = re.compile(
    rf"(?<![A-Za-z0-9+.-])[A-Za-z0-9+.-]++://[^{_NOT_IN_HOST}]*+{_PATH}"
    rf"|(?i:www\.)[A-Za-z0-9_.-]++{_PATH}"
    rf"|(?<![A-Za-z0-9@])(?:[A-Za-z0-9._~-]{{0,60}}/){{0,12}}?"
    rf"(?:{_LABEL}\.){{1,12}}{_TOP}(?::\d{{1,5}}\b)?{_PATH}"
)
"""With any scheme, or a bare host (`bank.example/fees`), which chat apps make links of too. File names such as
`docs/README.md` count: they look the same. A match may end in punctuation of the sentence: see `trimmed`."""


def trimmed(address: str) -> str:
    """The address without the sentence's punctuation, emphasis or closing brackets at its end."""
    while True:
        shorter = address.rstrip(".,;:!?'*_~|")
        for opening, closing in ("()", "[]", "{}"):
            if shorter.endswith(closing) and shorter.count(closing) > shorter.count(opening):
                shorter = shorter[:-1]
        if shorter == address:
            return address
        address = shorter


def has_scheme(address: str) -> bool:
    """Whether it begins with `http://`, `https://` or another scheme."""
    return re.match(r"[A-Za-z0-9+.-]+://", address) is not None


def host_of(address: str) -> str:
    """The host with its port, in lower case; with what stands before an `@`, if anything does."""
    return re.split(r"[/?#]", _without_scheme(address), maxsplit=1)[0].lower()


def known_addresses(texts: Iterable[str]) -> frozenset[str]:
    """All that `is_known` needs to know of the texts that were given."""
    known: set[str] = set()
    for text in texts:
        # No address has a space in it; words without a dot or a scheme need no closer look.
        words = (word for word in text.split() if "." in word or "://" in word)
        for match in (match for word in words for match in ADDRESS.finditer(word)):
            key = _key(trimmed(match[0]))
            if len(key) > _LONGEST:
                continue
            known.update(key[: end.start()].rstrip("/") for end in re.finditer(r"[/?#]|\Z", key))
    return frozenset(known)


def is_known(address: str, known: frozenset[str]) -> bool:
    """Whether a web address stands in the texts given, whole or by its beginning, the scheme and a last `/` aside.

    An address with a name before its host (`https://bank.example@evil.example`) never counts: it is made to mislead.
    """
    if has_scheme(address) and not address.lower().startswith(("http://", "https://")):
        return False
    return "@" not in host_of(address) and _key(address) in known


def _without_scheme(address: str) -> str:
    return address.partition("://")[2] if has_scheme(address) else address


def _key(address: str) -> str:
    host = host_of(address)
    return (host + _without_scheme(address)[len(host) :]).rstrip("/")

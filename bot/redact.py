"""Takes secrets out of text that somebody will read: log lines, errors, problems of the configuration.

Two nets: the secrets we were given, word by word, and whatever has the shape of one, so that a token nobody
declared does not slip through either. It does not find secrets without a shape that it was never told of.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from urllib.parse import parse_qsl, quote, urlsplit

HIDDEN = "[hidden]"

_SHAPES = re.compile(
    r"\d{5,}(?::|%3[Aa])[\w-]{30,}"  # Telegram bot token; 35 characters today, Telegram fixes no length
    r"|xox[a-z](?:\.[a-z]+)?-[\w-]{6,}|xapp-[\w-]{6,}"  # Slack tokens
    r"|(?<![A-Za-z0-9])sk-[\w-]{4,}"  # keys of OpenAI and of servers that copy its shape
    r"|(?<=[Bb]earer )[\w.~+/=-]{8,}"
)
_PASSWORD = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*://)(?!user:password@host:port(?![^\s/'\"]*@))[^\s/'\"]*@", re.IGNORECASE
)
"""The part of a URL before `@`: user and password of a Redis, a proxy or a private model server. Our own example of
one, which is no address, is left readable."""

MIN_SECRET_CHARS = 4
"""Shorter known secrets are not searched for: they would blank ordinary words. Nothing real is that short."""


def looks_secret(text: str) -> bool:
    """The text holds something with the shape of a token, or a URL with a password."""
    return _SHAPES.search(text) is not None or has_password(text)


def has_password(url: str) -> bool:
    """The URL carries a user or a password."""
    return _PASSWORD.search(url) is not None


def passwords(url: str) -> tuple[str, ...]:
    """Those of an address: before its `@`, and in options behind its `?` (`password`, `sentinel_password`)."""
    parts = urlsplit(url)
    options = (value for name, value in parse_qsl(parts.query) if name.endswith("password"))
    return tuple(filter(None, (parts.password, *options)))


class Redactor:
    """Replaces secrets in texts by `[hidden]`; the text is otherwise unchanged."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        spellings: set[str] = set()
        for secret in secrets:
            if len(secret) >= MIN_SECRET_CHARS:
                # As written, as a URL carries it, and as JSON or repr would escape it.
                escaped = {json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}
                spellings |= {secret, quote(secret, safe=""), repr(secret)[1:-1]} | escaped
        # Longest first: a secret that contains another must go as a whole.
        ordered = sorted(spellings, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def __call__(self, text: str) -> str:
        """The text without secrets; running it twice changes nothing more."""
        if self._known is not None:
            text = self._known.sub(HIDDEN, text)
        text = _SHAPES.sub(HIDDEN, text)
        return _PASSWORD.sub(rf"\g<scheme>{HIDDEN}@", text)

"""Slack's own markup of a message's text, read as what the person saw.

Pure. Slack escapes `&`, `<` and `>` and writes mentions, links and specials between angle brackets; the person typed
`@ana` or a bare address, and that is what the core gets. Bold and code marks stay as they are: they are plain
characters that people type.
"""

from __future__ import annotations

import re

_CONTROL = re.compile(r"<([^<>]+)>")
_ENTITY = re.compile(r"&(amp|lt|gt);")
_ENTITIES = {"amp": "&", "lt": "<", "gt": ">"}
_OTHERS = re.compile(r"<(?:@([UW][A-Z0-9]*)|!(?:subteam|here|channel|everyone|group)\b)")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def mentions(text: str, user: str) -> bool:
    """Whether the text names this user."""
    return _mention_of(user).search(text) is not None


def addresses_others(text: str, me: str) -> bool:
    """Whether the text names a person other than us, a group of people, or everybody."""
    return any(match[1] != me for match in _OTHERS.finditer(text))


def readable(text: str, me: str) -> str:
    """The person's words: without our own mention, everything else as they saw it.

    Lone surrogates, which JSON lets through, become replacement characters: nothing behind us could store them.
    """
    return _LONE_SURROGATE.sub("\ufffd", _unescaped(_without_mention(text, me))).strip()


def _mention_of(user: str) -> re.Pattern[str]:
    return re.compile(rf"<@{re.escape(user)}(?:\|[^<>]*)?>")


def _without_mention(text: str, me: str) -> str:
    mention = _mention_of(me).pattern
    # At the start it is an address ("@bot: how …"); its colon or comma goes with it.
    text = re.sub(rf"\A(?:\s*{mention}[\s,:，：]*)+", "", text)
    # By pieces, not with the blanks in the pattern: a screenful of blanks would be scanned once per blank.
    *before, last = re.split(mention, text)
    return "".join([*(piece.rstrip(" \t") for piece in before), last])


def _unescaped(text: str) -> str:
    pieces = []
    end = 0
    for match in _CONTROL.finditer(text):
        pieces += [_entities(text[end : match.start()]), _entities(_control(match[1]))]
        end = match.end()
    return "".join([*pieces, _entities(text[end:])])


def _entities(text: str) -> str:
    return _ENTITY.sub(lambda match: _ENTITIES[match[1]], text)


def _control(inner: str) -> str:
    body, _, label = inner.partition("|")
    if body[:1] in {"@", "#"}:
        return body[0] + (label or body[1:])
    if body[:1] == "!":
        return _special(body[1:], label)
    return _link(body, label)


def _special(body: str, label: str) -> str:
    if label:
        return label if body.startswith("date^") else "@" + label.removeprefix("@")
    return "@" + (body.removeprefix("subteam^"))


def _link(url: str, label: str) -> str:
    # Slack turns a typed `example.com` into a link with that label: the person wrote only the label.
    bare = re.sub(r"\A(?:https?://|mailto:|tel:)", "", url)
    if not label:
        return bare if url.startswith(("mailto:", "tel:")) else url
    return label if label.rstrip("/") in {url.rstrip("/"), bare.rstrip("/")} else f"{label} ({url})"

"""What a person wrote: text or caption without the mention of the bot, and the command in it, if any.

Pure. Entities that do not fit the text are passed over; broken surrogates become U+FFFD, so that whatever is
returned can be stored as UTF-8.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_MOST_ENTITIES = 100
"""Telegram keeps no more of a message (https://core.telegram.org/api/entities)."""
_BLANK = (" ", "\t", "\n", "\u00a0", "\u3000")
_LEFT_BY_MENTION = re.compile(r"^[\s,:;，：；、]+")
_COMMAND = re.compile(r"/([^\s@/]+)(?:@(\w+))?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A command as written.

    Attributes:
        name: lower case, without slash and `@bot`.
        addressee: the bot it names, lower case; None if it names none.
        argument: the words after it.
    """

    name: str
    addressee: str | None
    argument: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A person's words.

    Attributes:
        text: without the mention of the bot, stripped; of a command, its name and argument.
        mentioned: the bot was mentioned, by an entity.
        command: at the start, or right after the mention.
    """

    text: str = ""
    mentioned: bool = False
    command: Span | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entity:
    """An entity that fits its text; `start` and `end` in bytes of UTF-16."""

    kind: str
    start: int
    end: int
    text: str
    user: object


def read_words(message: Mapping[str, object], my_id: int, my_username: str) -> Words | None:
    """The words of a message; None if it has neither text nor caption."""
    for name, entities in (("text", "entities"), ("caption", "caption_entities")):
        text = message.get(name)
        if isinstance(text, str):
            return _read(text, message.get(entities), my_id, my_username.lower())
        if text is not None:
            # Somebody wrote, and what they wrote cannot be read: they are told so.
            return Words()
    return None


def _read(text: str, entities: object, my_id: int, my_username: str) -> Words:
    raw = text.encode("utf-16-le", "surrogatepass")
    known = list(_entities(raw, entities))
    mentions = [entity for entity in known if _mentions_us(entity, my_id, my_username)]
    command = next((entity for entity in known if entity.kind == "bot_command"), None)
    if command is not None and _opens(raw, command, mentions):
        later = [mention for mention in mentions if mention.start >= command.end]
        span = _span(command, _without(raw, later, command.end))
        if span is not None:
            text = f"/{span.name} {span.argument}".rstrip()
            return Words(text=text, mentioned=bool(mentions), command=span)
    return Words(text=_without(raw, mentions, 0), mentioned=bool(mentions))


def _entities(raw: bytes, entities: object) -> Iterator[_Entity]:
    """The entities that lie within the text, in order."""
    found: list[_Entity] = []
    for entity in entities[:_MOST_ENTITIES] if isinstance(entities, list) else []:
        if not isinstance(entity, dict):
            continue
        kind, offset, length = entity.get("type"), entity.get("offset"), entity.get("length")
        if not (isinstance(kind, str) and isinstance(offset, int) and isinstance(length, int)):
            continue
        start, end = 2 * offset, 2 * (offset + length)
        if 0 <= start < end <= len(raw):
            found.append(_Entity(kind=kind, start=start, end=end, text=_text(raw[start:end]), user=entity.get("user")))
    yield from sorted(found, key=lambda entity: entity.start)


def _mentions_us(entity: _Entity, my_id: int, my_username: str) -> bool:
    if entity.kind == "mention":
        return entity.text.lower() == f"@{my_username}"
    return entity.kind == "text_mention" and isinstance(entity.user, dict) and entity.user.get("id") == my_id


def _opens(raw: bytes, command: _Entity, mentions: list[_Entity]) -> bool:
    """The command stands at offset 0, or has only mentions of us before it."""
    before = [mention for mention in mentions if mention.end <= command.start]
    return command.start == 0 or (bool(before) and not _without(raw[: command.start], before, 0))


def _span(command: _Entity, argument: str) -> Span | None:
    match = _COMMAND.match(command.text)
    if match is None:
        return None
    addressee = match[2].lower() if match[2] else None
    return Span(name=match[1].lower(), addressee=addressee, argument=argument)


def _without(raw: bytes, mentions: list[_Entity], start: int) -> str:
    """The text from `start` on with the mentions cut out, and the gap and comma that one leaves."""
    pieces: list[str] = []
    place = start
    for mention in mentions:
        if mention.start < place:
            continue
        pieces.append(_text(raw[place : mention.start]))
        place = mention.end
    pieces.append(_text(raw[place:]))
    text = pieces[0]
    for piece in pieces[1:]:
        rest = _LEFT_BY_MENTION.sub("", piece) if not text.strip() else piece
        text = text + (rest.lstrip(" ") if text.endswith(_BLANK) else rest)
    return text.strip()


def _text(raw: bytes) -> str:
    return raw.decode("utf-16-le", "replace").replace("\0", "\ufffd")

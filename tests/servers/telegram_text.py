"""What Telegram refuses in a text and its entities, with the descriptions it refuses them with."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

MAX_TEXT_UNITS = 4096
MAX_ENTITIES = 100
MAX_TEXT_BYTES = 1 << 15

_STYLES = frozenset(
    {
        "bold",
        "italic",
        "underline",
        "strikethrough",
        "spoiler",
        "code",
        "pre",
        "text_link",
        "text_mention",
        "custom_emoji",
        "blockquote",
        "expandable_blockquote",
        "date_time",
    }
)
_FOUND_BY_TELEGRAM = frozenset(
    ["mention", "hashtag", "cashtag", "bot_command", "url", "email", "phone_number", "bank_card_number"]
)
_HOST = re.compile(r"^(?:[\w-]+\.)+[^\W\d][\w-]+$|^\d{1,3}(?:\.\d{1,3}){3}$")

Record = dict[str, object]


class Refused(Exception):
    """The request is answered with an error.

    Attributes:
        status: HTTP status and `error_code`.
        description: without the name of the status, which is put before it.
        parameters: `retry_after`, `migrate_to_chat_id`.
    """

    def __init__(self, status: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.status = status
        self.description = description
        self.parameters = parameters


def bad_request(description: str) -> Refused:
    """A 400 with Telegram's prefix."""
    return Refused(400, f"Bad Request: {description}")


def units(text: str) -> int:
    """Length in UTF-16 code units, the unit of every limit and offset of Telegram."""
    return len(text.encode("utf-16-le")) // 2


def checked_text(text: str, entities: list[object]) -> tuple[str, list[Record]]:
    """The text and entities as Telegram would keep them.

    Raises:
        Refused: Telegram would not take them.
    """
    if not text:
        raise bad_request("message text is empty")
    if len(text.encode()) > MAX_TEXT_BYTES:
        raise bad_request("text is too long")
    kept = [kept for entity in entities if (kept := _checked_entity(text, entity))]
    shift = units(text) - units(text.lstrip())
    trimmed = text.strip()
    if not trimmed.strip("\u200b\u200c\u200d\u2060\ufeff\u00ad\ufe0f "):
        raise bad_request("text must be non-empty")
    if units(trimmed) > MAX_TEXT_UNITS:
        raise bad_request("message is too long")
    return trimmed, _trimmed(kept[:MAX_ENTITIES], shift, units(trimmed))


def _checked_entity(text: str, entity: object) -> Record | None:
    """One entity, or None if Telegram looks for its kind by itself."""
    if not isinstance(entity, dict):
        raise bad_request("can't parse MessageEntity: expected an Object")
    for field in ("offset", "length"):
        if field not in entity:
            raise bad_request(f"can't parse MessageEntity: Can't find field \"{field}\"")
        if not isinstance(entity[field], int) or isinstance(entity[field], bool):
            raise bad_request(f'can\'t parse MessageEntity: Field "{field}" must be of type Number')
    kind = entity.get("type")
    if kind in _FOUND_BY_TELEGRAM:
        return None
    if kind not in _STYLES:
        raise bad_request("can't parse MessageEntity: Unsupported type specified")
    _check_span(text, int(entity["offset"]), int(entity["length"]))
    if kind == "text_link":
        _check_url(entity.get("url"))
    return entity if entity["length"] > 0 else None


def _check_span(text: str, offset: int, length: int) -> None:
    end = offset + length
    if offset < 0 or length < 0:
        raise bad_request("receive an entity with incorrect offset or length")
    if offset >= units(text) and length:
        raise bad_request(f"entity begins after the end of the text at UTF-16 offset {offset}")
    if end > units(text):
        raise bad_request(f"entity beginning at UTF-16 offset {offset} ends after the end of the text at UTF-16 "
                          f"offset {end}")  # fmt: skip
    raw = text.encode("utf-16-le")
    for name, place in (("begins", offset), ("ends", end)):
        unit = raw[2 * place : 2 * place + 2]
        if unit and 0xDC <= unit[1] <= 0xDF:
            raise bad_request(f"entity {name} in a middle of a UTF-16 symbol at byte offset {place}")


def _check_url(url: object) -> None:
    if not isinstance(url, str) or not url:
        raise bad_request("can't parse MessageEntity: Can't find field \"url\"")
    parts = urlsplit(url if "://" in url else f"http://{url}")
    if parts.scheme in ("tg", "ton"):
        return
    if not parts.hostname:
        raise bad_request(f"entity URL '{url}' is invalid: URL host is empty")
    if parts.scheme not in ("http", "https") or not _HOST.match(parts.hostname):
        raise bad_request(f"entity URL '{url}' is invalid: Wrong HTTP URL")


def _trimmed(entities: list[Record], shift: int, length: int) -> list[Record]:
    """Entities moved to the trimmed text; what lies in trimmed whitespace is dropped."""
    moved: list[Record] = []
    for entity in entities:
        offset, size = int(str(entity["offset"])), int(str(entity["length"]))
        start, end = max(offset - shift, 0), min(offset + size - shift, length)
        if end > start:
            moved.append({**entity, "offset": start, "length": end - start})
    return moved

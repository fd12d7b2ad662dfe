"""People and chats of the Telegram test server, and the messages they write, as Telegram's JSON."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Record = dict[str, object]
Media = Literal["photo", "voice", "sticker", "video", "document"]

ANONYMOUS_ADMIN_ID = 1087968824

_MENTION = re.compile(r"(?<!\w)@[A-Za-z0-9_]{3,32}")
_COMMAND = re.compile(r"(?<![\w/])/[A-Za-z0-9_]{1,32}(?:@[A-Za-z0-9_]{3,32})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who writes."""

    id: int
    first_name: str = "Ann"
    username: str | None = None
    language_code: str | None = "en"
    is_bot: bool = False

    def record(self) -> Record:
        """The `User` object."""
        known = {"username": self.username, "language_code": self.language_code}
        present = {name: value for name, value in known.items() if value is not None}
        return {"id": self.id, "is_bot": self.is_bot, "first_name": self.first_name, **present}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chat:
    """Where somebody writes. Groups have negative ids, supergroups and channels begin with -100."""

    id: int
    type: Literal["private", "group", "supergroup", "channel"]
    title: str = "Chat"
    is_forum: bool = False

    def record(self) -> Record:
        """The `Chat` object."""
        name = {"first_name": self.title} if self.type == "private" else {"title": self.title}
        return {"id": self.id, "type": self.type, **name, **({"is_forum": True} if self.is_forum else {})}


ANONYMOUS_ADMIN = User(id=ANONYMOUS_ADMIN_ID, first_name="Group", username="GroupAnonymousBot", is_bot=True)


def private_chat(user: User) -> Chat:
    """The chat of the bot with one person: its id is the person's."""
    return Chat(id=user.id, type="private", title=user.first_name)


def found_entities(text: str) -> list[Record]:
    """The entities that Telegram finds by itself: mentions and commands."""
    found = [("mention", match) for match in _MENTION.finditer(text)]
    found += [("bot_command", match) for match in _COMMAND.finditer(text)]
    return [
        {"type": kind, "offset": _units(text[: match.start()]), "length": _units(match.group())}
        for kind, match in sorted(found, key=lambda item: item[1].start())
        if not (kind == "mention" and text[: match.start()].rpartition(" ")[2].startswith("/"))
    ]


def media_record(kind: Media) -> Record:
    """The fields by which a message carries a file."""
    file: Record = {"file_id": f"{kind}-1", "file_unique_id": f"{kind}-u1", "file_size": 1000}
    size: Record = {"width": 90, "height": 90}
    match kind:
        case "photo":
            return {"photo": [{**file, **size}]}
        case "voice":
            return {"voice": {**file, "duration": 2}}
        case "sticker":
            return {"sticker": {**file, **size, "type": "regular", "is_animated": False, "is_video": False}}
        case "video":
            return {"video": {**file, **size, "duration": 2}}
        case "document":
            return {"document": {**file, "file_name": "terms.pdf"}}


def said(text: str, entities: list[Record] | None, media: Media | None) -> Record:
    """What a message says: text, or a file with a caption."""
    found = found_entities(text) if entities is None else entities
    if media is None:
        return {"text": text, **({"entities": found} if found else {})}
    caption: Record = {"caption": text, **({"caption_entities": found} if found else {})} if text else {}
    return {**media_record(media), **caption}


def topic_root(chat: Chat, topic: int, date: int, creator: User) -> Record:
    """The service message that opened a forum topic: what every first-level message in it replies to."""
    opened: Record = {"forum_topic_created": {"name": "Topic", "icon_color": 7322096}}
    thread: Record = {"message_thread_id": topic, "is_topic_message": True}
    return {"message_id": topic, "date": date, "chat": chat.record(), "from": creator.record(), **thread, **opened}


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2

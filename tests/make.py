"""Makes messages, turns and passages for tests: everything has a default, tests name what matters to them."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime

from bot.language import language_of
from bot.message import Addressing, Attachment, Command, Conversation, Incoming, MessageId, Platform, ReplyTo, SentId
from bot.turn import Exchange, Passage, Turn

_numbers = itertools.count(1)


def conversation(
    *, platform: Platform = "telegram", channel: str = "100", thread: str = "", user: str = "7"
) -> Conversation:
    """A conversation in workspace 1."""
    return Conversation(platform=platform, workspace="1", channel=channel, thread=thread, user=user)


def incoming(
    text: str = "How much is a transfer?",
    *,
    of: Conversation | None = None,
    message_id: str | None = None,
    command: Command | None = None,
    attachment: Attachment | None = None,
    addressing: Addressing = "direct",
    private: bool = True,
    locale: str | None = None,
    about: SentId | None = None,
) -> Incoming:
    """A message, each time another one unless `message_id` says which."""
    of = of or conversation()
    return Incoming(
        id=MessageId(message_id or f"{of.platform}:1:{next(_numbers)}"),
        conversation=of,
        sent_at=datetime(2026, 11, 24, 8, 0, tzinfo=UTC),
        text=text,
        reply_to=ReplyTo(channel=of.channel, user=of.user, private=private, quote=None if private else "55"),
        command=command,
        attachment=attachment,
        addressing=addressing,
        locale=locale,
        about=about,
    )


def turn(message: Incoming | None = None, *, history: tuple[Exchange, ...] = ()) -> Turn:
    """A turn at its start."""
    message = message or incoming()
    language = language_of(message.text, message.locale)
    return Turn(incoming=message, arrived_ms=1_000_000, language=language, voice=language, history=history)


def passage(text: str = "A transfer costs 5 euros.", *, name: str = "fees", version: str = "v1") -> Passage:
    """A passage of a document of that name."""
    return Passage(
        id=f"{name}:0",
        document=f"samples/en/{name}.md",
        version=version,
        title=name.title(),
        place="Transfers",
        text=text,
        language="en",
        score=0.9,
        cosine_distance=0.2,
    )

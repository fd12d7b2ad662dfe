"""Telegram's updates become the common message. Pure: no network, no clock, no memory.

Works on the raw JSON of one update, so that one odd update spoils no other. It decides only what DESIGN §3.9
says of who is spoken to: in private everything, in groups a mention (by entity), a reply to the bot, or a
command. Whether a command exists or is allowed is not its business. Offsets are UTF-16 code units, as Telegram
counts them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import cast

from adapters.telegram.words import Words, read_words
from bot.errors import MalformedEvent
from bot.message import Attachment, Command, Conversation, Incoming, MessageId, ReplyTo, SentId

Record = Mapping[str, object]

KINDS = ("message", "message_reaction")
"""The updates we ask for."""

_NO_PERSONS = frozenset({1087968824, 136817688, 777000})
"""Telegram's stand-ins: the anonymous group admin, the channel that writes in a group, its own service account."""

_ATTACHMENTS: tuple[tuple[str, Attachment], ...] = (
    ("photo", "picture"),
    ("live_photo", "picture"),
    ("sticker", "sticker"),
    ("dice", "sticker"),
    ("voice", "voice"),
    ("audio", "voice"),
    ("animation", "video"),
    ("video", "video"),
    ("video_note", "video"),
    ("document", "file"),
    ("paid_media", "file"),
    ("story", "file"),
    ("rich_message", "file"),
    ("checklist", "file"),
    ("contact", "file"),
    ("game", "file"),
    ("poll", "file"),
    ("venue", "file"),
    ("location", "file"),
    ("invoice", "file"),
)
"""What people send instead of text. The order counts: an animation also carries a `document`, a venue a
`location`. What is in no line here and has no text is a service message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """The bot, as getMe describes it."""

    id: int
    username: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """An update that is no message of a person to us, and why, in a few words without any of its content."""

    reason: str


def parse(update: object, me: Me) -> Incoming | Ignored:
    """Read one update as it came from getUpdates or a webhook.

    Raises:
        MalformedEvent: it is no update, or a message that lacks what every message has.
    """
    record = _record(update, "update")
    update_id = _integer(record, "update_id")
    if "message_reaction" in record:
        return _reaction(update_id, _record(record["message_reaction"], "message_reaction"), me)
    if "message" not in record:
        kinds = [kind for kind in record if kind != "update_id"]
        return Ignored(reason=f"not a new message: {str(kinds[0])[:40]}" if kinds else "empty update")
    message = _record(record["message"], "message")
    chat = _record(message.get("chat"), "chat")
    return _no_person(message, chat, me) or _from_person(update_id, message, chat, me)


def _reaction(update_id: int, reaction: Record, me: Me) -> Incoming | Ignored:
    """A thumb down that was not there before; whose message it is on, Telegram does not say.

    Groups tell it only to bots that are admins (https://core.telegram.org/bots/api#update).
    """
    if "user" not in reaction:
        return Ignored(reason="a reaction in the name of a chat")
    if not _thumb_down(reaction.get("new_reaction")) or _thumb_down(reaction.get("old_reaction")):
        return Ignored(reason="a reaction that asks nothing")
    user, chat = _record(reaction["user"], "user"), _record(reaction.get("chat"), "chat")
    if user.get("is_bot") is True:
        return Ignored(reason="a reaction of a bot")
    channel, who = str(_integer(chat, "id")), str(_integer(user, "id"))
    return Incoming(
        id=MessageId(f"telegram:{me.id}:{update_id}"),
        conversation=Conversation(platform="telegram", workspace=str(me.id), channel=channel, thread="", user=who),
        sent_at=_sent_at(reaction),
        text="",
        reply_to=ReplyTo(channel=channel, user=who, private=chat.get("type") == "private"),
        command=Command(name="dislike", addressed=True),
        locale=_locale(user),
        about=SentId(str(_integer(reaction, "message_id"))),
    )


def _thumb_down(kinds: object) -> bool:
    return isinstance(kinds, list) and any(
        isinstance(kind, dict) and kind.get("type") == "emoji" and kind.get("emoji") == "\N{THUMBS DOWN SIGN}"
        for kind in kinds
    )


def _no_person(message: Record, chat: Record, me: Me) -> Ignored | None:
    """Why nobody we talk with wrote this, or None."""
    if chat.get("type") == "channel":
        return Ignored(reason="channel post")
    if message.get("sender_chat") is not None:
        return Ignored(reason="written in the name of a chat")
    if message.get("from") is None:
        return Ignored(reason="no sender")
    sender = _record(message["from"], "from")
    user = _integer(sender, "id")
    if user == me.id:
        return Ignored(reason="our own message")
    if sender.get("is_bot") is True or user in _NO_PERSONS:
        return Ignored(reason="written by a bot")
    return None


def _from_person(update_id: int, message: Record, chat: Record, me: Me) -> Incoming | Ignored:
    sender = _record(message["from"], "from")
    channel, user = str(_integer(chat, "id")), str(_integer(sender, "id"))
    private = chat.get("type") == "private"
    words = read_words(message, me.id, me.username)
    attachment = _attachment(message)
    if attachment is None and words is None:
        return Ignored(reason="service message")
    words = words or Words()
    if not private and (refusal := _not_addressed(words, message, me)):
        return refusal
    topic = _topic(message)
    return Incoming(
        id=MessageId(f"telegram:{me.id}:{update_id}"),
        conversation=Conversation(
            platform="telegram", workspace=str(me.id), channel=channel, thread=topic or "", user=user
        ),
        sent_at=_sent_at(message),
        text=words.text,
        reply_to=ReplyTo(
            channel=channel,
            thread=topic,
            quote=None if private else str(_integer(message, "message_id")),
            user=user,
            private=private,
        ),
        command=_command(words, message, user, me, private=private),
        attachment=attachment,
        locale=_locale(sender),
        about=_about(message, me),
    )


def _about(message: Record, me: Me) -> SentId | None:
    """The message of ours that this one replies to."""
    replied = _replied(message)
    if replied is None or _author(replied) != me.id or not _is_integer(replied.get("message_id")):
        return None
    return SentId(str(replied["message_id"]))


def _not_addressed(words: Words, message: Record, me: Me) -> Ignored | None:
    """Why a group's message is not spoken to us, or None if it is."""
    if words.command is not None and words.command.addressee not in (None, me.username.lower()):
        return Ignored(reason="another bot's command")
    if words.mentioned or words.command is not None or _replies_to_us(message, me):
        return None
    return Ignored(reason="not addressed")


def _replied(message: Record) -> Record | None:
    """The message this one replies to. Everything in a forum topic "replies" to the topic's opening: that is none."""
    replied = message.get("reply_to_message")
    if not isinstance(replied, dict):
        return None
    in_topic = message.get("is_topic_message") is True
    if "forum_topic_created" in replied or (in_topic and replied.get("message_id") == message.get("message_thread_id")):
        return None
    return cast(Record, replied)


def _author(message: Record) -> int | None:
    """Id of whoever a message is shown to be from: a chat that speaks for somebody hides the person."""
    for field in ("sender_chat", "from"):
        author = message.get(field)
        if isinstance(author, dict) and _is_integer(author.get("id")):
            return cast(int, author["id"])
    return None


def _replies_to_us(message: Record, me: Me) -> bool:
    replied = _replied(message)
    return replied is not None and _author(replied) == me.id


def _command(words: Words, message: Record, user: str, me: Me, *, private: bool) -> Command | None:
    """The command, with the person whom it concerns if it replies to somebody else's message.

    A reply to the bot or to oneself concerns oneself: that is how people talk to a bot in a group.
    """
    span = words.command
    if span is None:
        return None
    replied = _replied(message)
    author = _author(replied) if replied is not None else None
    target = None if author is None or author == me.id or str(author) == user else str(author)
    addressed = private or words.mentioned or span.addressee is not None or author == me.id
    return Command(name=span.name, argument=span.argument, target=target, addressed=addressed)


def _topic(message: Record) -> str | None:
    """The forum topic. Elsewhere `message_thread_id` names a chain of replies, into which nothing can be sent."""
    if message.get("is_topic_message") is not True:
        return None
    return str(_integer(message, "message_thread_id"))


def _attachment(message: Record) -> Attachment | None:
    return next((kind for field, kind in _ATTACHMENTS if message.get(field) is not None), None)


def _sent_at(message: Record) -> datetime:
    try:
        return datetime.fromtimestamp(_integer(message, "date"), UTC)
    except (OverflowError, OSError, ValueError) as error:
        raise MalformedEvent("date is out of range") from error


def _locale(sender: Record) -> str | None:
    code = sender.get("language_code")
    # Longer than any IETF tag in use, and it must not carry anything else into a log.
    return code if isinstance(code, str) and code.isascii() and 0 < len(code) <= 35 else None


def _record(value: object, name: str) -> Record:
    if not isinstance(value, dict):
        raise MalformedEvent(f"{name} is no object")
    return cast(Record, value)


def _integer(record: Record, name: str) -> int:
    value = record.get(name)
    if not _is_integer(value):
        raise MalformedEvent(f"{name} is no integer of 64 bits")
    return cast(int, value)


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(1 << 63) <= value < 1 << 63

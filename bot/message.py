"""The common message: what every platform's event becomes, and what goes back.

Frozen, JSON-round-trippable and free of any platform's types. A new platform adds a value to `Platform` and
nothing else here. What is needed to answer is `ReplyTo`, which only the adapters read.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Literal, NewType
from urllib.parse import quote

Platform = Literal["telegram", "slack", "web", "terminal"]
Language = Literal["en", "zh"]

MessageId = NewType("MessageId", str)
"""Identity of one message of a person, the same for every redelivery of it: `telegram:<bot>:<update_id>`,
`slack:<team>:<channel>:<ts>`, `slack:<team>:trigger:<trigger_id>`, `web:<session>:<uuid>`."""
ConversationId = NewType("ConversationId", str)
PersonId = NewType("PersonId", str)
PlaceId = NewType("PlaceId", str)
SentId = NewType("SentId", str)
"""What the platform calls a message of ours: Telegram's message_id, Slack's ts."""

Attachment = Literal["picture", "voice", "video", "sticker", "file"]
Addressing = Literal["direct", "call", "follow"]
"""`direct`: spoken to us. `call`: spoken to us in a place with threads, so the thread becomes ours for this
person. `follow`: not addressed, in a thread; ours only if this person called us there before."""


def turn_id(message: MessageId) -> str:
    """What a turn is called in the logs, in those of every worker that had it: a digest, for ids name people."""
    return hashlib.blake2b(message.encode(), digest_size=8).hexdigest()


def _join(*parts: str) -> str:
    return ":".join(quote(part, safe="") for part in parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """The key of a history: nobody else's words ever share it.

    Attributes:
        platform: where it takes place.
        workspace: Telegram: the bot's numeric id; Slack: the team id; web and terminal: `local`.
        channel: chat, channel or page session.
        thread: Telegram forum topic or Slack thread root; empty where there is none.
        user: the real sender's id.
    """

    platform: Platform
    workspace: str
    channel: str
    thread: str
    user: str

    @property
    def id(self) -> ConversationId:
        """All five parts, percent-encoded and joined by colons: no two conversations share one."""
        return ConversationId(_join(self.platform, self.workspace, self.channel, self.thread, self.user))

    @property
    def person(self) -> PersonId:
        """The person, wherever they write in this workspace: limits and /forget go by it."""
        return PersonId(_join(self.platform, self.workspace, self.user))

    @property
    def place(self) -> PlaceId:
        """The channel with everybody and every thread in it: `/reset channel` goes by it."""
        return PlaceId(_join(self.platform, self.workspace, self.channel))


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A chat command as the person gave it.

    Attributes:
        name: lower case, without slash, bang or `@bot`.
        argument: the words after it, stripped.
        target: user id of the author of the message this one replies to, if any.
        addressed: it can only be meant for us: given in private, with our name, or registered for us.
        whole_channel: given without a thread where threads exist (a Slack slash command): it means all of the
            person's conversations in the channel.
    """

    name: str
    argument: str = ""
    target: str | None = None
    addressed: bool = False
    whole_channel: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyTo:
    """Where an answer goes. Opaque to the core: written by an adapter's parse, read by its send.

    Attributes:
        channel: chat, channel or page session to post into.
        thread: topic or thread to post into, if any.
        quote: message id to quote, if the reply should show what it answers.
        user: the asker, for receipts that only they may see.
        private: the channel is read by the asker alone.
        ephemeral: the person asked by a slash command: the reply is shown to them alone.
    """

    channel: str
    thread: str | None = None
    quote: str | None = None
    user: str
    private: bool
    ephemeral: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One message of one person, as the core sees it.

    Attributes:
        id: the same for every redelivery.
        conversation: whose history it belongs to.
        sent_at: the platform's own date, aware UTC.
        text: the person's words, without the mention of the bot; may be empty.
        reply_to: where the answer goes.
        command: set if the message is a command.
        attachment: what came with the message that we cannot read.
        addressing: whether the message is spoken to us.
        locale: the platform's hint about the person's language (`en`, `zh-hans`), if any.
        about: id of the message of ours that this one replies or reacts to, if the platform says so.
    """

    id: MessageId
    conversation: Conversation
    sent_at: datetime
    text: str
    reply_to: ReplyTo
    command: Command | None = None
    attachment: Attachment | None = None
    addressing: Addressing = "direct"
    locale: str | None = None
    about: SentId | None = None

    @property
    def reacts(self) -> bool:
        """It is a reaction to a message of ours, to which nobody expects words: a command that comes without any."""
        return self.about is not None and self.command is not None and not self.text

    def cut_to(self, most_chars: int) -> Incoming:
        """The same message, no text in it longer than `most_chars`: far too long is refused, and not kept whole."""
        command = self.command
        if command is not None and len(command.name) + len(command.argument) > most_chars:
            command = replace(command, name=command.name[:most_chars], argument=command.argument[:most_chars])
        if command is self.command and len(self.text) <= most_chars:
            return self
        return replace(self, text=self.text[:most_chars], command=command)

    def to_json(self) -> str:
        """One JSON object; `sent_at` in ISO 8601."""
        record: dict[str, Any] = asdict(self)
        record["sent_at"] = self.sent_at.isoformat()
        return json.dumps(record, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Incoming:
        """The inverse of `to_json`; what a newer version added is passed over.

        Raises:
            ValueError: the text is not JSON.
            KeyError, TypeError: it is not the record of an `Incoming`.
        """
        record: dict[str, Any] = _known(cls, json.loads(text))
        command = record["command"]
        return cls(
            **{
                **record,
                "conversation": Conversation(**_known(Conversation, record["conversation"])),
                "reply_to": ReplyTo(**_known(ReplyTo, record["reply_to"])),
                "command": Command(**_known(Command, command)) if command is not None else None,
                "sent_at": datetime.fromisoformat(record["sent_at"]).astimezone(UTC),
            }
        )


def _known(kind: type[Incoming | Conversation | ReplyTo | Command], record: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise TypeError(f"no record of {kind.__name__}")
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in record.items() if name in names}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the person is told, in Markdown, before any platform's formatting.

    Attributes:
        markdown: the text.
        private: in a group only the asker should see it.
    """

    markdown: str
    private: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One message of ours, formatted and short enough for its platform.

    Attributes:
        text: never empty.
        entities: Telegram's MessageEntity objects as JSON records, offsets in UTF-16 units; else empty.
    """

    text: str
    entities: tuple[dict[str, Any], ...] = ()

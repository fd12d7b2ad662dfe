"""Slack's payloads as common messages.

Pure: no I/O, no clock. Says of each payload whether it is a message spoken to us (`Incoming`), something to pass over
(`Ignored`, with the reason) or unreadable (`MalformedEvent`); nothing else comes out, whatever goes in. Decides
nothing about limits, access or commands: it only tells a command from other words by its form.

`message` and `app_mention` arrive both for one mention, under two event ids; the identity is therefore made of
channel and ts, and both become the same `Incoming`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from adapters.slack.mrkdwn import addresses_others, mentions, readable
from bot.errors import MalformedEvent
from bot.message import Addressing, Attachment, Command, Conversation, Incoming, MessageId, ReplyTo, SentId

_ID = re.compile(r"[A-Za-z0-9]{1,64}")
_TS = re.compile(r"([0-9]{1,11})\.([0-9]{1,6})")
_TRIGGER = re.compile(r"[A-Za-z0-9.]{1,200}")
_COMMAND = re.compile(r"[!/]([a-z][a-z0-9_-]{0,31})(?:\s+(.*))?", re.IGNORECASE | re.DOTALL)
_BARE_COMMAND = re.compile(r"start|help|reset(?: channel)?|forget|source(?: \d{1,2})?")
"""Words that are a command when they are all that follows a mention: threads take no slash commands."""
_MESSAGE_SUBTYPES = frozenset({"file_share", "me_message", "thread_broadcast"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who we are in the workspace, as auth.test says.

    Attributes:
        team: the workspace's id.
        user: user id of our bot.
        bot: bot id of our app.
    """

    team: str
    user: str
    bot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Not spoken to us, or no message; the reason is for logs and never holds what was said."""

    reason: str


def parse_event(body: object, me: Me) -> Incoming | Ignored:
    """Read the body of an Events API callback.

    Raises:
        MalformedEvent: it claims to be a message and cannot be read as one.
    """
    outer = _mapping(body, "body")
    if outer.get("type") != "event_callback":
        return Ignored(reason="no event")
    event = _mapping(outer.get("event"), "event")
    if event.get("type") == "reaction_added":
        return _reaction(event, me)
    if event.get("type") not in ("message", "app_mention"):
        return Ignored(reason="no message")
    return _not_a_person(event, me) or _message(event, me)


def parse_slash(form: object, me: Me, *, now: datetime) -> Incoming | Ignored:
    """Read the form of a slash command, which carries no time and no thread: `now` is its date.

    Raises:
        MalformedEvent: it is no slash command.
    """
    fields = _mapping(form, "form")
    name = _COMMAND.fullmatch(_string(fields, "command").strip())
    if name is None:
        raise MalformedEvent("slash command without a name")
    channel, user = _id(fields, "channel_id"), _id(fields, "user_id")
    trigger = _matched(_TRIGGER, _string(fields, "trigger_id"), "trigger_id")
    argument = readable(_text(fields), me.user)
    return Incoming(
        id=MessageId(f"slack:{me.team}:trigger:{trigger}"),
        conversation=Conversation(platform="slack", workspace=me.team, channel=channel, thread="", user=user),
        sent_at=now,
        text=f"/{name[1].lower()} {argument}".strip(),
        reply_to=ReplyTo(channel=channel, user=user, private=channel.startswith("D"), ephemeral=True),
        command=Command(name=name[1].lower(), argument=argument, addressed=True, whole_channel=True),
    )


def _reaction(event: Mapping[str, object], me: Me) -> Incoming | Ignored:
    """A thumb down on a message of ours (https://docs.slack.dev/reference/events/reaction_added)."""
    name = _string(event, "reaction").partition("::")[0]
    if name not in ("-1", "thumbsdown") or event.get("item_user") != me.user or event.get("user") == me.user:
        return Ignored(reason="a reaction that asks nothing")
    item = _mapping(event.get("item"), "item")
    if item.get("type") != "message":
        return Ignored(reason="a reaction to no message")
    channel, user, ts = _id(item, "channel"), _id(event, "user"), _ts(event, "event_ts")
    return Incoming(
        id=MessageId(f"slack:{me.team}:{channel}:{ts}:{user}"),
        conversation=Conversation(platform="slack", workspace=me.team, channel=channel, thread="", user=user),
        sent_at=_sent_at(ts),
        text="",
        reply_to=ReplyTo(channel=channel, user=user, private=channel.startswith("D")),
        command=Command(name="dislike", addressed=True),
        about=SentId(_ts(item, "ts")),
    )


# --- messages -----------------------------------------------------------------------------------------------------


def _not_a_person(event: Mapping[str, object], me: Me) -> Ignored | None:
    if event.get("bot_id") or event.get("user") == "USLACKBOT":
        return Ignored(reason="a bot")
    if event.get("user") == me.user:
        return Ignored(reason="ourselves")
    subtype = event.get("subtype")
    if subtype is None or (isinstance(subtype, str) and subtype in _MESSAGE_SUBTYPES):
        return None
    return Ignored(reason="a subtype that is no new message")


def _message(event: Mapping[str, object], me: Me) -> Incoming | Ignored:
    channel, user = _id(event, "channel"), _id(event, "user")
    ts, raw = _ts(event, "ts"), event.get("text")
    if not isinstance(raw, str):
        raw = ""  # whoever wrote what cannot be read is told so
    root = _ts(event, "thread_ts") if event.get("thread_ts") else ts
    direct = event.get("channel_type", "im" if channel.startswith("D") else "channel") == "im"
    mentioned = event["type"] == "app_mention" or mentions(raw, me.user)
    addressing = _addressing(raw, me, direct=direct, mentioned=mentioned, in_thread=root != ts)
    if isinstance(addressing, Ignored):
        return addressing
    # A direct message is one conversation unless people open threads in it; a channel is answered in threads only.
    thread = "" if direct and root == ts else root
    text = readable(raw, me.user)
    return Incoming(
        id=MessageId(f"slack:{me.team}:{channel}:{ts}"),
        conversation=Conversation(platform="slack", workspace=me.team, channel=channel, thread=thread, user=user),
        sent_at=_sent_at(ts),
        text=text,
        reply_to=ReplyTo(channel=channel, thread=thread or None, quote=ts, user=user, private=direct),
        command=_command(text, mentioned=mentioned, addressed=addressing != "follow"),
        attachment=_attachment(event),
        addressing=addressing,
    )


def _addressing(raw: str, me: Me, *, direct: bool, mentioned: bool, in_thread: bool) -> Addressing | Ignored:
    if direct:
        return "direct"
    if mentioned:
        return "call"
    if not in_thread:
        return Ignored(reason="not addressed")
    return Ignored(reason="addressed to others") if addresses_others(raw, me.user) else "follow"


def _command(text: str, *, mentioned: bool, addressed: bool) -> Command | None:
    match = _COMMAND.fullmatch(text)
    if match is not None:
        return Command(name=match[1].lower(), argument=(match[2] or "").strip(), addressed=addressed)
    bare = _BARE_COMMAND.fullmatch(text.lower()) if mentioned else None
    if bare is not None:
        name, _, argument = bare[0].partition(" ")
        return Command(name=name, argument=argument, addressed=True)
    return None


def _attachment(event: Mapping[str, object]) -> Attachment | None:
    files = event.get("files")
    if not isinstance(files, list) or not files:
        return None
    first = files[0] if isinstance(files[0], Mapping) else {}
    kinds: dict[str, Attachment] = {"image": "picture", "audio": "voice", "video": "video"}
    # A recorded voice clip is audio in an MP4: only its subtype says so.
    if first.get("subtype") == "slack_audio":
        return "voice"
    return kinds.get(str(first.get("mimetype", "")).partition("/")[0], "file")


# --- fields -------------------------------------------------------------------------------------------------------


def _mapping(value: object, what: str) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise MalformedEvent(f"{what} is no object")
    return value


def _string(fields: Mapping[str, object], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str):
        raise MalformedEvent(f"{name} is no string")
    return value


def _text(fields: Mapping[str, object]) -> str:
    return "" if fields.get("text") is None else _string(fields, "text")


def _matched(pattern: re.Pattern[str], value: str, name: str) -> str:
    if pattern.fullmatch(value) is None:
        raise MalformedEvent(f"{name} has an unknown form")
    return value


def _id(fields: Mapping[str, object], name: str) -> str:
    return _matched(_ID, _string(fields, name), name)


def _ts(fields: Mapping[str, object], name: str) -> str:
    return _matched(_TS, _string(fields, name), name)


def _sent_at(ts: str) -> datetime:
    seconds, _, fraction = ts.partition(".")
    # Not through a float: 16 digits would lose the last one, and order is read from it.
    return datetime.fromtimestamp(int(seconds), UTC) + timedelta(microseconds=int(fraction.ljust(6, "0")))

"""The workspace behind the Slack test server: its channels, its messages, and the events that people cause.

Holds state and shapes payloads; speaks no HTTP. Payload keys are those of Slack's own samples (a test compares
them), reduced to what a server always sends for an ordinary message.
"""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(kw_only=True)
class Channel:
    """A channel, group or direct message, with what stands in it, oldest first."""

    id: str
    kind: str
    members: set[str]
    archived: bool = False
    messages: list[Json] = field(default_factory=list)
    ephemerals: list[Json] = field(default_factory=list)


@dataclass(kw_only=True)
class Workspace:
    """One workspace with our app installed."""

    team: str = "T0TEAM"
    bot_user: str = "U0BOT"
    bot_id: str = "B0BOT"
    app_id: str = "A0APP"
    channels: dict[str, Channel] = field(default_factory=dict)
    _counter: itertools.count[int] = field(default_factory=lambda: itertools.count(100, 100))

    def channel(self, channel: str, *, kind: str | None = None, bot_is_member: bool = True) -> Channel:
        """The channel of that id; created if it does not exist: D… is a direct message, G… a group, else a channel."""
        if channel not in self.channels:
            kind = kind or {"D": "im", "G": "group"}.get(channel[:1], "channel")
            self.channels[channel] = Channel(id=channel, kind=kind, members={self.bot_user} if bot_is_member else set())
        return self.channels[channel]

    def new_ts(self) -> str:
        """A timestamp that no other message has, later than all before it."""
        return f"{int(time.time())}.{next(self._counter) % 1_000_000:06d}"

    def new_id(self, prefix: str) -> str:
        """An id that no other thing has."""
        return f"{prefix}{next(self._counter):010d}"

    # --- messages -------------------------------------------------------------------------------------------------

    def write(self, channel: Channel, message: Json) -> Json:
        """Put a message into a channel."""
        channel.messages.append(message)
        return message

    def person_message(
        self, channel: str, user: str, text: str, *, thread: str | None, files: Sequence[Json], broadcast: bool
    ) -> Json:
        """A message of a person, as history keeps it."""
        message: Json = {"type": "message", "user": user, "text": text, "ts": self.new_ts(), "team": self.team}
        message["client_msg_id"] = self.new_id("00000000-0000-4000-8000-")
        if files:
            message |= {"subtype": "file_share", "files": list(files), "upload": False, "display_as_bot": False}
            del message["client_msg_id"], message["team"]
        if thread is not None:
            message["thread_ts"] = thread
        if broadcast:
            message |= {"subtype": "thread_broadcast", "root": {"ts": thread, "type": "message"}}
            del message["team"]
        return self.write(self.channel(channel), message)

    def bot_message(self, channel: Channel, text: str, *, thread: str | None, metadata: Json | None) -> Json:
        """A message of our app, as history keeps it."""
        message: Json = {
            "type": "message",
            "user": self.bot_user,
            "bot_id": self.bot_id,
            "app_id": self.app_id,
            "bot_profile": {"id": self.bot_id, "app_id": self.app_id, "name": "frontdesk", "deleted": False},
            "text": text,
            "ts": self.new_ts(),
            "team": self.team,
        }
        if thread is not None:
            message["thread_ts"] = thread
        if metadata is not None:
            message["metadata"] = metadata
        return self.write(channel, message)

    # --- events -----------------------------------------------------------------------------------------------------

    def mentions_bot(self, text: str) -> bool:
        """Whether Slack would send an app_mention."""
        return re.search(rf"<@{self.bot_user}(\|[^>]*)?>", text) is not None

    def envelope(self, event: Json) -> Json:
        """The outer body of an event, with an event id of its own."""
        return {
            "token": "verification",
            "team_id": self.team,
            "api_app_id": self.app_id,
            "event": event,
            "type": "event_callback",
            "event_id": self.new_id("Ev"),
            "event_time": int(float(event["event_ts"])),
            "authorizations": [
                {
                    "enterprise_id": None,
                    "team_id": self.team,
                    "user_id": self.bot_user,
                    "is_bot": True,
                    "is_enterprise_install": False,
                }
            ],
            "is_ext_shared_channel": False,
            "event_context": self.new_id("4-"),
        }

    def message_events(self, channel: str, message: Json) -> list[Json]:
        """What Slack sends for a message: one event; if it names the bot in a channel, app_mention as well."""
        place = self.channel(channel)
        shown = {k: v for k, v in message.items() if k not in {"metadata", "app_id"}}
        event = shown | {"channel": channel, "event_ts": message["ts"], "channel_type": place.kind}
        events = [self.envelope(event)]
        if place.kind != "im" and "bot_id" not in message and self.mentions_bot(message["text"]):
            left_out = {"channel_type", "subtype", "files", "root"}
            mention = {k: v for k, v in event.items() if k not in left_out} | {"type": "app_mention"}
            events.insert(0, self.envelope(mention))
        return events

    def subtype_event(self, channel: str, subtype: str, fields: Json) -> Json:
        """An event of a subtype that is no new message of a person."""
        ts = self.new_ts()
        kind = self.channel(channel).kind
        base = {"type": "message", "subtype": subtype, "channel": channel, "ts": ts, "event_ts": ts}
        return self.envelope(base | {"channel_type": kind} | fields)

    def slash_form(self, channel: str, user: str, command: str, text: str, response_url: str) -> Json:
        """The form of a slash command."""
        return {
            "token": "verification",
            "api_app_id": self.app_id,
            "team_id": self.team,
            "team_domain": "example",
            "channel_id": channel,
            "channel_name": "directmessage" if channel.startswith("D") else "general",
            "user_id": user,
            "user_name": user.lower(),
            "command": command,
            "text": text,
            "response_url": response_url,
            "trigger_id": f"{next(self._counter)}.{next(self._counter)}.{self.new_id('abcdef')}",
            "is_enterprise_install": "false",
        }

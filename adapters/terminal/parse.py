"""A line typed in the terminal becomes an `Incoming`. Pure.

A terminal session is one private conversation, as a page session is.
"""

from __future__ import annotations

import re
from datetime import datetime

from bot.errors import MalformedEvent
from bot.message import Command, Conversation, Incoming, MessageId, ReplyTo

_COMMAND = re.compile(r"/([A-Za-z][A-Za-z0-9_]{0,31})(?:\s+(.*))?", re.DOTALL)


def parse(*, session: str, message_id: str, text: str, locale: str | None, now: datetime) -> Incoming:
    """One line of a terminal session.

    Args:
        session: the session's id: channel and person at once.
        message_id: unique within the session, the same when the line is handed in again.
        text: the line.
        locale: the terminal's language, such as `zh_CN.UTF-8`; None if unknown.
        now: aware UTC.

    Raises:
        MalformedEvent: the line is empty.
    """
    words = text.encode("utf-8", "replace").decode("utf-8").replace("\0", "").strip()
    if not words:
        raise MalformedEvent("the line is empty")
    found = _COMMAND.fullmatch(words)
    command = None
    if found:
        command = Command(name=found[1].lower(), argument=(found[2] or "").strip(), addressed=True)
    language = (locale or "").partition(".")[0].replace("_", "-").lower()
    return Incoming(
        id=MessageId(f"terminal:{session}:{message_id}"),
        conversation=Conversation(platform="terminal", workspace="local", channel=session, thread="", user=session),
        sent_at=now,
        text=words,
        reply_to=ReplyTo(channel=session, user=session, private=True),
        command=command,
        locale=language or None,
    )

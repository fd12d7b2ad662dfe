"""What the chat page posts becomes an `Incoming`. Pure: no clock, no request object, no decision.

A page session is one private conversation: its id is the channel and the person at once.
"""

from __future__ import annotations

import json
import re
from datetime import datetime

from bot.errors import MalformedEvent
from bot.message import Command, Conversation, Incoming, MessageId, ReplyTo

MAX_TEXT_CHARS = 32_000
"""Far above any question and what the core answers with "too long"; it keeps a mailbox of 100 under 10 MB."""
LOCALE_CHARS = 20

_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
# A path such as /etc/hosts or a lone slash is text: a command's name is followed by white space or nothing.
_COMMAND = re.compile(r"/([A-Za-z][A-Za-z0-9_]{0,31})(?:\s+(.*))?", re.DOTALL)
_LANGUAGE_TAG = re.compile(r"\s*([A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)")


def read_post(body: bytes) -> tuple[str, str]:
    """The client's message id and the text out of a posted JSON object `{"id": …, "text": …}`.

    Raises:
        MalformedEvent: it is no such object.
    """
    try:
        record = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise MalformedEvent("the body is not JSON") from exc
    if not isinstance(record, dict):
        raise MalformedEvent("the body is not a JSON object")
    client_id, text = record.get("id"), record.get("text")
    if not isinstance(client_id, str) or not isinstance(text, str):
        raise MalformedEvent("id and text must be strings")
    return client_id, text


def parse(*, session: str, message_id: str, text: str, locale: str | None, now: datetime) -> Incoming:
    """One message of a page session.

    Args:
        session: the session's id, from its cookie.
        message_id: chosen by the page, the same when it sends again: 1 to 64 of `A-Z a-z 0-9 _ -`.
        text: the person's words.
        locale: the browser's `Accept-Language`, whole.
        now: aware UTC; the page has no date of its own that we would trust.

    Raises:
        MalformedEvent: the id has another form, the text is empty or longer than `MAX_TEXT_CHARS`.
    """
    if not _CLIENT_ID.fullmatch(message_id):
        raise MalformedEvent("id must be 1 to 64 of A-Z a-z 0-9 _ -")
    # Half of a surrogate pair, which JSON can carry, has no UTF-8 form: it would fail later, in Redis.
    words = text.encode("utf-8", "replace").decode("utf-8").replace("\0", "").strip()
    if not words:
        raise MalformedEvent("the text is empty")
    if len(words) > MAX_TEXT_CHARS:
        raise MalformedEvent(f"the text is longer than {MAX_TEXT_CHARS} characters")
    return Incoming(
        id=MessageId(f"web:{session}:{message_id}"),
        conversation=Conversation(platform="web", workspace="local", channel=session, thread="", user=session),
        sent_at=now,
        text=words,
        reply_to=ReplyTo(channel=session, user=session, private=True),
        command=_command(words),
        locale=_first_language(locale),
    )


def _command(text: str) -> Command | None:
    found = _COMMAND.fullmatch(text)
    if found is None:
        return None
    return Command(name=found[1].lower(), argument=(found[2] or "").strip(), addressed=True)


def _first_language(accept_language: str | None) -> str | None:
    found = _LANGUAGE_TAG.match(accept_language or "")
    return found[1].lower()[:LOCALE_CHARS] if found else None

"""What the page posts, parsed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.web.parse import MAX_TEXT_CHARS, parse, read_post
from bot.errors import MalformedEvent
from bot.message import Command, Conversation, Incoming, MessageId, ReplyTo

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SESSION = "0" * 32


def _parse(text: str, *, message_id: str = "a-1", locale: str | None = None) -> Incoming:
    return parse(session=SESSION, message_id=message_id, text=text, locale=locale, now=NOW)


def test_message_of_a_session() -> None:
    """A page session is channel and person at once, and private."""
    incoming = _parse(" Where is my card? ", locale="zh-CN,zh;q=0.9,en;q=0.8")

    assert incoming == Incoming(
        id=MessageId(f"web:{SESSION}:a-1"),
        conversation=Conversation(platform="web", workspace="local", channel=SESSION, thread="", user=SESSION),
        sent_at=NOW,
        text="Where is my card?",
        reply_to=ReplyTo(channel=SESSION, user=SESSION, private=True),
        locale="zh-cn",
    )


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("/help", Command(name="help", addressed=True)),
        ("/Reset  channel \n", Command(name="reset", argument="channel", addressed=True)),
        ("/forget\nme, please", Command(name="forget", argument="me, please", addressed=True)),
        ("/etc/hosts is empty", None),
        ("/", None),
        ("/ help", None),
        ("see /help", None),
        ("/2fa", None),
        ("//help", None),
        ("/帮助", None),
    ],
)
def test_commands(text: str, command: Command | None) -> None:
    """A slash, a name and nothing else make a command."""
    assert _parse(text).command == command


@pytest.mark.parametrize("message_id", ["", "a" * 65, "a:b", "a b", "é", "a\n", "{p1}"])
def test_ids_of_another_form(message_id: str) -> None:
    """An id that could stray into a key is refused."""
    with pytest.raises(MalformedEvent, match="id must be"):
        _parse("hi", message_id=message_id)


@pytest.mark.parametrize("text", ["", "  \n\t", "\0", "x" * (MAX_TEXT_CHARS + 1)])
def test_texts_that_are_none(text: str) -> None:
    """Nothing, and far too much, are refused."""
    with pytest.raises(MalformedEvent, match="the text is"):
        _parse(text)


@given(st.text(alphabet=st.characters(), min_size=1, max_size=50))
def test_whatever_is_written_can_be_stored(text: str) -> None:
    """Half surrogate pairs and all: what passes has a UTF-8 form and survives the inbox's JSON."""
    try:
        incoming = _parse(text)
    except MalformedEvent:
        return

    assert Incoming.from_json(incoming.to_json().encode()) == incoming


@pytest.mark.parametrize("locale", ["", "*", ";q=1", "..", None])
def test_no_language(locale: str | None) -> None:
    """A header that names no language is no hint."""
    assert _parse("hi", locale=locale).locale is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 100_000,
        b"null",
        b'"text"',
        b"[]",
        b"{}",
        b'{"id": "a"}',
        b'{"id": 1, "text": "hi"}',
        b'{"id": "a", "text": null}',
        b'{"id": "a", "text": ["hi"]}',
    ],
)
def test_garbage_is_malformed(body: bytes) -> None:
    """Whatever is no object with two strings is refused by name, not by a crash."""
    with pytest.raises(MalformedEvent):
        read_post(body)


def test_what_the_page_posts() -> None:
    """Further fields are passed over."""
    assert read_post('{"id": "a", "text": "你好", "more": 1}'.encode()) == ("a", "你好")

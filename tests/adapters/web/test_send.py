"""Replies laid into a page's box."""

from __future__ import annotations

import pytest

from adapters.web.send import MAX_PART_CHARS, PageMessenger
from bot.errors import SendFailed
from bot.message import Part, ReplyTo
from bot.ports import Messenger
from tests.adapters.web.fakes import FakeBox

TO = ReplyTo(channel="session", user="session", private=True)


def test_markdown_stays_as_it_is() -> None:
    """The page reads Markdown itself: one part, not a character changed."""
    markdown = "**a** <b>\n\n```\n*x*\n```\n"

    assert PageMessenger("web", FakeBox()).format(markdown) == (Part(text=markdown),)


def test_nothing_is_left_out_of_a_huge_text() -> None:
    """Past the bound the text is cut, and all of it arrives."""
    markdown = "x" * MAX_PART_CHARS + "y"

    parts = PageMessenger("web", FakeBox()).format(markdown)

    assert [len(part.text) for part in parts] == [MAX_PART_CHARS, 1]


def test_an_empty_text_is_still_a_part() -> None:
    """There is always something to send."""
    assert PageMessenger("web", FakeBox()).format("") == (Part(text="…"),)


async def test_sending_twice_shows_once() -> None:
    """The same key is one message, so a take-over may send again."""
    box = FakeBox()
    messenger: Messenger = PageMessenger("terminal", box)

    first = await messenger.send(TO, Part(text="hello"), key="turn:0", first=True, private=True)
    again = await messenger.send(TO, Part(text="hello"), key="turn:0", first=True, private=True)

    assert first == again
    assert box.messages == {"session": [(first, "hello")]}
    assert await messenger.find(TO, "turn:0") is None
    await messenger.typing(TO)


async def test_redis_away() -> None:
    """What was not laid into the box may be tried again."""
    box = FakeBox()
    box.broken = True

    with pytest.raises(SendFailed):
        await PageMessenger("web", box).send(TO, Part(text="hello"), key="turn:0", first=True, private=True)

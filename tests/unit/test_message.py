"""The common message."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from bot.message import Command, Conversation, Incoming, MessageId, ReplyTo

TEXT = st.text(max_size=20)
CONVERSATIONS = st.builds(
    Conversation,
    platform=st.sampled_from(["telegram", "slack", "web", "terminal"]),
    workspace=TEXT,
    channel=TEXT,
    thread=TEXT,
    user=TEXT,
)
INCOMING = Incoming(
    id=MessageId("telegram:1:2"),
    conversation=Conversation(platform="telegram", workspace="1", channel="c", thread="", user="u"),
    sent_at=datetime(2026, 11, 24, 8, 0, tzinfo=UTC),
    text="hi",
    reply_to=ReplyTo(channel="c", user="u", private=True),
    command=Command(name="reset"),
)


@given(CONVERSATIONS, CONVERSATIONS)
def test_conversation_ids_never_collide(one: Conversation, other: Conversation) -> None:
    """Two conversations have one id only if they are the same, whatever colons and percents they hold."""
    assert (one.id == other.id) == (one == other)


@given(CONVERSATIONS, TEXT)
def test_incoming_survives_json(conversation: Conversation, text: str) -> None:
    """A message read back is the message that was written."""
    incoming = Incoming(
        id=MessageId("telegram:1:2"),
        conversation=conversation,
        sent_at=datetime(2026, 11, 24, 8, 0, 0, 123000, tzinfo=UTC),
        text=text,
        reply_to=ReplyTo(channel="c", user="u", private=True),
        command=Command(name="reset", argument="channel", addressed=True),
    )

    assert Incoming.from_json(incoming.to_json()) == incoming


@pytest.mark.parametrize("within", [None, "conversation", "reply_to", "command"])
def test_what_a_newer_version_added_is_passed_over(within: str | None) -> None:
    """A message that waits while an older version is put back is still read."""
    record = json.loads(INCOMING.to_json())
    (record if within is None else record[within])["new"] = {"of": "tomorrow"}

    assert Incoming.from_json(json.dumps(record)) == INCOMING


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "{}", '{"command": null}', INCOMING.to_json()[:-1]])
def test_what_is_no_record_is_refused(text: str) -> None:
    """With one of three errors, which whoever reads the store knows."""
    with pytest.raises((ValueError, KeyError, TypeError)):
        Incoming.from_json(text)


async def test_the_test_redis_has_search(redis: Redis) -> None:
    """The server that tests run against is the one that serves."""
    modules = await redis.module_list()

    assert any(b"search" in (m[b"name"] if isinstance(m, dict) else m) for m in modules)

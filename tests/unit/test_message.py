"""The common message."""

from __future__ import annotations

from datetime import UTC, datetime

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
        command=Command(name="reset", argument="channel"),
    )

    assert Incoming.from_json(incoming.to_json()) == incoming


async def test_the_test_redis_has_search(redis: Redis) -> None:
    """The server that tests run against is the one that serves."""
    modules = await redis.module_list()

    assert any(b"search" in (m[b"name"] if isinstance(m, dict) else m) for m in modules)

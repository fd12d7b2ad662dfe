"""What a conversation remembers: so many turns, so many tokens, for so long."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from bot.store import keys
from bot.store.inbox import RedisInbox
from bot.store.scripts import Scripts
from bot.turn import Exchange
from tests.contract.samples import START_MS, conversation, inbox_on, incoming


async def remembered(inbox: RedisInbox, tokens: list[int]) -> list[int]:
    """Have exchanges of these sizes; which of them the next claim recalls, oldest first, by their place."""
    for number, size in enumerate(tokens):
        await inbox.put(incoming(number))
        claimed = await inbox.claim(f"t{number}")
        assert claimed is not None
        await inbox.settle(claimed, Exchange(question=str(number), answer="a", tokens=size))
    await inbox.put(incoming(len(tokens)))
    claimed = await inbox.claim("last")
    assert claimed is not None
    return [int(exchange.question) for exchange in claimed.history]


@pytest.mark.parametrize(
    ("tokens", "kept"),
    [
        ([], []),
        ([1], [0]),
        ([1, 1, 1], [0, 1, 2]),
        ([1, 1, 1, 1], [1, 2, 3]),
        ([1, 1, 1, 1, 1], [2, 3, 4]),
        ([50, 50], [0, 1]),
        ([50, 51], [1]),
        ([1, 50, 50], [1, 2]),
        ([60, 40, 40], [1, 2]),
        ([101], [0]),
        ([1, 1, 101], [2]),
        ([101, 1], [1]),
    ],
)
async def test_a_history_is_trimmed_by_turns_and_by_tokens(redis: Redis, tokens: list[int], kept: list[int]) -> None:
    """At most three turns and a hundred tokens, the newest; the very newest stays whatever its size."""
    inbox = inbox_on(redis, Scripts(redis), max_turns=3)

    assert await remembered(inbox, tokens) == kept


async def test_without_turns_nothing_is_remembered_or_recalled(redis: Redis) -> None:
    """Also if the operator sets it so after people were remembered."""
    scripts = Scripts(redis)
    nothing = inbox_on(redis, scripts, max_turns=0)
    before = await remembered(nothing, [1, 1])
    kept = await redis.exists(f"{keys.inbox(0)}:history:{conversation().id}")
    await redis.flushall()
    await remembered(inbox_on(redis, scripts), [1, 1])
    await nothing.release_claims()

    claimed = await nothing.claim("next")

    assert (before, kept) == ([], 0)
    assert claimed is not None
    assert claimed.history == ()


async def test_a_history_lives_on_when_it_is_used(redis: Redis) -> None:
    """Its time begins anew when it is written and when it is recalled."""
    inbox = inbox_on(redis, Scripts(redis))
    name = f"{keys.inbox(0)}:history:{conversation().id}"
    await remembered(inbox, [1])
    await redis.pexpire(name, 1000)
    await inbox.claim("last")
    recalled_ms = await redis.pttl(name)
    await redis.pexpire(name, 1000)
    claimed = await inbox.claim("last")
    assert claimed is not None
    await redis.pexpire(name, 1000)
    await inbox.settle(claimed, Exchange(question="q", answer="a", tokens=1))
    written_ms = await redis.pttl(name)

    assert 23 * 3600 * 1000 < recalled_ms <= 24 * 3600 * 1000
    assert 23 * 3600 * 1000 < written_ms <= 24 * 3600 * 1000


async def test_nothing_to_remember_leaves_the_history_as_it_is(redis: Redis) -> None:
    """A notice or a refusal is no exchange."""
    inbox = inbox_on(redis, Scripts(redis, now_ms=START_MS))
    await remembered(inbox, [1])
    claimed = await inbox.claim("last")
    assert claimed is not None
    await inbox.settle(claimed, None)
    await inbox.put(incoming(99))

    again = await inbox.claim("next")

    assert again is not None
    assert [exchange.question for exchange in again.history] == ["0"]


@pytest.mark.parametrize("left", ["?", '1:{"q":"older","a":"form"}', '1:{"t":"many"}', ""])
async def test_an_unreadable_exchange_does_not_hold_the_conversation(redis: Redis, left: str) -> None:
    """It counts no tokens, and goes by and by, like the others."""
    inbox = inbox_on(redis, Scripts(redis), max_turns=3)
    await redis.rpush(f"{keys.inbox(0)}:history:{conversation().id}", left)

    assert await remembered(inbox, [1, 1]) == [0, 1]

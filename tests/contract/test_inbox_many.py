"""The inbox under many callers at once, as from ten processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from bot.store import keys
from bot.store.client import connect
from bot.store.inbox import RedisInbox
from bot.store.scripts import Scripts
from bot.turn import Exchange
from tests.contract.samples import claimed_by, conversation, inbox_on, incoming


@pytest.fixture
async def inboxes(redis: Redis, redis_url: str) -> AsyncIterator[list[RedisInbox]]:
    """Ten inboxes with a connection pool each, as ten processes would have."""
    clients = [connect(redis_url) for _ in range(10)]
    yield [inbox_on(client, Scripts(client)) for client in clients]
    for client in clients:
        await client.aclose()


async def test_fifty_redeliveries_at_once_store_one_message(redis: Redis, inboxes: list[RedisInbox]) -> None:
    """Whatever the platform does, there is one message to answer."""
    answers = await asyncio.gather(*[inboxes[n % 10].put(incoming(1)) for n in range(50)])

    assert sorted(answers) == ["duplicate"] * 49 + ["stored"]
    assert await redis.llen(f"{keys.inbox(0)}:mail:{conversation().id}") == 1


async def test_fifty_workers_get_each_conversation_once(inboxes: list[RedisInbox]) -> None:
    """Three conversations with three messages each: three claims, not nine and not fifty."""
    for number in range(9):
        await inboxes[0].put(incoming(number, conversation(str(number % 3))))

    claims = await asyncio.gather(*[inboxes[n % 10].claim(f"t{n}") for n in range(50)])

    heads = sorted(claimed.incoming.id for claimed in claims if claimed is not None)
    assert heads == ["telegram:1:0", "telegram:1:1", "telegram:1:2"]


async def test_fifty_claims_by_one_token_are_one_claim(inboxes: list[RedisInbox]) -> None:
    """Retries of a claim book no crash and lease nothing more."""
    for number in range(2):
        await inboxes[0].put(incoming(number, conversation(str(number))))

    claims = await asyncio.gather(*[inboxes[n % 10].claim("t") for n in range(50)])

    assert {(claimed.incoming.id, claimed.crashes) for claimed in claims if claimed} == {("telegram:1:0", 0)}
    assert None not in claims


async def test_fifty_settlements_remember_once(redis: Redis, inboxes: list[RedisInbox]) -> None:
    """One ends the turn, the others find it done."""
    await inboxes[0].put(incoming(1))
    claimed = await claimed_by(inboxes[0], "t")
    exchange = Exchange(question="q", answer="a", tokens=1)

    ends = await asyncio.gather(*[inboxes[n % 10].settle(claimed, exchange) for n in range(50)])

    assert sorted(ends) == ["done"] * 49 + ["settled"]
    assert await redis.llen(f"{keys.inbox(0)}:history:{conversation().id}") == 1


async def test_fifty_tellers_tell_once(inboxes: list[RedisInbox]) -> None:
    """The word of waiting is said once."""
    await inboxes[0].put(incoming(1))
    claimed = await claimed_by(inboxes[0], "t")

    told = await asyncio.gather(*[inboxes[n % 10].tell_waiting(claimed) for n in range(50)])

    assert sum(told) == 1


async def test_many_writers_and_workers_keep_every_order(inboxes: list[RedisInbox]) -> None:
    """While ten conversations are written to and worked on at once, each is answered in its order, nothing missing."""
    answered: dict[str, list[str]] = {str(user): [] for user in range(10)}

    async def write(user: int) -> None:
        for number in range(10):
            await inboxes[user].put(incoming(user * 100 + number, conversation(str(user))))

    async def work(worker: int) -> None:
        number = 0
        while sum(map(len, answered.values())) < 100:
            number += 1
            claimed = await inboxes[worker].claim(f"{worker}-{number}")
            if claimed is not None:
                answered[claimed.incoming.conversation.user].append(claimed.incoming.id)
                await inboxes[worker].settle(claimed, None)

    await asyncio.gather(*map(write, range(10)), *map(work, range(10)))

    for user, ids in answered.items():
        assert ids == [incoming(int(user) * 100 + number).id for number in range(10)]

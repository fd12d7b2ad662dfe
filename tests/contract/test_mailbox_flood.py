"""Ten thousand messages to one conversation in a burst, and messages of a megabyte: Redis holds little of them."""

from __future__ import annotations

import asyncio
from collections import Counter

from redis.asyncio import Redis

from bot.message import Command
from bot.store import keys
from bot.store.inbox import MOST_CHARS
from bot.store.scripts import Scripts
from tests.contract.samples import claimed_by, conversation, inbox_on, incoming
from tests.make import incoming as message

FLOOD, MOST_WAITING = 10_000, 100
PERSON, NEIGHBOUR = conversation("7"), conversation("8", "d")
MB = 1_000_000


async def test_a_flood_is_refused_once_and_counted(redis: Redis) -> None:
    """A hundred wait, one refusal is spoken, the rest is counted; others are served, and so is the next message."""
    inbox = inbox_on(redis, Scripts(redis), max_waiting=MOST_WAITING)
    before = int((await redis.info("memory"))["used_memory"])
    became: Counter[str] = Counter()
    for start in range(0, FLOOD, 500):
        became.update(await asyncio.gather(*(inbox.put(incoming(start + place, PERSON)) for place in range(500))))
    await inbox.put(incoming(FLOOD, NEIGHBOUR))
    grown = int((await redis.info("memory"))["used_memory"]) - before

    served = [await claimed_by(inbox, name) for name in ("first", "second")]
    await inbox.settle(served[1], None)
    refusals = 0
    turn = served[0]
    for number in range(MOST_WAITING):
        refusals += turn.full
        await inbox.settle(turn, None)
        turn = await claimed_by(inbox, f"next {number}")
    refusals += turn.full
    await inbox.settle(turn, None)
    again = await inbox.put(incoming(FLOOD + 1, PERSON))

    assert became == {"stored": MOST_WAITING, "refused": 1, "counted": FLOOD - MOST_WAITING - 1}
    assert grown < 3 * MB  # nearly all of it the ids of messages seen
    assert [claimed.incoming.conversation for claimed in served] == [PERSON, NEIGHBOUR]
    assert (refusals, again) == (1, "stored")
    assert not (await claimed_by(inbox, "last")).full


async def test_a_message_of_a_megabyte_is_not_kept_whole(redis: Redis) -> None:
    """What is kept of it is still too long for a question, so that its author is told; a command is cut, too."""
    inbox = inbox_on(redis, Scripts(redis))
    command = Command(name="forget", argument="a" * MB, addressed=True)

    await inbox.put(message("长" * MB, of=PERSON))
    await inbox.put(message(f"/forget {'a' * MB}", of=NEIGHBOUR, command=command))
    kept = [await claimed_by(inbox, name) for name in "ab"]

    assert [len(claimed.incoming.text) for claimed in kept] == [MOST_CHARS, MOST_CHARS]
    assert kept[1].incoming.command is not None
    assert len(kept[1].incoming.command.argument) == MOST_CHARS
    assert (await redis.memory_usage(f"{keys.inbox(0)}:body:{PERSON.id}") or 0) < 50_000

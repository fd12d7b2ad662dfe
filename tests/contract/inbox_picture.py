"""What Redis holds of an inbox, in the shape of the model's own picture."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from bot.message import Conversation
from bot.store import keys
from bot.turn import Exchange


async def picture_of(redis: Redis, conversations: Sequence[Conversation], partitions: int) -> dict[str, object]:
    """Due times, dead letters, and of each conversation mailbox, open turn, history and thread mark; one round trip."""
    async with redis.pipeline(transaction=False) as pipe:
        for partition in range(partitions):
            pipe.zrange(f"{keys.inbox(partition)}:due", 0, -1, withscores=True)
            pipe.zrange(f"{keys.inbox(partition)}:dead", 0, -1)
        for where in conversations:
            prefix = keys.inbox(keys.partition_of(where.id, partitions))
            pipe.lrange(f"{prefix}:mail:{where.id}", 0, -1)
            pipe.hkeys(f"{prefix}:body:{where.id}")
            pipe.hmget(f"{prefix}:turn:{where.id}", "id", "token", "attempts", "crashes")
            pipe.lrange(f"{prefix}:history:{where.id}", 0, -1)
            pipe.get(f"{prefix}:thread:{where.id}")
        answers = await pipe.execute()
    heads, tails = answers[: 2 * partitions], answers[2 * partitions :]
    state: dict[str, object] = {
        "due": {name.decode(): int(score) for due in heads[::2] for name, score in due},
        "dead": {name.decode() for dead in heads[1::2] for name in dead},
    }
    for where, mail, bodies, turn, history, thread in zip(conversations, *[iter(tails)] * 5, strict=True):
        assert set(bodies) == set(mail), "a message without its body, or a body without its message"
        entries = [entry.split(b":", 1) for entry in history]
        state[where.id] = (
            [name.decode() for name in mail],
            tuple(None if value is None else value.decode() for value in turn),
            [(int(arrived), Exchange.from_json(record)) for arrived, record in entries],
            None if thread is None else int(thread),
        )
    return state

"""What Redis holds of an inbox, in the shape of the model's own picture."""

from __future__ import annotations

from collections.abc import Sequence

from redis.asyncio import Redis

from bot.message import Conversation
from bot.store import keys
from bot.store.ledger import delivery_from_json
from bot.turn import Exchange


def turn_from(fields: dict[bytes, bytes]) -> tuple[object, ...] | None:
    """Id, token, attempts, crashes, whether told, the reply and what became of its parts; None if no turn is open."""
    if not fields:
        return None
    turn = {name.decode(): value.decode() for name, value in fields.items()}
    reply = turn.get("reply")
    sent = {int(name[1:]): value for name, value in turn.items() if name[0] == "s" and name[1:].isdigit()}
    return (
        turn["id"],
        turn.get("token"),
        int(turn["attempts"]),
        int(turn["crashes"]),
        "told" in turn,
        None if reply is None else delivery_from_json(reply.encode(), ()),
        sent,
    )


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
            pipe.hgetall(f"{prefix}:turn:{where.id}")
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
            turn_from(turn),
            [(int(arrived), Exchange.from_json(record)) for arrived, record in entries],
            None if thread is None else int(thread),
        )
    return state

"""How a turn is written down: what `claim.lua` returns, and the finished reply in the ledger.

Pure; the scripts that read and write the records are called by `bot.store.inbox`.
"""

from __future__ import annotations

import json
from typing import cast

from bot.message import Incoming, Part, SentId
from bot.ports import Claimed, Delivery
from bot.turn import Exchange


def delivery_to_json(delivery: Delivery) -> str:
    """A finished reply as the ledger keeps it; what became of its parts stands in fields of its own."""
    record = {
        "parts": [{"text": part.text, "entities": part.entities} for part in delivery.parts],
        "private": delivery.private,
        "outcome": delivery.outcome,
        "remember": None if delivery.remember is None else delivery.remember.to_json(),
        "dead": delivery.dead,
    }
    return json.dumps(record, ensure_ascii=False, separators=(",", ":"))


def delivery_from_json(text: bytes, sent: tuple[SentId | None, ...]) -> Delivery:
    """The inverse of `delivery_to_json`.

    Raises:
        ValueError, KeyError: not such a record.
    """
    record = json.loads(text)
    return Delivery(
        parts=tuple(Part(text=part["text"], entities=tuple(part["entities"])) for part in record["parts"]),
        sent=sent,
        private=record["private"],
        outcome=record["outcome"],
        remember=None if record["remember"] is None else Exchange.from_json(record["remember"]),
        dead=record["dead"],
    )


def claimed_from(answer: list[object], token: str) -> Claimed:
    """What `claim.lua` returned, as the worker knows it.

    Raises:
        ValueError, KeyError: the record of the message is not one of ours.
    """
    _, body, fields, exchanges = cast("tuple[bytes, bytes, list[bytes], list[bytes]]", answer)
    arrived_ms, full, record = body.split(b":", 2)
    turn = dict(zip(fields[::2], fields[1::2], strict=True))
    reply = turn.get(b"reply")
    return Claimed(
        incoming=Incoming.from_json(record),
        arrived_ms=int(arrived_ms),
        token=token,
        full=full == b"1",
        attempts=int(turn[b"attempts"]),
        crashes=int(turn[b"crashes"]) - 1,
        delivery=None if reply is None else delivery_from_json(reply, _sent(turn)),
        history=tuple(Exchange.from_json(entry.split(b":", 1)[1]) for entry in exchanges),
        told_waiting=b"told" in turn,
    )


def _sent(turn: dict[bytes, bytes]) -> tuple[SentId | None, ...]:
    sent: list[SentId | None] = []
    while (sent_id := turn.get(b"s%d" % len(sent))) is not None:
        sent.append(SentId(sent_id.decode()) if sent_id else None)
    return tuple(sent)

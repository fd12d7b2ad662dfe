"""How a turn is written down: what `claim.lua` returns, and the finished reply in the ledger.

Pure; the scripts that read and write the records are called by `bot.store.inbox`.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import cast

from bot.message import Incoming, Part, SentId
from bot.ports import Claimed, Delivery
from bot.turn import Exchange

log = logging.getLogger(__name__)


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
        ValueError, KeyError, TypeError: not such a record.
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
        ValueError, KeyError, TypeError: a record is not one of ours.
    """
    _, body, fields, exchanges, now_ms, *_ = cast(
        "tuple[bytes, bytes, list[bytes], list[bytes], int, int, int]", answer
    )
    arrived_ms, full, record = body.split(b":", 2)
    turn = dict(zip(fields[::2], fields[1::2], strict=True))
    reply = turn.get(b"reply")
    return Claimed(
        incoming=Incoming.from_json(record),
        arrived_ms=int(arrived_ms),
        token=token,
        full=full == b"1",
        retried=full == b"2",
        attempts=int(turn[b"attempts"]),
        crashes=int(turn[b"crashes"]) - int(turn.get(b"charged", 1)),
        spared=turn.get(b"charged") == b"0",
        delivery=None if reply is None else delivery_from_json(reply, _sent(turn)),
        history=tuple(_readable(exchanges)),
        told_waiting=b"told" in turn,
        failing=_since(turn.get(b"failing", b""), now_ms),
        has_place=turn.get(b"in_line") == b"1",
        waited=timedelta(milliseconds=max(0, now_ms - int(arrived_ms))),
    )


def _since(moment_ms: bytes, now_ms: int) -> timedelta:
    """Zero, too, of what is no moment, or ahead of a clock that was set back."""
    return timedelta(milliseconds=max(0, now_ms - int(moment_ms)) if moment_ms.isdigit() else 0)


def _readable(exchanges: list[bytes]) -> Iterator[Exchange]:
    """What can be read of a history: an old exchange is no reason not to answer."""
    for entry in exchanges:
        try:
            yield Exchange.from_json(entry.split(b":", 1)[1])
        except (ValueError, KeyError, TypeError, IndexError):
            log.warning("an exchange of a history cannot be read and is passed over")


def _sent(turn: dict[bytes, bytes]) -> tuple[SentId | None, ...]:
    sent: list[SentId | None] = []
    while (sent_id := turn.get(b"s%d" % len(sent))) is not None:
        sent.append(SentId(sent_id.decode()) if sent_id else None)
    return tuple(sent)

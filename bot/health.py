"""What `/readyz`, `/acceptz` and `/metrics` say of a running process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bot.documents import Documents
from bot.errors import StoreUnavailable
from bot.http.metrics import QueueState
from bot.message import Platform
from bot.ports import Receiver
from bot.store.dead import DeadLetters
from bot.store.inbox import RedisInbox


async def intake(stop: asyncio.Event, inbox: RedisInbox) -> list[str]:
    """Why no message can be taken now; empty when one can.

    What a platform says is no reason: Telegram cannot reach a webhook whose gateways were all taken out of routing
    because Telegram cannot reach it.
    """
    if stop.is_set():
        return ["stopping"]
    try:
        await inbox.check()
    except StoreUnavailable as error:
        # The kind alone: what it says of addresses is for the log.
        return [f"redis: nothing can be stored ({type(error.__cause__ or error).__name__})"]
    return []


async def readiness(
    stop: asyncio.Event, inbox: RedisInbox, receivers: Mapping[Platform, Receiver], documents: Documents | None
) -> list[str]:
    """Why messages cannot be answered now; empty when they can."""
    if stop.is_set():
        return ["stopping"]
    reasons = [f"{name}: {reason}" for name, receiver in receivers.items() if (reason := receiver.not_ready())]
    if documents is not None and not documents.done:
        reasons.append("knowledge: the documents are being read")
    return [*reasons, *await intake(stop, inbox)]


async def queue_state(inbox: RedisInbox, dead: DeadLetters) -> QueueState:
    """What waits and what was given up, for the metrics.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    (waiting, oldest), letters = await asyncio.gather(inbox.queue(), dead.count())
    return QueueState(waiting=waiting, oldest=oldest, dead=letters)

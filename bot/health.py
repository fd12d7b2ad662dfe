"""What `/readyz`, `/acceptz` and `/metrics` say of a running process."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from bot.documents import Documents
from bot.errors import StoreUnavailable
from bot.http.metrics import QueueState
from bot.message import Platform
from bot.ports import Receiver
from bot.store.inbox import RedisInbox
from bot.store.outage import meaning
from bot.unserved import Unserved

STORED_WITHIN = timedelta(seconds=2.5)
"""So long Redis may take to store a mark: a page that gave up waiting (`bot.http.app`) could not say for what."""


async def intake(stop: asyncio.Event, inbox: RedisInbox) -> list[str]:
    """Why no message can be taken now; empty when one can.

    What a platform says is no reason: Telegram cannot reach a webhook whose gateways were all taken out of routing
    because Telegram cannot reach it.
    """
    if stop.is_set():
        return ["stopping"]
    try:
        async with asyncio.timeout(STORED_WITHIN.total_seconds()):
            await inbox.check()
    except StoreUnavailable as error:
        return [_unstored(error.__cause__) if error.__cause__ else f"redis: nothing can be stored: {error}"]
    except TimeoutError as error:
        return [_unstored(error)]
    return []


def _unstored(error: BaseException) -> str:
    """The kind and what it means: what the error says of addresses is for the log."""
    words = meaning(error)
    return f"redis: nothing can be stored ({type(error).__name__})" + (f": {words}" if words else "")


async def readiness(
    stop: asyncio.Event,
    inbox: RedisInbox,
    receivers: Mapping[Platform, Receiver],
    documents: Documents | None,
    unserved: Unserved | None = None,
) -> list[str]:
    """Why messages cannot be answered now; empty when they can."""
    if stop.is_set():
        return ["stopping"]
    reasons = [f"{name}: {reason}" for name, receiver in receivers.items() if (reason := receiver.not_ready())]
    if unserved is not None:
        reasons += unserved.reasons()
    if documents is not None and not documents.done:
        reasons.append("knowledge: the documents are being read")
    return [*reasons, *await intake(stop, inbox)]


async def queue_state(inbox: RedisInbox, unserved: Unserved | None = None) -> QueueState:
    """What waits and what was given up, for the metrics.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    waiting, oldest, dead = await inbox.queue()
    if unserved is not None:
        # Redis takes them for put off, like those of a chat that is closed for a while.
        oldest = max(oldest, unserved.age())
    return QueueState(waiting=waiting, oldest=oldest, dead=dead)

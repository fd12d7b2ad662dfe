"""Waiting that ends early when a process is stopped."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta


async def pause(longest: timedelta, stop: asyncio.Event) -> None:
    """Wait so long, or until `stop` is set."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(longest.total_seconds()):
            await stop.wait()

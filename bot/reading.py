"""How much asyncio takes from the heap for each read from a socket.

For each read asyncio asks for a block of 256 KiB and then cuts it down to what came. What is allocated meanwhile lies
in the rest, so the next read finds no gap of that size and the heap grows, although no more of it is in use: by about
150 bytes for each Slack event, without end in 10,000 of them. Gaps of 32 KiB are found again.
"""

from __future__ import annotations

from asyncio import selector_events

BLOCK = 32 * 1024
"""Bytes of one read; more comes with the next. Our usual messages have a few hundred."""


def read_small_blocks() -> None:
    """From now on, of all connections of this process."""
    # The library has no setting for it, but the same attribute from Python 3.7 to 3.14.
    selector_events._SelectorTransport.max_size = BLOCK  # type: ignore[attr-defined]  # noqa: SLF001

"""How a process's memory is read into, and looked through, so that it stays level and nobody waits for it.

**Gaps.** For each read from a socket asyncio asks for a block of 256 KiB and then cuts it down to what came. What is
allocated meanwhile lies in the rest, so the next read finds no gap of that size and the heap grows: by about 150 bytes
a message, half of them Slack's, without end in 10,000 of them. Gaps of 32 KiB are found again.

**Garbage.** Once in a thousand messages or some, Python looks through all objects, and meanwhile nobody is answered.
Modules and settings are more than a hundred thousand: 80 ms in a gateway and 190 in a worker, on a busy machine. What
the start has made is set aside; the rest takes 2 and 11 ms.
"""

from __future__ import annotations

import gc
from asyncio import selector_events

BLOCK = 32 * 1024
"""Bytes of one read; more comes with the next. Our usual messages have a few hundred."""


def read_small_blocks() -> None:
    """From now on, of all connections of this process."""
    # The library has no setting for it; where this attribute of Python 3.11 is gone, its blocks stay as they are.
    transport = getattr(selector_events, "_SelectorTransport", None)
    if transport is not None:
        transport.max_size = BLOCK


def set_start_aside() -> None:
    """Call it once, when all is loaded: what there is now is not looked through again. Takes tenths of a second."""
    gc.collect()
    gc.freeze()
    # Counts anew how many objects there are: none.
    gc.collect()

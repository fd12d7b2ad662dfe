"""Lines from a file descriptor without blocking the event loop and without a thread.

A thread that waits in `stdin.readline` cannot be ended and can bring the interpreter down at exit; asyncio's pipe
reader makes the descriptor non-blocking, and with it the terminal that standard output shares. So the loop only
tells us when there is something to read. A regular file, which it cannot watch, is read in a worker thread: that
never waits for a person.
"""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import AsyncIterator

CHUNK_BYTES = 65_536
LINE_CHARS = 32_000
"""What a line has beyond it is passed over: endless input without a line break must neither fill the memory nor become
many messages."""


async def read_lines(descriptor: int) -> AsyncIterator[str]:
    """Each line without its end, the last one too if no line break follows it; ends with the input.

    Bytes that are not UTF-8 become U+FFFD. Cancelling it leaves the descriptor open and unwatched.
    """
    decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
    rest = ""
    while chunk := await _read_chunk(descriptor):
        *lines, rest = (rest + decode(chunk)).split("\n")
        rest = rest[:LINE_CHARS]
        for line in lines:
            yield line[:LINE_CHARS].removesuffix("\r")
    rest += decode(b"", final=True)
    if rest:
        yield rest


async def _read_chunk(descriptor: int) -> bytes:
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    try:
        loop.add_reader(descriptor, readable.set)
    except PermissionError:  # epoll's word for a regular file or /dev/null
        return await asyncio.to_thread(os.read, descriptor, CHUNK_BYTES)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(descriptor)
    try:
        return os.read(descriptor, CHUNK_BYTES)
    except OSError:  # the terminal went away (EIO): the same as its end
        return b""

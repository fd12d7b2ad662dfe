"""The process in which documents are opened: reads requests from its input, writes answers to its output.

Started by `bot.knowledge.readers`, which says why there is one. A request is a line {"path", "name"}; an answer is its
length in bytes (8 bytes, big-endian) and a JSON object: {"sha256", "title", "url", "sections"} or {"error"}, with
"last": true if the process ends after it. It ends with its input.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import resource
import struct
import sys
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from bot.errors import UnreadableDocument
from bot.knowledge.read import parse_content, read_content

NICENESS = 5
"""Answering people goes before reading documents."""


def main(memory_mb: str, seconds: str) -> None:
    """Answer requests until the input ends.

    Args:
        memory_mb: address space of this process, in MB of 2^20 bytes.
        seconds: of processor time for one document, then SIGXCPU ends this process.
    """
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # what a library prints is no answer
    _limit(resource.RLIMIT_AS, int(memory_mb) * 1024 * 1024)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    os.nice(NICENESS)
    for line in sys.stdin.buffer:
        used = resource.getrusage(resource.RUSAGE_SELF)
        with suppress(ValueError, OSError):
            most = math.ceil(used.ru_utime + used.ru_stime + float(seconds))
            resource.setrlimit(resource.RLIMIT_CPU, (most, resource.RLIM_INFINITY))
        request = json.loads(line)
        answer = _answer(Path(request["path"]), request["name"])
        # What is not given back, the next document would lack: it finds a new process.
        last = _address_space() > int(memory_mb) * 1024 * 1024 / 2
        data = answer[:-1] + (b', "last": true}' if last else b"}")
        out.write(struct.pack(">Q", len(data)) + data)
        out.flush()
        if last:
            return


def _answer(path: Path, name: str) -> bytes:
    """A JSON object."""
    try:
        content = read_content(path)
        document = asdict(parse_content(name, content))
        return json.dumps({**document, "sha256": hashlib.sha256(content).hexdigest()}).encode()
    except UnreadableDocument as error:
        return json.dumps({"error": str(error)}).encode()
    except MemoryError:
        pass  # what fills the memory hangs on the error: nothing can be said before it is gone
    except RecursionError:
        return b'{"error": "it is nested too deeply"}'
    except Exception as error:  # noqa: BLE001  (a library met what it does not know: this document's end, no other's)
        return json.dumps({"error": f"broken, or not what its name says ({type(error).__name__})"}).encode()
    return b'{"error": "reading it takes too much memory"}'


def _address_space() -> int:
    """Bytes that this process has mapped; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _limit(what: int, most: int) -> None:
    with suppress(ValueError, OSError):  # macOS knows no bound on address space
        resource.setrlimit(what, (most, most))

"""A pool of processes that read documents, so that no document can stop, fill or take over the one that serves.

A file comes from anywhere: it may be broken, endless, a bomb, or written against a weakness of a library. It is
therefore opened in a process of its own (`bot.knowledge.reader`) that has no secrets in its environment, may write no
file, and is bounded in memory and time; one that breaks down or takes too long is killed and replaced. What comes back
is JSON, checked here field by field. Processes are started when a document needs one, and none is left afterwards.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import signal
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import bot
from bot.errors import UnreadableDocument
from bot.knowledge.document import Document
from bot.knowledge.read import opened

SECONDS = 60.0
"""Of processor time for one document. A PDF of 1,000 pages takes a tenth of it; what takes longer spins."""
PATIENCE = 5
"""Times as long by the clock: a busy machine makes no document a bad one."""
MEMORY_MB = 1024
"""Address space of one process, in MB of 2^20 bytes."""
MAX_ANSWER_BYTES = 256 * 1024 * 1024
"""More than the longest text a reader may return (`bot.knowledge.read.MAX_CHARACTERS`), as JSON."""

_CHUNK_BYTES = 1024 * 1024
_LENGTH = struct.Struct(">Q")
_START = "import sys; sys.path.append(sys.argv[1]); from bot.knowledge.reader import main; main(*sys.argv[2:])"
_ROOT = str(Path(bot.__file__).resolve().parents[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A file as it was read.

    Attributes:
        sha256: of the very bytes that became the document, hexadecimal; the file may have changed since.
        document: what stands in it.
    """

    sha256: str
    document: Document


async def sha256_of(path: Path) -> str:
    """SHA-256 of a file, hexadecimal; works in a thread and holds a megabyte of it at a time.

    Raises:
        UnreadableDocument: see `bot.knowledge.read.opened`.
    """
    return await asyncio.to_thread(_sha256, path)


class _Breakdown(Exception):
    """A process gave no answer; says how it ended. Never leaves `Readers`."""


class Readers:
    """Reads documents, several at once; an async context manager, after which no process is left.

    Args:
        workers: how many documents are read at once, each in a process of its own; at least 1.
        seconds: of processor time for one document; by the clock it may be `PATIENCE` times as long.
        memory_mb: for one process, in MB of 2^20 bytes.
    """

    def __init__(self, workers: int, *, seconds: float = SECONDS, memory_mb: int = MEMORY_MB) -> None:
        self._free = asyncio.Semaphore(workers)
        self._idle: list[asyncio.subprocess.Process] = []
        self._seconds = seconds
        self._memory_mb = memory_mb

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._idle:
            await _end(self._idle.pop())

    async def read(self, path: Path, *, name: str) -> Reading:
        """The document in a file. Waits for a free process; if cancelled, the process is killed.

        Args:
            path: where the file is.
            name: path as ingested; its suffix says the format. Becomes `Document.path`.

        Raises:
            UnreadableDocument: with one line that says why; the pool goes on.
        """
        async with self._free:
            answer = None
            if self._idle:
                with suppress(_Breakdown):  # it may have been dead already, or worn out by the documents before
                    answer = await self._answer(self._idle.pop(), path, name)
            try:
                answer = answer or await self._answer(await self._started(), path, name)
            except _Breakdown as error:
                raise UnreadableDocument(str(error)) from None
        if "error" in answer:
            raise UnreadableDocument(_line(answer["error"]))
        return _reading(name, answer)

    async def _answer(self, process: asyncio.subprocess.Process, path: Path, name: str) -> dict[str, object]:
        """What a process says to a document; afterwards it is idle, or ended.

        Raises:
            UnreadableDocument: it took too long.
            _Breakdown: the process ended, or said what is no answer.
        """
        try:
            async with asyncio.timeout(self._seconds * PATIENCE):
                answer = await _exchange(process, {"path": str(path), "name": name})
        except TimeoutError:
            await _end(process)
            raise UnreadableDocument(self._too_long()) from None
        except (asyncio.IncompleteReadError, OSError, ValueError, RecursionError):
            signal_name = await _ended_by(process)
            if signal_name == "SIGXCPU":
                raise UnreadableDocument(self._too_long()) from None
            raise _Breakdown(f"reading it broke down ({signal_name})") from None
        except asyncio.CancelledError:
            await asyncio.shield(_end(process))
            raise
        if answer.get("last"):
            await _end(process)
        else:
            self._idle.append(process)
        return answer

    def _too_long(self) -> str:
        return f"reading it took longer than {self._seconds:g} s"

    async def _started(self) -> asyncio.subprocess.Process:
        try:
            # A group of its own: Ctrl-C is ours to handle. No environment: no secrets where documents are opened.
            return await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-X", "utf8", "-c", _START, _ROOT),
                *(str(self._memory_mb), str(self._seconds)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={},
                start_new_session=True,
            )
        except OSError as error:
            raise UnreadableDocument(f"no process to read it could be started: {error.strerror}") from error


async def _exchange(process: asyncio.subprocess.Process, request: dict[str, str]) -> dict[str, object]:
    """One request, one answer; ValueError if the answer is none."""
    if process.stdin is None or process.stdout is None:
        raise ValueError("no pipes")
    process.stdin.write(json.dumps(request).encode() + b"\n")
    await process.stdin.drain()
    (length,) = _LENGTH.unpack(await process.stdout.readexactly(_LENGTH.size))
    if length > MAX_ANSWER_BYTES:
        raise ValueError("too long")
    answer = json.loads(await process.stdout.readexactly(length))
    if not isinstance(answer, dict):
        raise ValueError("no object")
    return answer


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.communicate()


async def _ended_by(process: asyncio.subprocess.Process) -> str:
    """The signal that ended a process which gave no answer, or its exit code; it may have said something else."""
    with suppress(TimeoutError):
        async with asyncio.timeout(1):
            await process.wait()  # it is ending by itself; how, is what we want to know
    code = process.returncode
    await _end(process)
    if code is None:
        return "no answer of ours"
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"


def _reading(name: str, answer: dict[str, object]) -> Reading:
    """The answer, of which nothing is believed but its types.

    Raises:
        UnreadableDocument: it has other fields or types.
    """
    match answer:
        case {"sha256": str(sha256), "title": str(title), "url": str(url), "sections": list(sections)} if all(
            isinstance(section, list) and len(section) == 2 and all(isinstance(text, str) for text in section)
            for section in sections
        ):
            kept = tuple((_sound(place), _sound(text)) for place, text in sections)
            document = Document(path=name, title=_sound(title), url=_sound(url), sections=kept)
            return Reading(sha256=sha256, document=document)
    raise UnreadableDocument("reading it broke down")


def _sound(text: str) -> str:
    """Halves of surrogate pairs, which JSON can spell and nothing can store, become question marks."""
    return text.encode("utf-8", "replace").decode()


def _line(reason: object) -> str:
    return " ".join(str(reason).split())[:300]


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with opened(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()

"""Lines read from real descriptors."""

from __future__ import annotations

import asyncio
import os
import pty
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.terminal import lines
from adapters.terminal.lines import read_lines


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Both ends of a pipe."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


async def test_lines_of_a_pipe(pipe: tuple[int, int]) -> None:
    """Each line without its end, the unfinished last one too, and no byte out of place."""
    reader, writer = pipe
    os.write(writer, "one\r\n\n二\nlast".encode())
    os.close(writer)

    assert [line async for line in read_lines(reader)] == ["one", "", "二", "last"]


async def test_characters_cut_between_two_reads(pipe: tuple[int, int]) -> None:
    """A character that comes in two pieces is one character; bytes that are none become U+FFFD."""
    reader, writer = pipe
    found = read_lines(reader)
    first = asyncio.ensure_future(anext(found))
    for byte in "二\n".encode():
        os.write(writer, bytes([byte]))
        await asyncio.sleep(0)
    os.write(writer, b"\xff\n")
    os.close(writer)

    assert [await first, *[line async for line in found]] == ["二", "\ufffd"]


async def test_waiting_does_not_block_the_loop(pipe: tuple[int, int]) -> None:
    """While nothing is typed, everything else goes on, and the waiting can be cancelled."""
    reader, writer = pipe
    waiting = asyncio.ensure_future(anext(read_lines(reader)))

    await asyncio.wait([waiting], timeout=0.05)
    done = waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    os.close(writer)

    assert not done


async def test_lines_of_a_file(tmp_path: Path) -> None:
    """A regular file, which no event loop can watch, is read as well."""
    file = tmp_path / "questions"
    file.write_text("one\ntwo\n")
    descriptor = os.open(file, os.O_RDONLY)

    found = [line async for line in read_lines(descriptor)]
    os.close(descriptor)

    assert found == ["one", "two"]


async def test_no_input() -> None:
    """Input from /dev/null is none."""
    descriptor = os.open(os.devnull, os.O_RDONLY)

    found = [line async for line in read_lines(descriptor)]
    os.close(descriptor)

    assert found == []


async def test_lines_of_a_terminal() -> None:
    """A real terminal gives its lines, stays in blocking mode, and its disappearance is the end."""
    master, slave = pty.openpty()
    tty.setcbreak(slave)
    found = read_lines(slave)
    os.write(master, b"hello\n")

    first = await anext(found)
    blocking = os.get_blocking(slave)
    os.close(master)
    rest = [line async for line in found]
    os.close(slave)

    assert (first, blocking, rest) == ("hello", True, [])


async def test_a_line_without_end(pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its beginning is handed on, once; the rest is passed over instead of filling the memory, the next line is not."""
    monkeypatch.setattr(lines, "LINE_CHARS", 10)
    reader, writer = pipe
    monkeypatch.setattr(lines, "CHUNK_BYTES", 8)
    os.write(writer, b"x" * 25 + b"\nnext\n" + b"y" * 25)
    os.close(writer)

    assert [line async for line in read_lines(reader)] == ["x" * 10, "next", "y" * 10]

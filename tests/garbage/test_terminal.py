"""Lines that no keyboard writes: each is answered, or passed over, and the chat ends by itself."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from hypothesis import strategies as st

from tests.garbage.hostile import EXAMPLES, generated
from tests.process.conftest import World, opened_world
from tests.process.running import ROOT, environment

_BYTES = st.binary(max_size=60) | st.text(max_size=30).map(lambda text: text.encode("utf-8", "surrogatepass"))
_LINES = st.one_of(
    _BYTES,
    st.sampled_from([b"\0", b"\x1b[2J", b"\r", b"\xed\xa0\x80", b"\xff\xfe", b"/", b"/quitx", "\u202e/help".encode()]),
)


async def test_lines_of_any_bytes() -> None:
    """Among them one of a megabyte; the last one, a question, is answered like any other."""
    lines = [line.replace(b"\n", b"") for line in generated(_LINES, min(EXAMPLES, 2_000))]
    typed = [line for line in lines if line.strip().lower() not in (b"/quit", b"/exit")]
    typed[len(typed) // 2 : 0] = [b"x" * 1_000_000]
    async with opened_world() as world:
        world.model.reply("An answer.")
        code, output, errors = await _chat(world, b"\n".join([*typed, b"And now?", b""]))
    assert (code, errors.count(b"\n"), errors[:7]) == (0, 1, b"Redis: "), (
        "it says which Redis it asks, and nothing else"
    )
    assert output.count("longer than") <= 1
    assert "\x1b" not in output
    assert output.rstrip().endswith("An answer.")
    assert world.asked("And now?")


async def _chat(world: World, typed: bytes) -> tuple[int | None, str, bytes]:
    settings = {"FRONTDESK_KNOWLEDGE__PATHS": json.dumps([]), **world.with_model(), **world.unlimited()}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "chat"),
        cwd=ROOT,
        env=environment(world.folder, settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(100 + EXAMPLES):
            output, errors = await process.communicate(typed)
    finally:
        if process.returncode is None:
            os.killpg(process.pid, 9)
            await process.wait()
    return process.returncode, output.decode(), errors

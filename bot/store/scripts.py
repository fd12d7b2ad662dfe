"""The Lua scripts, one file per atomic act, and the one way to run them.

Each file in `lua/` is loaded once, with `prelude.lua` before it, and called by the SHA-1 of the whole. The files
document their keys, arguments and results; the typed functions over them are the methods of the stores.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from hashlib import sha1
from importlib.resources import files
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import NoScriptError

from bot.store.client import translated

Argument = str | bytes | int
LUA = files("bot.store") / "lua"


def milliseconds(duration: timedelta) -> int:
    """A duration as Redis takes it."""
    return duration // timedelta(milliseconds=1)


def source(name: str) -> str:
    """The text of a script as Redis runs it: prelude and act.

    Raises:
        FileNotFoundError: there is no script of that name.
    """
    return (LUA / "prelude.lua").read_text() + (LUA / f"{name}.lua").read_text()


class Scripts:
    """Runs scripts on one Redis. `now_ms` moves their clock; it is set by tests only."""

    def __init__(self, redis: Redis, *, now_ms: int | None = None) -> None:
        self._send = cast("Callable[..., Awaitable[object]]", redis.execute_command)  # untyped in redis-py
        self._loaded: dict[str, tuple[str, str]] = {}
        self.now_ms = now_ms

    @property
    def now(self) -> str:
        """The clock argument: empty, so that scripts ask Redis, unless a test set it."""
        return "" if self.now_ms is None else str(self.now_ms)

    async def run(self, name: str, keys: Sequence[str], *arguments: Argument) -> object:
        """Run a script by name: EVALSHA, one round trip; after a restart of Redis an EVAL once.

        Returns:
            What the script returns: bytes, int, None or a list of these.

        Raises:
            StoreUnavailable: Redis did not answer; the script may have run, and may safely run again.
        """
        text, sha = self._load(name)
        with translated(name):
            try:
                return await self._send("EVALSHA", sha, len(keys), *keys, *arguments)
            except NoScriptError:
                return await self._send("EVAL", text, len(keys), *keys, *arguments)

    def _load(self, name: str) -> tuple[str, str]:
        if name not in self._loaded:
            text = source(name)
            self._loaded[name] = text, sha1(text.encode(), usedforsecurity=False).hexdigest()
        return self._loaded[name]

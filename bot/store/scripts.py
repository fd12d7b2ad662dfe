"""The Lua scripts, one file per atomic act, and the one way to run them.

Each file in `lua/` is loaded once, with `prelude.lua` before it, and called by the SHA-1 of the whole. The files
document their keys, arguments and results; the typed functions over them are the methods of the stores.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from hashlib import sha1
from importlib.resources import files
from typing import Literal, cast

from redis.exceptions import NoScriptError

from bot.errors import StoreUnavailable
from bot.store.client import translated
from bot.store.cluster import Client, on_one_connection
from bot.store.keys import CHECK_MS

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


Durability = Literal["memory", "fsync", "replica"]
"""What "done" means for an act that must last: in the server's memory, on its disk, or on a second server too."""
LAST_WITHIN = timedelta(seconds=2)
"""How long disk or replica may take; Slack waits 3 s for its acknowledgement."""
TRIED_FOR = timedelta(seconds=7)
"""All attempts of an act that must last: less than half of the default lease, so that its turn can be renewed."""


class Scripts:
    """Runs scripts on one Redis.

    Args:
        redis: a bytes client, RESP3; in a cluster the keys of one act lie in one slot.
        durability: what is waited for after an act that must last.
        now_ms: moves the scripts' clock; set by tests only.
    """

    def __init__(self, redis: Client, *, durability: Durability = "memory", now_ms: int | None = None) -> None:
        self.redis = redis
        self._send = cast("Callable[..., Awaitable[object]]", redis.execute_command)  # untyped in redis-py
        self.durability = durability
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

    async def run_lasting(self, name: str, keys: Sequence[str], *arguments: Argument) -> object:
        """Run a script of an inbox partition and wait until what it wrote is as durable as was asked for.

        WAITAOF or WAIT on the same connection, in the same round trip; with `memory` it is `run`. Both wait for what
        that connection wrote, and a script that finds its work done writes nothing: so there is a write between.

        Raises:
            StoreUnavailable: as `run`, after `TRIED_FOR` at most; or it has run, and is not that durable within
                `LAST_WITHIN`.
        """
        if self.durability == "memory":
            return await self.run(name, keys, *arguments)
        text, sha = self._load(name)
        wait_ms = milliseconds(LAST_WITHIN)
        wait = ("WAITAOF", 1, 0, wait_ms) if self.durability == "fsync" else ("WAIT", 1, wait_ms)
        with translated(name):
            async with asyncio.timeout(TRIED_FOR.total_seconds()):
                called = len(keys), *keys, *arguments
                after = ("SET", f"{keys[0]}:checked", 1, "PX", CHECK_MS), wait
                replies = await on_one_connection(self.redis, keys[0], [("EVALSHA", sha, *called), *after])
                if isinstance(replies[0], NoScriptError):
                    replies = await on_one_connection(self.redis, keys[0], [("EVAL", text, *called), *after])
                for reply in replies:
                    if isinstance(reply, Exception):
                        raise reply
        answer, _, reached = replies
        places = reached[0] if isinstance(reached, list) else reached
        if not isinstance(places, int) or places < 1:
            raise StoreUnavailable(f"{name}: not {self.durability} within {LAST_WITHIN.total_seconds():g} s")
        return answer

    def _load(self, name: str) -> tuple[str, str]:
        if name not in self._loaded:
            text = source(name)
            self._loaded[name] = text, sha1(text.encode(), usedforsecurity=False).hexdigest()
        return self._loaded[name]

"""What holds of every script: known again after a restart, safe to run twice, and in one slot."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import cast

import pytest
from redis.asyncio import Redis
from redis.crc import key_slot
from redis.exceptions import ResponseError

from bot.errors import StoreUnavailable
from bot.store.scripts import LUA, Argument, Scripts, source
from tests.contract.everything import use_everything
from tests.contract.samples import START_MS, inbox_on, incoming

NAMES = {path.name.removesuffix(".lua") for path in LUA.iterdir() if path.name.endswith(".lua")} - {"prelude"}
SAME_ANSWER = NAMES - {
    "put",  # the second run finds the message seen
    *("settle", "bury", "defer", "release", "tell_waiting"),  # what they end or book is ended or booked
    *("switch_document", "drop_passages"),  # the second run finds its own work
    "answer_lead",  # who gave up the lead does not lead
    *("dead_retry", "dead_drop"),  # the second run finds the letter gone
    "leader_leave",  # who left does not lead
    "take",  # takes twice
}
"""Scripts that answer a retry as they answered the first time."""
RUNS_SPOILT = 2
PUT_BACK = """
redis.call('FLUSHALL')
for i, key in ipairs(KEYS) do
  redis.call('RESTORE', key, 100000, ARGV[i])
end
"""
COUNTERS = {b"attempts", b"crashes"}
"""Whole numbers, or not there: a claim reads them first, and a message whose turn cannot be read is buried. The epoch
of a knowledge base is the third."""


class TwiceScripts(Scripts):
    """Runs each script twice, as the client does after a timeout, and compares what is stored."""

    def __init__(self, redis: Redis) -> None:
        super().__init__(redis, now_ms=START_MS)
        self._redis = redis
        self.ran: set[str] = set()

    async def run(self, name: str, keys: Sequence[str], *arguments: Argument) -> object:
        """Run, look, run again, look again."""
        first = await super().run(name, keys, *arguments)
        before = await picture(self._redis)
        second = await super().run(name, keys, *arguments)
        if name != "take":
            assert await picture(self._redis) == before, f"{name} run twice"
        if name in SAME_ANSWER:
            assert second == first, f"{name} answered a retry differently"
        self.ran.add(name)
        return first


class MarkingScripts(Scripts):
    """Says in the server's own record of commands where each script ends."""

    async def run(self, name: str, keys: Sequence[str], *arguments: Argument) -> object:
        """Run, and echo the name."""
        answer = await super().run(name, keys, *arguments)
        await self._send("ECHO", f"end-of-{name}")
        return answer


class SpoilingScripts(Scripts):
    """Has each script, in the last of its `runs`, meet each value that another version of ours might have left, too."""

    def __init__(self, redis: Redis, runs: Counter[str] | None = None) -> None:
        super().__init__(redis, now_ms=START_MS)
        self._redis = redis
        self._of = runs
        self.runs: Counter[str] = Counter()
        self.ended: set[str] = set()

    async def run(self, name: str, keys: Sequence[str], *arguments: Argument) -> object:
        """Spoil one value, run, put all back, and so on; then run for good."""
        self.runs[name] += 1
        if self._of is None or self.runs[name] <= self._of[name] - RUNS_SPOILT:
            return await super().run(name, keys, *arguments)
        kept = {key: cast("bytes", await self._redis.dump(key)) for key in await self._keys()}
        slot = key_slot(keys[0].encode())
        for key in [key for key in kept if key_slot(key) == slot]:
            for what, spoil in await self._ways_to_spoil(key):
                await spoil()
                try:
                    await super().run(name, keys, *arguments)
                except StoreUnavailable as error:
                    self.ended.add(f"{name} by {what} of {key.decode()}: {error.__cause__}")
                await self._redis.eval(PUT_BACK, len(kept), *kept, *kept.values())
        return await super().run(name, keys, *arguments)

    async def _keys(self) -> list[bytes]:
        return cast("list[bytes]", await self._redis.keys())

    async def _ways_to_spoil(self, key: bytes) -> list[tuple[str, Callable[[], Awaitable[object]]]]:
        redis = self._redis
        match await redis.type(key):
            case b"string" if not key.endswith(b":epoch"):
                return [("its value", partial(redis.set, key, "?", keepttl=True))]
            case b"list":
                return [("its last entry", partial(redis.lset, key, -1, "?"))]
            case b"hash":
                fields = await redis.hkeys(key)
                values = [field for field in fields if field not in COUNTERS]
                return [
                    *((f"{field!r}", partial(redis.hset, key, field, "?")) for field in values),
                    *((f"no {field!r}", partial(redis.hdel, key, field)) for field in fields),
                ]
            case _:
                return []


async def picture(redis: Redis) -> dict[str, tuple[object, bool]]:
    """Every key, its content and whether it has a TTL."""
    kept: dict[str, tuple[object, bool]] = {}
    async for name in redis.scan_iter():
        match await redis.type(name):
            case b"string":
                content: object = await redis.get(name)
            case b"hash":
                content = await redis.hgetall(name)
            case b"list":
                content = await redis.lrange(name, 0, -1)
            case b"set":
                content = await redis.smembers(name)
            case b"zset":
                content = await redis.zrange(name, 0, -1, withscores=True)
            case _:
                content = await redis.xrange(name)
        kept[name.decode()] = content, await redis.pttl(name) > 0
    return kept


async def test_running_twice_changes_nothing_more(redis: Redis) -> None:
    """Of all scripts but the one that says so: what is stored after the second run is what was after the first."""
    scripts = TwiceScripts(redis)

    await use_everything(redis, scripts)

    assert scripts.ran == NAMES


async def test_no_script_is_ended_by_what_it_finds(redis: Redis) -> None:
    """A value that is not what we write, or a field that is missing: else the act would be tried again for ever."""
    counting = SpoilingScripts(redis)
    await use_everything(redis, counting)
    await redis.flushall()
    scripts = SpoilingScripts(redis, counting.runs)

    await use_everything(redis, scripts)

    assert scripts.ended == set()


async def test_each_script_keeps_to_one_slot(redis: Redis) -> None:
    """All keys that a script touches, declared or built, lie in one slot: so it runs on Redis Cluster too."""
    touched: dict[str, set[int]] = {}
    keys: set[str] = set()

    async with redis.monitor() as monitor:
        await use_everything(redis, MarkingScripts(redis))
        await redis.echo("all")
        while not (record := await asyncio.wait_for(monitor.next_command(), 10))["command"].startswith("ECHO all"):
            command = record["command"].split(" ")
            if command[0] == "ECHO":
                slots = {key_slot(key.encode()) for key in keys}
                assert len(slots) == 1, f"{command[1]} touches {sorted(keys)}"
                touched.setdefault(command[1].removeprefix("end-of-"), set()).update(slots)
                keys = set()
            elif record["client_type"] == "lua" and command[0].upper() != "PUBLISH":
                keys.update(word for word in command[1:] if word.startswith("fd:"))

    assert set(touched) == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
async def test_each_script_compiles(redis: Redis, name: str) -> None:
    """With the prelude before it."""
    assert len(await redis.script_load(source(name))) == 40


async def test_a_server_that_forgot_the_scripts_gets_them_again(redis: Redis) -> None:
    """After SCRIPT FLUSH, as after a restart, each act works as before, and once."""
    inbox = inbox_on(redis, Scripts(redis, now_ms=START_MS))
    await redis.script_flush()
    first = await inbox.put(incoming(1))
    await redis.script_flush()

    second = await inbox.put(incoming(1))
    claimed = await inbox.claim("t")

    assert (first, second) == ("stored", "duplicate")
    assert claimed is not None


async def test_a_known_script_goes_by_its_name_alone(redis: Redis) -> None:
    """The text crosses the wire once; afterwards each act is one round trip."""
    inbox = inbox_on(redis, Scripts(redis))
    await inbox.put(incoming(1))
    await redis.config_resetstat()

    await inbox.put(incoming(2))

    calls = {name.removeprefix("cmdstat_"): stat["calls"] for name, stat in (await redis.info("commandstats")).items()}
    assert calls["evalsha"] == 1
    assert "eval" not in calls


async def test_an_error_of_a_script_is_the_stores(redis: Redis) -> None:
    """No error of the library passes, and none that quotes what people wrote."""
    await redis.set("fd:{p0}:mail:x", "no list")
    given: list[str | int] = ["x", "1", "secret", 0, "direct", 1, 1, 1, "u", "p", 1, "bell", "", "", ""]

    with pytest.raises(StoreUnavailable) as caught:
        await Scripts(redis).run("put", ["fd:{p0}"], *given)

    assert "secret" not in str(caught.value)
    assert isinstance(caught.value.__cause__, ResponseError)

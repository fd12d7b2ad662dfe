"""That Redis is away stands in the log once, with what to do, and once that it is back."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import OutOfMemoryError, ResponseError

from bot.errors import StoreUnavailable
from bot.store import client as client_module
from bot.store import outage as outage_module
from bot.store.client import connect
from bot.store.doorbell import RedisDoorbell
from bot.store.outage import Outage, meaning
from bot.store.scripts import Scripts
from tests.contract.samples import inbox_on, incoming
from tests.servers.proxy import Proxy
from tests.servers.redis import redis_server


@pytest.fixture
async def server() -> AsyncIterator[str]:
    """A server of the test's own, to be spoilt."""
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder, redis_server(Path(folder)) as url:
        yield url


@pytest.fixture(autouse=True)
def outage(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """That of a process that has just begun, and in which a moment without failures is enough."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(client_module, "outage", Outage())
    monkeypatch.setattr(outage_module, "WELL_S", 0.05)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said of Redis itself."""
    return [one.getMessage() for one in caplog.records if one.name == outage_module.__name__]


async def comes_true(holds: Callable[[], object]) -> None:
    """Wait for it."""
    async with asyncio.timeout(20):
        while not holds():  # noqa: ASYNC110 - lines in a log
            await asyncio.sleep(0.01)


async def moment_has_passed() -> None:
    """Whatever was to be said by now has been: timers of one length end in the order in which they were set."""
    await asyncio.sleep(outage_module.WELL_S)


async def test_what_failed_long_ago_hides_no_outage(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """An act that is seldom done never says that it is done again."""
    outage = Outage()
    outage.failed("forget", ConnectionError(), "no")
    outage.failed("put", ConnectionError(), "no")
    monkeypatch.setattr(outage_module, "FORGOTTEN_S", -1.0)
    outage.failed("put", ConnectionError(), "no")

    assert said(caplog) == ["Redis is away: it cannot be reached (no)"] * 2


async def test_an_outage_is_said_once_and_once_its_end(server: str, caplog: pytest.LogCaptureFixture) -> None:
    """However many fail, and however often; a doorbell that is being set up knows nothing of the server yet."""
    async with Proxy(unix=server.removeprefix("unix://")) as proxy:
        redis = connect(f"redis://127.0.0.1:{proxy.port}", retries=0)
        inbox, doorbell = inbox_on(redis, Scripts(redis)), RedisDoorbell(redis)
        ringing = asyncio.create_task(doorbell.run())
        await inbox.check()
        proxy.refuse()
        proxy.cut()
        for act in (inbox.check, inbox.check, inbox.queue):
            with pytest.raises(StoreUnavailable):
                await act()
        await comes_true(lambda: any(one.name == "bot.store.doorbell" for one in caplog.records))
        while_away = said(caplog)
        proxy.heal()
        await inbox.check()
        await comes_true(lambda: len(said(caplog)) > 1)
        ringing.cancel()
        with suppress(asyncio.CancelledError):
            await ringing
        await redis.aclose()

    (line,) = while_away
    assert line.startswith("Redis is away: it cannot be reached (ConnectionError: ")
    assert said(caplog)[1:] == ["Redis is back; it was away for 0 s"]
    assert [one.levelname for one in caplog.records if one.name == outage_module.__name__] == ["ERROR", "INFO"]


async def test_a_full_server_is_not_back_because_it_reads(server: str, caplog: pytest.LogCaptureFixture) -> None:
    """It says what to do, and what only reads says nothing."""
    redis = Redis.from_url(server, protocol=3)
    inbox = inbox_on(redis, Scripts(redis))
    await redis.config_set("maxmemory", 1)
    with pytest.raises(StoreUnavailable):
        await inbox.put(incoming(1))
    await inbox.queue()
    await moment_has_passed()
    while_full = said(caplog)
    await redis.config_set("maxmemory", 0)
    await inbox.put(incoming(1))
    await comes_true(lambda: len(said(caplog)) > 1)
    await redis.aclose()

    words = "it is full and takes no writes: give it a higher maxmemory, or make room in it"
    assert while_full == [f"Redis is away: {words} (OutOfMemoryError)"]


async def test_what_comes_and_goes_is_one_outage(server: str, caplog: pytest.LogCaptureFixture) -> None:
    """A failure after a success, before enough time has passed, and the end is not said."""
    redis = Redis.from_url(server, protocol=3)
    inbox = inbox_on(redis, Scripts(redis))
    for maxmemory in (1, 0, 1):
        await redis.config_set("maxmemory", maxmemory)
        with suppress(StoreUnavailable):
            await inbox.check()
    await moment_has_passed()
    await redis.aclose()

    assert len(said(caplog)) == 1


def test_what_only_this_act_met_is_no_outage() -> None:
    """And what the server said, which may quote people, is not repeated."""
    assert meaning(ResponseError("Syntax error at offset 3 near refunds")) is None
    assert meaning(OutOfMemoryError("command not allowed: refunds")) == meaning(OutOfMemoryError())
    assert meaning(ResponseError("MISCONF Errors writing to the AOF file: No space left on device")) is not None

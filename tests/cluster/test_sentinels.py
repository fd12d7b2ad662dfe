"""Sentinels: their failover is followed, and what is wrong with them is said at start as what it is."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from bot.errors import StartError, StoreUnavailable
from bot.store.client import connect
from bot.store.probe import probe
from bot.store.scripts import Scripts
from tests.contract.samples import claimed_by, inbox_on, incoming
from tests.servers.redis_sentinel import RedisSentinel, redis_sentinel


@pytest.fixture(scope="module")
def pair() -> Iterator[RedisSentinel]:
    """A primary and its replica, watched by two Sentinels; after a failover it is not put right again."""
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as folder, redis_sentinel(Path(folder)) as pair:
        yield pair


async def test_sentinels_that_refuse_us_are_not_taken_for_away(pair: RedisSentinel) -> None:
    """A wrong or missing password of theirs, and a wrong name: each says what to do, and shows no secret."""
    with ExitStack() as stack:
        for one in pair.sentinels:
            client = stack.enter_context(one.client())
            client.execute_command("ACL", "SETUSER", "default", "resetpass", ">correct-horse")
            # This connection stays in.
            stack.callback(client.execute_command, "ACL", "SETUSER", "default", "nopass")
        missing, wrong = await refusal(pair.url), await refusal(f"{pair.url}?sentinel_password=hunter2")
        right = connect(f"{pair.url}?sentinel_password=correct-horse")
        await right.ping()
        await right.aclose()
    unknown = await refusal(pair.url.replace("/frontdesk", "/elsewhere"))

    for said in (missing, wrong):
        assert "is behind Sentinels that do not let us in: give theirs in REDIS_URL by ?sentinel_username=" in said
        assert "a Sentinel does not take our user or password" in said
        assert "hunter2" not in said
        assert "correct-horse" not in said
    assert "/elsewhere is not known to its Sentinels, or away" in unknown


async def refusal(url: str) -> str:
    """How a start with this address ends, and what is said of a command while the bot runs."""
    client = connect(url)
    with pytest.raises(StartError) as caught:
        await probe(client, url=url)
    with pytest.raises(StoreUnavailable) as running:
        await Scripts(client).run("check", ["fd:{p0}"], 1000)
    await client.aclose()
    return f"{caught.value} {running.value}"


async def test_a_primary_that_would_go_on_alone_is_warned_about(
    pair: RedisSentinel, caplog: pytest.LogCaptureFixture
) -> None:
    """Cut off from Sentinels and replica it would take messages that are lost; not where it refuses by itself."""
    await asyncio.to_thread(pair.wait_whole)  # another test may have had it fail over
    client, primary = connect(pair.url), await asyncio.to_thread(lambda: pair.primary)
    await probe(client, url=pair.url)
    warned = caplog.text
    caplog.clear()
    primary.ask("CONFIG", "SET", "min-replicas-to-write", 1)
    try:
        await probe(client, url=pair.url)
    finally:
        primary.ask("CONFIG", "SET", "min-replicas-to-write", 0)
        await client.aclose()

    assert "set min-replicas-to-write 1 and min-replicas-max-lag 10" in warned
    assert "min-replicas-to-write" not in caplog.text


async def test_sentinels_lead_to_the_new_primary(pair: RedisSentinel) -> None:
    """The primary hangs: the command is tried again at the one that the Sentinels have made since, and is done."""
    client = connect(pair.url)
    lasting, inbox = (inbox_on(client, Scripts(client, durability=how)) for how in ("replica", "memory"))
    for number in range(10):
        await lasting.put(incoming(number))
    before = await asyncio.to_thread(lambda: pair.primary)
    before.halt()
    try:
        # However long they take to agree; our connection to the old one stays open meanwhile.
        await asyncio.to_thread(pair.wait_next, before)
        stored = await inbox.put(incoming(10))
    finally:
        before.go_on()
    found = []
    for number in range(11):
        claimed = await claimed_by(inbox, f"t{number}")
        found.append(claimed.incoming.id)
        await inbox.settle(claimed, None)
    facts = await probe(client, url=pair.url)
    await client.aclose()

    assert (stored, facts.primaries) == ("stored", 1)
    assert found == [incoming(number).id for number in range(11)]

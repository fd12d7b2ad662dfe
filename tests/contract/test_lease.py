"""Leases over several servers, of which one hangs: the others' are renewed, and no turn is mixed up with another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from bot.errors import StoreUnavailable
from bot.lease import Lease, renew
from bot.store import keys
from bot.store.scripts import Argument, Scripts
from tests.contract.samples import claimed_by, conversation, inbox_on, incoming

SERVERS = 3
SHORT = timedelta(milliseconds=300)
USERS = {keys.partition_of(conversation(user).id, SERVERS): user for user in map(str, range(20))}


class ManyServers(Scripts):
    """One for each partition. Those that hang carry a script out, and their answers do not come.

    Attributes:
        hang: the servers.
        lose: answers of these are lost at once.
    """

    hang: frozenset[int] = frozenset()
    lose: frozenset[int] = frozenset()

    async def run(self, name: str, keys: Sequence[str], *arguments: Argument) -> object:
        """As on one."""
        answer = await super().run(name, keys, *arguments)
        if keys[0] in map(prefix, self.hang):
            await asyncio.Event().wait()
        if keys[0] in map(prefix, self.lose):
            raise StoreUnavailable(f"{name}: TimeoutError")
        return answer


def prefix(server: int) -> str:
    """Of the keys that lie there."""
    return keys.inbox(server)


async def test_a_server_that_hangs_keeps_no_others_leases(redis: Redis) -> None:
    """Theirs are prolonged, and asked for again in time; its own stay as they are."""
    scripts = ManyServers(redis)
    inbox = inbox_on(redis, scripts, partitions=SERVERS)
    leases = {}
    for server, user in USERS.items():
        await inbox.put(incoming(server, conversation(user)))
        leases[server] = Lease(await claimed_by(inbox, f"t{server}"), asked_at=time.monotonic(), duration=SHORT)
    by_server = {keys.partition_of(one.claimed.incoming.conversation.id, SERVERS): one for one in leases.values()}
    scripts.hang = frozenset({1})
    async with asyncio.timeout(20):
        for _ in range(3):
            await renew(inbox, list(leases.values()))

    # Without a renewal three thirds of it would be over.
    assert {server for server, lease in by_server.items() if lease.holds_for(timedelta(0))} == {0, 2}


async def test_two_servers_whose_answers_are_lost_do_not_share_a_token(redis: Redis) -> None:
    """Each turn has one of its own, also those that were given in vain and are found later."""
    scripts = ManyServers(redis)
    inbox = inbox_on(redis, scripts, partitions=SERVERS)
    for server in (0, 1):
        await inbox.put(incoming(server, conversation(USERS[server])))
    scripts.lose = frozenset({0, 1})
    for number in range(2):
        with pytest.raises(StoreUnavailable):
            await inbox.claim(f"lost{number}")
    scripts.lose = frozenset()
    await inbox.put(incoming(2, conversation(USERS[2])))
    claims = [await claimed_by(inbox, f"t{number}") for number in (2, 3, 4)]

    assert len({claimed.token for claimed in claims}) == 3
    assert len({claimed.incoming.id for claimed in claims}) == 3
    assert {claimed.crashes for claimed in claims} == {0}

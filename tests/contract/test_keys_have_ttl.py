"""No key stays for ever unless `bot.store.keys.PERMANENT` says so."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from bot.store import keys
from bot.store.scripts import Scripts
from tests.contract.everything import use_everything
from tests.contract.leaks import is_permanent, keys_without_ttl
from tests.contract.samples import conversation, inbox_on

HERE = conversation()


async def test_every_key_has_a_ttl_or_is_listed(redis: Redis) -> None:
    """Of all that the stores write."""
    await use_everything(redis, Scripts(redis))

    tagged = [name.decode() async for name in redis.scan_iter(f"{keys.PREFIX}:*}}:*")]
    names = {name.split("}:")[1].split(":")[0] for name in tagged}

    assert await keys_without_ttl(redis) == []
    assert names == {
        *("due", "mail", "body", "turn", "clock", "claim", "seen", "history", "thread", "of", "mark", "dead", "deadof"),
        "watched",
        *("refused", "tokens", "answer", "asked", "lead", "bot", "chat", "group", "closed", "told", "keys"),
        *("documents", "epoch", "serving", "p", "checked"),
    }


async def test_an_idle_inbox_holds_nothing_for_ever(redis: Redis) -> None:
    """Once all is settled, the only one without a TTL is the list of dead letters."""
    scripts = Scripts(redis)
    await use_everything(redis, scripts)
    inbox = inbox_on(redis, scripts)
    await inbox.release_claims()
    while (claimed := await inbox.claim("t")) is not None:
        await inbox.settle(claimed, None)

    names = [name.decode() async for name in redis.scan_iter(f"{keys.inbox(0)}:*")]

    assert [name for name in names if await redis.pttl(name) == -1] == [f"{keys.inbox(0)}:dead"]


@pytest.mark.parametrize(
    "leak",
    [
        *(f"{keys.inbox(0)}:{name}" for name in ("history:c", "thread:c", "seen:1", "claim:t", "mark:c:c", "dead:1")),
        *(f"{keys.inbox(12)}:{name}" for name in ("deadof:u", "of:u:u")),
        *(f"{keys.kb('main')}:{name}" for name in ("answer:k", "lead:k", "asked:u", "mark:u:u")),
        *(keys.limit("messages", HERE.person), keys.page_box("c"), f"{keys.outbound('slack', 'T')}:bot", "foreign"),
    ],
)
async def test_the_check_finds_a_leak(redis: Redis, leak: str) -> None:
    """A key without TTL that is not listed is named; with a TTL it is not."""
    await redis.set(keys.partitions(), 1)
    await redis.set(leak, 1)

    found = await keys_without_ttl(redis)
    await redis.pexpire(leak, 100_000)

    assert found == [leak]
    assert await keys_without_ttl(redis) == []


def test_a_name_made_by_a_person_is_not_permanent() -> None:
    """Ids are percent-encoded: nobody can call themselves so that their history is taken for a mailbox."""
    where = conversation("}:due", "}:mail:", "{p0}:dead")

    assert not is_permanent(f"{keys.inbox(0)}:history:{where.id}")
    assert is_permanent(f"{keys.inbox(0)}:mail:{where.id}")

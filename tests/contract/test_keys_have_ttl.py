"""No key stays for ever unless `bot.store.keys.PERMANENT` says so."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from bot.message import MessageId, SentId
from bot.ports import Delivery
from bot.store import keys
from bot.store.answers import RedisAnswers
from bot.store.forgetting import RedisForgetting
from bot.store.inbox import fix_partitions
from bot.store.limiter import RedisLimiter
from bot.store.outbound import Bucket, Buckets, RedisOutbound
from bot.store.page_box import RedisPageBox
from bot.store.scripts import Scripts
from bot.turn import Exchange, StoredAnswer
from tests.contract.leaks import is_permanent, keys_without_ttl
from tests.contract.samples import START_MS, conversation, inbox_on, incoming

HERE, THREAD = conversation(), conversation("7", "c", "t")
STORED = StoredAnswer(markdown="m", answer="a", epoch=0, references=frozenset(), tokens=1)


async def use_everything(redis: Redis) -> None:
    """Every store, so that each of its keys is there: something waits, is open, remembered, dead, stored and closed."""
    scripts = Scripts(redis)
    await fix_partitions(redis, 1)
    inbox = inbox_on(redis, scripts)
    for number in range(4):
        await inbox.put(incoming(number, THREAD, addressing="call"))
    for token, end in (("a", "settle"), ("b", "bury"), ("c", "record")):
        claimed = await inbox.claim(token)
        assert claimed is not None
        if end == "settle":
            await inbox.settle(claimed, Exchange(question="q", answer="a", tokens=1))
        elif end == "bury":
            await inbox.bury(claimed, "it failed")
        else:
            await inbox.record(claimed, Delivery(parts=(), outcome="answered"), sent=(0, SentId("1")), sending=1)
    limits = RedisLimiter(scripts, {"messages": [(1, timedelta(minutes=1))]})
    for number in range(2):
        await limits.decide("messages", HERE.person, str(number), START_MS)
    answers = RedisAnswers(scripts, kb="main", ttl=timedelta(hours=1))
    await answers.store("k", MessageId("m"), STORED, HERE, START_MS)
    await answers.find("l", MessageId("m"))
    await answers.free("l", MessageId("m"))
    await answers.find("o", MessageId("m"))
    bucket = Bucket(rate=1, per=timedelta(minutes=1), burst=1)
    outbound = RedisOutbound(scripts, {"telegram": Buckets(bot=bucket, chat=bucket, group=bucket)})
    await outbound.take(HERE, group=True)
    await outbound.close(HERE, timedelta(minutes=1))
    await RedisPageBox(redis, redis).append("page", "k", "text")
    forgetting = RedisForgetting(redis, scripts, partitions=1, rules=[], kb_scripts=scripts, knowledge_bases=["main"])
    await forgetting.reset(HERE, 1)
    await forgetting.reset_place(HERE.place, 1)
    await forgetting.forget(conversation("9").person, 1)


async def test_every_key_has_a_ttl_or_is_listed(redis: Redis) -> None:
    """Of all that the stores write."""
    await use_everything(redis)

    tagged = [name.decode() async for name in redis.scan_iter(f"{keys.PREFIX}:*}}:*")]
    names = {name.split("}:")[1].split(":")[0] for name in tagged}

    assert await keys_without_ttl(redis) == []
    assert names == {
        *("due", "mail", "body", "turn", "claim", "seen", "history", "thread", "of", "mark", "dead", "deadof"),
        *("refused", "answer", "asked", "lead", "bot", "chat", "group", "closed", "keys"),
    }


async def test_an_idle_inbox_holds_nothing_for_ever(redis: Redis) -> None:
    """Once all is settled, what has no TTL is the number of partitions and the list of dead letters."""
    scripts = Scripts(redis)
    await use_everything(redis)
    inbox = inbox_on(redis, scripts)
    claimed = await inbox.claim("c")
    while claimed is not None:
        await inbox.settle(claimed, None)
        claimed = await inbox.claim("d")

    names = [name.decode() async for name in redis.scan_iter()]

    assert {name for name in names if await redis.pttl(name) == -1} == {keys.partitions(), f"{keys.inbox(0)}:dead"}


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

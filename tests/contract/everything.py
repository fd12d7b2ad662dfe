"""A walk through every script, for tests that hold of all of them."""

from __future__ import annotations

import json
from datetime import timedelta

from redis.asyncio import Redis

from bot.message import MessageId, SentId
from bot.ports import Delivery
from bot.store import keys
from bot.store.answers import RedisAnswers
from bot.store.dead import DeadLetters
from bot.store.forgetting import RedisForgetting
from bot.store.inbox import RedisInbox
from bot.store.leader import RedisLeader
from bot.store.limiter import RedisLimiter
from bot.store.outbound import Bucket, Buckets, RedisOutbound
from bot.store.partitions import fix_partitions
from bot.store.scripts import Scripts
from bot.store.spending import RedisSpending
from bot.turn import IN_LINE, AnswerKey, Exchange, StoredAnswer
from tests.contract.samples import START_MS, claimed_by, conversation, inbox_on, incoming

HERE, THREAD = conversation(), conversation("7", "c", "t")
STORED = StoredAnswer(markdown="m", answer="a", epoch=0, references=(), tokens=1)


async def use_everything(redis: Redis, scripts: Scripts) -> None:
    """Run every script; in the end something waits, is leased, remembered, dead, stored, led and closed."""
    await fix_partitions(redis, 1)
    await _use_dead_letters(redis, scripts)
    await _use_inbox(inbox_on(redis, scripts))
    await scripts.run("lasting", [keys.inbox(0)], START_MS // 3_600_000, incoming(0).id, 0, "unknown")
    await _use_answers(scripts)
    await _use_budgets(scripts)
    await _use_documents(redis, scripts)
    await scripts.run("page_append", keys.page_box_keys("page"), "k", "text", 10, 100_000, "fd:ring")
    await scripts.run("probe", ["fd:{probe}"], 100_000)
    leader = RedisLeader(scripts, task="telegram", life=timedelta(minutes=1))
    await leader.hold()
    await leader.leave()
    await leader.hold()
    await _forget(redis, scripts)


async def _use_inbox(inbox: RedisInbox) -> None:
    for number in range(5):
        await inbox.put(incoming(number, THREAD, addressing="call"))
    for token in ("settled", "deferred", "lined up", "buried", "released", "leased"):
        claimed = await inbox.claim(token, has_place=True)
        assert claimed is not None
        assert await inbox.renew([claimed]) == {token}
        await inbox.tell_waiting(claimed)
        await inbox.record(claimed, Delivery(parts=(), outcome="answered"), sent=(0, SentId("1")), sending=1)
        if token == "settled":
            await inbox.settle(claimed, Exchange(question="q", answer="a", tokens=1))
        elif token == "deferred":
            await inbox.defer(claimed, timedelta(0), error=True)
        elif token == "lined up":
            await inbox.defer(claimed, IN_LINE)
        elif token == "buried":
            await inbox.bury(claimed, "it failed")
        elif token == "released":
            await inbox.release_claims()
    await inbox.queue()
    await inbox.check()
    await inbox.claim_untold("watched", timedelta(milliseconds=1))


async def _use_dead_letters(redis: Redis, scripts: Scripts) -> None:
    """One is retried and settled, one dropped."""
    inbox, letters = inbox_on(redis, scripts), DeadLetters(redis, scripts, partitions=1)
    for number, act in ((50, letters.drop), (51, letters.retry)):
        await inbox.put(incoming(number, conversation(str(number))))
        claimed = await claimed_by(inbox, f"dead{number}")
        await inbox.bury(claimed, "it failed")
        await act(claimed.incoming.id)
    await inbox.settle(await claimed_by(inbox, "retried"), None)


async def _use_answers(scripts: Scripts) -> None:
    answers = RedisAnswers(scripts, ttl=timedelta(hours=1))
    await answers.find(AnswerKey("main", "k"), MessageId("m"))
    await answers.store(AnswerKey("main", "k"), MessageId("m"), STORED, HERE, START_MS)
    await answers.confirm(AnswerKey("main", "k"), STORED, 0)
    await answers.find(AnswerKey("main", "k"), MessageId("n"))
    await answers.find(AnswerKey("main", "l"), MessageId("m"))
    await answers.free(AnswerKey("main", "l"), MessageId("m"))
    await answers.evict(AnswerKey("main", "l"))
    await answers.find(AnswerKey("main", "o"), MessageId("m"))
    await answers.renew_lead(AnswerKey("main", "o"), MessageId("m"))


async def _use_budgets(scripts: Scripts) -> None:
    limits = RedisLimiter(scripts, {"messages": [(1, timedelta(minutes=1))]})
    for number in range(2):
        await limits.decide("messages", HERE.person, str(number), START_MS)
    spending = RedisSpending(scripts, [(10, timedelta(minutes=1))])
    for number in range(2):
        await spending.reserve(HERE.person, str(number), START_MS, 9)
    await spending.spent(HERE.person, "0", 8)
    await spending.reserve(conversation("8").person, "0", START_MS, 9)
    await spending.release(conversation("8").person, "0")
    bucket = Bucket(rate=1, per=timedelta(minutes=1), burst=1)
    outbound = RedisOutbound(scripts, {"telegram": Buckets(bot=bucket, chat=bucket, group=bucket)})
    await outbound.take(HERE, group=True, asker="m1#0")
    for channel in "abc":
        await outbound.close(HERE, timedelta(minutes=1), channel=channel)


async def _use_documents(redis: Redis, scripts: Scripts) -> None:
    prefix = keys.kb("main")
    documents, epoch, serving = f"{prefix}:documents", f"{prefix}:epoch", f"{prefix}:serving"
    await scripts.run("serve_index", [serving, epoch], 0, "e", 2, "flat", "")
    for version in ("1", "2"):
        passage = f"{prefix}:p:e:d:{version}:0"
        await redis.hset(passage, "text", "t")
        record = json.dumps({"version": version})
        await scripts.run("switch_document", [documents, epoch, serving, passage], "d.md", record, version, "e")
    await scripts.run("served_state", [epoch, serving, documents])
    await scripts.run("drop_passages", [documents, serving, f"{prefix}:p:e:d:1:0"], "d.md", "1", "e")


async def _forget(redis: Redis, scripts: Scripts) -> None:
    """As of long ago, so that what the others left stays."""
    forgetting = RedisForgetting(redis, scripts, partitions=1, kb_scripts=scripts, knowledge_bases=["main"])
    await forgetting.reset(HERE, 1)
    await forgetting.reset_person_in(THREAD.place, THREAD.person, 1)
    await forgetting.reset_place(HERE.place, 1)
    await forgetting.forget(conversation("9").person, 1)

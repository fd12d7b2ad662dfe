"""Answers given before: who gives one, who waits, when one is good, and that forgotten ones are gone."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from bot.answers import Hit
from bot.message import MessageId
from bot.store import keys
from bot.store.answers import FREE, LEAD, RedisAnswers
from bot.store.bases import KnowledgeBases
from bot.store.client import connect
from bot.store.forgetting import RedisForgetting
from bot.store.passages import Passages
from bot.store.scripts import Scripts, milliseconds
from bot.turn import AnswerKey, StoredAnswer
from tests.contract.samples import START_MS, conversation

ONE, TWO, THREE = (MessageId(f"telegram:1:{n}") for n in range(1, 4))
TTL = timedelta(hours=1)
HERE = conversation()
ANSWER = StoredAnswer(
    markdown="It costs **2 €**.\n\n[1] 价目表",
    answer="It costs 2 €.",
    epoch=0,
    references=("a@1", "b@7"),
    tokens=9,
)


def key(digest: str, base: str = "main") -> AnswerKey:
    """Where an answer stands."""
    return AnswerKey(base, digest)


KEY = key("k")


@pytest.fixture
def answers(redis: Redis) -> RedisAnswers:
    """The answers of the knowledge base `main`."""
    return RedisAnswers(Scripts(redis), ttl=TTL)


async def stored(answers: RedisAnswers, key: AnswerKey = KEY, answer: StoredAnswer = ANSWER) -> None:
    """Store an answer, which must be kept."""
    assert await answers.store(key, ONE, answer, HERE, START_MS)


async def move_epoch(redis: Redis, kb: str = "main") -> int:
    """Change a document: the epoch rises."""
    return int(await redis.incr(f"{keys.kb(kb)}:epoch"))


# --- who answers ---


async def test_the_first_to_ask_leads_and_others_wait(answers: RedisAnswers) -> None:
    """Asked again, each hears the same."""
    heard = [await answers.find(KEY, who) for who in (ONE, TWO, ONE, TWO, THREE)]

    assert heard == ["lead", "wait", "lead", "wait", "wait"]


async def test_other_questions_do_not_wait(answers: RedisAnswers, redis: Redis) -> None:
    """Neither another key nor another knowledge base."""
    await answers.find(KEY, ONE)

    other_key = await answers.find(key("l"), TWO)
    other_base = await answers.find(key("k", "other"), TWO)

    assert (other_key, other_base) == ("lead", "lead")


async def test_of_fifty_at_once_exactly_one_leads(redis_url: str, redis: Redis) -> None:
    """Ten processes, fifty askers, one model call."""
    clients = [connect(redis_url) for _ in range(10)]
    stores = [RedisAnswers(Scripts(client), ttl=TTL) for client in clients]

    heard = await asyncio.gather(*[stores[n % 10].find(KEY, MessageId(f"m{n}")) for n in range(50)])
    for client in clients:
        await client.aclose()

    assert sorted(map(str, heard)) == ["lead"] + ["wait"] * 49


async def test_a_stored_answer_frees_those_who_wait(answers: RedisAnswers) -> None:
    """They get it whole, and so does the leader, should it ask again."""
    await answers.find(KEY, ONE)
    await answers.find(KEY, TWO)

    await stored(answers)

    assert [await answers.find(KEY, who) for who in (ONE, TWO)] == [Hit(answer=ANSWER, current=True)] * 2


async def test_who_stored_an_answer_leads_no_longer(answers: RedisAnswers) -> None:
    """Once the entry is found stale, another may lead at once."""
    await answers.find(KEY, ONE)
    await stored(answers)

    assert await answers.find(KEY, TWO, stale=0) == "lead"


async def test_a_leader_with_nothing_to_share_lets_all_ask_for_themselves(answers: RedisAnswers) -> None:
    """They ask alone, without queueing up behind one another."""
    await answers.find(KEY, ONE)

    await answers.free(KEY, ONE)

    assert [await answers.find(KEY, who) for who in (TWO, THREE)] == ["alone", "alone"]


async def test_only_the_leader_speaks_for_the_question(answers: RedisAnswers, redis: Redis) -> None:
    """Another's free or renewal changes nothing, nor does one of a leader whose mark has run out."""
    lead = f"{keys.kb('main')}:lead:k"
    await answers.find(KEY, ONE)
    await answers.free(KEY, TWO)
    await answers.renew_lead(KEY, TWO)
    held = await redis.get(lead)

    await redis.unlink(lead)
    await answers.find(KEY, THREE)
    await answers.renew_lead(KEY, ONE)
    await answers.free(KEY, ONE)

    assert held == ONE.encode()
    assert await redis.get(lead) == THREE.encode()


async def test_marks_live_as_long_as_they_should(answers: RedisAnswers, redis: Redis) -> None:
    """A leader that crashed holds nobody up for ever; renewing starts its time anew."""
    lead = f"{keys.kb('main')}:lead:k"
    await answers.find(KEY, ONE)
    await redis.pexpire(lead, 100_000)
    await answers.renew_lead(KEY, ONE)
    leading_ms = await redis.pttl(lead)
    await answers.free(KEY, ONE)
    free_ms = await redis.pttl(lead)

    assert 0 < leading_ms <= milliseconds(LEAD)
    assert 0 < free_ms <= milliseconds(FREE)


async def test_when_the_leader_is_gone_another_leads(answers: RedisAnswers, redis: Redis) -> None:
    """Its mark runs out: the next to ask leads; the late answer of the first is kept and takes nothing away."""
    await answers.find(KEY, ONE)
    await redis.unlink(f"{keys.kb('main')}:lead:k")
    second = await answers.find(KEY, TWO)

    await stored(answers)

    assert second == "lead"
    assert await answers.find(KEY, THREE) == Hit(answer=ANSWER, current=True)
    assert await redis.get(f"{keys.kb('main')}:lead:k") == TWO.encode()


async def test_one_whose_answer_is_not_for_others_holds_nobody_up(answers: RedisAnswers) -> None:
    """It leads nobody and waits for nobody, but may be given what is there."""
    before = [await answers.find(KEY, None), await answers.find(KEY, ONE), await answers.find(KEY, None)]
    await stored(answers)

    assert before == ["alone", "lead", "alone"]
    assert await answers.find(KEY, None) == Hit(answer=ANSWER, current=True)


# --- when it is good ---


async def test_an_answer_survives_the_store_unchanged(answers: RedisAnswers) -> None:
    """Also one that was built on no passages, and one with line breaks and another script."""
    bare = replace(ANSWER, references=(), markdown="", answer="")
    await stored(answers, key("bare"), bare)
    await stored(answers, key("whole"), ANSWER)

    assert await answers.find(key("bare"), ONE) == Hit(answer=bare, current=True)
    assert await answers.find(key("whole"), ONE) == Hit(answer=ANSWER, current=True)


async def test_a_changed_document_makes_every_answer_doubtful_at_once(answers: RedisAnswers, redis: Redis) -> None:
    """Without a sweep: the next look finds another epoch."""
    await stored(answers)
    await move_epoch(redis)

    assert await answers.find(KEY, TWO) == Hit(answer=ANSWER, current=False)


async def test_the_same_passages_make_it_good_again(answers: RedisAnswers, redis: Redis) -> None:
    """Confirmed for the new epoch, until that changes as well."""
    await stored(answers)
    epoch = await move_epoch(redis)

    confirmed = await answers.confirm(KEY, ANSWER, epoch)
    hit = await answers.find(KEY, TWO)
    await move_epoch(redis)
    later = await answers.find(KEY, TWO)

    assert confirmed
    assert hit == Hit(answer=replace(ANSWER, epoch=1), current=True)
    assert later == Hit(answer=replace(ANSWER, epoch=1), current=False)


async def test_confirming_never_goes_back(answers: RedisAnswers, redis: Redis) -> None:
    """A slow worker that searched in an older epoch does not make the entry older."""
    await stored(answers, answer=replace(ANSWER, epoch=3))

    assert await answers.confirm(KEY, ANSWER, 2)
    assert await answers.find(KEY, TWO) == Hit(answer=replace(ANSWER, epoch=3), current=False)


@pytest.mark.parametrize("references", [(), ("a@1",), ("a@1", "b@8")])
async def test_an_entry_replaced_meanwhile_is_not_vouched_for(
    answers: RedisAnswers, redis: Redis, references: tuple[str, ...]
) -> None:
    """Confirming says which passages were found; an entry built on others stays doubtful."""
    await stored(answers, answer=replace(ANSWER, references=references))
    epoch = await move_epoch(redis)

    assert not await answers.confirm(KEY, ANSWER, epoch)
    hit = await answers.find(KEY, TWO)
    assert isinstance(hit, Hit)
    assert not hit.current


async def test_what_is_gone_cannot_be_confirmed(answers: RedisAnswers, redis: Redis) -> None:
    """It leaves no half entry behind, also if it was built on nothing."""
    assert not await answers.confirm(KEY, ANSWER, 1)
    assert not await answers.confirm(KEY, replace(ANSWER, references=()), 1)
    assert [name async for name in redis.scan_iter()] == []


@pytest.mark.parametrize(("stale", "dropped"), [(1, False), (2, True), (3, True)])
async def test_a_stale_entry_is_dropped(answers: RedisAnswers, stale: int, dropped: bool) -> None:
    """One of that epoch or an older one; one confirmed or replaced since is served."""
    await stored(answers, answer=replace(ANSWER, epoch=2))

    found = await answers.find(KEY, TWO, stale=stale)
    again = await answers.find(KEY, THREE)

    assert (found == "lead") == dropped
    assert isinstance(again, Hit) != dropped


async def test_a_newer_answer_replaces_an_older_one_whole(answers: RedisAnswers) -> None:
    """No field of the old one shows."""
    newer = StoredAnswer(markdown="n", answer="n", epoch=5, references=("c@1",), tokens=1)
    await stored(answers)
    await stored(answers, answer=newer)

    assert await answers.find(KEY, TWO) == Hit(answer=newer, current=False)


async def test_an_answer_lives_its_time(answers: RedisAnswers, redis: Redis) -> None:
    """It and the note of who asked, so that /forget finds it as long as it lives."""
    await stored(answers)

    lives = [await redis.pttl(f"{keys.kb('main')}:{name}") for name in ("answer:k", f"asked:{HERE.person}")]

    assert all(0 < life <= milliseconds(TTL) for life in lives)
    assert lives[1] >= lives[0] - 1000  # they are read one after the other


# --- forgetting ---


@pytest.mark.parametrize(("after_ms", "kept"), [(-1, False), (0, False), (1, True)])
async def test_nothing_is_stored_for_one_who_was_forgotten(
    answers: RedisAnswers, redis: Redis, after_ms: int, kept: bool
) -> None:
    """What arrived up to the mark's millisecond is not kept; those who wait ask for themselves."""
    scripts = Scripts(redis)
    forgetting = RedisForgetting(redis, scripts, partitions=1, kb_scripts=scripts, knowledge_bases=["main"])
    await answers.find(KEY, ONE)

    await forgetting.forget(HERE.person, START_MS)
    done = await answers.store(KEY, ONE, ANSWER, HERE, START_MS + after_ms)

    assert done == kept
    assert await answers.find(KEY, TWO) == (Hit(answer=ANSWER, current=True) if kept else "alone")


async def test_forget_erases_the_answers_of_that_person_alone(answers: RedisAnswers, redis: Redis) -> None:
    """And counts them."""
    scripts = Scripts(redis)
    forgetting = RedisForgetting(redis, scripts, partitions=1, kb_scripts=scripts, knowledge_bases=["main", "other"])
    await stored(answers, key("mine"))
    await answers.store(key("theirs"), TWO, ANSWER, conversation("8"), START_MS)
    await answers.store(key("mine", "other"), ONE, ANSWER, HERE, START_MS)

    receipt = await forgetting.forget(HERE.person, START_MS)

    assert receipt.answers == 2
    assert await answers.find(key("mine"), THREE) == "lead"
    assert isinstance(await answers.find(key("theirs"), THREE), Hit)


async def test_forget_reaches_a_base_that_was_taken_out(answers: RedisAnswers, redis: Redis) -> None:
    """Its answers hold people's questions as long as they live, whatever the configuration says by now."""
    scripts = Scripts(redis)
    forgetting = RedisForgetting(redis, scripts, partitions=1, kb_scripts=scripts, knowledge_bases=["main"])
    await redis.sadd(keys.BASES, "main", "old")
    await stored(answers, key("mine", "old"))

    receipt = await forgetting.forget(HERE.person, START_MS)

    assert receipt.answers == 1
    assert await answers.find(key("mine", "old"), THREE) == "lead"


async def test_forget_finds_an_answer_that_outlives_a_shorter_ttl(answers: RedisAnswers, redis: Redis) -> None:
    """What leads to a person's answers lives as long as the longest of them."""
    await stored(answers, key("long"))
    hasty = RedisAnswers(Scripts(redis), ttl=timedelta(seconds=10))

    await stored(hasty, key("short"))

    asked = await redis.pttl(f"{keys.kb('main')}:asked:{HERE.person}")
    assert asked > milliseconds(timedelta(minutes=59))


async def test_an_emptied_base_keeps_no_questions(answers: RedisAnswers, redis: Redis) -> None:
    """Its answers go with it, and nobody else's."""

    def none(_: str) -> Passages:
        raise AssertionError("no base is to be opened")

    bases = KnowledgeBases(redis, [], none)
    for base in ("old", "older"):
        await stored(answers, key("mine", base))

    await bases.forget_name("old")

    assert [name async for name in redis.scan_iter(f"{keys.kb('old')}:*")] == []
    assert isinstance(await answers.find(key("mine", "older"), THREE), Hit)

"""Answers to questions that mean the same: who finds them, and that nobody finds one that is not for them."""

from __future__ import annotations

import asyncio
import struct
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal

import pytest
from redis.asyncio import Redis

from bot.llm.quote import quote
from bot.pipeline import Pipeline
from bot.similar import scope_of_answers
from bot.steps.answer import Answer
from bot.steps.confirm import Confirm
from bot.steps.remember import Remember
from bot.steps.retrieve import Retrieve
from bot.steps.reuse import Reuse
from bot.steps.similar import Similar
from bot.store import keys
from bot.store.answers import RedisAnswers
from bot.store.answers_index import AnswersIndex
from bot.store.forgetting import RedisForgetting
from bot.store.scripts import Scripts
from bot.texts import Texts
from bot.turn import MAIN, AnswerKey, StoredAnswer, Turn
from tests import make
from tests.contract.samples import START_MS, conversation
from tests.contract.stage import DEADLINE_S
from tests.fakes.ports import FakeKnowledge, FakeMeter, FakeModel

ASKED = "How do I reset my password?"
REWORDED = "Please tell me how to reset my password"
IN_CHINESE = "怎么重置密码？"
IN_TRADITIONAL, REWORDED_IN_TRADITIONAL = "怎麼重置密碼？", "請問如何重置密碼"
SCOPE, OTHER_SCOPE = scope_of_answers("mine", "", "en"), scope_of_answers("mine", "", "zh")
KEY = AnswerKey(MAIN, "k")
ANSWER = StoredAnswer(
    markdown="Press **Reset**. [1]\n\n- [1] 帮助",
    answer="Press **Reset**. [1]",
    epoch=3,
    references=("a@1", "b@7"),
    tokens=9,
    cited=(2, 1),
    question=ASKED,
)


@dataclass
class Sizes:
    """An embedder's name and the length of its vectors; it is never asked for one."""

    name: str = "tiny-2"
    dimensions: int = 2

    async def embed(self, texts: object) -> list[bytes]:
        """Fails."""
        raise AssertionError("nothing is to be embedded here")


def vector(*numbers: float) -> bytes:
    """As an embedder makes it."""
    return struct.pack(f"<{len(numbers)}f", *numbers)


NORTH, NORTH_EAST, EAST = vector(0, 1), vector(0.7071068, 0.7071068), vector(1, 0)


@pytest.fixture
def answers(redis: Redis) -> RedisAnswers:
    """The store."""
    return RedisAnswers(Scripts(redis), ttl=timedelta(hours=1))


@pytest.fixture
async def index(redis: Redis) -> AnswersIndex:
    """The index of two-dimensional questions, made already in both bases."""
    index = AnswersIndex(redis, Sizes())
    assert [await found(index, base=base) for base in (MAIN, "staff")] == [[], []]
    return index


async def put(
    answers: RedisAnswers, at: bytes | None, *, key: AnswerKey = KEY, scope: str = SCOPE, user: str = "7"
) -> None:
    """Store the answer under a vector."""
    message = make.incoming().id
    assert await answers.store(key, message, ANSWER, conversation(user), START_MS, scope=scope, vector=at)


async def found(index: AnswersIndex, *, base: str = MAIN, scope: str = SCOPE, k: int = 5) -> list[str]:
    """Digests of what lies near the north, nearest first."""
    return [near.key.digest for near in await index.nearest(base, scope, NORTH, k)]


# --- what is found ---


async def test_the_nearest_come_first_whole_and_no_more_than_asked_for(
    answers: RedisAnswers, index: AnswersIndex
) -> None:
    """Each with its key, all its fields and its distance."""
    for digest, at in (("east", EAST), ("north", NORTH), ("between", NORTH_EAST)):
        await put(answers, at, key=AnswerKey(MAIN, digest))

    near = await index.nearest(MAIN, SCOPE, NORTH, 2)

    assert [one.key for one in near] == [AnswerKey(MAIN, "north"), AnswerKey(MAIN, "between")]
    assert [one.answer for one in near] == [ANSWER, ANSWER]
    assert [one.distance for one in near] == pytest.approx([0.0, 1 - 0.7071068], abs=1e-5)


async def test_another_scope_or_base_finds_nothing(answers: RedisAnswers, index: AnswersIndex) -> None:
    """Even the very same question does not."""
    await put(answers, NORTH)
    await put(answers, NORTH, key=AnswerKey("staff", "s"))

    assert await found(index) == ["k"]
    assert await found(index, base="staff") == ["s"]
    assert await found(index, scope=OTHER_SCOPE) == []
    assert await found(index, base="staf") == []


async def test_without_a_vector_only_the_same_question_finds_it(answers: RedisAnswers, index: AnswersIndex) -> None:
    """Also one whose vector has another length, made by another embedder."""
    await put(answers, None)
    await put(answers, vector(0, 1, 0), key=AnswerKey(MAIN, "long"))
    await put(answers, NORTH, key=AnswerKey(MAIN, "good"))

    assert await found(index) == ["good"]


async def test_entries_stored_before_the_index_are_found_once_it_has_read_them(
    answers: RedisAnswers, redis: Redis
) -> None:
    """After an update, or a change of the embedder, and by every process that joins."""
    await put(answers, NORTH)
    first, second = AnswersIndex(redis, Sizes()), AnswersIndex(redis, Sizes())

    await until_found(first, ["k"])

    assert await found(second) == ["k"]


# --- what is no longer found ---


async def test_what_is_replaced_evicted_or_forgotten_is_gone_at_once(
    answers: RedisAnswers, index: AnswersIndex, redis: Redis
) -> None:
    """There is nothing to sweep: the index reads what is stored."""
    scripts = Scripts(redis)
    forgetting = RedisForgetting(redis, scripts, partitions=1, kb_scripts=scripts, knowledge_bases=[MAIN])
    await put(answers, NORTH, key=AnswerKey(MAIN, "evicted"))
    await put(answers, NORTH, key=AnswerKey(MAIN, "mine"), user="8")
    await put(answers, NORTH, key=AnswerKey(MAIN, "replaced"))
    before = await found(index)
    await put(answers, EAST, key=AnswerKey(MAIN, "replaced"))

    evicted = await answers.evict(AnswerKey(MAIN, "evicted")), await answers.evict(AnswerKey(MAIN, "evicted"))
    await forgetting.forget(conversation("8").person, START_MS)
    near = await index.nearest(MAIN, SCOPE, NORTH, 5)

    assert sorted(before) == ["evicted", "mine", "replaced"]
    assert evicted == (True, False)
    assert [(one.key.digest, round(one.distance, 3)) for one in near] == [("replaced", 1.0)]


async def test_what_has_run_out_is_not_found(answers: RedisAnswers, index: AnswersIndex, redis: Redis) -> None:
    """Neither before nor after Redis has noticed; what lives is still found."""
    await put(answers, NORTH)
    await put(answers, EAST, key=AnswerKey(MAIN, "lives"))
    await redis.pexpire(f"{keys.kb(MAIN)}:answer:k", 1)

    await until_found(index, ["lives"])


async def test_an_index_that_is_lost_is_made_again(answers: RedisAnswers, index: AnswersIndex, redis: Redis) -> None:
    """One question finds nothing, the next what is there by then."""
    await redis.flushall()
    await put(answers, NORTH)

    await until_found(index, ["k"])


@pytest.mark.one_server
async def test_a_server_that_allows_no_index_costs_no_answer(
    answers: RedisAnswers, redis: Redis, redis_url: str
) -> None:
    """It is logged and nothing is near."""
    await acl(redis, "SETUSER", "weak", "on", ">pass", "~*", "&*", "+@all", "-FT.CREATE")
    await put(answers, NORTH)

    async with Redis.from_url(redis_url, protocol=3, username="weak", password="pass") as weak:
        near = await AnswersIndex(weak, Sizes()).nearest(MAIN, SCOPE, NORTH, 5)
    await acl(redis, "DELUSER", "weak")

    assert near == ()


async def acl(redis: Redis, *command: str) -> None:
    """Change who may do what."""
    await redis.execute_command("ACL", *command)  # type: ignore[no-untyped-call]  # redis-py leaves it bare


async def until_found(index: AnswersIndex, digests: list[str]) -> list[str]:
    """Wait until exactly these are found: a new index reads what was there before it in the background."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            if sorted(now := await found(index)) == sorted(digests):
                return now
            await asyncio.sleep(0.01)


# --- the steps on the real store ---


class Counting(Redis):
    """Remembers the commands that it sends."""

    sent: list[str]

    async def execute_command(self, *args: object, **options: object) -> object:
        """Send one."""
        self.sent.append(str(args[0]))
        return await super().execute_command(*args, **options)  # type: ignore[no-untyped-call]  # as above


@dataclass
class Desk:
    """The steps that answer, on one Redis.

    Attributes:
        redis: the store of answers.
        scope: of the configuration.
        base: of the channel.
    """

    redis: Redis
    model: FakeModel
    knowledge: FakeKnowledge
    scope: str = "persona, model"
    base: str = MAIN

    async def ask(self, question: str, user: str = "8") -> Turn:
        """Ask it in a conversation of its own."""
        answers, meter = RedisAnswers(Scripts(self.redis), ttl=timedelta(hours=1)), FakeMeter()
        index = AnswersIndex(self.redis, Sizes())
        pipeline = Pipeline(
            [
                Reuse(answers=answers, scope=self.scope, enabled=True, meter=meter),
                Retrieve(knowledge=self.knowledge, top_k=5),
                Confirm(answers=answers, meter=meter),
                Similar(near=index, answers=answers, enabled=True, max_cosine_distance=0.4, verifier=None, meter=meter),
                Answer(
                    model=self.model,
                    quote=quote,
                    answers=answers,
                    persona="",
                    name="Desk",
                    texts=Texts.load(),
                    meter=meter,
                ),
                Remember(answers=answers),
            ],
            meter,
        )
        start = make.turn(make.incoming(question, of=make.conversation(user=user)))
        return await pipeline.run(replace(start, base=self.base))


@pytest.fixture
def desk(redis: Redis) -> Desk:
    """It finds one passage for everything and has the vectors of both questions."""
    knowledge = FakeKnowledge((make.passage(),), epoch=0, vectors={ASKED: NORTH, REWORDED: NORTH})
    return Desk(redis=redis, model=FakeModel("Press Reset. [1]"), knowledge=knowledge)


async def test_a_reworded_question_is_served(desk: Desk) -> None:
    """Its own conversation remembers whose answer it was, so that it can be taken back."""
    first = await desk.ask(ASKED)
    second = await desk.ask(REWORDED, user="9")

    assert (first.outcome, second.outcome, len(desk.model.asked)) == ("answered", "reused", 1)
    assert first.remember is not None
    assert second.remember is not None
    assert second.remember.key == first.remember.key
    assert second.remember.question == REWORDED


@pytest.mark.parametrize("question", [ASKED, REWORDED])
@pytest.mark.parametrize(
    ("scope", "base"), [("another persona, model", MAIN), ("persona, another model", MAIN), ("persona, model", "staff")]
)
async def test_nobody_of_another_scope_is_served(desk: Desk, scope: str, base: str, question: str) -> None:
    """Neither the same question nor a reworded one."""
    await desk.ask(ASKED)

    theirs = await replace(desk, scope=scope, base=base).ask(question)
    ours = await desk.ask(REWORDED)

    assert (theirs.outcome, ours.outcome) == ("answered", "reused")


async def test_nobody_who_writes_in_another_language_or_script_is_served(desk: Desk) -> None:
    """However near the vectors are: the answer would be in another one."""
    desk.knowledge.vectors |= dict.fromkeys([IN_CHINESE, IN_TRADITIONAL, REWORDED_IN_TRADITIONAL], NORTH)
    questions = (ASKED, IN_CHINESE, IN_TRADITIONAL, REWORDED_IN_TRADITIONAL)

    outcomes = [(await desk.ask(question)).outcome for question in questions]

    assert outcomes == ["answered", "answered", "answered", "reused"]


@pytest.mark.parametrize("change", ["version", "gone", "other"])
async def test_a_changed_source_makes_it_unusable_at_once(
    desk: Desk, redis: Redis, change: Literal["version", "gone", "other"]
) -> None:
    """The reworded question is answered anew, although the entry is still stored."""
    await desk.ask(ASKED)
    after = {"version": (make.passage(version="v2"),), "gone": (), "other": (make.passage(name="cards"),)}
    desk.knowledge.passages, desk.knowledge.epoch = after[change], 1
    await redis.incr(f"{keys.kb(MAIN)}:epoch")

    ended = await desk.ask(REWORDED)

    assert (ended.outcome, len(desk.model.asked)) == ("answered", 2)


@pytest.mark.one_server
async def test_the_same_question_costs_one_round_trip_and_no_vector(desk: Desk, redis_url: str) -> None:
    """A reworded one costs the search of passages, one of answers, and the script that frees who waits."""
    await desk.ask(ASKED)
    counting = Counting.from_url(redis_url, protocol=3)
    assert isinstance(counting, Counting)
    counting.sent = []
    watched = replace(desk, redis=counting)
    searched = len(desk.knowledge.asked)

    same = await watched.ask("how do I reset my password")
    sent_for_the_same, searched_for_the_same = list(counting.sent), len(desk.knowledge.asked) - searched
    reworded = await watched.ask(REWORDED)
    await counting.aclose()

    assert (same.outcome, sent_for_the_same, searched_for_the_same) == ("reused", ["EVALSHA"], 0)
    assert reworded.outcome == "reused"
    # EVAL, after an EVALSHA in vain, is how a server gets a script that no test has run there yet.
    sent_for_the_other = [command for command in counting.sent[1:] if command != "EVAL"]
    assert sent_for_the_other == ["EVALSHA", "FT.CREATE", "FT.SEARCH", "EVALSHA"]

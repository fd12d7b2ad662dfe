"""How Front Desk works, told by one message. Read it from top to bottom; each test goes on where the last one stopped.

You need to know three things. A *conversation* is one person in one place (platform, workspace, channel, thread).
Messages wait in the *inbox*, in a mailbox per conversation. A *worker* claims a conversation, takes its oldest message
through the *pipeline*, delivers the reply and settles. Redis here is the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from redis.asyncio import Redis

from bot.company import Company
from bot.deliver import Deliver
from bot.line import Line
from bot.message import Part, ReplyTo, SentId
from bot.pipeline import Pipeline
from bot.ports import Claimed, Delivery
from bot.store.inbox import RedisInbox
from bot.store.outbound import RedisOutbound
from bot.store.scripts import Scripts
from bot.texts import Texts
from bot.turn import MAIN, Exchange, StoredAnswer, Turn
from bot.worker import Worker
from tests.fakes.ports import FakeMeter, FakeSpending
from tests.make import conversation, incoming

LEASE = timedelta(seconds=15)
ANN = conversation(user="ann", channel="office")
BOB = conversation(user="bob", channel="office")


class Mouth:
    """Stands for a platform: what the bot sends ends up in `heard`."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, str]] = []

    def format(self, markdown: str) -> tuple[Part, ...]:
        """One part for each paragraph, so that long answers have several."""
        return tuple(Part(text=paragraph) for paragraph in markdown.split("\n\n"))

    async def send(self, to: ReplyTo, part: Part, *, key: str, first: bool, private: bool) -> SentId:
        """The person hears it."""
        self.heard.append((to.user, part.text))
        return SentId(str(len(self.heard)))

    async def find(self, to: ReplyTo, key: str) -> SentId | None:
        """This platform does not let us look."""
        return None

    async def typing(self, to: ReplyTo) -> None:
        """Nothing to see."""


class Bell:
    """A doorbell that has always just rung: the worker looks again at once."""

    def clear(self) -> None:
        """Nothing to forget."""

    def ring(self) -> None:
        """Nobody sleeps."""

    async def wait(self, longest: timedelta) -> None:
        """A moment."""
        await asyncio.sleep(0.01)


@pytest.fixture
def inbox(redis: Redis) -> RedisInbox:
    """An inbox that remembers three exchanges of a conversation."""
    return RedisInbox(
        Scripts(redis),
        partitions=1,
        lease=LEASE,
        max_waiting=5,
        max_turns=3,
        max_tokens=1000,
        history_ttl=timedelta(hours=1),
        shown_ttl=timedelta(hours=1),
    )


async def claimed(inbox: RedisInbox, token: str) -> Claimed:
    """What a worker gets that asks for work; there must be some."""
    claim = await inbox.claim(token)
    assert claim is not None
    return claim


async def test_1_a_message_is_stored_once_however_often_it_comes(inbox: RedisInbox) -> None:
    """A platform repeats what it is not sure we have. The message's identity is the same, so it is stored once."""
    message = incoming("How much is a transfer?", of=ANN)

    first, again = await inbox.put(message), await inbox.put(message)

    assert (first, again) == ("stored", "duplicate")
    assert (await claimed(inbox, "w1")).incoming == message


async def test_2_one_worker_at_a_time_in_the_order_of_writing(inbox: RedisInbox) -> None:
    """Ann's second message waits for her first; Bob's does not wait for Ann's."""
    for text, who in (("Ann 1", ANN), ("Ann 2", ANN), ("Bob 1", BOB)):
        await inbox.put(incoming(text, of=who))

    of_ann, of_bob = await claimed(inbox, "w1"), await claimed(inbox, "w2")
    nothing_more = await inbox.claim("w3")
    await inbox.settle(of_ann, None)
    next_of_ann = await claimed(inbox, "w4")

    assert (of_ann.incoming.text, of_bob.incoming.text, nothing_more) == ("Ann 1", "Bob 1", None)
    assert next_of_ann.incoming.text == "Ann 2"


async def test_3_what_was_said_is_remembered_when_the_turn_is_settled(inbox: RedisInbox) -> None:
    """The exchange comes with the next claim of that conversation, and with nobody else's."""
    await inbox.put(incoming("My code word is heron", of=ANN))
    exchange = Exchange(question="My code word is heron", answer="Noted.", tokens=9)
    await inbox.settle(await claimed(inbox, "w1"), exchange)

    await inbox.put(incoming("What is my code word?", of=ANN))
    await inbox.put(incoming("What is her code word?", of=BOB))
    of_ann, of_bob = await claimed(inbox, "w2"), await claimed(inbox, "w3")

    assert of_ann.history == (exchange,)
    assert of_bob.history == ()


async def test_4_a_worker_that_dies_loses_nothing(redis: Redis, inbox: RedisInbox) -> None:
    """Its lease runs out and the conversation is due again; the ledger says what was sent, so nothing goes twice."""
    await inbox.put(incoming(of=ANN))
    died = await claimed(inbox, "w1")
    reply = Delivery(parts=(Part(text="Five euros."), Part(text="Source: Fees")), outcome="answered")
    await inbox.record(died, reply, sending=0)
    await inbox.record(died, sent=(0, SentId("4711")), sending=1)

    time_passes = Scripts(redis, now_ms=died.arrived_ms + 60_000)
    later = RedisInbox(
        time_passes,
        partitions=1,
        lease=LEASE,
        max_waiting=5,
        max_turns=3,
        max_tokens=1000,
        history_ttl=timedelta(hours=1),
        shown_ttl=timedelta(hours=1),
    )
    taken_over = await claimed(later, "w2")

    assert taken_over.crashes == 1
    assert taken_over.delivery == replace(reply, sent=(SentId("4711"), None))
    assert await later.settle(died, None) == "lost"  # should the dead one rise again, it may do nothing
    assert await later.settle(taken_over, None) == "settled"


class Answering:
    """A pipeline of one step: greets, and forgets nothing. The real list stands in `bot.app.steps_of`."""

    name = "answer"

    def __init__(self, answer: Callable[[Turn], Awaitable[str]]) -> None:
        self._answer = answer

    async def __call__(self, turn: Turn) -> Turn:
        """The turn ended with an answer."""
        text = await self._answer(turn)
        stored = StoredAnswer(markdown=text, answer=text, epoch=0, references=(), tokens=10)
        return turn.answered(stored, "answered", None)


def a_worker(redis: Redis, inbox: RedisInbox, mouth: Mouth, answer: Callable[[Turn], Awaitable[str]]) -> Worker:
    """A worker with everything real but the platform and the answers."""
    texts, meter = Texts.load(), FakeMeter()
    outbound = RedisOutbound(Scripts(redis), {})
    return Worker(
        inbox=inbox,
        pipeline=Pipeline([Answering(answer)], meter),
        line=Line(4),
        spending=FakeSpending(),
        deliver=Deliver(
            inbox=inbox,
            messengers={"telegram": mouth},
            outbound=outbound,
            meter=meter,
            instead=lambda _: texts("part_refused", "en"),
            send_timeout=timedelta(seconds=5),
        ),
        company=Company(
            inbox=inbox,
            messengers={"telegram": mouth},
            outbound=outbound,
            texts=texts,
            send_timeout=timedelta(seconds=5),
        ),
        messengers={"telegram": mouth},
        doorbell=Bell(),
        texts=texts,
        voice=None,
        base_of=lambda _: MAIN,
        meter=meter,
        concurrency=8,
        lease=LEASE,
        max_attempts=3,
        drain=timedelta(seconds=5),
    )


async def working(worker: Worker, until: Callable[[], bool]) -> None:
    """Let a worker run until something is true, then stop it in order."""
    stop = asyncio.Event()
    task = asyncio.create_task(worker.run(stop))
    async with asyncio.timeout(20):
        while True:
            if until():
                break
            await asyncio.sleep(0.01)
    stop.set()
    await task


async def test_5_the_worker_does_all_of_this_by_itself(redis: Redis, inbox: RedisInbox) -> None:
    """Claim, pipeline, deliver part by part, settle; with the history of each conversation at hand."""
    mouth = Mouth()

    async def answer(turn: Turn) -> str:
        return f"You asked: {turn.incoming.text}\n\nBefore that: {[e.question for e in turn.history]}"

    for text, who in (("first", ANN), ("hello", BOB), ("second", ANN)):
        await inbox.put(incoming(text, of=who))
    await working(a_worker(redis, inbox, mouth, answer), lambda: len(mouth.heard) == 6)

    assert [text for user, text in mouth.heard if user == "ann"] == [
        "You asked: first",
        "Before that: []",
        "You asked: second",
        "Before that: ['first']",
    ]
    assert [text for user, text in mouth.heard if user == "bob"] == ["You asked: hello", "Before that: []"]


async def test_6_what_cannot_be_answered_ends_in_an_honest_word(redis: Redis, inbox: RedisInbox) -> None:
    """After three exceptions the person is told, the message lies among the dead letters, and others never waited."""
    mouth = Mouth()

    async def answer(turn: Turn) -> str:
        if turn.incoming.text == "poison":
            raise ZeroDivisionError
        return "Fine."

    await inbox.put(incoming("poison", of=ANN))
    await inbox.put(incoming("hello", of=BOB))
    await working(a_worker(redis, inbox, mouth, answer), lambda: len(mouth.heard) == 2)

    assert dict(mouth.heard) == {"bob": "Fine.", "ann": Texts.load()("failure", "en")}
    assert await redis.zcard("fd:{p0}:dead") == 1

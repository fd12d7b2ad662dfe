"""Delivery: each part once as far as that can be known, within the budget, and only while the turn is ours."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import pytest
from redis.asyncio import Redis

from bot import deliver as deliver_module
from bot.deliver import AFTER_UNKNOWN, FIRST_RETRY, LAST_RETRY, LONG_ENOUGH, WORTH_WAITING, Deferred, Deliver, Delivered
from bot.errors import SendFailed, SendLimited, SendRefused, SendUnknown
from bot.lease import Lease
from bot.message import Conversation, Part, SentId
from bot.ports import Delivery
from bot.store import keys
from bot.store.client import translated
from bot.store.inbox import RedisInbox
from bot.store.outbound import Bucket, Buckets, RedisOutbound
from bot.store.scripts import Argument
from tests.contract.samples import LEASE, START_MS, claimed_by, conversation, inbox_on, incoming
from tests.contract.stage import SEND_TIMEOUT, FlakyScripts, Stage
from tests.fakes.ports import FakeMeter

NOW = timedelta(0)
MOMENT = timedelta(milliseconds=1)
MINUTE = timedelta(minutes=1)
ONE_A_MINUTE = Bucket(rate=1, per=MINUTE, burst=1)
HERE = conversation("7", "c")
INSTEAD = "not this one"
KEYS = [f"telegram:1:1#{index}" for index in range(3)]
THREE = Delivery(parts=(Part(text="one"), Part(text="two"), Part(text="three")), outcome="answered")
ONE_PART = Delivery(parts=(Part(text="one"),), outcome="answered")


class Budget(RedisOutbound):
    """The real budget, or waits as told; remembers how the ledger stood each time it was asked."""

    def __init__(self, redis: Redis, scripts: FlakyScripts, chat: Bucket | None = None) -> None:
        super().__init__(scripts, {"telegram": Buckets(chat=chat)})
        self._redis = redis
        self.told: list[timedelta] = []
        self.hangs = False
        self.sent: list[list[bytes]] = []
        """At each call: what the ledger said of the parts begun so far."""

    async def take(self, conversation: Conversation, *, group: bool, asker: str, person: str = "") -> timedelta:
        """As told, then as the real one."""
        with translated("look at the ledger"):
            turn = cast("dict[bytes, bytes]", await self._redis.hgetall(f"{keys.inbox(0)}:turn:{conversation.id}"))
        self.sent.append([turn[field] for field in (b"s0", b"s1", b"s2") if field in turn])
        if self.hangs:
            await asyncio.Event().wait()
        return self.told.pop(0) if self.told else await super().take(conversation, group=group, asker=asker)


@dataclass
class Desk:
    """Everything around one delivery."""

    redis: Redis
    scripts: FlakyScripts
    inbox: RedisInbox
    stage: Stage
    budget: Budget
    meter: FakeMeter
    messages: int = 0
    claims: int = 0

    def deliver(self) -> Deliver:
        """The thing itself."""
        return Deliver(
            inbox=self.inbox,
            messengers={"telegram": self.stage},
            outbound=self.budget,
            meter=self.meter,
            instead=lambda _: INSTEAD,
            send_timeout=SEND_TIMEOUT,
        )

    async def message(self, where: Conversation = HERE) -> Lease:
        """A message comes and is claimed."""
        self.messages += 1
        await self.inbox.put(incoming(self.messages, where))
        return await self.claim()

    async def claim(self, *, asked_s_ago: float = 0) -> Lease:
        """Whatever is due."""
        self.claims += 1
        claimed = await claimed_by(self.inbox, f"t{self.claims}")
        return Lease(claimed, asked_at=time.monotonic() - asked_s_ago, duration=LEASE)

    async def taken_over(self) -> Lease:
        """The lease runs out and another has the turn."""
        self.passes(LEASE)
        return await self.claim()

    def passes(self, duration: timedelta) -> None:
        """Time."""
        assert self.scripts.now_ms is not None
        self.scripts.now_ms += duration // timedelta(milliseconds=1)

    async def ledger(self) -> tuple[SentId | None, ...]:
        """What became of each part, as one who takes over is told."""
        delivery = (await self.taken_over()).claimed.delivery
        assert delivery is not None
        return delivery.sent


@pytest.fixture
def desk(redis: Redis) -> Desk:
    """A desk on a clock that stands still, with no limit on sends."""
    scripts = FlakyScripts(redis, now_ms=START_MS)
    return Desk(redis, scripts, inbox_on(redis, scripts), Stage(), Budget(redis, scripts), FakeMeter())


# --- the ledger -------------------------------------------------------------------------------------------------------


async def test_every_part_is_written_down_before_and_after(desk: Desk) -> None:
    """Before a part goes out the ledger holds the reply, the ids of those before it, and that it is being sent."""
    seen: list[tuple[SentId | None, ...]] = []

    async def look(key: str) -> None:
        again = await claimed_by(desk.inbox, "t1")
        assert again.delivery is not None
        assert again.delivery.parts == THREE.parts
        seen.append(again.delivery.sent)

    desk.stage.on_send = look
    result = await desk.deliver().deliver(await desk.message(), THREE)

    first, second = SentId(f"id of {KEYS[0]}"), SentId(f"id of {KEYS[1]}")
    assert (result, desk.stage.heard, desk.stage.asked) == (Delivered(), ["one", "two", "three"], KEYS)
    assert seen == [(None,), (first, None), (first, second, None)]
    assert desk.meter.counted == [("sent", "ok")] * 3


async def test_a_take_over_sends_only_what_is_not_out(desk: Desk) -> None:
    """What was found being sent is looked for under its own key; found, it is written down and not sent again."""
    lease = await desk.message()
    await desk.inbox.record(lease.claimed, THREE, sending=0)
    await desk.inbox.record(lease.claimed, sent=(0, SentId("55")), sending=1)
    desk.stage.posts = {KEYS[0]: SentId("other"), KEYS[1]: SentId("66"), KEYS[2]: SentId("none of ours")}
    second = await desk.taken_over()
    assert second.claimed.delivery is not None

    result = await desk.deliver().deliver(second, second.claimed.delivery)

    assert (result, desk.stage.heard, desk.stage.looked_for) == (Delivered(), ["three"], [KEYS[1]])
    assert (await desk.ledger())[:2] == ("55", "66")


async def test_what_a_worker_that_was_held_up_has_sent_is_not_sent_again(desk: Desk) -> None:
    """Its lease ran out during a send: the id is kept all the same, and who has the turn by then goes on behind it."""
    first = await desk.message()
    await desk.inbox.record(first.claimed, THREE, sending=0)
    second = await desk.taken_over()
    assert second.claimed.delivery is not None
    late = await desk.inbox.record(first.claimed, sent=(0, SentId("55")), sending=1)

    result = await desk.deliver().deliver(second, second.claimed.delivery)

    assert (late, result, desk.stage.heard) == (False, Delivered(), ["two", "three"])
    assert (await desk.ledger())[0] == "55"


async def test_who_may_not_look_sends_nothing_yet(desk: Desk) -> None:
    """The platform has us look later; what may be there is not posted a second time meanwhile."""
    lease = await desk.message()
    await desk.inbox.record(lease.claimed, THREE, sending=0)
    desk.stage.looking_fails = SendLimited(timedelta(seconds=30))
    second = await desk.taken_over()
    assert second.claimed.delivery is not None

    result = await desk.deliver().deliver(second, second.claimed.delivery)

    assert (result, desk.stage.asked) == (Deferred(delay=timedelta(seconds=30), failing=True), [])


async def test_a_part_that_is_not_found_is_sent_again(desk: Desk) -> None:
    """The named window: better twice than never."""
    lease = await desk.message()
    await desk.inbox.record(lease.claimed, THREE, sending=0)
    desk.stage.posts = {}
    second = await desk.taken_over()
    assert second.claimed.delivery is not None

    result = await desk.deliver().deliver(second, second.claimed.delivery)

    assert (result, desk.stage.asked) == (Delivered(), KEYS)


async def test_what_was_sent_is_written_down_whatever_it_takes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis is away just after a send: the id is kept until it is back, and nothing goes twice."""
    monkeypatch.setattr(deliver_module, "STORE_AGAIN", timedelta(milliseconds=1))

    async def then_away(key: str) -> None:
        desk.scripts.failing["record"] = 5 if key == KEYS[0] else 0

    desk.stage.on_send = then_away
    result = await desk.deliver().deliver(await desk.message(), THREE)

    assert (result, desk.stage.asked, desk.scripts.failing["record"]) == (Delivered(), KEYS, 0)
    assert (await desk.ledger())[0] == f"id of {KEYS[0]}"


async def test_a_lease_that_cannot_be_asked_about_costs_no_reply(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Redis is away when little is left of the lease after a send: it is asked until it answers; nothing goes twice."""
    monkeypatch.setattr(deliver_module, "STORE_AGAIN", timedelta(milliseconds=1))
    lease = await desk.message()

    async def late_and_away(key: str) -> None:
        if key == KEYS[0]:
            lease.prolong(asked_at=time.monotonic() - (LEASE - SEND_TIMEOUT).total_seconds() - 1)
            desk.scripts.failing["renew"] = 3

    desk.stage.on_send = late_and_away
    result = await desk.deliver().deliver(lease, THREE)

    assert (result, desk.stage.asked, desk.scripts.failing["renew"]) == (Delivered(), KEYS, 0)


async def test_a_finished_reply_waits_for_redis(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is paid for, so it is not given up: nothing goes out before it is in the ledger, and then all of it once."""
    monkeypatch.setattr(deliver_module, "STORE_AGAIN", timedelta(milliseconds=1))
    lease = await desk.message()
    desk.scripts.failing["record"] = 3

    result = await desk.deliver().deliver(lease, THREE)

    assert (result, desk.stage.asked, desk.scripts.failing["record"]) == (Delivered(), KEYS, 0)


@pytest.mark.parametrize("hangs", [False, True])
async def test_while_the_budget_is_away_the_reply_is_in_the_ledger_and_holds_no_worker(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    """On a cluster it lies on another server than the turn, which may refuse or say nothing at all."""
    monkeypatch.setattr(deliver_module, "UNNOTED", 10 * MOMENT)
    monkeypatch.setattr(deliver_module, "NOTED", 10 * MOMENT)
    desk.budget.hangs = hangs
    desk.scripts.failing["take"] = 0 if hangs else 100

    result = await desk.deliver().deliver(await desk.message(), THREE)
    second = await desk.taken_over()
    assert second.claimed.delivery is not None
    again = await desk.deliver().deliver(second, second.claimed.delivery)

    assert result == again == Deferred(delay=FIRST_RETRY, failing=True)
    assert (second.claimed.delivery, desk.stage.asked) == (THREE, [])


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_budget_that_is_away_forgets_no_id(desk: Desk, monkeypatch: pytest.MonkeyPatch, hangs: bool) -> None:
    """It goes away between a part and the next one: what was sent is noted at once, so that nothing goes twice."""

    async def then_away(key: str) -> None:
        monkeypatch.setattr(deliver_module, "UNNOTED", 10 * MOMENT)
        desk.budget.hangs = hangs
        desk.scripts.failing["take"] = 0 if hangs else 100

    desk.stage.on_send = then_away
    result = await desk.deliver().deliver(await desk.message(), THREE)

    assert (result, desk.stage.asked) == (Deferred(delay=FIRST_RETRY, failing=True), KEYS[:1])
    assert await desk.ledger() == (f"id of {KEYS[0]}",)


# --- the lease --------------------------------------------------------------------------------------------------------


async def test_a_lease_that_is_ours_and_too_short_is_given_back(desk: Desk) -> None:
    """Redis is so slow that a send might outlive the lease: nothing is sent, and it counts as nobody's crash."""
    deliver = Deliver(
        inbox=desk.inbox,
        messengers={"telegram": desk.stage},
        outbound=desk.budget,
        meter=desk.meter,
        instead=lambda _: INSTEAD,
        send_timeout=LEASE,
    )

    result = await deliver.deliver(await desk.message(), THREE)

    assert (result, desk.stage.asked) == (Deferred(delay=FIRST_RETRY, failing=True), [])


async def test_an_answer_that_came_while_we_stood_still_counts(desk: Desk) -> None:
    """The whole process is held up during a send; the platform has answered in time."""
    answer = asyncio.Event()
    send_timeout = timedelta(milliseconds=400)

    async def held_up(key: str) -> None:
        asyncio.get_running_loop().call_later(0.05, answer.set)
        asyncio.get_running_loop().call_soon(time.sleep, 2 * send_timeout.total_seconds())
        await answer.wait()
        for _ in range(20):
            await asyncio.sleep(0)  # reading it takes several rounds of the loop

    desk.stage.on_send = held_up
    deliver = Deliver(
        inbox=desk.inbox,
        messengers={"telegram": desk.stage},
        outbound=desk.budget,
        meter=desk.meter,
        instead=lambda _: INSTEAD,
        send_timeout=send_timeout,
    )
    result = await deliver.deliver(await desk.message(), ONE_PART)

    assert (result, desk.stage.asked) == (Delivered(), KEYS[:1])


async def test_a_lost_lease_sends_nothing_more(desk: Desk) -> None:
    """Another took the turn over while a part went out: the rest is the other's, who finds its id."""

    async def robbed(key: str) -> None:
        await desk.taken_over()

    desk.stage.on_send = robbed
    result = await desk.deliver().deliver(await desk.message(), THREE)

    assert (result, desk.stage.heard) == ("lost", ["one"])
    assert await desk.ledger() == (f"id of {KEYS[0]}",)


@pytest.mark.parametrize("held", [True, False])
async def test_a_send_begins_only_if_it_ends_within_the_lease(desk: Desk, held: bool) -> None:
    """Too little is left for a send: the lease is renewed first, and if it cannot be, nothing is sent."""
    await desk.message()
    desk.passes(LEASE)
    lease = await desk.claim(asked_s_ago=(LEASE - SEND_TIMEOUT).total_seconds() + 1)
    if not held:
        await desk.inbox.defer(lease.claimed, NOW)

    result = await desk.deliver().deliver(lease, ONE_PART)

    assert (result, desk.stage.heard) == ((Delivered(), ["one"]) if held else ("lost", []))
    assert lease.holds_for(LEASE / 2) == held


async def test_what_writing_down_takes_is_taken_from_the_lease(desk: Desk) -> None:
    """After a slow write too little is left for a send: the lease is renewed between them."""
    lease = await desk.message()

    class Slow(FlakyScripts):
        """Time passes while it writes."""

        async def run(self, name: str, keys: Sequence[str], *arguments: Argument) -> object:
            """As ever."""
            answer = await super().run(name, keys, *arguments)
            if name == "record":
                lease.prolong(asked_at=time.monotonic() - LEASE.total_seconds() + 1)
            return answer

    desk.inbox = inbox_on(desk.redis, Slow(desk.redis, now_ms=START_MS))
    result = await desk.deliver().deliver(lease, ONE_PART)

    assert result == Delivered()
    assert lease.holds_for(LEASE / 2)


async def test_a_lease_that_was_found_lost_is_asked_for_once_more(desk: Desk) -> None:
    """The renewal of leases says so while a part goes out; Redis has the last word."""
    lease = await desk.message()

    async def lost(key: str) -> None:
        lease.lose()
        if key == KEYS[1]:
            await desk.taken_over()

    desk.stage.on_send = lost
    result = await desk.deliver().deliver(lease, THREE)

    assert (result, desk.stage.heard) == ("lost", ["one", "two"])


# --- the budget -------------------------------------------------------------------------------------------------------


async def test_a_limited_chat_is_closed_for_everyone_in_it(desk: Desk) -> None:
    """Another's reply into that chat waits as long, unsent; one into another chat goes out."""
    desk.stage.acts = [SendLimited(timedelta(seconds=30))]
    limited = await desk.deliver().deliver(await desk.message(), ONE_PART)

    neighbour = await desk.deliver().deliver(await desk.message(conversation("8", "c")), ONE_PART)
    elsewhere = await desk.deliver().deliver(await desk.message(conversation("8", "d")), ONE_PART)

    assert limited == Deferred(delay=timedelta(seconds=30), failing=True)
    assert neighbour == Deferred(delay=timedelta(seconds=30))
    assert (elsewhere, len(desk.stage.asked), desk.stage.heard) == (Delivered(), 2, ["one"])
    assert desk.meter.counted == [("sent", "limited"), ("sent", "ok")]


async def test_a_pause_that_cannot_be_noted_holds_no_worker(desk: Desk) -> None:
    """Whoever sends into that chat next learns of it from the platform."""
    desk.stage.acts = [SendLimited(timedelta(seconds=30))]
    desk.scripts.failing["close"] = 100

    result = await desk.deliver().deliver(await desk.message(), ONE_PART)

    assert result == Deferred(delay=timedelta(seconds=30), failing=True)


async def test_a_long_wait_gives_the_conversation_back(desk: Desk) -> None:
    """Nobody sleeps for it; whoever has the turn then goes on where it stopped."""
    desk.budget = Budget(desk.redis, desk.scripts, ONE_A_MINUTE)
    lease = await desk.message()

    result = await desk.deliver().deliver(lease, THREE)

    assert result == Deferred(delay=MINUTE)
    assert desk.stage.asked == KEYS[:1]
    await desk.inbox.defer(lease.claimed, MINUTE)
    desk.passes(MINUTE)
    second = await desk.claim()
    assert second.claimed.delivery is not None
    assert second.claimed.delivery.sent == (f"id of {KEYS[0]}",)
    assert await desk.deliver().deliver(second, second.claimed.delivery) == Deferred(delay=MINUTE)
    assert desk.stage.asked == KEYS[:2]


async def test_a_reply_waits_for_the_budget_before_its_first_part_too(desk: Desk) -> None:
    """The finished reply is in the ledger, so that the model is not paid twice; nothing is marked as being sent."""
    desk.budget = Budget(desk.redis, desk.scripts, ONE_A_MINUTE)
    await desk.budget.take(HERE, group=False, asker="another")

    result = await desk.deliver().deliver(await desk.message(), THREE)

    assert (result, desk.stage.asked) == (Deferred(delay=MINUTE), [])
    assert await desk.ledger() == ()


@pytest.mark.parametrize(
    ("told", "asked", "heard"),
    [
        ([NOW, MOMENT, MOMENT, MOMENT], 4, ["one"]),
        ([NOW, MOMENT, NOW, MOMENT, MOMENT], 5, ["one", "two"]),
        ([MOMENT, NOW, MOMENT, NOW, NOW], 5, ["one", "two", "three"]),
    ],
)
async def test_a_delivery_sleeps_for_two_moments_at_most(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, told: list[timedelta], asked: int, heard: list[str]
) -> None:
    """All its waits together, before one part or before many; then the conversation is given back."""
    monkeypatch.setattr(deliver_module, "WORTH_WAITING", 2 * MOMENT)
    desk.budget.told = list(told)

    result = await desk.deliver().deliver(await desk.message(), THREE)

    assert result == (Delivered() if len(heard) == 3 else Deferred(delay=MOMENT))
    assert (len(desk.budget.sent), desk.stage.heard) == (asked, heard)


def test_two_moments_are_two_seconds() -> None:
    """Longer, and the worker has better things to do."""
    assert timedelta(seconds=2) >= WORTH_WAITING


async def test_what_was_sent_is_written_down_before_waiting(desk: Desk) -> None:
    """Killed while it sleeps for its budget, a delivery leaves no part in doubt."""
    desk.budget.told = [NOW, MOMENT, NOW]

    await desk.deliver().deliver(await desk.message(), THREE)

    first = f"id of {KEYS[0]}".encode()
    assert desk.budget.sent == [[], [b""], [first], [first, b""]]


async def test_a_lost_lease_is_not_waited_with(desk: Desk) -> None:
    """Short of budget and no longer ours: it is left to the other at once."""
    desk.budget.told = [NOW, MOMENT]

    async def robbed(key: str) -> None:
        await desk.taken_over()

    desk.stage.on_send = robbed
    assert await desk.deliver().deliver(await desk.message(), THREE) == "lost"
    assert (len(desk.budget.sent), desk.stage.heard) == (2, ["one"])


# --- what can go wrong with a send ------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [SendUnknown("no answer"), TimeoutError()])
async def test_an_unknown_send_is_tried_again_later_and_later(desk: Desk, error: Exception) -> None:
    """After 15, 60 and 240 seconds, counted as attempts: three copies at the most can come of it."""
    desk.stage.acts = [error] * 3
    lease = await desk.message()
    delays = []

    for _ in range(3):
        result = await desk.deliver().deliver(lease, lease.claimed.delivery or ONE_PART)
        assert isinstance(result, Deferred)
        assert result.error
        delays.append(result.delay.total_seconds())
        await desk.inbox.defer(lease.claimed, result.delay, error=result.error)
        desk.passes(result.delay)
        lease = await desk.claim()

    assert delays == [15, 60, 240]
    assert timedelta(seconds=delays[0]) == AFTER_UNKNOWN
    assert lease.claimed.attempts == 3
    assert lease.claimed.delivery is not None
    assert lease.claimed.delivery.sent == (None,)
    assert desk.meter.counted == [("sent", "unknown")] * 3


@pytest.mark.parametrize("attempts", [5, 99])
async def test_no_send_waits_longer_than_an_hour(desk: Desk, attempts: int) -> None:
    """However many attempts are allowed."""
    desk.stage.acts = [SendUnknown("no answer")]
    lease = await desk.message()
    await desk.inbox.record(lease.claimed, ONE_PART, sending=0)
    await desk.redis.hset(f"{keys.inbox(0)}:turn:{HERE.id}", "attempts", attempts)
    second = await desk.taken_over()
    assert second.claimed.delivery is not None

    result = await desk.deliver().deliver(second, second.claimed.delivery)

    assert result == Deferred(delay=timedelta(hours=1), error=True, attempts=attempts)


async def test_a_send_that_hangs_is_given_up(desk: Desk) -> None:
    """Nobody knows whether it went out."""

    async def hang(key: str) -> None:
        await asyncio.Event().wait()

    desk.stage.on_send = hang
    deliver = Deliver(
        inbox=desk.inbox,
        messengers={"telegram": desk.stage},
        outbound=desk.budget,
        meter=desk.meter,
        instead=lambda _: INSTEAD,
        send_timeout=timedelta(milliseconds=10),
    )

    assert await deliver.deliver(await desk.message(), ONE_PART) == Deferred(delay=AFTER_UNKNOWN, error=True)


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize(
    ("fails_for", "delay"),
    [
        (NOW, FIRST_RETRY),
        (timedelta(seconds=4), FIRST_RETRY),
        (timedelta(seconds=40), timedelta(seconds=10)),
        (timedelta(hours=1), LAST_RETRY),
        (timedelta(hours=25), LAST_RETRY),
    ],
)
async def test_what_was_surely_not_sent_is_tried_again_for_a_day(
    desk: Desk, fails_for: timedelta, delay: timedelta, limited: bool
) -> None:
    """After a quarter of the time for which it has failed, or as the platform asks; nothing counts until then."""
    desk.stage.acts = [SendLimited(MINUTE) if limited else SendFailed("no connection")]
    lease = await desk.message()
    await desk.inbox.record(lease.claimed, ONE_PART)
    await desk.inbox.defer(lease.claimed, NOW, failing=fails_for > NOW)
    desk.passes(fails_for)
    lease = await desk.claim()
    assert lease.claimed.delivery is not None

    result = await desk.deliver().deliver(lease, lease.claimed.delivery)

    assert isinstance(result, Deferred)
    if limited:
        assert result.delay == MINUTE
    else:
        assert delay <= result.delay <= max(FIRST_RETRY, min(LAST_RETRY, lease.failing() / 4))
    assert (result.failing, result.error) == (True, fails_for > LONG_ENOUGH)
    assert desk.meter.counted == [("sent", "limited" if limited else "failed")]


async def test_a_part_that_goes_out_ends_the_row_of_failures(desk: Desk) -> None:
    """What comes next has a day of its own, in the same turn, too."""
    lease = await desk.message()
    await desk.inbox.record(lease.claimed, THREE)
    await desk.inbox.defer(lease.claimed, NOW, failing=True)
    desk.passes(2 * LONG_ENOUGH)
    lease = await desk.claim()
    desk.stage.acts = [None, SendLimited(MINUTE)]
    assert lease.claimed.delivery is not None

    result = await desk.deliver().deliver(lease, lease.claimed.delivery)

    assert (result, desk.stage.heard) == (Deferred(delay=MINUTE, failing=True), ["one"])


@pytest.mark.parametrize("index", [0, 1, 2])
async def test_a_part_that_is_refused_is_missed_and_the_others_follow(desk: Desk, index: int) -> None:
    """Whoever reads the rest is told in its place, once: it counts as out for whoever takes the turn over."""
    desk.stage.acts = [*[None] * index, SendRefused("the text is empty")]

    result = await desk.deliver().deliver(await desk.message(), THREE)

    expected = ["one", "two", "three"]
    expected[index] = INSTEAD
    assert (result, desk.stage.heard) == (Delivered(), expected)
    assert desk.stage.asked == [*KEYS[: index + 1], *KEYS[index:]]
    assert sorted(desk.meter.counted) == [*[("sent", "ok")] * 3, ("sent", "refused")]
    assert (await desk.ledger())[:2] == tuple(f"id of {key}" for key in KEYS[:2])


async def test_what_is_said_in_the_place_of_a_part_may_fail_as_any_send(desk: Desk) -> None:
    """It is tried again later, after the part itself."""
    desk.stage.acts = [SendRefused("the text is empty"), SendFailed("no connection")]

    result = await desk.deliver().deliver(await desk.message(), ONE_PART)

    assert (result, desk.stage.heard) == (Deferred(delay=FIRST_RETRY, failing=True), [])


async def test_what_the_platform_never_takes_is_undeliverable(desk: Desk) -> None:
    """Where it does not even take that a part is missing, nothing more is tried, and the turn ends."""
    desk.stage.acts = [None, SendRefused("blocked"), SendRefused("blocked")]

    result = await desk.deliver().deliver(await desk.message(), THREE)

    assert (result, desk.stage.asked) == ("undeliverable", [*KEYS[:2], KEYS[1]])
    assert desk.meter.counted == [("sent", "ok"), *[("sent", "refused")] * 2]

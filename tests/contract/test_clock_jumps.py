"""Redis's clock is set forward and back: nobody waits for the difference, and nothing is kept that was forgotten.

The scripts' own clock is moved; what Redis itself does with its clock, TTLs, is put in the state that a jump leaves.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from bot.message import MessageId
from bot.ports import Claimed
from bot.store import keys
from bot.store.answers import LEAD, RedisAnswers
from bot.store.dead import DeadLetters
from bot.store.forgetting import RedisForgetting
from bot.store.inbox import RedisInbox
from bot.store.leader import RedisLeader
from bot.store.limiter import RedisLimiter
from bot.store.outbound import Bucket, Buckets, RedisOutbound
from bot.store.scripts import Scripts
from bot.store.spending import RedisSpending
from bot.turn import IN_LINE, AnswerKey, Exchange
from tests.contract.samples import LEASE, START_MS, claimed_by, conversation, inbox_on, incoming

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
MS = timedelta(milliseconds=1)
HERE, THERE = conversation("7"), conversation("8")
EXCHANGE = Exchange(question="q", answer="a", tokens=1)
JUMPS = pytest.mark.parametrize("jump", [HOUR, DAY, 300 * DAY], ids=str)


class Clock:
    """Redis's clock as the scripts see it."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self.scripts = Scripts(redis, now_ms=START_MS)

    def move(self, by: timedelta) -> None:
        """Forward, or back."""
        assert self.scripts.now_ms is not None
        self.scripts.now_ms += by // MS

    @property
    def now_ms(self) -> int:
        """What it shows."""
        assert self.scripts.now_ms is not None
        return self.scripts.now_ms


@pytest.fixture
def clock(redis: Redis) -> Clock:
    """A clock that stands."""
    return Clock(redis)


@pytest.fixture
def inbox(clock: Clock) -> RedisInbox:
    """An inbox of one partition on that clock."""
    return inbox_on(clock.redis, clock.scripts)


@JUMPS
async def test_set_back_what_waits_is_claimed_at_once(clock: Clock, inbox: RedisInbox, jump: timedelta) -> None:
    """One message that came before, one whose worker died, one that was put off: each as if nothing had been."""
    await inbox.put(incoming(1, HERE))
    dying = await claimed_by(inbox, "dies")
    await inbox.put(incoming(2, THERE))
    await inbox.defer(await claimed_by(inbox, "defers"), 20 * SECOND)
    await inbox.put(incoming(3, conversation("9")))

    clock.move(-jump)
    at_once = await claimed_by(inbox, "a")
    none_yet, idle = await inbox.claim("b"), inbox.idle()
    clock.move(20 * SECOND)
    deferred = await claimed_by(inbox, "b")
    clock.move(LEASE - 20 * SECOND)
    taken_over = await claimed_by(inbox, "c")

    assert (at_once.incoming.id, none_yet, idle) == (incoming(3).id, None, 20 * SECOND)
    assert (deferred.incoming.id, taken_over.incoming.id) == (incoming(2).id, dying.incoming.id)
    assert at_once.waited == timedelta(0)


async def _put(inbox: RedisInbox, _letters: DeadLetters, _held: Claimed) -> None:
    await inbox.put(incoming(9, conversation("9")))


async def _renew(inbox: RedisInbox, _letters: DeadLetters, held: Claimed) -> None:
    await inbox.renew([held])


async def _defer(inbox: RedisInbox, _letters: DeadLetters, held: Claimed) -> None:
    await inbox.defer(held, 5 * SECOND)


async def _line_up(inbox: RedisInbox, _letters: DeadLetters, held: Claimed) -> None:
    await inbox.defer(held, IN_LINE)


async def _settle(inbox: RedisInbox, _letters: DeadLetters, held: Claimed) -> None:
    await inbox.settle(held, EXCHANGE)  # the next one of its mailbox falls due


async def _retry(_inbox: RedisInbox, letters: DeadLetters, _held: Claimed) -> None:
    await letters.retry(incoming(3).id)


async def _release(inbox: RedisInbox, _letters: DeadLetters, _held: Claimed) -> None:
    await inbox.release_claims()


Act = Callable[[RedisInbox, DeadLetters, Claimed], Awaitable[None]]


async def _before_an_act(clock: Clock, inbox: RedisInbox) -> tuple[DeadLetters, Claimed]:
    """One message put off, one at work with another behind it, and a dead letter."""
    letters = DeadLetters(clock.redis, clock.scripts, partitions=1)
    await inbox.put(incoming(1, HERE))
    await inbox.defer(await claimed_by(inbox, "defers"), 20 * SECOND)
    await inbox.put(incoming(3, conversation("dead")))
    await inbox.bury(await claimed_by(inbox, "buries"), "why")
    await inbox.put(incoming(2, THERE))
    held = await claimed_by(inbox, "lives")
    await inbox.put(incoming(4, THERE))
    return letters, held


async def _claimable(inbox: RedisInbox) -> set[str]:
    """Ids of all that can be claimed now."""
    found: set[str] = set()
    while claimed := await inbox.claim(str(len(found)), has_place=True):
        found.add(claimed.incoming.id)
    return found


@pytest.mark.parametrize("act", [_put, _renew, _defer, _line_up, _settle, _retry, _release])
async def test_set_back_it_is_noticed_whoever_comes_first(clock: Clock, inbox: RedisInbox, act: Act) -> None:
    """What was put off before the step does not wait for it, whatever is made due by the new clock before a claim."""
    letters, held = await _before_an_act(clock, inbox)
    clock.move(-HOUR)
    await act(inbox, letters, held)
    at_once = await _claimable(inbox)
    clock.move(20 * SECOND)

    assert incoming(1).id not in at_once
    assert incoming(1).id in await _claimable(inbox)


@pytest.mark.parametrize(("act", "number"), [(_put, 9), (_renew, 2), (_defer, 2), (_settle, 4), (_retry, 3)])
async def test_set_back_after_it_what_an_act_made_due_is_so(
    clock: Clock, inbox: RedisInbox, act: Act, number: int
) -> None:
    """Each notes the clock by which it was, also an hour after the last one did."""
    letters, held = await _before_an_act(clock, inbox)
    clock.move(HOUR)
    await act(inbox, letters, held)
    clock.move(-HOUR / 2)
    await inbox.claim("looks")
    clock.move(LEASE)

    assert incoming(number).id in await _claimable(inbox)


async def test_looking_in_vain_writes_nothing(clock: Clock, inbox: RedisInbox) -> None:
    """Each worker does so each second."""
    await inbox.put(incoming(1, HERE))
    await claimed_by(inbox, "a")
    before = await clock.redis.info("persistence")
    assert await inbox.claim("b") is None
    after = await clock.redis.info("persistence")

    assert after["rdb_changes_since_last_save"] == before["rdb_changes_since_last_save"] > 0


@JUMPS
async def test_set_back_a_long_turn_stays_its_workers(clock: Clock, inbox: RedisInbox, jump: timedelta) -> None:
    """Renewed after the jump, it is nobody else's; renewed before it only, it falls due when its lease ends."""
    await inbox.put(incoming(1, HERE))
    claimed = await claimed_by(inbox, "a")
    clock.move(10 * LEASE)
    await inbox.renew([claimed])
    clock.move(-jump)

    assert await inbox.claim("b") is None
    assert await inbox.renew([claimed]) == {"a"}
    clock.move(LEASE - MS)
    assert await inbox.claim("b") is None
    clock.move(MS)
    assert (await claimed_by(inbox, "b")).incoming == claimed.incoming


@JUMPS
async def test_set_forward_a_lease_ends_and_the_old_worker_is_fenced_off(
    clock: Clock, inbox: RedisInbox, jump: timedelta
) -> None:
    """Nobody can know that it was a jump; the turn is taken over, and only one of the two can go on."""
    await inbox.put(incoming(1, HERE))
    first = await claimed_by(inbox, "a")
    clock.move(jump)
    second = await claimed_by(inbox, "b")

    assert await inbox.renew([first, second]) == {"b"}
    assert not await inbox.record(first, sending=0)
    assert await inbox.settle(second, EXCHANGE) == "settled"
    assert await inbox.settle(first, EXCHANGE) == "done"


@JUMPS
async def test_a_redelivery_after_a_jump_is_known(clock: Clock, inbox: RedisInbox, jump: timedelta) -> None:
    """The mark goes by the platform's date, not by our clock."""
    await inbox.put(incoming(1, HERE))
    clock.move(jump)
    ahead = await inbox.put(incoming(1, HERE))
    clock.move(-2 * jump)
    behind = await inbox.put(incoming(1, HERE))

    assert (ahead, behind) == ("duplicate", "duplicate")


@pytest.mark.parametrize("year", [1, 1970, 2100, 9999])
async def test_a_date_far_off_is_stored_once_like_any_other(inbox: RedisInbox, year: int) -> None:
    """Whatever the platform says about when it was written."""
    odd = incoming(1, HERE, sent_at=datetime(year, 1, 1, tzinfo=UTC))

    answers = [await inbox.put(odd), await inbox.put(odd)]

    assert answers == ["stored", "duplicate"]
    assert (await claimed_by(inbox, "a")).incoming == odd


@JUMPS
async def test_set_back_the_limiter_counts_what_was_ahead_as_of_now(clock: Clock, jump: timedelta) -> None:
    """Full it stays for a window and no longer, and the person is told."""
    limiter = RedisLimiter(clock.scripts, {"messages": [(2, SECOND * 60)]})
    clock.move(jump)
    ahead = [await limiter.decide("messages", HERE.person, name, clock.now_ms) for name in "abc"]
    clock.move(-jump)
    full = await limiter.decide("messages", HERE.person, "d", clock.now_ms)
    clock.move(60 * SECOND)
    free = await limiter.decide("messages", HERE.person, "e", clock.now_ms)

    assert [decision.allowed for decision in ahead] == [True, True, False]
    assert (full.allowed, full.retry_after, full.tell) == (False, 60 * SECOND, True)
    assert free.allowed


@JUMPS
async def test_set_back_the_token_budget_counts_what_was_ahead_as_of_now(clock: Clock, jump: timedelta) -> None:
    """As the limiter does."""
    spending = RedisSpending(clock.scripts, [(10, SECOND * 60)])
    clock.move(jump)
    await spending.reserve(HERE.person, "a", clock.now_ms, 10)
    clock.move(-jump)
    full = await spending.reserve(HERE.person, "b", clock.now_ms, 10)
    clock.move(60 * SECOND)
    free = await spending.reserve(HERE.person, "c", clock.now_ms, 10)

    assert (full.allowed, full.retry_after, free.allowed) == (False, 60 * SECOND, True)


@JUMPS
async def test_set_back_no_chat_is_silenced(clock: Clock, jump: timedelta) -> None:
    """Empty buckets, a place in the line and a pause of the platform last no longer than they would have."""
    bucket = Bucket(rate=1, per=SECOND, burst=2)
    outbound = RedisOutbound(clock.scripts, {"telegram": Buckets(bot=bucket, chat=bucket)})
    for number in range(6):
        await outbound.take(HERE, group=False, asker=str(number))
    elsewhere = conversation("8", "d")
    await outbound.close(elsewhere, 30 * SECOND)
    clock.move(-jump)

    waits = [await outbound.take(HERE, group=False, asker=name) for name in ("5", "new")]
    closed = await outbound.take(elsewhere, group=False, asker="other")

    assert max(waits) <= 5 * SECOND
    assert 0 * SECOND < closed <= 30 * SECOND


async def test_two_pauses_keep_the_longer_one_across_a_jump(clock: Clock) -> None:
    """And no longer than it is."""
    outbound = RedisOutbound(clock.scripts, {"telegram": Buckets()})
    await outbound.close(HERE, 30 * SECOND)
    clock.move(-DAY)
    await outbound.close(HERE, 10 * SECOND)

    assert await outbound.take(HERE, group=False, asker="a") == 30 * SECOND


@JUMPS
async def test_a_dead_leader_is_followed_after_a_jump(redis: Redis, jump: timedelta) -> None:
    """Set back, the key of the lead has a day to live; the next look cuts that to the life of a lead."""
    dead, follower = (RedisLeader(Scripts(redis), task="telegram", life=10 * SECOND) for _ in range(2))
    await dead.hold()
    await redis.pexpire(keys.leader("telegram"), jump + 10 * SECOND)

    assert not await follower.hold()
    assert await redis.pttl(keys.leader("telegram")) <= 10_000


@JUMPS
async def test_a_dead_asker_leads_no_longer_after_a_jump(redis: Redis, jump: timedelta) -> None:
    """Likewise the one whose answer others wait for."""
    answers, key = RedisAnswers(Scripts(redis), ttl=HOUR), AnswerKey("main", "k")
    await answers.find(key, MessageId("dead"))
    name = f"{keys.kb('main')}:lead:k"
    await redis.pexpire(name, jump + LEAD)

    await answers.find(key, MessageId("other"))

    assert await redis.pttl(name) <= LEAD // MS


def _forgetting(clock: Clock) -> RedisForgetting:
    return RedisForgetting(clock.redis, clock.scripts, partitions=1, kb_scripts=clock.scripts, knowledge_bases=["main"])


async def _turn(inbox: RedisInbox, number: int) -> int:
    """A message that is answered and remembered; returns its arrival."""
    await inbox.put(incoming(number, HERE))
    claimed = await claimed_by(inbox, str(number))
    await inbox.settle(claimed, EXCHANGE)
    return claimed.arrived_ms


@JUMPS
async def test_forget_reaches_what_was_remembered_ahead(clock: Clock, inbox: RedisInbox, jump: timedelta) -> None:
    """Set back, the history lies in the future: /forget erases it all the same."""
    clock.move(jump)
    await _turn(inbox, 1)
    clock.move(-jump)
    await inbox.put(incoming(2, HERE))
    at_ms = (await claimed_by(inbox, "forget")).arrived_ms

    receipt = await _forgetting(clock).forget(HERE.person, at_ms)

    assert receipt.exchanges == 1
    assert not [name async for name in clock.redis.scan_iter("*:history:*")]


@JUMPS
async def test_after_a_reset_ahead_what_comes_is_remembered(clock: Clock, inbox: RedisInbox, jump: timedelta) -> None:
    """The mark lies in the future; a message after it still comes after it, and the next /reset after that one."""
    clock.move(jump)
    first = await _turn(inbox, 1)
    await _forgetting(clock).reset(HERE, first)
    clock.move(-jump)
    second = await _turn(inbox, 2)
    await inbox.put(incoming(3, HERE))
    claimed = await claimed_by(inbox, "3")
    await _forgetting(clock).reset(HERE, claimed.arrived_ms)

    assert second > first
    assert len(claimed.history) == 1
    assert claimed.waited == timedelta(0)
    await inbox.settle(claimed, None)
    await inbox.put(incoming(4, HERE))
    assert (await claimed_by(inbox, "4")).history == ()


async def test_a_queue_of_the_future_has_no_age(clock: Clock, inbox: RedisInbox) -> None:
    """Never a negative one."""
    await inbox.put(incoming(1, HERE))
    clock.move(-HOUR)

    assert await inbox.queue() == (1, timedelta(0), 0)

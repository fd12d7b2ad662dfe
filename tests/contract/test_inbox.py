"""The inbox where a random walk seldom looks: exact instants, many callers at once, retries and restarts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from redis.asyncio import Redis

from bot.errors import StartError, StoreUnavailable
from bot.message import SentId
from bot.ports import Delivery
from bot.store import keys
from bot.store.inbox import RedisInbox
from bot.store.partitions import fix_partitions
from bot.store.scripts import Argument, Scripts, milliseconds
from bot.turn import Exchange
from tests.contract.samples import LEASE, START_MS, claimed_by, conversation, inbox_on, incoming

LEASE_MS = milliseconds(LEASE)


@pytest.fixture
def scripts(redis: Redis) -> Scripts:
    """Scripts on a clock that stands still."""
    return Scripts(redis, now_ms=START_MS)


@pytest.fixture
def inbox(redis: Redis, scripts: Scripts) -> RedisInbox:
    """An inbox on that clock."""
    return inbox_on(redis, scripts)


def users_of_two_partitions() -> dict[int, str]:
    """Partition → a person whose conversation is in it."""
    return {keys.partition_of(conversation(user).id, 2): user for user in map(str, range(10))}


# --- instants ---


@pytest.mark.parametrize(("after_ms", "free"), [(LEASE_MS - 1, False), (LEASE_MS, True), (LEASE_MS + 1, True)])
async def test_a_lease_holds_to_its_end(inbox: RedisInbox, scripts: Scripts, after_ms: int, free: bool) -> None:
    """Another may claim at the very end of the lease, and not a millisecond before."""
    await inbox.put(incoming(1))
    await inbox.claim("first")

    scripts.now_ms = START_MS + after_ms
    second = await inbox.claim("second")

    assert (second is not None) == free


@pytest.mark.parametrize(("after_ms", "free"), [(999, False), (1000, True), (1001, True)])
async def test_a_deferred_conversation_is_due_at_its_moment(
    inbox: RedisInbox, scripts: Scripts, after_ms: int, free: bool
) -> None:
    """Deferred by a second: not claimed before it is over, and by anybody then."""
    await inbox.put(incoming(1))
    await inbox.defer(await claimed_by(inbox, "first"), timedelta(seconds=1))

    scripts.now_ms = START_MS + after_ms
    again = await inbox.claim("second")

    assert (again is not None) == free


async def test_a_renewed_lease_counts_from_the_renewal(inbox: RedisInbox, scripts: Scripts) -> None:
    """Renewed a millisecond before its end, it holds for a whole lease more."""
    await inbox.put(incoming(1))
    claimed = await claimed_by(inbox, "first")

    scripts.now_ms = START_MS + LEASE_MS - 1
    held = await inbox.renew([claimed])
    scripts.now_ms = START_MS + 2 * LEASE_MS - 2
    early = await inbox.claim("second")
    scripts.now_ms = START_MS + 2 * LEASE_MS - 1
    late = await inbox.claim("third")

    assert held == {"first"}
    assert early is None
    assert late is not None
    assert late.crashes == 1


async def test_a_lease_that_was_spared_counts_no_crash(inbox: RedisInbox, scripts: Scripts) -> None:
    """A suspect that waits for another is not charged with the end of its process; given back, it loses no crash."""
    await inbox.put(incoming(1))
    crashes: list[tuple[int, bool]] = []
    for number, spared_from in enumerate([None, 1, 2, 1, None]):
        claimed = await inbox.claim(f"lease {number}", spared_from=spared_from)
        assert claimed is not None
        crashes.append((claimed.crashes, claimed.spared))
        if number == 3:
            await inbox.defer(claimed, timedelta(0))
        else:
            scripts.now_ms = (scripts.now_ms or 0) + LEASE_MS

    assert crashes == [(0, False), (1, True), (1, False), (2, True), (2, False)]


async def test_the_longest_waiting_conversation_is_claimed_first(inbox: RedisInbox, scripts: Scripts) -> None:
    """Whoever wrote first is answered first."""
    for number, user in enumerate(["b", "c", "a"]):
        scripts.now_ms = START_MS + number
        await inbox.put(incoming(number, conversation(user)))

    order = [(await claimed_by(inbox, f"t{n}")).incoming.conversation.user for n in range(3)]

    assert order == ["b", "c", "a"]


async def test_a_message_that_comes_while_its_conversation_is_leased_waits(inbox: RedisInbox) -> None:
    """New words never let a second worker in, and are due as soon as the first message is settled."""
    await inbox.put(incoming(1))
    claimed = await claimed_by(inbox, "first")
    await inbox.put(incoming(2))

    meanwhile = await inbox.claim("second")
    await inbox.settle(claimed, None)
    afterwards = await claimed_by(inbox, "third")

    assert meanwhile is None
    assert afterwards.incoming == incoming(2)


async def test_a_full_mailbox_refuses_once_and_counts_the_rest(redis: Redis, scripts: Scripts) -> None:
    """With room for two the third is a refusal that waits its turn, further ones are counted, until there is room."""
    inbox = inbox_on(redis, scripts, max_waiting=2)

    answers = [await inbox.put(incoming(n)) for n in range(5)]
    for n in range(3):
        claimed = await claimed_by(inbox, f"t{n}")
        assert claimed.full == (n == 2)
        await inbox.settle(claimed, None)

    assert answers == ["stored", "stored", "refused", "counted", "counted"]
    assert await inbox.put(incoming(4)) == "duplicate"
    assert await inbox.put(incoming(5)) == "stored"


async def test_a_redelivery_in_the_next_hour_is_known(inbox: RedisInbox) -> None:
    """An event without a date of its own is dated when it comes; its redelivery may come an hour later."""
    dates = [datetime(2027, 1, 15, hour, 59, 59, tzinfo=UTC) for hour in (8, 9)]

    answers = [await inbox.put(incoming(1, sent_at=date)) for date in dates]

    assert answers == ["stored", "duplicate"]


async def test_seen_marks_outlive_the_platforms_retries(inbox: RedisInbox, redis: Redis) -> None:
    """Telegram brings a message again for a day."""
    await inbox.put(incoming(1))

    (seen,) = [name async for name in redis.scan_iter(f"{keys.inbox(0)}:seen:*")]

    assert await redis.pttl(seen) > 24 * 3600 * 1000


async def test_an_empty_claim_tells_when_to_come_again(redis: Redis, scripts: Scripts) -> None:
    """Nothing waits: none. Else the time until the first is due, whatever its partition, on the server's clock."""
    inbox = inbox_on(redis, scripts, partitions=2)
    idle = []

    async def in_vain() -> None:
        assert await inbox.claim("in vain") is None
        idle.append(inbox.idle())

    await in_vain()
    for partition, user in users_of_two_partitions().items():
        await inbox.put(incoming(partition, conversation(user)))
        leased = await claimed_by(inbox, f"t{partition}")
    await in_vain()
    await inbox.defer(leased, timedelta(seconds=3))
    scripts.now_ms = START_MS + 1000
    await in_vain()

    assert idle == [None, LEASE, timedelta(seconds=2)]


async def test_the_doorbell_rings_for_what_is_due_now(redis: Redis, inbox: RedisInbox) -> None:
    """Put, an immediate defer and settle with more to do ring; a later defer and an emptied mailbox do not."""
    async with redis.pubsub() as bell:
        await bell.subscribe(keys.doorbell())
        await bell.get_message(timeout=5)

        await inbox.put(incoming(1))
        await inbox.put(incoming(2))
        await inbox.defer(await claimed_by(inbox, "a"), timedelta(0))
        await inbox.settle(await claimed_by(inbox, "b"), None)
        assert [(await bell.get_message(timeout=5))["type"] for _ in range(4)] == ["message"] * 4

        claimed = await claimed_by(inbox, "c")
        await inbox.defer(claimed, timedelta(seconds=1))
        await redis.publish(keys.doorbell(), "last")
        assert (await bell.get_message(timeout=5))["data"] == b"last"


async def test_a_conversation_that_is_due_with_nothing_waiting_is_passed_over(redis: Redis, inbox: RedisInbox) -> None:
    """Whatever left it there, it holds up nobody and is cleared away."""
    await redis.zadd(f"{keys.inbox(0)}:due", {"ghost": START_MS - 1})
    await inbox.put(incoming(1))

    claimed = await claimed_by(inbox, "t")
    await inbox.settle(claimed, None)

    assert claimed.incoming == incoming(1)
    assert await redis.exists(f"{keys.inbox(0)}:due") == 0


async def test_an_id_without_its_message_is_passed_over(redis: Redis, inbox: RedisInbox) -> None:
    """Whatever took the message out, those behind it and beside it are answered."""
    for number, user in ((1, "7"), (2, "7"), (3, "8")):
        await inbox.put(incoming(number, conversation(user)))
    await redis.hdel(f"{keys.inbox(0)}:body:{conversation('7').id}", incoming(1).id)
    await redis.delete(f"{keys.inbox(0)}:body:{conversation('8').id}")

    claimed = await claimed_by(inbox, "t")
    await inbox.settle(claimed, None)

    assert claimed.incoming == incoming(2)
    assert await inbox.claim("u") is None
    assert await redis.exists(f"{keys.inbox(0)}:due") == 0


UNREADABLE = [b"", b"no number", b"1:0:", b"1:0:{", b"1:0:[]", b"1:0:null", b"1:0:{}", b'1:0:{"command": 7}', b"\xff"]


async def test_what_cannot_be_read_goes_to_the_dead_letters(redis: Redis, inbox: RedisInbox) -> None:
    """Left by another version, or by a hand: the messages behind it are answered all the same."""
    for number in range(len(UNREADABLE) + 1):
        await inbox.put(incoming(number))
    for number, body in enumerate(UNREADABLE):
        await redis.hset(f"{keys.inbox(0)}:body:{conversation().id}", incoming(number).id, body)

    claimed = await claimed_by(inbox, "first")
    again = await claimed_by(inbox, "first")

    assert (claimed.incoming, again) == (incoming(len(UNREADABLE)), claimed)
    assert await redis.zcard(f"{keys.inbox(0)}:dead") == len(UNREADABLE)
    letter = await redis.hgetall(f"{keys.inbox(0)}:dead:{incoming(1).id}")
    assert (letter[b"body"], letter[b"reason"]) == (UNREADABLE[1], b"unreadable")


async def test_any_number_of_unreadable_messages_is_passed_over(redis: Redis, inbox: RedisInbox) -> None:
    """An older version put back may find thousands."""
    for number in range(1500):
        await inbox.put(incoming(number, conversation(str(number))))
        await redis.hset(f"{keys.inbox(0)}:body:{conversation(str(number)).id}", incoming(number).id, b"1:0:?")

    assert await inbox.claim("t") is None
    assert await redis.zcard(f"{keys.inbox(0)}:dead") == 1500


@pytest.mark.parametrize("reply", [b"", b"{}", b"[]", b"null", b'{"parts": [7]}', b"\xff"])
async def test_a_reply_that_cannot_be_read_is_no_reason_to_stop(redis: Redis, inbox: RedisInbox, reply: bytes) -> None:
    """Nobody knows what of it went out, so its message is not answered anew."""
    await inbox.put(incoming(1))
    await inbox.defer(await claimed_by(inbox, "first"), timedelta(0))
    await redis.hset(f"{keys.inbox(0)}:turn:{conversation().id}", "reply", reply)

    assert await inbox.claim("second") is None
    assert await redis.zcard(f"{keys.inbox(0)}:dead") == 1


async def test_an_exchange_that_cannot_be_read_is_passed_over(redis: Redis, inbox: RedisInbox) -> None:
    """An old exchange is no reason not to answer; the others stand."""
    exchange = Exchange(question="you", answer="b", tokens=2)
    await inbox.put(incoming(1))
    await inbox.settle(await claimed_by(inbox, "first"), exchange)
    for entry in (b"", b"1", b"1:", b"1:[]", b'1:{"t":1}', b"\xff"):
        await redis.rpush(f"{keys.inbox(0)}:history:{conversation().id}", entry)
    await inbox.put(incoming(2))

    assert (await claimed_by(inbox, "second")).history == (exchange,)


async def test_renewing_keeps_the_claim_repeatable(redis: Redis, inbox: RedisInbox) -> None:
    """The key that leads from the token to the conversation lives as long as the lease."""
    await inbox.put(incoming(1))
    claimed = await claimed_by(inbox, "t")
    await redis.pexpire(f"{keys.inbox(0)}:claim:t", 1000)

    await inbox.renew([claimed])

    assert LEASE_MS - 5000 < await redis.pttl(f"{keys.inbox(0)}:claim:t") <= LEASE_MS


# --- the ledger ---


async def test_a_sent_part_is_not_marked_as_sending_again(inbox: RedisInbox) -> None:
    """A retried "this one goes next" that comes after "it is out" loses no id."""
    await inbox.put(incoming(1))
    claimed = await claimed_by(inbox, "first")
    await inbox.record(claimed, Delivery(parts=(), outcome="answered"), sending=0)
    await inbox.record(claimed, sent=(0, SentId("55")), sending=1)
    await inbox.record(claimed, sending=0)

    again = await claimed_by(inbox, "first")

    assert again.delivery == Delivery(parts=(), sent=(SentId("55"), None), outcome="answered")


async def test_a_repeated_claim_tells_all_that_was_recorded(inbox: RedisInbox) -> None:
    """The one who asks again with the same token knows as much as one who takes over."""
    await inbox.put(incoming(1))
    claimed = await claimed_by(inbox, "first")
    delivery = Delivery(
        parts=(), outcome="failed", dead="it failed", remember=Exchange(question="你", answer="b", tokens=2)
    )
    await inbox.record(claimed, delivery)
    told = [await inbox.tell_waiting(claimed) for _ in range(2)]

    again = await claimed_by(inbox, "first")

    assert told == [True, False]
    assert (again.delivery, again.told_waiting, again.crashes) == (delivery, True, 0)


# --- several partitions, restarts ---


async def test_every_partition_is_served(redis: Redis, scripts: Scripts) -> None:
    """A busy partition does not starve the others: each conversation is claimed, whatever its partition."""
    inbox = inbox_on(redis, scripts, partitions=4)
    for number in range(20):
        await inbox.put(incoming(number, conversation(str(number))))

    claims = [await claimed_by(inbox, f"t{n}") for n in range(20)]

    assert len({claimed.incoming.conversation for claimed in claims}) == 20
    assert len({keys.partition_of(claimed.incoming.conversation.id, 4) for claimed in claims}) == 4
    assert await inbox.claim("one more") is None


class LosingScripts(Scripts):
    """Runs a script and loses its answer, as a connection does that breaks in between."""

    losing: str | None = None

    async def run(self, name: str, keys: Sequence[str], *arguments: Argument) -> object:
        """Lose the answer of the script that is `losing`, if there is more in it than two numbers."""
        answer = await super().run(name, keys, *arguments)
        if name == self.losing and isinstance(answer, list) and len(answer) > 2:
            raise StoreUnavailable(name)
        return answer


async def test_a_claim_whose_answer_was_lost_is_found_again(redis: Redis) -> None:
    """Also if meanwhile a message came into the partition that would have been asked first."""
    scripts = LosingScripts(redis, now_ms=START_MS)
    inbox = inbox_on(redis, scripts, partitions=2)
    users = users_of_two_partitions()
    await inbox.put(incoming(1, conversation(users[1])))
    scripts.losing = "claim"
    with pytest.raises(StoreUnavailable):
        await inbox.claim("t")

    scripts.losing = None
    await inbox.put(incoming(2, conversation(users[0])))
    again = await claimed_by(inbox, "t")

    assert (again.incoming.id, again.crashes) == ("telegram:1:1", 0)


async def test_another_number_of_partitions_is_refused(redis: Redis) -> None:
    """What waits would be looked for in the wrong place; the message says what to do."""
    await fix_partitions(redis, 2)
    await fix_partitions(redis, 2)

    with pytest.raises(StartError, match="Set it back to 2"):
        await fix_partitions(redis, 3)


async def test_lanes_do_not_meet(redis: Redis, scripts: Scripts) -> None:
    """What one lane stores, workers of the other never see."""
    served = inbox_on(redis, scripts)
    terminal = RedisInbox(
        scripts,
        partitions=1,
        lane=keys.TERMINAL,
        lease=LEASE,
        max_waiting=1,
        max_turns=1,
        max_tokens=1,
        history_ttl=timedelta(hours=1),
        shown_ttl=timedelta(hours=1),
    )
    await terminal.put(incoming(1))

    assert await served.claim("a") is None
    assert await terminal.claim("b") is not None


async def test_a_restart_frees_what_was_leased_and_books_the_crash(inbox: RedisInbox, scripts: Scripts) -> None:
    """Claims of a dead server end at once, deferred conversations keep their moment."""
    await inbox.put(incoming(1, conversation("1")))
    await inbox.put(incoming(2, conversation("2")))
    leased = await claimed_by(inbox, "a")
    await inbox.defer(await claimed_by(inbox, "b"), timedelta(seconds=1))

    ended = [await inbox.release_claims() for _ in range(2)]
    again = await claimed_by(inbox, "c")

    assert ended == [1, 0]
    assert (again.incoming, again.crashes) == (leased.incoming, 1)
    assert await inbox.renew([leased]) == frozenset()
    assert await inbox.claim("d") is None
    scripts.now_ms = START_MS + 1000
    assert (await claimed_by(inbox, "e")).crashes == 0


@pytest.mark.one_server
async def test_without_redis_nothing_is_stored(redis_url: str) -> None:
    """The receiver hears of it and does not acknowledge."""
    client = Redis.from_url(f"{redis_url}.gone", protocol=3)

    with pytest.raises(StoreUnavailable):
        await inbox_on(client, Scripts(client)).put(incoming(1))
    await client.aclose()

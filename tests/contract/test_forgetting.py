"""/reset and /forget: what they erase, what they leave, and that nothing older comes back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from bot.message import Conversation, MessageId
from bot.ports import Receipt
from bot.store import keys
from bot.store.answers import RedisAnswers
from bot.store.dead import DeadLetters
from bot.store.forgetting import RedisForgetting
from bot.store.inbox import RedisInbox
from bot.store.limiter import RedisLimiter
from bot.store.page_box import RedisPageBox
from bot.store.scripts import Scripts
from bot.turn import AnswerKey, Exchange, StoredAnswer
from tests.contract.samples import START_MS, claimed_by, conversation, inbox_on, incoming

HERE = conversation("7", "c")
THREAD = conversation("7", "c", "t")
ELSEWHERE = conversation("7", "d")
NEIGHBOUR = conversation("8", "c")
ALL = [HERE, THREAD, ELSEWHERE, NEIGHBOUR]
EXCHANGE = Exchange(question="my secret", answer="kept", tokens=1)
STORED = StoredAnswer(markdown="m", answer="a", epoch=0, references=(), tokens=1)


def key(digest: str) -> AnswerKey:
    """Where an answer stands."""
    return AnswerKey("main", digest)


@pytest.fixture
def scripts(redis: Redis) -> Scripts:
    """Scripts on a clock that stands still."""
    return Scripts(redis, now_ms=START_MS)


@pytest.fixture
def inbox(redis: Redis, scripts: Scripts) -> RedisInbox:
    """An inbox of two partitions."""
    return inbox_on(redis, scripts, partitions=2)


@pytest.fixture
def forgetting(redis: Redis, scripts: Scripts) -> RedisForgetting:
    """Forgetting on the same partitions and one knowledge base."""
    return RedisForgetting(redis, scripts, partitions=2, kb_scripts=scripts, knowledge_bases=["main"])


class Talk:
    """Has conversations, one message at a time."""

    def __init__(self, inbox: RedisInbox, scripts: Scripts) -> None:
        self.inbox = inbox
        self.scripts = scripts
        self.number = 1000

    async def turn(self, where: Conversation, at_ms: int, *, reason: str = "") -> tuple[Exchange, ...]:
        """Write and have it answered or buried; returns the history the answer was made with."""
        self.number += 1
        self.scripts.now_ms = at_ms
        await self.inbox.put(incoming(self.number, where))
        claimed = await self.inbox.claim(f"t{self.number}")
        assert claimed is not None
        if reason:
            await self.inbox.bury(claimed, reason)
        else:
            await self.inbox.settle(claimed, EXCHANGE)
        return claimed.history

    async def remembered(self) -> set[Conversation]:
        """The conversations with a history, asked by one more message that is not remembered."""
        histories = set()
        for where in ALL:
            self.number += 1
            await self.inbox.put(incoming(self.number, where))
            claimed = await self.inbox.claim(f"t{self.number}")
            assert claimed is not None
            await self.inbox.settle(claimed, None)
            if claimed.history:
                histories.add(where)
        return histories


@pytest.fixture
async def talk(inbox: RedisInbox, scripts: Scripts) -> Talk:
    """Everybody has spoken once, at the start."""
    talk = Talk(inbox, scripts)
    for where in ALL:
        await talk.turn(where, START_MS)
    return talk


async def test_reset_forgets_one_conversation(talk: Talk, forgetting: RedisForgetting) -> None:
    """The person's other conversations and the neighbour's keep theirs."""
    await forgetting.reset(HERE, START_MS)

    assert await talk.remembered() == {THREAD, ELSEWHERE, NEIGHBOUR}


async def test_reset_of_a_person_in_a_channel_takes_its_threads_too(talk: Talk, forgetting: RedisForgetting) -> None:
    """A slash command carries no thread: it means all of them, and nobody else's."""
    await forgetting.reset_person_in(HERE.place, HERE.person, START_MS)

    assert await talk.remembered() == {ELSEWHERE, NEIGHBOUR}


async def test_reset_of_a_channel_is_for_everybody_in_it(talk: Talk, forgetting: RedisForgetting) -> None:
    """Other channels keep theirs."""
    await forgetting.reset_place(HERE.place, START_MS)

    assert await talk.remembered() == {ELSEWHERE}


async def test_forget_is_for_one_person_everywhere(talk: Talk, forgetting: RedisForgetting) -> None:
    """With a receipt of what went; the neighbour keeps theirs; a second time there is nothing."""
    receipts = [await forgetting.forget(HERE.person, START_MS) for _ in range(2)]

    assert receipts[0] == Receipt(conversations=3, exchanges=3, answers=0, dead_letters=0)
    assert receipts[1] == Receipt(conversations=0, exchanges=0, answers=0, dead_letters=0)
    assert await talk.remembered() == {NEIGHBOUR}


@pytest.mark.parametrize(("after_ms", "kept"), [(-1, 0), (0, 0), (1, 1)])
@pytest.mark.parametrize("what", ["reset", "reset_person_in", "reset_place", "forget"])
async def test_what_waits_is_judged_by_its_arrival(
    inbox: RedisInbox, scripts: Scripts, forgetting: RedisForgetting, what: str, after_ms: int, kept: int
) -> None:
    """Claimed before the mark and settled after it: kept only if it arrived later than the mark's millisecond."""
    scripts.now_ms = START_MS + after_ms
    await inbox.put(incoming(1))
    claimed = await inbox.claim("t")
    assert claimed is not None

    match what:
        case "reset":
            await forgetting.reset(HERE, START_MS)
        case "reset_person_in":
            await forgetting.reset_person_in(HERE.place, HERE.person, START_MS)
        case "reset_place":
            await forgetting.reset_place(HERE.place, START_MS)
        case _:
            await forgetting.forget(HERE.person, START_MS)
    ended = await inbox.settle(claimed, EXCHANGE)

    assert ended == "settled"
    assert len(await Talk(inbox, scripts).turn(HERE, START_MS + 2)) == kept


async def test_a_history_is_cut_at_the_mark(talk: Talk, forgetting: RedisForgetting) -> None:
    """What was said after the /reset arrived is kept, also if it was answered before the /reset was carried out."""
    await talk.turn(HERE, START_MS + 1)

    await forgetting.reset(HERE, START_MS)

    assert await talk.turn(HERE, START_MS + 2) == (EXCHANGE,)


async def test_what_a_retried_letter_said_is_forgotten_behind_what_is_newer(
    talk: Talk, forgetting: RedisForgetting, redis: Redis
) -> None:
    """Its exchange is remembered last, and is of the day on which it was written."""
    await talk.turn(HERE, START_MS, reason="it failed")
    letter = incoming(talk.number, HERE).id
    await talk.turn(HERE, START_MS + 2)
    await DeadLetters(redis, talk.scripts, partitions=2).retry(letter)
    claimed = await claimed_by(talk.inbox, "retried")
    await talk.inbox.settle(claimed, Exchange(question="my old secret", answer="kept", tokens=1))

    await forgetting.reset(HERE, START_MS + 1)

    assert await talk.turn(HERE, START_MS + 3) == (EXCHANGE,)


async def test_an_earlier_mark_does_not_take_back_a_later_one(
    inbox: RedisInbox, scripts: Scripts, forgetting: RedisForgetting
) -> None:
    """Two resets carried out in the wrong order: the later one holds."""
    scripts.now_ms = START_MS + 1
    await inbox.put(incoming(1))
    claimed = await inbox.claim("t")
    assert claimed is not None

    await forgetting.reset(HERE, START_MS + 2)
    await forgetting.reset(HERE, START_MS)
    await inbox.settle(claimed, EXCHANGE)

    assert await Talk(inbox, scripts).turn(HERE, START_MS + 3) == ()


async def test_forget_takes_dead_letters_and_reset_does_not(talk: Talk, forgetting: RedisForgetting) -> None:
    """An operator may still look at what failed, unless the person wants it gone."""
    await talk.turn(HERE, START_MS, reason="it failed")
    await talk.turn(NEIGHBOUR, START_MS, reason="it failed")

    await forgetting.reset(HERE, START_MS)
    first = await forgetting.forget(HERE.person, START_MS)
    other = await forgetting.forget(NEIGHBOUR.person, START_MS)

    assert (first.dead_letters, other.dead_letters) == (1, 1)


async def test_what_was_forgotten_leaves_no_dead_letter(
    inbox: RedisInbox, redis: Redis, forgetting: RedisForgetting
) -> None:
    """A message that fails after the /forget is not kept for the operator."""
    await inbox.put(incoming(1))
    claimed = await inbox.claim("t")
    assert claimed is not None

    await forgetting.forget(HERE.person, START_MS)
    await inbox.bury(claimed, "it failed")

    assert [name async for name in redis.scan_iter("*dead*")] == []


async def test_a_dead_letter_says_what_an_operator_needs(talk: Talk, redis: Redis) -> None:
    """The message, where it was, why and when; for a week."""
    await talk.turn(HERE, START_MS, reason="it failed")

    (name,) = [name async for name in redis.scan_iter("*:dead:*")]
    letter = await redis.hgetall(name)

    assert {field: letter[field] for field in (b"reason", b"conversation", b"at")} == {
        b"reason": b"it failed",
        b"conversation": HERE.id.encode(),
        b"at": str(START_MS).encode(),
    }
    assert 0 < await redis.pttl(name) <= keys.DEAD_MS


async def test_forget_leaves_nothing_that_names_the_person(
    redis: Redis, talk: Talk, forgetting: RedisForgetting
) -> None:
    """After it only the marks do, in names and values, the ids of messages seen, and how often they asked."""
    await talk.inbox.put(incoming(100, THREAD, addressing="call"))
    claimed = await talk.inbox.claim("t")
    assert claimed is not None
    await talk.inbox.settle(claimed, EXCHANGE)
    await talk.turn(HERE, START_MS, reason="it failed")
    await RedisLimiter(talk.scripts, {"messages": [(1, timedelta(minutes=1))]}).decide(
        "messages", HERE.person, "m", START_MS
    )
    answers = RedisAnswers(talk.scripts, ttl=timedelta(hours=1))
    await answers.store(key("k"), MessageId("m"), STORED, HERE, START_MS)
    await forgetting.forget(NEIGHBOUR.person, START_MS)

    receipt = await forgetting.forget(HERE.person, START_MS)

    assert receipt == Receipt(conversations=3, exchanges=4, answers=1, dead_letters=1)
    left = {name.decode() async for name in redis.scan_iter()}
    counted = {keys.limit("messages", HERE.person)}
    assert {name for name in left if not any(kind in name for kind in (":mark:u:", ":seen:", ":clock"))} == counted


async def test_forget_erases_what_cannot_be_read(redis: Redis, talk: Talk, forgetting: RedisForgetting) -> None:
    """Of unknown date, so it may be of before: an exchange is erased, a message leaves no dead letter."""
    await talk.inbox.put(incoming(100, HERE))
    inbox = keys.inbox(keys.partition_of(HERE.id, 2))
    await redis.rpush(f"{inbox}:history:{HERE.id}", b"?")
    await redis.hset(f"{inbox}:body:{HERE.id}", incoming(100).id, b"?")

    receipt = await forgetting.forget(HERE.person, START_MS)
    claimed = await talk.inbox.claim("t")

    assert (receipt.exchanges, claimed) == (4, None)
    assert await redis.exists(f"{inbox}:history:{HERE.id}", f"{inbox}:dead") == 0


async def test_forget_spares_a_thread_called_to_afterwards(talk: Talk, forgetting: RedisForgetting) -> None:
    """The thread was given up with the /forget, and taken up again before it was carried out."""
    talk.scripts.now_ms = START_MS + 1
    await talk.inbox.put(incoming(100, THREAD, addressing="call"))

    await forgetting.forget(HERE.person, START_MS)
    later = await talk.inbox.put(incoming(101, THREAD, addressing="follow"))
    await forgetting.forget(HERE.person, START_MS + 1)
    gone = await talk.inbox.put(incoming(102, THREAD, addressing="follow"))

    assert (later, gone) == ("stored", "unaddressed")


async def test_forget_reaches_a_thread_that_a_counted_message_called_to(
    redis: Redis, scripts: Scripts, forgetting: RedisForgetting
) -> None:
    """A call into a full mailbox takes the thread up as well, and leaves it where /forget finds it."""
    inbox = inbox_on(redis, scripts, partitions=2, max_waiting=1)
    for number in range(2):
        await inbox.put(incoming(number, THREAD))
    await forgetting.forget(THREAD.person, START_MS)
    scripts.now_ms = START_MS + 1
    counted = await inbox.put(incoming(2, THREAD, addressing="call"))

    await forgetting.forget(THREAD.person, START_MS + 1)

    assert counted == "counted"
    assert [name async for name in redis.scan_iter("*:thread:*")] == []


async def test_forget_of_a_page_takes_its_replies(redis: Redis, scripts: Scripts, forgetting: RedisForgetting) -> None:
    """What waits to be fetched by a chat page is erased with its session."""
    page = Conversation(platform="web", workspace="local", channel="s:1", thread="", user="s:1")
    box = RedisPageBox(redis, redis)
    await box.append(page.channel, "k", "text")

    await forgetting.forget(page.person, START_MS)

    assert await box.read(page.channel, "0", timedelta(0)) == []


async def test_an_answer_on_its_way_is_not_kept_after_a_reset(scripts: Scripts, forgetting: RedisForgetting) -> None:
    """The marks reach the knowledge base: conversation, person and place."""
    answers = RedisAnswers(scripts, ttl=timedelta(hours=1))
    await forgetting.reset(HERE, START_MS)
    await forgetting.forget(NEIGHBOUR.person, START_MS)
    await forgetting.reset_place(ELSEWHERE.place, START_MS)

    kept = [await answers.store(key(f"k{n}"), MessageId("m"), STORED, where, START_MS) for n, where in enumerate(ALL)]
    later = [
        await answers.store(key(f"k{n}"), MessageId("m"), STORED, where, START_MS + 1) for n, where in enumerate(ALL)
    ]

    assert kept == [False, True, False, False]
    assert later == [True] * 4


async def test_an_answer_on_its_way_is_not_kept_after_a_reset_of_the_channel_for_one(
    talk: Talk, forgetting: RedisForgetting
) -> None:
    """A slash command's reset reaches the knowledge base for each of the person's conversations there."""
    answers = RedisAnswers(talk.scripts, ttl=timedelta(hours=1))
    others = [conversation("7", "c", f"t{n}") for n in range(9)]
    for where in others:
        await talk.turn(where, START_MS)

    await forgetting.reset_person_in(HERE.place, HERE.person, START_MS)

    kept = [await answers.store(key("k"), MessageId("m"), STORED, where, START_MS) for where in [*others, *ALL]]
    assert kept == [False] * 11 + [True, True]


async def test_old_dead_letters_leave_the_list(talk: Talk, redis: Redis) -> None:
    """The next burial takes out what no operator can look at any more."""
    for at_ms in (START_MS, START_MS + 1, START_MS + keys.DEAD_MS):
        await talk.turn(HERE, at_ms, reason="it failed")

    prefix = keys.inbox(keys.partition_of(HERE.id, 2))
    assert await redis.zcard(f"{prefix}:dead") == 2


async def test_forget_may_be_cut_short_and_done_again(
    talk: Talk, redis: Redis, scripts: Scripts, forgetting: RedisForgetting
) -> None:
    """Done in one partition alone, then in all: nothing is left over."""
    half = RedisForgetting(redis, scripts, partitions=1, kb_scripts=scripts, knowledge_bases=[])
    await half.forget(HERE.person, START_MS)

    await forgetting.forget(HERE.person, START_MS)

    assert await talk.remembered() == {NEIGHBOUR}


async def test_a_clock_set_back_hides_no_conversation(talk: Talk, forgetting: RedisForgetting, redis: Redis) -> None:
    """A message stored under an earlier time does not make its conversation look older than it is."""
    await talk.turn(HERE, START_MS - 5000)

    await forgetting.forget(HERE.person, START_MS - 1)

    prefix = keys.inbox(keys.partition_of(HERE.id, 2))
    assert await redis.zscore(f"{prefix}:of:u:{HERE.person}", HERE.id) == START_MS


async def test_what_was_silent_for_long_leaves_the_indexes(talk: Talk, redis: Redis) -> None:
    """A channel that is busy for years does not collect everybody who ever wrote in it."""
    await talk.turn(HERE, START_MS + keys.INDEX_MS)

    prefix = keys.inbox(keys.partition_of(HERE.id, 2))
    assert await redis.zrange(f"{prefix}:of:p:{HERE.place}", 0, -1) == [HERE.id.encode()]

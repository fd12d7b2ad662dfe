"""Which stored answer a message of ours shows."""

from __future__ import annotations

from dataclasses import replace

from redis.asyncio import Redis

from bot.message import Part, SentId
from bot.ports import Delivery
from bot.store import keys
from bot.store.scripts import Scripts
from bot.store.shown import RedisShown
from bot.turn import AnswerKey, Exchange
from tests.contract.samples import claimed_by, conversation, inbox_on, incoming

KEY = AnswerKey("staff", "d1")
EXCHANGE = Exchange(question="q", answer="a", tokens=1, key=KEY, base="staff")
DELIVERY = Delivery(parts=(Part(text="a"), Part(text="b")), outcome="answered")


async def settled(redis: Redis, exchange: Exchange | None) -> None:
    """One message of each of six people, answered in two parts."""
    inbox = inbox_on(redis, Scripts(redis), partitions=3)
    for number in range(6):
        await inbox.put(incoming(number, conversation(str(number))))
    for number in range(6):
        claimed = await claimed_by(inbox, f"token{number}")
        await inbox.record(claimed, DELIVERY, sending=0)
        await inbox.record(claimed, sent=(0, SentId(f"sent-to-{claimed.incoming.conversation.user}")), sending=1)
        await inbox.settle(claimed, exchange, SentId(f"last-to-{claimed.incoming.conversation.user}"))


async def test_each_message_sent_leads_to_the_stored_answer(redis: Redis) -> None:
    """Whatever partition its conversation lies in, and whoever asks; for as long as the answer may live."""
    await settled(redis, EXCHANGE)
    shown = RedisShown(redis, partitions=3)
    place = conversation().place

    found = [await shown.key_of(place, SentId(f"{part}-to-{n}")) for n in range(6) for part in ("sent", "last")]

    assert found == [KEY] * 12
    notes = [key async for key in redis.scan_iter(match="*:shown:*")]
    assert len(notes) == 12
    assert all([3_500_000 < await redis.pttl(note) <= 3_600_000 for note in notes])


async def test_other_messages_lead_nowhere(redis: Redis) -> None:
    """Of another place, of nobody, and of an answer that was not stored."""
    await settled(redis, replace(EXCHANGE, key=None))
    shown = RedisShown(redis, partitions=3)

    assert await shown.key_of(conversation().place, SentId("sent-to-1")) is None
    assert await redis.exists(f"{keys.inbox(0)}:shown:{conversation().place}:sent-to-1") == 0


async def test_a_message_is_known_by_its_place_too(redis: Redis) -> None:
    """Telegram counts messages anew in every chat."""
    await settled(redis, EXCHANGE)

    assert await RedisShown(redis, partitions=3).key_of(conversation(channel="d").place, SentId("sent-to-1")) is None

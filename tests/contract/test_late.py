"""Old messages and the real limiter: one apology for what piled up, and one more for what was written after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from redis.asyncio import Redis

from bot.steps.late import Late
from bot.store.limiter import RedisLimiter
from bot.store.scripts import Scripts
from bot.stores import apologies
from bot.texts import Texts
from tests.make import incoming, turn

MAX_AGE = timedelta(hours=1)


async def test_what_is_written_after_an_apology_is_not_passed_over_in_silence(redis: Redis) -> None:
    """Two outages on one day: each gets a word, however the messages of each were spread when they were stored."""
    limiter = RedisLimiter(Scripts(redis, now_ms=4_000_000_000_000), {"apologies": apologies(MAX_AGE)})
    late = Late(max_age=MAX_AGE, limiter=limiter, texts=Texts.load())

    async def is_told(written_min: float, taken_up_min: float) -> bool:
        """A message written and, with its mailbox already there, stored at one time and taken up at another."""
        message = incoming()
        message = replace(message, sent_at=message.sent_at + timedelta(minutes=written_min))
        stored_ms = round(message.sent_at.timestamp() * 1000)
        ended = await late(
            replace(turn(message), arrived_ms=stored_ms, age=timedelta(minutes=taken_up_min - written_min))
        )
        assert ended.ended
        return ended.reply is not None

    first = [await is_told(written, 600) for written in (0, 60, 300, 530)]
    second = [await is_told(written, 665) for written in (601, 602)]

    assert first == [True, False, False, False]
    assert second == [True, False]

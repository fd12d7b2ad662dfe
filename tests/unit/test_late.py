"""Old messages: one apology for the conversation, and commands done all the same."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.ports import Decision
from bot.steps.late import Late
from bot.texts import Texts
from tests.fakes.ports import FakeLimiter
from tests.make import turn

TEXTS = Texts.load()
HOUR = timedelta(hours=1)


@pytest.mark.parametrize("age", [timedelta(0), HOUR, -HOUR])
async def test_what_is_not_old_goes_on(age: timedelta) -> None:
    """Also what comes from a clock ahead of ours; the limiter is not asked."""
    limiter = FakeLimiter()
    before = replace(turn(), age=age)

    assert await Late(max_age=HOUR, limiter=limiter, texts=TEXTS)(before) == before
    assert limiter.asked == []


async def test_the_first_old_message_gets_an_apology_and_the_others_silence() -> None:
    """In the person's language."""
    late = Late(max_age=HOUR, limiter=FakeLimiter([Decision(allowed=True), Decision(allowed=False)]), texts=TEXTS)
    old = replace(turn(), age=HOUR + timedelta(seconds=1))

    first, second = await late(old), await late(old)

    assert first.reply is not None
    assert first.reply.markdown == TEXTS("late", "en")
    assert (first.remember, second.silent, second.reply) == (None, True, None)

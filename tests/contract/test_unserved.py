"""What a worker lacks the token for: left to others, and counted meanwhile."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis.asyncio import Redis

from bot import unserved as unserved_module
from bot.health import queue_state
from bot.store.scripts import Scripts
from bot.unserved import AGAIN, LONGEST, Unserved
from tests.contract.samples import claimed_by, conversation, inbox_on, incoming

OLD = timedelta(seconds=90)


async def test_it_counts_in_the_age_of_the_queue(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its arrival, though Redis takes it for put off; and no longer when nobody has met it for a while."""
    inbox, unserved = inbox_on(redis, Scripts(redis)), Unserved()
    await inbox.put(incoming(1))
    claimed = await claimed_by(inbox, "t")
    await inbox.defer(claimed, unserved.met(claimed.incoming.conversation, OLD))

    ages = [(await queue_state(inbox, one)).oldest for one in (None, unserved)]
    for bound in ("AGAIN", "EACH", "LATE"):
        monkeypatch.setattr(unserved_module, bound, timedelta(0))
    unserved.met(claimed.incoming.conversation, OLD)  # it should have come again at once
    ages.append((await queue_state(inbox, unserved)).oldest)

    assert ages[0] == ages[2] == timedelta(0)
    assert ages[1] >= OLD


def test_many_of_them_do_not_keep_a_worker_busy(caplog: pytest.LogCaptureFixture) -> None:
    """The more there are, the longer each is left to others, within bounds; the log says it once."""
    unserved = Unserved()
    delays = [unserved.met(conversation(str(number)), OLD) for number in range(20_000)]
    again = unserved.met(conversation("0"), OLD)

    assert AGAIN <= delays[0] < delays[99] < delays[999] < delays[-1] == again == LONGEST
    assert len(caplog.records) == 1
    assert len(unserved.reasons()) == 1

"""What a person writes after a call of the bot that could not be stored: it must not be thrown away before the call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

import pytest
from redis.asyncio import Redis

from adapters.slack import intake as intake_module
from adapters.slack.client import slack_client
from adapters.slack.intake import Intake
from bot.message import Incoming
from tests.contract.samples import erase, inbox_on
from tests.contract.stage import FlakyScripts
from tests.fakes.ports import FakeMeter
from tests.servers.slack import SlackServer

Event = dict[str, object]


@dataclass
class Channel:
    """People write in a channel; the intake has a real inbox, whose Redis may be away."""

    server: SlackServer
    intake: Intake
    scripts: FlakyScripts
    meter: FakeMeter = field(default_factory=FakeMeter)

    def written(self, text: str, thread: str | None = None) -> tuple[str, Event]:
        """The ts of a message, and the first event of it."""
        space = self.server.workspace
        message = space.person_message("C1", "U1", text, thread=thread, files=(), broadcast=False)
        return str(message["ts"]), space.message_events("C1", message)[0]

    async def told(self, event: Event, *, away: bool = False) -> int:
        """What Slack is told of an event."""
        self.scripts.failing["put"] = int(away)
        return (await self.intake.take(event)).status


@pytest.fixture
async def channel(redis: Redis) -> AsyncIterator[Channel]:
    """A channel in which nobody wrote yet."""
    scripts, meter = FlakyScripts(redis), FakeMeter()
    async with SlackServer() as server, slack_client(bot_token=server.bot_token, api_url=server.api_url) as client:
        server.channel("C1")
        intake = Intake(client, gate=inbox_on(redis, scripts), meter=meter, check=timedelta(minutes=1))
        await intake.identify(asyncio.Event())
        yield Channel(server=server, intake=intake, scripts=scripts, meter=meter)


async def _mail(redis: Redis) -> list[str]:
    """The texts that wait, in order."""
    records: list[bytes] = []
    for mail in [name async for name in redis.scan_iter("fd:{p*}:mail:*")]:
        bodies = mail.replace(b":mail:", b":body:")
        records += cast("list[bytes]", await redis.hmget(bodies, await redis.lrange(mail, 0, -1)))
    return [Incoming.from_json(record.split(b":", 2)[2].decode()).text for record in records]


async def test_what_follows_an_unstored_call_comes_again_behind_it(channel: Channel, redis: Redis) -> None:
    """Redis was away when the bot was called; the follow-up without a mention is kept by Slack like the call itself."""
    root, call = channel.written("<@U0BOT> how do I return it?")
    _, follow = channel.written("it is broken, by the way", root)
    first = await channel.told(call, away=True)
    early = await channel.told(follow)
    both = [await channel.told(call), await channel.told(follow)]

    assert (first, early, both) == (503, 503, [200, 200])
    assert await _mail(redis) == ["how do I return it?", "it is broken, by the way"]
    assert channel.meter.counted == [("received", what) for what in ("unstored", "unstored", "stored", "stored")]


async def test_words_in_a_thread_that_is_not_ours_stay_none_of_ours(channel: Channel, redis: Redis) -> None:
    """Whether Redis was away or not: who did not call us is not kept for us."""
    root, _ = channel.written("what is for lunch?")
    _, talk = channel.written("noodles", root)

    assert [await channel.told(talk, away=True), await channel.told(talk)] == [503, 200]
    assert await _mail(redis) == []


async def test_a_call_that_slack_gave_up_is_expected_no_longer(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six minutes later nothing comes again."""
    root, call = channel.written("<@U0BOT> hello")
    _, follow = channel.written("anybody there?", root)
    await channel.told(call, away=True)
    waiting = await channel.told(follow)
    monkeypatch.setattr(intake_module, "_CALL_COMES_AGAIN_S", 0.0)

    assert (waiting, await channel.told(follow)) == (503, 200)


async def test_a_call_that_came_is_expected_no_longer(channel: Channel, redis: Redis) -> None:
    """Who has the bot forget them right after it is not kept waiting for."""
    root, call = channel.written("<@U0BOT> hello")
    await channel.told(call, away=True)
    await channel.told(call)
    await erase(redis, [name async for name in redis.scan_iter("fd:{p*}:thread:*")])

    assert await channel.told(channel.written("never mind", root)[1]) == 200


async def test_of_more_calls_than_are_remembered_the_oldest_goes(
    channel: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long outage costs no memory without end."""
    monkeypatch.setattr(intake_module, "_MOST_CALLS", 2)
    roots = []
    for number in range(3):
        root, call = channel.written(f"<@U0BOT> question {number}")
        roots.append(root)
        await channel.told(call, away=True)

    assert [await channel.told(channel.written("and?", root)[1]) for root in roots] == [200, 503, 503]

"""A Slack token that is revoked in the midst of a reply: the reply waits, ever longer, and nothing is posted twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import cast

import pytest
from redis.asyncio import Redis
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.client import slack_client
from adapters.slack.send import SlackMessenger
from bot.deliver import LAST_RETRY, LONG_ENOUGH
from bot.message import Conversation, Part, ReplyTo, SentId
from bot.store.dead import DeadLetters
from bot.store.outbound import RedisOutbound
from bot.store.scripts import milliseconds
from bot.turn import Turn
from tests.contract.samples import START_MS, inbox_on, incoming
from tests.contract.stage import Cast, FlakyScripts, Stage, answered, comes_true
from tests.servers.slack import Fault, SlackServer

HERE = Conversation(platform="slack", workspace="T", channel="D1", thread="", user="U1")
REPLY_TO = ReplyTo(channel="D1", quote="1700000000.000100", user="U1", private=True)


class Messenger(SlackMessenger):
    """The real one; a paragraph is a part, and the moments of its looks are kept, Unix ms on the test's clock."""

    def __init__(self, client: AsyncWebClient, scripts: FlakyScripts) -> None:
        super().__init__(client)
        self._scripts = scripts
        self.looks: list[int] = []

    def format(self, markdown: str) -> tuple[Part, ...]:
        """One part for each paragraph."""
        return tuple(Part(text=paragraph) for paragraph in markdown.split("\n\n"))

    async def find(self, to: ReplyTo, key: str) -> SentId | None:
        """Note when."""
        assert self._scripts.now_ms is not None
        self.looks.append(self._scripts.now_ms)
        return await super().find(to, key)


@dataclass(kw_only=True)
class Desk:
    """A worker on a clock of its own, and the Slack that it sends to."""

    redis: Redis
    scripts: FlakyScripts
    slack: SlackServer
    messenger: Messenger
    cast: Cast = field(init=False)

    def __post_init__(self) -> None:
        self.cast = Cast(
            redis=self.redis,
            scripts=self.scripts,
            inbox=inbox_on(self.redis, self.scripts),
            outbound=RedisOutbound(self.scripts, {}),
            stages={"slack": cast("Stage", self.messenger)},
            answer=_in_two,
        )
        self.slack.channel("D1")

    async def revoke_in_mid_reply(self) -> None:
        """The second part is there, Slack's word of it is lost, and then the token is none; three minutes go by."""
        self.slack.fail("chat.postMessage", Fault(), Fault(cut="after"))
        await self.cast.inbox.put(replace(incoming(1, HERE), reply_to=REPLY_TO))
        async with self.cast.working():
            await comes_true(lambda: len(self.posts) == 2)
            self.slack.api.bot_token = "xoxb-new"
            await comes_true(lambda: (self.scripts.now_ms or 0) > START_MS + 180_000)

    @property
    def posts(self) -> list[object]:
        """What the person has."""
        return [message["text"] for message in self.slack.from_bot("D1")]


async def _in_two(turn: Turn) -> Turn:
    return answered(turn, "one\n\ntwo")


@pytest.fixture
async def desk(redis: Redis) -> AsyncIterator[Desk]:
    """One for each test."""
    scripts = FlakyScripts(redis, now_ms=START_MS)
    async with SlackServer() as slack, slack_client(bot_token=slack.bot_token, api_url=slack.api_url) as client:
        yield Desk(redis=redis, scripts=scripts, slack=slack, messenger=Messenger(client, scripts))


async def test_the_reply_waits_ever_longer_and_is_whole_when_the_token_is_back(desk: Desk) -> None:
    """What was posted is found by its key then."""
    await desk.revoke_in_mid_reply()
    pauses = [after - before for before, after in pairwise(desk.messenger.looks)]
    desk.slack.api.bot_token = desk.slack.bot_token

    await desk.cast.until(lambda: ("settled", "answered") in desk.cast.meter.counted)

    assert len(pauses) >= 3
    assert pauses == sorted(pauses)
    assert pauses[-1] > 4 * pauses[0]
    assert desk.posts == ["one", "two"]


async def test_a_token_that_nobody_replaces_makes_a_dead_letter(desk: Desk) -> None:
    """After a day it is given up like other replies that cannot be sent, and those behind it come up."""
    await desk.revoke_in_mid_reply()
    assert desk.scripts.now_ms is not None
    desk.scripts.now_ms += milliseconds(LONG_ENOUGH)
    looks = len(desk.messenger.looks)

    await desk.cast.until(lambda: ("settled", "unsent") in desk.cast.meter.counted)

    (letter,) = await DeadLetters(desk.redis, desk.scripts, partitions=1).list()
    assert letter.reason == "could not be sent"
    # Slack's lost word was the first attempt.
    assert len(desk.messenger.looks) - looks == 3
    assert desk.messenger.looks[-1] - desk.messenger.looks[looks] >= 2 * milliseconds(LAST_RETRY)
    assert desk.posts == ["one", "two"]

"""Outbound under flood: at the default speeds, two workers and the platforms' limits, every answer arrives once.

Private chats and groups on Telegram, direct messages and channels in Slack, all at once, each with answers of several
messages. The servers refuse what is too fast, as the platforms do, and count it. One chat of each platform is closed
until everybody else has all answers; nobody waits for it, and then it is answered.

In short, as here, two questions each. With some thousand calls: `FRONTDESK_FLOOD=16 python -m pytest
--log-cli-level=info tests/process/test_flood.py`.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import AsyncIterator, Sequence
from itertools import pairwise
from pathlib import Path

import pytest

from adapters.slack.format import format_markdown as format_for_slack
from adapters.telegram.format import format_markdown as format_for_telegram
from tests.process.conftest import World
from tests.process.running import Bot
from tests.process.test_crowd import in_slack, in_telegram
from tests.servers.limits import Limits
from tests.servers.openai import ChatMessages
from tests.servers.redis import redis_server
from tests.servers.telegram_chat import Chat, User

EACH = int(os.environ.get("FRONTDESK_FLOOD", "2"))
CHATS = 20
PEOPLE = range(9000, 9000 + CHATS)
GROUPS = [Chat(id=-1009000 - number, type="supergroup") for number in range(CHATS)]
CLOSED, CLOSED_CHANNEL = PEOPLE[0], "D0"
RETRY_AFTER_S = 5
PATIENCE_S = 60 + 45 * EACH
"""A group takes 15 messages a minute for long: so long a test of `EACH` questions may take at the most."""
log = logging.getLogger(__name__)
LONG = "word " * 2700
"""Several messages on both platforms."""
STALL_S = 0.12
LONGEST = "word " * 9000
"""More in a row than Telegram takes at once."""


@pytest.fixture
async def bots(world: World) -> AsyncIterator[Sequence[Bot]]:
    """One gateway and two workers on one Redis, at the default speeds."""
    folder = world.folder / "redis"
    folder.mkdir()
    with redis_server(folder) as url:
        settings = {**world.platforms(), **world.with_model(timeout="60s"), **world.light(), "REDIS_URL": url}
        settings |= {f"FRONTDESK_{name}": "[]" for name in ("LIMITS__MESSAGES", "LIMITS__TOKENS")}
        started = [role_of(world.folder, role, settings) for role in ("gateway", "worker", "worker2")]
        await asyncio.gather(*(bot.start() for bot in started))
        try:
            yield started
        finally:
            for bot in started:
                await bot.stop()


def role_of(folder: Path, name: str, settings: dict[str, str]) -> Bot:
    """A process with a folder of its own for its output."""
    place = folder / name
    place.mkdir()
    return Bot(place, settings, command=Bot.serving("--role", name.rstrip("2")))


def question(where: object, number: int) -> str:
    """Every second answer is a long one, and for some the first is the longest."""
    long = "Tell me everything" if number == 0 and where in PEOPLE[1:6] else "Tell me all"
    return f"{long if number % 2 == 0 else 'In short'}: number {number} for {where}?"


def answer(messages: ChatMessages) -> str:
    """An answer that names its question."""
    return answer_to(messages[-1]["content"])


def answer_to(asked: str) -> str:
    """What the model says to a question."""
    words = LONGEST if "everything" in asked else LONG if "all" in asked else "Yes."
    return f"About {asked} {words}"


def everything() -> dict[int | str, list[str]]:
    """All that is to be heard, by chat."""
    telegram = [*PEOPLE, *(group.id for group in GROUPS)]
    return {
        **{chat: parts(chat, "telegram") for chat in telegram},
        **{channel: parts(channel, "slack") for channel in channels()},
    }


def parts(where: object, on: str) -> list[str]:
    """All that is heard in a chat, in order."""
    form = format_for_telegram if on == "telegram" else format_for_slack
    said = [answer_to(question(where, number)) for number in range(EACH)]
    return [part.text for text in said for part in form(text)]


@pytest.mark.usefixtures("bots")
@pytest.mark.timeout(2 * PATIENCE_S)
async def test_every_answer_arrives_once_and_hardly_a_call_is_refused(world: World) -> None:
    """Typing, parts and answers are under one budget; a closed chat stalls no other."""
    thinking = asyncio.Event()
    expected = await asyncio.to_thread(everything)

    async def think(messages: ChatMessages) -> str:
        await thinking.wait()
        return answer(messages)

    world.model.reply(think)
    world.model.chunk_chars = len(LONGEST)  # the servers share our loop: what keeps it busy would look like a burst
    telegram, slack = world.telegram.enforce_limits(), world.slack.enforce_limits()
    telegram.close(CLOSED, RETRY_AFTER_S)
    slack.close(CLOSED_CHANNEL, RETRY_AFTER_S)
    stalls: list[float] = []
    noting = asyncio.create_task(note_stalls(stalls))
    await ask_everywhere(world)
    await world.telegram.wait_until(
        lambda: len(world.telegram.calls_of("sendChatAction")) >= CHATS, "typing in many chats"
    )
    thinking.set()
    others = [place for place in expected if place not in (CLOSED, CLOSED_CHANNEL)]
    await world.telegram.wait_until(
        lambda: all(len(heard(world, place)) >= len(expected[place]) for place in others),
        "everybody else's answers",
        timeout_s=PATIENCE_S,
    )
    assert heard(world, CLOSED) == heard(world, CLOSED_CHANNEL) == []
    telegram.open(CLOSED)
    slack.open(CLOSED_CHANNEL)
    await world.telegram.wait_until(
        lambda: all(len(heard(world, place)) >= len(expected[place]) for place in (CLOSED, CLOSED_CHANNEL)),
        "the answers to the chats that were closed",
        timeout_s=PATIENCE_S,
    )

    noting.cancel()
    report(telegram, slack)
    for place, texts in expected.items():
        assert heard(world, place) == texts
    for limits, place in ((telegram, CLOSED), (slack, CLOSED_CHANNEL)):
        assert limits.forced[place]
        assert not too_early(limits.forced[place])
        refused = [at for at in limits.refused if not any(0 <= at - stall <= 1 for stall in stalls)]
        assert len(refused) <= max(1, limits.calls // 1000)


async def note_stalls(stalls: list[float]) -> None:
    """When this process went on, and the servers in it, after standing still: what came meanwhile comes at once."""
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.02)
        now = time.monotonic()
        if now - last > STALL_S:
            stalls.append(now)
        last = now


async def ask_everywhere(world: World) -> None:
    """All write at once; in a channel in one thread, or each question would be a conversation of its own."""
    threads: dict[str, str] = {}
    for number in range(EACH):
        for person in PEOPLE:
            world.telegram.say(question(person, number), user=User(id=person))
        for group in GROUPS:
            words = f"@{world.telegram.me.username} {question(group.id, number)}"
            world.telegram.say(words, user=User(id=-group.id), chat=group)
        for channel in channels():
            mention = "" if channel.startswith("D") else f"<@{world.slack.workspace.bot_user}> "
            words = mention + question(channel, number)
            thread = None if channel.startswith("D") else threads.get(channel)
            threads.setdefault(channel, world.slack.say(channel, f"U{channel}", words, thread))
        await asyncio.sleep(0)


def channels() -> list[str]:
    """Direct messages and channels in Slack."""
    return [f"{kind}{number}" for number in range(CHATS) for kind in "DC"]


def heard(world: World, place: int | str) -> list[str]:
    """The messages of the bot in a chat, without words of waiting."""
    return in_telegram(world, place) if isinstance(place, int) else in_slack(world, place)


def too_early(times: Sequence[float]) -> list[float]:
    """Calls to a closed chat that came before its pause was over; those under way when it was told do not count."""
    pauses = [later - earlier for earlier, later in pairwise(times)]
    return [pause for pause in pauses if 1 < pause < RETRY_AFTER_S]


def report(*of: Limits) -> None:
    """For who runs the long form."""
    for limits in of:
        forced = sum(len(times) for times in limits.forced.values())
        log.info("%d calls, %d refused, %d at the closed chat", limits.calls, len(limits.refused), forced)

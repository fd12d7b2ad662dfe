"""People of the soak run: they write on both platforms, and everything that reaches a platform is noted.

Each message asks about something that only it asks about in its place, and the model's answer repeats that in each of
its parts. So what a platform received says by itself which message it answers and which part of the answer it is.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, TypeVar

from adapters.slack.format import format_markdown as format_for_slack
from adapters.telegram.format import format_markdown as format_for_telegram
from bench.soak_check import Asked, Seen
from bot.texts import Texts
from tests.process.conftest import World, text_of
from tests.servers.openai import ChatMessages, OpenAiServer
from tests.servers.slack_api import Call as SlackCall
from tests.servers.slack_socket import Ack
from tests.servers.slack_workspace import Json
from tests.servers.telegram_chat import Chat, User
from tests.servers.telegram_contract import Call as TelegramCall

Platform = Literal["telegram", "slack"]
C = TypeVar("C")
ABOUT = re.compile(r"\b(?:item|common|report) \d+\b")
QUESTION = re.compile(r"How much is (?P<about>(?:item|common|report) \d+)\?")
LONG_LINES = 150
"""Of a report: three messages in Telegram, two in Slack."""
COMMON = 40
"""Questions that many ask; the first one's answer is reused."""
PAUSE_S = 1.0
"""Between two messages of one person: nobody writes faster, and Slack spreads events over all sockets."""
WAITING = {Texts.load()("waiting", language) for language in ("en", "zh")}


def answer_to(about: str) -> str:
    """What the model says: short, or for a report long, with the subject on each line."""
    lines = range(LONG_LINES) if about.startswith("report") else range(0)
    told = "".join(f"\n\nLine {n} of {about}: {'word ' * 16}." for n in lines)
    return f"You asked: How much is {about}?{told}"


@cache
def parts_of(platform: Platform, about: str) -> tuple[str, ...]:
    """The messages that this answer becomes on a platform."""
    form = format_for_telegram if platform == "telegram" else format_for_slack
    return tuple(part.text.strip() for part in form(answer_to(about)))


class Told(list[C]):
    """A list of calls that keeps none and tells of each."""

    def __init__(self, hear: Callable[[C], None]) -> None:
        super().__init__()
        self._hear = hear

    def append(self, call: C) -> None:
        """Tell of it."""
        self._hear(call)


@dataclass(slots=True)
class Speaker:
    """Somebody in one place.

    Attributes:
        platform: where.
        user: number of the person.
        group: number of the group or channel; None: in private.
        thread: Slack: the thread in which they go on without a mention.
        left: how often they still do.
        said_at: when they last wrote.
        root: id of the message that opened the thread.
    """

    platform: Platform
    user: int
    group: int | None = None
    thread: str | None = None
    left: int = 0
    said_at: float = 0.0
    root: str = ""


@dataclass(slots=True)
class Heard:
    """Everything noted in a run.

    Attributes:
        asked: what people wrote, by id.
        seen: parts of answers.
        strange: other texts of the bot, or known ones in a wrong place.
        waiting_words: words of waiting.
        limited: 429s of the platforms.
        model_calls: requests to the models.
        asked_again: subjects that a model was asked about after their answer was finished.
        given_up: Slack's events that it stopped bringing.
    """

    asked: dict[str, Asked] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    strange: list[str] = field(default_factory=list)
    waiting_words: int = 0
    limited: int = 0
    model_calls: int = 0
    asked_again: list[str] = field(default_factory=list)


class Traffic:
    """Writes and listens.

    Args:
        world: both platforms and the model, before anybody wrote.
        spare: the model that never fails.
        seed: of who writes what and when.
    """

    def __init__(self, world: World, spare: OpenAiServer, seed: int) -> None:
        self.heard = Heard()
        self._world = world
        self._random = random.Random(seed)
        self._numbers = itertools.count(1)
        self._met = itertools.count(1_000_000)
        self._of: dict[tuple[str, str], str] = {}
        self._open: dict[str, float] = {}
        self._finished: set[str] = set()
        self._slow = random.Random(seed + 1)
        people = range(1, 61)
        self._regulars = [Speaker("telegram", 100 + n) for n in people] + [Speaker("slack", 100 + n) for n in people]
        self._members = [Speaker("telegram", 500 + n, group=n % 10) for n in people]
        self._members += [Speaker("slack", 500 + n, group=n % 10) for n in people]
        self._listen(spare)

    def _listen(self, spare: OpenAiServer) -> None:
        world = self._world
        world.telegram.calls = Told(self._hear_telegram)
        world.slack.api.calls = Told(self._hear_slack_call)
        posted, deliver = world.slack.api.posted, world.slack.sockets.deliver_event

        def post(channel: str, message: Json) -> None:
            self._hear(f"slack:{channel}", "slack", text_of(message))
            posted(channel, message)

        async def taken(payload: Json) -> Ack | None:
            ack = await deliver(payload)
            if ack is not None:
                self._taken(payload["event"])
            return ack

        world.slack.api.posted = post
        world.slack.sockets.deliver_event = taken  # type: ignore[method-assign]
        for model in (world.model, spare):
            model.reply(self._reply)
            model.chats = Told(self._hear_model)
            model.chunk_chars = 40

    # --- people write ---------------------------------------------------------------------------------------------

    async def write(self, *, per_s: float, seconds: float, strangers: bool = False) -> None:
        """At an even rate with some jitter, for so long.

        `strangers`: half of the messages are the first ones of somebody, who asks what nobody has asked. Without a
        history the question is compared with those asked before, and its answer is kept for others.
        """
        begun = time.monotonic()
        for number in range(int(per_s * seconds)):
            await asyncio.sleep(max(0.0, begun + (number + self._random.random()) / per_s - time.monotonic()))
            self.write_one(strangers=strangers)

    def write_one(self, *, strangers: bool = False) -> None:
        """Somebody writes something somewhere."""
        kind = self._random.random()
        if kind < 0.15 or (strangers and kind >= 0.5):
            speaker = Speaker(self._random.choice(("telegram", "slack")), next(self._met))
            common = f"common {self._random.randrange(COMMON)}"
            return self._say(speaker, common if kind < 0.15 else f"item {next(self._numbers)}")
        group = self._members if kind < 0.5 else self._regulars
        speaker = self._random.choice(group)
        now = time.monotonic()
        while now - speaker.said_at < PAUSE_S or (speaker.left and not self._was_taken(speaker.root)):
            speaker = self._random.choice(group)
        report = self._random.random() < 0.08
        return self._say(speaker, f"{'report' if report else 'item'} {next(self._numbers)}")

    def _was_taken(self, name: str) -> bool:
        return self.heard.asked[name].taken_at is not None

    def _say(self, speaker: Speaker, about: str) -> None:
        speaker.said_at = time.monotonic()
        say = self._say_in_telegram if speaker.platform == "telegram" else self._say_in_slack
        name, place, conversation = say(speaker, f"How much is {about}?")
        parts = len(parts_of(speaker.platform, about))
        self.heard.asked[name] = Asked(id=name, conversation=conversation, about=about, parts=parts, at=speaker.said_at)
        self._of[place, about] = name
        self._open[name] = speaker.said_at

    def _say_in_telegram(self, speaker: Speaker, text: str) -> tuple[str, str, str]:
        telegram, user = self._world.telegram, User(id=speaker.user)
        chat, place = None, speaker.user
        if speaker.group is not None:
            place = -1_001_000 - speaker.group
            chat, text = Chat(id=place, type="supergroup"), f"@{telegram.me.username} {text}"
        update = telegram.say(text, user=user, chat=chat)
        return f"telegram:{telegram.me.id}:{update}", f"telegram:{place}", f"telegram:{place}:{speaker.user}"

    def _say_in_slack(self, speaker: Speaker, text: str) -> tuple[str, str, str]:
        slack = self._world.slack
        if speaker.group is None:
            channel = f"D{speaker.user}"
            ts = slack.say(channel, f"U{speaker.user}", text)
            return f"slack:{slack.workspace.team}:{channel}:{ts}", f"slack:{channel}", f"slack:{channel}"
        channel = f"C{speaker.group}"
        if speaker.left:
            speaker.left -= 1
            ts = slack.say(channel, f"U{speaker.user}", text, speaker.thread)
        else:
            ts = slack.say(channel, f"U{speaker.user}", f"<@{slack.workspace.bot_user}> {text}")
            speaker.thread, speaker.left = ts, self._random.randrange(3)
            speaker.root = f"slack:{slack.workspace.team}:{channel}:{ts}"
        name = f"slack:{slack.workspace.team}:{channel}:{ts}"
        return name, f"slack:{channel}", f"slack:{channel}:{speaker.thread}:{speaker.user}"

    # --- what comes back ------------------------------------------------------------------------------------------

    def _hear_telegram(self, call: TelegramCall) -> None:
        if call.status == 429:
            self.heard.limited += 1
        if call.method.lower() == "sendmessage" and call.status == 200:
            self._hear(f"telegram:{call.parameters['chat_id']}", "telegram", call.parameters["text"])

    def _hear_slack_call(self, call: SlackCall) -> None:
        """Posts are heard when they take effect."""

    def _hear(self, place: str, platform: Platform, text: str) -> None:
        text = text.strip()
        found = ABOUT.search(text)
        name = self._of.get((place, found[0])) if found else None
        if name is None:
            if text in WAITING:
                self.heard.waiting_words += 1
            else:
                self.heard.strange.append(f"{place}: {text[:200]}")
            return
        about = self.heard.asked[name].about
        texts = parts_of(platform, about)
        if text not in texts:
            self.heard.strange.append(f"{place}: {text[:200]}")
            return
        self.heard.seen.append(Seen(id=name, part=texts.index(text), at=time.monotonic()))
        self._open.pop(name, None)
        self.finished(name)

    def _taken(self, event: Json) -> None:
        name = f"slack:{self._world.slack.workspace.team}:{event['channel']}:{event['ts']}"
        if name in self.heard.asked:
            self.heard.asked[name].taken_at = time.monotonic()

    def finished(self, name: str) -> None:
        """The answer to this message is finished: the model must not be asked for it any more."""
        if (message := self.heard.asked.get(name)) and not message.about.startswith("common"):
            self._finished.add(message.about)

    def oldest_s(self) -> float:
        """How long who has waited longest for a first part has waited."""
        return time.monotonic() - min(self._open.values(), default=time.monotonic())

    @property
    def unanswered(self) -> int:
        """Messages of whose answer nothing came yet."""
        return len(self._open)

    # --- the model ------------------------------------------------------------------------------------------------

    def _hear_model(self, body: Json) -> None:
        self.heard.model_calls += 1
        # Other calls write out a question for the search; they quote earlier ones.
        found = QUESTION.fullmatch(body["messages"][-1]["content"])
        if found and found["about"] in self._finished:
            self.heard.asked_again.append(found["about"])

    async def _reply(self, messages: ChatMessages) -> str:
        content = messages[-1]["content"]
        found = QUESTION.fullmatch(content)
        if found is None:
            return next(match[0] for match in reversed(list(QUESTION.finditer(content))))
        # Mostly quick, sometimes so slow that the person has written again meanwhile.
        await asyncio.sleep(self._slow.uniform(0.1, 0.5) if self._slow.random() < 0.9 else self._slow.uniform(2, 5))
        return answer_to(found["about"])

    def kinds(self) -> Counter[str]:
        """How many messages of which platform and subject were written."""
        return Counter(f"{m.id.split(':')[0]} {m.about.split()[0]}" for m in self.heard.asked.values())

"""The platforms' limits on calls, for the test servers to enforce, and a count of what they let through.

Documented: Telegram's Bots FAQ says one message a second in a chat with short bursts tolerated, 20 a minute in a group,
about 30 a second in all; Slack's rate limits say one post a second in a channel with short bursts tolerated, several
hundred a minute in a workspace, and 20, 50 and 100 calls a minute for tiers 2, 3 and 4. Assumed: a burst in a chat is
eight; "about 30" is a bucket of 30; a minute is any minute; "several hundred" is 600; edits, drafts and chat actions
of Telegram count like messages; `assistant.threads.setStatus`, "special", takes 600 a minute; whoever was told to wait
and calls all the same is told the rest of it.
"""

from __future__ import annotations

import math
import time
from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable


class Window:
    """At most so many calls in any stretch of so many seconds."""

    def __init__(self, calls: int, seconds: float) -> None:
        self._calls, self._seconds = calls, seconds
        self._made: deque[float] = deque(maxlen=calls)

    def free_at(self) -> float:
        """When the next call may come (`time.monotonic()`)."""
        return self._made[0] + self._seconds if len(self._made) == self._calls else 0.0

    def count(self, now: float) -> None:
        """A call was made."""
        self._made.append(now)


class Bucket:
    """At most so many calls at once, and so many a second for long."""

    def __init__(self, calls: int, per_s: float) -> None:
        self._spread_s, self._call_s = (calls - 1) / per_s, 1 / per_s
        self._full_at = 0.0

    def free_at(self) -> float:
        """When the next call may come (`time.monotonic()`)."""
        return self._full_at - self._spread_s

    def count(self, now: float) -> None:
        """A call was made."""
        self._full_at = max(self._full_at, now) + self._call_s


Rule = Window | Bucket
Rules = Iterable[tuple[Hashable, Callable[[], Rule]]]
"""What a call counts against, by name, and how many may be made."""


class Limits:
    """Counts calls and says which must wait.

    Attributes:
        calls: all that were asked about.
        refused: when calls came that exceeded a limit (`time.monotonic()`).
        forced: when calls to a closed place came (`time.monotonic()`), by place.
    """

    def __init__(self) -> None:
        self.calls = 0
        self.refused: list[float] = []
        self.forced: dict[Hashable, list[float]] = defaultdict(list)
        self._closed: dict[Hashable, int] = {}
        self._rules: dict[Hashable, Rule] = {}

    def close(self, place: Hashable, retry_after_s: int) -> None:
        """Every call to a place is told to wait so long, until it is opened."""
        self._closed[place] = retry_after_s

    def open(self, place: Hashable) -> None:
        """The place takes calls again."""
        del self._closed[place]

    def wait_s(self, place: Hashable, rules: Rules) -> int | None:
        """Whole seconds that a call to a place must wait; None: it may go, and counts."""
        now = time.monotonic()
        self.calls += 1
        if place in self._closed:
            self.forced[place].append(now)
            return self._closed[place]
        kept = {name: self._rules.get(name) or self._rules.setdefault(name, rule()) for name, rule in rules}
        for rule in kept.values():
            if rule.free_at() > now:
                self.refused.append(now)
                return math.ceil(rule.free_at() - now)
        for rule in kept.values():
            rule.count(now)
        return None


def telegram_rules(chat_id: int) -> Rules:
    """What a message, an edit, a draft or a chat action counts against."""
    yield ("chat", chat_id), lambda: Bucket(8, 1)
    if chat_id < 0:
        yield ("group", chat_id), lambda: Window(20, 60)
    yield "bot", lambda: Bucket(30, 30)


TELEGRAM_COUNTED = frozenset({"sendmessage", "editmessagetext", "sendmessagedraft", "sendchataction"})
SLACK_A_MINUTE = {
    "assistant.threads.setStatus": 600,
    "chat.postEphemeral": 100,
    "chat.update": 50,
    "conversations.history": 50,
    "conversations.open": 50,
    "conversations.replies": 50,
}


def slack_rules(method: str, channel: str) -> Rules:
    """What a call of the Web API counts against."""
    if method == "chat.postMessage":
        yield channel, lambda: Bucket(8, 1)
        yield method, lambda: Window(600, 60)
    elif method in SLACK_A_MINUTE:
        yield method, lambda: Window(SLACK_A_MINUTE[method], 60)

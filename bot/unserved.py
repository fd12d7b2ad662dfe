"""Messages that this worker cannot answer, for it lacks the token of their platform: another must, or the operator act.

Kept in memory: whoever met such a message may say so, and the one that has the token answers it meanwhile.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Mapping
from datetime import timedelta

from bot.message import Conversation, ConversationId, Platform

AGAIN = timedelta(seconds=5)
"""How long such a message is left to other workers."""
EACH = timedelta(milliseconds=20)
"""So much longer for each other one, so that many of them do not keep this worker busy."""
LONGEST = timedelta(minutes=5)
LATE = timedelta(seconds=10)
"""One that does not come again for so much longer is answered by another."""
ALARM = timedelta(minutes=3)
"""So long after the last one this worker counts as not ready."""
SAID_EACH = timedelta(minutes=1)

SETTINGS: Mapping[Platform, str] = {
    "telegram": "TELEGRAM_BOT_TOKEN",
    "slack": "SLACK_BOT_TOKEN",
    "web": "web.enabled",
}

log = logging.getLogger(__name__)


class Unserved:
    """Those that one worker met lately."""

    def __init__(self) -> None:
        # Until when it is waited for and when it arrived, by time.monotonic(); the latest met stands last.
        self._met: dict[ConversationId, tuple[float, float]] = {}
        self._last: dict[Platform, float] = {}
        self._said: dict[Platform, float] = {}

    def met(self, conversation: Conversation, age: timedelta) -> timedelta:
        """Note one and say so in the log, once a minute.

        Args:
            conversation: whose message waits.
            age: since the message arrived.

        Returns:
            How long it is left to others.
        """
        now, platform = time.monotonic(), conversation.platform
        self._met.pop(conversation.id, None)
        left_alone = min(LONGEST, AGAIN + EACH * len(self._waiting(now)))
        self._met[conversation.id] = now + (left_alone + LATE).total_seconds(), now - age.total_seconds()
        self._last[platform] = now
        if now - self._said.get(platform, -math.inf) >= SAID_EACH.total_seconds():
            self._said[platform] = now
            log.warning("%s; set it and start this worker again", _reason(platform))
        return left_alone

    def age(self) -> timedelta:
        """Since the oldest of those arrived that still wait; zero if none does."""
        now = time.monotonic()
        return timedelta(seconds=max((now - arrived for _, arrived in self._waiting(now).values()), default=0.0))

    def reasons(self) -> list[str]:
        """Why this worker cannot answer some of the messages that wait; empty when it can."""
        now = time.monotonic()
        return [_reason(one) for one, last in self._last.items() if now - last < ALARM.total_seconds()]

    def _waiting(self, now: float) -> Mapping[ConversationId, tuple[float, float]]:
        while self._met and now > next(iter(self._met.values()))[0]:
            del self._met[next(iter(self._met))]
        return self._met


def _reason(platform: Platform) -> str:
    return f"{platform}: messages wait that this worker cannot answer, for it has no {SETTINGS.get(platform, 'token')}"

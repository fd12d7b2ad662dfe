"""`frontdesk`, killed by itself at a named point: `python -m tests.process.crashing POINT NTH serve …`.

The process sends itself SIGKILL at the nth time that it comes by there, so nothing of it, no handler and no `finally`,
runs any further. The product knows nothing of it: the methods are wrapped here.

`POINTS` is the table: each point, and the role that comes by there; a process of both roles comes by all of them.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal

from adapters.slack.send import SlackMessenger
from adapters.slack.socket import _Connection as SlackSocket
from adapters.telegram.receive import TelegramReceiver
from adapters.telegram.send import TelegramMessenger
from bot.__main__ import main
from bot.llm.chat import ChatModel
from bot.store.answers import RedisAnswers
from bot.store.inbox import RedisInbox
from bot.store.limiter import RedisLimiter

Arguments = dict[str, Any]


def _always(arguments: tuple[Any, ...], named: Arguments, result: object) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Point:
    """Where the process ends.

    Attributes:
        role: which comes by there.
        methods: (class, method) that it comes by.
        when: before the method or after it.
        counts: whether this time counts, by arguments (the object first) and result.
        rare: nobody comes by there often: the first time is the nth.
    """

    role: Literal["gateway", "worker"]
    methods: tuple[tuple[type, str], ...]
    when: Literal["before", "after"] = "after"
    counts: Callable[[tuple[Any, ...], Arguments, object], bool] = _always
    rare: bool = False


def _part(index: int) -> Callable[[tuple[Any, ...], Arguments, object], bool]:
    """That part of a reply was sent."""
    return lambda _, named, __: str(named["key"]).endswith(f"#{index}")


_SLACK = ((SlackMessenger, "send"),)
_BOTH = (*_SLACK, (TelegramMessenger, "send"))

POINTS = {
    "event received": Point("gateway", ((RedisInbox, "put"),), "before"),
    "stored": Point("gateway", ((RedisInbox, "put"),)),
    # A poll with an offset is Telegram's acknowledgement of all before it.
    "acknowledged": Point("gateway", ((TelegramReceiver, "_poll"),), counts=lambda a, _, __: a[0]._offset is not None),  # noqa: SLF001
    "acknowledged over the socket": Point("gateway", ((SlackSocket, "_handle"),)),
    "claimed": Point("worker", ((RedisInbox, "claim"),), counts=lambda _, __, claimed: claimed is not None),
    "limited": Point("worker", ((RedisLimiter, "decide"),)),
    "model answered": Point("worker", ((ChatModel, "complete"),)),
    "answer stored": Point("worker", ((RedisAnswers, "store"),)),
    "part marked": Point("worker", ((RedisInbox, "record"),), counts=lambda _, named, __: named.get("sending") == 0),
    "part sent": Point("worker", _BOTH, counts=_part(0)),
    "part posted in Slack": Point("worker", _SLACK, counts=_part(0)),
    # What the crash before has left.
    "own post found": Point("worker", ((SlackMessenger, "find"),), counts=lambda _, __, found: bool(found), rare=True),
    "id recorded": Point("worker", ((RedisInbox, "record"),), counts=lambda _, named, __: bool(named.get("sent"))),
    "last part sent": Point("worker", _BOTH, counts=_part(1)),
    "settled": Point("worker", ((RedisInbox, "settle"),)),
}


def end_at(point: Point, nth: int) -> None:
    """Wrap the methods of a point so that the process ends there."""
    times = 0

    def came_by() -> None:
        nonlocal times
        times += 1
        if times == (1 if point.rare else nth):
            os.kill(os.getpid(), signal.SIGKILL)

    def wrapped(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        async def wrapper(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - whatever the method takes
            if point.when == "before":
                came_by()
            result = await method(*arguments, **named)
            if point.when == "after" and point.counts(arguments, named, result):
                came_by()
            return result

        return wrapper

    for owner, name in point.methods:
        setattr(owner, name, wrapped(getattr(owner, name)))


if __name__ == "__main__":
    end_at(POINTS[sys.argv[1]], int(sys.argv[2]))
    sys.argv[1:] = sys.argv[3:]
    main()

"""`frontdesk`, killed by itself at a named point: `python -m tests.process.crashing POINT NTH serve …`.

The process sends itself SIGKILL at the nth time that it comes by there, so nothing of it, no handler and no `finally`,
runs any further. The product knows nothing of it: the methods are wrapped here.
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
        methods: (class, method) that it comes by.
        when: before the method or after it.
        counts: whether this time counts, by arguments (the object first) and result.
    """

    methods: tuple[tuple[type, str], ...]
    when: Literal["before", "after"] = "after"
    counts: Callable[[tuple[Any, ...], Arguments, object], bool] = _always


_SEND = ((TelegramMessenger, "send"), (SlackMessenger, "send"))

POINTS = {
    "event received": Point(((RedisInbox, "put"),), "before"),
    "stored": Point(((RedisInbox, "put"),)),
    # A poll with an offset is Telegram's acknowledgement of all before it.
    "acknowledged": Point(((TelegramReceiver, "_poll"),), counts=lambda a, _, __: a[0]._offset is not None),  # noqa: SLF001
    "claimed": Point(((RedisInbox, "claim"),), counts=lambda _, __, claimed: claimed is not None),
    "limited": Point(((RedisLimiter, "decide"),)),
    "model answered": Point(((ChatModel, "complete"),)),
    "answer stored": Point(((RedisAnswers, "store"),)),
    "part marked": Point(((RedisInbox, "record"),), counts=lambda _, named, __: named.get("sending") == 0),
    "part sent": Point(_SEND, counts=lambda _, named, __: str(named["key"]).endswith("#0")),
    "id recorded": Point(((RedisInbox, "record"),), counts=lambda _, named, __: named.get("sent") is not None),
    "last part sent": Point(_SEND, counts=lambda _, named, __: str(named["key"]).endswith("#1")),
    "settled": Point(((RedisInbox, "settle"),)),
}


def end_at(point: Point, nth: int) -> None:
    """Wrap the methods of a point so that the process ends there."""
    times = 0

    def came_by() -> None:
        nonlocal times
        times += 1
        if times == nth:
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

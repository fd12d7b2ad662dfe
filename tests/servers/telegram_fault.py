"""What can be made to go wrong with a call to the Telegram test server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How one call goes wrong.

    Attributes:
        how: `error`: an answer with `status`; `cut`: the connection is closed without an answer; `hang`: no answer
            for `seconds`, then cut; `trickle`: the same, with a byte of an answer now and then; `garbage`: a 200
            whose body is no JSON; `raw`: a 200 with `body`; `page`: HTML with `status`, as of a proxy.
        after_effect: the call takes effect before it goes wrong.
        status: HTTP status of an `error`.
        description: of an `error`.
        parameters: of an `error`.
        seconds: of a `hang` or `trickle`.
        body: of a `raw`.
    """

    how: Literal["error", "cut", "hang", "trickle", "garbage", "raw", "page"]
    after_effect: bool = False
    status: int = 500
    description: str = "Internal Server Error"
    parameters: dict[str, int] = field(default_factory=dict)
    seconds: float = 60
    body: bytes = b""


def error(status: int, description: str, *, after_effect: bool = False, **parameters: int) -> Fault:
    """An error answer."""
    return Fault(how="error", status=status, description=description, after_effect=after_effect, parameters=parameters)


def too_many_requests(retry_after_s: int) -> Fault:
    """429: ask again after so many seconds."""
    return error(429, f"Too Many Requests: retry after {retry_after_s}", retry_after=retry_after_s)


CUT_BEFORE = Fault(how="cut")
"""The connection breaks before anything happened."""
CUT_AFTER = Fault(how="cut", after_effect=True)
"""The connection breaks after the message was sent."""
SERVER_ERROR = error(500, "Internal Server Error: restart")
"""500 before anything happened."""
SERVER_ERROR_AFTER = error(502, "Bad Gateway", after_effect=True)
"""502 of a proxy after the message was sent."""
HANG = Fault(how="hang")
"""No answer, no effect."""
TRICKLE = Fault(how="trickle")
"""An answer that never ends, no effect."""
HANG_AFTER = Fault(how="hang", after_effect=True)
"""No answer, the message was sent."""
GARBAGE = Fault(how="garbage", after_effect=True)
"""An answer that is no JSON; the call took effect."""
BLOCKED = error(403, "Forbidden: bot was blocked by the user")
"""The person has blocked the bot."""
CHAT_GONE = error(400, "Bad Request: chat not found")
"""There is no such chat."""

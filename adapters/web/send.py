"""The outbound side of the chat page and the terminal: replies are laid into their box and fetched from there.

The box keeps the Markdown as it is; the page builds its own nodes from it, the terminal prints it. Laying a part
into the box is idempotent by key, so nothing here can be shown twice and there is no uncertain outcome.
"""

from __future__ import annotations

from bot.errors import SendFailed, StoreUnavailable
from bot.message import Part, Platform, ReplyTo, SentId
from bot.ports import PageBox

MAX_PART_CHARS = 100_000
"""A page shows any length; this only keeps one entry of the box, and one event of a stream, from growing wild."""


class PageMessenger:
    """Implements `bot.ports.Messenger` on a `PageBox`.

    Args:
        platform: whose replies it sends: `web` or `terminal`.
        box: where they wait to be fetched.
    """

    def __init__(self, platform: Platform, box: PageBox) -> None:
        self.platform = platform
        self._box = box

    def format(self, markdown: str) -> tuple[Part, ...]:
        """The Markdown as it is, in one part unless it is longer than `MAX_PART_CHARS`."""
        pieces = [markdown[at : at + MAX_PART_CHARS] for at in range(0, len(markdown), MAX_PART_CHARS)]
        return tuple(Part(text=piece) for piece in pieces) or (Part(text="…"),)

    async def send(self, to: ReplyTo, part: Part, *, key: str, first: bool, private: bool) -> SentId:
        """Lay a part into the box; with a key that is in it already, nothing is added.

        Raises:
            SendFailed: Redis did not take it; the same key may be sent again without harm.
        """
        try:
            return await self._box.append(to.channel, key, part.text)
        except StoreUnavailable as exc:
            raise SendFailed("the page's box is out of reach") from exc

    async def find(self, to: ReplyTo, key: str) -> SentId | None:
        """None: sending again under the same key finds it."""
        return None

    async def typing(self, to: ReplyTo) -> None:
        """Nothing: the page shows its own sign of waiting from the moment it has sent."""

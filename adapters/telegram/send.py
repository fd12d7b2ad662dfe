"""Sends to Telegram, and says what became of it in the errors of `bot.errors`.

It neither retries nor waits: that is delivery's work. The two exceptions are resends that cannot double a message,
since Telegram refused the first: to the new id of a group that moved, and as plain text when entities are refused.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from telegram import Bot, LinkPreviewOptions, ReplyParameters
from telegram.constants import ChatAction
from telegram.error import (
    BadRequest,
    ChatMigrated,
    Conflict,
    Forbidden,
    InvalidToken,
    NetworkError,
    RetryAfter,
    TelegramError,
    TimedOut,
)

from adapters.telegram.format import format_markdown
from bot.errors import SendError, SendFailed, SendLimited, SendRefused, SendUnknown
from bot.message import Part, ReplyTo, SentId

DEADLINE = timedelta(seconds=10)
"""For one send as a whole. Shorter than the lease of a conversation (15 s), so that a worker that sends still holds
it; longer than Telegram ever takes when it works."""

_NOT_CONNECTED = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"})
"""httpx's names for failures before any byte of the request went out."""
_TOO_MANY = "Too Many Requests"
"""How the library's error begins after a 429 that does not say how long to wait: a proxy's, which has its own limit."""
_UNSAID_PAUSE = timedelta(seconds=5)


class TelegramMessenger:
    """Implements `bot.ports.Messenger`."""

    def __init__(self, bot: Bot, *, deadline: timedelta = DEADLINE) -> None:
        self._bot = bot
        self._deadline_s = deadline.total_seconds()

    def format(self, markdown: str) -> tuple[Part, ...]:
        """Markdown as Telegram messages: text and entities, each within the limits."""
        return format_markdown(markdown)

    async def send(self, to: ReplyTo, part: Part, *, key: str, first: bool, private: bool) -> SentId:
        """Send one part; `key` is of no use here, Telegram lets no bot look for its messages.

        Cancelling leaves it unknown whether the person has the message.

        Raises:
            SendRefused: the bot is blocked, the chat is gone, or Telegram will not take the text.
            SendLimited: 429; nothing was sent.
            SendFailed: no connection, or the token is not taken; nothing was sent.
            SendUnknown: no answer, a broken one, or 5xx. Telegram's 5xx come from proxies in front of it and from
                restarts, and both happen after the message was handed on, too.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                if private and not to.private and (sent := await self._to_person(to, part)):
                    return sent
                return await self._to_chat(int(to.channel), to, part, quote=to.quote if first else None)
        except TelegramError as error:
            raise _translated(error) from error
        except TimeoutError as error:
            raise SendUnknown("no answer within the deadline") from error

    async def find(self, to: ReplyTo, key: str) -> SentId | None:
        """None: a bot cannot read a chat's messages."""
        return None

    async def typing(self, to: ReplyTo) -> None:
        """Show `typing…` for about five seconds. It is an ornament: what fails is passed over.

        Raises:
            SendLimited: 429; it counts like a message, and what follows would be refused too.
        """
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._bot.send_chat_action(int(to.channel), ChatAction.TYPING, message_thread_id=_thread(to))
        except Exception as error:  # an ornament: only its limit matters
            if isinstance(error, TelegramError) and (wait := _pause(error)) is not None:
                raise SendLimited(wait) from error

    async def _to_person(self, to: ReplyTo, part: Part) -> SentId | None:
        """Into the asker's private chat; None if they never opened one, or closed it."""
        try:
            return await self._post(int(to.user), part, thread=None, quote=None)
        except (Forbidden, BadRequest):
            return None
        except TelegramError as error:
            if (wait := _pause(error)) is None:
                raise
            # That chat is meant, not the group.
            raise SendLimited(wait, channel=to.user) from error

    async def _to_chat(self, chat_id: int, to: ReplyTo, part: Part, *, quote: str | None) -> SentId:
        try:
            return await self._post(chat_id, part, thread=_thread(to), quote=quote)
        except ChatMigrated as moved:
            # Message ids start anew there: a quote would show somebody else's words.
            return await self._post(moved.new_chat_id, part, thread=None, quote=None)

    async def _post(self, chat_id: int, part: Part, *, thread: int | None, quote: str | None) -> SentId:
        """Send; once more as plain text if only the entities are refused: plain words beat no words."""
        try:
            return await self._send_message(chat_id, part, thread, quote)
        except BadRequest as error:
            if not part.entities or "entit" not in error.message.lower():
                raise
        return await self._send_message(chat_id, Part(text=part.text), thread, quote)

    async def _send_message(self, chat_id: int, part: Part, thread: int | None, quote: str | None) -> SentId:
        quoted = ReplyParameters(int(quote), allow_sending_without_reply=True) if quote else None
        try:
            message = await self._bot.send_message(
                chat_id,
                part.text,
                message_thread_id=thread,
                reply_parameters=quoted,
                link_preview_options=LinkPreviewOptions(is_disabled=True),
                # As records, the way the ledger keeps them.
                api_kwargs={"entities": list(part.entities)} if part.entities else None,
            )
            return SentId(str(int(message.message_id)))
        except (TelegramError, TimeoutError):
            raise
        except Exception as error:
            # An "ok" that holds no message: the library fails on each in another way.
            raise SendUnknown(f"no answer to be understood ({type(error).__name__})") from error


def _thread(to: ReplyTo) -> int | None:
    return int(to.thread) if to.thread else None


def _pause(error: TelegramError) -> timedelta | None:
    """How long we are asked to wait; None if we are not."""
    if isinstance(error, RetryAfter):
        wait = error.retry_after
        return wait if isinstance(wait, timedelta) else timedelta(seconds=wait)
    return _UNSAID_PAUSE if error.message.startswith(_TOO_MANY) else None


def _translated(error: TelegramError) -> SendError:
    """Ours for the library's; the order counts, BadRequest and TimedOut are NetworkErrors there."""
    if (wait := _pause(error)) is not None:
        return SendLimited(wait)
    match error:
        case Forbidden() | BadRequest() | ChatMigrated() if error.__cause__ is None:
            # With a cause the body was no Bot API answer: some proxy's, and its refusal is not the last word.
            return SendRefused(error.message)
        case InvalidToken() | Conflict():
            return SendFailed(f"Telegram does not take the bot's token ({type(error).__name__})")
        case TimedOut() | NetworkError() if type(error.__cause__).__name__ in _NOT_CONNECTED:
            return SendFailed(f"not connected ({type(error.__cause__).__name__})")
        case _:
            return SendUnknown(f"no answer to be understood ({type(error.__cause__ or error).__name__})")

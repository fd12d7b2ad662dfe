"""Slack's outbound side: posts the parts of a reply, finds a post again, shows that an answer is being written.

Decides nothing and never sends twice: each call makes one post at most. Every post carries the part's key as message
metadata, which is how a post whose answer was lost is found again. Replies for one person's eyes are ephemeral; where
the bot is not in the channel (slash commands work everywhere) or may not post there, they go to the person's direct
messages.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from adapters.slack.failures import CLOSED, error_code, retry_after, send_error
from adapters.slack.format import format_markdown
from bot.errors import SendError, SendFailed, SendLimited, SendUnknown
from bot.message import Part, ReplyTo, SentId

METADATA_TYPE = "frontdesk_part"
_STATUS = "is writing an answer…"
_PAGE = 100
_PAGES = 5
"""How far a lost post is looked for: it is newer than the message it answers, so 500 messages are far enough."""
_TYPING_S = 2.0
_TYPING_PAUSE_S = 60.0
_TYPING_LACKING_S = 3600.0
_LACKING = frozenset({"missing_scope", "unknown_method", "not_allowed_token_type", "no_permission", "access_denied"})
_NOT_THERE = frozenset({"channel_not_found", "not_in_channel", "user_not_in_channel"})
_NO_LOOK = _LACKING | _NOT_THERE | {"thread_not_found"}
"""Codes after which looking again shows no more: a post of ours counts as not there."""
_MOST_SHOWN = 1000

_log = logging.getLogger(__name__)


class SlackMessenger:
    """Implements `bot.ports.Messenger`.

    Args:
        client: from `adapters.slack.client.slack_client`.
        timeout: of one `send`.
        clock: seconds that only grow; replaced in tests.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        *,
        timeout: timedelta = timedelta(seconds=10),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._timeout_s = timeout.total_seconds()
        self._clock = clock
        self._typing_again_s = 0.0
        self._shown: dict[tuple[str, str], None] = {}

    def format(self, markdown: str) -> tuple[Part, ...]:
        """Markdown as Slack's messages, each within 12,000 characters."""
        return format_markdown(markdown)

    async def send(self, to: ReplyTo, part: Part, *, key: str, first: bool, private: bool) -> SentId:
        """Post one part; cancelling it leaves open whether it was posted.

        Raises:
            SendRefused, SendLimited, SendFailed, SendUnknown: see `bot.errors`.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                if to.ephemeral or (private and not to.private):
                    return await self._post_ephemeral(to, part, key)
                # Before the post: cancelled after it, we would lose its id.
                await self._clear_status(to)
                return await self._post(to.channel, part, key, thread=to.thread)
        except SendError:
            raise
        except Exception as error:  # whatever it was, it says whether the post is out
            raise send_error(error) from error

    async def find(self, to: ReplyTo, key: str) -> SentId | None:
        """Our own post of that key; None if it is not there, was ephemeral, or Slack does not let us look.

        Raises:
            SendLimited: we look too often, reading has a limit of its own.
            SendFailed: the look failed, which says nothing of the post: taken for "not there", it would be posted
                twice. The token is not taken, or Slack is in trouble.
        """
        if to.ephemeral:
            return None
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._find(to, key)
        except Exception as error:  # whatever it was, nothing is known of the post
            if isinstance(error, SlackApiError):
                if error_code(error) in _NO_LOOK:
                    _log.info("slack: may not look for a post of ours (%s)", error_code(error))
                    return None
                if (wait := retry_after(error)) is not None:
                    raise SendLimited(wait) from error
            raise SendFailed(f"could not look for a post of ours ({_short(error)})") from error

    async def typing(self, to: ReplyTo) -> None:
        """Show the status line in a thread or a direct message; a refusal is remembered for a while."""
        thread = _status_thread(to)
        if thread is None or to.ephemeral or self._clock() < self._typing_again_s:
            return
        if await self._set_status(to.channel, thread, _STATUS) and to.thread is None:
            while len(self._shown) >= _MOST_SHOWN:
                del self._shown[next(iter(self._shown))]
            self._shown[to.channel, thread] = None

    # --- posting ------------------------------------------------------------------------------------------------------

    async def _post(self, channel: str, part: Part, key: str, *, thread: str | None) -> SentId:
        response = await self._client.chat_postMessage(
            channel=channel,
            markdown_text=part.text,
            thread_ts=thread,
            unfurl_links=False,
            unfurl_media=False,
            metadata={"event_type": METADATA_TYPE, "event_payload": {"key": key}},
        )
        return _sent_id(response, "ts")

    async def _post_ephemeral(self, to: ReplyTo, part: Part, key: str) -> SentId:
        # What is said at the top of a channel opens a thread only by our answer; until then Slack shows nothing in it
        # (https://docs.slack.dev/reference/methods/chat.postEphemeral).
        thread = None if to.thread == to.quote else to.thread
        try:
            response = await self._client.chat_postEphemeral(
                channel=to.channel, user=to.user, markdown_text=part.text, thread_ts=thread
            )
        except SlackApiError as error:
            if error_code(error) not in _NOT_THERE | CLOSED:
                raise
            return await self._post(await self._direct_channel(to.user), part, key, thread=None)
        return _sent_id(response, "message_ts")

    async def _direct_channel(self, user: str) -> str:
        try:
            response = await self._client.conversations_open(users=user)
        except SlackApiError:
            raise
        except Exception as error:
            # Nothing was posted yet, whatever became of this call.
            raise SendFailed(f"cannot open a direct message ({type(error).__name__})") from error
        channel = response.get("channel")
        if not isinstance(channel, dict) or not isinstance(channel.get("id"), str):
            raise SendFailed("Slack opened a direct message without an id")
        return str(channel["id"])

    # --- finding ------------------------------------------------------------------------------------------------------

    async def _find(self, to: ReplyTo, key: str) -> SentId | None:
        cursor: str | None = None
        for _ in range(_PAGES):
            page = await self._page(to, cursor)
            messages = page.get("messages")
            if not isinstance(messages, list):
                raise TypeError("a page without messages")
            for message in messages:
                if _is_ours(message, key):
                    return SentId(str(message["ts"]))
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return None
        return None

    def _page(self, to: ReplyTo, cursor: str | None) -> Coroutine[Any, Any, AsyncSlackResponse]:
        if to.thread is not None:
            return self._client.conversations_replies(
                channel=to.channel,
                ts=to.thread,
                oldest=to.quote,
                cursor=cursor,
                limit=_PAGE,
                include_all_metadata=True,
            )
        return self._client.conversations_history(
            channel=to.channel, oldest=to.quote, cursor=cursor, limit=_PAGE, include_all_metadata=True
        )

    # --- the status line ----------------------------------------------------------------------------------------------

    async def _set_status(self, channel: str, thread: str, status: str) -> bool:
        try:
            async with asyncio.timeout(_TYPING_S):
                await self._client.assistant_threads_setStatus(channel_id=channel, thread_ts=thread, status=status)
        except Exception as error:  # noqa: BLE001 - an ornament
            lacking = isinstance(error, SlackApiError) and error_code(error) in _LACKING
            self._typing_again_s = self._clock() + (_TYPING_LACKING_S if lacking else _TYPING_PAUSE_S)
            _log.info("slack: no status line for now (%s)", _short(error))
            return False
        return True

    async def _clear_status(self, to: ReplyTo) -> None:
        # Slack clears the status when we post into its thread; a direct message is answered outside of it.
        thread = _status_thread(to)
        if thread is not None and (to.channel, thread) in self._shown:
            del self._shown[to.channel, thread]
            await self._set_status(to.channel, thread, "")


def _status_thread(to: ReplyTo) -> str | None:
    return to.thread or (to.quote if to.private else None)


def _sent_id(response: AsyncSlackResponse, name: str) -> SentId:
    ts = response.get(name)
    if not isinstance(ts, str) or not ts:
        raise SendUnknown("Slack said ok and gave no ts")
    return SentId(ts)


def _is_ours(message: object, key: str) -> bool:
    if not isinstance(message, dict) or not message.get("bot_id"):
        return False
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    return metadata.get("event_type") == METADATA_TYPE and payload.get("key") == key


def _short(error: Exception) -> str:
    return error_code(error) if isinstance(error, SlackApiError) else type(error).__name__

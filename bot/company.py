"""Company while an answer takes long: a typing sign after a second, one word after ten."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from bot.errors import SendError, SendLimited, StoreUnavailable
from bot.lease import Lease
from bot.message import Language, Platform
from bot.ports import Inbox, Messenger, OutboundBudget
from bot.texts import Texts

TYPING_AFTER = timedelta(seconds=1)
TYPING_EVERY = timedelta(seconds=4)
"""Telegram shows a chat action for five seconds (Bot API, sendChatAction)."""
WORD_AFTER = timedelta(seconds=10)
TO_SPARE = timedelta(seconds=1)
"""Longest that the budget is waited for: on a cluster it may be away, and an answer may be ready behind the word."""

log = logging.getLogger(__name__)


class Company:
    """Keeps a person company while they wait.

    Args:
        inbox: where it is noted that the word was said.
        messengers: one for each platform that is on.
        outbound: the send budgets.
        texts: our own sentences.
        send_timeout: of sending the word.
        typing_after: when typing is shown first, from the start of the work.
        typing_every: how often it is shown again.
        word_after: when the word is said, from the arrival of the message.
    """

    def __init__(
        self,
        *,
        inbox: Inbox,
        messengers: Mapping[Platform, Messenger],
        outbound: OutboundBudget,
        texts: Texts,
        send_timeout: timedelta,
        typing_after: timedelta = TYPING_AFTER,
        typing_every: timedelta = TYPING_EVERY,
        word_after: timedelta = WORD_AFTER,
    ) -> None:
        self._inbox = inbox
        self._messengers = messengers
        self._outbound = outbound
        self._texts = texts
        self.send_timeout = send_timeout
        self._typing_after = typing_after
        self._typing_every = typing_every
        self._word_after = word_after

    @asynccontextmanager
    async def during(self, lease: Lease, voice: Language) -> AsyncIterator[Callable[[], bool]]:
        """Show typing, and say one word if it takes long, until the block ends. What fails here harms nothing.

        Yields:
            Whether a word is on its way now: the end of the block would wait for it.
        """
        words: list[asyncio.Task[bool]] = []
        task = asyncio.create_task(self._keep(lease, voice, words), name="turn - company")
        try:
            yield lambda: not all(word.done() for word in words)
        finally:
            task.cancel()
            # A word on its way arrives before the answer; its sending has a deadline.
            for result in await asyncio.gather(task, *words, return_exceptions=True):
                if isinstance(result, Exception):
                    log.error("company failed", exc_info=result)

    async def _keep(self, lease: Lease, voice: Language, words: list[asyncio.Task[bool]]) -> None:
        incoming = lease.claimed.incoming
        messenger = self._messengers[incoming.conversation.platform]
        pause = self._typing_after
        while True:
            await asyncio.sleep(pause.total_seconds())
            await self._show_typing(lease, messenger)
            left = self._word_after - lease.age()
            if left > timedelta(0):
                pause = min(self._typing_every, left)
                continue
            pause = self._typing_every
            if not words:
                words.append(asyncio.create_task(self.say_word_if_due(lease, voice), name="turn - word of waiting"))

    async def say_word_if_due(self, lease: Lease, voice: Language) -> bool:
        """The one word of a turn, if its person has waited long enough; never raises. False: the budget is short.

        Not for a reaction, which waits for no words, nor where the reply is on its way or the platform is not on.
        """
        incoming = lease.claimed.incoming
        messenger = self._messengers.get(incoming.conversation.platform)
        if messenger is None or incoming.reacts or lease.claimed.delivery is not None:
            return True
        if lease.told_waiting or lease.age() < self._word_after:
            return True
        try:
            async with asyncio.timeout(TO_SPARE.total_seconds()):
                spared = await self._outbound.spare(incoming.conversation, group=not incoming.reply_to.private)
            if not spared:
                return False  # the budget is short, and the answers matter more
            first = await self._inbox.tell_waiting(lease.claimed)
            lease.told_waiting = True
            if not first:
                return True
            part = messenger.format(self._texts("waiting", voice))[0]
            async with asyncio.timeout(self.send_timeout.total_seconds()):
                await messenger.send(incoming.reply_to, part, key=f"{incoming.id}#wait", first=True, private=False)
        except SendLimited as error:
            await self._close(lease, error)
        except (SendError, StoreUnavailable, TimeoutError) as error:
            log.warning("the word of waiting was not said: %s", error)
        except Exception:
            # What nobody foresaw costs the word and nothing else.
            log.exception("the word of waiting was not said")
        return True

    async def _show_typing(self, lease: Lease, messenger: Messenger) -> None:
        incoming = lease.claimed.incoming
        try:
            if await self._outbound.spare(incoming.conversation, group=not incoming.reply_to.private):
                await messenger.typing(incoming.reply_to)
        except SendLimited as error:
            await self._close(lease, error)
        except StoreUnavailable as error:
            log.warning("typing was not shown: %s", error)
        except Exception:
            # The next one may be, and the word of waiting is still to be said.
            log.exception("typing was not shown")

    async def _close(self, lease: Lease, error: SendLimited) -> None:
        try:
            await self._outbound.close(lease.claimed.incoming.conversation, error.retry_after, channel=error.channel)
        except StoreUnavailable as error:
            log.warning("a pause that the platform asked for was not noted: %s", error)

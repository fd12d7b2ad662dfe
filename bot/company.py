"""Company while an answer takes long: a typing sign after a second, one word after ten."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

from bot.errors import SendError, StoreUnavailable
from bot.lease import Lease
from bot.message import Language, Platform
from bot.ports import Inbox, Messenger, OutboundBudget
from bot.texts import Texts

TYPING_AFTER = timedelta(seconds=1)
TYPING_EVERY = timedelta(seconds=4)
"""Telegram shows a chat action for five seconds (Bot API, sendChatAction)."""
WORD_AFTER = timedelta(seconds=10)

log = logging.getLogger(__name__)


class Company:
    """Keeps a person company while a block runs."""

    def __init__(
        self, *, inbox: Inbox, messengers: Mapping[Platform, Messenger], outbound: OutboundBudget, texts: Texts
    ) -> None:
        self._inbox = inbox
        self._messengers = messengers
        self._outbound = outbound
        self._texts = texts

    @asynccontextmanager
    async def during(self, lease: Lease, voice: Language) -> AsyncIterator[None]:
        """Show typing, and say one word if it takes long, until the block ends. What fails here harms nothing."""
        task = asyncio.create_task(self._keep(lease, voice), name="turn - company")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _keep(self, lease: Lease, voice: Language) -> None:
        incoming = lease.claimed.incoming
        messenger = self._messengers[incoming.conversation.platform]
        waited = TYPING_AFTER
        await asyncio.sleep(waited.total_seconds())
        told = lease.claimed.told_waiting
        while True:
            await messenger.typing(incoming.reply_to)
            if waited >= WORD_AFTER and not told:
                told = True
                await self._say_word(lease, voice)
            pause = TYPING_EVERY if told else min(TYPING_EVERY, max(WORD_AFTER - waited, TYPING_AFTER))
            await asyncio.sleep(pause.total_seconds())
            waited += pause

    async def _say_word(self, lease: Lease, voice: Language) -> None:
        incoming = lease.claimed.incoming
        messenger = self._messengers[incoming.conversation.platform]
        part = messenger.format(self._texts("waiting", voice))[0]
        try:
            if await self._outbound.take(incoming.conversation, group=not incoming.reply_to.private):
                return  # the budget is short, and the answer matters more
            if await self._inbox.tell_waiting(lease.claimed):
                await messenger.send(incoming.reply_to, part, key=f"{incoming.id}#wait", first=True, private=False)
        except (SendError, StoreUnavailable) as error:
            log.warning("the word of waiting was not said: %s", error)

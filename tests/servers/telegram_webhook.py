"""Telegram's calls of a bot's webhook: one chat's updates in turn, each again until it is answered with 2xx.

How long a refused one waits is that of tdlib/telegram-bot-api (WebhookActor.cpp, on_update_error), in shorter seconds:
as long as Retry-After says; without it once not at all, and then twice as long each time, up to a minute.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from urllib.parse import urlsplit

import aiohttp

from tests.servers.telegram_queue import Record, UpdateQueue

AGAIN_S = 0.1
SECOND_S = 0.05
_MOST_S = 60


class WebhookCalls:
    """Delivers what waits in the queue while a webhook is set.

    Attributes:
        base: where the public address leads to in this test, as a reverse proxy would know; None: nowhere.
        answers: status codes by update id, in the order of the calls; 0: no answer.
        waits: after each refusal, by update id, in seconds of the real one: how long until the next call.
    """

    def __init__(self, queue: UpdateQueue) -> None:
        self._queue = queue
        self._task: asyncio.Task[None] | None = None
        self.base: str | None = None
        self.answers: dict[int, list[int]] = defaultdict(list)
        self.waits: dict[int, list[int]] = defaultdict(list)
        self._due: dict[int, float] = {}

    def start(self) -> None:
        """Begin to deliver."""
        self._task = asyncio.create_task(self._run(), name="telegram - webhook")

    async def stop(self) -> None:
        """End."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def fail(self, why: str) -> None:
        """A call failed: getWebhookInfo tells from now on."""
        self._queue.webhook_error = (int(time.time()), why)

    async def _run(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as http:
            while True:
                lanes: dict[object, list[int]] = defaultdict(list)
                if self._queue.webhook_url and self.base is not None:
                    for number in self._queue.unconfirmed:
                        lanes[_chat_of(self._queue.update(number))].append(number)
                heads = [lane[0] for lane in lanes.values() if self._due.get(lane[0], 0.0) <= time.monotonic()]
                await asyncio.gather(*(self._call(http, number) for number in heads))
                await asyncio.sleep(0.01 if lanes else AGAIN_S)

    async def _call(self, http: aiohttp.ClientSession, number: int) -> None:
        url = f"{self.base}{urlsplit(self._queue.webhook_url).path}"
        headers = {"X-Telegram-Bot-Api-Secret-Token": self._queue.webhook_secret}
        try:
            async with http.post(url, json=self._queue.update(number), headers=headers) as response:
                status, told = response.status, response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError):
            status, told = 0, ""
        self.answers[number].append(status)
        if 200 <= status < 300:
            self._queue.confirm(number)
        else:
            self.fail(f"Wrong response from the webhook: {status}" if status else "Connection refused")
            self._due[number] = time.monotonic() + (self._wait(number, told) * SECOND_S if status else AGAIN_S)

    def _wait(self, number: int, told: str) -> int:
        waits = self.waits[number]
        waits.append((int(told) if told.isdecimal() else 0) or (min(2 ** len(waits), _MOST_S) if waits else 0))
        return waits[-1]


def _chat_of(update: Record) -> object:
    for part in update.values():
        if isinstance(part, dict) and isinstance(part.get("chat"), dict):
            return part["chat"].get("id")
    return None

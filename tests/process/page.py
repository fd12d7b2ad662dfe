"""A person at the chat page: posts messages and reads replies over real HTTP."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Self

import aiohttp


class PageVisitor:
    """Keeps a session's cookie; `ask` posts and waits for the next reply."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(unsafe=True), headers={"Origin": url, "Accept-Language": "en"}
        )
        self._last = "0"
        self.replies: list[str] = []

    async def __aenter__(self) -> Self:
        async with self._http.get(self._url) as response:
            assert response.status == 200
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    def move(self, url: str) -> None:
        """The bot was started again on another port; the cookie stays, as cookies know no ports."""
        self._url = url
        self._http.headers["Origin"] = url

    async def post(self, text: str, *, message_id: str | None = None) -> None:
        """Hand a message in."""
        body = {"id": message_id or str(uuid.uuid4()), "text": text}
        async with self._http.post(f"{self._url}/chat", json=body) as response:
            assert response.status == 202, await response.text()

    async def ask(self, text: str, *, seconds: float = 60) -> str:
        """Hand a message in and wait for the reply to it."""
        await self.post(text)
        return await self.next_reply(seconds=seconds)

    async def next_reply(self, *, seconds: float = 60) -> str:
        """The next reply."""
        async with asyncio.timeout(seconds):
            while True:
                for text in await self._read():
                    return text

    async def _read(self) -> list[str]:
        found: list[str] = []
        async with self._http.get(f"{self._url}/chat/events", params={"after": self._last}) as response:
            assert response.status == 200, await response.text()
            event: dict[str, str] = {}
            async for raw in response.content:
                line = raw.decode().rstrip("\n")
                if line:
                    name, _, value = line.partition(": ")
                    event[name] = value
                elif "id" in event:
                    self._last = event["id"]
                    found.append(json.loads(event["data"])["text"])
                    self.replies.extend(found)
                    return found
                else:
                    event = {}
        return found

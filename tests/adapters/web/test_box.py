"""The page on the box that it really has: replies laid into Redis come out of the stream."""

from __future__ import annotations

import asyncio
import json

from httpx2 import AsyncClient
from redis.asyncio import Redis

from adapters.web.routes import routes
from adapters.web.send import PageMessenger
from bot.http.metrics import PrometheusMeter
from bot.message import Part
from bot.store.page_box import RedisPageBox
from tests.adapters.web.fakes import FakeGate, running


async def _read(client: AsyncClient, count: int, last_seen: str = "0") -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    event_id = ""
    async with (
        asyncio.timeout(20),
        client.stream("GET", "/chat/events", headers={"last-event-id": last_seen}) as response,
    ):
        async for line in response.aiter_lines():
            if line.startswith("id: "):
                event_id = line.removeprefix("id: ")
            elif line.startswith("data: ") and "text" in (data := json.loads(line.removeprefix("data: "))):
                found.append((event_id, data["text"]))
                if len(found) == count:
                    break
    return found


async def test_replies_through_redis(redis: Redis) -> None:
    """An open page hears a reply, one that reconnects hears only what it has not seen, and no key shows twice."""
    stop, gate, box = asyncio.Event(), FakeGate(), RedisPageBox(redis, redis)
    messenger = PageMessenger("web", box)

    page = routes(gate, box, PrometheusMeter(), stop=stop, host="127.0.0.1")
    async with running(page, stop) as origin, AsyncClient(base_url=origin, timeout=20) as client:
        await client.post("/chat", json={"id": "m1", "text": "hi"})
        reading = asyncio.create_task(_read(client, 2))
        to = gate.incoming[0].reply_to
        for key, text in (("m1:0", "**one**"), ("m1:0", "**one**"), ("m1:1", "two\n😀")):
            await messenger.send(to, Part(text=text), key=key, first=key == "m1:0", private=True)
        everything = await reading
        rest = await _read(client, 1, last_seen=everything[0][0])

    assert [text for _, text in everything] == ["**one**", "two\n😀"]
    assert rest == everything[1:]

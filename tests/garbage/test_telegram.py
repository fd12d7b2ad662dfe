"""Telegram's updates, broken in every way, by polling and by webhook: no neighbour is lost, each is counted."""

from __future__ import annotations

import asyncio
import io
import re

import pytest
from hypothesis import strategies as st

from adapters.telegram.webhook import PATH, SECRET_HEADER
from bot.request_body import MOST_BYTES
from tests.garbage.hostile import ANY_JSON, Json, bodies, broken, generated, in_batches, written
from tests.garbage.house import WEBHOOK_SECRET, House, opened_house
from tests.garbage.samples import FIRST_ID, telegram_updates
from tests.servers.telegram_chat import User
from tests.servers.telegram_fault import Fault

BATCH = 50
HOOK = {
    "FRONTDESK_TELEGRAM__MODE": "webhook",
    "FRONTDESK_TELEGRAM__WEBHOOK_URL": "https://bot.example",
    "TELEGRAM_WEBHOOK_SECRET": WEBHOOK_SECRET,
}


def ask(house: House, number: int) -> int:
    """A valid neighbour asks; returns the update id."""
    return house.world.telegram.say(f"Neighbour {number}?", user=User(id=50_000 + number))


async def assert_answered_once(house: House, count: int) -> None:
    """So many neighbours have one answer each, their own."""
    telegram = house.world.telegram
    for number in range(count):
        await telegram.wait_messages(50_000 + number, 1)
    for number in range(count):
        assert [sent.text for sent in telegram.messages(50_000 + number)] == [f"You said: Neighbour {number}?"]


@pytest.mark.timeout(3600)
async def test_polled_updates() -> None:
    """Batches of broken updates with a valid one in the midst."""
    kept = frozenset({"update_id"})
    items = generated(st.one_of(*[broken(telegram_updates(), kept)] * 5, ANY_JSON))
    batches = list(in_batches(items, BATCH))
    async with opened_house() as house:
        telegram = house.world.telegram
        for number, batch in enumerate(batches):
            given = [_numbered(house, item) for item in batch]
            neighbour = written(telegram.update(ask(house, number)))
            given.insert(len(given) // 2, neighbour)
            body = f'{{"ok":true,"result":[{",".join(given)}]}}'
            telegram.fail_next("getUpdates", Fault(how="raw", body=body.encode()))
            await telegram.wait_until(lambda: not telegram.pending("getUpdates"), "the batch is taken")
        await telegram.wait_confirmed(timeout_s=60)
        await assert_answered_once(house, len(batches))
        counts = await house.counts("telegram")
    assert counts["malformed"] > len(items) // 4
    house.assert_discreet("adapters.telegram.receive", malformed=counts["malformed"])


def _numbered(house: House, item: Json) -> str:
    if isinstance(item, dict) and "update_id" in item:
        return written({**item, "update_id": house.world.telegram.push({"poll": {}})})
    return written(item)


@pytest.mark.timeout(3600)
async def test_webhook_bodies() -> None:
    """Any body with Telegram's secret is answered with 200, since Telegram would bring the same again."""
    own_id = re.compile(rb'"update_id":%d\d{3}' % (FIRST_ID // 1000))
    found = generated(bodies(telegram_updates()))
    items = [own_id.sub(b'"update_id":%d' % (FIRST_ID + number), body) for number, body in enumerate(found)]
    async with opened_house(HOOK) as house:
        house.world.telegram.webhook.base = house.bot.url
        before = (await house.counts("telegram")).total()
        batches = list(in_batches(items, BATCH))
        for number, batch in enumerate(batches):
            ask(house, number)
            statuses = await asyncio.gather(*(_post(house, body) for body in batch))
            assert {status for status, body in zip(statuses, batch, strict=True) if len(body) <= MOST_BYTES} == {200}
        await assert_answered_once(house, len(batches))
        await house.world.telegram.wait_confirmed(timeout_s=60)
        counts = await house.counted("telegram", before + len(items) + len(batches))
    assert counts.total() == before + len(items) + len(batches)
    house.assert_discreet("adapters.telegram.receive", "adapters.telegram.webhook", malformed=counts["malformed"])


async def _post(house: House, body: bytes, **headers: str) -> int:
    sent = {SECRET_HEADER: WEBHOOK_SECRET, "content-type": "application/json", **headers}
    async with house.http.post(house.bot.url + PATH, data=io.BytesIO(body), headers=sent) as response:
        await response.read()
        return response.status

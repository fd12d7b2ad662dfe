"""Ids of updates that cannot be: the offset stays with what is stored, and no neighbour is lost or comes twice."""

from __future__ import annotations

import json

import pytest

from tests.adapters.telegram.fakes import ANN, LI, FakeGate, receiving
from tests.servers.telegram import TelegramServer
from tests.servers.telegram_fault import Fault

FAR_AHEAD = 1 << 31


@pytest.mark.parametrize(
    ("false_id", "place", "of", "at_start"),
    [
        (5, 0, 3, True),
        (5, 2, 3, False),
        (FAR_AHEAD, 0, 1, True),
        (FAR_AHEAD, 0, 2, True),
        (FAR_AHEAD, 2, 3, True),
        (FAR_AHEAD, 0, 3, False),
        (FAR_AHEAD, 2, 3, False),
    ],
)
async def test_a_false_id_costs_no_message(
    server: TelegramServer, false_id: int, place: int, of: int, at_start: bool
) -> None:
    """One answer names one of its updates by a false id while another waits: each is stored once, in order."""
    gate = FakeGate()

    async def answer_falsely(_: object = None) -> None:
        gate.before_put = None
        updates = [server.update(server.say(f"m{number}", user=ANN)) for number in range(of)]
        told = [update | ({"update_id": false_id} if at == place else {}) for at, update in enumerate(updates)]
        body = json.dumps({"ok": True, "result": told}).encode()
        server.fail_next("getUpdates", Fault(how="raw", body=body))
        server.say(f"m{of}", user=ANN)

    if at_start:
        await answer_falsely()
    else:
        gate.before_put = answer_falsely
        server.say("earlier", user=LI)
    async with receiving(server, gate):
        await server.wait_until(lambda: f"m{of}" in gate.texts, "the last message")
        await server.wait_confirmed()

    assert [text for text in gate.texts if text != "earlier"] == [f"m{number}" for number in range(of + 1)]


@pytest.mark.parametrize("elsewhere", [1_500_000_000])
async def test_ids_that_begin_elsewhere_are_taken(server: TelegramServer, elsewhere: int) -> None:
    """As after a week without updates: what is said twice is true."""
    gate = FakeGate()
    async with receiving(server, gate) as running:
        server.say("before", user=ANN)
        await server.wait_confirmed()
        server.push({"update_id": elsewhere, "poll": {}})  # not what we ask for, so it never comes
        server.say("after", user=LI)
        await server.wait_confirmed()
        await server.wait_until(lambda: running.receiver.not_ready() is None, "ready")

    assert gate.texts == ["before", "after"]

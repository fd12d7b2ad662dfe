"""Slack's envelopes, frames, events and forms, broken in every way: no neighbour is lost, each is counted."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections import Counter
from collections.abc import Sequence
from urllib.parse import quote_from_bytes, urlencode

import pytest
from hypothesis import strategies as st

from bot.request_body import MOST_BYTES
from tests.garbage.hostile import ANY_JSON, bodies, broken, generated, in_batches, written
from tests.garbage.house import House, opened_house, until
from tests.garbage.samples import slack_form, slack_interactions, slack_payloads
from tests.process.conftest import text_of
from tests.servers.slack_http import Signing

BATCH = 50
FORM = "application/x-www-form-urlencoded"
HTTP = {"FRONTDESK_SLACK__MODE": "http", "SLACK_SIGNING_SECRET": "signing"}
_TS = re.compile(r"\d{10}\.\d{6}")
_OURS = ("adapters.slack.intake", "adapters.slack.receive", "adapters.slack.socket")


def ask(house: House, number: int) -> None:
    """A valid neighbour asks."""
    house.world.slack.say(f"D9{number}", f"U9{number}", f"Neighbour {number}?")


async def assert_answered_once(house: House, count: int) -> None:
    """So many neighbours have one answer each, their own."""
    slack = house.world.slack
    for number in range(count):
        await slack.wait_until(lambda channel=f"D9{number}": slack.from_bot(channel), "an answer")  # type: ignore[misc]
    for number in range(count):
        assert [text_of(sent) for sent in slack.from_bot(f"D9{number}")] == [f"You said: Neighbour {number}?"]


def with_own_ts(texts: Sequence[str]) -> list[str]:
    """Each text with timestamps that no other has, so that it is no duplicate."""
    return [_TS.sub(f"{1_700_000_000 + number}.000100", text) for number, text in enumerate(texts)]


@pytest.mark.timeout(3600)
async def test_socket_mode_frames() -> None:
    """Broken payloads in whole envelopes, broken envelopes, and frames that are none; each is counted once."""
    samples = [*slack_payloads(), slack_form(), *slack_interactions()]
    sample = st.one_of(broken(samples), broken(samples), broken(samples), ANY_JSON)
    payloads = sample.map(lambda value: (True, written(value)))
    frames = bodies([{"type": "events_api", "envelope_id": "e", "payload": samples[0]}]).map(lambda body: (False, body))
    items = generated(st.one_of(payloads, payloads, payloads, frames))
    async with opened_house() as house:
        slack, sockets = house.world.slack, house.world.slack.sockets
        whole: set[str] = set()
        for number, batch in enumerate(in_batches(items, BATCH)):
            ask(house, number)
            own = with_own_ts([text if is_payload else "" for is_payload, text in batch])
            for (is_payload, frame), text in zip(batch, own, strict=True):
                if is_payload:
                    envelope_id = str(uuid.uuid4())
                    whole.add(envelope_id)
                    await sockets.open[0].send_str(
                        f'{{"type":"events_api","envelope_id":"{envelope_id}","payload":{text}}}'
                    )
                else:
                    await _send(house, frame)
            # Ten thousand at once would not be stored in time, and Slack would bring them again.
            await slack.wait_until(lambda: whole <= {ack.envelope_id for ack in sockets.acks}, "all acks")
        neighbours = -(-len(items) // BATCH)
        await assert_answered_once(house, neighbours)
        counts = await _all_counted(house, len(items) + neighbours)
        assert sockets.opened == 1
    house.assert_discreet(*_OURS, malformed=counts["malformed"])


async def _all_counted(house: House, total: int) -> Counter[str]:
    """The counts, once there are so many beside those of the bot's own posts, which come back as events."""
    workspace = house.world.slack.workspace
    counts: Counter[str] = Counter()

    async def all_counted() -> bool:
        nonlocal counts
        counts = await house.counts("slack")
        return counts.total() == total + sum(len(house.world.slack.from_bot(name)) for name in workspace.channels)

    await until(all_counted, lambda: f"{total} events beside our own posts; there are {counts}")
    return counts


async def _send(house: House, frame: bytes) -> None:
    socket = house.world.slack.sockets.open[0]
    try:
        await socket.send_str(frame.decode())
    except UnicodeDecodeError:
        await socket.send_bytes(frame)


async def test_a_socket_that_brings_no_frames_is_replaced() -> None:
    """Bytes that are no WebSocket frame, and a word of farewell of a million characters."""
    async with opened_house() as house:
        slack = house.world.slack
        for transport in list(slack.sockets._transports.values()):  # noqa: SLF001 - below what the server offers
            transport.write(b"\xff" * 100)
        await slack.wait_until(lambda: slack.sockets.opened == 2, "another socket")
        await slack.sockets.disconnect("x" * 1_000_000, close=True)
        await slack.wait_until(lambda: slack.sockets.opened == 3, "a third socket")
        ask(house, 0)
        await assert_answered_once(house, 1)
    assert max(map(len, house.said.splitlines())) < 2_000


_CONTENT_TYPES = st.sampled_from(["application/json", FORM, FORM + "; charset=x", "text/plain", "", "é;;"])
_SIGNINGS = st.sampled_from(
    ["valid"] * 12 + ["wrong secret", "no signature", "not ascii", "stale", "non-numeric", "no timestamp"]
)


def _forms() -> st.SearchStrategy[bytes]:
    form = broken([slack_form()]).filter(lambda value: isinstance(value, dict))
    fields = form.map(lambda value: urlencode(value, errors="replace").encode())
    interactions = bodies(slack_interactions()).map(lambda body: b"payload=" + quote_from_bytes(body).encode())
    return st.one_of(fields, fields, interactions, st.binary(max_size=300))


@pytest.mark.timeout(3600)
async def test_http_events_and_forms() -> None:
    """Signed: answered with 200, as Slack would only repeat it. Not signed: 401, whatever it is."""
    requests = st.one_of(
        st.tuples(bodies(slack_payloads()), _CONTENT_TYPES, _SIGNINGS),
        st.tuples(_forms(), st.just(FORM), _SIGNINGS),
    )
    items: list[tuple[bytes, str, Signing]] = generated(requests)
    async with opened_house(HTTP) as house:
        house.world.slack.events_url = f"{house.bot.url}/slack/events"
        batches = list(in_batches(items, BATCH))
        unproven = 0
        for number, batch in enumerate(batches):
            ask(house, number)
            statuses = await asyncio.gather(*(_post(house, *request) for request in batch))
            for (body, _, signing), status in zip(batch, statuses, strict=True):
                unproven += status == 401
                assert status == (413 if len(body) > MOST_BYTES else 200 if signing == "valid" else 401) or (
                    status == 401 and not _is_text(body)
                )
        await assert_answered_once(house, len(batches))
        counts = await house.counted("slack", len(batches))
    assert counts["unproven"] == unproven
    house.assert_discreet(*_OURS, malformed=counts["malformed"] + unproven)


async def _post(house: House, body: bytes, content_type: str, signing: Signing) -> int:
    return (await house.world.slack.post_bytes(body, content_type, signing=signing)).status


def _is_text(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True

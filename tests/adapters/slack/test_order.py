"""The line of a conversation: whom one that is not stored takes along, and whom not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack import intake as intake_module
from adapters.slack.intake import Intake
from bot.errors import StoreUnavailable
from bot.message import Incoming
from bot.ports import Accepted
from tests.adapters.slack.conftest import CountingMeter, MemoryGate
from tests.servers.slack import SlackServer

Status = asyncio.Task[int]


class HeldGate(MemoryGate):
    """Holds who comes first until `ends`, and then stores them or, if `fails`, does not."""

    def __init__(self) -> None:
        super().__init__()
        self.ends = asyncio.Event()
        self.fails = False
        self.puts = 0

    async def put(self, incoming: Incoming, *, placed: Callable[[], None] | None = None) -> Accepted:
        """Store, or raise."""
        self.puts += 1
        if self.puts == 1:
            await self.ends.wait()
            if self.fails:
                raise StoreUnavailable("a moment")
        return await super().put(incoming, placed=placed)


class Line:
    """One person writes in one direct message, faster than the first of it is stored."""

    def __init__(self, server: SlackServer, intake: Intake) -> None:
        self._server = server
        self._intake = intake
        self._came = 0

    async def says(self, text: str) -> Status:
        """What Slack will be told of a message; it stands in line."""
        message = self._server.workspace.person_message("D1", "U1", text, thread=None, files=(), broadcast=False)
        return await self._stands(self._server.workspace.message_events("D1", message)[0])

    async def slash(self) -> Status:
        """The same of a slash command."""
        return await self._stands(self._server.workspace.slash_form("D1", "U1", "/forget", "", "https://example.com"))

    async def _stands(self, payload: dict[str, object]) -> Status:
        async def told() -> int:
            return (await self._intake.take(payload)).status

        task = asyncio.create_task(told())
        self._came += 1
        lines = self._intake._order._lines  # noqa: SLF001
        await self._server.wait_until(lambda: sum(line.users for line in lines.values()) == self._came, "in line")
        return task


@pytest.fixture
def gate() -> HeldGate:
    """Where messages are stored."""
    return HeldGate()


@pytest.fixture
async def line(
    server: SlackServer,
    client: AsyncWebClient,
    gate: HeldGate,
    meter: CountingMeter,
    monkeypatch: pytest.MonkeyPatch,
) -> Line:
    """A line in which nobody stands yet, and nobody loses patience."""
    monkeypatch.setattr(intake_module, "_PUT_S", 60.0)
    intake = Intake(client, gate=gate, meter=meter, check=timedelta(minutes=1))
    await intake.identify(asyncio.Event())
    return Line(server, intake)


async def test_a_slash_command_is_taken_in_behind_one_that_is_not_stored(line: Line, gate: HeldGate) -> None:
    """Slack brings it once only; the messages around it come again."""
    gate.fails = True
    told = [await line.says("first"), await line.slash(), await line.says("last")]
    gate.ends.set()

    assert await asyncio.gather(*told) == [503, 200, 503]
    assert gate.texts == ["/forget"]


async def test_a_slash_command_that_is_not_stored_takes_nobody_along(line: Line, gate: HeldGate) -> None:
    """It never comes again, so nothing waits behind it."""
    gate.fails = True
    told = [await line.slash(), await line.says("behind it")]
    gate.ends.set()

    assert await asyncio.gather(*told) == [503, 200]
    assert gate.texts == ["behind it"]


async def test_who_gives_up_takes_along_only_those_behind_them(line: Line, gate: HeldGate) -> None:
    """Whoever stands before them is stored, as nothing before that one failed."""
    first, second, gone, last = [await line.says(text) for text in ("first", "second", "gone", "last")]
    gone.cancel()
    await asyncio.wait({gone})
    gate.ends.set()

    assert [await first, await second, await last] == [200, 200, 503]
    assert gate.texts == ["first", "second"]

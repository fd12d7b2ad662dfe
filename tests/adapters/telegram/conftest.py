"""A Telegram server for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.servers.telegram import TelegramServer


@pytest.fixture
async def server() -> AsyncIterator[TelegramServer]:
    """An empty server with one bot."""
    async with TelegramServer() as running:
        yield running

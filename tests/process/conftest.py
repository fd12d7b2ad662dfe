"""What the process tests share: the platforms' servers, and a short folder for the bot's data."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.process.running import ROOT, Bot
from tests.servers.openai import OpenAiServer
from tests.servers.slack import SlackServer
from tests.servers.telegram import TelegramServer


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The outside of one bot: everything it talks to, for real, on 127.0.0.1."""

    folder: Path
    telegram: TelegramServer
    slack: SlackServer
    model: OpenAiServer

    def platforms(self) -> dict[str, str]:
        """Settings that connect the bot to Telegram and Slack."""
        return {
            "TELEGRAM_BOT_TOKEN": self.telegram.token,
            "FRONTDESK_TELEGRAM__API_URL": self.telegram.api_url,
            "SLACK_BOT_TOKEN": self.slack.bot_token,
            "SLACK_APP_TOKEN": self.slack.app_token,
            "FRONTDESK_SLACK__API_URL": self.slack.api_url,
        }

    def slack_over_http(self) -> dict[str, str]:
        """On top of `platforms`: Slack calls us; once we run, its `events_url` must be set."""
        return {"FRONTDESK_SLACK__MODE": "http", "SLACK_SIGNING_SECRET": self.slack.signing_secret}

    def with_model(self, *, timeout: str = "20s") -> dict[str, str]:
        """Settings that connect it to the model."""
        provider = {"name": "test", "base_url": self.model.base_url, "model": "test-model", "timeout": timeout}
        return {"OPENAI_API_KEY": self.model.key, "FRONTDESK_LLM__PROVIDERS": json.dumps([provider])}

    def unlimited(self) -> dict[str, str]:
        """Settings that lift the limits on people and on sending."""
        most = "1000000/second"
        return {
            "FRONTDESK_LIMITS__MESSAGES": "[]",
            "FRONTDESK_LIMITS__COMMANDS": "[]",
            "FRONTDESK_TELEGRAM__OUTBOUND": most,
            "FRONTDESK_TELEGRAM__OUTBOUND_CHAT": most,
            "FRONTDESK_TELEGRAM__OUTBOUND_CHAT_BURST": "1000000",
            "FRONTDESK_TELEGRAM__OUTBOUND_GROUP": most,
            "FRONTDESK_SLACK__OUTBOUND": most,
            "FRONTDESK_SLACK__OUTBOUND_CHAT": most,
            "FRONTDESK_SLACK__OUTBOUND_CHAT_BURST": "1000000",
        }

    def light(self) -> dict[str, str]:
        """Settings of a bot that is not asked about documents, on top of `with_model`; it starts in half the time.

        It reads no documents, and texts become vectors at the model's server.
        """
        return {
            "FRONTDESK_KNOWLEDGE__PATHS": "[]",
            "FRONTDESK_EMBEDDINGS__PROVIDER": "openai",
            "FRONTDESK_EMBEDDINGS__MODEL": "test-embedding",
            "FRONTDESK_EMBEDDINGS__BASE_URL": self.model.base_url,
        }

    def samples(self) -> dict[str, str]:
        """Settings of a bot that reads the samples."""
        return {"FRONTDESK_KNOWLEDGE__PATHS": json.dumps([str(ROOT / "samples")])}

    def bot(self, *settings: dict[str, str]) -> Bot:
        """A bot that is not started yet; a light one, unless the settings say what it reads."""
        made = {name: value for more in settings for name, value in more.items()}
        if "FRONTDESK_KNOWLEDGE__PATHS" not in made:
            made |= self.light() if "OPENAI_API_KEY" in made else {"FRONTDESK_KNOWLEDGE__PATHS": "[]"}
        return Bot(self.folder, made)

    def asked(self, question: str) -> str:
        """All that the model was given when it was last asked exactly this; empty if it never was."""
        requests = [chat["messages"] for chat in self.model.chats if chat["messages"][-1]["content"] == question]
        return str(requests[-1]) if requests else ""


def text_of(message: dict[str, object]) -> str:
    """What a Slack message of the bot says."""
    return str(message.get("markdown_text") or message["text"])


@asynccontextmanager
async def opened_world() -> AsyncIterator[World]:
    """Telegram, Slack and a model, each as strict as the real one, and a folder short enough for a Unix socket."""
    async with TelegramServer() as telegram, SlackServer() as slack, OpenAiServer() as model:
        with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as name:
            yield World(folder=Path(name), telegram=telegram, slack=slack, model=model)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """The outside of one test."""
    async with opened_world() as world:
        yield world

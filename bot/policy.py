"""What the configuration says about people and answers, as plain functions for the steps. Pure.

Part of the composition root: only `bot.app` asks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import get_args

from bot.config import Config
from bot.message import Conversation, Language
from bot.prompt import PROMPT_VERSION
from bot.texts import Texts
from bot.turn import MAIN


def scope_of(config: Config, texts: Texts) -> str:
    """All that an answer depends on beside question, language and passages; another scope never shares answers."""
    provider = config.llm.providers[0] if config.llm.providers else None
    parts = (
        PROMPT_VERSION,
        config.bot.name,
        config.bot.persona,
        config.bot.language,
        "quote" if provider is None else f"{provider.base_url} {provider.model} {config.llm.max_output_tokens}",
        str(config.knowledge.top_k),
        str(config.knowledge.max_cosine_distance),
        f"{config.embeddings.provider} {config.embeddings.model}",
        *(texts(key, language) for key in ("sources", "no_model") for language in get_args(Language)),
    )
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def base_of(config: Config) -> Callable[[Conversation], str]:
    """Name of the knowledge base of a channel: that which names it, else the main one."""
    bases = {
        (platform, channel): base.name
        for base in config.knowledge.bases
        for platform, channels in (("telegram", base.telegram), ("slack", base.slack))
        for channel in channels
    }
    return lambda conversation: bases.get((conversation.platform, conversation.channel), MAIN)


def own_voice(config: Config) -> Language | None:
    """The language the operator fixed for our own sentences; None: the person's."""
    return None if config.bot.language == "auto" else config.bot.language


def admins_of(config: Config) -> Callable[[Conversation], bool]:
    """Who may use the admin's commands and is not limited."""
    admins = {
        *(("telegram", user) for user in config.admins.telegram),
        *(("slack", user) for user in config.admins.slack),
    }
    return lambda conversation: (conversation.platform, conversation.user) in admins


def access_of(config: Config) -> Callable[[Conversation], bool]:
    """Who is answered: a non-empty list of users must hold the user, one of chats or channels the place."""
    telegram, slack = config.access.telegram, config.access.slack
    users = {"telegram": frozenset(telegram.users), "slack": frozenset(slack.users)}
    channels = {"telegram": frozenset(telegram.chats), "slack": frozenset(slack.channels)}

    def allowed(conversation: Conversation) -> bool:
        some_users = users.get(conversation.platform)
        some_channels = channels.get(conversation.platform)
        return (not some_users or conversation.user in some_users) and (
            not some_channels or conversation.channel in some_channels
        )

    return allowed

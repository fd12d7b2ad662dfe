"""The platforms that are on: for each its receiver, its messenger and its routes.

Part of the composition root: only `bot.app` opens platforms. A new one is a folder in `adapters/` and a function here.
Their libraries are imported by who opens them: a bot without Slack does not carry Slack's.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from typing import get_args

from starlette.routing import BaseRoute, Route

from adapters.web.routes import routes as web_routes
from adapters.web.send import PageMessenger
from bot.config import Config
from bot.leader import LedReceiver
from bot.message import Language, Platform
from bot.ports import Gate, Messenger, Meter, Receiver
from bot.store.leader import RedisLeader
from bot.stores import Stores
from bot.texts import Texts

LEAD = timedelta(seconds=10)
"""How long nobody polls Telegram when the process that did has died; shorter costs Redis a script more often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Platforms:
    """What is on."""

    receivers: dict[Platform, Receiver] = field(default_factory=dict)
    messengers: dict[Platform, Messenger] = field(default_factory=dict)
    routes: list[BaseRoute] = field(default_factory=list)


async def open_platforms(
    config: Config,
    stores: Stores,
    gate: Gate,
    texts: Texts,
    meter: Meter,
    stack: AsyncExitStack,
    stop_http: asyncio.Event,
) -> Platforms:
    """Open each platform whose token is set; their connections close with `stack`.

    Raises:
        StartError: a platform's settings cannot be used.
    """
    platforms = Platforms()
    if config.secrets.telegram_bot_token is not None:
        await _open_telegram(config, stores, gate, texts, meter, stack, platforms)
    if config.secrets.slack_bot_token is not None:
        await _open_slack(config, gate, meter, stack, platforms)
    if config.web.enabled:
        _open_web(config, stores, gate, texts, meter, stop_http, platforms)
    return platforms


async def _open_telegram(
    config: Config,
    stores: Stores,
    gate: Gate,
    texts: Texts,
    meter: Meter,
    stack: AsyncExitStack,
    platforms: Platforms,
) -> None:
    from adapters.telegram.connect import telegram_bot
    from adapters.telegram.receive import TelegramReceiver
    from adapters.telegram.send import TelegramMessenger
    from adapters.telegram.webhook import PATH, TelegramWebhook

    token = config.secrets.telegram_bot_token
    assert token is not None  # noqa: S101 - checked by the only caller
    bot = await stack.enter_async_context(telegram_bot(token=token.get_secret_value(), api_url=config.telegram.api_url))
    menus = {"": list(texts.commands("en").items()), "zh": list(texts.commands("zh").items())}
    platforms.messengers["telegram"] = TelegramMessenger(bot)
    if config.telegram.mode == "webhook":
        url, secret = config.telegram.webhook_url, config.secrets.telegram_webhook_secret
        assert url is not None  # noqa: S101 - a rule of the configuration
        assert secret is not None  # noqa: S101 - likewise
        webhook = TelegramWebhook(bot, gate, meter, url=url, secret=secret.get_secret_value(), commands=menus)
        platforms.receivers["telegram"] = webhook
        platforms.routes.append(Route(PATH, webhook.handle, methods=["POST"]))
        return
    receiver: Receiver
    receiver = polling = TelegramReceiver(bot, gate, meter, commands=menus)
    if stores.server is None:
        # Others may serve on this Redis too, and Telegram lets only one poll. An embedded server has one owner.
        bot_id = token.get_secret_value().partition(":")[0]
        leader = RedisLeader(stores.scripts, task=f"telegram:{bot_id}", life=min(LEAD, config.inbox.lease))
        check = stores.inbox.check
        receiver = LedReceiver(polling, leader, displaced=polling.displaced, check=check, name="telegram")
    platforms.receivers["telegram"] = receiver


async def _open_slack(config: Config, gate: Gate, meter: Meter, stack: AsyncExitStack, platforms: Platforms) -> None:
    from adapters.slack.client import slack_client
    from adapters.slack.receive import SlackHttpReceiver, SlackSocketReceiver
    from adapters.slack.send import SlackMessenger

    bot_token, app_token = config.secrets.slack_bot_token, config.secrets.slack_app_token
    signing_secret = config.secrets.slack_signing_secret
    assert bot_token is not None  # noqa: S101 - checked by the only caller
    client = await stack.enter_async_context(
        slack_client(bot_token=bot_token.get_secret_value(), api_url=config.slack.api_url)
    )
    platforms.messengers["slack"] = SlackMessenger(client)
    if config.slack.mode == "socket":
        assert app_token is not None  # noqa: S101 - a rule of the configuration
        platforms.receivers["slack"] = SlackSocketReceiver(
            client, app_token=app_token.get_secret_value(), gate=gate, meter=meter
        )
        return
    assert signing_secret is not None  # noqa: S101 - a rule of the configuration
    receiver = SlackHttpReceiver(client, signing_secret=signing_secret.get_secret_value(), gate=gate, meter=meter)
    platforms.receivers["slack"] = receiver
    platforms.routes.append(Route("/slack/events", receiver.handle, methods=["POST"]))


def _open_web(
    config: Config,
    stores: Stores,
    gate: Gate,
    texts: Texts,
    meter: Meter,
    stop_http: asyncio.Event,
    platforms: Platforms,
) -> None:
    platforms.messengers["web"] = PageMessenger("web", stores.page_box)
    platforms.routes.extend(
        web_routes(
            gate,
            stores.page_box,
            meter,
            stop=stop_http,
            host=config.server.host,
            token=config.secrets.web_token,
            name=config.bot.name,
            waiting_words=frozenset(texts("waiting", language) for language in get_args(Language)),
        )
    )

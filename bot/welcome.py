"""What the terminal shows when the bot is ready: where to chat, and how to connect what is not connected yet.

A pure function of the configuration; it prints nothing and knows no secret beyond whether it is set.
"""

from __future__ import annotations

from bot.config_tree import Config


def start_text(config: Config, url: str, role: str = "all") -> str:
    """The text, without a trailing newline.

    Args:
        config: as loaded.
        url: where the server really listens, the port included.
        role: what this process does: `all`, `gateway` or `worker`.
    """
    if role == "worker":
        return f"A worker of {config.bot.name} answers what the gateways store. Its health: {url}/readyz"
    rows = [
        ("Chat", _chat(config, url)),
        ("Telegram", _telegram(config)),
        ("Slack", _slack(config)),
        ("Model", _model(config)),
        ("Documents", _documents(config)),
    ]
    lines = [f"  {label:<10} {words}" for label, words in rows]
    return "\n".join([f"{config.bot.name} is ready.", "", *lines, "", "  Ctrl-C stops it; nothing is lost."])


def _chat(config: Config, url: str) -> str:
    if not config.web.enabled:
        return "the page is off (web.enabled)"
    return f"{url} (asks for FRONTDESK_WEB_TOKEN)" if config.secrets.web_token else url


def _telegram(config: Config) -> str:
    if config.secrets.telegram_bot_token:
        return "on"
    return "export TELEGRAM_BOT_TOKEN=…   (from @BotFather), then start again"


def _slack(config: Config) -> str:
    if config.secrets.slack_bot_token:
        return "on"
    second = "SLACK_APP_TOKEN=xapp-…" if config.slack.mode == "socket" else "SLACK_SIGNING_SECRET=…"
    return f"export SLACK_BOT_TOKEN=xoxb-… {second}   (from api.slack.com/apps), then start again"


def _documents(config: Config) -> str:
    of_bases = [f"{path} ({base.name})" for base in config.knowledge.bases for path in base.paths]
    return ", ".join([*map(str, config.knowledge.paths), *of_bases]) or "none yet: frontdesk ingest PATH…"


def _model(config: Config) -> str:
    providers = config.llm.providers
    if providers:
        return ", ".join(f"{provider.model} ({provider.name})" for provider in providers)
    return "export OPENAI_API_KEY=sk-…   then start again; until then answers are quotes from the documents"

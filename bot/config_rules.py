"""What the shape alone cannot say: rules between keys, the secrets they need, and what the operator should be told.

Pure functions over a checked tree and the environment; they collect problems and raise nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from pydantic import SecretStr

from bot.config_tree import Config, Secrets
from bot.config_values import is_loopback, redis_fault

VARIABLES = {
    "TELEGRAM_BOT_TOKEN": "telegram_bot_token",
    "TELEGRAM_WEBHOOK_SECRET": "telegram_webhook_secret",
    "SLACK_BOT_TOKEN": "slack_bot_token",
    "SLACK_APP_TOKEN": "slack_app_token",
    "SLACK_SIGNING_SECRET": "slack_signing_secret",
    "OPENAI_API_KEY": "openai_api_key",
    "REDIS_URL": "redis_url",
    "FRONTDESK_WEB_TOKEN": "web_token",
}
"""The fixed names of the environment's secrets, and the attributes of `Secrets` that hold them."""

_KEY = r"[!-~]+"
"""A model's key, which travels in a header: what is pasted from a page with a `…` in it never arrives."""
_KEY_ALLOWED = "the key as its maker gave it, in ASCII and without blanks"
_SHAPES = {
    "TELEGRAM_BOT_TOKEN": (r"\d+:[\w-]+", "the token BotFather gave, such as 123456789:AA…"),
    "TELEGRAM_WEBHOOK_SECRET": (r"[A-Za-z0-9_-]{1,256}", "up to 256 letters, digits, _ and -"),
    "SLACK_BOT_TOKEN": (r"(?!xapp-)\S+", "the bot token, which begins with xoxb- (found the app token)"),
    "SLACK_APP_TOKEN": (r"(?!xox)\S+", "the app-level token, which begins with xapp- (found a bot or user token)"),
    "OPENAI_API_KEY": (_KEY, _KEY_ALLOWED),
}


def read_secrets(environ: Mapping[str, str], problems: list[str]) -> Secrets:
    """The secrets that are set; an empty or misshapen one is a problem, never shown."""
    found: dict[str, SecretStr] = {}
    for name, attribute in VARIABLES.items():
        if name not in environ:
            continue
        value = environ[name].strip()  # a trailing newline is what a secret read from a file ends with
        pattern, allowed = _SHAPES.get(name, (r"\S+", "a value without blanks"))
        if not value:
            problems.append(f"{name}: found nothing, allowed a value (or do not set it)")
        elif name == "REDIS_URL" and (fault := redis_fault(value)):
            problems.append(f"{name}: found a value that cannot be right, allowed {fault}")
        elif not re.fullmatch(pattern, value, re.ASCII):
            problems.append(f"{name}: found a value that cannot be right, allowed {allowed}")
        else:
            found[attribute] = SecretStr(value)
    return Secrets.model_validate(found)


def leave_out_providers(config: Config, secrets: Secrets, environ: Mapping[str, str]) -> Secrets:
    """The secrets together with the keys of all providers whose variable is set."""
    names = {provider.api_key_env for provider in config.llm.providers if provider.api_key_env}
    keys = {name: environ.get(name, "").strip() for name in sorted(names)}
    return secrets.model_copy(update={"api_keys": {name: SecretStr(key) for name, key in keys.items() if key}})


def check_rules(config: Config, secrets: Secrets, failed: frozenset[str]) -> list[str]:
    """Problems between keys; a rule that rests on a key already found bad is passed over."""
    rules = (_telegram, _slack, _page, _embeddings, _providers, _bases)
    return [problem for rule in rules for path, problem in rule(config, secrets) if not _rests_on(path, failed)]


def _rests_on(path: str, failed: frozenset[str]) -> bool:
    return any(path == bad or path.startswith(f"{bad}.") or bad.startswith(f"{path}.") for bad in failed)


def _telegram(config: Config, secrets: Secrets) -> Iterator[tuple[str, str]]:
    if config.telegram.mode != "webhook" or secrets.telegram_bot_token is None:
        return
    if config.telegram.webhook_url is None:
        yield (
            "telegram.webhook_url",
            (
                "telegram.webhook_url: found nothing, allowed the public https address of this server, as "
                "telegram.mode is webhook"
            ),
        )
    if secrets.telegram_webhook_secret is None:
        yield (
            "telegram.mode",
            (
                "TELEGRAM_WEBHOOK_SECRET: found nothing, allowed a secret of your own (letters, digits, _ and -), as "
                "telegram.mode is webhook"
            ),
        )


def _slack(config: Config, secrets: Secrets) -> Iterator[tuple[str, str]]:
    if secrets.slack_bot_token is None:
        return
    if config.slack.mode == "socket" and secrets.slack_app_token is None:
        yield (
            "slack.mode",
            (
                "SLACK_APP_TOKEN: found nothing, allowed the app-level token (xapp-…): "
                "SLACK_BOT_TOKEN is set and slack.mode is socket"
            ),
        )
    if config.slack.mode == "http" and secrets.slack_signing_secret is None:
        yield (
            "slack.mode",
            (
                "SLACK_SIGNING_SECRET: found nothing, allowed the app's signing secret: "
                "SLACK_BOT_TOKEN is set and slack.mode is http"
            ),
        )


def _page(config: Config, secrets: Secrets) -> Iterator[tuple[str, str]]:
    if config.web.enabled and not is_loopback(config.server.host) and secrets.web_token is None:
        yield (
            "server.host",
            (
                f'FRONTDESK_WEB_TOKEN: found nothing, allowed a token: server.host is "{config.server.host}", so '
                "others can reach the chat page (or set web.enabled to false)"
            ),
        )


def _embeddings(config: Config, secrets: Secrets) -> Iterator[tuple[str, str]]:
    chosen = config.embeddings
    if chosen.provider == "builtin":
        if chosen.dimensions != 512:
            yield (
                "embeddings.dimensions",
                (f"embeddings.dimensions: found {chosen.dimensions}, allowed 512 with embeddings.provider builtin"),
            )
        return
    if chosen.model is None:
        yield (
            "embeddings.model",
            (
                "embeddings.model: found nothing, allowed a model's name, such as text-embedding-3-small, "
                "as embeddings.provider is openai"
            ),
        )
    if chosen.base_url is None and secrets.openai_api_key is None:
        yield (
            "embeddings.base_url",
            (
                "OPENAI_API_KEY: found nothing, allowed a key, as embeddings.provider is openai "
                "(or set embeddings.base_url to a server that needs none)"
            ),
        )


def _providers(config: Config, secrets: Secrets) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for index, provider in enumerate(config.llm.providers):
        path = f"llm.providers[{index}]"
        if provider.name in seen:
            yield (
                f"llm.providers.{index}.name",
                f'{path}.name: found "{provider.name}" a second time, allowed a name of its own for each provider',
            )
        seen.add(provider.name)
        variable = provider.api_key_env
        key = secrets.api_keys.get(variable) if variable and variable not in VARIABLES else None
        if key is not None and not re.fullmatch(_KEY, key.get_secret_value()):
            yield (
                f"llm.providers.{index}.api_key_env",
                f"{variable}: found a value that cannot be right, allowed {_KEY_ALLOWED}",
            )
        if provider.base_url is not None and "model" not in provider.model_fields_set:
            server = urlsplit(provider.base_url).hostname
            yield (
                f"llm.providers.{index}.model",
                f"{path}.model: found nothing, allowed the name of a model that {server} serves",
            )


def _bases(config: Config, secrets: Secrets) -> Iterator[tuple[str, str]]:
    names: set[str] = set()
    owners: dict[tuple[str, str], str] = {}
    for index, base in enumerate(config.knowledge.bases):
        path = f"knowledge.bases[{index}]"
        if not base.name:
            yield f"knowledge.bases.{index}.name", f"{path}.name: found nothing, allowed a name, such as staff"
        elif base.name in names:
            yield (
                f"knowledge.bases.{index}.name",
                f'{path}.name: found "{base.name}" a second time, allowed a name of its own for each base',
            )
        names.add(base.name)
        for platform in ("telegram", "slack"):
            for channel in getattr(base, platform):
                owner = owners.setdefault((platform, channel), base.name)
                if owner != base.name:
                    yield (
                        f"knowledge.bases.{index}.{platform}",
                        f"{path}.{platform}: found {channel}, which {owner} has, allowed one base for each channel",
                    )


def notes_on(config: Config, secrets: Secrets) -> Iterator[str]:
    """One line each for what is left out, switched off or not yet there."""
    for provider in config.llm.providers:
        if provider.api_key_env is not None and provider.api_key_env not in secrets.api_keys:
            yield f"model provider {provider.name} is left out: {provider.api_key_env} is not set"
    if secrets.slack_bot_token is None and (secrets.slack_app_token or secrets.slack_signing_secret):
        yield "Slack is off: SLACK_BOT_TOKEN is not set"

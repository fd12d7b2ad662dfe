"""The shape of config.yaml: one frozen model per section, attribute names equal to the keys, every key with a default.

What each key means is said once, in config.yaml itself. Reading, the environment and the rules between sections
are in `bot.config`.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, PrivateAttr, SecretStr
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from bot.config_values import (
    Rate,
    RateText,
    SlackChannel,
    SlackUser,
    TelegramId,
    address,
    base_name,
    distance,
    duration,
    host_name,
    one_of,
    optional,
    path,
    redis_address,
    switch,
    variable,
    whole,
    words,
)
from bot.redact import passwords

_SECOND, _MINUTE, _DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)

DEFAULT_MODEL = "gpt-5.4-mini"
"""A small and cheap one of those that the openai package lists: it only has to phrase what the passages say."""
DEFAULT_PERSONA = "You are the friendly front desk of this team. Answer briefly, clearly and politely."

Flag = Annotated[bool, switch()]
FilePath = Annotated[Path, path()]


class Section(BaseModel):
    """What all sections have in common: frozen, and no key that we do not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, protected_namespaces=())


class Bot(Section):
    """Who the bot is."""

    name: Annotated[str, words(60)] = "Front Desk"
    persona: Annotated[str, words(4000)] = DEFAULT_PERSONA
    language: Annotated[Literal["auto", "en", "zh"], one_of("auto", "en", "zh")] = "auto"


class Telegram(Section):
    """The Telegram side; on when TELEGRAM_BOT_TOKEN is set."""

    mode: Annotated[Literal["polling", "webhook"], one_of("polling", "webhook")] = "polling"
    api_url: Annotated[str, address("https", "http", slash=False)] = "https://api.telegram.org"
    webhook_url: Annotated[str | None, optional(address("https"))] = None
    outbound: RateText = Rate(30, _SECOND)
    outbound_chat: RateText = Rate(1, _SECOND)
    outbound_chat_burst: Annotated[int, whole(1, 1_000_000)] = 5
    outbound_group: RateText = Rate(20, _MINUTE)


class Slack(Section):
    """The Slack side; on when SLACK_BOT_TOKEN is set."""

    mode: Annotated[Literal["socket", "http"], one_of("socket", "http")] = "socket"
    api_url: Annotated[str, address("https", "http", slash=True)] = "https://slack.com/api/"
    outbound: RateText = Rate(600, _MINUTE)
    outbound_chat: RateText = Rate(1, _SECOND)
    outbound_chat_burst: Annotated[int, whole(1, 1_000_000)] = 5


class Web(Section):
    """The chat page."""

    enabled: Flag = True


class Server(Section):
    """Where we listen."""

    host: Annotated[str, host_name()] = "127.0.0.1"
    port: Annotated[int, whole(0, 65535)] = 8080


class Redis(Section):
    """Where everything is stored. `url` may come with a password through its environment variable."""

    url: Annotated[SecretStr | None, optional(redis_address())] = None
    data_dir: FilePath = Path("data")


class Provider(Section):
    """One OpenAI-compatible server."""

    name: Annotated[str, words(60)] = "openai"
    base_url: Annotated[str | None, optional(address("https", "http"))] = None
    api_key_env: Annotated[str | None, optional(variable())] = "OPENAI_API_KEY"
    model: Annotated[str, words(200)] = DEFAULT_MODEL
    timeout: Annotated[timedelta, duration("100ms", "10m")] = _MINUTE


class Llm(Section):
    """The language models, in order of preference; none means that passages are quoted."""

    providers: tuple[Provider, ...] = (Provider(),)
    max_output_tokens: Annotated[int, whole(1, 1_000_000)] = 1000


class Embeddings(Section):
    """What turns texts into vectors."""

    provider: Annotated[Literal["builtin", "openai"], one_of("builtin", "openai")] = "builtin"
    model: Annotated[str | None, optional(words(200))] = None
    base_url: Annotated[str | None, optional(address("https", "http"))] = None
    dimensions: Annotated[int, whole(1, 8192)] = 512


class History(Section):
    """What is remembered of a conversation."""

    max_turns: Annotated[int, whole(1, 1000)] = 10
    max_tokens: Annotated[int, whole(1, 1_000_000)] = 3000
    ttl: Annotated[timedelta, duration("1s", "90d")] = _DAY


class Limits(Section):
    """How much one person may ask; an empty list is no limit."""

    messages: tuple[RateText, ...] = (Rate(10, _MINUTE), Rate(200, _DAY))
    commands: tuple[RateText, ...] = (Rate(20, _MINUTE),)
    tokens: tuple[RateText, ...] = (Rate(100_000, _DAY),)


class Base(Section):
    """A knowledge base of its own for some channels; it must be named, which is a rule of `bot.config_rules`."""

    name: Annotated[str, base_name()] = ""
    paths: tuple[FilePath, ...] = ()
    telegram: tuple[TelegramId, ...] = ()
    slack: tuple[SlackChannel, ...] = ()


class Knowledge(Section):
    """The team's documents."""

    paths: tuple[FilePath, ...] = ()
    bases: tuple[Base, ...] = ()
    top_k: Annotated[int, whole(1, 50)] = 5
    max_cosine_distance: Annotated[float, distance()] = 0.78
    redis_url: Annotated[SecretStr | None, optional(redis_address())] = None


class Answers(Section):
    """The reuse of answers given before."""

    exact: Flag = True
    similar: Flag = True
    max_cosine_distance: Annotated[float, distance()] = 0.4
    verify: Annotated[Literal["off", "model"], one_of("off", "model")] = "off"
    ttl: Annotated[timedelta, duration("1s", "90d")] = timedelta(hours=1)


class TelegramAccess(Section):
    """Who is answered in Telegram."""

    users: tuple[TelegramId, ...] = ()
    chats: tuple[TelegramId, ...] = ()


class SlackAccess(Section):
    """Who is answered in Slack."""

    users: tuple[SlackUser, ...] = ()
    channels: tuple[SlackChannel, ...] = ()


class Access(Section):
    """Who is answered; empty lists are everyone."""

    telegram: TelegramAccess = TelegramAccess()
    slack: SlackAccess = SlackAccess()


class Admins(Section):
    """Who may use the admin's commands and is not limited."""

    telegram: tuple[TelegramId, ...] = ()
    slack: tuple[SlackUser, ...] = ()


class Inbox(Section):
    """How messages wait."""

    durability: Annotated[Literal["memory", "fsync", "replica"], one_of("memory", "fsync", "replica")] = "memory"
    partitions: Annotated[int, whole(1, 1024)] = 1
    lease: Annotated[timedelta, duration("1s", "10m")] = timedelta(seconds=15)
    max_attempts: Annotated[int, whole(1, 100)] = 3
    max_waiting: Annotated[int, whole(1, 100_000)] = 100
    max_age: Annotated[timedelta, duration("1m", "30d")] = timedelta(hours=1)


class Workers(Section):
    """How many messages are answered at once."""

    concurrency: Annotated[int, whole(1, 10_000)] = 64


class Logging(Section):
    """What is logged, and how."""

    format: Annotated[Literal["console", "json"], one_of("console", "json")] = "console"
    level: Annotated[Literal["debug", "info", "warning", "error"], one_of("debug", "info", "warning", "error")] = "info"


class Secrets(Section):
    """What comes from the environment alone, under fixed names. Shown as stars wherever it is printed.

    Attributes:
        api_keys: of the model providers, by the name of their variable.
    """

    telegram_bot_token: SecretStr | None = None
    telegram_webhook_secret: SecretStr | None = None
    slack_bot_token: SecretStr | None = None
    slack_app_token: SecretStr | None = None
    slack_signing_secret: SecretStr | None = None
    openai_api_key: SecretStr | None = None
    redis_url: SecretStr | None = None
    web_token: SecretStr | None = None
    api_keys: dict[str, SecretStr] = {}


class Config(BaseSettings):
    """The whole configuration, checked. Made by `bot.config.load` and nowhere else."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, env_prefix="FRONTDESK_", env_nested_delimiter="__"
    )

    bot: Bot = Bot()
    telegram: Telegram = Telegram()
    slack: Slack = Slack()
    web: Web = Web()
    server: Server = Server()
    redis: Redis = Redis()
    llm: Llm = Llm()
    embeddings: Embeddings = Embeddings()
    history: History = History()
    limits: Limits = Limits()
    knowledge: Knowledge = Knowledge()
    answers: Answers = Answers()
    access: Access = Access()
    admins: Admins = Admins()
    inbox: Inbox = Inbox()
    workers: Workers = Workers()
    logging: Logging = Logging()

    _secrets: Secrets = PrivateAttr(default_factory=Secrets)
    _notes: tuple[str, ...] = PrivateAttr(default=())
    _variables: frozenset[str] = PrivateAttr(default=frozenset())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Nothing is read behind `load`'s back: it hands in what file and environment say."""
        return (init_settings,)

    @property
    def secrets(self) -> Secrets:
        """Tokens and keys; not part of config.yaml, nor of this object's repr."""
        return self._secrets

    @property
    def notes(self) -> tuple[str, ...]:
        """What the operator should read at start: providers left out, keys whose feature comes later."""
        return self._notes

    @property
    def redis_url(self) -> SecretStr | None:
        """Where Redis is: `redis.url`, else REDIS_URL; None means the embedded server in `redis.data_dir`."""
        return self.redis.url or self.secrets.redis_url

    @property
    def redis_setting(self) -> str:
        """What says where Redis is, for words to the operator: a variable or a key of config.yaml."""
        if self.redis_url is None:
            return self.named("redis.data_dir")
        return self.named("redis.url") if self.redis.url is not None else "REDIS_URL"

    def named(self, key: str) -> str:
        """What a key's value came from: its variable, such as FRONTDESK_REDIS__URL, or the key itself."""
        variable = f"FRONTDESK_{key.replace('.', '__').upper()}"
        return variable if variable in self._variables else key

    def api_key(self, provider: Provider) -> SecretStr | None:
        """The key of a provider; None if it needs none."""
        return self.secrets.api_keys[provider.api_key_env] if provider.api_key_env else None

    def secret_values(self) -> tuple[str, ...]:
        """All secrets in plain, for the redactor of the logs and nothing else."""
        fields = [getattr(self.secrets, name) for name in Secrets.model_fields if name != "api_keys"]
        found = [*fields, *self.secrets.api_keys.values(), self.redis.url, self.knowledge.redis_url]
        values = [secret.get_secret_value() for secret in found if secret is not None]
        # Of an address only the password is secret: the rest must stay readable in errors.
        return tuple(secret for value in values for secret in (passwords(value) if "://" in value else (value,)))

"""The kinds of values that config.yaml holds, each checked by one function that says in plain words what is allowed.

A refusal is always a `PydanticCustomError` whose message completes the sentence "found …, allowed …". Nothing here
knows sections, files or the environment.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from bot.redact import has_password

_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_WINDOWS = {unit: timedelta(**{f"{unit}s": 1}) for unit in ("second", "minute", "hour", "day")}
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,6})?)\s*(ms|s|m|h|d)", re.ASCII)
_RATE = re.compile(r"(\d{1,9})\s*/\s*(second|minute|hour|day)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Rate:
    """So many in any window of that length: `10/minute`."""

    count: int
    per: timedelta

    def __str__(self) -> str:
        """As config.yaml writes it."""
        unit = next((unit for unit, window in _WINDOWS.items() if window == self.per), None)
        return f"{self.count}/{unit or f'{self.per.total_seconds():g}s'}"


def refusal(allowed: str) -> PydanticCustomError:
    """The error of a bad value; `allowed` completes "found …, allowed …"."""
    # Braces would be taken for placeholders of the message template.
    return PydanticCustomError("refused", "{allowed}", {"allowed": allowed})


def parse_rate(value: object) -> Rate:
    """`10/minute` and the like.

    Raises:
        PydanticCustomError: anything else, zero included.
    """
    if isinstance(value, Rate):
        return value
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None or int(match[1]) == 0:
        raise refusal("a rate of 1 or more per second, minute, hour or day, such as 10/minute")
    return Rate(int(match[1]), _WINDOWS[match[2]])


def duration(low: str, high: str) -> BeforeValidator:
    """A duration with its unit, from `low` to `high`."""
    allowed = f"a duration from {low} to {high} with its unit (ms, s, m, h, d), such as {low}"
    shortest, longest = _span(low), _span(high)
    if shortest is None or longest is None:
        raise ValueError(f"no duration: {low}, {high}")

    def parse(value: object) -> timedelta:
        span = value if isinstance(value, timedelta) else _span(value) if isinstance(value, str) else None
        if span is None or not shortest <= span <= longest:
            raise refusal(allowed)
        return span

    return BeforeValidator(parse)


def _span(text: str) -> timedelta | None:
    match = _DURATION.fullmatch(text.strip())
    return None if match is None else float(match[1]) * _UNITS[match[2]]


def whole(low: int, high: int, what: str = "a whole number") -> BeforeValidator:
    """A whole number from `low` to `high`; true and false are none."""

    def parse(value: object) -> int:
        if isinstance(value, str) and re.fullmatch(r"[-+]?\d{1,18}", value.strip(), re.ASCII):
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise refusal(f"{what} from {low} to {high}")
        return value

    return BeforeValidator(parse)


def distance() -> BeforeValidator:
    """A cosine distance: above 0, at most 2, lower is closer."""

    def parse(value: object) -> float:
        if isinstance(value, str) and re.fullmatch(r"\d+(\.\d+)?", value.strip(), re.ASCII):
            value = float(value)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= 2:
            raise refusal("a cosine distance above 0 and up to 2 (lower is closer)")
        return float(value)

    return BeforeValidator(parse)


def switch() -> BeforeValidator:
    """`true` or `false`, and nothing that merely resembles them."""

    def parse(value: object) -> bool:
        if isinstance(value, str) and value.strip().lower() in {"true", "false"}:
            return value.strip().lower() == "true"
        if not isinstance(value, bool):
            raise refusal("true or false")
        return value

    return BeforeValidator(parse)


def words(max_chars: int) -> BeforeValidator:
    """A text that is not blank."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or not value.strip() or len(value) > max_chars:
            raise refusal(f"a text of 1 to {max_chars} characters")
        return value.strip()

    return BeforeValidator(parse)


def path() -> BeforeValidator:
    """A file or folder, as seen from where the bot is started; `~` is the home folder."""

    def parse(value: object) -> Path:
        text = str(value) if isinstance(value, Path) else value
        if not isinstance(text, str) or not text.strip() or "\0" in text:
            raise refusal("the path of a file or folder")
        return Path(text.strip()).expanduser()

    return BeforeValidator(parse)


def one_of(*choices: str, later: tuple[str, ...] = ()) -> BeforeValidator:
    """One of a few words; those of `later` are known and refused for now."""

    def parse(value: object) -> object:
        if value is False and "off" in choices:  # YAML reads a bare off so
            return "off"
        if isinstance(value, str) and value in later:
            raise refusal(f"{' or '.join(choices)} ({value} is not yet available)")
        if not isinstance(value, str) or value not in choices:
            raise refusal(" or ".join(choices))
        return value

    return BeforeValidator(parse)


def address(*schemes: str, slash: bool | None = None) -> BeforeValidator:
    """An address of one of these schemes.

    Args:
        schemes: allowed ones.
        slash: end it with a slash (True), without one (False), or leave it (None).
    """

    def parse(value: object) -> str:
        if not isinstance(value, str) or not _is_url(value.strip(), schemes):
            raise refusal(f"an address that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}")
        value = value.strip()
        if has_password(value):
            raise refusal("an address without user and password")
        if re.search(r"/bot\d+:", value):
            raise refusal("the address alone, without /bot<token>")
        if slash is None:
            return value
        return value.rstrip("/") + ("/" if slash else "")

    return BeforeValidator(parse)


REDIS = ("redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster")
"""Schemes of a Redis address; see `bot.store.addresses`, which reads it."""


def redis_address() -> BeforeValidator:
    """Where Redis is: one server, the Sentinels and the name they have for the primary, or servers of a cluster."""

    def parse(value: object) -> str:
        text = value.strip() if isinstance(value, str) else ""
        if fault := redis_fault(text):
            raise refusal(fault)
        return text

    return BeforeValidator(parse)


_REDIS_ALLOWED = (
    "an address that begins with redis://, rediss:// or unix://, redis+sentinel://host:port,host:port/name, or "
    "redis+cluster://host:port,host:port"
)


_REDIS_NAMED = "redis+sentinel://host:port,host:port/name (the name that the Sentinels have for the primary is missing)"


def redis_fault(text: str) -> str | None:
    """What is allowed instead of a text that has not the form of a Redis address; options behind its `?` aside."""
    scheme, _, rest = text.partition("://")
    if "+" not in scheme:
        return None if _is_url(text, REDIS) else _REDIS_ALLOWED
    try:
        parts = urlsplit(f"//{rest}")
    except ValueError:
        return _REDIS_ALLOWED
    credentials, at, places = parts.netloc.rpartition("@")
    name = parts.path.strip("/")
    plain, _, kind = scheme.partition("+")
    urls = [f"{plain}://{credentials}{at}{place}" for place in places.split(",")]
    if scheme not in REDIS or "/" in name or not all(_is_url(url, REDIS) for url in urls):
        return _REDIS_ALLOWED
    if kind == "sentinel":
        return None if name else _REDIS_NAMED
    return _REDIS_ALLOWED if name else None


def _is_url(text: str, schemes: tuple[str, ...]) -> bool:
    if re.search(r"\s", text):
        return False
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 - raises where the port is no number
    except ValueError:
        return False
    return parts.scheme in schemes and bool(parts.path if parts.scheme == "unix" else parts.hostname)


def host_name() -> BeforeValidator:
    """An address or a name to listen on."""

    def parse(value: object) -> str:
        if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", value.strip()):
            raise refusal("an IP address or a host name, such as 127.0.0.1")
        return value.strip()

    return BeforeValidator(parse)


def is_loopback(name: str) -> bool:
    """Only this machine can reach that host."""
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def identifier(pattern: str, allowed: str) -> BeforeValidator:
    """A platform's id, whole number or text in the file, always text for us."""

    def parse(value: object) -> str:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or not re.fullmatch(pattern, text.strip(), re.ASCII):
            raise refusal(allowed)
        return text.strip()

    return BeforeValidator(parse)


def variable() -> BeforeValidator:
    """The name of an environment variable."""
    return identifier(r"[A-Z_][A-Z0-9_]{0,99}", "the NAME of an environment variable, such as OPENAI_API_KEY, or null")


def base_name() -> BeforeValidator:
    """What a knowledge base is called; it becomes part of keys."""
    return identifier(r"(?!main$)[a-z][a-z0-9-]{0,39}", "lower-case letters, digits and - (not main), such as staff")


def optional(check: BeforeValidator) -> BeforeValidator:
    """The same, or null."""
    parse: Callable[[object], object] = check.func  # type: ignore[assignment]  # ours all take one argument
    return BeforeValidator(lambda value: None if value is None else parse(value))


RateText = Annotated[Rate, BeforeValidator(parse_rate)]
TelegramId = Annotated[str, identifier(r"-?\d{1,20}", "a Telegram id, a number such as 123456789 (not a @name)")]
SlackUser = Annotated[str, identifier(r"[UW][A-Z0-9]{1,30}", "a Slack user id, such as U012AB3CD (not a @name)")]
SlackChannel = Annotated[str, identifier(r"[CDG][A-Z0-9]{1,30}", "a Slack channel id, such as C012AB3CD (not a #name)")]

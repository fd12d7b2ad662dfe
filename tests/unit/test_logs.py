"""What ends up in the log: who, when, which turn; never a secret."""

from __future__ import annotations

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Literal

import pytest
import structlog

from bot.errors import StoreUnavailable
from bot.logs import OUTAGE_LINES, OUTAGE_PERIOD_S, QUIET, Outages, configure
from bot.redact import Redactor, has_password

TELEGRAM = "123456789:AAFakeFakeFakeFakeFakeFakeFakeFake123"
KNOWN = {
    "telegram_bot_token": TELEGRAM,
    "slack_bot_token": "xoxb-1234-5678-abcdefghij",
    "slack_app_token": "xapp-1-A012-345-abcdef",
    "slack_signing_secret": "0123456789abcdef0123456789abcdef",
    "openai_api_key": "sk-proj-abcdefghijklmnop",
    "redis_password": 'pa/ss"w\\ord',
    "web_token": "correct horse",
}
UNKNOWN = {
    "telegram": "987654321:BBFakeFakeFakeFakeFakeFakeFakeFake123",
    "slack": "xoxp-99-88-zyxwvut",
    "slack_config": "xoxe.xoxp-1-Mi0yLTk4",
    "openai": "sk-somebodyelses",
    "redis": "rediss://default:hunter2hunter2@db.example:6380/0",
    "bearer": "Authorization: Bearer abc.def.ghi-jkl",
}
SHOWN = {**UNKNOWN, "redis": "hunter2hunter2", "bearer": "abc.def.ghi-jkl"}

Form = Literal["console", "json"]


@pytest.fixture(autouse=True)
def own_logging() -> Iterator[None]:
    """Put the process's logging back as it was."""
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def configured(form: Form, level: Literal["debug", "info", "warning"] = "info") -> io.StringIO:
    """Where the lines go, with the known secrets declared."""
    stream = io.StringIO()
    configure(form=form, level=level, secrets=KNOWN.values(), stream=stream)
    return stream


def say_everywhere(secret: str) -> None:
    """Log a secret in every way that a line can carry it."""
    log = logging.getLogger("bot.test")
    log.warning("in the message: %s", secret)
    log.warning("in a field", extra={"field": secret, "nested": {"deep": [secret]}, secret: "as a name"})
    structlog.get_logger("other").warning("from structlog", value=secret)
    with structlog.contextvars.bound_contextvars(turn=secret):
        log.warning("bound")
    try:
        try:
            raise ValueError(f"cause {secret}")
        except ValueError as cause:
            raise RuntimeError(f"effect {secret}") from cause
    except RuntimeError:
        log.exception("failed")
    log.warning("stack", stack_info=True, extra={"address": f"https://example.com/?token={secret}&x=1"})
    if secret.startswith(("123", "987")):
        log.warning("https://api.telegram.org/bot%s/getMe", secret)


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("name", KNOWN)
def test_no_secret_we_were_given_is_written(form: Form, name: str) -> None:
    """Wherever it stands: message, field, name of a field, bound context, exception and its cause."""
    stream = configured(form)

    say_everywhere(KNOWN[name])

    written = stream.getvalue()
    assert written.count("[hidden]") >= 7
    assert KNOWN[name] not in written
    assert json.dumps(KNOWN[name])[1:-1] not in written


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("name", UNKNOWN)
def test_what_looks_like_a_secret_is_not_written_either(form: Form, name: str) -> None:
    """A token that nobody declared is known by its shape."""
    stream = configured(form)

    say_everywhere(UNKNOWN[name])

    assert SHOWN[name] not in stream.getvalue()


def test_json_lines_stay_whole_objects() -> None:
    """Taking something out breaks no line, and each carries time, level, logger, event and the turn."""
    stream = configured("json")

    for secret in {**KNOWN, **UNKNOWN}.values():
        say_everywhere(secret)
    with structlog.contextvars.bound_contextvars(turn="telegram:1:2"):
        logging.getLogger("bot.worker").info("已回答", extra={"outcome": "answered", "seconds": 1.5})

    last = [json.loads(line) for line in stream.getvalue().splitlines()][-1]
    assert last.pop("timestamp").endswith("Z")
    assert last == {
        "event": "已回答",
        "level": "info",
        "logger": "bot.worker",
        "outcome": "answered",
        "seconds": 1.5,
        "turn": "telegram:1:2",
    }


def test_the_console_has_no_colours_unless_it_is_a_terminal() -> None:
    """A log that was piped into a file reads as plain text, tracebacks without local variables."""
    stream = configured("console")
    people_say = "what a person wrote"

    try:
        raise ValueError(len(people_say))
    except ValueError:
        logging.getLogger("bot.test").exception("failed")

    assert "\x1b" not in stream.getvalue()
    assert people_say not in stream.getvalue()
    assert "ValueError: 19" in stream.getvalue()


@pytest.mark.parametrize("name", QUIET)
def test_talkative_libraries_are_quiet_even_when_we_debug(name: str) -> None:
    """Their debug and info lines hold addresses with tokens and people's messages."""
    stream = configured("console", "debug")

    logging.getLogger(name).info("GET /bot…/getUpdates")
    logging.getLogger(f"{name}.child").debug("body: what a person wrote")

    assert stream.getvalue() == ""


def test_the_level_is_the_lowest_that_is_written() -> None:
    """Ours and structlog's go by the same level."""
    stream = configured("console", "warning")

    logging.getLogger("bot.test").info("too low")
    structlog.get_logger("bot.test").info("too low")
    structlog.get_logger("bot.test").warning("high enough")

    assert "too low" not in stream.getvalue()
    assert "high enough" in stream.getvalue()


def test_a_line_that_cannot_be_made_is_named_without_its_arguments() -> None:
    """The standard handler would print what it was given, unredacted."""
    stream = configured("json")

    logging.getLogger("bot.test").info("count %d", KNOWN["web_token"])

    assert stream.getvalue() == "a log line of bot.test could not be written: TypeError\n"


def test_our_own_example_of_an_address_stays_readable() -> None:
    """It tells people what to write; nothing that only begins like it does."""
    example, other = "redis://user:password@host:port, %-encoded", "redis://user:password@host:port@db.example:6379"

    assert Redactor()(f"set {example}") == f"set {example}"
    assert Redactor()(other) == "redis://[hidden]@db.example:6379"
    assert Redactor()("redis://user:password@host:6379") == "redis://[hidden]@host:6379"
    assert has_password(other)


@pytest.mark.parametrize(("left_out", "words"), [(1, "(and 1 line like this before)"), (2, "(and 2 lines like this")])
def test_lines_that_were_left_out_are_counted_in_words(left_out: int, words: str) -> None:
    """With the next one of their kind."""
    outages = Outages()
    lines = [
        logging.makeLogRecord({"msg": "waits: %s", "args": (StoreUnavailable("gone"),), "created": at})
        for at in [0.0] * (OUTAGE_LINES + left_out) + [OUTAGE_PERIOD_S]
    ]

    written = [line for line in lines if outages.filter(line)]

    assert len(written) == OUTAGE_LINES + 1
    assert words in written[-1].getMessage()


def test_uncaught_exceptions_and_warnings_pass_the_redactor() -> None:
    """Nothing is printed past the log."""
    stream = configured("json")
    error = RuntimeError(f"uncaught {TELEGRAM}")

    sys.excepthook(RuntimeError, error, None)
    threading.excepthook(threading.ExceptHookArgs((RuntimeError, error, None, None)))
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        warnings.warn(f"beware of {TELEGRAM}", stacklevel=1)

    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line["logger"] for line in lines] == ["bot.uncaught", "bot.uncaught", "py.warnings"]
    assert TELEGRAM not in stream.getvalue()

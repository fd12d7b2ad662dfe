"""Sets up logging for the whole process: one handler, one line per event, no secret in it.

Everything goes through the standard library's root logger, structlog's events and other libraries' alike, and every
finished line passes the redactor last, so that neither an exception's text nor a forgotten field can show a token.
Fields come from `extra={…}`; the turn's id from `structlog.contextvars.bound_contextvars(turn=…)`, which every
line written meanwhile in that task carries. Message texts are never given to a logger in the first place: no filter
could tell them apart.
"""

from __future__ import annotations

import logging
import math
import sys
import threading
from collections.abc import Iterable
from types import TracebackType
from typing import Literal, TextIO

import structlog
from structlog.typing import Processor

from bot.errors import SendFailed, SendLimited, StoreUnavailable
from bot.redact import Redactor

QUIET: dict[str, int] = {
    # They log addresses with tokens in them, or bodies with people's words, at the levels below these.
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "httpx2": logging.WARNING,
    "httpcore2": logging.WARNING,
    "openai": logging.WARNING,
    "aiohttp": logging.WARNING,
    "asyncio": logging.WARNING,
    "uvicorn": logging.WARNING,
    "uvicorn.access": logging.WARNING,
    "telegram": logging.WARNING,
    "telegram.ext": logging.WARNING,
    "slack_sdk": logging.WARNING,
    "slack_bolt": logging.ERROR,  # its warning about an unhandled request quotes the request
    # Its only line quotes an answer that is no JSON; the caller gets the error anyway.
    "telegram.request": logging.CRITICAL,
}
"""Other people's loggers, and the lowest level that they may log at."""
OUTAGE_LINES = 1
OUTAGE_PERIOD_S = 60.0
"""Of each kind of line about Redis or a platform being away, so many are written in so long."""


def configure(
    *,
    form: Literal["console", "json"],
    level: Literal["debug", "info", "warning", "error"],
    secrets: Iterable[str],
    stream: TextIO | None = None,
) -> None:
    """Take over all logging of this process; may be called again.

    Args:
        form: `console` for people (colours only on a terminal), `json` for machines, one object per line.
        level: lowest that is written.
        secrets: what must never appear.
        stream: where to; standard error if not given, as standard output belongs to the commands' results.
    """
    stream = stream or sys.stderr
    handler = _Handler(stream, form)
    handler.addFilter(Outages())
    handler.setFormatter(_formatter(form, Redactor(secrets), colours=stream.isatty()))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name, lowest in QUIET.items():
        logger = logging.getLogger(name)
        logger.handlers.clear()  # what it had set up for itself would pass the redactor by
        logger.propagate = True
        logger.setLevel(max(lowest, root.level))
    logging.captureWarnings(capture=True)
    _route_structlog()
    _route_uncaught()


def writes_json() -> bool:
    """Whether the lines of this process are objects: so is then whatever else it says of itself."""
    return any(isinstance(handler, _Handler) and handler.form == "json" for handler in logging.getLogger().handlers)


def _shared() -> list[Processor]:
    """What every event gets, whoever logged it."""
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _route_structlog() -> None:
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _formatter(form: str, redact: Redactor, *, colours: bool) -> logging.Formatter:
    processors: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    if form == "json":
        processors += [
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
        ]
    else:
        # Plain tracebacks: the fancy ones show local variables, and with them whatever a message said.
        plain = structlog.dev.plain_traceback
        processors.append(structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain))
    return _RedactingFormatter(redact, processors)


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    """Renders a record and takes the secrets out of the finished line."""

    def __init__(self, redact: Redactor, processors: list[Processor]) -> None:
        super().__init__(processors=processors, foreign_pre_chain=_shared())
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        """One line, or several with a traceback on the console."""
        return self._redact(super().format(record))


_AWAY = (StoreUnavailable, SendFailed, SendLimited)


class Outages(logging.Filter):
    """What everybody says while Redis or a platform is away, or asks us to wait, is said some times and then counted.

    These are the lines that carry a `StoreUnavailable`, a `SendFailed` or a `SendLimited`: of each kind so many in a
    period, and with the next one how many were left out.
    """

    def __init__(self) -> None:
        super().__init__()
        self._said: dict[tuple[str, object], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written."""
        if not isinstance(record.args, tuple) or not any(isinstance(one, _AWAY) for one in record.args):
            return True
        kind = (record.name, record.msg)
        began, lines = self._said.get(kind, (-math.inf, 0))
        if record.created - began < OUTAGE_PERIOD_S:
            self._said[kind] = began, lines + 1
            return lines < OUTAGE_LINES
        self._said[kind] = record.created, 1
        if lines > OUTAGE_LINES:
            left_out = lines - OUTAGE_LINES
            record.msg = f"{record.msg} (and {left_out} {'line' if left_out == 1 else 'lines'} like this before)"
        return True


class _Handler(logging.StreamHandler[TextIO]):
    """Writes lines; one that cannot be made is named, not dumped: the standard handler would print its arguments."""

    def __init__(self, stream: TextIO, form: str) -> None:
        super().__init__(stream)
        self.form = form

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the standard library's name
        """Say that a line is missing, and whose."""
        error = sys.exc_info()[0]
        reason = error.__name__ if error is not None else "unknown error"
        if not self.stream.closed:
            self.stream.write(f"a log line of {record.name} could not be written: {reason}\n")


def _route_uncaught() -> None:
    """What nobody caught is logged like everything else, instead of being printed with whatever it holds."""
    log = logging.getLogger("bot.uncaught")

    def in_main(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        log.critical("uncaught exception", exc_info=(kind, error, trace))

    def in_thread(uncaught: threading.ExceptHookArgs) -> None:
        if uncaught.exc_value is not None:
            in_main(uncaught.exc_type, uncaught.exc_value, uncaught.exc_traceback)

    sys.excepthook = in_main
    threading.excepthook = in_thread

"""The entry: signals, exit codes, and the last place where an exception can land. `frontdesk` and `python -m bot`.

Exit codes: 0 a clean stop, 1 it could not start or failed, 2 a wrong configuration or command line, 130 a command
was interrupted.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Iterator

from bot.cli import app
from bot.cli_entry import Application, Entry, Work
from bot.config_rules import VARIABLES
from bot.errors import BotError, ConfigError, StartError
from bot.heap import read_small_blocks
from bot.redact import Redactor

INTERRUPTED = 130
"""128 + SIGINT, as shells report it."""
_CONFIGURATION = "The configuration needs your attention"


def main() -> None:
    """Run the command that the arguments name, and exit with its code."""
    sys.exit(run_command(sys.argv[1:], Entry(run=run, application=_application)))


def run_command(arguments: list[str], entry: Entry) -> int:
    """Run one command; every outcome is an exit code, with what to do about it on standard error."""
    try:
        app(arguments, obj=entry)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except (KeyboardInterrupt, asyncio.CancelledError):
        return INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the last place: whatever it was becomes an exit code and a clear word
        return _failed(error)
    return 0


def _application() -> Application:
    # Imported when the configuration is known to be good: it brings in every library we use.
    from bot import app as application

    return application


def run(work: Work, stoppable: bool) -> None:
    """Run a command's work. The first signal asks it to stop, the second ends the process at once."""
    read_small_blocks()
    asyncio.run(_signalled(work, stoppable))


async def _signalled(work: Work, stoppable: bool) -> None:
    stop = asyncio.Event()
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def on_signal(number: int) -> None:
        if stop.is_set():
            # Safe, if rude: whatever was accepted is in Redis and will be answered after the next start.
            sys.stderr.write("stopped at once\n")
            sys.stderr.flush()
            os._exit(128 + number)
        stop.set()
        if not stoppable and task is not None:
            task.cancel()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    try:
        await work(stop)
    except StartError:
        if not stop.is_set():
            raise  # else it was stopped while it waited for what it needs


def _failed(error: Exception) -> int:
    """Say what happened: our own errors in a line each, anything else with its traceback in the log.

    Where log lines are JSON, so is this: whoever reads them by machine reads it, too.
    """
    from bot.logs import configure, writes_json

    secrets = [os.environ[name] for name in VARIABLES if name in os.environ and name != "REDIS_URL"]
    causes, log = list(_causes(error)), logging.getLogger("bot")
    if any(isinstance(cause, ConfigError) and cause.form == "json" for cause in causes):
        configure(form="json", level="info", secrets=secrets)
    redact, as_json = Redactor(secrets), writes_json()
    for cause in causes:
        if not isinstance(cause, BotError):
            log.critical("stopped by an error of our own", exc_info=cause)
        elif as_json:
            fields = {"problems": cause.problems} if isinstance(cause, ConfigError) else {}
            log.critical(_CONFIGURATION if fields else str(cause), extra=fields)
        elif isinstance(cause, ConfigError):
            lines = "\n".join(f"  {problem}" for problem in cause.problems)
            sys.stderr.write(redact(f"{_CONFIGURATION}:\n{lines}\n"))
        else:
            sys.stderr.write(redact(f"frontdesk: {cause}\n"))
    return 2 if causes and all(isinstance(cause, ConfigError) for cause in causes) else 1


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The errors themselves, out of the groups that a TaskGroup wraps them in."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _causes(inner)
    else:
        yield error


if __name__ == "__main__":
    main()

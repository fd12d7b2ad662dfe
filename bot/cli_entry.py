"""What all commands of the command line share: how they are entered, their options, and how they load and log.

Nothing heavy is imported here; see `bot.cli`.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Protocol

import typer

from bot.config import Config, load
from bot.dead import DeadAct, DeadLetter
from bot.errors import ConfigError
from bot.evaluate import Judged, Pair, Searched
from bot.knowledge.progress import Progress, Summary
from bot.turn import MAIN

Role = Literal["all", "gateway", "worker"]
Work = Callable[[asyncio.Event], Coroutine[None, None, None]]
"""What a command does; it ends soon after the event is set."""


class Application(Protocol):
    """What `bot.app` offers to the commands.

    Any of them raises StartError if a part cannot start, StoreUnavailable if Redis goes away for good.
    """

    async def serve(
        self, config: Config, stop: asyncio.Event, announce: Callable[[str], None], role: Role = "all"
    ) -> None:
        """Run until `stop`; `announce` is called once with the server's address when messages are taken."""
        ...

    async def chat(self, config: Config, stop: asyncio.Event) -> None:
        """Talk in the terminal until `stop` or the end of the input."""
        ...

    async def ingest(
        self, config: Config, paths: list[Path], on_progress: Callable[[Progress], None], base: str = MAIN
    ) -> Summary:
        """Bring files and folders into a knowledge base."""
        ...

    async def remove(self, config: Config, paths: list[Path], base: str = MAIN) -> Summary:
        """Take what was read from files and folders out of a knowledge base."""
        ...

    async def dead_letters(self, config: Config) -> Sequence[DeadLetter]:
        """The messages that could not be answered, the latest first."""
        ...

    async def dead(self, config: Config, act: DeadAct, ids: Sequence[str] | None) -> dict[str, bool]:
        """Retry or drop some, or all; for each id whether there was such a letter."""
        ...

    async def search(
        self, config: Config, questions: Sequence[str], k: int | None = None, base: str = MAIN
    ) -> list[Searched]:
        """The passages that an answer to each question would be made from."""
        ...

    async def reuse(self, config: Config, pairs: Sequence[Pair], base: str = MAIN) -> list[Judged]:
        """Of each pair, whether the answer to the one question is given to the other."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What `main` gives to the commands.

    Attributes:
        run: runs a command's work to its end. `stoppable`: a signal sets the event; otherwise it cancels the work.
        application: imports and returns the application; called once the configuration is good.
    """

    run: Callable[[Work, bool], None]
    application: Callable[[], Application]


BaseName = Annotated[
    str, typer.Option("--base", metavar="NAME", help="Of the knowledge base, one of knowledge.bases; else main.")
]
ConfigPath = Annotated[
    Path | None, typer.Option("--config", metavar="PATH", help="Use this file instead of ./config.yaml.")
]


def quietly(context: typer.Context, config: Path | None) -> tuple[Entry, Config]:
    """The entry and the configuration of a command whose own output should be what is seen.

    Standard error begins with which Redis is asked: without the service's environment it is another one.

    Raises:
        ConfigError: what is wrong with the configuration.
    """
    entry, settings = entry_of(context), loaded(config)
    log_quietly(settings)
    typer.echo(f"Redis: {_redis_of(settings)}", err=True)
    return entry, settings


def _redis_of(config: Config) -> str:
    # Imported when the configuration is known to be good, as all of Redis.
    from bot.store.addresses import redacted

    folder = config.redis.data_dir.absolute()
    is_new = not os.path.exists(folder / "appendonlydir")  # noqa: PTH110 - Path.exists raises where we may not look
    embedded = f"embedded, {folder}{' (new)' if is_new else ''}"
    place = redacted(config.redis_url.get_secret_value()) if config.redis_url is not None else embedded
    documents = config.knowledge.redis_url
    return f"{place}; documents: {redacted(documents.get_secret_value())}" if documents is not None else place


def entry_of(context: typer.Context) -> Entry:
    """What `bot.__main__` gave to the command.

    Raises:
        TypeError: it was started by something else.
    """
    entry = context.obj
    if not isinstance(entry, Entry):
        raise TypeError("the commands are started by bot.__main__")
    return entry


def loaded(path: Path | None, *, role: Role = "all") -> Config:
    """The configuration, fit for that role.

    Raises:
        ConfigError: all that is wrong.
    """
    config = load(path, os.environ)
    if role != "all" and config.redis_url is None:
        allowed = "REDIS_URL or redis.url: an embedded Redis belongs to one process, which does both"
        problem = f"--role {role}: found no Redis to share, allowed {allowed}"
        raise ConfigError([problem], form=config.logging.format)
    return config


def log_notes(config: Config) -> None:
    """Log as configured, the notes on the configuration first."""
    from bot.logs import configure

    configure(form=config.logging.format, level=config.logging.level, secrets=config.secret_values())
    for note in config.notes:
        logging.getLogger("bot.config").info(note)


def log_quietly(config: Config) -> None:
    """A command's own output should be what is seen: below warnings only debug, which somebody asked for, is logged."""
    from bot.logs import configure

    level = "warning" if config.logging.level == "info" else config.logging.level
    configure(form=config.logging.format, level=level, secrets=config.secret_values())


def searched_for(
    entry: Entry, settings: Config, questions: Sequence[str], base: str, *, k: int | None = None
) -> list[Searched]:
    """What is found for each question, at most `k` passages."""
    application = entry.application()
    results: list[Searched] = []

    async def work(_: asyncio.Event) -> None:
        results.extend(await application.search(settings, questions, k, base))

    entry.run(work, False)
    return results


def lines_of(file: Path | None) -> list[str]:
    """The lines of a file in UTF-8; none without a file.

    Raises:
        ConfigError: it cannot be read.
    """
    try:
        return file.read_text(encoding="utf-8-sig").splitlines() if file is not None else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{file}: found {type(error).__name__}, allowed a readable file in UTF-8"]) from None

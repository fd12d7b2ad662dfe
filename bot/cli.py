"""The command line: thin commands that load the configuration, then hand over to the application.

A wrong configuration must show in under a second and before any network, so nothing heavy is imported here: the
application (and with it Redis, the platforms' libraries and numpy) comes in through `Entry.application` once the
configuration is known to be good. Signals and exit codes are `bot.__main__`'s.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal, Protocol

import typer

from bot.config import Config, load
from bot.errors import ConfigError
from bot.evaluate import (
    DEPTH,
    Judged,
    Pair,
    Searched,
    read_expected,
    read_pairs,
    read_questions,
    retrieval_figures,
    reuse_figures,
)
from bot.knowledge.ingest import Progress, Summary
from bot.turn import MAIN
from bot.welcome import start_text

Work = Callable[[asyncio.Event], Coroutine[None, None, None]]
"""What a command does; it ends soon after the event is set."""


class Application(Protocol):
    """What `bot.app` offers to the commands.

    Any of them raises StartError if a part cannot start, StoreUnavailable if Redis goes away for good.
    """

    async def serve(self, config: Config, stop: asyncio.Event, announce: Callable[[str], None]) -> None:
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


app = typer.Typer(
    name="frontdesk",
    help="A chatbot for Telegram and Slack that answers from your documents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they print local variables, tokens among them
)

BaseName = Annotated[
    str, typer.Option("--base", metavar="NAME", help="Of the knowledge base, one of knowledge.bases; else main.")
]
ConfigPath = Annotated[
    Path | None, typer.Option("--config", metavar="PATH", help="Use this file instead of ./config.yaml.")
]


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"frontdesk {version('frontdesk')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Holds the options that come before any command."""


@app.command()
def serve(
    context: typer.Context,
    role: Annotated[
        Literal["all", "gateway", "worker"], typer.Option(help="Which part to run; only 'all' is available yet.")
    ] = "all",
    config: ConfigPath = None,
) -> None:
    """Run the bot: Telegram, Slack and the chat page, until Ctrl-C."""
    entry, settings = _entry(context), _loaded(config, role=role)

    def announce(url: str) -> None:
        typer.echo(f"\n{start_text(settings, url)}\n")

    _log_notes(settings)
    application = entry.application()
    entry.run(lambda stop: application.serve(settings, stop, announce), True)


@app.command()
def chat(context: typer.Context, config: ConfigPath = None) -> None:
    """Chat in this terminal, with the same pipeline as everywhere else."""
    entry, settings = _entry(context), _loaded(config)
    _log_quietly(settings)
    application = entry.application()
    entry.run(lambda stop: application.chat(settings, stop), True)


@app.command()
def ingest(
    context: typer.Context,
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Files and folders; one that is gone takes its documents out.")
    ],
    base: BaseName = MAIN,
    config: ConfigPath = None,
) -> None:
    """Read documents (.md, .txt, .html) into the knowledge base; what has not changed is left alone."""
    entry, settings = _entry(context), _loaded(config)
    _log_quietly(settings)
    application = entry.application()
    done: list[Summary] = []

    async def work(_: asyncio.Event) -> None:
        from bot.cli_output import progress_bar

        with progress_bar() as on_progress:
            done.append(await application.ingest(settings, paths, on_progress, base))

    entry.run(work, False)
    raise typer.Exit(_report(done[0]))


@app.command()
def search(
    context: typer.Context,
    question: Annotated[list[str] | None, typer.Argument(metavar="QUESTION", help="In your own words.")] = None,
    batch: Annotated[
        Path | None, typer.Option("--batch", metavar="FILE", exists=True, help="Ask each line of a file instead.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line: a passage, or with --batch a question.")
    ] = False,
    base: BaseName = MAIN,
    config: ConfigPath = None,
) -> None:
    """Show the passages that are found for QUESTION, best first; quoting without a model is stricter."""
    if bool(question) == (batch is not None):
        raise typer.BadParameter("give a question, or --batch with a file of questions")
    entry, settings = _entry(context), _loaded(config)
    _log_quietly(settings)
    questions = [" ".join(question)] if question else read_questions(_lines(batch), str(batch))
    for searched in _searched(entry, settings, questions, base):
        if batch is None or not as_json:
            _print_passages(searched, as_json=as_json, headed=batch is not None)
        else:
            typer.echo(searched.to_json())


evaluations = typer.Typer(help="Measure what serves, on questions of your own.", no_args_is_help=True)
app.add_typer(evaluations, name="eval")


@evaluations.command()
def retrieval(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, help='Lines of {"question", "document"}.')],
    base: BaseName = MAIN,
    config: ConfigPath = None,
) -> None:
    """Print how often a question finds its document: recall@1 and @5, mean reciprocal rank, p50 and p99 in ms."""
    entry, settings = _entry(context), _loaded(config)
    _log_quietly(settings)
    expected = read_expected(_lines(file), str(file))
    searched = _searched(entry, settings, [question for question, _ in expected], base, k=DEPTH)
    figures = retrieval_figures(searched, [document for _, document in expected])
    for name, figure in figures.items():
        typer.echo(f"{name:<10} {figure:.4g}")


@evaluations.command()
def reuse(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, help='Lines of {"stored", "asked", "same"}.')],
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object per line; the last holds the rates.")
    ] = False,
    base: BaseName = MAIN,
    config: ConfigPath = None,
) -> None:
    """Print which stored answers would be reused, how often rightly and how often wrongly. Asks no model."""
    entry, settings = _entry(context), _loaded(config)
    _log_quietly(settings)
    pairs = read_pairs(_lines(file), str(file))
    application = entry.application()
    judged: list[Judged] = []

    async def work(_: asyncio.Event) -> None:
        judged.extend(await application.reuse(settings, pairs, base))

    entry.run(work, False)
    for one in judged:
        shown = f"{one.refused_by or 'reused':<18} {one.distance:.3f}  {one.pair.stored} | {one.pair.asked}"
        typer.echo(one.to_json() if as_json else shown)
    figures = reuse_figures(judged)
    if as_json:
        typer.echo(json.dumps({name: rate.to_record() for name, rate in figures.items()}))
    else:
        typer.echo("\n" + "\n".join(f"{name:<15} {rate}" for name, rate in figures.items()))


def _searched(
    entry: Entry, settings: Config, questions: Sequence[str], base: str, *, k: int | None = None
) -> list[Searched]:
    application = entry.application()
    results: list[Searched] = []

    async def work(_: asyncio.Event) -> None:
        results.extend(await application.search(settings, questions, k, base))

    entry.run(work, False)
    return results


def _lines(file: Path | None) -> list[str]:
    try:
        return file.read_text(encoding="utf-8-sig").splitlines() if file is not None else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([f"{file}: found {type(error).__name__}, allowed a readable file in UTF-8"]) from None


def _entry(context: typer.Context) -> Entry:
    entry = context.obj
    if not isinstance(entry, Entry):
        raise TypeError("the commands are started by bot.__main__")
    return entry


def _loaded(path: Path | None, *, role: str = "all") -> Config:
    """The configuration, with what the options got wrong among its problems.

    Raises:
        ConfigError: all of them.
    """
    problems = [] if role == "all" else [f'--role: found "{role}", allowed all ({role} is not yet available)']
    try:
        config = load(path, os.environ)
    except ConfigError as error:
        raise ConfigError([*problems, *error.problems]) from None
    if problems:
        raise ConfigError(problems)
    return config


def _log_notes(config: Config) -> None:
    from bot.logs import configure

    configure(form=config.logging.format, level=config.logging.level, secrets=config.secret_values())
    for note in config.notes:
        logging.getLogger("bot.config").info(note)


def _log_quietly(config: Config) -> None:
    """A command's own output should be what is seen: below warnings only debug, which somebody asked for, is logged."""
    from bot.logs import configure

    level = "warning" if config.logging.level == "info" else config.logging.level
    configure(form=config.logging.format, level=level, secrets=config.secret_values())


def _report(summary: Summary) -> int:
    """Print what was done; 1 if nothing at all could be read."""
    counts = {name: len(getattr(summary, name)) for name in ("added", "changed", "unchanged", "removed")}
    for document, reason in summary.failed:
        typer.echo(f"skipped {document}: {reason}", err=True)
    skipped = f", {len(summary.failed)} skipped" if summary.failed else ""
    typer.echo("Documents: " + ", ".join(f"{count} {name}" for name, count in counts.items()) + skipped)
    return 1 if summary.failed and not any(counts.values()) else 0


def _print_passages(searched: Searched, *, as_json: bool, headed: bool) -> None:
    passages = searched.found.passages
    if headed:
        typer.echo(f"\n{searched.question}")
    if as_json:
        for passage in passages:
            typer.echo(json.dumps(asdict(passage), ensure_ascii=False))
    elif passages:
        from bot.cli_output import print_table

        print_table(passages)
    else:
        typer.echo("Nothing found.")

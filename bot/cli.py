"""The command line: thin commands that load the configuration, then hand over to the application.

A wrong configuration must show in under a second and before any network, so nothing heavy is imported here: the
application (and with it Redis, the platforms' libraries and numpy) comes in through `Entry.application` once the
configuration is known to be good. Signals and exit codes are `bot.__main__`'s.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from bot.cli_dead import dead
from bot.cli_entry import (
    BaseName,
    ConfigPath,
    Role,
    entry_of,
    lines_of,
    loaded,
    log_notes,
    quietly,
    searched_for,
)
from bot.cli_eval import evaluations
from bot.evaluate import Searched, read_questions
from bot.knowledge.progress import Summary, removal
from bot.turn import MAIN
from bot.welcome import start_text

app = typer.Typer(
    name="frontdesk",
    help="A chatbot for Telegram and Slack that answers from your documents.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,  # they print local variables, tokens among them
)

app.add_typer(evaluations, name="eval")
app.add_typer(dead, name="dead")


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
        Role, typer.Option(help="gateway: receive and store; worker: answer, and read the documents; all: both.")
    ] = "all",
    config: ConfigPath = None,
) -> None:
    """Run the bot: Telegram, Slack and the chat page, until Ctrl-C."""
    entry, settings = entry_of(context), loaded(config, role=role)

    def announce(url: str) -> None:
        typer.echo(f"\n{start_text(settings, url, role)}\n")

    log_notes(settings)
    application = entry.application()
    entry.run(lambda stop: application.serve(settings, stop, announce, role), True)


@app.command()
def chat(context: typer.Context, config: ConfigPath = None) -> None:
    """Chat in this terminal, with the same pipeline as everywhere else."""
    entry, settings = quietly(context, config)
    application = entry.application()
    entry.run(lambda stop: application.chat(settings, stop), True)


@app.command()
def ingest(
    context: typer.Context,
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files and folders.")],
    remove: Annotated[
        bool, typer.Option("--remove", help="Take out what was read from PATH, whether it is still there or not.")
    ] = False,
    base: BaseName = MAIN,
    config: ConfigPath = None,
) -> None:
    """Read documents (text, PDF, Office, e-books, code) into the knowledge base; what has not changed is left alone."""
    entry, settings = quietly(context, config)
    application = entry.application()
    done: list[Summary] = []

    async def work(_: asyncio.Event) -> None:
        if remove:
            done.append(await application.remove(settings, paths, base))
            return
        from bot.cli_output import progress_bar

        with progress_bar() as on_progress:
            done.append(await application.ingest(settings, paths, on_progress, base))

    entry.run(work, False)
    raise typer.Exit(_report(done[0], base))


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
    entry, settings = quietly(context, config)
    questions = [" ".join(question)] if question else read_questions(lines_of(batch), str(batch))
    for searched in searched_for(entry, settings, questions, base):
        if batch is None or not as_json:
            _print_passages(searched, as_json=as_json, headed=batch is not None)
        else:
            typer.echo(searched.to_json())


def _report(summary: Summary, base: str) -> int:
    """Print what was done; 1 if nothing at all could be read."""
    counts = {name: len(getattr(summary, name)) for name in ("added", "changed", "unchanged", "removed")}
    for document, reason in summary.failed:
        if document in summary.kept:
            continue
        typer.echo(f"skipped {document}: {reason}", err=True)
    for path, count in summary.kept.items():
        out = removal(base, [path])
        typer.echo(f"of {path} nothing is found any more, documents kept: {count}; to take them out: {out}", err=True)
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

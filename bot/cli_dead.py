"""`frontdesk dead …`: look at the messages that could not be answered, try them again, or throw them away."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bot.cli_entry import ConfigPath, quietly
from bot.dead import DeadAct, DeadLetter

dead = typer.Typer(help="Messages that could not be answered, kept for 7 days.", no_args_is_help=True)

LetterIds = Annotated[list[str], typer.Argument(metavar="ID…", help="As `dead list` shows them; `all` means all.")]


@dead.command("list")
def list_dead(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object per letter, the message included.")] = False,
    config: ConfigPath = None,
) -> None:
    """Show them, the latest first: id, when, where, the turn in the log, why."""
    letters = _dead(context, config)
    for letter in letters:
        typer.echo(letter.to_json() if as_json else letter.line())
    if not letters:
        typer.echo("there are no dead letters", err=True)


@dead.command()
def show(
    context: typer.Context, message_id: Annotated[str, typer.Argument(metavar="ID")], config: ConfigPath = None
) -> None:
    """Show one with the person's words."""
    letters = [letter for letter in _dead(context, config) if letter.id == message_id]
    for letter in letters:
        typer.echo(f"{letter.line()}\n\n{letter.words()}")
    raise typer.Exit(0 if letters else _unknown(message_id))


@dead.command()
def retry(context: typer.Context, ids: LetterIds, config: ConfigPath = None) -> None:
    """Put them back into their mailboxes: they are answered as if nothing had been tried."""
    raise typer.Exit(_each_dead(context, config, "retry", ids))


@dead.command()
def drop(context: typer.Context, ids: LetterIds, config: ConfigPath = None) -> None:
    """Throw them away for good."""
    raise typer.Exit(_each_dead(context, config, "drop", ids))


def _dead(context: typer.Context, config: Path | None) -> Sequence[DeadLetter]:
    entry, settings = quietly(context, config)
    application = entry.application()
    found: list[DeadLetter] = []

    async def work(_: asyncio.Event) -> None:
        found.extend(await application.dead_letters(settings))

    entry.run(work, False)
    return found


def _each_dead(context: typer.Context, config: Path | None, act: DeadAct, ids: Sequence[str]) -> int:
    entry, settings = quietly(context, config)
    application = entry.application()
    done: dict[str, bool] = {}

    async def work(_: asyncio.Event) -> None:
        done.update(await application.dead(settings, act, None if list(ids) == ["all"] else ids))

    entry.run(work, False)
    for message_id, found in done.items():
        if found:
            typer.echo(f"{act}: {message_id}")
        else:
            _unknown(message_id)
    return 0 if all(done.values()) else 1


def _unknown(message_id: str) -> int:
    typer.echo(f"there is no dead letter {message_id}; see: frontdesk dead list", err=True)
    return 1

"""`frontdesk eval …`: measure what serves, on questions of the operator's own."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from bot.cli_entry import BaseName, ConfigPath, lines_of, quietly, searched_for
from bot.evaluate import DEPTH, Judged, read_expected, read_pairs, retrieval_figures, reuse_figures
from bot.turn import MAIN

evaluations = typer.Typer(help="Measure what serves, on questions of your own.", no_args_is_help=True)


@evaluations.command()
def retrieval(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, help='Lines of {"question", "document"}.')],
    base: BaseName = MAIN,
    config: ConfigPath = None,
) -> None:
    """Print how often a question finds its document: recall@1 and @5, mean reciprocal rank, p50 and p99 in ms."""
    entry, settings = quietly(context, config)
    expected = read_expected(lines_of(file), str(file))
    searched = searched_for(entry, settings, [question for question, _ in expected], base, k=DEPTH)
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
    entry, settings = quietly(context, config)
    pairs = read_pairs(lines_of(file), str(file))
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

"""Rules that a reader relies on: sizes, docstrings, catch-alls, texts that are used, secrets that are not logged."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted(path for folder in ("bot", "adapters") for path in (ROOT / folder).rglob("*.py"))
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 50
CATCH_ALLS_PER_1000_LINES = 1.0

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(path: Path) -> Iterator[Function]:
    """Every function of a file."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, Function):
            yield node


def named(path: Path) -> str:
    """A path as pytest shows it."""
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", [*SOURCES, *sorted((ROOT / "bot").rglob("*.lua"))], ids=named)
def test_a_file_is_a_page_or_two(path: Path) -> None:
    """One noun per file; what grows beyond this is two nouns."""
    assert len(path.read_text().splitlines()) <= MAX_FILE_LINES


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_a_function_fits_a_screen(path: Path) -> None:
    """Its docstring counts: what needs more words needs fewer duties."""
    long = [f"{f.name}: {size}" for f in functions(path) if (size := (f.end_lineno or 0) - f.lineno + 1) > 60]
    bodies = [f.name for f in functions(path) if _body_lines(f) > MAX_FUNCTION_LINES]

    assert (long, bodies) == ([], [])


def _body_lines(function: Function) -> int:
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


@pytest.mark.parametrize("path", SOURCES, ids=named)
def test_who_raises_says_so(path: Path) -> None:
    """A public function that raises an error of ours names it in its docstring."""
    silent = [
        f"{function.name} raises {name}"
        for function in functions(path)
        if not function.name.startswith("_")
        for name in _raised(function)
        if name not in (ast.get_docstring(function) or "")
    ]

    assert silent == []


def _raised(function: Function) -> set[str]:
    ours = set(re.findall(r"^class (\w+)\(", (ROOT / "bot/errors.py").read_text(), re.MULTILINE))
    calls = (node.exc for node in ast.walk(function) if isinstance(node, ast.Raise))
    return {call.func.id for call in calls if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)} & ours


def test_few_places_catch_everything() -> None:
    """A catch-all stands where one message, one loop turn or the process ends, and has its reason beside it."""
    lines = sum(len(path.read_text().splitlines()) for path in SOURCES)
    places = [
        f"{named(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or getattr(node.type, "id", "") in ("Exception", "BaseException"))
    ]

    assert len(places) <= CATCH_ALLS_PER_1000_LINES * lines / 1000, places


def test_every_sentence_is_used() -> None:
    """A sentence that nobody says misleads who translates it."""
    said = "\n".join(path.read_text() for path in SOURCES)
    keys = yaml.safe_load((ROOT / "bot/texts/en.yaml").read_text())
    made = re.compile(r"cannot_read_\w+|command_\w+|talk_\w+")  # put together from a kind's or a command's name

    assert [key for key in keys if f'"{key}"' not in said and not made.fullmatch(key)] == []


def test_nothing_of_ours_prints() -> None:
    """Only the command line writes to standard output; everything else is logged, and so redacted."""
    printing = [
        f"{named(path)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "print"
    ]

    assert printing == []

"""Plain text, code, CSV and JSON → parts."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from bot.errors import UnreadableDocument
from bot.knowledge.read_encoding import decode
from bot.knowledge.read_parts import Content, Part, Writer, fenced, table

_SNIFFED_ROWS: Final = 50
_MAX_PLACES: Final = 3
"""How deep keys of JSON become places; below it everything is one text."""
_MAX_CELL_CHARS: Final = 200
"""Records with longer values are read one by one, not as rows."""

Json = Mapping[str, "Json"] | Sequence["Json"] | str | bool | None
"""Numbers are kept as they are written."""


def read_text(content: bytes) -> Content:
    """The text as it is.

    Raises:
        UnreadableDocument: not text.
    """
    return Content(parts=[Part((), decode(content))])


def read_code(content: bytes, suffix: str) -> Content:
    """The text as one fenced block, which is kept together and shown as code.

    Raises:
        UnreadableDocument: not text.
    """
    text = decode(content)
    return Content(parts=[Part((), fenced(text, suffix.removeprefix(".")) if text.strip() else "")])


def read_csv(content: bytes) -> Content:
    """One table; the character between cells is the one that cuts most rows alike.

    Raises:
        UnreadableDocument: not text, or not made of rows.
    """
    text = decode(content)
    csv.field_size_limit(len(text) + 1)
    try:
        delimiter = max(",;\t|", key=lambda one: _evenness(text, one))
        return Content(parts=[Part((), table(_rows(text, delimiter)))])
    except csv.Error as error:
        raise UnreadableDocument(f"no rows of cells: {error}") from error


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(text.splitlines(keepends=True), delimiter=delimiter)


def _evenness(text: str, delimiter: str) -> float:
    """How many cells more than one the first rows have, if they all have as many."""
    widths = [len(row) for row in islice(_rows(text[:100_000], delimiter), _SNIFFED_ROWS) if row]
    usual = max(set(widths), key=widths.count, default=0)
    return widths.count(usual) / len(widths) * (usual - 1) if widths else 0


def read_json(content: bytes) -> Content:
    """Keys that hold more than a value are headings, lists of small records are tables, the rest is `key: value`.

    A file of JSON lines is a list of its lines.

    Raises:
        UnreadableDocument: not text, or not JSON.
    """
    text = decode(content)
    writer = Writer()
    _write_json(writer, _loaded(text), 1)
    return Content(parts=writer.finished())


def _loaded(text: str) -> Json:
    try:
        return _load(text)
    except json.JSONDecodeError as error:
        lines = [line for line in text.split("\n") if line.strip()]
        if len(lines) > 1:
            try:
                return [_load(line) for line in lines]
            except json.JSONDecodeError:
                pass
        raise UnreadableDocument(f"no JSON: {error.msg} in line {error.lineno}") from error


def _load(text: str) -> Json:
    value: Json = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    return value


def _write_json(writer: Writer, value: Json, level: int) -> None:
    if isinstance(value, Mapping):
        plain = {key: one for key, one in value.items() if _is_plain(one)}
        writer.block("\n".join(_lines(plain)))
        for key, one in value.items():
            if key in plain:
                continue
            if level <= _MAX_PLACES:
                writer.head(level, key)
            else:
                writer.block(f"{key}:")
            _write_json(writer, one, level + 1)
    elif _is_table(value):
        writer.block(_record_table(value))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for one in value:
            _write_json(writer, one, _MAX_PLACES + 1)
    else:
        writer.block(_plain(value))


def _lines(record: Mapping[str, Json]) -> Iterator[str]:
    return (f"{key}: {text}" for key, value in record.items() if (text := _plain(value)))


def _record_table(records: Json) -> str:
    rows = [row for row in records if isinstance(row, Mapping)] if isinstance(records, Sequence) else []
    keys = list(dict.fromkeys(key for row in rows for key in row))
    return table([keys, *([_plain(row.get(key)) for key in keys] for row in rows)])


def _is_table(value: Json) -> bool:
    """A list of at least two records with the same keys and short values."""
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) < 2:
        return False
    first = value[0]
    return isinstance(first, Mapping) and all(
        isinstance(one, Mapping)
        and one.keys() == first.keys()
        and all(_is_plain(cell) and len(_plain(cell)) <= _MAX_CELL_CHARS for cell in one.values())
        for one in value
    )


def _is_plain(value: Json) -> bool:
    """A value, or a list of nothing but values."""
    if isinstance(value, Mapping):
        return False
    if isinstance(value, Sequence) and not isinstance(value, str):
        return all(one is None or isinstance(one, str | bool) for one in value)
    return True


def _plain(value: Json) -> str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return {None: "", True: "true", False: "false"}[value]
    return ", ".join(_plain(one) for one in value)

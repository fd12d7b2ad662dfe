"""Each script's header is its documentation: it names every key and argument that the code uses, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bot.store

FOLDER = Path(bot.store.__path__[0]) / "lua"
ACTS = sorted(path for path in FOLDER.glob("*.lua") if path.name != "prelude.lua")
SLOT = re.compile(r"(KEYS|ARGV)\[(\d+)(…?)\]")


def parts_of(text: str) -> tuple[str, str]:
    """Header and code: the comment lines at the top, and what is no comment."""
    lines = text.splitlines()
    end = next(number for number, line in enumerate(lines) if not line.startswith("--"))
    return "\n".join(lines[:end]), "\n".join(re.sub(r"--.*", "", line) for line in lines[end:])


def used(code: str) -> set[str]:
    """Slots that the code reads: `ARGV[3]`, and `ARGV[5…]` for all from the fifth on."""
    slots = {f"{kind}[{number}]" for kind, number, _ in SLOT.findall(code)}
    loops = re.findall(r"for \w+ = (\d+), #(KEYS|ARGV)", code)
    unpacked = [(number, kind) for kind, number in re.findall(r"unpack\((KEYS|ARGV), (\d+)\)", code)]
    return slots | {f"{kind}[{number}…]" for number, kind in loops + unpacked}


def documented(header: str) -> set[str]:
    """Slots that stand in the header."""
    return {f"{kind}[{number}{more}]" for kind, number, more in SLOT.findall(header)}


@pytest.mark.parametrize("path", ACTS, ids=lambda path: path.stem)
def test_the_header_names_what_the_code_uses(path: Path) -> None:
    """Each KEYS[n] and ARGV[n], both ways; and what is returned, why it is atomic, what a second run does, its cost."""
    header, code = parts_of(path.read_text())

    assert documented(header) == used(code)
    assert re.search(r"^-- Returns", header, re.MULTILINE)
    assert re.search(r"[Aa]tomic|[Oo]ne script", header)
    assert re.search(r"[Tt]wice|second run|[Aa]sked again|[Ss]ame id|same message|first caller|Reads only", header)
    assert re.search(r"O\(", header)


@pytest.mark.parametrize("path", ACTS, ids=lambda path: path.stem)
def test_slots_are_named_at_the_top(path: Path) -> None:
    """Below the header and the lines that name the slots there is no bare ARGV[7]."""
    _, code = parts_of(path.read_text())
    body = re.split(r"\n\s*\n", code.strip(), maxsplit=1)[1:]

    bare = [match.group(0) for part in body for match in SLOT.finditer(part)]

    assert bare == []


@pytest.mark.parametrize("path", ACTS, ids=lambda path: path.stem)
def test_time_is_the_servers(path: Path) -> None:
    """The clock is read in one place, and no life of a key is a literal."""
    _, code = parts_of(path.read_text())

    assert "'TIME'" not in code or path.stem == "probe"  # which only asks whether scripts may
    assert not re.search(r"'(PX|EX)', \d", code)
    assert not re.search(r"EXPIRE', [^,]+, \d", code)


def test_the_check_finds_what_is_missing() -> None:
    """An argument that is used and not documented, and the other way round."""
    header, code = parts_of(
        "-- ARGV[1]  one\n-- ARGV[3…] many\nlocal a = ARGV[2] -- ARGV[9]\nfor i = 3, #ARGV do end\n"
    )

    assert documented(header) == {"ARGV[1]", "ARGV[3…]"}
    assert used(code) == {"ARGV[2]", "ARGV[3…]"}

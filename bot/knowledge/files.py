"""Which files stand under a path, and what they are called as documents.

Sorted, so that every run sees the same order. Hidden files and folders are passed over, folders behind symbolic
links are not entered, and a linked file counts only if it lies under the same root. Nothing is read here.
"""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bot.knowledge.formats import format_of


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A file that may be a document.

    Attributes:
        name: what the document is called: the path below the working directory, else the absolute one, with `/`.
        path: where to read it.
        root: name of the path it was found under.
    """

    name: str
    path: Path
    root: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """What was found under several paths.

    Attributes:
        files: each document once, sorted by name.
        roots: names of the paths under which there is something.
        failed: (name, reason) of the other paths, and of folders that could not be walked.
    """

    files: tuple[FoundFile, ...]
    roots: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]


async def walk(paths: Iterable[Path]) -> Walk:
    """All documents under these files and folders. Works in a thread; never raises for what is on the disk."""
    return await asyncio.to_thread(_walk, list(paths))


def is_under(name: str, root: str) -> bool:
    """The document lies under that root, or is it."""
    if root == ".":
        return not name.startswith("/")
    return name == root or name.startswith(root.rstrip("/") + "/")


def document_name(path: Path) -> str:
    """See `FoundFile.name`; `samples`, `./samples` and its absolute path are one name."""
    absolute = Path(os.path.normpath(path.absolute()))
    here = Path.cwd()
    return (absolute.relative_to(here) if absolute.is_relative_to(here) else absolute).as_posix()


def possible_names(path: Path) -> set[str]:
    """What this path may be called by processes in this working folder, and in one that it does not lie below."""
    return {document_name(path), Path(os.path.normpath(path.absolute())).as_posix()}


def _walk(paths: list[Path]) -> Walk:
    files: dict[str, FoundFile] = {}
    roots: list[str] = []
    failed: list[tuple[str, str]] = []
    for path in paths:
        root = document_name(path)
        try:
            # One look: a disk that goes away between two would make a folder a file, and what was in it gone.
            is_folder = stat.S_ISDIR(path.stat().st_mode)
        except (FileNotFoundError, NotADirectoryError):
            failed.append((root, "no such file or folder"))
            continue
        except (OSError, ValueError) as error:
            failed.append((root, _reason(error)))
            continue
        found = _files_below(path, failed) if is_folder else [path]
        if not found:
            # A volume that is not mounted looks like this.
            failed.append((root, "no documents there"))
            continue
        roots.append(root)
        for file in found:
            name = document_name(file)
            if name.isprintable():
                files.setdefault(name, FoundFile(name=name, path=file, root=root))
            else:
                # Bytes that are no UTF-8, or control characters: no reader could be told where it is from.
                failed.append((name.encode("utf-8", "backslashreplace").decode(), "the file name is not printable"))
    ordered = tuple(files[name] for name in sorted(files))
    return Walk(files=ordered, roots=tuple(roots), failed=tuple(failed))


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or type(error).__name__


def _files_below(folder: Path, failed: list[tuple[str, str]]) -> list[Path]:
    inside = folder.resolve()

    def unreadable(error: OSError) -> None:
        failed.append((document_name(Path(error.filename or folder)), _reason(error)))

    found: list[Path] = []
    for where, folders, names in os.walk(folder, onerror=unreadable, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(where, name)
            if not name.startswith(".") and format_of(name) and _belongs(file, inside):
                found.append(file)
    return found


def _belongs(file: Path, inside: Path) -> bool:
    try:
        return not file.is_symlink() or file.resolve().is_relative_to(inside)
    except (OSError, RuntimeError):
        return True  # a link in a circle, or one that may not be looked at: reading it says so

"""Which files are documents: the suffixes that can be read, and what kind of file each stands for.

The one list of formats. It imports nothing, so that looking through folders loads no reader.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final, Literal

Format = Literal["markdown", "text", "html"]

_SUFFIXES: Final[dict[Format, str]] = {
    "markdown": ".md .markdown",
    "text": ".txt",
    "html": ".html .htm",
}
FORMATS: Final[dict[str, Format]] = {suffix: form for form, line in _SUFFIXES.items() for suffix in line.split()}
"""Suffix in small letters, with its dot → format."""


def format_of(name: str) -> Format | None:
    """The format of a file by the last suffix of its name; None: not a document."""
    return FORMATS.get(PurePath(name).suffix.lower())

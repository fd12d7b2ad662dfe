"""Which files are documents: the suffixes that can be read, and what kind of file each stands for.

The one list of formats. It imports nothing of ours, so that looking through folders loads no reader. Files that
configure programs (.env, .ini, .conf) are left out: passwords stand in them.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Final, Literal

Format = Literal["markdown", "text", "html", "pdf", "docx", "pptx", "sheets", "csv", "json", "epub", "code"]

_SUFFIXES: Final[dict[Format, str]] = {
    "markdown": ".md .markdown",
    "text": ".txt .rst .adoc",
    "html": ".html .htm .xhtml",
    "pdf": ".pdf",
    "docx": ".docx",
    "pptx": ".pptx",
    "sheets": ".xlsx",
    "csv": ".csv .tsv",
    "json": ".json .jsonl",
    "epub": ".epub",
    "code": ".bash .c .cc .clj .cpp .cs .css .dart .erl .ex .exs .go .groovy .h .hpp .hs .java .jl .js .jsx .kt .lua "
    ".mjs .php .pl .proto .ps1 .py .pyi .r .rb .rs .scala .scss .sh .sql .swift .toml .ts .tsx .vue .xml .yaml .yml",
}
FORMATS: Final[dict[str, Format]] = {suffix: form for form, line in _SUFFIXES.items() for suffix in line.split()}
"""Suffix in small letters, with its dot → format."""
FORMATS_TEXT = ".md .txt .html .pdf .docx .pptx .xlsx .csv .json .epub and plain code"
"""The list as people are told it."""


def format_of(name: str) -> Format | None:
    """The format of a file by the last suffix of its name; None: not a document."""
    return FORMATS.get(PurePath(name).suffix.lower())

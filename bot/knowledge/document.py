"""What a document is on its way from a file into the index.

Records only: reading makes a `Document`, splitting and embedding make `NewPassage`s of it, and a `DocumentRecord`
says which version of it readers see. No file, no Redis, no vector arithmetic.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Literal

from bot.message import Language

Origin = Literal["config", "cli"]
"""Who wants a document here: `knowledge.paths`, or somebody who ingested it by hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A file as text.

    Attributes:
        path: as ingested.
        title: its first heading or title element, else its file name.
        sections: (place, text) in order; place is the headings that lead there joined by ` › `, without the title.
        url: where people can read it, an http or https link; empty if it has none.
    """

    path: str
    title: str
    sections: tuple[tuple[str, str], ...]
    url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPassage:
    """A passage ready to be written.

    Attributes:
        number: position in its document, from 0.
        title: of the document.
        place: headings that lead to it.
        text: the passage itself.
        url: of the document; empty if it has none.
        words: the tokens of title and place, then of each sentence, between them `bot.knowledge.words.SENTENCE_BREAK`.
        language: of the text.
        embedding: float32 little-endian, L2-normalised.
        codes: of this vector and of its sentences' vectors; see `bot.knowledge.vectors`.
    """

    number: int
    title: str
    place: str
    text: str
    url: str
    words: str
    language: Language
    embedding: bytes
    codes: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRecord:
    """Which version of a document readers see, and who wants it here.

    Attributes:
        version: derived from content and format: the same content is the same version on every machine.
        sha256: of the file, hexadecimal.
        title: for listings.
        passages: how many.
        origins: origin → the path it was found under. A document whose last origin goes is removed.
    """

    version: str
    sha256: str
    title: str
    passages: int
    origins: Mapping[Origin, str]

    @property
    def place(self) -> str:
        """The path it was found under, the configured one if there are two."""
        return self.origins.get("config") or next(iter(self.origins.values()), "")

    def to_json(self) -> str:
        """One JSON object with sorted keys, so that equal records are equal texts."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> DocumentRecord:
        """The inverse of `to_json`; what another version of ours wrote beside it is passed over.

        Raises:
            ValueError: not JSON.
            TypeError: not the record of a document.
        """
        known = {each.name for each in fields(cls)}
        return cls(**{name: value for name, value in json.loads(text).items() if name in known})

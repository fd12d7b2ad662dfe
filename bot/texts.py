"""Every sentence the bot says of itself, in English and Chinese.

The sentences are in texts/en.yaml and texts/zh.yaml and are read once, when the application is composed. Answers
are not made here; neither is anything an operator reads (logs, errors of the configuration).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from importlib.resources import files
from math import ceil

import yaml

from bot.message import Language

COMMANDS = ("start", "help", "source", "reset", "forget")
"""The chat commands that everyone sees in the platform's menu, in its order."""

_UNITS: dict[Language, tuple[str, str, str]] = {"en": ("second", "minute", "hour"), "zh": ("秒", "分钟", "小时")}


class Texts:
    """The sentences of all languages; immutable, shared by everybody."""

    def __init__(self, sentences: Mapping[Language, Mapping[str, str]]) -> None:
        self._sentences = sentences

    @classmethod
    def load(cls) -> Texts:
        """Read the files that come with the package."""
        languages: tuple[Language, ...] = ("en", "zh")
        folder = files("bot") / "texts"
        return cls({
            language: yaml.safe_load((folder / f"{language}.yaml").read_text(encoding="utf-8"))
            for language in languages
        })  # fmt: skip

    def __call__(self, key: str, language: Language, **fields: object) -> str:
        """One sentence, as Markdown.

        Args:
            key: its name in the files.
            language: to say it in.
            fields: for its placeholders; put in as they are, so escape what a person wrote.

        Raises:
            KeyError: no such sentence, or a placeholder without its field: a mistake of ours.
        """
        return self._sentences[language][key].format(**fields)

    def commands(self, language: Language) -> dict[str, str]:
        """Each command of `COMMANDS` with a few words for the platform's menu."""
        return {name: self(f"command_{name}", language) for name in COMMANDS}


def duration(span: timedelta, language: Language) -> str:
    """A wait as people say it: `12 seconds`, `12 秒`. Rounded up, so that nobody comes back too early."""
    seconds = max(1, ceil(span.total_seconds()))
    if seconds < 120:
        count, unit = seconds, 0
    elif seconds <= 7200:
        count, unit = ceil(seconds / 60), 1
    else:
        count, unit = ceil(seconds / 3600), 2
    name = _UNITS[language][unit]
    return f"{count} {name}{'s' if language == 'en' and count != 1 else ''}"

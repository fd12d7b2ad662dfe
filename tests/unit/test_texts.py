"""The bot's own sentences: complete in both languages, and said as people say them."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib.resources import files
from string import Formatter
from typing import get_args

import pytest
import yaml

from bot.message import Attachment, Language
from bot.texts import COMMANDS, Texts, duration


def sentences(language: Language) -> dict[str, str]:
    """A language's file as it is."""
    content: dict[str, str] = yaml.safe_load((files("bot") / "texts" / f"{language}.yaml").read_text(encoding="utf-8"))
    return content


def placeholders(sentence: str) -> list[str]:
    """The fields of a sentence, sorted."""
    return sorted(name for _, name, _, _ in Formatter().parse(sentence) if name is not None)


def test_both_languages_have_the_same_keys_in_the_same_order() -> None:
    """Nothing is missing in a language, and a translator finds it at the same place."""
    assert list(sentences("zh")) == list(sentences("en"))


@pytest.mark.parametrize("key", sentences("en"))
def test_a_sentence_has_the_same_placeholders_in_both_languages(key: str) -> None:
    """What is filled into one is filled into the other."""
    assert placeholders(sentences("zh")[key]) == placeholders(sentences("en")[key])


@pytest.mark.parametrize("key", sentences("en"))
def test_a_sentence_can_be_said_in_both_languages(key: str) -> None:
    """It is not blank, it is in its language, and it takes what a person wrote, braces included."""
    texts = Texts.load()
    fields = dict.fromkeys(placeholders(sentences("en")[key]), "{0} {x}")

    english, chinese = texts(key, "en", **fields), texts(key, "zh", **fields)

    assert english.strip() == english
    assert chinese.strip() == chinese
    assert not re.search(r"[\u4e00-\u9fff]", english)
    assert re.search(r"[\u4e00-\u9fff]", chinese)


def test_every_attachment_and_command_has_its_sentence() -> None:
    """What comes with a message is declined by its name, and the menu of commands is whole."""
    texts = Texts.load()

    assert all(texts(f"cannot_read_{attachment}", "en") for attachment in get_args(Attachment))
    assert list(texts.commands("zh")) == list(COMMANDS)
    assert all(1 <= len(words) <= 256 for words in texts.commands("en").values())


def test_an_unknown_sentence_or_a_missing_field_is_a_mistake() -> None:
    """A typo in a key must not reach a person as an empty message."""
    texts = Texts.load()

    with pytest.raises(KeyError):
        texts("no_such_sentence", "en")
    with pytest.raises(KeyError):
        texts("limited", "en")


@pytest.mark.parametrize(
    ("seconds", "english", "chinese"),
    [
        (0, "1 second", "1 秒"),
        (0.2, "1 second", "1 秒"),
        (11.1, "12 seconds", "12 秒"),
        (119, "119 seconds", "119 秒"),
        (120, "2 minutes", "2 分钟"),
        (121, "3 minutes", "3 分钟"),
        (7200, "120 minutes", "120 分钟"),
        (7201, "3 hours", "3 小时"),
        (86400, "24 hours", "24 小时"),
    ],
)
def test_a_wait_is_rounded_up(seconds: float, english: str, chinese: str) -> None:
    """Who comes back when told is not refused again."""
    span = timedelta(seconds=seconds)

    assert (duration(span, "en"), duration(span, "zh")) == (english, chinese)

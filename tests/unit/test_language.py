"""Language and token estimates."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.language import language_of
from bot.tokens import estimate_tokens

ENGLISH = [
    "How do I reset my password?",
    "hi",
    "What does 余额不足 mean?",
    "Who are the 四大银行",
    "Is 支付宝 supported?",
    "Wie setze ich mein Passwort zurück?",
    "¿Cómo cambio mi contraseña?",
    "Как сбросить пароль?",
    "パスワードを忘れました。どうすればいいですか？",
    "일본어 비밀번호를 잊어버렸어요",
    "https://例子.example/路径 does not open",
    "`文件` what is this",
]
CHINESE = [
    "怎么重置密码？",
    "我的 Kubernetes pod 为什么一直 CrashLoopBackOff",
    "怎么配置 Redis Sentinel with TLS on Docker Compose",
    "請問如何重設密碼？",
    "優の良品的退货政策是什么",
    "好",
    "OK，谢谢",
    "https://example.com/a/long/path?with=words 打不开",
    "VPN 怎么连",
    "𠮷野家在哪",
]


@pytest.mark.parametrize("text", ENGLISH)
def test_what_is_not_chinese_is_english(text: str) -> None:
    """English with Chinese words in it, and every other language, get our English sentences."""
    assert language_of(text) == "en"


@pytest.mark.parametrize("text", CHINESE)
def test_chinese_of_either_script_is_chinese(text: str) -> None:
    """Chinese stays Chinese with foreign terms in it, in simplified and traditional characters."""
    assert language_of(text) == "zh"


@pytest.mark.parametrize("text", ["", "???", "👍", "12:30", "  \n", "https://example.com", "`ls -l`"])
@pytest.mark.parametrize(
    ("hint", "expected"),
    [(None, "en"), ("", "en"), ("zh", "zh"), ("zh-hans", "zh"), ("zh_TW", "zh"), ("ZH-HK", "zh"), ("de", "en")],
)
def test_the_locale_decides_only_where_the_text_shows_nothing(text: str, hint: str | None, expected: str) -> None:
    """A thumbs-up is answered in the language of the platform's locale."""
    assert language_of(text, hint) == expected


def test_the_locale_never_outweighs_the_text() -> None:
    """A person with a Chinese phone who writes English is answered in English, and the other way round."""
    assert language_of("hello there", "zh-hans") == "en"
    assert language_of("你好", "en-US") == "zh"


@given(st.text(max_size=200), st.none() | st.text(max_size=10))
def test_any_text_has_a_language(text: str, hint: str | None) -> None:
    """Nothing that people send breaks it."""
    assert language_of(text, hint) in ("en", "zh")


@pytest.mark.timeout(5)
@pytest.mark.parametrize("unit", ["码", "a", "a@", "`", "http://", "a "])
def test_a_huge_text_takes_no_huge_time(unit: str) -> None:
    """The time grows with the length, not with its square: a quarter of a million characters pass at once."""
    assert language_of(unit * (250_000 // len(unit))) in ("en", "zh")


@pytest.mark.skipif("FRONTDESK_SHARED" not in os.environ, reason="shared data absent")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_nearly_all_questions_of_a_bilingual_set_are_told_apart(language: str) -> None:
    """At least 99.5 % of the questions of XQuAD are recognised, in both languages."""
    path = Path(os.environ["FRONTDESK_SHARED"], f"data/xquad/xquad.{language}.json")
    articles = json.loads(path.read_text(encoding="utf-8"))["data"]
    questions = [qa["question"] for article in articles for p in article["paragraphs"] for qa in p["qas"]]

    wrong = [question for question in questions if language_of(question) != language]

    assert len(questions) > 1000
    assert len(wrong) / len(questions) <= 0.005, wrong


@pytest.mark.parametrize(
    ("text", "tokens"),
    [("", 0), ("a", 1), ("abcdefghij", 3), ("密码", 2), ("我的密码重置", 5), ("密码 ok", 3), ("👍", 1)],
)
def test_tokens_are_estimated_by_kind_of_character(text: str, tokens: int) -> None:
    """0.8 for a Chinese character and 0.3 for any other, rounded up."""
    assert estimate_tokens(text) == tokens


@given(st.text(max_size=100), st.text(max_size=100))
def test_a_longer_text_never_costs_less(one: str, other: str) -> None:
    """The estimate grows with the text, and two texts cost at most what they cost apart."""
    assert estimate_tokens(one) <= estimate_tokens(one + other) <= estimate_tokens(one) + estimate_tokens(other)

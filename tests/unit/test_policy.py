"""What the configuration says about people and answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from bot.config import Config, load
from bot.message import Language, Platform
from bot.policy import access_of, admins_of, base_of, own_voice, scope_of
from bot.texts import Texts
from tests.make import conversation

TEXTS = Texts.load()
KEY = {"OPENAI_API_KEY": "sk-test"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no config.yaml lies."""
    monkeypatch.chdir(tmp_path)


def configured(**sections: object) -> Config:
    """The defaults, but for these sections."""
    path = Path("config.yaml")
    path.write_text(yaml.safe_dump(sections))
    return load(path, KEY)


def scope(**sections: object) -> str:
    """The scope of answers under the defaults, but for these sections."""
    return scope_of(configured(**sections), TEXTS)


@pytest.mark.parametrize("platform", ["telegram", "slack", "web", "terminal"])
def test_with_empty_lists_everyone_is_answered(platform: Platform) -> None:
    """No list, no refusal, on any platform."""
    assert access_of(configured())(conversation(platform=platform))


@pytest.mark.parametrize(
    ("access", "user", "channel", "answered"),
    [
        ({"users": ["7"]}, "7", "100", True),
        ({"users": ["7"]}, "8", "100", False),
        ({"chats": ["-100"]}, "8", "-100", True),
        ({"chats": ["-100"]}, "8", "8", False),
        ({"users": ["7"], "chats": ["-100"]}, "7", "-100", True),
        ({"users": ["7"], "chats": ["-100"]}, "7", "7", False),
        ({"users": ["7"], "chats": ["-100"]}, "8", "-100", False),
    ],
)
def test_a_list_lets_in_who_is_on_it(access: dict[str, list[str]], user: str, channel: str, answered: bool) -> None:
    """Users by the user, chats by the place; with both lists filled a message must pass both."""
    allowed = access_of(configured(access={"telegram": access}))

    assert allowed(conversation(user=user, channel=channel)) is answered


def test_each_platform_has_lists_of_its_own() -> None:
    """Slack's lists say nothing about Telegram, and nobody is kept from the chat page or the terminal."""
    allowed = access_of(configured(access={"slack": {"users": ["U7"], "channels": ["C1"]}}))

    assert allowed(conversation(platform="slack", user="U7", channel="C1"))
    assert not allowed(conversation(platform="slack", user="U8", channel="C1"))
    assert not allowed(conversation(platform="slack", user="U7", channel="C2"))
    for platform in ("telegram", "web", "terminal"):
        assert allowed(conversation(platform=platform, user="8", channel="2"))


def test_an_admin_is_one_on_their_platform_alone() -> None:
    """The same id on another platform is somebody else; by default nobody is an admin."""
    is_admin = admins_of(configured(admins={"telegram": ["7"], "slack": ["U7"]}))

    assert is_admin(conversation(platform="telegram", user="7"))
    assert is_admin(conversation(platform="slack", user="U7"))
    assert not is_admin(conversation(platform="telegram", user="8"))
    assert not is_admin(conversation(platform="slack", user="7"))
    assert not is_admin(conversation(platform="web", user="7"))
    assert not admins_of(configured())(conversation(user="7"))


PROVIDER = {"name": "a", "base_url": "http://127.0.0.1:1/v1", "model": "m"}


@pytest.mark.parametrize(
    "sections",
    [
        {"bot": {"persona": "You are terse."}},
        {"bot": {"name": "Reception"}},
        {"bot": {"language": "zh"}},
        {"llm": {"providers": []}},
        {"llm": {"providers": [{**PROVIDER, "model": "another"}]}},
        {"llm": {"providers": [{**PROVIDER, "base_url": "http://127.0.0.1:2/v1"}]}},
        {"llm": {"providers": [PROVIDER], "max_output_tokens": 7}},
        {"knowledge": {"top_k": 3}},
        {"knowledge": {"max_cosine_distance": 0.5}},
        {"embeddings": {"provider": "openai", "model": "text-embedding-3-small", "dimensions": 1536}},
        {"embeddings": {"provider": "openai", "model": "text-embedding-3-large", "dimensions": 1536}},
    ],
    ids=json.dumps,
)
def test_whatever_an_answer_depends_on_is_another_scope(sections: dict[str, dict[str, object]]) -> None:
    """An answer given under one of these values is not reused under another."""
    plain = {"llm": {"providers": [PROVIDER]}}

    assert scope(**{**plain, **sections}) != scope(**plain)


def test_the_two_embedding_models_are_two_scopes() -> None:
    """Not only the provider counts."""
    small, large = (
        scope(embeddings={"provider": "openai", "model": f"text-embedding-3-{size}", "dimensions": 1536})
        for size in ("small", "large")
    )

    assert small != large


@pytest.mark.parametrize("key", ["sources", "no_model"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_another_sentence_within_answers_is_another_scope(key: str, language: Language) -> None:
    """Answers hold these sentences of ours, so a new wording must not wait for them to run out."""
    words: dict[Language, dict[str, str]] = {
        spoken: {name: TEXTS(name, spoken) for name in ("sources", "no_model")} for spoken in ("en", "zh")
    }
    words[language][key] = "Put otherwise"

    assert scope_of(configured(), Texts(words)) != scope_of(configured(), TEXTS)


@pytest.mark.parametrize(
    "sections",
    [
        {"limits": {"messages": ["1/minute"]}},
        {"admins": {"telegram": ["7"]}},
        {"llm": {"providers": [{**PROVIDER, "name": "b", "timeout": "5s"}]}},
        {"history": {"max_turns": 3}},
    ],
    ids=json.dumps,
)
def test_what_no_answer_depends_on_keeps_the_scope(sections: dict[str, dict[str, object]]) -> None:
    """Otherwise every small change would throw all answers away; the same configuration has the same scope."""
    plain = {"llm": {"providers": [PROVIDER]}}

    assert scope(**{**plain, **sections}) == scope(**plain)


@pytest.mark.parametrize(("language", "voice"), [("auto", None), ("en", "en"), ("zh", "zh")])
def test_the_operator_may_fix_our_own_language(language: str, voice: Language | None) -> None:
    """`auto` follows the person."""
    assert own_voice(configured(bot={"language": language})) == voice


@pytest.mark.parametrize(
    ("platform", "channel", "base"),
    [
        ("telegram", "-100", "staff"),
        ("slack", "C01", "staff"),
        ("telegram", "C01", "main"),
        ("telegram", "100", "main"),
        ("web", "-100", "main"),
    ],
)
def test_a_channel_is_answered_from_its_own_knowledge_base(platform: Platform, channel: str, base: str) -> None:
    """Only the channels that a base names; everybody else from the main one."""
    config = configured(knowledge={"bases": [{"name": "staff", "telegram": [-100], "slack": ["C01"]}]})

    assert base_of(config)(conversation(platform=platform, channel=channel)) == base

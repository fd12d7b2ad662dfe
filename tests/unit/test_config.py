"""The configuration: every key, every override, every mistake at once, and never a secret in what is said about it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel, SecretStr, ValidationError

from bot.config import Config, Rate, load
from bot.config_file import _SECRET_KEY
from bot.config_values import is_loopback
from bot.errors import ConfigError

SHIPPED = Path(__file__).parents[2] / "config.yaml"
TELEGRAM = "123456789:AAFakeFakeFakeFakeFakeFakeFakeFake123"
SECRETS = {
    "TELEGRAM_BOT_TOKEN": TELEGRAM,
    "TELEGRAM_WEBHOOK_SECRET": "hook-secret",
    "SLACK_BOT_TOKEN": "xoxb-11-22-abcdef",
    "SLACK_APP_TOKEN": "xapp-1-A0-33-abcdef",
    "SLACK_SIGNING_SECRET": "0123456789abcdef",
    "OPENAI_API_KEY": "sk-proj-abcdefgh",
    "REDIS_URL": "redis://:hunter2@db.example:6379/0",
    "FRONTDESK_WEB_TOKEN": "correct-horse",
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Start in a folder without a config.yaml."""
    monkeypatch.chdir(tmp_path)


def loaded(text: str = "", environ: Mapping[str, str] | None = None) -> Config:
    """The configuration of a file with this text."""
    path = Path("test.yaml")
    path.write_text(text, encoding="utf-8")
    return load(path, environ or {})


def problems(text: str = "", environ: Mapping[str, str] | None = None) -> list[str]:
    """What is wrong with a file and an environment; at least something must be."""
    with pytest.raises(ConfigError) as caught:
        loaded(text, environ)
    return caught.value.problems


def keys_of(tree: object, prefix: str = "") -> Iterator[str]:
    """Dotted keys of parsed YAML, or of the tree; the entries of a list of sections count once."""
    items = tree if isinstance(tree, (dict, BaseModel)) else {}
    for key, value in dict(items).items():
        inner = value[0] if isinstance(value, (list, tuple)) and value else value
        if isinstance(inner, (dict, BaseModel)):
            yield from keys_of(inner, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


# --- the file and the tree ------------------------------------------------------------------------------------------


def test_the_shipped_file_has_every_key_of_the_tree_and_no_other() -> None:
    """What can be set is written down, and what is written down can be set."""
    shipped = set(keys_of(yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))))
    known = set(keys_of(Config()))

    assert shipped == known


def test_the_shipped_file_says_the_defaults_except_for_the_samples() -> None:
    """The comments' defaults cannot drift from the program's."""
    shipped = load(SHIPPED, {}).model_dump()
    defaults = load(None, {}).model_dump()

    assert shipped["knowledge"].pop("paths") == (Path("samples"),)
    assert defaults["knowledge"].pop("paths") == ()
    assert shipped == defaults


def test_every_key_of_the_shipped_file_has_a_comment_with_its_default() -> None:
    """Nobody has to read the program to know what a key does."""
    lines = SHIPPED.read_text(encoding="utf-8").splitlines()
    defaults = " ".join(line for line in lines if line.lstrip().startswith("#"))
    leaves = list(keys_of(yaml.safe_load("\n".join(lines))))

    # The two figures per chat share a comment on both platforms.
    assert defaults.count("Default: ") + 2 * defaults.count("Defaults: ") == len(leaves) + 1  # + llm.providers itself


def test_a_webhook_needs_an_address_and_a_secret() -> None:
    """Only where Telegram is on, and without showing the secret."""
    hook = "telegram: {mode: webhook}"

    assert loaded(hook).telegram.mode == "webhook"
    found = problems(hook, {"TELEGRAM_BOT_TOKEN": TELEGRAM})
    assert [line.split(":")[0] for line in found] == ["telegram.webhook_url", "TELEGRAM_WEBHOOK_SECRET"]
    bad = problems(
        hook.replace("}", ", webhook_url: https://h}"),
        {"TELEGRAM_BOT_TOKEN": TELEGRAM, "TELEGRAM_WEBHOOK_SECRET": "no blanks! please"},
    )
    assert bad == [
        "TELEGRAM_WEBHOOK_SECRET: found a value that cannot be right, allowed up to 256 letters, digits, _ and -"
    ]


BASES = """
knowledge:
  bases:
    - {name: staff, paths: [internal], telegram: [-100], slack: [C01]}
    - {name: legal, slack: [C02]}
"""


def test_some_channels_have_a_knowledge_base_of_their_own() -> None:
    """Each with its paths and its channels."""
    first, second = loaded(BASES).knowledge.bases

    assert (first.name, first.paths, first.telegram, first.slack) == ("staff", (Path("internal"),), ("-100",), ("C01",))
    assert (second.name, second.paths) == ("legal", ())


@pytest.mark.parametrize(
    ("found", "instead", "problem"),
    [
        ("staff", "main", 'knowledge.bases[0].name: found "main", allowed lower-case letters'),
        ("staff", "a b", 'knowledge.bases[0].name: found "a b", allowed lower-case letters'),
        ("legal", "staff", 'knowledge.bases[1].name: found "staff" a second time'),
        ("C02", "C01", "knowledge.bases[1].slack: found C01, which staff has"),
        ("name: legal, ", "", "knowledge.bases[1].name: found nothing"),
        ("paths: [internal]", "path: x", "knowledge.bases[0].path: found an unknown key, allowed name, paths"),
    ],
)
def test_a_knowledge_base_is_named_once_and_a_channel_has_one(found: str, instead: str, problem: str) -> None:
    """Two bases for a channel would leave open which is searched."""
    with pytest.raises(ConfigError) as error:
        loaded(BASES.replace(found, instead))

    assert any(line.startswith(problem) for line in error.value.problems), error.value.problems


def test_no_key_is_taken_for_a_secret() -> None:
    """The hunt for secrets in the file leaves our own keys alone."""
    assert not [key for key in keys_of(Config()) if _SECRET_KEY.search(key.split(".")[-1])]


def test_without_a_file_there_are_defaults() -> None:
    """./config.yaml may be absent; a file that was asked for may not."""
    assert load(None, {}) == loaded("")

    with pytest.raises(ConfigError, match=r"nowhere\.yaml: found no readable file"):
        load(Path("nowhere.yaml"), {})


def test_the_default_file_is_read_where_we_start() -> None:
    """./config.yaml counts when no other was named."""
    Path("config.yaml").write_text("server: {port: 9000}", encoding="utf-8")

    assert load(None, {}).server.port == 9000


def test_values_become_what_python_works_with() -> None:
    """Durations, rates, ids and paths are parsed once, here."""
    config = loaded(
        """
        history: {ttl: 1.5h}
        inbox: {lease: 1500ms}
        limits: {messages: [3/second, 200 / day], tokens: []}
        admins: {telegram: [42, "-7"], slack: [U012AB]}
        access: {telegram: {chats: [-1001234567890]}}
        knowledge: {paths: [docs, ~/more]}
        telegram: {api_url: "http://127.0.0.1:8081/"}
        slack: {api_url: "http://127.0.0.1:8082/api"}
        """
    )

    assert config.history.ttl == timedelta(minutes=90)
    assert config.inbox.lease == timedelta(seconds=1.5)
    assert config.limits.messages == (Rate(3, timedelta(seconds=1)), Rate(200, timedelta(days=1)))
    assert config.limits.tokens == ()
    assert config.admins.telegram == ("42", "-7")
    assert config.access.telegram.chats == ("-1001234567890",)
    assert config.knowledge.paths == (Path("docs"), Path.home() / "more")
    assert config.telegram.api_url == "http://127.0.0.1:8081"
    assert config.slack.api_url == "http://127.0.0.1:8082/api/"
    assert str(config.limits.messages[1]) == "200/day"


def test_a_section_without_keys_has_its_defaults() -> None:
    """Commenting out all keys of a section is no mistake."""
    assert loaded("server:\n  # port: 9000\n").server.port == 8080


@pytest.mark.parametrize(("written", "verify"), [("off", "off"), ("'off'", "off"), ("model", "model")])
def test_a_bare_off_is_the_word(written: str, verify: str) -> None:
    """YAML takes it for false; in the environment it is a word anyway."""
    assert loaded(f"answers: {{verify: {written}}}").answers.verify == verify
    assert loaded("", {"FRONTDESK_ANSWERS__VERIFY": written.strip("'")}).answers.verify == verify
    assert "allowed off or model" in problems("answers: {verify: on}")[0]


def test_the_tree_is_frozen() -> None:
    """Nobody changes the configuration under another's feet."""
    config = loaded()

    with pytest.raises(ValidationError):
        config.server.port = 1


# --- the environment ----------------------------------------------------------------------------------------------


def test_the_environment_overrides_the_file() -> None:
    """Any key, lists as JSON, null as the word; the rest of the section stays."""
    config = loaded(
        "server: {host: localhost, port: 1}\nredis: {url: redis://a}\nllm: {max_output_tokens: 5}",
        {
            "FRONTDESK_SERVER__PORT": "9000",
            "FRONTDESK_REDIS__URL": "null",
            "FRONTDESK_WEB__ENABLED": "false",
            "FRONTDESK_KNOWLEDGE__PATHS": '["a b", "c"]',
            "FRONTDESK_LIMITS__MESSAGES": "[]",
            "FRONTDESK_ACCESS__SLACK__USERS": '["U1A"]',
            "FRONTDESK_ADMINS__TELEGRAM": "[7]",
            "FRONTDESK_LLM__PROVIDERS": '[{"name": "x", "model": "m", "api_key_env": null, "timeout": "2s"}]',
            "FRONTDESK_ANSWERS__MAX_COSINE_DISTANCE": "0.2",
            "FRONTDESK_BOT__NAME": "007",
            "FRONTDESK_SHARED": "/anywhere",
            "HOME": "/root",
        },
    )

    assert (config.server.host, config.server.port) == ("localhost", 9000)
    assert config.redis.url is None
    assert config.web.enabled is False
    assert config.knowledge.paths == (Path("a b"), Path("c"))
    assert config.limits.messages == ()
    assert config.access.slack.users == ("U1A",)
    assert config.admins.telegram == ("7",)
    assert [provider.timeout for provider in config.llm.providers] == [timedelta(seconds=2)]
    assert config.llm.max_output_tokens == 5
    assert config.answers.max_cosine_distance == 0.2
    assert config.bot.name == "007"


def test_every_kind_of_value_can_be_overridden() -> None:
    """Rates, durations, numbers, switches, lists and null are written in the environment as in the file."""
    config = load(
        None,
        {
            "FRONTDESK_TELEGRAM__OUTBOUND": "7/second",
            "FRONTDESK_INBOX__LEASE": "20s",
            "FRONTDESK_SERVER__PORT": "8099",
            "FRONTDESK_WEB__ENABLED": "false",
            "FRONTDESK_LIMITS__MESSAGES": '["3/minute"]',
            "FRONTDESK_EMBEDDINGS__MODEL": "null",
        },
    )

    assert config.telegram.outbound == Rate(7, timedelta(seconds=1))
    assert config.inbox.lease == timedelta(seconds=20)
    assert (config.server.port, config.web.enabled, config.embeddings.model) == (8099, False, None)
    assert config.limits.messages == (Rate(3, timedelta(minutes=1)),)


@pytest.mark.parametrize(
    ("text", "environ", "setting"),
    [
        ("", {}, "redis.data_dir"),
        ("", {"REDIS_URL": "redis://a"}, "REDIS_URL"),
        ("redis: {url: redis://a}", {"REDIS_URL": "redis://b"}, "redis.url"),
        ("redis: {url: redis://a}", {"FRONTDESK_REDIS__URL": "redis://b"}, "FRONTDESK_REDIS__URL"),
    ],
)
def test_what_says_where_redis_is_has_a_name(text: str, environ: dict[str, str], setting: str) -> None:
    """For whoever must correct it."""
    config = loaded(text, {**environ, "FRONTDESK_KNOWLEDGE__REDIS_URL": "redis://kb"})

    assert config.redis_setting == setting
    assert config.named("knowledge.redis_url") == "FRONTDESK_KNOWLEDGE__REDIS_URL"


def test_the_process_environment_is_not_read_behind_our_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the mapping that was handed in counts."""
    monkeypatch.setenv("FRONTDESK_SERVER__PORT", "9000")

    assert load(None, {}).server.port == 8080


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("FRONTDESK_SERVER__PROT", "1", "an unknown name, allowed .*did you mean FRONTDESK_SERVER__PORT"),
        ("FRONTDESK_server__port", "1", "an unknown name"),
        ("FRONTDESK_SERVER", '{"port": 1}', "an unknown name"),
        ("FRONTDESK_PROMPT", "x", "an unknown name"),
        ("FRONTDESK_SERVER__PORT", " ", "nothing, allowed a value"),
        ("FRONTDESK_LIMITS__MESSAGES", "10/minute", r"no list, allowed a list as JSON, such as \[\"a\", \"b\"\]"),
        ("FRONTDESK_LLM__PROVIDERS", "openai", r"no list, allowed a list as JSON, such as \[\{\"name\": \"openai\", "),
        ("FRONTDESK_KNOWLEDGE__BASES", "staff", r"no list, allowed a list as JSON, such as \[\{\"name\": \"staff\", "),
        ("FRONTDESK_LIMITS__MESSAGES", '{"a": 1}', "no list, allowed a list as JSON"),
        ("FRONTDESK_LIMITS__MESSAGES", "[5]", "5, allowed a rate"),
        ("FRONTDESK_SERVER__PORT", "70000", r"\"70000\", allowed a whole number from 0 to 65535"),
        ("FRONTDESK_BOT__NAME", "null", "nothing, allowed a text"),
        ("SLACK_BOT_TOKEN", "", "nothing, allowed a value"),
        ("TELEGRAM_BOT_TOKEN", "not-a-token", "a value that cannot be right"),
        ("SLACK_BOT_TOKEN", "xapp-1-swapped", "a value that cannot be right"),
        ("SLACK_APP_TOKEN", "xoxb-1-swapped", "a value that cannot be right"),
        ("OPENAI_API_KEY", "sk-…", "a value that cannot be right"),
        ("REDIS_URL", "localhost:6379", "a value that cannot be right"),
        ("REDIS_URL", "redis+sentinel://a:1,b", "a value that cannot be right, allowed .*/name .* is missing"),
        ("FRONTDESK_REDIS__URL", "redis+sentinel://a", r".*redis\+sentinel://a.*, allowed .*/name .* is missing"),
        ("FRONTDESK_KNOWLEDGE__REDIS_URL", "redis+sentinel://a/", ".*, allowed .*/name .* is missing"),
    ],
)
def test_a_bad_variable_is_named(name: str, value: str, problem: str) -> None:
    """Unknown names, empty values, bad values; the variable is named, not only the key."""
    (found,) = problems(environ={name: value})

    assert re.search(rf"^{name}\b.*: found {problem}", found)


# --- mistakes in the file -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("serber: {}", r"serber: found an unknown key, allowed bot, .*\(did you mean server\?\)"),
        ("server: {prot: 1}", r"server\.prot: found an unknown key, allowed host, port \(did you mean port\?\)"),
        ("server: 5", r"server: found 5, allowed keys with values"),
        ("server: {port: yes}", r"server\.port: found true, allowed a whole number"),
        ("server: {port: 8080.5}", r"server\.port: found 8080\.5, allowed a whole number"),
        ("server: {host: 'a b'}", r"server\.host: found .*, allowed an IP address"),
        ("web: {enabled: 1}", r"web\.enabled: found 1, allowed true or false"),
        ("bot: {name: ''}", r"bot\.name: found \"\", allowed a text"),
        ("bot: {language: fr}", r"bot\.language: found \"fr\", allowed auto or en or zh"),
        ("history: {ttl: 10}", r"history\.ttl: found 10, allowed a duration"),
        ("history: {ttl: 0s}", r"history\.ttl: found \"0s\", allowed a duration"),
        ("history: {ttl: 999999999d}", r"history\.ttl: found .*, allowed a duration"),
        ("history: {max_turns: 0}", r"history\.max_turns: found 0, allowed a whole number from 1"),
        ("limits: {messages: 10/minute}", r"limits\.messages: found \"10/minute\", allowed a list"),
        ("limits: {messages: [0/minute]}", r"limits\.messages\[0\]: found \"0/minute\", allowed a rate"),
        ("limits: {messages: [1/fortnight]}", r"limits\.messages\[0\]: found \"1/fortnight\", allowed a rate"),
        ("telegram: {mode: push}", r"telegram\.mode: .*allowed polling or webhook"),
        ("telegram: {outbound: null}", r"telegram\.outbound: found nothing, allowed a rate"),
        ("telegram: {api_url: api.telegram.org}", r"telegram\.api_url: found .*, allowed an address"),
        ("telegram: {api_url: 'http://h:p/'}", r"telegram\.api_url: found .*, allowed an address"),
        ("telegram: {api_url: 'https://h/bot1:x'}", r"telegram\.api_url: found .*, allowed .* without /bot<token>"),
        ("inbox: {durability: disk}", r"inbox\.durability: .*allowed memory or fsync or replica"),
        ("admins: {telegram: ['@bob']}", r"admins\.telegram\[0\]: found \"@bob\", allowed a Telegram id"),
        ("admins: {telegram: [true]}", r"admins\.telegram\[0\]: found true, allowed a Telegram id"),
        ("access: {slack: {channels: ['#a']}}", r"access\.slack\.channels\[0\]: found \"#a\", allowed a Slack"),
        ("knowledge: {paths: samples}", r"knowledge\.paths: found \"samples\", allowed a list"),
        ("knowledge: {paths: [5]}", r"knowledge\.paths\[0\]: found 5, allowed the path"),
        ("knowledge: {max_cosine_distance: 2.5}", r"knowledge\.max_cosine_distance: found 2\.5, allowed a cosine"),
        ("answers: {max_cosine_distance: .nan}", r"answers\.max_cosine_distance: found NaN, allowed a cosine"),
        ("llm: {providers: [5]}", r"llm\.providers\[0\]: found 5, allowed keys with values"),
        ("llm: {providers: [{modle: x}]}", r"llm\.providers\[0\]\.modle: found an unknown key, allowed name"),
        ("llm: {providers: [{api_key_env: my key}]}", r"llm\.providers\[0\]\.api_key_env: found .*, allowed the NAME"),
        ("llm: {providers: [{}, {}]}", r"llm\.providers\[1\]\.name: found \"openai\" a second time"),
        ("llm: {providers: [{base_url: 'http://o/v1'}]}", r"llm\.providers\[0\]\.model: found nothing, allowed"),
        ("embeddings: {dimensions: 256}", r"embeddings\.dimensions: found 256, allowed 512"),
        ("redis: {url: 'http://h'}", r"redis\.url: found .*, allowed an address that begins with redis://"),
        ("redis: {url: 'unix://'}", r"redis\.url: found .*, allowed an address"),
        ("redis: {url: 'redis+sentinel://a:1,b:2'}", r"redis\.url: .*, allowed redis\+sentinel://.*/name .*missing"),
        ("redis: {url: 'redis+sentinel://a:x/name'}", r"redis\.url: found .*, allowed an address"),
        ("redis: {url: 'redis+cluster://a:1,'}", r"redis\.url: found .*, allowed an address"),
        ("redis: {url: 'redis+cluster://a:1,b:2/name'}", r"redis\.url: found .*, allowed an address"),
        ("redis: {data_dir: ''}", r"redis\.data_dir: found \"\", allowed the path"),
    ],
)
def test_a_bad_value_is_named_with_what_is_allowed(text: str, problem: str) -> None:
    """One mistake is one line: path, what was found, what is allowed."""
    (found,) = problems(text)

    assert re.match(problem, found)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("server: {port: 1\n", "found .* in line 2, allowed YAML"),
        ("a: b: c", "found mapping values are not allowed here in line 1, allowed YAML"),
        ("- 1", "found list, allowed sections with keys"),
        ("just words", "found str, allowed sections with keys"),
        ("bot: !!python/object:os.system {}", "found what is no YAML in line 1"),
        ("bot: &a {name: x}\nweb: *a", "found anchors and aliases in line 2"),
        ("bot: {name: 2024-99-99}", "found what is no YAML, or a value that is no date or number"),
        ("[" * 3000, "found what is no YAML"),
        ("bot: {name: '\x07'}", "found what is no YAML"),
    ],
)
def test_a_file_that_is_no_yaml_is_a_problem_among_others(text: str, problem: str) -> None:
    """The environment is checked all the same, so that nobody starts twice to learn of both."""
    found = problems(text, {"FRONTDESK_SERVER__PORT": "x"})

    assert re.match(rf"test\.yaml: {problem}", found[0])
    assert found[1].startswith("FRONTDESK_SERVER__PORT")


def test_a_file_that_is_no_utf8_is_a_problem() -> None:
    """Bytes that are no text give a sentence, not a traceback."""
    Path("latin.yaml").write_bytes("bot: {name: Büro}".encode("latin-1"))

    with pytest.raises(ConfigError, match="found bytes that are no UTF-8"):
        load(Path("latin.yaml"), {})


def test_keys_given_twice_are_problems() -> None:
    """YAML would let the last one win in silence."""
    found = problems("server: {port: 1, port: 2}\nweb: {}\nserver: {}")

    assert found == [
        "test.yaml: found port twice (line 1), allowed once",
        "test.yaml: found server twice (line 3), allowed once",
    ]


def test_all_mistakes_are_reported_at_once() -> None:
    """File, values, environment, secrets and the rules between keys: one start shows everything."""
    found = problems(
        """
        bot: {name: 5, languag: en}
        limits: {messages: [a, b]}
        server: {host: 0.0.0.0, port: x}
        slack: {mode: http}
        slack: {mode: http}
        """,
        {"SLACK_BOT_TOKEN": "xoxb-1-a", "FRONTDESK_X": "1", "OPENAI_API_KEY": ""},
    )

    assert [line.split(": ")[0] for line in found] == [
        "OPENAI_API_KEY",
        "test.yaml",
        "FRONTDESK_X",
        "bot.name",
        "bot.languag",
        "server.port",
        "limits.messages[0]",
        "limits.messages[1]",
        "SLACK_SIGNING_SECRET",
        "FRONTDESK_WEB_TOKEN",
    ]
    assert all(re.search(": found .+, allowed .+", line) for line in found)


# --- secrets ------------------------------------------------------------------------------------------------------


def test_secrets_come_from_the_environment_and_are_never_shown() -> None:
    """Each under its fixed name; neither repr nor JSON of the configuration holds one."""
    config = loaded("redis: {url: null}", {**SECRETS, "FRONTDESK_KNOWLEDGE__REDIS_URL": "redis://:swordfish@kb/1"})

    secrets = config.secrets
    assert secrets.telegram_bot_token == SecretStr(TELEGRAM)
    assert secrets.web_token == SecretStr("correct-horse")
    assert config.redis_url == SecretStr(SECRETS["REDIS_URL"])
    assert config.api_key(config.llm.providers[0]) == SecretStr(SECRETS["OPENAI_API_KEY"])
    shown = f"{config!r} {config!s} {secrets!r} {config.model_dump_json()} {config.model_dump()}"
    for value in (*(set(SECRETS.values()) - {SECRETS["REDIS_URL"]}), "hunter2", "swordfish"):
        assert value not in shown
        assert value in config.secret_values()


def test_a_newline_after_a_secret_is_no_part_of_it() -> None:
    """Files mounted as secrets end with one."""
    assert loaded(environ={"TELEGRAM_BOT_TOKEN": f"{TELEGRAM}\n"}).secrets.telegram_bot_token == SecretStr(TELEGRAM)


@pytest.mark.parametrize(
    "text",
    [
        "telegram: {token: hunter2hunter2}",
        "telegram_bot_token: hunter2hunter2",
        f"telegram: {{api_url: 'https://api.telegram.org/bot{TELEGRAM}'}}",
        "slack: {mode: xoxb-12345-hunter2hunter2}",
        "redis: {url: 'redis://:hunter2hunter2@db'}",
        "redis: {url: 'redis+cluster://:hunter2hunter2@a:1,b:2'}",
        "redis: {url: 'redis+sentinel://a:1,b/main?sentinel_password=hunter2hunter2'}",
        "knowledge: {redis_url: 'redis://u:hunter2hunter2@db'}",
        "llm: {providers: [{name: a, api_key: hunter2hunter2}]}",
        "llm: {providers: [{name: a, api_key_env: sk-hunter2hunter2}]}",
        "llm: {providers: [{name: a, model: m, base_url: 'https://u:hunter2hunter2@h/v1'}]}",
        "bot: {persona: the password is hunter2hunter2, name: [hunter2hunter2]}",
        "web: {enabled: [{x: [hunter2hunter2]}]}",
        "bot: {name: sk-hunter2hunter2, name: b}",
    ],
)
def test_a_secret_in_the_file_is_refused_and_not_repeated(text: str) -> None:
    """Whether by its key, its shape, or because the environment holds the same; the message does not show it."""
    found = problems(text, {"FRONTDESK_WEB_TOKEN": "hunter2hunter2"})

    assert any("secret" in line or "twice" in line for line in found)
    assert "hunter2hunter2" not in "\n".join(found)
    assert TELEGRAM not in "\n".join(found)


def test_a_secret_that_is_an_ordinary_word_is_named() -> None:
    """What is wrong then is the secret and not the key that holds the word; both are said, the value is not."""
    found = problems(
        "bot: {name: Ask Frontdesk}\nknowledge: {paths: [a, Frontdesk]}", {"FRONTDESK_WEB_TOKEN": "Frontdesk"}
    )

    assert [line.partition(", too")[0] for line in found] == [
        "FRONTDESK_WEB_TOKEN: found its value in bot.name",
        "FRONTDESK_WEB_TOKEN: found its value in knowledge.paths",
    ]
    assert "Frontdesk" not in "\n".join(found)


@pytest.mark.parametrize(
    "name", ["FRONTDESK_LLM__PROVIDERS", "FRONTDESK_KNOWLEDGE__BASES", "FRONTDESK_KNOWLEDGE__PATHS"]
)
def test_the_example_of_a_list_is_one(name: str) -> None:
    """Whoever follows our advice gets in."""
    (found,) = problems(environ={name: "x"})

    load(None, {name: found.partition("such as ")[2]})


def test_a_key_that_no_header_can_hold_is_named_and_not_shown() -> None:
    """Whoever pastes `sk-…` from a page would else get a failure for each question, and never the next provider."""
    found = problems("llm: {providers: [{name: a, api_key_env: A_KEY}]}", environ={"A_KEY": "sk-hunter2…"})

    assert len(found) == 1
    assert found[0].startswith("A_KEY: found a value that cannot be right, allowed the key")
    assert "hunter2" not in found[0]


def test_a_bad_secret_is_not_shown() -> None:
    """Not even the one that cannot be right."""
    found = problems(
        environ={"TELEGRAM_BOT_TOKEN": "oops hunter2", "REDIS_URL": "hunter2", "FRONTDESK_REDIS__URL": "x://:hunter2@h"}
    )

    assert len(found) == 3
    assert "hunter2" not in "\n".join(found)


# --- rules between keys -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "environ", "missing"),
    [
        ("", {"SLACK_BOT_TOKEN": "xoxb-1-a"}, "SLACK_APP_TOKEN"),
        ("slack: {mode: http}", {"SLACK_BOT_TOKEN": "xoxb-1-a"}, "SLACK_SIGNING_SECRET"),
        ("server: {host: 0.0.0.0}", {}, "FRONTDESK_WEB_TOKEN"),
        ("server: {host: front.example}", {}, "FRONTDESK_WEB_TOKEN"),
        ("embeddings: {provider: openai, model: m}", {}, "OPENAI_API_KEY"),
        ("embeddings: {provider: openai, base_url: 'http://h/v1'}", {}, "embeddings.model"),
    ],
)
def test_what_a_choice_needs_is_asked_for(text: str, environ: dict[str, str], missing: str) -> None:
    """A missing secret stops the start instead of turning something off."""
    (found,) = problems(text, environ)

    assert found.startswith(f"{missing}: found nothing, allowed ")


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        ("", {"SLACK_BOT_TOKEN": "xoxb-1-a", "SLACK_APP_TOKEN": "xapp-1-a"}),
        ("slack: {mode: http}", {"SLACK_BOT_TOKEN": "xoxb-1-a", "SLACK_SIGNING_SECRET": "abc"}),
        ("server: {host: 0.0.0.0}\nweb: {enabled: false}", {}),
        ("server: {host: 0.0.0.0}", {"FRONTDESK_WEB_TOKEN": "abcdefgh"}),
        ("server: {host: '::1'}", {}),
        ("embeddings: {provider: openai, model: m, base_url: 'http://h/v1', dimensions: 256}", {}),
        ("embeddings: {provider: openai, model: m}", {"OPENAI_API_KEY": "sk-abc"}),
    ],
)
def test_a_choice_with_all_it_needs_is_accepted(text: str, environ: dict[str, str]) -> None:
    """The other side of each rule."""
    assert isinstance(loaded(text, environ), BaseModel)


def test_a_provider_without_its_key_is_left_out_with_a_line() -> None:
    """The others stay in order; one that needs no key always does; none left means quotes."""
    text = """
        llm:
          providers:
            - {name: a, model: m, api_key_env: A_KEY}
            - {name: b, model: m, api_key_env: B_KEY}
            - {name: c, model: m, api_key_env: null, base_url: 'http://127.0.0.1:11434/v1'}
    """

    config = loaded(text, {"B_KEY": "secret-b"})

    assert [provider.name for provider in config.llm.providers] == ["b", "c"]
    assert [config.api_key(provider) for provider in config.llm.providers] == [SecretStr("secret-b"), None]
    assert config.notes == ("model provider a is left out: A_KEY is not set",)
    assert "secret-b" in config.secret_values()
    assert "secret-b" not in repr(config)
    assert load(None, {}).llm.providers == ()


def test_what_will_have_no_effect_is_said() -> None:
    """A platform whose token is missing."""
    config = loaded("", {"SLACK_APP_TOKEN": "xapp-1-a", "OPENAI_API_KEY": "sk-abc"})

    assert config.notes == ("Slack is off: SLACK_BOT_TOKEN is not set",)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("localhost", True), ("10.0.0.1", False), ("::", False)],
)
def test_loopback_is_this_machine_alone(host: str, loopback: bool) -> None:
    """The chat page may go without a token only where nobody else comes in."""
    assert is_loopback(host) is loopback

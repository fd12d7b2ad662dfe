"""The documentation says what the code does: keys, defaults, secrets, metrics, Redis keys, figures, commands, links.

What is compared is read from the tables of docs/, so a new key or metric without its line fails here.
"""

from __future__ import annotations

import ast
import asyncio
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import BaseModel

from bot import app, suspects
from bot.config import Config, load
from bot.config_rules import VARIABLES
from bot.http.metrics import ACCEPTED, OUTCOMES, RECONNECTS, PrometheusMeter
from bot.store import answers, embedded, keys, page_box

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted(DOCS.glob("*.md")), *[page for page in [ROOT / "README.md"] if page.exists()]]
MANIFEST: dict[str, Any] = yaml.safe_load((DOCS / "slack-manifest.yaml").read_text(encoding="utf-8"))

HISTORIES = frozenset({"channels:history", "groups:history", "im:history", "mpim:history"})
SCOPES_OF_METHODS = {
    "apps_connections_open": frozenset[str](),  # connections:write, of the app-level token
    "assistant_threads_setStatus": frozenset({"chat:write"}),
    "auth_test": frozenset[str](),
    "chat_postEphemeral": frozenset({"chat:write"}),
    "chat_postMessage": frozenset({"chat:write"}),
    "conversations_history": HISTORIES,
    "conversations_open": frozenset({"im:write"}),
    "conversations_replies": HISTORIES,
}
"""What Slack's reference asks for each Web API method that the adapter calls."""
SCOPES_OF_EVENTS = {
    "app_mention": "app_mentions:read",
    "message.channels": "channels:history",
    "message.groups": "groups:history",
    "message.im": "im:history",
    "message.mpim": "mpim:history",
    "reaction_added": "reactions:read",
}


def page(name: str) -> str:
    """The text of a page of docs/."""
    return (DOCS / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """The text under a heading of level 2 or 3, up to the next of the same or a higher level."""
    level = r"#{2,3}"
    start = re.search(rf"^({level}) {re.escape(heading)}$", text, re.MULTILINE)
    assert start is not None, f"no heading {heading!r}"
    following = re.compile(rf"^#{{2,{len(start[1])}}} ", re.MULTILINE).search(text, start.end())
    return text[start.end() : following.start() if following else None]


def rows(text: str) -> list[list[str]]:
    """The rows of the Markdown tables in a text, without their heads; cells are stripped."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rules = [index for index, line in enumerate(lines) if re.fullmatch(r"[|\s-]+", line)]
    heads = {index - 1 for index in rules} | set(rules)
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for index, line in enumerate(lines) if index not in heads
    ]


def code(cell: str) -> str:
    """What a cell says between backticks."""
    assert re.fullmatch(r"`[^`]+`", cell), f"not one word in backticks: {cell!r}"
    return cell.strip("`")


def keys_of(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Dotted keys of the configuration; those of a list of sections with `[]`."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        item = next(iter(get_args(inner)), None)
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from keys_of(inner, f"{prefix}{name}.")
        elif isinstance(item, type) and issubclass(item, BaseModel):
            yield from keys_of(item, f"{prefix}{name}[].")
        else:
            yield f"{prefix}{name}"


def chat_commands() -> set[str]:
    """The names in the command table of `bot.app.commands_of`, in the composition root."""
    tree = ast.parse(Path(app.__file__).read_text(encoding="utf-8"))
    tables = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "table"
    ]
    assert len(tables) == 1, "bot/app.py has no single `table` of commands any more"
    assert isinstance(tables[0], ast.Dict)
    return {key.value for key in tables[0].keys if isinstance(key, ast.Constant) and isinstance(key.value, str)}


# --- configuration --------------------------------------------------------------------------------------------------


def test_the_table_has_every_key_of_the_configuration_and_no_other() -> None:
    """What can be set is documented, and what is documented can be set."""
    documented = [code(row[0]) for row in rows(section(page("configuration.md"), "Every key"))]

    assert len(documented) == len(set(documented))
    assert set(documented) == set(keys_of(Config))


def test_the_defaults_of_the_table_are_those_of_the_program(tmp_path: Path) -> None:
    """A file written from the table changes nothing."""
    tree: dict[str, Any] = {}
    for key, default, _ in rows(section(page("configuration.md"), "Every key")):
        *sections, name = code(key).split(".")
        if "bases[]" in sections:  # by default there is none
            continue
        place: Any = tree
        for part in sections:
            if part.endswith("[]"):
                place = place.setdefault(part.removesuffix("[]"), [{}])[0]
            else:
                place = place.setdefault(part, {})
        place[name] = yaml.safe_load(code(default))
    written = tmp_path / "table.yaml"
    written.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")

    key_set = {"OPENAI_API_KEY": "sk-of-the-test"}
    assert load(written, key_set).model_dump() == load(Path("/dev/null"), key_set).model_dump()


def test_the_table_of_secrets_names_them_all() -> None:
    """Both ways, as they are read from the environment."""
    documented = {code(row[0]) for row in rows(section(page("configuration.md"), "Secrets"))}

    assert documented == set(VARIABLES)


@pytest.mark.parametrize("number", range(len(re.findall(r"^```yaml$", page("configuration.md"), re.MULTILINE))))
def test_the_examples_of_configurations_are_accepted(number: int, tmp_path: Path) -> None:
    """Whoever pastes one gets no error."""
    block = re.findall(r"^```yaml\n(.*?)^```$", page("configuration.md"), re.MULTILINE | re.DOTALL)[number]
    example = tmp_path / "example.yaml"
    example.write_text(block, encoding="utf-8")

    load(example, {"DASHSCOPE_API_KEY": "sk-of-the-test"})


def test_the_examples_of_overrides_are_accepted() -> None:
    """Their names are keys, and their values are good."""
    block = section(page("configuration.md"), "Keys from the environment")
    overrides = dict(re.findall(r"^export (FRONTDESK_\w+)='?(.*?)'?$", block, re.MULTILINE))

    assert len(overrides) == 5
    load(Path("/dev/null"), overrides)


# --- operations -----------------------------------------------------------------------------------------------------


def test_the_table_of_metrics_has_every_metric_and_no_other() -> None:
    """Names and labels, as a scrape shows them."""
    documented = {
        code(row[0]): set(re.findall(r"`(\w+)`", row[1])) for row in rows(section(page("operations.md"), "Metrics"))
    }
    registered = {
        metric.name + ("_total" if metric.type == "counter" else ""): labels
        for metric, labels in _metrics()
        if metric.name.startswith("frontdesk_")
    }

    assert documented == registered


class _Receiver:
    """A platform of which nothing was heard yet."""

    async def run(self, stop: asyncio.Event) -> None:
        """Nothing comes."""

    def not_ready(self) -> str | None:
        """Not ready."""
        return "connecting"

    def receives(self) -> bool:
        """Nor does it."""
        return False

    def silence(self) -> timedelta | None:
        """Nothing ever came."""
        return None


def _metrics() -> Iterator[tuple[Any, set[str]]]:
    """Metrics of a meter that has seen one of everything, with the labels they carry."""
    meter = PrometheusMeter(
        receivers=lambda: {"web": _Receiver()}, failures={"TimeoutError": 1}, documents=lambda: {"main": 1}
    )
    meter.received("web", "stored")
    meter.settled("web", "answered", 1.0)
    meter.sent("web", "ok")
    meter.refused("messages")
    meter.step("answer", 0.1)
    meter.model("ok", 0.1, 1, 1)
    meter.reuse("hit")
    meter.reconnected("web", "closed")
    asyncio.run(meter.render())
    for metric in meter.registry.collect():
        yield metric, {label for sample in metric.samples for label in sample.labels} - {"le"}


def test_the_values_of_the_metrics_labels_are_named() -> None:
    """What an operator may meet in a label is in the table."""
    text = section(page("operations.md"), "Metrics")

    assert not [value for value in ACCEPTED | OUTCOMES | RECONNECTS if f"`{value}`" not in text]


def test_every_kind_of_key_in_redis_is_in_the_table() -> None:
    """`bot/store/keys.py` documents each with a name after the colon; the table says how long it is kept."""
    source = Path(keys.__file__).read_text(encoding="utf-8")
    kinds = set(re.findall(r"^ {4}`(:[a-z]+:?)", source, re.MULTILINE))
    text = section(page("operations.md"), "What is stored, and for how long")

    assert len(kinds) > 15
    assert not [kind for kind in kinds if f"`{kind}" not in text]


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("operations.md", timedelta(milliseconds=keys.SEEN_MS), "| 26 hours |"),
        ("operations.md", timedelta(milliseconds=keys.INDEX_MS), "90 days after the last message"),
        ("operations.md", timedelta(milliseconds=keys.MARK_MS), "| 8 days |"),
        ("operations.md", timedelta(milliseconds=keys.DEAD_MS), "| 7 days |"),
        ("operations.md", answers.FREE, "30 seconds at most"),
        ("operations.md", app.DRAIN, "up to 20 s"),
        ("operations.md", embedded.STOP_WAIT, "up to 10 s"),
        ("operations.md", embedded.OWNER_WAIT, "waits 15 s"),
        ("operations.md", page_box.TTL, "a day after the last one"),
    ],
)
def test_the_times_of_the_documentation_are_those_of_the_code(name: str, value: timedelta, said: str) -> None:
    """A changed constant asks for a changed sentence."""
    figure = int((re.search(r"\d+", said) or ["1"])[0])
    unit = next(unit for unit in ("hour", "day", "second", " s") if unit in said)
    seconds = {"hour": 3600, "day": 86400, "second": 1, " s": 1}[unit]

    assert value == timedelta(seconds=figure * seconds)
    assert said in page(name)


def test_the_other_figures_of_the_documentation_are_those_of_the_code() -> None:
    """Counts and lengths."""
    assert f"| {app.MAX_QUESTION_CHARS:,} characters |" in page("chat-commands.md")
    assert f"the last {page_box.MOST} of a session" in page("operations.md")
    assert suspects.MAX_CRASHES == 10
    assert "After ten times" in page("operations.md")


# --- chat commands and Slack ----------------------------------------------------------------------------------------


def test_every_chat_command_is_described() -> None:
    """And none that there is not."""
    text = page("chat-commands.md")
    described = {code(row[0]) for row in rows(section(text, "Commands for everyone")) if row[0].startswith("`/")}

    assert described == {f"/{name}" for name in chat_commands()}


def test_the_slash_commands_of_the_manifest_are_known() -> None:
    """Slack would offer people what the bot does not understand."""
    offered = [command["command"] for command in MANIFEST["features"]["slash_commands"]]

    assert len(offered) == len(set(offered))
    assert {name.removeprefix("/") for name in offered} <= chat_commands()
    assert all(re.fullmatch(r"/[a-z][a-z0-9_-]{0,31}", name) for name in offered)


def test_the_manifest_has_the_scopes_that_are_needed_and_no_other() -> None:
    """Whoever installs the app is asked for no more than what is used."""
    sources = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "adapters" / "slack").glob("*.py"))]
    called = {method for text in sources for method in re.findall(r"_client\.([a-z]+(?:_[a-zA-Z]+)+)\(", text)}
    events = MANIFEST["settings"]["event_subscriptions"]["bot_events"]

    assert called == set(SCOPES_OF_METHODS)
    needed = frozenset[str]().union(*(SCOPES_OF_METHODS[method] for method in called))
    needed |= {SCOPES_OF_EVENTS[event] for event in events} | {"commands"}
    assert sorted(MANIFEST["oauth_config"]["scopes"]["bot"]) == sorted(needed)


def test_the_manifest_has_the_events_and_settings_that_are_needed() -> None:
    """Both events of a mention, messages of every kind of channel, Socket Mode as is our default, and an open door."""
    settings, home = MANIFEST["settings"], MANIFEST["features"]["app_home"]

    assert sorted(settings["event_subscriptions"]["bot_events"]) == sorted(SCOPES_OF_EVENTS)
    assert settings["socket_mode_enabled"] is (Config().slack.mode == "socket")
    assert settings["token_rotation_enabled"] is False
    assert (home["messages_tab_enabled"], home["messages_tab_read_only_enabled"]) == (True, False)


def test_the_scopes_are_explained() -> None:
    """Each with what it is for, for whoever has to approve the app."""
    text = section(page("connect-slack.md"), "What each scope is for")
    explained = {scope for row in rows(text) for scope in re.findall(r"`([a-z_]+:?[a-z]*)`", row[0])}

    assert explained == set(MANIFEST["oauth_config"]["scopes"]["bot"])


# --- links ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    """Every relative link is a file that exists, every anchor a heading in it."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    broken = [link for link in links if not re.match(r"[a-z]+:", link) and not _leads(link, path)]

    assert not broken


def _leads(link: str, page_of_link: Path) -> bool:
    name, _, anchor = link.partition("#")
    target = (page_of_link.parent / name) if name else page_of_link
    if not target.exists():
        return False
    if not anchor or target.suffix != ".md":
        return True
    headings = re.findall(r"^#{1,6} (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
    return anchor in map(_anchor_of, headings)


def _anchor_of(heading: str) -> str:
    """As GitHub makes it: lower case, without punctuation, blanks as hyphens."""
    return re.sub(r"[^\w\s-]", "", heading.lower()).strip().replace(" ", "-")

"""The command line as people and scripts meet it: words, exit codes, signals."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest
import structlog

from bot.__main__ import run, run_command
from bot.cli_entry import Entry, Role
from bot.config import Config, load
from bot.config_rules import VARIABLES
from bot.dead import DeadAct, DeadLetter
from bot.errors import BotError, ConfigError, StartError, StoreUnavailable
from bot.evaluate import Judged, Pair, Searched
from bot.knowledge.progress import Progress, Summary
from bot.logs import QUIET
from bot.message import MessageId, turn_id
from bot.ports import Found
from bot.turn import Passage
from bot.welcome import start_text
from tests.make import incoming

TOKEN = "123456789:AAFakeFakeFakeFakeFakeFakeFakeFake123"
PASSAGE = Passage(
    id="p1",
    document="docs/[red]cards.md",
    version="v1",
    title="Cards",
    place="Lost cards › Abroad",
    text="Call [bold]us[/bold] 挂失",
    language="en",
    score=0.91,
    cosine_distance=0.2,
)


LETTER = DeadLetter(
    id="telegram:1:5",
    buried_at=datetime(2026, 11, 26, 9, 30, tzinfo=UTC),
    reason="3 exceptions, 0 crashes",
    conversation="telegram:1:100::7",
    incoming=incoming("What is [red]this?"),
)


class FakeApplication:
    """Stands for `bot.app`: remembers what it was asked, answers what it was told to."""

    def __init__(self, *, error: Exception | None = None, summary: Summary | None = None) -> None:
        self.asked: list[object] = []
        self.config: Config | None = None
        self._error = error
        self._summary = summary or Summary()

    def _begin(self, config: Config, *asked: object) -> None:
        self.config = config
        self.asked.append(asked)
        if self._error is not None:
            raise self._error

    async def serve(
        self, config: Config, stop: asyncio.Event, announce: Callable[[str], None], role: Role = "all"
    ) -> None:
        """Announce and end."""
        self._begin(config, "serve", stop.is_set(), *([] if role == "all" else [role]))
        announce("http://127.0.0.1:8080")

    async def chat(self, config: Config, stop: asyncio.Event) -> None:
        """End at once."""
        self._begin(config, "chat", stop.is_set())

    async def ingest(
        self, config: Config, paths: list[Path], on_progress: Callable[[Progress], None], base: str = "main"
    ) -> Summary:
        """Report one document."""
        self._begin(config, "ingest", paths, *([] if base == "main" else [base]))
        on_progress(Progress(done=1, total=1, passages=2, share=1.0, path="[red]a.md"))
        return self._summary

    async def remove(self, config: Config, paths: list[Path], base: str = "main") -> Summary:
        """Report what was set."""
        self._begin(config, "remove", paths, *([] if base == "main" else [base]))
        return self._summary

    async def dead_letters(self, config: Config) -> Sequence[DeadLetter]:
        """The one letter."""
        self._begin(config, "dead letters")
        return [LETTER]

    async def dead(self, config: Config, act: DeadAct, ids: Sequence[str] | None) -> dict[str, bool]:
        """Done to the one there is."""
        self._begin(config, act, ids)
        return {one: one == LETTER.id for one in ids or [LETTER.id]}

    async def search(
        self, config: Config, questions: Sequence[str], k: int | None = None, base: str = "main"
    ) -> list[Searched]:
        """Find the one passage, unless asked for nothing."""
        self._begin(config, "search", questions[0] if len(questions) == 1 else list(questions))
        return [
            Searched(
                question=question,
                found=Found(passages=() if question == "nothing" else (PASSAGE,), epoch=3),
                milliseconds=2.5,
            )
            for question in questions
        ]

    async def reuse(self, config: Config, pairs: Sequence[Pair], base: str = "main") -> list[Judged]:
        """Reuse what is spelled the same."""
        self._begin(config, "reuse", len(pairs), base)
        return [
            Judged(pair=pair, distance=0.25, refused_by="" if pair.stored == pair.asked else "numbers")
            for pair in pairs
        ]


@pytest.fixture(autouse=True)
def own_process_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """An empty folder, no variables of ours; logging is put back as it was."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("FRONTDESK_") or name in VARIABLES]:
        monkeypatch.delenv(name)
    root = logging.getLogger()
    handlers, level, hooks = root.handlers[:], root.level, (sys.excepthook, threading.excepthook)
    levels = {name: logging.getLogger(name).level for name in QUIET}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    sys.excepthook, threading.excepthook = hooks
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def command(*arguments: str, application: FakeApplication | None = None) -> int:
    """Run a command in this process against the fake; its exit code."""
    return run_command(list(arguments), Entry(run=run, application=lambda: application or FakeApplication()))


# --- what each command hands over ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["serve"], ("serve", False)),
        (["serve", "--role", "all"], ("serve", False)),
        (["chat"], ("chat", False)),
        (["ingest", "a.md", "docs"], ("ingest", [Path("a.md"), Path("docs")])),
        (["ingest", "--remove", "a.md", "docs"], ("remove", [Path("a.md"), Path("docs")])),
        (["search", "how do I block my card"], ("search", "how do I block my card")),
        (["search", "怎么", "挂失", "--json"], ("search", "怎么 挂失")),
    ],
)
def test_every_command_takes_a_config_after_its_other_arguments(
    arguments: list[str], asked: object, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file that was named is used, and the arguments arrive."""
    Path("a.md").write_text("# A")
    Path("docs").mkdir()
    Path("other.yaml").write_text("server: {port: 9000}")
    application = FakeApplication()

    assert command(*arguments, "--config", "other.yaml", application=application) == 0

    assert application.asked == [asked]
    assert application.config is not None
    assert application.config.server.port == 9000
    assert "Traceback" not in capsys.readouterr().err


def test_serve_shows_where_to_chat_once_it_is_ready(capsys: pytest.CaptureFixture[str]) -> None:
    """The text goes to standard output, the line about the missing model to the log."""
    assert command("serve") == 0

    shown = capsys.readouterr()
    assert "http://127.0.0.1:8080" in shown.out
    assert "export TELEGRAM_BOT_TOKEN=" in shown.out
    assert "model provider openai is left out: OPENAI_API_KEY is not set" in shown.err


def test_search_prints_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    """Best first, with score, distance, document and place; what documents say is not taken for markup."""
    assert command("search", "card") == 0

    shown = capsys.readouterr().out
    assert all(words in shown for words in ("0.910", "0.200", "docs/[red]cards.md", "Abroad", "Call [bold]us[/bold]"))


def test_search_prints_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """One object per passage and nothing else on standard output, for other programs."""
    assert command("search", "card", "--json") == 0

    (line,) = capsys.readouterr().out.splitlines()
    record = json.loads(line)
    assert (record["document"], record["score"], record["text"]) == (PASSAGE.document, 0.91, PASSAGE.text)
    assert "挂失" in line


@pytest.mark.parametrize(("arguments", "printed"), [(["nothing"], "Nothing found.\n"), (["nothing", "--json"], "")])
def test_search_that_finds_nothing_is_no_error(
    arguments: list[str], printed: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """People get a sentence, programs get no line."""
    assert command("search", *arguments) == 0
    assert capsys.readouterr().out == printed


def test_a_batch_of_questions_gives_a_line_for_each(capsys: pytest.CaptureFixture[str]) -> None:
    """Question, passages and milliseconds, in order; a file that is not UTF-8, or both kinds at once, is an error."""
    Path("q.txt").write_text("card\n\n挂失\n", encoding="utf-8")
    Path("gb.txt").write_bytes("挂失".encode("gb18030"))

    assert command("search", "--batch", "q.txt", "--json") == 0

    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["question"], second["question"], first["milliseconds"]) == ("card", "挂失", 2.5)
    assert first["passages"] == [
        {"document": PASSAGE.document, "place": PASSAGE.place, "text": PASSAGE.text, "score": 0.91}
    ]
    assert command("search", "--batch", "gb.txt") == 2
    assert command("search", "card", "--batch", "q.txt") == 2
    assert command("search") == 2


def test_eval_retrieval_prints_the_figures(capsys: pytest.CaptureFixture[str]) -> None:
    """One line per figure; every unreadable line of the file is named."""
    lines = [{"question": "card", "document": PASSAGE.document}, {"question": "nothing", "document": "other.md"}]
    Path("e.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    Path("bad.jsonl").write_text('{"question": "x"}\nnot json\n', encoding="utf-8")

    assert command("eval", "retrieval", "e.jsonl") == 0

    figures = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert figures == {
        "questions": "2",
        "recall@1": "0.5",
        "recall@5": "0.5",
        "mrr": "0.5",
        "p50_ms": "2.5",
        "p99_ms": "2.5",
    }
    assert command("eval", "retrieval", "bad.jsonl") == 2
    said = capsys.readouterr().err
    assert all(words in said for words in ("line 1", "line 2"))


PAIRS = [
    {"stored": "a", "asked": "a", "same": True},
    {"stored": "1 day", "asked": "2 days", "same": False},
    {"stored": "什么", "asked": "啥", "same": True},
]


def test_eval_reuse_prints_each_pair_and_the_rates(capsys: pytest.CaptureFixture[str]) -> None:
    """As JSON, the last line is the only one without `reuse`."""
    Path("p.jsonl").write_text("\n".join(map(json.dumps, PAIRS)) + "\n", encoding="utf-8")

    assert command("eval", "reuse", "p.jsonl", "--json") == 0
    *pairs, rates = map(json.loads, capsys.readouterr().out.splitlines())
    assert command("eval", "reuse", "p.jsonl") == 0
    shown = capsys.readouterr().out

    assert pairs[1] == {"reuse": False, "distance": 0.25, "refused_by": "numbers", **PAIRS[1]}
    assert [pair["reuse"] for pair in pairs] == [True, False, False]
    assert {name: (rate["hits"], rate["pairs"]) for name, rate in rates.items()} == {
        "hit_rate": (1, 2),
        "wrong_hit_rate": (0, 1),
        "precision": (1, 1),
    }
    assert "numbers" in shown
    assert "0.5000 [0.0945, 0.9055]  1 of 2" in shown


def test_eval_reuse_names_every_unreadable_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Also one in which `same` is no true or false, or a question no text."""
    bad = ['{"stored": "a", "asked": "b"}', "[]", '{"stored": "a", "asked": "b", "same": 1}', "not json", "null"]
    bad.append('{"stored": 1, "asked": "b", "same": true}')
    Path("bad.jsonl").write_text("\n".join([json.dumps(PAIRS[0]), *bad]), encoding="utf-8")

    assert command("eval", "reuse", "bad.jsonl") == 2

    said = capsys.readouterr().err
    assert [f"line {number}" in said for number in range(1, 8)] == [False, True, True, True, True, True, True]


def test_ingest_says_what_it_did_and_what_it_skipped(capsys: pytest.CaptureFixture[str]) -> None:
    """A broken file is reported and does not fail the command while others were read."""
    Path("docs").mkdir()
    failed = [("d.html", "not UTF-8"), ("old", "no documents there")]
    summary = Summary(added=["a", "b"], changed=["c"], failed=failed, kept={"old": 4})

    assert command("ingest", "docs", application=FakeApplication(summary=summary)) == 0

    shown = capsys.readouterr()
    assert shown.out == "Documents: 2 added, 1 changed, 0 unchanged, 0 removed, 2 skipped\n"
    assert "skipped d.html: not UTF-8" in shown.err
    assert "documents kept: 4; to take them out: frontdesk ingest --remove old" in shown.err
    assert shown.err.count("old") == 2


def test_ingest_fails_if_nothing_could_be_read() -> None:
    """A script should notice that all of its documents are broken."""
    Path("docs").mkdir()
    summary = Summary(failed=[("d.html", "not UTF-8")])

    assert command("ingest", "docs", application=FakeApplication(summary=summary)) == 1


def test_commands_other_than_serve_log_warnings_only(capsys: pytest.CaptureFixture[str]) -> None:
    """What was asked for is not buried under the notes of the start."""
    assert command("search", "card") == 0
    assert capsys.readouterr().err == f"Redis: embedded, {Path('data').absolute()} (new)\n"


def test_a_command_says_which_redis_it_asks(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run without the service's environment it asks another one, where nothing is found; passwords are not shown."""
    Path("data/appendonlydir").mkdir(parents=True)
    assert command("dead", "list") == 0
    embedded = capsys.readouterr().err
    monkeypatch.setenv("REDIS_URL", "redis://app:hunter2@db.example:6379/0")
    monkeypatch.setenv("FRONTDESK_KNOWLEDGE__REDIS_URL", "redis://:hunter2@kb.example")
    assert command("search", "card") == 0

    assert embedded == f"Redis: embedded, {Path('data').absolute()}\n"
    assert capsys.readouterr().err == ("Redis: redis://app:***@db.example:6379/0; documents: redis://:***@kb.example\n")


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    """`--version` needs no configuration."""
    Path("config.yaml").write_text("broken: [")

    assert command("--version") == 0
    assert capsys.readouterr().out == f"frontdesk {version('frontdesk')}\n"


# --- what can go wrong ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["serve", "chat", "search", "ingest"])
def test_a_wrong_configuration_is_exit_code_2_with_all_problems(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The application is not even asked for."""
    Path("config.yaml").write_text("server: {port: x}\nbot: {language: fr}")
    arguments = {"search": ["question"], "ingest": ["config.yaml"]}.get(name, [])

    def no_application() -> FakeApplication:
        raise AssertionError("the application was asked for")

    code = run_command([name, *arguments], Entry(run=run, application=no_application))

    shown = capsys.readouterr()
    assert code == 2
    assert "server.port: found" in shown.err
    assert "bot.language: found" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("role", ["gateway", "worker"])
def test_a_part_needs_a_redis_that_others_reach_too(
    role: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded one belongs to the process that started it."""
    application = FakeApplication()
    without = command("serve", "--role", role, application=application)
    shown = capsys.readouterr().err
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1")

    assert (without, command("serve", "--role", role, application=application)) == (2, 0)
    assert f"--role {role}: found no Redis to share, allowed REDIS_URL" in shown
    assert application.asked == [("serve", False, role)]


@pytest.mark.parametrize("arguments", [["serve", "--role", "boss"], ["ingest"], ["dance"], []])
def test_a_wrong_command_line_is_exit_code_2(arguments: list[str]) -> None:
    """Usage errors look like the configuration's to a script."""
    assert command(*arguments) == 2


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (StartError("port 8080 is taken: set server.port"), 1),
        (StoreUnavailable("Redis does not answer"), 1),
        (ExceptionGroup("tasks", [ExceptionGroup("inner", [StartError("port 8080 is taken")])]), 1),
        (ConfigError(["a: found 1, allowed 2"]), 2),
    ],
)
def test_our_own_errors_are_a_line_without_a_traceback(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """The operator reads what to do, even if a TaskGroup wrapped it."""
    assert command("serve", application=FakeApplication(error=error)) == code

    inner: BaseException = error
    while isinstance(inner, BaseExceptionGroup):
        inner = inner.exceptions[0]
    shown = capsys.readouterr().err
    assert isinstance(inner, BotError)
    assert str(inner) in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize("where", ["file", "environment"])
@pytest.mark.parametrize(
    ("arguments", "port", "code", "event", "problem"),
    [
        ([], "x", 2, "The configuration needs your attention", "FRONTDESK_SERVER__PORT (server.port): found"),
        (["--role", "worker"], "1", 2, "The configuration needs your attention", "--role worker: found no Redis"),
        ([], "1", 1, "[hidden]: port taken", ""),
    ],
)
def test_where_the_log_is_json_a_failure_at_start_is_a_line_of_it(
    where: str,
    arguments: list[str],
    port: str,
    code: int,
    event: str,
    problem: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whoever collects the lines of the log misses none that says why the bot does not start."""
    if where == "file":
        Path("config.yaml").write_text("logging: {format: json}")
    else:
        monkeypatch.setenv("FRONTDESK_LOGGING__FORMAT", "json")
    monkeypatch.setenv("FRONTDESK_WEB_TOKEN", "correct-horse")
    monkeypatch.setenv("FRONTDESK_SERVER__PORT", port)
    application = FakeApplication(error=StartError("correct-horse: port taken"))

    assert command("serve", *arguments, application=application) == code

    last = [json.loads(line) for line in capsys.readouterr().err.splitlines()][-1]
    assert (last["level"], last["event"]) == ("critical", event)
    assert "".join(last.get("problems", [""])).startswith(problem)


def test_an_error_nobody_foresaw_is_logged_without_secrets(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its traceback, through the redactor, and exit code 1; so are secrets in errors of our own."""
    monkeypatch.setenv("TELEGRAM_BOT_TOKEN", TOKEN)
    monkeypatch.setenv("FRONTDESK_WEB_TOKEN", "correct-horse")

    assert command("serve", application=FakeApplication(error=ValueError(f"bot{TOKEN} correct-horse"))) == 1
    assert command("serve", application=FakeApplication(error=StartError(f"bot{TOKEN} correct-horse"))) == 1

    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "ValueError: bot[hidden] [hidden]" in shown
    assert TOKEN not in shown
    assert "correct-horse" not in shown


# --- as a process ---------------------------------------------------------------------------------------------------

PROGRAM = """
import asyncio, sys
from bot.__main__ import run, run_command
from bot.cli_entry import Entry

class Application:
    async def serve(self, config, stop, announce, role="all"):
        print("ready", flush=True)
        await stop.wait()
        print("stopping", flush=True)
        if {hangs}:
            await asyncio.sleep(60)
        print("stopped in order", flush=True)

    async def search(self, config, questions, k=None, base="main"):
        print("ready", flush=True)
        await asyncio.sleep(60)

sys.exit(run_command(sys.argv[1:], Entry(run=run, application=Application)))
"""


def process(*arguments: str, hangs: bool = False) -> subprocess.Popen[str]:
    """A command in a process of its own, ready for signals."""
    program = [sys.executable, "-c", PROGRAM.format(hangs=hangs), *arguments]
    started = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # noqa: S603 - ours
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_bot_in_order(number: signal.Signals) -> None:
    """Exit code 0: a clean stop is what was asked for."""
    bot = process("serve")

    bot.send_signal(number)
    out, err = bot.communicate(timeout=30)

    assert (bot.returncode, out) == (0, "stopping\nstopped in order\n")
    assert "Traceback" not in err


def test_a_second_signal_ends_it_at_once() -> None:
    """Who presses Ctrl-C twice means it."""
    bot = process("serve", hangs=True)
    assert bot.stdout is not None

    bot.send_signal(signal.SIGINT)
    assert bot.stdout.readline() == "stopping\n"
    bot.send_signal(signal.SIGINT)
    out, err = bot.communicate(timeout=30)

    assert (bot.returncode, out) == (130, "")
    assert "stopped at once" in err


def test_ctrl_c_interrupts_a_command_without_a_traceback() -> None:
    """A search that takes too long is simply given up."""
    search = process("search", "card")

    search.send_signal(signal.SIGINT)
    out, err = search.communicate(timeout=30)

    assert (search.returncode, out) == (130, "")
    assert [line.partition(":")[0] for line in err.splitlines()] == ["Redis"]


def test_configuration_errors_come_before_anything_heavy_or_any_network() -> None:
    """`python -m bot` with a bad file: exit 2, and none of the libraries that take a second to import was loaded."""
    Path("config.yaml").write_text("server: {port: x}")
    heavy = {"aiohttp", "httpx", "numpy", "openai", "redis", "rich.progress", "slack_bolt", "starlette", "telegram"}
    program = (
        "import sys; from bot.__main__ import *\n"
        "code = run_command(['serve'], Entry(run=run, application=lambda: 1 / 0))\n"
        f"print(code, sorted({heavy!r} & sys.modules.keys()))"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)  # noqa: S603

    assert ended.stdout == "2 []\n"


def test_the_package_runs_as_a_module() -> None:
    """`python -m bot` is `frontdesk`."""
    Path("config.yaml").write_text("server: {port: x}")

    ended = subprocess.run([sys.executable, "-m", "bot", "serve"], capture_output=True, text=True, check=False)

    assert ended.returncode == 2
    assert ended.stderr.startswith("The configuration needs your attention:\n  server.port: found")


# --- the start text -------------------------------------------------------------------------------------------------


def test_the_start_text_says_how_to_connect_what_is_missing() -> None:
    """With nothing set: the address, and one line each for Telegram, Slack and a model."""
    text = start_text(load(None, {}), "http://127.0.0.1:8080")

    assert "http://127.0.0.1:8080" in text
    exports = [line for line in text.splitlines() if "export " in line]
    assert [line.split()[0] for line in exports] == ["Telegram", "Slack", "Model"]


def test_the_start_text_says_what_is_on_and_shows_no_secret() -> None:
    """With everything set there is nothing left to export."""
    environ = {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "SLACK_BOT_TOKEN": "xoxb-1-hidden",
        "SLACK_APP_TOKEN": "xapp-1-hidden",
        "OPENAI_API_KEY": "sk-hidden-hidden",
        "FRONTDESK_WEB_TOKEN": "hidden-page",
        "FRONTDESK_KNOWLEDGE__PATHS": "[]",
        "FRONTDESK_KNOWLEDGE__BASES": '[{"name": "staff", "paths": ["internal"]}]',
    }

    text = start_text(load(None, environ), "http://127.0.0.1:8080")

    assert "export " not in text
    assert "internal (staff)" in text
    assert "FRONTDESK_WEB_TOKEN" in text
    assert TOKEN not in text
    assert "hidden" not in text


# --- dead letters ---


def test_dead_letters_are_listed_without_words(capsys: pytest.CaptureFixture[str]) -> None:
    """Id, when, where and why; what the person wrote is shown when asked for."""
    assert command("dead", "list") == 0
    listed = capsys.readouterr().out
    assert command("dead", "show", LETTER.id) == 0
    shown = capsys.readouterr().out
    assert command("dead", "list", "--json") == 0
    record = json.loads(capsys.readouterr().out)

    turn = turn_id(MessageId(LETTER.id))
    assert listed == f"telegram:1:5  2026-11-26 09:30:00 UTC  telegram:1:100::7  turn={turn}  3 exceptions, 0 crashes\n"
    assert shown == f"{listed}\nWhat is [red]this?\n"
    assert (record["id"], record["turn"], record["text"]) == (LETTER.id, turn, "What is [red]this?")


@pytest.mark.parametrize("act", ["retry", "drop"])
def test_some_dead_letters_or_all_are_retried_or_dropped(act: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is said; one that is not there is an error, and the others are done all the same."""
    application = FakeApplication()

    codes = [
        command("dead", act, *ids, application=application)
        for ids in (["all"], [LETTER.id], ["telegram:1:9", LETTER.id])
    ]

    assert codes == [0, 0, 1]
    assert application.asked == [(act, None), (act, [LETTER.id]), (act, ["telegram:1:9", LETTER.id])]
    captured = capsys.readouterr()
    assert captured.out.splitlines() == [f"{act}: {LETTER.id}"] * 3
    assert "there is no dead letter telegram:1:9" in captured.err


def test_a_dead_letter_that_is_not_there_cannot_be_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """It says where to look."""
    assert command("dead", "show", "telegram:1:9") == 1
    assert "frontdesk dead list" in capsys.readouterr().err

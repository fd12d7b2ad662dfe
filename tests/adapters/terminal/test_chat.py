"""Chat in a terminal: at a keyboard and from a pipe."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

import pytest

from adapters.terminal import chat
from bot.message import Command, Incoming
from bot.ports import Accepted
from tests.adapters.web.fakes import FakeBox, FakeGate

SESSION = "someone-1234"


class Screen:
    """What was written."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        """Add to it."""
        self.text += text

    async def shows(self, text: str) -> None:
        """Wait until it does."""
        deadline = time.monotonic() + 10
        while text not in self.text:
            assert time.monotonic() < deadline, f"{text!r} is not in {self.text!r}"
            await asyncio.sleep(0.005)


class Keyboard:
    """Lines that a person types one by one."""

    def __init__(self) -> None:
        self._typed: asyncio.Queue[str | None] = asyncio.Queue()

    def type(self, *lines: str) -> None:
        """Type lines."""
        for line in lines:
            self._typed.put_nowait(line)

    def end(self) -> None:
        """Ctrl-D."""
        self._typed.put_nowait(None)

    async def lines(self) -> AsyncIterator[str]:
        """What the chat reads."""
        while (line := await self._typed.get()) is not None:
            yield line


async def _pipe(lines: Sequence[str]) -> AsyncIterator[str]:
    for line in lines:
        yield line


async def _run(
    lines: AsyncIterator[str],
    screen: Screen,
    *,
    interactive: bool = False,
    box: FakeBox | None = None,
    gate: FakeGate | None = None,
    stop: asyncio.Event | None = None,
    waiting_words: frozenset[str] = frozenset(),
    locale: str | None = None,
    quiet: timedelta = timedelta(seconds=20),
) -> int:
    box = box or FakeBox()
    async with asyncio.timeout(20):
        return await chat.run(
            gate or FakeGate(box),
            box,
            session=SESSION,
            greeting="Welcome.",
            stop=stop or asyncio.Event(),
            lines=lines,
            write=screen.write,
            interactive=interactive,
            waiting_words=waiting_words,
            locale=locale,
            quiet=quiet,
        )


async def test_a_pipe_is_answered_to_the_last_line() -> None:
    """Every line gets its reply, in order, without prompt or greeting; then it ends."""
    screen, gate_box = Screen(), FakeBox()
    gate = FakeGate(gate_box)

    unanswered = await _run(
        _pipe(["one", "", "two", "/help me"]), screen, box=gate_box, gate=gate, locale="zh_CN.UTF-8"
    )

    assert unanswered == 0
    assert screen.text == "echo: one\n\necho: two\n\necho: /help me\n\n"
    first, _, last = gate.incoming
    assert (first.conversation.platform, first.conversation.channel, first.conversation.user) == (
        "terminal",
        SESSION,
        SESSION,
    )
    assert (first.locale, first.reply_to.private) == ("zh-cn", True)
    assert last.command == Command(name="help", argument="me", addressed=True)
    assert len({incoming.id for incoming in gate.incoming}) == 3


async def test_a_pipe_waits_for_slow_replies() -> None:
    """The end of the input is not the end of the chat: a reply that takes long is waited for."""
    screen, box = Screen(), FakeBox()
    task = asyncio.create_task(
        _run(_pipe(["one"]), screen, box=box, gate=FakeGate(), waiting_words=frozenset({"Wait."}))
    )

    await box.append(SESSION, "a", "Wait.")
    await screen.shows("Wait.")
    assert not task.done()
    await box.append(SESSION, "b", "Here it is.")

    assert await task == 0
    assert screen.text == "Wait.\n\nHere it is.\n\n"


async def test_a_pipe_does_not_run_ahead() -> None:
    """A long file is handed in piece by piece, so that no mailbox overflows."""
    screen, box, gate = Screen(), FakeBox(), FakeGate()
    task = asyncio.create_task(_run(_pipe([f"line {n}" for n in range(50)]), screen, box=box, gate=gate))

    answered = 0
    most_ahead = 0
    while answered < 50:
        most_ahead = max(most_ahead, len(gate.incoming) - answered)
        if len(gate.incoming) > answered:
            await box.append(SESSION, f"key {answered}", f"reply {answered}.")
            answered += 1
        await asyncio.sleep(0)

    assert await task == 0
    assert most_ahead <= chat.MAX_AHEAD + 1


async def test_a_reply_that_never_comes() -> None:
    """A message that is passed over in silence holds the pipe up only so long, and is counted."""
    screen = Screen()

    unanswered = await _run(_pipe(["one", "two"]), screen, gate=FakeGate(), quiet=timedelta(milliseconds=50))

    assert unanswered == 2
    assert screen.text == "(2 of the messages got no reply)\n\n"


async def test_at_a_keyboard() -> None:
    """Greeting, prompt, reply, prompt; an empty line only brings the prompt; `/quit` ends it."""
    screen, keyboard = Screen(), Keyboard()
    task = asyncio.create_task(_run(keyboard.lines(), screen, interactive=True))

    keyboard.type("hello")
    await screen.shows("echo: hello")
    keyboard.type("", " /QUIT ")

    assert await task == 0
    assert screen.text == "Welcome.\n\n> \recho: hello\n\n> > \n"


@pytest.mark.parametrize("leave", [lambda keyboard, _: keyboard.end(), lambda _, stop: stop.set()])
async def test_leaving_a_keyboard(leave: Callable[[Keyboard, asyncio.Event], None]) -> None:
    """Ctrl-D and the stop of the process end it at once, reply or no reply."""
    screen, keyboard, stop, gate = Screen(), Keyboard(), asyncio.Event(), FakeGate()
    task = asyncio.create_task(_run(keyboard.lines(), screen, interactive=True, gate=gate, stop=stop))
    keyboard.type("hello")
    await gate.arrived.wait()

    leave(keyboard, stop)

    assert await task == 1


async def test_a_document_cannot_take_the_terminal() -> None:
    """Control characters, escape sequences and turned text are taken out; tabs and lines stay."""
    screen, box = Screen(), FakeBox()
    await box.append(SESSION, "a", "a\x1b]0;title\x07\x1b[2Jb\r\n\tc\r\x9b1m\u202ed\u2066\x00\x7f")

    await _run(_pipe(["x"]), screen, box=box)

    assert screen.text.startswith("a]0;title[2Jb\n\tc1md\n\n")


async def test_redis_away_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that could not be stored is handed in again under the same id."""
    monkeypatch.setattr(chat, "RETRY_DELAYS_S", (0.001, 0.001))
    screen, box = Screen(), FakeBox()
    gate = FakeGate(box)
    gate.failures = 2

    assert await _run(_pipe(["one"]), screen, box=box, gate=gate) == 0
    assert screen.text == "echo: one\n\n"


async def test_redis_away_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """The person is told that the line was not sent."""
    monkeypatch.setattr(chat, "RETRY_DELAYS_S", (0.001, 0.001))
    screen, gate = Screen(), FakeGate()
    gate.failures = 3

    assert await _run(_pipe(["一"]), screen, gate=gate, locale="zh_TW.UTF-8") == 0
    assert screen.text == "(未发送：Redis 没有响应)\n\n"


async def test_replies_go_on_after_redis_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """The box out of reach is said once, and read on once it is back."""
    monkeypatch.setattr(chat, "RETRY_DELAYS_S", (0.001,))
    screen, keyboard, box = Screen(), Keyboard(), FakeBox()
    gate = FakeGate(box)
    box.broken = True
    task = asyncio.create_task(_run(keyboard.lines(), screen, interactive=True, box=box, gate=gate))
    await screen.shows("trying again")

    box.broken = False
    keyboard.type("hello")
    await screen.shows("echo: hello")
    keyboard.end()
    await task

    assert screen.text.count("trying again") == 1


async def test_refusals_that_are_only_counted() -> None:
    """A message that a full mailbox only counts gets no reply, so none is waited for."""

    class FullGate(FakeGate):
        async def put(self, incoming: Incoming, *, placed: Callable[[], None] | None = None) -> Accepted:
            await super().put(incoming)
            return "counted"

    assert await _run(_pipe(["one"]), Screen(), gate=FullGate()) == 0

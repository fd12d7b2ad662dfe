"""Chat in a terminal: lines are handed in at the gate, replies are printed as they come into the session's box.

At a keyboard it shows a prompt and ends with `/quit`, Ctrl-D or `stop`. With input from a pipe or a file it hands
every line in, waits for the replies to all of them, and ends. Replies are printed as plain text, without the control
characters by which a document could take hold of the terminal.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import uuid4

from adapters.terminal.lines import read_lines
from adapters.terminal.parse import parse
from bot.errors import MalformedEvent, StoreUnavailable
from bot.message import Incoming
from bot.ports import Gate, PageBox

PROMPT = "> "
QUIET = timedelta(seconds=90)
"""Longer than a model's deadline with its retries. A message that the limiter passes over in silence gets no reply,
so with piped input there must be an end to waiting."""
MAX_AHEAD = 20
"""Lines of a pipe that are handed in before the first of them is answered; a mailbox takes 100."""
READ_WAIT = timedelta(seconds=10)
PUT_DEADLINE = timedelta(seconds=10)
RETRY_DELAYS_S = (0.5, 1, 2, 4)

_QUIT = frozenset({"/quit", "/exit"})
_SENTENCES = {
    "en": {
        "lost": "(not sent: Redis does not answer)",
        "away": "(Redis does not answer, trying again)",
        "silent": "({n} of the messages got no reply)",
    },
    "zh": {
        "lost": "(未发送：Redis 没有响应)",
        "away": "(Redis 没有响应，正在重试)",
        "silent": "(有 {n} 条消息没有得到回复)",
    },
}
# C0 but tab and line feed, DEL, C1, and the marks that turn the direction of text around.
_CONTROLS = dict.fromkeys(
    [*range(9), *range(11, 32), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]
)


async def run(
    gate: Gate,
    box: PageBox,
    *,
    session: str,
    greeting: str,
    stop: asyncio.Event,
    lines: AsyncIterator[str] | None = None,
    write: Callable[[str], None] | None = None,
    interactive: bool | None = None,
    waiting_words: frozenset[str] = frozenset(),
    locale: str | None = None,
    quiet: timedelta = QUIET,
) -> int:
    """Chat until the person leaves, the input ends or `stop` is set. Never raises for Redis.

    Args:
        gate: where lines are handed in.
        box: where replies are fetched.
        session: id of this conversation; hard to guess, for it names its history.
        greeting: printed first, at a keyboard only.
        stop: set by the caller to end it at once.
        lines: instead of standard input.
        write: instead of standard output; flushes by itself.
        interactive: at a keyboard; None looks at standard input.
        waiting_words: texts that only say that an answer takes longer; they count as no reply.
        locale: the terminal's language, such as `zh_CN.UTF-8`.
        quiet: with piped input, how long to wait for a reply that does not come.

    Returns:
        How many messages had no reply when it ended; 0 is the good end of a pipe.
    """
    chat = _Chat(
        gate,
        box,
        session=session,
        write=write or _print,
        interactive=sys.stdin.isatty() if interactive is None else interactive,
        waiting_words=waiting_words,
        locale=locale,
    )
    chat.greet(greeting)
    typed = lines if lines is not None else read_lines(sys.stdin.fileno())
    tasks = {
        asyncio.create_task(chat.hand_in_all(typed, quiet), name="terminal - read lines"),
        asyncio.create_task(chat.print_replies(), name="terminal - print replies"),
        asyncio.create_task(stop.wait(), name="terminal - watch for stop"),
    }
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return chat.unanswered


class _Chat:
    """What the two sides share: what was sent and not answered, and the prompt."""

    def __init__(
        self,
        gate: Gate,
        box: PageBox,
        *,
        session: str,
        write: Callable[[str], None],
        interactive: bool,
        waiting_words: frozenset[str],
        locale: str | None,
    ) -> None:
        self._gate = gate
        self._box = box
        self._session = session
        self._write = write
        self._interactive = interactive
        self._waiting_words = waiting_words
        self._locale = locale
        self._sentences = _SENTENCES["zh" if (locale or "").lower().startswith("zh") else "en"]
        self._replied = asyncio.Event()
        self._waiting = 0
        self._silent = 0

    @property
    def unanswered(self) -> int:
        """Messages that had no reply so far, those given up among them."""
        return self._waiting + self._silent

    def greet(self, greeting: str) -> None:
        if self._interactive:
            self._write(f"{greeting}\n\n{PROMPT}")

    async def hand_in_all(self, lines: AsyncIterator[str], quiet: timedelta) -> None:
        async for line in lines:
            if line.strip().lower() in _QUIT:
                break
            await self._hand_in(line)
            if not self._interactive:
                await self._wait_for_replies(quiet, at_most=MAX_AHEAD - 1)
        if self._interactive:
            self._write("\n")
        else:
            await self._wait_for_replies(quiet, at_most=0)

    async def _hand_in(self, line: str) -> None:
        now = datetime.now(UTC)
        try:
            incoming = parse(session=self._session, message_id=uuid4().hex, text=line, locale=self._locale, now=now)
        except MalformedEvent:
            self._show_prompt()
            return
        # Counted before it is handed in: the reply may be quicker than the gate's word that it is stored.
        self._waiting += 1
        accepted = await self._put(incoming)
        if accepted in ("lost", "counted"):
            self._waiting = max(0, self._waiting - 1)
        if accepted == "lost":
            self._say(self._sentences["lost"])

    async def _put(self, incoming: Incoming) -> Literal["in", "counted", "lost"]:
        """No platform brings the line again, so we do, under the same id."""
        for delay_s in (*RETRY_DELAYS_S, 0):
            try:
                async with asyncio.timeout(PUT_DEADLINE.total_seconds()):
                    accepted = await self._gate.put(incoming)
            except (StoreUnavailable, TimeoutError):
                await asyncio.sleep(delay_s)
            else:
                return "counted" if accepted == "counted" else "in"
        return "lost"

    async def _wait_for_replies(self, quiet: timedelta, *, at_most: int) -> None:
        while self._waiting > at_most:
            self._replied.clear()
            try:
                async with asyncio.timeout(quiet.total_seconds()):
                    await self._replied.wait()
            except TimeoutError:
                self._say(self._sentences["silent"].format(n=self._waiting))
                self._silent += self._waiting
                self._waiting = 0

    async def print_replies(self) -> None:
        after, failures = "0", 0
        while True:
            try:
                async with asyncio.timeout(2 * READ_WAIT.total_seconds()):
                    messages = await self._box.read(self._session, after, READ_WAIT)
            except (StoreUnavailable, TimeoutError):
                if failures == 0:
                    self._say(self._sentences["away"])
                await asyncio.sleep(RETRY_DELAYS_S[min(failures, len(RETRY_DELAYS_S) - 1)])
                failures += 1
                continue
            failures = 0
            for sent_id, text in messages:
                after = sent_id
                self._say(text)
                self._count(text)

    def _count(self, text: str) -> None:
        # Every reply shows that something is alive, so it also begins the quiet time anew.
        self._replied.set()
        if text not in self._waiting_words:
            self._waiting = max(0, self._waiting - 1)

    def _say(self, text: str) -> None:
        plain = text.replace("\r\n", "\n").translate(_CONTROLS)
        # At a keyboard the prompt stands on the line already: the text takes its place.
        self._write(f"\r{plain}\n\n{PROMPT}" if self._interactive else f"{plain}\n\n")

    def _show_prompt(self) -> None:
        if self._interactive:
            self._write(PROMPT)


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()

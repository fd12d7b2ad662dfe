"""/source: the passages that the last answer refers to; /source 2: what stands in the second."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from bot.message import Conversation, Reply
from bot.ports import Knowledge
from bot.prompt import named
from bot.sanitise import harmless
from bot.texts import Texts
from bot.turn import Exchange, Passage, Turn

_NUMERALS = "一二三四五六七八九十"
_NUMBER = re.compile(
    rf"\W*(?:第|no\.?|number|source|来源|出处)?\W*(?:(?P<digits>\d{{1,2}})|(?P<numeral>[{_NUMERALS}]))\W*[个條条项項号號]?\W*"
)


class Source:
    """Shows what an answer was made from, as long as the document still says it.

    The numbers are those of the latest answer in this conversation that refers to anything. Commands come before
    access, and documents are for those who are allowed: so who no longer is sees none.
    """

    def __init__(self, *, knowledge: Knowledge, allowed: Callable[[Conversation], bool], texts: Texts) -> None:
        self._knowledge = knowledge
        self._allowed = allowed
        self._texts = texts

    async def __call__(self, turn: Turn) -> Reply:
        """The list, one passage, or why there is none; where it was asked.

        Raises:
            StoreUnavailable: the passages could not be read.
        """
        command = turn.incoming.command
        if not self._allowed(turn.incoming.conversation):
            return Reply(markdown=self._texts("not_allowed", turn.voice), private=True)
        exchange = next((one for one in reversed(turn.history) if one.sources), None)
        if exchange is None:
            # A slash command in a Slack channel does not say which thread it is about.
            elsewhere = command is not None and command.whole_channel and not turn.incoming.reply_to.private
            return Reply(markdown=self._texts("source_thread" if elsewhere else "source_none", turn.voice))
        argument = command.argument if command is not None else ""
        references = dict(exchange.sources)
        number = _number(argument)
        if not argument:
            return Reply(markdown=await self._list(turn, exchange))
        if number not in references:
            marks = " ".join(f"[{each}]" for each in sorted(references))
            return Reply(markdown=self._texts("source_unknown", turn.voice, numbers=marks))
        (passage,) = await self._passages(turn, exchange, references[number])
        if passage is None:
            return Reply(markdown=self._texts("source_changed", turn.voice, number=number))
        return Reply(markdown=f"[{number}] {named(passage)}\n\n{_quoted(passage)}")

    async def _list(self, turn: Turn, exchange: Exchange) -> str:
        references = dict(sorted(exchange.sources))
        passages = await self._passages(turn, exchange, *references.values())
        gone = self._texts("source_gone", turn.voice)
        lines = [
            f"- [{number}] {named(passage) if passage is not None else f'_{gone}_'}"
            for number, passage in zip(references, passages, strict=True)
        ]
        return "\n".join([self._texts("source_list", turn.voice), "", *lines])

    async def _passages(self, turn: Turn, exchange: Exchange, *references: str) -> tuple[Passage | None, ...]:
        # The channel may have been given another base since: what is in the old one is not for it any more.
        if exchange.base != turn.base:
            return (None,) * len(references)
        return await self._knowledge.fetch(exchange.base, references)


def _number(argument: str) -> int | None:
    match = _NUMBER.fullmatch(unicodedata.normalize("NFKC", argument).lower())
    if match is None:
        return None
    return int(match["digits"]) if match["digits"] else _NUMERALS.index(match["numeral"]) + 1


def _quoted(passage: Passage) -> str:
    """The whole text as a quote in which nothing is live but the document's own links."""
    lines = "\n".join(f"> {line}".rstrip() for line in passage.text.strip().splitlines())
    return harmless(lines, [passage.text, passage.url])

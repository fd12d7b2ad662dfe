"""Chat commands: found in one table, limited by a rule of their own, answered with a receipt."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

from bot.message import Command, Conversation, Reply
from bot.ports import Limiter, Meter
from bot.refusal import limited
from bot.texts import Texts
from bot.turn import Turn


class CommandAct(Protocol):
    """What one command does."""

    async def __call__(self, turn: Turn) -> Reply | None:
        """Do it; the receipt, or None if nothing is said."""
        ...


_THUMB_DOWN = re.compile("(?:\N{THUMBS DOWN SIGN}[\U0001f3fb-\U0001f3ff]?|:(?:-1|thumbsdown):(?::skin-tone-[2-6]:)?)+")
"""A message of nothing else is the command `dislike`; Slack writes it as a word between colons."""


class Commands:
    """Ends the turn if its message is a command.

    A name we do not know is answered if it can only be meant for us; else it is another bot's, and is passed over.
    Reactions have a rule of their own (`reactions`) and get no words: a group's members may never have written to us.
    """

    name = "commands"

    def __init__(
        self,
        table: Mapping[str, CommandAct],
        *,
        limiter: Limiter,
        is_admin: Callable[[Conversation], bool],
        texts: Texts,
        meter: Meter,
    ) -> None:
        self._table = table
        self._limiter = limiter
        self._is_admin = is_admin
        self._texts = texts
        self._meter = meter

    async def __call__(self, turn: Turn) -> Turn:
        """The turn as it is, or ended with a receipt, a refusal or in silence.

        Raises:
            StoreUnavailable: the limiter did not decide, or the command is half done and is to be run again.
        """
        command = turn.incoming.command
        if command is None and _THUMB_DOWN.fullmatch(turn.incoming.text.strip()):
            command = Command(name="dislike", addressed=True)
        if command is None:
            return turn
        act = self._table.get(command.name)
        if act is None and not command.addressed:
            return replace(turn, silent=True, outcome="command")
        refused = await self._refused(turn)
        if refused is not None:
            return refused
        if act is None:
            return turn.told(self._texts("unknown_command", turn.voice, command=command.name), "command")
        reply = await act(turn)
        return replace(turn, reply=reply, silent=reply is None, outcome="command")

    async def _refused(self, turn: Turn) -> Turn | None:
        conversation = turn.incoming.conversation
        if self._is_admin(conversation):
            return None
        rule = "reactions" if turn.incoming.reacts else "commands"
        decision = await self._limiter.decide(rule, conversation.person, turn.incoming.id, turn.arrived_ms)
        if decision.allowed:
            return None
        self._meter.refused(rule)
        if turn.incoming.reacts:
            return replace(turn, silent=True, outcome="limited")
        return limited(turn, decision, "limited_commands", self._texts)

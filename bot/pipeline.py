"""The pipeline: a list of steps and the loop that runs it. The list itself stands in `bot.app.steps_of`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol

from bot.ports import Meter
from bot.turn import Turn


class Step(Protocol):
    """One thing done to a turn. Knows no other step, no Redis, no HTTP and no configuration."""

    name: str

    async def __call__(self, turn: Turn) -> Turn:
        """The turn with what this step knows about it; the same turn if it has nothing to say."""
        ...


class Pipeline:
    """Runs the steps in order until one ends the turn."""

    def __init__(self, steps: Sequence[Step], meter: Meter) -> None:
        self._steps = tuple(steps)
        self._meter = meter

    async def run(self, turn: Turn) -> Turn:
        """Take a turn through the steps.

        Cancelling loses nothing: the message stays in its mailbox until it is settled.

        Raises:
            BotError: a step could not do its part; the turn is tried again later.
        """
        for step in self._steps:
            if turn.ended:
                break
            started = time.monotonic()
            turn = await step(turn)
            self._meter.step(step.name, time.monotonic() - started)
        return turn

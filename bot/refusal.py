"""What becomes of a turn that the limiter refused: a word the first time in a window, silence afterwards."""

from __future__ import annotations

from dataclasses import replace

from bot.ports import Decision
from bot.texts import Texts, duration
from bot.turn import Turn


def limited(turn: Turn, decision: Decision, key: str, texts: Texts) -> Turn:
    """The turn ended as limited.

    Args:
        turn: of the person.
        decision: a refusal.
        key: of the sentence that names the wait.
        texts: our own sentences.
    """
    if not decision.tell:
        return replace(turn, silent=True, outcome="limited")
    wait = duration(decision.retry_after, turn.voice)
    return turn.told(texts(key, turn.voice, wait=wait), "limited", private=True)

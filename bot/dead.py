"""Messages that could not be answered, as the operator looks at them. Pure; `bot.store.dead` keeps them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.message import Incoming, MessageId, turn_id

DeadAct = Literal["retry", "drop"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One message that could not be answered.

    Attributes:
        id: of the message.
        buried_at: aware UTC, on Redis's clock.
        reason: why, without a word of the message.
        conversation: where it was written.
        incoming: the message; None if it cannot be read.
    """

    id: str
    buried_at: datetime
    reason: str
    conversation: str
    incoming: Incoming | None

    @property
    def turn(self) -> str:
        """What the log calls its turn."""
        return turn_id(MessageId(self.id))

    def line(self) -> str:
        """Id, when, where, the turn in the log, and why, without a word of the message."""
        when = f"{self.buried_at:%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.id}  {when}  {self.conversation}  turn={self.turn}  {self.reason}"

    def words(self) -> str:
        """What the person wrote, or why that cannot be shown."""
        if self.incoming is None:
            return "(the record cannot be read)"
        return self.incoming.text or f"({self.incoming.attachment or 'no text'})"

    def to_json(self) -> str:
        """One line."""
        record = {
            "id": self.id,
            "buried_at": self.buried_at.isoformat(),
            "reason": self.reason,
            "conversation": self.conversation,
            "turn": self.turn,
            "text": self.words(),
        }
        return json.dumps(record, ensure_ascii=False)

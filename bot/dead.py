"""Messages that could not be answered, as the operator looks at them. Pure; `bot.store.dead` keeps them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.message import Incoming

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

    def line(self) -> str:
        """Id, when, where and why, without a word of the message."""
        return f"{self.id}  {self.buried_at:%Y-%m-%d %H:%M:%S} UTC  {self.conversation}  {self.reason}"

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
            "text": self.words(),
        }
        return json.dumps(record, ensure_ascii=False)

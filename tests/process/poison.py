"""`frontdesk` with a message it cannot bear: `python -m tests.process.poison CRASHES serve …`.

Whoever says `poison: raise` makes the model's client raise what nobody foresaw, each time; `poison: kill` has the
process send itself SIGKILL. A message is buried after so many CRASHES here, so that a test need not see ten. The
product knows nothing of it: a method is wrapped here.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence

from bot import suspects, worker
from bot.__main__ import main
from bot.llm.chat import ChatModel
from bot.model import Completion, ModelMessage

_complete = ChatModel.complete


async def complete(model: ChatModel, messages: Sequence[ModelMessage], *, max_tokens: int | None = None) -> Completion:
    """As the model would, but for poison."""
    asked = messages[-1].content
    if "poison: kill" in asked:
        os.kill(os.getpid(), signal.SIGKILL)
    if "poison: raise" in asked:
        raise RuntimeError("poison")
    return await _complete(model, messages, max_tokens=max_tokens)


if __name__ == "__main__":
    suspects.MAX_CRASHES = worker.MAX_CRASHES = int(sys.argv[1])  # type: ignore[attr-defined]  # both look it up
    setattr(ChatModel, "complete", complete)  # noqa: B010 - mypy refuses to assign it
    sys.argv[1:] = sys.argv[2:]
    main()

"""The chat model as the core asks it: a request of several messages, one whole answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMessage:
    """One message of a chat completion request."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Completion:
    """A whole answer of the model.

    Attributes:
        text: Markdown.
        complete: `finish_reason` was `stop`; only then may it be stored.
        prompt_tokens: as the server counted, 0 if it did not say.
        completion_tokens: likewise.
        fallback: it is not of the preferred model, by which stored answers are known, and is not stored.
    """

    text: str
    complete: bool
    prompt_tokens: int = 0
    completion_tokens: int = 0
    fallback: bool = False


class Model(Protocol):
    """A chat model, or None in the composition where none is configured."""

    async def complete(self, messages: Sequence[ModelMessage], *, max_tokens: int | None = None) -> Completion:
        """Ask the model.

        Args:
            messages: the request.
            max_tokens: where the answer is cut; None: where the configuration says.

        Raises:
            ModelUnavailable: no whole answer within the deadline and the retries.
            ModelBusy: enough calls wait for one already; ask again later.
        """

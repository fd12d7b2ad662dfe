"""Whether the person may still use so many tokens of the model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bot.answers import Answers
from bot.message import Conversation
from bot.ports import Meter, Spending
from bot.refusal import limited
from bot.texts import Texts
from bot.tokens import estimate_tokens
from bot.turn import Turn

RULES_TOKENS = 500
"""Of our own words in a request: rules, persona, fences."""
PASSAGE_TOKENS = 400
"""Of a passage that is not known yet: as long as they are but for tables and code."""
SMALL_CALL_TOKENS = 1200
"""Of the call that writes a follow-up out: three exchanges, cut, and its answer."""


class Afford:
    """Reserves tokens for the request that follows, by an estimate that errs upwards, or ends the turn as limited.

    It stands where only the model can answer, as stored answers cost nothing, and for follow-ups, which none answers,
    before the small call that writes them out. Admins are not limited.

    Args:
        spending: the windows.
        answers: where the lead on the question is given up, so that nobody waits for an answer that is not made.
        top_k: passages of a request, at most.
        max_output_tokens: of one answer.
        is_admin: who is not limited.
        asks_model: False: no model is configured, and nothing is reserved.
        texts: our own sentences.
        meter: counts refusals.
    """

    name = "afford"

    def __init__(
        self,
        *,
        spending: Spending,
        answers: Answers,
        top_k: int,
        max_output_tokens: int,
        is_admin: Callable[[Conversation], bool],
        asks_model: bool,
        texts: Texts,
        meter: Meter,
    ) -> None:
        self._spending = spending
        self._answers = answers
        self._top_k = top_k
        self._max_output_tokens = max_output_tokens
        self._is_admin = is_admin
        self._asks_model = asks_model
        self._texts = texts
        self._meter = meter

    async def __call__(self, turn: Turn) -> Turn:
        """The turn as it is, with a reservation, or ended as limited.

        Raises:
            StoreUnavailable: it was not decided.
        """
        conversation = turn.incoming.conversation
        if turn.reserved or not self._asks_model or self._is_admin(conversation):
            return turn
        if turn.epoch < 0 and not turn.leans:
            return turn  # a stored answer may do; after the search it is known
        decision = await self._spending.reserve(
            conversation.person, turn.incoming.id, turn.arrived_ms, self._estimate(turn)
        )
        if decision.allowed:
            return replace(turn, reserved=True)
        self._meter.refused("tokens")
        if turn.leads and turn.question_key is not None:
            await self._answers.free(turn.question_key, turn.incoming.id)
        return limited(turn, decision, "limited_tokens", self._texts)

    def _estimate(self, turn: Turn) -> int:
        if turn.epoch < 0:
            passages = SMALL_CALL_TOKENS + self._top_k * PASSAGE_TOKENS
        else:
            passages = sum(estimate_tokens(f"{one.title}{one.place}{one.text}") for one in turn.passages)
        history = sum(exchange.tokens for exchange in turn.history)
        return RULES_TOKENS + passages + history + estimate_tokens(turn.incoming.text) + self._max_output_tokens

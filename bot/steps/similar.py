"""The answer that was given to a question that means the same, where it would be the same answer."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import timedelta
from typing import Literal

from bot.answers import Answers, Near, NearAnswers
from bot.errors import ModelUnavailable
from bot.model import Model
from bot.ports import Meter
from bot.similar import IN_DOUBT, NEAREST, refused_by
from bot.turn import Turn
from bot.verify import MAX_TOKENS, messages, says_yes

DEADLINE = timedelta(seconds=5)
"""Of the small question to the model; longer, and asking the real one at once would have been better."""

log = logging.getLogger(__name__)


class Similar:
    """Serves the answer of the nearest stored question that passes: near enough, same sources, same by the guard.

    Args:
        near: finds stored questions by their meaning.
        answers: where the lead on this question is given up.
        enabled: False serves nothing.
        max_cosine_distance: of a stored question, [0, 2], lower is stricter.
        verifier: is asked about the nearest question that the guard leaves in doubt; None: in doubt, no reuse.
        meter: counts what is served, and calls of the verifier.
    """

    name = "similar"

    def __init__(
        self,
        *,
        near: NearAnswers,
        answers: Answers,
        enabled: bool,
        max_cosine_distance: float,
        verifier: Model | None,
        meter: Meter,
    ) -> None:
        self._near = near
        self._answers = answers
        self._enabled = enabled
        self._max_cosine_distance = max_cosine_distance
        self._verifier = verifier
        self._meter = meter

    async def __call__(self, turn: Turn) -> Turn:
        """The turn ended with a stored answer, or as it is.

        Only for a question whose own answer could be served, and which has a vector. Who waits for this turn is told
        to ask for itself, and finds the same.

        Raises:
            StoreUnavailable: the answer store did not answer.
        """
        if not self._enabled or turn.question_key is None or turn.vector is None:
            return turn
        near = await self._near.nearest(turn.base, turn.scope, turn.vector, NEAREST)
        chosen, how = await self._chosen(turn, near)
        if chosen is None:
            return turn
        if turn.leads:
            await self._answers.free(turn.question_key, turn.incoming.id)
        self._meter.reuse(how)
        return turn.answered(chosen.answer, "reused", chosen.key)

    async def _chosen(self, turn: Turn, near: tuple[Near, ...]) -> tuple[Near | None, Literal["similar", "verified"]]:
        asked = turn.incoming.text
        found = frozenset(passage.reference for passage in turn.passages)
        doubtful: Near | None = None
        for one in near:
            reason = refused_by(one, asked, found, max_cosine_distance=self._max_cosine_distance)
            if not reason:
                return one, "similar"
            if doubtful is None and reason in IN_DOUBT:
                doubtful = one
        if doubtful is not None and self._verifier is not None:
            same = await self._is_same(self._verifier, doubtful.answer.question, asked)
            return doubtful if same else None, "verified"
        return None, "similar"

    async def _is_same(self, model: Model, stored: str, asked: str) -> bool:
        started = time.monotonic()
        try:
            async with asyncio.timeout(DEADLINE.total_seconds()):
                completion = await model.complete(messages(stored, asked), max_tokens=MAX_TOKENS)
        except (ModelUnavailable, TimeoutError) as error:
            if not isinstance(error, ModelUnavailable) or error.called:
                self._meter.model("failed", time.monotonic() - started, 0, 0)
            log.warning("the model did not say whether two questions are the same: %s", error or "no answer in time")
            return False
        result: Literal["ok", "truncated"] = "ok" if completion.complete else "truncated"
        self._meter.model(result, time.monotonic() - started, completion.prompt_tokens, completion.completion_tokens)
        return says_yes(completion)

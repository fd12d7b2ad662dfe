"""Several model providers, in order of preference, each behind a circuit breaker and with a bound on who waits for it.

A provider that fails again and again is left alone for a while, so that people get the next one's answer at once
instead of a timeout first (the pattern: Michael Nygard, Release It!, "Circuit Breaker"). At most so many calls wait for
one provider: a server that hangs holds a part of the workers and never all of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from bot.errors import ModelBusy, ModelFault, ModelUnavailable
from bot.model import Completion, Model, ModelMessage

FAILURES = 5
"""Calls in a row that must fail before a provider is left alone: fewer, and one bad minute of the network counts."""
FIRST_PAUSE = timedelta(seconds=10)
"""How long it is left alone at first; doubled with each trial that fails."""
LONGEST_PAUSE = timedelta(minutes=5)

log = logging.getLogger(__name__)


class Breaker:
    """Whether a provider is to be asked.

    Closed at first; open after `FAILURES` failures in a row, for a pause; then one call at a time may try, and its
    success closes it again. How calls end that were under way before says nothing of that trial, unless one succeeds.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = FIRST_PAUSE
        self._opens_at: float | None = None
        self._calls = 0
        self._trial: int | None = None

    def begin(self) -> int | None:
        """The number of a call that is made now; None: none may be. Where one may try, it is this one."""
        self._calls += 1
        if self._opens_at is not None:
            if self._trial is not None or self._clock() < self._opens_at:
                return None
            self._trial = self._calls
        return self._calls

    def succeeded(self) -> None:
        """A call was answered."""
        self._failures, self._pause, self._opens_at, self._trial = 0, FIRST_PAUSE, None, None

    def failed(self, call: int, *, for_good: bool = False) -> timedelta | None:
        """A call failed; how long the provider is left alone from now on, None if that changes nothing.

        One that fails for good says all: there is no need to see others fail.
        """
        if call == self._trial:
            self._trial, self._pause = None, min(2 * self._pause, LONGEST_PAUSE)
        else:
            self._failures += 1
            if self._opens_at is not None or (self._failures < FAILURES and not for_good):
                return None
        self._opens_at = self._clock() + self._pause.total_seconds()
        return self._pause

    def given_up(self, call: int) -> None:
        """A call ended without an answer and without blame: it was cancelled, or its request was at fault."""
        if call == self._trial:
            self._trial = None


@dataclass(slots=True)
class _Provider:
    name: str
    model: Model
    breaker: Breaker
    waiting: int = 0


class Models:
    """Implements `bot.model.Model` by several. Safe to use from many tasks at once.

    Args:
        providers: name and model, in order of preference; not empty.
        most_waiting: calls that may wait for one of them.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        providers: Sequence[tuple[str, Model]],
        *,
        most_waiting: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._providers = [_Provider(name, model, Breaker(clock)) for name, model in providers]
        self._most_waiting = most_waiting

    async def complete(self, messages: Sequence[ModelMessage], *, max_tokens: int | None = None) -> Completion:
        """The answer of the first that gives one; of any but the first it is marked as a fallback's.

        Raises:
            ModelBusy: none gave one, and one was not asked because enough calls wait for it already.
            ModelUnavailable: none of them gives one now.
        """
        reasons: list[str] = []
        faults: set[ModelFault] = set()
        busy = called = False
        for position, provider in enumerate(self._providers):
            if provider.waiting >= self._most_waiting:
                busy = True
                reasons.append(f"{provider.name} has {provider.waiting} calls waiting")
                continue
            call = provider.breaker.begin()
            if call is None:
                reasons.append(f"{provider.name} is left alone for a while")
                faults.add("away")
                continue
            called = True
            try:
                completion = await self._ask(provider, call, messages, max_tokens)
            except ModelUnavailable as error:
                reasons.append(f"{provider.name}: {error}")
                faults.add(error.fault)
            else:
                return replace(completion, fallback=position > 0)
        if busy:
            raise ModelBusy("; ".join(reasons), called=called)
        # One that would answer a shorter request is worth a second one.
        fault: ModelFault = "too_long" if "too_long" in faults else "request" if faults == {"request"} else "away"
        raise ModelUnavailable("; ".join(reasons), fault=fault, called=called)

    async def _ask(
        self, provider: _Provider, call: int, messages: Sequence[ModelMessage], max_tokens: int | None
    ) -> Completion:
        provider.waiting += 1
        blamed = False
        try:
            completion = await provider.model.complete(messages, max_tokens=max_tokens)
        except ModelUnavailable as error:
            blamed = error.fault in ("away", "setup")
            if blamed and (pause := provider.breaker.failed(call, for_good=error.fault == "setup")) is not None:
                level = logging.ERROR if error.fault == "setup" else logging.WARNING
                seconds = pause.total_seconds()
                log.log(level, "model provider %s is left alone for %g s: %s", provider.name, seconds, error)
            raise
        else:
            blamed = True
            provider.breaker.succeeded()
            return completion
        finally:
            provider.waiting -= 1
            if not blamed:
                provider.breaker.given_up(call)

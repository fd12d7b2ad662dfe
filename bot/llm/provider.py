"""How an OpenAI-compatible server is called: one client, one retry policy, errors said without secrets.

The library's own retries are off; its errors end here. What leaves is `ProviderFailed`, whose text names the server
and the kind of failure and never what was asked, what was answered or the key: servers quote all three in their error
messages. For the same reason the library's error is not chained to it.

Every call may wait for one retry and then another; across calls a budget bounds them, so that a dead server gets few
requests more than there are people asking.
"""

from __future__ import annotations

import asyncio
import email.utils
import logging
import random
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import urlsplit

import openai
from openai import AsyncOpenAI

from bot.errors import ModelFault

OPENAI_URL = "https://api.openai.com/v1"

FIRST_WAIT_S = 0.5
"""Doubles with each retry, and is then cut by up to half at random, so that callers do not come back together."""
LONGEST_WAIT_S = 8.0
CONNECT_TIMEOUT_S = 5.0
"""A server that takes longer to accept a connection is away."""

T = TypeVar("T")
log = logging.getLogger(__name__)


class ProviderFailed(Exception):
    """A call failed. Raised and caught within `bot.llm`.

    Args:
        reason: for the operator; without secrets and without anything that people wrote.
        transient: the same call may succeed later.
        fault: what it says of later calls.
        retry_after: what the server asked for.
    """

    def __init__(
        self, reason: str, *, transient: bool, fault: ModelFault = "away", retry_after: timedelta | None = None
    ) -> None:
        super().__init__(reason)
        self.transient = transient
        self.fault = fault
        self.retry_after = retry_after


class RetryBudget:
    """How many retries all calls together may make: a share of the calls, and a trickle so that a quiet bot may too.

    Args:
        share: retries earned by each call.
        per_10_s: retries earned by time.
        most: retries that can be saved up.
        clock: seconds, monotonic.
    """

    def __init__(
        self,
        *,
        share: float = 0.1,
        per_10_s: float = 3,
        most: float = 10,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._share = share
        self._per_s = per_10_s / 10
        self._most = most
        self._clock = clock
        self._saved = per_10_s
        self._at = clock()

    def called(self) -> None:
        """A call, not a retry, is made."""
        self._earn(self._share)

    def take(self) -> bool:
        """Whether one retry may be made now; it then counts as made."""
        self._earn(0)
        if self._saved < 1 - 1e-9:  # ten tenths
            return False
        self._saved -= 1
        return True

    def _earn(self, extra: float) -> None:
        now = self._clock()
        self._saved = min(self._most, self._saved + extra + (now - self._at) * self._per_s)
        self._at = now


class Provider:
    """One server, for one model.

    Args:
        base_url: with its version part; None: OpenAI's own.
        api_key: None: the server asks for none.
        model: as the server calls it; part of error texts.
        timeout: for a call with all its retries.
        retries: per call, at most.
        budget: across calls; one per process and server.
    """

    def __init__(
        self,
        *,
        base_url: str | None,
        api_key: str | None,
        model: str,
        timeout: timedelta,
        retries: int,
        budget: RetryBudget | None = None,
    ) -> None:
        url = base_url or OPENAI_URL
        parts = urlsplit(url)
        # Neither credentials nor a query of the address may reach a log.
        self.where = f"{model} at {parts.hostname}" + (f":{parts.port}" if parts.port else "")
        self._timeout_s = timeout.total_seconds()
        self._retries = retries
        self._budget = budget or RetryBudget()
        self._client = AsyncOpenAI(
            # The address is always given, or the library would take one from the environment.
            base_url=url,
            api_key=api_key or "none",
            max_retries=0,
            timeout=openai.Timeout(self._timeout_s, connect=min(CONNECT_TIMEOUT_S, self._timeout_s)),
        )

    async def call(self, attempt: Callable[[AsyncOpenAI], Awaitable[T]]) -> T:
        """Make an attempt, again where it may help, until the deadline. Cancelling it closes the connection.

        Args:
            attempt: makes one request. It may raise the library's errors and `ProviderFailed`.

        Raises:
            ProviderFailed: no success within the deadline, the retries and the budget.
        """
        self._budget.called()
        tries = 0
        try:
            async with asyncio.timeout(self._timeout_s) as deadline:
                while True:
                    tries += 1
                    try:
                        return await self._once(attempt)
                    except ProviderFailed as failure:
                        wait_s = self._wait_s(failure, tries, deadline)
                        log.warning("%s: %s; trying again in %.1f s", self.where, failure, wait_s)
                    await asyncio.sleep(wait_s)
        except TimeoutError:
            reason = f"{self.where}: no whole answer within {self._timeout_s:g} s ({tries} tries)"
            raise ProviderFailed(reason, transient=True) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _once(self, attempt: Callable[[AsyncOpenAI], Awaitable[T]]) -> T:
        try:
            return await attempt(self._client)
        except openai.APIError as error:
            raise failure_of(error) from None

    def _wait_s(self, failure: ProviderFailed, tries: int, deadline: asyncio.Timeout) -> float:
        """How long until the next try.

        Raises:
            ProviderFailed: there is none.
        """
        wait_s: float = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** (tries - 1))
        wait_s *= random.uniform(0.5, 1)  # noqa: S311 - spreads callers, guards nothing
        if failure.retry_after is not None:
            wait_s = max(wait_s, failure.retry_after.total_seconds())
        ends = deadline.when()
        too_late = ends is not None and asyncio.get_running_loop().time() + wait_s >= ends
        if not failure.transient or tries > self._retries or too_late or not self._budget.take():
            reason = f"{self.where}: {failure}" + (f" ({tries} tries)" if tries > 1 else "")
            raise ProviderFailed(
                reason,
                transient=failure.transient,
                fault=failure.fault,
                retry_after=failure.retry_after,
            ) from None
        return wait_s


# --- reading the library's errors -----------------------------------------------------------------------------------

_OF_REQUEST = frozenset({400, 413, 422})
"""Refusals of what was asked: too long, filtered, misshapen."""
_TO_DO = {
    401: "the key is not taken: put the right one into the variable that api_key_env names, and restart",
    402: "the account is used up: top it up",
    403: "the key may not use this model: ask the provider, or set another key or model, and restart",
    404: "there is no such model or address: set model and base_url right, and restart",
}
"""What the operator must do, by status: nothing else will help."""
_TOO_LONG = re.compile(r"context[ _](length|size|window)|maximum context|too many tokens|is too long", re.I)
"""How servers say it: OpenAI by the code `context_length_exceeded`, vLLM, llama.cpp and others in their own words."""
_SAFE_CODE = re.compile(r"[a-z][a-z_]{2,60}")


def failure_of(error: openai.APIError) -> ProviderFailed:
    """What an error means, in words that are safe to log."""
    if isinstance(error, openai.APITimeoutError):
        return ProviderFailed("it does not answer", transient=True)
    if isinstance(error, openai.APIConnectionError):
        return ProviderFailed("no connection, or it broke off", transient=True)
    if not isinstance(error, openai.APIStatusError):
        return ProviderFailed("an error within the stream", transient=True)
    code = error.code if isinstance(error.code, str) and _SAFE_CODE.fullmatch(error.code) else ""
    headers = error.response.headers
    # An empty account answers 429 too, and will tomorrow.
    to_do = _TO_DO.get(402 if code == "insufficient_quota" else error.status_code)
    transient = (error.status_code in (408, 409, 429) or error.status_code >= 500) and to_do is None
    if headers.get("x-should-retry") == "false":
        transient = False
    reason = f"HTTP {error.status_code}" + (f" {code}" if code else "") + (f", {to_do}" if to_do else "")
    return ProviderFailed(
        reason, transient=transient, fault=_fault(error, to_do is not None), retry_after=_retry_after(headers)
    )


def _fault(error: openai.APIStatusError, of_setup: bool) -> ModelFault:
    if of_setup:
        return "setup"
    if error.status_code not in _OF_REQUEST:
        return "away"
    too_long = error.status_code == 413 or _TOO_LONG.search(f"{error.code} {error.message}")
    return "too_long" if too_long else "request"


def _retry_after(headers: Mapping[str, str]) -> timedelta | None:
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if re.fullmatch(r"\d{1,9}(?:\.\d{1,9})?", value):
            return timedelta(seconds=float(value) * unit_s)
    try:
        moment = email.utils.parsedate_to_datetime(headers.get("retry-after", ""))
    except ValueError:
        return None
    return max(timedelta(0), moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC))

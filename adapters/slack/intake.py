"""From a payload of Slack to the gate: what both receivers share.

A payload goes through slack-bolt's dispatch into one global middleware, which Bolt awaits before it answers; listeners
would be acknowledged before they run, and a crash would lose the message. The middleware parses, puts and only then
acknowledges; everything that is no message is acknowledged at once, because Slack repeats what nobody acknowledges.

Messages of one conversation are put one after the other, in the order they came; conversations do not wait for each
other. Those that wait behind one that is not stored, and what follows a call that is yet to come again, are not
acknowledged either; but slash commands, which Slack never brings again. Nothing of what people write is logged.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.middleware.async_middleware import AsyncMiddleware
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from adapters.slack.client import library_logger
from adapters.slack.failures import AUTH_ERRORS, error_code, retry_after
from adapters.slack.parse import Ignored, Me, parse_event, parse_slash
from bot.errors import MalformedEvent, StoreUnavailable
from bot.message import Incoming
from bot.ports import Gate, Meter
from bot.stopping import pause, unless_stopped

_PUT_S = 2.5
"""Slack waits 3 s for an acknowledgement; past that it repeats the event anyway."""
_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_REFUSED_WAIT_S = 60.0
"""Between attempts with a token that Slack refuses: somebody must act first."""
_CALL_COMES_AGAIN_S = 360.0
"""Slack brings an event for the last time five minutes after the first."""
_MOST_CALLS = 10_000
"""That are remembered as yet to come again: 2 MB."""

_OK = 200
_NOT_STORED = 503

_log = logging.getLogger(__name__)

Json = Mapping[str, Any]


class Intake:
    """Takes payloads and says what Slack is answered.

    Args:
        client: from `adapters.slack.client.slack_client`; its token is the bot's.
        gate: where messages are stored.
        meter: counts what came.
        check: between two questions whether the token is still taken.
    """

    def __init__(self, client: AsyncWebClient, *, gate: Gate, meter: Meter, check: timedelta) -> None:
        self._client = client
        self._gate = gate
        self._meter = meter
        self._check = check
        self._order = _Order()
        self._calls = _UnstoredCalls()
        self._app: AsyncApp | None = None
        self._me: Me | None = None
        self.reason: str | None = "Slack has not been asked yet who we are"

    # --- who we are ---------------------------------------------------------------------------------------------------

    async def identify(self, stop: asyncio.Event) -> bool:
        """Ask auth.test until it answers; False if `stop` came first."""
        attempts = 0
        while not stop.is_set():
            try:
                me = await unless_stopped(self._introduced(), stop)
            except Exception as error:  # noqa: BLE001 - whatever the answer is, we ask again
                attempts += 1
                wait_s, reason = explain(error, "SLACK_BOT_TOKEN", attempts)
                # Said once while it stays the same.
                _log.log(logging.WARNING if reason != self.reason else logging.DEBUG, "slack: %s", reason)
                self.reason = reason
                await pause(timedelta(seconds=wait_s), stop)
                continue
            if me is None:
                break
            self._me, self._app = me, self._bolt(me)
            self.reason = None
            return True
        return False

    async def _introduced(self) -> Me:
        answer = await self._client.auth_test()
        team, user = answer["team_id"], answer["user_id"]
        if not (isinstance(team, str) and isinstance(user, str)):
            raise ValueError("auth.test does not say who we are")
        return Me(team=team, user=user, bot=str(answer["bot_id"]))

    async def watch(self, stop: asyncio.Event) -> None:
        """Ask now and then whether Slack still takes the bot's token, until `stop`.

        Nothing else tells who receives: events go on coming when the token is revoked, and no reply goes out.
        """
        while not stop.is_set():
            await pause(self._check, stop)
            try:
                answer = await unless_stopped(self._client.auth_test(), stop)
            except Exception as error:  # noqa: BLE001 - an answer is judged, whatever it is
                self._judge(error)
                continue
            if answer is not None and self.reason is not None:
                _log.info("slack: the bot's token is taken again")
                self.reason = None

    def _judge(self, error: Exception) -> None:
        """A refusal is an alarm, once; what fails otherwise says nothing of the token."""
        if not isinstance(error, SlackApiError) or error_code(error) not in AUTH_ERRORS:
            return
        _, reason = explain(error, "SLACK_BOT_TOKEN", 1)
        if reason != self.reason:
            self._meter.reconnected("slack", "refused")
            _log.error("slack: %s; no reply goes out", reason)
        self.reason = reason

    def _bolt(self, me: Me) -> AsyncApp:
        token = self._client.token
        # `authorize` from memory: Bolt's own auth.test answers a failure with 200, which acknowledges what is lost.
        # With it, SLACK_CLIENT_ID in the environment cannot take the token away either.

        async def authorize() -> AuthorizeResult:
            ids = {"team_id": me.team, "bot_user_id": me.user, "bot_id": me.bot}
            return AuthorizeResult(enterprise_id=None, bot_token=token, **ids)

        client = AsyncWebClient(base_url=self._client.base_url, session=self._client.session, retry_handlers=[])
        app = AsyncApp(
            logger=library_logger(),
            name="frontdesk",
            client=client,
            signing_secret="",
            authorize=authorize,
            # The endpoint has verified the raw bytes before; Socket Mode is authenticated by its token.
            request_verification_enabled=False,
            # Parsing knows us, and Bolt's own check fails on payloads without an event.
            ignoring_self_events_enabled=False,
        )
        app.middleware(_StoreBeforeAck(self._answer))
        return app

    # --- payloads -----------------------------------------------------------------------------------------------------

    async def take(self, body: object) -> BoltResponse:
        """Handle one payload; never raises.

        Returns:
            Status 200: acknowledge. 503 or 500: stored nothing, do not acknowledge.
        """
        if self._app is None:
            return BoltResponse(status=_NOT_STORED, body="")
        request = _request(body)
        if request is None:
            return BoltResponse(status=self.malformed("a payload of unknown form"), body="")
        return await self._app.async_dispatch(request)

    async def _answer(self, body: Json) -> int:
        """Parse and store; the status says whether it may be acknowledged."""
        if self._me is None:
            return _NOT_STORED
        try:
            parsed = self._parse(body, self._me)
        except MalformedEvent as error:
            return self.malformed(str(error))
        if isinstance(parsed, Ignored):
            self._meter.received("slack", "ignored")
            _log.debug("slack: passed over: %s", parsed.reason)
            return _OK
        return await self._put(parsed, comes_again="command" not in body)

    def _parse(self, body: Json, me: Me) -> Incoming | Ignored:
        return parse_slash(body, me, now=datetime.now(UTC)) if "command" in body else parse_event(body, me)

    async def _put(self, incoming: Incoming, *, comes_again: bool) -> int:
        conversation = incoming.conversation.id
        try:
            # The wait for those before it counts: behind a Redis that hangs the line must not grow.
            async with asyncio.timeout(_PUT_S), self._order.of(conversation, comes_again=comes_again) as leave:
                accepted = await self._gate.put(incoming, placed=leave)
        except (StoreUnavailable, TimeoutError) as error:
            if incoming.addressing == "call":
                self._calls.note(conversation)
            return self._unstored(
                incoming, error if isinstance(error, StoreUnavailable) else StoreUnavailable("too slow")
            )
        if accepted != "unaddressed":
            self._calls.forget(conversation)
        elif self._calls.expects(conversation):
            return self._unstored(incoming, StoreUnavailable("the call before it is yet to come again"))
        self._meter.received("slack", accepted)
        return _OK

    def _unstored(self, incoming: Incoming, why: StoreUnavailable) -> int:
        self._meter.received("slack", "unstored")
        _log.warning("slack: %s was not stored and not acknowledged: %s", incoming.id, why)
        return _NOT_STORED

    def malformed(self, why: str) -> int:
        """Count and log what cannot be read, without its content; acknowledged, as Slack would only bring it again."""
        self._meter.received("slack", "malformed")
        _log.warning("slack: an event could not be read: %s", why)
        return _OK


class _StoreBeforeAck(AsyncMiddleware):
    """Bolt's last middleware: it ends the dispatch, so that nothing is acknowledged by a listener that runs later.

    A class, as Bolt works out arguments for a plain function and fails on payloads that are not Slack's.
    """

    def __init__(self, answer: Callable[[Json], Awaitable[int]]) -> None:
        self._answer = answer

    async def async_process(
        self,
        *,
        req: AsyncBoltRequest,
        resp: BoltResponse,
        next: Callable[[], Awaitable[BoltResponse]],  # noqa: A002
    ) -> BoltResponse:
        """An error goes on to Bolt, which logs it and answers 500: no acknowledgement, Slack brings the event again."""
        return BoltResponse(status=await self._answer(req.body), body="")


def _request(body: object) -> AsyncBoltRequest | None:
    """The payload as Bolt takes it; None if Bolt, which expects Slack's shapes, fails on it."""
    if not isinstance(body, dict):
        return None
    if body.get("type") == "event_callback" and not isinstance(body.get("event"), dict):
        return None
    try:
        return AsyncBoltRequest(mode="socket_mode", body=body)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


@dataclass(slots=True)
class _Line:
    """Of one conversation: how many came, how many hold or await the lock, and the places of those not stored."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    came: int = 0
    users: int = 0
    unstored: list[int] = field(default_factory=list)


class _Order:
    """One line per conversation while somebody stands in it; first come, first served. It may be left early.

    Who is not stored takes along those behind it: Slack brings them again in the same order, and none overtakes. One
    that does not come again is neither taken along nor takes others along.
    """

    def __init__(self) -> None:
        self._lines: dict[str, _Line] = {}

    @asynccontextmanager
    async def of(self, conversation: str, *, comes_again: bool) -> AsyncIterator[Callable[[], None]]:
        """Stand in line; the block begins when it is our turn, and what it is given leaves the line.

        Raises:
            StoreUnavailable: one that stood before us left without being stored.
        """
        line = self._lines.setdefault(conversation, _Line())
        line.came += 1
        line.users += 1
        place, known, stored, held = line.came, len(line.unstored), False, ExitStack()

        def leave() -> None:
            nonlocal stored
            stored = True
            held.close()

        try:
            await line.lock.acquire()
            with held:
                held.callback(line.lock.release)
                if comes_again and any(other < place for other in line.unstored[known:]):
                    raise StoreUnavailable("one before it was not stored")
                yield leave
            stored = True
        finally:
            if comes_again and not stored:
                line.unstored.append(place)
            line.users -= 1
            if not line.users:
                del self._lines[conversation]


class _UnstoredCalls:
    """Conversations in which a call of us was not stored and comes again: until then nothing says that we follow them.

    Bounded in number and time.
    """

    def __init__(self) -> None:
        self._noted_at: dict[str, float] = {}

    def note(self, conversation: str) -> None:
        self.forget(conversation)  # so that the oldest stays the first
        while len(self._noted_at) >= _MOST_CALLS:
            del self._noted_at[next(iter(self._noted_at))]
        self._noted_at[conversation] = time.monotonic()

    def forget(self, conversation: str) -> None:
        self._noted_at.pop(conversation, None)

    def expects(self, conversation: str) -> bool:
        noted_at = self._noted_at.get(conversation)
        return noted_at is not None and time.monotonic() - noted_at < _CALL_COMES_AGAIN_S


# --- trying again -----------------------------------------------------------------------------------------------------


def explain(error: Exception, token_name: str, attempts: int) -> tuple[float, str]:
    """Seconds to wait before the next attempt, and what to tell the operator."""
    if isinstance(error, SlackApiError):
        code, limited = error_code(error), retry_after(error)
        if limited is not None:
            return max(limited.total_seconds(), _FIRST_WAIT_S), "Slack asks us to wait"
        if code in AUTH_ERRORS:
            return _REFUSED_WAIT_S, f"Slack refuses {token_name} ({code}): check the token and the app's settings"
        return _backoff_s(attempts), f"Slack answers with an error ({code})"
    return _backoff_s(attempts), f"Slack cannot be reached ({type(error).__name__})"


def _backoff_s(attempts: int) -> float:
    return float(min(_FIRST_WAIT_S * 2 ** min(attempts - 1, 10), _LONGEST_WAIT_S))

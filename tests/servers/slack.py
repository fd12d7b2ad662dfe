"""A Slack on 127.0.0.1: Web API, Socket Mode and signed HTTP events, with people who talk to the bot.

    async with SlackServer(bot_token=..., app_token=..., signing_secret=...) as server:
        ...  # point the bot's api_url at server.api_url
        server.say("C1", "U1", "<@U0BOT> hello")
        await server.wait_until(lambda: server.from_bot("C1"), "an answer in C1")

Events go over Socket Mode, or to `events_url` once that is set. Nothing here knows our code.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from aiohttp import ClientError, web

from tests.servers.limits import Limits
from tests.servers.slack_api import Call, Fault, WebApi
from tests.servers.slack_http import Answer, Signing, encoded, post
from tests.servers.slack_socket import Ack, Sockets
from tests.servers.slack_workspace import Channel, Json, Workspace

__all__ = ["Fault", "SlackServer"]


class SlackServer:
    """The server; use it as an async context manager.

    Attributes:
        workspace: channels, messages, ids.
        api: the Web API: calls, faults, statuses, response_url posts.
        sockets: Socket Mode: acks, redelivery, disconnects.
        events_url: our endpoint; None: Socket Mode.
        event_failures: events over HTTP that were given up.
        link_port: of a proxy before us that sockets are sent to; None: they come directly.
    """

    def __init__(
        self,
        *,
        bot_token: str = "xoxb-test",  # noqa: S107 - of a test server
        app_token: str = "xapp-test",  # noqa: S107
        signing_secret: str = "signing",  # noqa: S107
        ack_timeout_s: float = 3.0,
        retry_delays_s: Sequence[float] = (0.0, 0.5, 2.0),
    ) -> None:
        self.bot_token = bot_token
        self.app_token = app_token
        self.signing_secret = signing_secret
        self.workspace = Workspace()
        self.sockets = Sockets(app_id=self.workspace.app_id, ack_timeout_s=ack_timeout_s, retry_delays_s=retry_delays_s)
        self.api = WebApi(
            workspace=self.workspace,
            bot_token=bot_token,
            app_token=app_token,
            socket_url=lambda: f"ws://127.0.0.1:{self.link_port or self.port}/link?ticket={self.sockets.ticket()}",
            posted=lambda channel, message: self._deliver_message(channel, message),
        )
        self.events_url: str | None = None
        self.event_failures: list[Json] = []
        self.port = 0
        self.link_port: int | None = None
        self._tasks: set[asyncio.Task[object]] = set()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Listen; on the same port again after `stop`, to play an outage."""
        app = web.Application(client_max_size=4 * 2**20)
        app.add_routes([*self.api.routes(), web.get("/link", self.sockets.handle)])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close all connections and stop listening."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.sockets.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def api_url(self) -> str:
        """What goes into `slack.api_url`."""
        return f"http://127.0.0.1:{self.port}/api/"

    # --- people -------------------------------------------------------------------------------------------------------

    def say(
        self,
        channel: str,
        user: str,
        text: str,
        thread: str | None = None,
        *,
        files: Sequence[Json] = (),
        broadcast: bool = False,
    ) -> str:
        """A person writes; returns the message's ts. Events go out in the background, in order of the calls."""
        message = self.workspace.person_message(channel, user, text, thread=thread, files=files, broadcast=broadcast)
        self._deliver_message(channel, message)
        return str(message["ts"])

    def bot_says(self, channel: str, text: str, *, bot_id: str = "B0OTHER") -> str:
        """Another bot writes."""
        ts = self.workspace.new_ts()
        message = {"type": "message", "subtype": "bot_message", "bot_id": bot_id, "text": text, "ts": ts}
        message["username"] = "other"
        self._deliver_message(channel, self.workspace.write(self.workspace.channel(channel), message))
        return ts

    def edit(self, channel: str, ts: str, text: str) -> None:
        """A person edits a message: message_changed."""
        message = next(m for m in self.workspace.channel(channel).messages if m["ts"] == ts)
        before = dict(message)
        message |= {"text": text, "edited": {"user": message["user"], "ts": self.workspace.new_ts()}}
        fields = {"hidden": True, "message": dict(message), "previous_message": before}
        self.deliver(self.workspace.subtype_event(channel, "message_changed", fields))

    def delete(self, channel: str, ts: str) -> None:
        """A person deletes a message: message_deleted."""
        place = self.workspace.channel(channel)
        message = next(m for m in place.messages if m["ts"] == ts)
        place.messages.remove(message)
        fields = {"hidden": True, "deleted_ts": ts, "previous_message": message}
        self.deliver(self.workspace.subtype_event(channel, "message_deleted", fields))

    def react(self, channel: str, ts: str, user: str, reaction: str) -> None:
        """A person reacts to a message: reaction_added."""
        message = next(m for m in self.workspace.channel(channel).messages if m["ts"] == ts)
        event: Json = {"type": "reaction_added", "user": user, "reaction": reaction, "item_user": message["user"]}
        event |= {"item": {"type": "message", "channel": channel, "ts": ts}, "event_ts": self.workspace.new_ts()}
        self.deliver(self.workspace.envelope(event))

    def join(self, channel: str, user: str) -> None:
        """A person joins a channel: channel_join."""
        fields = {"user": user, "text": f"<@{user}> has joined the channel"}
        self.deliver(self.workspace.subtype_event(channel, "channel_join", fields))

    async def slash(self, channel: str, user: str, command: str, text: str = "") -> Ack | Answer | None:
        """A person gives a slash command; None if it was not acknowledged in time (Slack tells them so)."""
        response_url = f"http://127.0.0.1:{self.port}/commands/{self.workspace.new_id('R')}"
        form = self.workspace.slash_form(channel, user, command, text, response_url)
        if self.events_url is None:
            return await self.sockets.deliver_once("slash_commands", form)
        return await self.post(form, form=True)

    # --- delivering ---------------------------------------------------------------------------------------------------

    def deliver(self, payload: Json) -> None:
        """Send an event body in the background, with retries."""
        work = self.sockets.deliver_event(payload) if self.events_url is None else self._post_event(payload)
        task: asyncio.Task[object] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _deliver_message(self, channel: str, message: Json) -> None:
        for event in self.workspace.message_events(channel, message):
            self.deliver(event)

    async def _post_event(self, payload: Json) -> Answer | None:
        reason = "http_timeout"
        for attempt, delay_s in enumerate((0.0, *self.sockets.retry_delays_s)):
            await asyncio.sleep(delay_s)
            try:
                answer = await self.post(payload, retry=(attempt, reason) if attempt else None)
            except (ClientError, TimeoutError):
                reason = "http_timeout"
                continue
            if answer.status < 300:
                return answer
            reason = "http_error"
        self.event_failures.append(payload)
        return None

    async def post(
        self, payload: Json, *, form: bool = False, signing: Signing = "valid", retry: tuple[int, str] | None = None
    ) -> Answer:
        """Post a body to `events_url` once, signed in the way asked for."""
        body, content_type = encoded(payload, form=form)
        return await self.post_bytes(body, content_type, signing=signing, retry=retry)

    async def post_bytes(
        self, body: bytes, content_type: str, *, signing: Signing = "valid", retry: tuple[int, str] | None = None
    ) -> Answer:
        """Post any bytes to `events_url` once, signed in the way asked for."""
        if self.events_url is None:
            raise RuntimeError("events_url is not set")
        timeout_s = self.sockets.ack_timeout_s
        return await post(
            self.events_url, self.signing_secret, body, content_type, signing=signing, retry=retry, timeout_s=timeout_s
        )

    # --- looking ------------------------------------------------------------------------------------------------------

    def channel(self, channel: str) -> Channel:
        """The channel's state; created with the bot in it if it does not exist."""
        return self.workspace.channel(channel)

    def messages(self, channel: str) -> list[Json]:
        """All messages of a channel, oldest first, threads included."""
        return list(self.workspace.channel(channel).messages)

    def from_bot(self, channel: str, thread: str | None = None) -> list[Json]:
        """The bot's messages in a channel, or in one of its threads."""
        messages = [m for m in self.messages(channel) if m.get("bot_id") == self.workspace.bot_id]
        return [m for m in messages if m.get("thread_ts") == thread] if thread is not None else messages

    def ephemerals(self, channel: str, user: str) -> list[Json]:
        """What only that person sees in a channel."""
        return [m for m in self.workspace.channel(channel).ephemerals if m["user"] == user]

    def calls(self, method: str) -> list[Call]:
        """The calls of a method, in order."""
        return [call for call in self.api.calls if call.method == method]

    def enforce_limits(self) -> Limits:
        """From now on those of Slack: per channel, workspace and method. Places are channel ids."""
        self.api.limits = Limits()
        return self.api.limits

    def fail(self, method: str, *faults: Fault) -> None:
        """Let the next calls of a method go wrong, one fault each."""
        self.api.faults[method].extend(faults)

    async def wait_until(self, holds: Callable[[], object], what: str, *, seconds: float = 60) -> None:
        """Return once `holds()` is true.

        Raises:
            AssertionError: it did not become true in time.
        """
        deadline = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds:g} s in vain for {what}")
            await asyncio.sleep(0.01)

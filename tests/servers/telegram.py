"""A Telegram Bot API server on 127.0.0.1 for tests, as strict as the real one.

It reads forms, not JSON, refuses what Telegram refuses with Telegram's words, keeps updates until an offset
confirms them, and can be made to fail in every way a network can. It knows one bot. Use it as
`async with TelegramServer() as server:`, in the loop of the test; the bot may run anywhere.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from aiohttp import web

from tests.servers.limits import Limits
from tests.servers.telegram_chat import Chat, Media, Record, User, private_chat, said, topic_root
from tests.servers.telegram_contract import Call
from tests.servers.telegram_fault import Fault
from tests.servers.telegram_methods import FloodLimit, Methods, Sent
from tests.servers.telegram_queue import UpdateQueue
from tests.servers.telegram_text import Refused
from tests.servers.telegram_webhook import WebhookCalls

BOT_ID = 424242
TOKEN = f"{BOT_ID}:TEST-token-of-no-real-bot"
USERNAME = "FrontDeskTestBot"


class TelegramServer:
    """One bot's Telegram.

    Attributes:
        token: the only one taken.
        me: the bot as getMe describes it.
        calls: every call that reached the server, in order of arrival.
        webhook: delivers updates while a webhook is set.
    """

    def __init__(self, token: str = TOKEN, username: str = USERNAME, *, first_update_id: int = 700_000_000) -> None:
        self.token = token
        self.me = User(id=int(token.split(":")[0]), first_name="Front Desk", username=username, is_bot=True)
        self.calls: list[Call] = []
        self._queue = UpdateQueue(first_update_id)
        self._methods = Methods(self.me, self._queue)
        self.webhook = WebhookCalls(self._queue)
        self._faults: dict[str, list[Fault]] = defaultdict(list)
        self._open: set[asyncio.Event] = set()
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listen: on a free port at first, afterwards on the same one."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self.webhook.start()

    async def stop(self) -> None:
        """Close every connection and the port; what was queued stays."""
        await self.webhook.stop()
        self._queue.close()
        for hanging in self._open:
            hanging.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @property
    def api_url(self) -> str:
        """Without `/bot<token>`."""
        return f"http://127.0.0.1:{self._port}"

    # --- people write ----------------------------------------------------------------------------------------

    def say(
        self,
        text: str = "",
        *,
        user: User,
        chat: Chat | None = None,
        entities: list[Record] | None = None,
        media: Media | None = None,
        reply_to: int | None = None,
        topic: int | None = None,
        sender_chat: Chat | None = None,
        date: int | None = None,
        kind: str = "message",
        **fields: object,
    ) -> int:
        """A person writes; returns the update id.

        Args:
            text: the text, or the caption with `media`.
            user: who writes.
            chat: where; the person's private chat if None.
            entities: as sent; None finds mentions and commands as Telegram does.
            media: what is sent along.
            reply_to: message id it replies to, of a person or of the bot.
            topic: forum topic it is written in; it exists from then on.
            sender_chat: the chat on whose behalf it is sent.
            date: Unix seconds; now if None.
            kind: `message`, `edited_message`, `channel_post` …
            fields: further fields of the message.
        """
        place = self.join(chat or private_chat(user), user)
        number = self._methods.new_message_id(place.id)
        written = int(time.time()) if date is None else date
        message: Record = {"message_id": number, "date": written, "chat": place.record()}
        if kind not in ("channel_post", "edited_channel_post"):
            message["from"] = user.record()
        if sender_chat is not None:
            message["sender_chat"] = sender_chat.record()
        message |= said(text, entities, media)
        message |= self._context(place, user, reply_to, topic, written)
        message |= fields
        self._methods.messages[place.id][number] = message
        return self._queue.add({kind: message})

    def react(self, chat_id: int, message_id: int, *emoji: str, user: User, before: Sequence[str] = ()) -> int:
        """A person's reactions to a message are from now on these; returns the update id."""
        kinds = {
            when: [{"type": "emoji", "emoji": one} for one in row] for when, row in (("old", before), ("new", emoji))
        }
        reaction: Record = {
            "chat": self._methods.chats[chat_id].record(),
            "message_id": message_id,
            "user": user.record(),
            "date": int(time.time()),
            "old_reaction": kinds["old"],
            "new_reaction": kinds["new"],
        }
        return self._queue.add({"message_reaction": reaction})

    def push(self, update: Record) -> int:
        """Queue a raw update; an update id is added unless it has one."""
        return self._queue.add(update)

    def redeliver(self, *update_ids: int) -> None:
        """Bring updates again, whatever was confirmed."""
        self._queue.redeliver(update_ids)

    def confirm(self, update_id: int) -> None:
        """An update is taken from the queue, by whomever."""
        self._queue.confirm(update_id)

    def bot_says(self, text: str, chat: Chat) -> int:
        """A message of the bot stands in a chat, as if sent long ago; returns its message id."""
        return self._methods.stand(self.join(chat), text).message_id

    def update(self, update_id: int) -> Record:
        """An update as the bot gets it."""
        return self._queue.update(update_id)

    def message_id(self, update_id: int) -> int:
        """The message id of a person's message, to reply to."""
        message = self._queue.update(update_id)["message"]
        assert isinstance(message, dict)
        return int(message["message_id"])

    def join(self, chat: Chat, user: User | None = None) -> Chat:
        """The chat exists, the bot is in it, and it has met the person."""
        self._methods.chats.setdefault(chat.id, chat)
        if user is not None:
            self._methods.people.add(user.id)
        return chat

    def block(self, chat_id: int) -> None:
        """The person blocks the bot, or the group throws it out."""
        self._methods.blocked.add(chat_id)

    def migrate(self, chat_id: int, to: Chat) -> None:
        """A group becomes a supergroup with another id."""
        self._methods.migrated[chat_id] = to.id
        self.join(to)

    def set_webhook(self, url: str) -> None:
        """A webhook is set, as an earlier deployment may have left it."""
        self._queue.webhook_url = url

    # --- what goes wrong -------------------------------------------------------------------------------------

    def fail_next(self, method: str, *faults: Fault, times: int = 1) -> None:
        """The next calls of a method go wrong, each fault in turn, `times` over."""
        self._faults[method.lower()] += [*faults] * times

    def pending(self, method: str) -> int:
        """How many of them have not gone wrong yet."""
        return len(self._faults[method.lower()])

    def enforce_limits(self) -> Limits:
        """From now on those of Telegram: per chat, group and bot. Places are chat ids."""
        self._methods.limits = Limits()
        return self._methods.limits

    def limit_flood(self, limit: FloodLimit | None) -> None:
        """Enforce a limit on messages per chat, or none."""
        self._methods.flood_limit = limit

    # --- what the bot did ------------------------------------------------------------------------------------

    def messages(self, chat_id: int | None = None) -> list[Sent]:
        """What the bot sent, in order, in one chat or in all."""
        return [sent for sent in self._methods.sent.values() if chat_id in (None, sent.chat_id)]

    def actions(self, chat_id: int) -> list[str]:
        """The chat actions the bot showed in a chat."""
        return [action for chat, action in self._methods.actions if chat == chat_id]

    def commands(self, language: str = "") -> list[Record]:
        """The command list of a language, empty for the default one."""
        return self._methods.commands.get(language, [])

    def calls_of(self, method: str) -> list[Call]:
        """Every recorded call of a method."""
        return [call for call in self.calls if call.method.lower() == method.lower()]

    @property
    def unconfirmed(self) -> list[int]:
        """Ids of the updates that no offset has confirmed."""
        return self._queue.unconfirmed

    async def wait_until(self, met: Callable[[], bool], description: str, *, timeout_s: float = 60) -> None:
        """Return once a condition is met; fail with its description after a while."""
        deadline = time.monotonic() + timeout_s
        while not met():
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {timeout_s} s: {description}")
            await asyncio.sleep(0.01)

    async def wait_messages(self, chat_id: int, count: int = 1, *, timeout_s: float = 60) -> list[Sent]:
        """The bot's messages in a chat, once there are so many."""
        met = lambda: len(self.messages(chat_id)) >= count  # noqa: E731 - one use, named for the reader
        await self.wait_until(met, f"{count} messages in chat {chat_id}", timeout_s=timeout_s)
        return self.messages(chat_id)

    async def wait_confirmed(self, *, timeout_s: float = 60) -> None:
        """Return once every update is confirmed."""
        await self.wait_until(lambda: not self.unconfirmed, "all updates confirmed", timeout_s=timeout_s)

    # --- HTTP ------------------------------------------------------------------------------------------------

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        method, refusal = self._addressed(request.path)
        form = {**request.query, **{name: str(value) for name, value in (await request.post()).items()}}
        waiting = self._faults[method.lower()] if refusal is None else []
        fault = waiting.pop(0) if waiting else None
        try:
            if refusal is not None:
                raise refusal
            if fault is not None and not fault.after_effect:
                return await self._fail(request, method, form, fault)
            result = await self._methods.call(method, form)
        except Refused as refused:
            return self._refuse(method, form, refused)
        if fault is not None:
            return await self._fail(request, method, form, fault)
        self.calls.append(Call(method=method, parameters=form, status=200))
        return web.json_response({"ok": True, "result": result})

    def _addressed(self, path: str) -> tuple[str, Refused | None]:
        """The method a path names, and why it is not served."""
        head, _, method = path.lstrip("/").partition("/")
        token = head.removeprefix("bot")
        if head == token or not method:
            return method or path, Refused(404, "Not Found")
        if ":" not in token:
            return method, Refused(401, "Unauthorized: invalid token specified")
        return method, None if token == self.token else Refused(401, "Unauthorized")

    def _refuse(self, method: str, form: dict[str, str], refused: Refused) -> web.Response:
        self.calls.append(Call(method=method, parameters=form, status=refused.status))
        body: Record = {"ok": False, "error_code": refused.status, "description": refused.description}
        if refused.parameters:
            body["parameters"] = refused.parameters
        return web.json_response(body, status=refused.status)

    async def _fail(self, request: web.Request, method: str, form: dict[str, str], fault: Fault) -> web.StreamResponse:
        if fault.how == "error":
            return self._refuse(method, form, Refused(fault.status, fault.description, **fault.parameters))
        status = {"garbage": 200, "raw": 200, "page": fault.status}.get(fault.how, 0)
        self.calls.append(Call(method=method, parameters=form, status=status))
        if fault.how == "garbage":
            return web.Response(text='{"ok": tru', content_type="application/json")
        if fault.how == "raw":
            return web.Response(body=fault.body, content_type="application/json")
        if fault.how == "page":
            return web.Response(text="<h1>Forbidden</h1>", content_type="text/html", status=status)
        if fault.how == "hang":
            await self._hang(fault.seconds)
        if fault.how == "trickle":
            await self._trickle(request, fault.seconds)
        if request.transport is not None:
            request.transport.abort()
        return web.Response()

    async def _hang(self, seconds: float) -> None:
        released = asyncio.Event()
        self._open.add(released)
        try:
            async with asyncio.timeout(seconds):
                await released.wait()
        except TimeoutError:
            pass
        finally:
            self._open.discard(released)

    async def _trickle(self, request: web.Request, seconds: float) -> None:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(int(seconds / 0.05)):
            if request.transport is None or request.transport.is_closing():
                return
            await answer.write(b" ")
            await asyncio.sleep(0.05)

    def _context(self, chat: Chat, user: User, reply_to: int | None, topic: int | None, date: int) -> Record:
        """What a message says about its topic and the message it replies to."""
        context: Record = {}
        if topic is not None:
            self._methods.topics.add((chat.id, topic))
            root = topic_root(chat, topic, date, self.me if topic % 2 else user)
            context = {"message_thread_id": topic, "is_topic_message": True, "reply_to_message": root}
        elif reply_to is not None and chat.type == "supergroup":
            context = {"message_thread_id": reply_to}
        if reply_to is not None:
            quoted = dict(self._methods.messages[chat.id][reply_to])
            quoted.pop("reply_to_message", None)
            context["reply_to_message"] = quoted
        return context

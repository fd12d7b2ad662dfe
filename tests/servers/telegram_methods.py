"""The Bot API methods of the Telegram test server: what each checks, changes and answers."""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from tests.servers.limits import TELEGRAM_COUNTED, Limits, telegram_rules
from tests.servers.telegram_chat import Chat, User
from tests.servers.telegram_queue import UpdateQueue
from tests.servers.telegram_text import Record, Refused, bad_request, checked_text

Form = Mapping[str, str]

_ACTIONS = frozenset(
    {
        "typing",
        "upload_photo",
        "record_video",
        "upload_video",
        "record_voice",
        "upload_voice",
        "upload_document",
        "choose_sticker",
        "find_location",
        "record_video_note",
        "upload_video_note",
    }
)
_COMMAND_NAME = re.compile(r"[a-z0-9_]{1,32}\Z")
_NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current "
    "content and reply markup of the message"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message of the bot.

    Attributes:
        message_id: in its chat.
        chat_id: where it was sent.
        text: as kept after trimming and edits.
        entities: as kept.
        thread: forum topic, or None.
        reply_to: the message it quotes, or None.
        preview: link previews were left on.
        edits: how often it was edited.
    """

    message_id: int
    chat_id: int
    text: str
    entities: list[Record]
    thread: int | None
    reply_to: int | None
    preview: bool
    edits: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FloodLimit:
    """At most `messages` in one chat within `window`; more are answered with 429."""

    messages: int
    window: timedelta


class Methods:
    """State of one bot's chats and the methods that work on it."""

    def __init__(self, me: User, queue: UpdateQueue) -> None:
        self.me = me
        self.queue = queue
        self.chats: dict[int, Chat] = {}
        self.people: set[int] = set()
        self.blocked: set[int] = set()
        self.topics: set[tuple[int, int]] = set()
        self.migrated: dict[int, int] = {}
        self.messages: dict[int, dict[int, Record]] = defaultdict(dict)
        self.sent: dict[tuple[int, int], Sent] = {}
        self.actions: list[tuple[int, str]] = []
        self.commands: dict[str, list[Record]] = {}
        self.flood_limit: FloodLimit | None = None
        self.limits: Limits | None = None
        self._next_message_id: dict[int, int] = defaultdict(lambda: 1)
        self._recent: dict[int, deque[float]] = defaultdict(deque)
        self._table: dict[str, Callable[[Form], Awaitable[object]]] = {
            "getme": self._get_me,
            "getupdates": self._get_updates,
            "setwebhook": self._set_webhook,
            "deletewebhook": self._delete_webhook,
            "getwebhookinfo": self._get_webhook_info,
            "sendmessage": self._send_message,
            "editmessagetext": self._edit_message_text,
            "sendchataction": self._send_chat_action,
            "setmycommands": self._set_my_commands,
        }

    async def call(self, method: str, form: Form) -> object:
        """Run a method; names are matched without regard to case, as Telegram does.

        Raises:
            Refused: the error Telegram answers with.
        """
        known = self._table.get(method.lower())
        if known is None:
            raise Refused(404, "Not Found: method not found")
        if self.limits is not None and method.lower() in TELEGRAM_COUNTED:
            chat_id = _integer(form, "chat_id") or 0
            wait_s = self.limits.wait_s(chat_id, telegram_rules(chat_id))
            if wait_s is not None:
                raise too_many(wait_s)
        return await known(form)

    def new_message_id(self, chat_id: int) -> int:
        """The next message id of a chat."""
        number = self._next_message_id[chat_id]
        self._next_message_id[chat_id] = number + 1
        return number

    def stand(self, chat: Chat, text: str) -> Sent:
        """A message of the bot in a chat, sent by no call."""
        number = self.new_message_id(chat.id)
        sent = Sent(
            message_id=number, chat_id=chat.id, text=text, entities=[], thread=None, reply_to=None, preview=False
        )
        self._keep(chat, sent)
        # It can be replied to, but it is nothing that the bot sent in this test.
        return self.sent.pop((chat.id, number))

    async def _get_me(self, _: Form) -> object:
        return {**self.me.record(), "can_join_groups": True, "can_read_all_group_messages": False}

    async def _get_updates(self, form: Form) -> object:
        kinds = _decoded(form, "allowed_updates")
        self.queue.allow([str(kind) for kind in kinds] if isinstance(kinds, list) else None)
        limit = min(max(_integer(form, "limit") or 100, 1), 100)
        return await self.queue.take(_integer(form, "offset") or 0, limit, min(_integer(form, "timeout") or 0, 50))

    async def _set_webhook(self, form: Form) -> object:
        url, secret = form.get("url", ""), form.get("secret_token", "")
        if not url.startswith("https://"):
            raise bad_request("bad webhook: An HTTPS URL must be provided for webhook")
        if not re.fullmatch(r"[A-Za-z0-9_-]{0,256}", secret):
            raise bad_request("secret token contains unallowed characters")
        kinds = _decoded(form, "allowed_updates")
        self.queue.allow([str(kind) for kind in kinds] if isinstance(kinds, list) else None)
        self.queue.webhook_url, self.queue.webhook_secret = url, secret
        return True

    async def _delete_webhook(self, form: Form) -> object:
        self.queue.webhook_url = ""
        if form.get("drop_pending_updates", "").lower() == "true":
            await self.queue.take(self.queue.next_id, 1, 0)
        return True

    async def _get_webhook_info(self, _: Form) -> object:
        waiting = len(self.queue.unconfirmed)
        info: Record = {"url": self.queue.webhook_url, "has_custom_certificate": False, "pending_update_count": waiting}
        if self.queue.webhook_error is not None:
            info["last_error_date"], info["last_error_message"] = self.queue.webhook_error
        return info

    async def _send_message(self, form: Form) -> object:
        text, entities = checked_text(form.get("text", ""), _entities(form))
        chat = self._chat(form)
        thread = self._topic(chat, form)
        reply_to = self._replied(chat, form)
        self._check_flood(chat.id)
        sent = Sent(
            message_id=self.new_message_id(chat.id),
            chat_id=chat.id,
            text=text,
            entities=entities,
            thread=thread,
            reply_to=reply_to,
            preview=not _record(form, "link_preview_options").get("is_disabled", False),
        )
        return self._keep(chat, sent)

    async def _edit_message_text(self, form: Form) -> object:
        text, entities = checked_text(form.get("text", ""), _entities(form))
        chat = self._chat(form)
        before = self.sent.get((chat.id, _integer(form, "message_id") or 0))
        if before is None:
            raise bad_request("message to edit not found")
        if (before.text, before.entities) == (text, entities):
            raise bad_request(_NOT_MODIFIED)
        self._check_flood(chat.id)
        return self._keep(chat, replace(before, text=text, entities=entities, edits=before.edits + 1))

    async def _send_chat_action(self, form: Form) -> object:
        chat = self._chat(form)
        if form.get("action") not in _ACTIONS:
            raise bad_request("wrong parameter action in request")
        self._topic(chat, form)
        self.actions.append((chat.id, form["action"]))
        return True

    async def _set_my_commands(self, form: Form) -> object:
        commands = _decoded(form, "commands")
        if not isinstance(commands, list) or len(commands) > 100:
            raise bad_request("expected an Array of BotCommand")
        for command in commands:
            if not _COMMAND_NAME.match(str(command.get("command"))):
                raise bad_request("BOT_COMMAND_INVALID")
            if not 1 <= len(str(command.get("description", ""))) <= 256:
                raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands[form.get("language_code", "")] = commands
        return True

    def _keep(self, chat: Chat, sent: Sent) -> Record:
        """Store a message of the bot and describe it as Telegram does."""
        self.sent[chat.id, sent.message_id] = sent
        topic = {"message_thread_id": sent.thread, "is_topic_message": True} if sent.thread else {}
        quoted = self.messages[chat.id].get(sent.reply_to) if sent.reply_to else None
        record: Record = {
            "message_id": sent.message_id,
            "date": int(time.time()),
            "chat": chat.record(),
            "from": self.me.record(),
            "text": sent.text,
            **({"entities": sent.entities} if sent.entities else {}),
            **topic,
            **({"reply_to_message": quoted} if quoted else {}),
        }
        self.messages[chat.id][sent.message_id] = record
        return record

    def _chat(self, form: Form) -> Chat:
        """The chat a call goes to, if the bot may write there."""
        number = _integer(form, "chat_id")
        if "chat_id" not in form:
            raise bad_request("chat_id is empty")
        if number in self.migrated:
            to = self.migrated[number]
            text = "Bad Request: group chat was upgraded to a supergroup chat"
            raise Refused(400, text, migrate_to_chat_id=to)
        if number is None or number not in self.chats:
            if number in self.people:
                raise Refused(403, "Forbidden: bot can't initiate conversation with a user")
            raise bad_request("chat not found")
        if number in self.blocked:
            kicked = "bot was blocked by the user" if number > 0 else "bot was kicked from the group chat"
            raise Refused(403, f"Forbidden: {kicked}")
        return self.chats[number]

    def _topic(self, chat: Chat, form: Form) -> int | None:
        """The forum topic; outside forums the parameter means nothing."""
        topic = _integer(form, "message_thread_id")
        if topic is None or not (chat.is_forum or chat.type == "private"):
            return None
        if (chat.id, topic) not in self.topics:
            raise bad_request("message thread not found")
        return topic

    def _replied(self, chat: Chat, form: Form) -> int | None:
        parameters = _record(form, "reply_parameters")
        quoted = parameters.get("message_id")
        if quoted is None:
            return None
        if not isinstance(quoted, int):
            raise bad_request('can\'t parse reply parameters: Field "message_id" must be of type Number')
        if quoted in self.messages[chat.id]:
            return quoted
        if parameters.get("allow_sending_without_reply"):
            return None
        raise bad_request("message to be replied not found")

    def _check_flood(self, chat_id: int) -> None:
        if self.flood_limit is None:
            return
        window_s = self.flood_limit.window.total_seconds()
        now, recent = time.monotonic(), self._recent[chat_id]
        while recent and recent[0] <= now - window_s:
            recent.popleft()
        if len(recent) >= self.flood_limit.messages:
            raise too_many(int(recent[0] + window_s - now) + 1)
        recent.append(now)


def too_many(wait_s: int) -> Refused:
    """429: ask again after so many seconds."""
    return Refused(429, f"Too Many Requests: retry after {wait_s}", retry_after=wait_s)


def _integer(form: Form, name: str) -> int | None:
    try:
        return int(form[name])
    except (KeyError, ValueError):
        return None


def _decoded(form: Form, name: str) -> object:
    if name not in form:
        return None
    try:
        return json.loads(form[name])
    except ValueError as error:
        raise bad_request(f"can't parse {name} JSON object") from error


def _record(form: Form, name: str) -> Record:
    value = _decoded(form, name)
    if value is not None and not isinstance(value, dict):
        raise bad_request(f"object expected as {name}")
    return value or {}


def _entities(form: Form) -> list[object]:
    value = _decoded(form, "entities")
    return value if isinstance(value, list) else []

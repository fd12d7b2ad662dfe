"""The inbox and forgetting as plain Python: what the scripts must do, said as simply as possible.

Nothing expires here by itself; the machine that drives model and Redis moves one clock for both.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from bot.message import Conversation, Incoming, MessageId
from bot.ports import Accepted, Delivery
from bot.turn import Exchange

Mark = tuple[str, str]
Trouble = Literal["", "failing", "error"]
"""Why a turn is given back; empty: in order."""
IN_LINE_MS = 10**14
"""In the line for the model: this and the arrival of the message."""


@dataclass
class Letter:
    """A message in a mailbox."""

    incoming: Incoming
    arrived_ms: int
    full: bool


@dataclass
class OpenTurn:
    """The open turn of the message at the head."""

    id: MessageId
    token: str | None = None
    attempts: int = 0
    failing_ms: int | None = None
    crashes: int = 0
    charged: int = 1
    told: bool = False
    in_line: bool = False
    watched: bool = False
    reply: Delivery | None = None
    sent: dict[int, str] = field(default_factory=dict)


@dataclass
class Box:
    """All that belongs to one conversation."""

    mail: list[Letter] = field(default_factory=list)
    turn: OpenTurn | None = None
    history: list[tuple[int, Exchange]] = field(default_factory=list)
    due_ms: int | None = None
    thread_ms: int | None = None


class InboxModel:
    """Every method is named like the act it mirrors, and takes the moment it happens at."""

    def __init__(
        self, conversations: list[Conversation], *, lease_ms: int, max_waiting: int, max_turns: int, max_tokens: int
    ) -> None:
        self._lease_ms = lease_ms
        self._max_waiting = max_waiting
        self._max_turns = max_turns
        self._max_tokens = max_tokens
        self.boxes = {where: Box() for where in conversations}
        self.seen: set[MessageId] = set()
        self.marks: dict[Mark, int] = {}
        self.last_ms: dict[str, dict[Conversation, int]] = {}
        """For each person and place, when each conversation last had a message."""
        self.leases: dict[str, tuple[Conversation, int]] = {}
        """Token → conversation and end of the lease."""
        self.dead: dict[MessageId, tuple[Conversation, int]] = {}
        self.taken: list[Incoming] = []
        """Every message that entered a mailbox, in order."""
        self.ended: list[Incoming] = []
        """Every message that was settled or buried, in order."""

    def put(self, message: Incoming, now: int) -> Accepted:
        """Store once."""
        where, box = message.conversation, self.boxes[message.conversation]
        if message.id in self.seen:
            return "duplicate"
        if message.addressing == "follow" and box.thread_ms is None:
            return "unaddressed"
        if message.addressing != "direct":
            box.thread_ms = now
        self.seen.add(message.id)
        for index in (where.person, where.place):
            self.last_ms.setdefault(index, {})[where] = now
        if len(box.mail) > self._max_waiting:
            return "counted"
        full = len(box.mail) == self._max_waiting
        box.mail.append(Letter(message, now, full))
        self.taken.append(message)
        if box.due_ms is None:
            box.due_ms = now
        return "refused" if full else "stored"

    def due(self, now: int, *, has_place: bool = False) -> dict[Conversation, int]:
        """What may be claimed, and since when; in line for the model, since it arrived."""
        waiting = {where: box.due_ms for where, box in self.boxes.items() if box.due_ms is not None}
        due = {where: at for where, at in waiting.items() if at <= now}
        line = {where: at - IN_LINE_MS for where, at in waiting.items() if at >= IN_LINE_MS}
        return due | line if has_place else due

    def untold(self, now: int, wait_ms: int) -> set[Conversation]:
        """Who has waited so long for a claim, and was neither told nor looked at."""
        waiting = self.due(now, has_place=True).items()
        turns = {
            where: self.boxes[where].turn or OpenTurn(id=MessageId("")) for where, at in waiting if at <= now - wait_ms
        }
        return {where for where, turn in turns.items() if not (turn.told or turn.watched or turn.reply is not None)}

    def holds(self, where: Conversation, token: str) -> bool:
        """The token is that of the conversation's open turn."""
        turn = self.boxes[where].turn
        return turn is not None and turn.token == token

    def claim(self, where: Conversation, token: str, now: int, *, spared_from: int | None = None) -> OpenTurn:
        """Lease the conversation, anew or once more to the same token within its lease."""
        box = self.boxes[where]
        if box.turn is None:
            box.turn = OpenTurn(id=box.mail[0].incoming.id)
        if not self.repeats(token, now):
            box.turn.charged = int(spared_from is None or box.turn.crashes < spared_from)
            box.turn.crashes += box.turn.charged
            box.turn.in_line = (box.due_ms or 0) >= IN_LINE_MS
        box.turn.token = token
        box.due_ms = now + self._lease_ms
        self.leases[token] = where, box.due_ms
        return box.turn

    def repeats(self, token: str, now: int) -> bool:
        """The token holds a conversation and its lease has not run out."""
        where, end = self.leases.get(token, (None, 0))
        return where is not None and self.holds(where, token) and end >= now

    def renew(self, where: Conversation, token: str, now: int) -> bool:
        """Prolong, if the token holds."""
        if not self.holds(where, token):
            return False
        end = self.boxes[where].due_ms = now + self._lease_ms
        self.leases[token] = where, end
        return True

    def defer(self, where: Conversation, token: str, delay_ms: int, now: int, trouble: Trouble) -> bool:
        """Give back, if the token holds."""
        box = self.boxes[where]
        if box.turn is None or box.turn.token != token:
            return False
        box.turn.token = None
        box.turn.crashes -= box.turn.charged
        box.turn.attempts += int(trouble == "error")
        if trouble:
            box.turn.failing_ms = now if box.turn.failing_ms is None else box.turn.failing_ms
        elif delay_ms < 0:
            box.turn.failing_ms = None
        arrived_ms = box.mail[0].arrived_ms
        box.due_ms = {0: min(now, arrived_ms), -1: IN_LINE_MS + arrived_ms}.get(delay_ms, now + delay_ms)
        self.leases.pop(token, None)
        return True

    def release(self, now: int) -> int:
        """End all claims whose lease has not run out; how many."""
        ended = 0
        for box in self.boxes.values():
            if box.turn is not None and box.turn.token is not None and (box.due_ms or 0) > now:
                self.leases.pop(box.turn.token, None)
                box.turn.token, ended = None, ended + 1
                box.due_ms = min(now, box.mail[0].arrived_ms)
        return ended

    def settle(self, message: Incoming, token: str, remember: Exchange | None, now: int) -> str:
        """End the turn and remember it."""
        letter, end = self._letter(message, token)
        if letter is None:
            return end
        box = self.boxes[message.conversation]
        if remember is not None and letter.arrived_ms > self.forgotten_ms(message.conversation):
            box.history = self._trimmed([*box.history, (letter.arrived_ms, remember)])
        self._close(box, letter, token, now)
        return end

    def bury(self, message: Incoming, token: str, now: int) -> str:
        """End the turn as a dead letter."""
        letter, end = self._letter(message, token)
        if letter is None:
            return end
        if letter.arrived_ms > self.forgotten_ms(message.conversation):
            self.dead[message.id] = message.conversation, letter.arrived_ms
        self._close(self.boxes[message.conversation], letter, token, now)
        return end

    def _letter(self, message: Incoming, token: str) -> tuple[Letter | None, str]:
        box = self.boxes[message.conversation]
        letter = next((letter for letter in box.mail if letter.incoming.id == message.id), None)
        if letter is None:
            return None, "done"
        if box.turn is None or box.turn.token != token:
            return None, "lost"
        return letter, "settled"

    def _trimmed(self, history: list[tuple[int, Exchange]]) -> list[tuple[int, Exchange]]:
        history = history[-self._max_turns :]
        while len(history) > 1 and sum(exchange.tokens for _, exchange in history) > self._max_tokens:
            history = history[1:]
        return history

    def _close(self, box: Box, letter: Letter, token: str, now: int) -> None:
        self.leases.pop(token, None)
        box.mail.remove(letter)
        box.turn = None
        box.due_ms = now if box.mail else None
        self.ended.append(letter.incoming)

    def forgotten_ms(self, where: Conversation) -> int:
        """The latest mark that touches a conversation."""
        marks = (("c", where.id), ("u", where.person), ("p", where.place))
        return max(self.marks.get(mark, 0) for mark in marks)

    def reset(self, meant: list[Conversation], marks: list[Mark], at: int) -> tuple[int, int]:
        """Erase what is old in these histories and leave marks; (histories touched, exchanges erased)."""
        touched = exchanges = 0
        for where in meant:
            box = self.boxes[where]
            kept = [entry for entry in box.history if entry[0] > at]
            exchanges += len(box.history) - len(kept)
            touched += len(box.history) > len(kept)
            box.history = kept
        for mark in marks:
            self.marks[mark] = max(at, self.marks.get(mark, 0))
        return touched, exchanges

    def forget(self, person: str, at: int) -> tuple[int, int, int]:
        """Erase the person; (histories touched, exchanges erased, dead letters erased)."""
        known = self.last_ms.get(person, {})
        touched, exchanges = self.reset(list(known), [("u", person)], at)
        for where in known:
            box = self.boxes[where]
            if box.thread_ms is not None and box.thread_ms <= at:
                box.thread_ms = None
        letters = [id_ for id_, (where, _) in self.dead.items() if where.person == person]
        for id_ in letters:
            del self.dead[id_]
        for where, last in list(known.items()):
            if last <= at:
                del known[where]
                self.last_ms[where.place].pop(where, None)
        return touched, exchanges, len(letters)

    def picture(self) -> dict[str, object]:
        """All of it, in the shape in which `inbox_picture.picture_of` reads it from Redis."""
        state: dict[str, object] = {
            "due": {where.id: box.due_ms for where, box in self.boxes.items() if box.due_ms is not None},
            "dead": set(self.dead),
        }
        for where, box in self.boxes.items():
            turn = box.turn
            state[where.id] = (
                [letter.incoming.id for letter in box.mail],
                None
                if turn is None
                else (turn.id, turn.token, turn.attempts, turn.crashes, turn.told, turn.reply, turn.sent),
                box.history,
                box.thread_ms,
            )
        return state

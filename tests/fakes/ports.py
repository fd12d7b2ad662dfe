"""Fakes of the ports that steps use: a few lines each, holding what they were given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from bot.answers import Hit, Lead, Near
from bot.errors import ModelUnavailable
from bot.message import Conversation, Language, MessageId, PersonId, PlaceId, Platform, SentId
from bot.model import Completion, ModelMessage
from bot.ports import Decision, Found, Receipt, Reconnect, ReuseResult
from bot.turn import AnswerKey, Passage, StoredAnswer


class FakeMeter:
    """Remembers what was counted."""

    def __init__(self) -> None:
        self.counted: list[tuple[str, str]] = []

    def received(self, platform: Platform, accepted: str) -> None:
        """Remember."""
        self.counted.append(("received", accepted))

    def settled(self, platform: Platform, outcome: str, seconds: float) -> None:
        """Remember."""
        self.counted.append(("settled", outcome))

    def step(self, name: str, seconds: float) -> None:
        """Remember."""
        self.counted.append(("step", name))

    def model(self, result: Literal["ok", "truncated", "failed"], seconds: float, prompt: int, completion: int) -> None:
        """Remember."""
        self.counted.append(("model", result))

    def reuse(self, result: ReuseResult) -> None:
        """Remember."""
        self.counted.append(("reuse", result))

    def refused(self, rule: str) -> None:
        """Remember."""
        self.counted.append(("refused", rule))

    def sent(self, platform: Platform, result: Literal["ok", "limited", "refused", "failed", "unknown"]) -> None:
        """Remember."""
        self.counted.append(("sent", result))

    def reconnected(self, platform: Platform, reason: Reconnect) -> None:
        """Remember."""
        self.counted.append(("reconnected", reason))


@dataclass
class FakeLimiter:
    """Gives out prepared decisions, one after another; then allows."""

    decisions: list[Decision] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    async def decide(self, rule: str, person: PersonId, message: str, arrived_ms: int) -> Decision:
        """The next decision."""
        self.asked.append(rule)
        return self.decisions.pop(0) if self.decisions else Decision(allowed=True)


@dataclass
class FakeSpending:
    """Remembers what was reserved and spent; refuses with the prepared decision."""

    decision: Decision = field(default_factory=lambda: Decision(allowed=True))
    reserved: list[int] = field(default_factory=list)
    corrected: list[int] = field(default_factory=list)
    released: list[str] = field(default_factory=list)

    async def reserve(self, person: PersonId, message: str, arrived_ms: int, tokens: int) -> Decision:
        """The decision."""
        self.reserved.append(tokens)
        return self.decision

    async def spent(self, person: PersonId, message: str, tokens: int) -> None:
        """Remember."""
        self.corrected.append(tokens)

    async def release(self, person: PersonId, message: str) -> None:
        """Remember."""
        self.released.append(message)


@dataclass
class FakeKnowledge:
    """Finds the same passages for every question, and has the vectors of some."""

    passages: tuple[Passage, ...] = ()
    epoch: int = 1
    asked: list[str] = field(default_factory=list)
    vectors: dict[str, bytes] = field(default_factory=dict)
    whole: bool = True

    async def search(self, base: str, question: str, language: Language, k: int) -> Found:
        """The passages."""
        self.asked.append(question)
        vector = self.vectors.get(question)
        return Found(passages=self.passages[:k], epoch=self.epoch, vector=vector, whole=self.whole)

    async def fetch(self, base: str, references: Sequence[str]) -> tuple[Passage | None, ...]:
        """Those of the passages that it has."""
        held = {passage.reference: passage for passage in self.passages}
        return tuple(held.get(reference) for reference in references)


def cosine_distance(one: bytes, other: bytes) -> float:
    """Of two unit vectors, float32."""
    return 1 - float(np.frombuffer(one, dtype="<f4") @ np.frombuffer(other, dtype="<f4"))


@dataclass
class FakeAnswers:
    """A dictionary each of answers, leaders and scopes with vectors, as in Redis but without time."""

    epoch: int = 1
    stored: dict[AnswerKey, StoredAnswer] = field(default_factory=dict)
    leaders: dict[AnswerKey, str] = field(default_factory=dict)
    vectors: dict[AnswerKey, tuple[str, bytes]] = field(default_factory=dict)

    async def find(self, key: AnswerKey, leader: MessageId | None, *, stale: int = -1) -> Hit | Lead:
        """A stored answer, or who answers."""
        answer = self.stored.get(key)
        if answer is not None and answer.epoch > stale:
            return Hit(answer=answer, current=answer.epoch == self.epoch)
        self.stored.pop(key, None)
        if leader is None:
            return "alone"
        first = self.leaders.setdefault(key, leader)
        return "lead" if first == leader else "alone" if first == "free" else "wait"

    async def confirm(self, key: AnswerKey, answer: StoredAnswer, epoch: int) -> bool:
        """Move the entry to a newer epoch."""
        self.stored[key] = replace(answer, epoch=epoch)
        return True

    async def renew_lead(self, key: AnswerKey, leader: MessageId) -> None:
        """Nothing runs out here."""

    async def store(
        self,
        key: AnswerKey,
        leader: MessageId,
        answer: StoredAnswer,
        asker: Conversation,
        arrived_ms: int,
        *,
        scope: str = "",
        vector: bytes | None = None,
    ) -> bool:
        """Keep it and end the lead."""
        self.stored[key] = answer
        if vector is not None:
            self.vectors[key] = scope, vector
        self.leaders.pop(key, None)
        return True

    async def nearest(self, base: str, scope: str, vector: bytes, k: int) -> tuple[Near, ...]:
        """By the cosine distance to each."""
        near = [
            Near(key=key, answer=self.stored[key], distance=cosine_distance(vector, there))
            for key, (of, there) in self.vectors.items()
            if key in self.stored and (key.base, of) == (base, scope)
        ]
        return tuple(sorted(near, key=lambda one: one.distance)[:k])

    async def evict(self, key: AnswerKey) -> bool:
        """Drop it."""
        return self.stored.pop(key, None) is not None

    async def free(self, key: AnswerKey, leader: MessageId) -> None:
        """Let everyone ask."""
        if self.leaders.get(key) == leader:
            self.leaders[key] = "free"


@dataclass
class FakeShown:
    """Which stored answer each message of ours shows."""

    keys: dict[str, AnswerKey] = field(default_factory=dict)

    async def key_of(self, place: PlaceId, message: SentId) -> AnswerKey | None:
        """The key."""
        return self.keys.get(message)


@dataclass
class FakeModel:
    """Says what it was told to; `None` means that it is away."""

    says: str | None = "Certainly."
    complete_answer: bool = True
    asked: list[list[ModelMessage]] = field(default_factory=list)

    async def complete(self, messages: Sequence[ModelMessage], *, max_tokens: int | None = None) -> Completion:
        """The answer."""
        self.asked.append(list(messages))
        if self.says is None:
            raise ModelUnavailable("openai: no answer")
        return Completion(text=self.says, complete=self.complete_answer)


@dataclass
class FakeForgetting:
    """Remembers what was to be forgotten."""

    forgotten: list[tuple[str, object]] = field(default_factory=list)

    async def reset(self, conversation: Conversation, at_ms: int) -> None:
        """Remember."""
        self.forgotten.append(("conversation", conversation.id))

    async def reset_person_in(self, place: PlaceId, person: PersonId, at_ms: int) -> None:
        """Remember."""
        self.forgotten.append(("both", (place, person)))

    async def reset_place(self, place: PlaceId, at_ms: int) -> None:
        """Remember."""
        self.forgotten.append(("place", place))

    async def forget(self, person: PersonId, at_ms: int) -> Receipt:
        """Remember, and claim to have erased 1, 2, 3 and 4."""
        self.forgotten.append(("person", person))
        return Receipt(conversations=1, exchanges=2, answers=3, dead_letters=4)

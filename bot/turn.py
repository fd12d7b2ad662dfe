"""One message's way through the pipeline: what is known so far, and what comes of it.

Frozen: a step returns a new turn. The first step that sets `reply`, `silent` or `wait` ends the walk.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Literal, NamedTuple

from bot.message import Incoming, Language, Reply

Outcome = Literal[
    "answered",  # the model's answer
    "quoted",  # passages quoted: no model, or it is away
    "reused",  # an answer given before
    "command",  # a command's receipt
    "limited",  # refused by the limiter, with or without a word
    "refused",  # not allowed, too long, nothing we can read
    "failed",  # the honest failure sentence
]


MAIN = "main"
"""The knowledge base of every channel that is given none of its own."""
InLine = Literal["in line"]
IN_LINE: InLine = "in line"
"""How long a turn waits for a place at the model: until its turn comes, the oldest first."""
ASK_AGAIN = timedelta(milliseconds=500)
"""How soon to look again while another worker answers the same question; shorter costs Redis, longer the person."""


class AnswerKey(NamedTuple):
    """Where a stored answer stands.

    Attributes:
        base: name of the knowledge base it was made from; another base never shares answers.
        digest: hash of scope, language and normalised question.
    """

    base: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One remembered turn: the person's words and our answer.

    Attributes:
        question: as written.
        answer: Markdown, without the list of sources.
        tokens: estimate for both together.
        sources: the marks in the answer: number → `Passage.reference`.
        key: of the stored answer that was given or made; None if there is none.
        base: name of the knowledge base it was made from.
    """

    question: str
    answer: str
    tokens: int
    sources: tuple[tuple[int, str], ...] = ()
    key: AnswerKey | None = None
    base: str = MAIN

    def to_json(self) -> str:
        """The record as history keeps it; `t` comes first, the script that trims reads it."""
        record: dict[str, object] = {"t": self.tokens, "q": self.question, "a": self.answer}
        if self.sources:
            record["s"] = self.sources
        if self.key is not None:
            record["k"] = self.key.digest
        if self.base != MAIN:
            record["b"] = self.base
        return json.dumps(record, ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | bytes) -> Exchange:
        """The inverse of `to_json`.

        Raises:
            ValueError: not JSON.
            KeyError, TypeError: not the record of an exchange.
        """
        record = json.loads(text)
        if not isinstance(record, dict):
            raise TypeError("no record of an exchange")
        base = record.get("b", MAIN)
        return cls(
            question=record["q"],
            answer=record["a"],
            tokens=record["t"],
            sources=tuple((number, reference) for number, reference in record.get("s", ())),
            key=AnswerKey(base, record["k"]) if "k" in record else None,
            base=base,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Passage:
    """A piece of a document, as the search returned it.

    Attributes:
        id: stable name of the passage within its knowledge base and document version.
        document: the path as ingested.
        version: of the document; another version is another passage.
        title: of the document.
        place: headings that lead to it, joined by ` › `; empty at the top.
        text: the passage itself: data, never an instruction.
        language: of the text, as detected when ingested.
        score: of the fused ranking, higher is better, in [0, 1].
        cosine_distance: mean of its own and its nearest sentence's distance from the question, 1 - cosine, in [0, 2],
            lower is closer; None if the question has no vector.
        url: where people can read the document, an http or https link; empty if it has none.
    """

    id: str
    document: str
    version: str
    title: str
    place: str
    text: str
    language: Language
    score: float
    cosine_distance: float | None
    url: str = ""

    @property
    def reference(self) -> str:
        """Id and version: what an answer depends on."""
        return f"{self.id}@{self.version}"


class Quoted(NamedTuple):
    """What passages say to a question by themselves.

    Attributes:
        markdown: quotes with the marks of their passages; empty if none is near enough.
        near: numbers of passages that may help all the same, as they were found; empty if something is quoted.
    """

    markdown: str
    near: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAnswer:
    """An answer that others may be given too, and what it depends on.

    Attributes:
        markdown: the reply as shown, sources included.
        answer: the reply without the list of sources, as history keeps it.
        epoch: of the knowledge base it was last good for.
        references: `Passage.reference` of every passage it was given, in the order of their numbers from 1.
        tokens: estimate for question and answer, as history counts them.
        cited: numbers of the passages it refers to.
        question: as it was asked; a reworded one is compared with it.
    """

    markdown: str
    answer: str
    epoch: int
    references: tuple[str, ...]
    tokens: int
    cited: tuple[int, ...] = ()
    question: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What is known of one message on its way.

    Attributes:
        incoming: the message.
        arrived_ms: when it was stored, Unix ms on Redis's clock.
        age: how long ago it was written, by the platform's own date; zero if the operator has taken it back.
        language: of the question.
        voice: language of our own sentences: the question's, unless the operator fixed one.
        history: earlier exchanges of this conversation, oldest first.
        base: name of the knowledge base of this channel.
        leans: the question means something only with what was said before.
        sought: what is searched for instead of the person's words; empty: the words themselves.
        question_key: key of the answer in the answer store; None if none is served for this question.
        scope: of the answers that may be served: a hash of all they depend on beside question and passages; or empty.
        storable: the answer may be stored for others.
        leads: others who ask the same wait for this turn.
        epoch: of the knowledge base, read before the search; -1 until then.
        passages: best first; empty until retrieved.
        vector: of the question, as `Embedder` makes it; None until retrieved, or without an embedder.
        candidate: a stored answer of another epoch, good if the same passages are found again.
        reserved: tokens of the model are reserved for this turn.
        spent: tokens that its calls of the model took, as the server counted; None if it did not say.
        draft: the answer, until it is remembered and becomes the reply.
        reply: what the person is told.
        silent: settled without a further word: a refusal after the first of its window.
        wait: come back later, or when a place at the model is free; nothing is told.
        remember: what settling writes into the history.
        outcome: for the metrics.
    """

    incoming: Incoming
    arrived_ms: int
    language: Language
    voice: Language
    history: tuple[Exchange, ...] = ()
    age: timedelta = timedelta(0)
    base: str = MAIN
    leans: bool = False
    sought: str = ""
    question_key: AnswerKey | None = None
    scope: str = ""
    storable: bool = False
    leads: bool = False
    epoch: int = -1
    passages: tuple[Passage, ...] = ()
    vector: bytes | None = None
    candidate: StoredAnswer | None = None
    reserved: bool = False
    spent: int | None = 0
    draft: StoredAnswer | None = None
    reply: Reply | None = None
    silent: bool = False
    wait: timedelta | InLine | None = None
    remember: Exchange | None = None
    outcome: Outcome = "answered"

    @property
    def ended(self) -> bool:
        """A step has decided; those after it are passed over."""
        return self.reply is not None or self.silent or self.wait is not None

    def told(self, markdown: str, outcome: Outcome, *, private: bool = False) -> Turn:
        """This turn, ended with a notice."""
        return replace(self, reply=Reply(markdown=markdown, private=private), outcome=outcome)

    def answered(self, answer: StoredAnswer, outcome: Outcome, key: AnswerKey | None) -> Turn:
        """This turn, ended with an answer that is remembered; `key` is where it is stored, if it is."""
        exchange = Exchange(
            question=self.incoming.text,
            answer=answer.answer,
            tokens=answer.tokens,
            sources=tuple((number, answer.references[number - 1]) for number in answer.cited),
            key=key,
            base=self.base,
        )
        return replace(self, reply=Reply(markdown=answer.markdown), remember=exchange, outcome=outcome)

"""What the core asks of the outside: small protocols, each written from its user's need.

Stores, clients and adapters implement them; steps, the worker and delivery know nothing else of the world. Methods are
coroutines unless they only compute, and raise the errors of `bot.errors` that their docstrings name; cancelling one
loses nothing that was stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, Protocol

from bot.message import Conversation, Incoming, Language, Part, PersonId, PlaceId, Platform, ReplyTo, SentId
from bot.turn import Exchange, InLine, Outcome, Passage

# --- receiving --------------------------------------------------------------------------------------------

Accepted = Literal["stored", "duplicate", "refused", "counted", "unaddressed"]
"""`stored`: it waits in its mailbox. `duplicate`: seen before. `refused`: the mailbox is full; a refusal waits to be
spoken. `counted`: full, and the refusal waits already. `unaddressed`: a `follow` in a thread that is not ours."""


class Gate(Protocol):
    """Where receivers hand messages in."""

    async def put(self, incoming: Incoming, *, placed: Callable[[], None] | None = None) -> Accepted:
        """Store a message once; returns when the platform may be told, calls `placed` if the next may follow sooner.

        Raises:
            StoreUnavailable: nothing is certain; do not acknowledge, the platform will bring it again.
        """


class Receiver(Protocol):
    """A platform's inbound side."""

    async def run(self, stop: asyncio.Event) -> None:
        """Receive until `stop` is set; reconnect by itself; never raise for what the platform sends."""

    def not_ready(self) -> str | None:
        """Why messages cannot reach us now, in a few words; None when they can."""

    def receives(self) -> bool:
        """Whether they reach this very process, and not another that receives in its place."""

    def silence(self) -> timedelta | None:
        """How long nothing at all has come from the platform; None: nothing ever has, or another process receives."""


# --- the inbox, as the worker sees it -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A finished reply on its way out, as the ledger keeps it.

    Attributes:
        parts: what is sent, in order.
        sent: what became of each part begun so far: the platform's id, or None while its sending is unsettled.
        private: in a group only the asker should see it.
        outcome: for the metrics.
        remember: what settling writes into the history.
        dead: why the message goes to the dead letters once the person has been told; empty otherwise.
    """

    parts: tuple[Part, ...]
    sent: tuple[SentId | None, ...] = ()
    private: bool = False
    outcome: Outcome
    remember: Exchange | None = None
    dead: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A conversation leased to this worker, with the message at its head.

    Attributes:
        incoming: the message.
        arrived_ms: when it was stored, Unix ms on Redis's clock.
        token: proof of the lease; every later act on the turn is fenced by it.
        full: the mailbox was full when it came: it is answered with a refusal.
        retried: the operator took it back from the dead letters: however old, it is answered.
        attempts: exceptions this turn has had so far; once its reply is in the ledger, failed sendings of one part.
        failing: how long its tries, or those of that part, had failed in a row; zero: the last one did not.
        crashes: leases that ran out on this turn, this one not counted.
        spared: this lease will not be counted: the worker gives the turn back as it is.
        delivery: a reply that an earlier worker finished, to be completed as it is.
        history: newest exchanges of the conversation, oldest first.
        told_waiting: the person has had the word that it takes longer.
        waited: how long the message had been here when it was claimed, on Redis's clock.
        has_place: it was claimed out of the line, for a place at the model that the worker has kept.
    """

    incoming: Incoming
    arrived_ms: int
    token: str
    full: bool = False
    retried: bool = False
    attempts: int = 0
    crashes: int = 0
    spared: bool = False
    delivery: Delivery | None = None
    history: tuple[Exchange, ...] = ()
    told_waiting: bool = False
    waited: timedelta = timedelta(0)
    failing: timedelta = timedelta(0)
    has_place: bool = False


class Inbox(Protocol):
    """Mailboxes of conversations; every method is one atomic act that may safely run twice."""

    async def claim(self, token: str, *, has_place: bool = False, spared_from: int | None = None) -> Claimed | None:
        """Lease the earliest due conversation, with a place also one in line; `spared` from so many crashes on."""

    async def claim_untold(self, token: str, waited: timedelta) -> Claimed | None:
        """Lease one that nobody claimed for so long and that has not heard so, each message once; None: none is."""

    async def check(self) -> None:
        """Return if messages can be stored now, else raise StoreUnavailable."""

    def idle(self) -> timedelta | None:
        """How long until a conversation falls due, as the last claim saw it; None: nothing waits."""

    def oldest_in_line(self) -> int | None:
        """Arrival of the oldest message in line for a place at the model, Unix ms, as the last claims saw it."""

    def together(self, claims: Sequence[Claimed]) -> Sequence[Sequence[Claimed]]:
        """Those that are renewed together: where they lie one server may be away, and keeps no others waiting."""

    async def renew(self, claims: Sequence[Claimed]) -> frozenset[str]:
        """Prolong leases; returns the tokens that still hold."""

    async def defer(
        self, claimed: Claimed, delay: timedelta | InLine, *, failing: bool = False, error: bool = False
    ) -> bool:
        """Give back, due after `delay` or in line for the model; `error` counts an attempt. False: not ours."""

    async def record(
        self,
        claimed: Claimed,
        delivery: Delivery | None = None,
        *,
        sent: tuple[int, SentId] | None = None,
        sending: int | None = None,
    ) -> bool | SentId:
        """Write to the ledger: the reply itself at first, the id of a part just sent, the part sent next.

        False: the lease is lost, send nothing more. An id: of the part `sending`, which the turn's last holder sent.
        """

    async def tell_waiting(self, claimed: Claimed) -> bool:
        """Mark that the person gets the word of waiting; True to exactly one caller per turn."""

    async def settle(
        self, claimed: Claimed, remember: Exchange | None, last: SentId | None = None
    ) -> Literal["settled", "done", "lost"]:
        """End the turn and remember it.

        Args:
            claimed: the turn.
            remember: what the history keeps of it.
            last: the platform's id of the last part, if the ledger does not have it.

        Returns:
            `done`: it had ended before. `lost`: the lease is another's.
        """

    async def bury(self, claimed: Claimed, reason: str) -> Literal["settled", "done", "lost"]:
        """Move the message to the dead letters, with the reason, never with a secret in it."""


# --- limits, history, forgetting ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Of the limiter: the same for the same message, however often it is asked.

    Attributes:
        allowed: go on.
        retry_after: how long until a message would be accepted; zero if allowed.
        tell: this is the first refusal of the window: say so.
    """

    allowed: bool
    retry_after: timedelta = timedelta(0)
    tell: bool = False


class Limiter(Protocol):
    """Never more than N accepted messages of a person in any window."""

    async def decide(self, rule: str, person: PersonId, message: str, arrived_ms: int) -> Decision:
        """Decide about a message under the named rule (`messages`, `commands`, `reactions`, …; see `bot.stores`)."""


class Spending(Protocol):
    """Never more than so many tokens of a person in any window."""

    async def reserve(self, person: PersonId, message: str, arrived_ms: int, tokens: int) -> Decision:
        """Reserve an estimate for a message."""

    async def spent(self, person: PersonId, message: str, tokens: int) -> None:
        """What it really took, in the place of the estimate."""

    async def release(self, person: PersonId, message: str) -> None:
        """Give back what is reserved for a message; asked again, it is decided about anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What /forget erased."""

    conversations: int
    exchanges: int
    answers: int
    dead_letters: int


class Forgetting(Protocol):
    """Erasing, as of a moment: what arrived before it is not kept by any later act either."""

    async def reset(self, conversation: Conversation, at_ms: int) -> None:
        """Forget the history of one conversation."""

    async def reset_person_in(self, place: PlaceId, person: PersonId, at_ms: int) -> None:
        """Forget the histories of one person in one channel, all threads."""

    async def reset_place(self, place: PlaceId, at_ms: int) -> None:
        """Forget everybody's histories in one channel."""

    async def forget(self, person: PersonId, at_ms: int) -> Receipt:
        """Erase all that is stored about a person."""


# --- knowledge --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Result of a search.

    Attributes:
        passages: best first, at most the number asked for; empty if nothing is near enough.
        epoch: of the knowledge base, read before the search.
        vector: of the question, as `Embedder` makes it; None if there was none.
        whole: False if a part of the search was not to be had: what answers the question may be missing.
    """

    passages: tuple[Passage, ...]
    epoch: int
    vector: bytes | None = None
    whole: bool = True


class Knowledge(Protocol):
    """The team's documents, in one knowledge base or several."""

    async def search(self, base: str, question: str, language: Language, k: int) -> Found:
        """The best passages of a base for a question, those in the asker's language preferred among copies."""

    async def fetch(self, base: str, references: Sequence[str]) -> tuple[Passage | None, ...]:
        """Passages of a base by their references; None for each whose document has another version by now."""


# --- vectors ----------------------------------------------------------------------------------------------------


class Embedder(Protocol):
    """Turns texts into vectors; its name (`usem3-512`) stands in index names."""

    @property
    def name(self) -> str:
        """Model and dimension."""

    @property
    def dimensions(self) -> int:
        """Length of a vector."""

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Each text's vector: float32 little-endian, shape `(dimensions,)`, L2-normalised, as bytes.

        Raises:
            EmbeddingUnavailable: no vectors now.
        """


# --- sending ----------------------------------------------------------------------------------------------------


class Messenger(Protocol):
    """A platform's outbound side."""

    def format(self, markdown: str) -> tuple[Part, ...]:
        """Markdown as the platform's own messages, each within its limits; at least one, nothing left out."""

    async def send(self, to: ReplyTo, part: Part, *, key: str, first: bool, private: bool) -> SentId:
        """Send one part.

        Args:
            to: where.
            part: what.
            key: identity of this part of this turn, for finding it again.
            first: the first part of a reply; it quotes what it answers.
            private: in a group, show it to the asker alone where the platform can.

        Raises:
            SendRefused, SendLimited, SendFailed, SendUnknown: see `bot.errors`.
        """

    async def find(self, to: ReplyTo, key: str) -> SentId | None:
        """Our own message of that key, if the platform lets us look; None if it does not or there is none.

        Raises:
            SendLimited, SendFailed: we could not look, which says nothing of the message.
        """

    async def typing(self, to: ReplyTo) -> None:
        """Show that an answer is being written, for a few seconds; what fails is passed over.

        Raises:
            SendLimited: the platform asks us to wait.
        """


class OutboundBudget(Protocol):
    """How fast we may send, shared by all workers."""

    async def take(self, conversation: Conversation, *, group: bool, asker: str, person: str = "") -> timedelta:
        """Take one send from the budget; zero if it may go now.

        Else how long until it may: the place in the line is kept for `asker`, who comes back then and asks again.

        Args:
            conversation: where it goes.
            group: its channel is a group.
            asker: names the send, the same for every worker that tries it.
            person: channel of the asker's private chat, where the send may go there too.
        """

    async def spare(self, conversation: Conversation, *, group: bool) -> bool:
        """Take one send for what may be left out, if the budget is more than half full; whether it may go."""

    async def close(self, conversation: Conversation, retry_after: timedelta, *, channel: str = "") -> None:
        """The platform asked us to wait: nobody sends into that chat or `channel`, or at all if it means the bot."""


class PageBox(Protocol):
    """Replies waiting for a chat page or a terminal to fetch them."""

    async def append(self, channel: str, key: str, text: str) -> SentId:
        """Add a message; the same key again adds nothing and returns the same id."""

    async def read(self, channel: str, after: str, wait: timedelta) -> list[tuple[SentId, str]]:
        """Messages after an id (`0`: from the start), oldest first; waits up to `wait` for the first."""


# --- watching ---------------------------------------------------------------------------------------------------

ReuseResult = Literal["hit", "confirmed", "stale", "miss", "unfit", "similar", "verified"]
"""`confirmed`: of another epoch and good again. `similar`, `verified`: after a `miss` or `stale`, the answer of a
question that means the same, by the guard's judgement or by the model's."""

Deaf = Literal["no_hello", "no_pong", "send_failed", "unanswered"]
Reconnect = Literal[Deaf, "asked", "refused", "closed", "quiet", "conflict", "webhook_gone", "unreachable"]
"""Why a connection to a platform, or a poll, was given up and is made anew. `asked`: the platform told us to. `quiet`:
it brought nothing for so long that it may be deaf."""


class Meter(Protocol):
    """Counters and timings; never blocks, never raises."""

    def received(self, platform: Platform, accepted: str) -> None:
        """Count an event: an `Accepted`, `ignored`, `malformed`, `unproven` (no secret), `unstored` (comes again)."""

    def settled(self, platform: Platform, outcome: str, seconds: float) -> None:
        """A message ended, so long after its arrival; `outcome` is an `Outcome`, `undeliverable` or `unsent`."""

    def step(self, name: str, seconds: float) -> None:
        """A step ran."""

    def model(self, result: Literal["ok", "truncated", "failed"], seconds: float, prompt: int, completion: int) -> None:
        """The model was called; tokens as counted by the server."""

    def reuse(self, result: ReuseResult) -> None:
        """The answer store was asked, or not, the question being unfit."""

    def refused(self, rule: str) -> None:
        """The limiter refused."""

    def sent(self, platform: Platform, result: Literal["ok", "limited", "refused", "failed", "unknown"]) -> None:
        """A message of ours was sent, or not."""

    def reconnected(self, platform: Platform, reason: Reconnect) -> None:
        """A connection to a platform, or a poll, was given up; another follows."""

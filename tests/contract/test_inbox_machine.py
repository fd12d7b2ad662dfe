"""The inbox against a plain model of it: any order of acts, with the clock moved and leases running out.

`HYPOTHESIS_PROFILE=thorough` searches for minutes instead of seconds.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Mapping
from datetime import timedelta
from typing import ClassVar, get_args

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from bot.message import Addressing, Conversation, Incoming, Part, SentId
from bot.ports import Claimed, Delivery
from bot.store import keys
from bot.store.forgetting import RedisForgetting
from bot.store.inbox import RedisInbox
from bot.store.scripts import Scripts, milliseconds
from bot.turn import IN_LINE, Exchange
from tests.contract.inbox_model import InboxModel, OpenTurn, Trouble
from tests.contract.inbox_picture import picture_of
from tests.contract.leaks import keys_without_ttl
from tests.contract.samples import LEASE, START_MS, connected, conversation, erase, incoming

THOROUGH = os.environ.get("HYPOTHESIS_PROFILE") == "thorough"
LEASE_MS = milliseconds(LEASE)
MAX_WAITING, MAX_TURNS, MAX_TOKENS = 2, 3, 100
CONVERSATIONS = [
    conversation("7", "c", ""),
    conversation("7", "c", "t"),
    conversation("7", "d", ""),
    conversation("8", "c", ""),
    conversation("8", "c", "t"),
]
PEOPLE = sorted({where.person for where in CONVERSATIONS})
PLACES = sorted({where.place for where in CONVERSATIONS})
CLAIMS: Bundle[Claimed] = Bundle("claims")
MESSAGES: Bundle[Incoming] = Bundle("messages")
CONVERSATION = st.sampled_from(CONVERSATIONS)
TROUBLES = st.sampled_from(get_args(Trouble))
AGO_MS = st.sampled_from([0, 1, 1000, LEASE_MS])
"""How long before now a /reset arrived that is carried out now."""


def held_by(claimed: Claimed) -> tuple[Conversation, str]:
    """What a claim claims: a conversation, by a token."""
    return claimed.incoming.conversation, claimed.token


class InboxMachine(RuleBasedStateMachine):
    """Drives the real inbox and its model side by side; a subclass says where and how."""

    url: ClassVar[str]
    partitions: ClassVar[int]

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        partitions = self.partitions
        self.redis = self.runner.run(connected(self.url))
        self.scripts = Scripts(self.redis, now_ms=START_MS)
        self.inbox = RedisInbox(
            self.scripts,
            partitions=partitions,
            lease=LEASE,
            max_waiting=MAX_WAITING,
            max_turns=MAX_TURNS,
            max_tokens=MAX_TOKENS,
            history_ttl=timedelta(hours=24),
            shown_ttl=timedelta(hours=1),
        )
        self.forgetting = RedisForgetting(
            self.redis,
            self.scripts,
            partitions=partitions,
            kb_scripts=self.scripts,
            knowledge_bases=[],
        )
        self.model = InboxModel(
            CONVERSATIONS,
            lease_ms=LEASE_MS,
            max_waiting=MAX_WAITING,
            max_turns=MAX_TURNS,
            max_tokens=MAX_TOKENS,
        )
        self.numbers = 0

    @property
    def now(self) -> int:
        """The one clock of machine, model and scripts."""
        assert self.scripts.now_ms is not None
        return self.scripts.now_ms

    def number(self) -> int:
        """A number not used before."""
        self.numbers += 1
        return self.numbers

    # --- receiving ---

    @rule(target=MESSAGES, where=CONVERSATION, addressing=st.sampled_from(["direct", "call", "follow"]))
    def put(self, where: Conversation, addressing: Addressing) -> Incoming:
        """A new message, perhaps into a full mailbox or a thread that is not ours."""
        message = incoming(self.number(), where, addressing=addressing)
        assert self.runner.run(self.inbox.put(message)) == self.model.put(message, self.now)
        return message

    @rule(message=MESSAGES)
    def put_again(self, message: Incoming) -> None:
        """A redelivery; what was not for us then is looked at anew."""
        assert self.runner.run(self.inbox.put(message)) == self.model.put(message, self.now)

    # --- working ---

    @rule(target=CLAIMS, has_place=st.booleans(), spared_from=st.sampled_from([None, 0, 1, 2]))
    def claim(self, has_place: bool = False, spared_from: int | None = None) -> Claimed | MultipleResults[Claimed]:
        """A new claim gets the earliest due conversation of some partition, and none that is leased."""
        token = f"token-{self.number()}"
        due = self.model.due(self.now, has_place=has_place)
        claimed = self.runner.run(self.inbox.claim(token, has_place=has_place, spared_from=spared_from))
        if claimed is None:
            assert not due
            return multiple()
        self.check_earliest(claimed, due)
        where = claimed.incoming.conversation
        self.check_claimed(claimed, self.model.claim(where, token, self.now, spared_from=spared_from))
        return claimed

    @rule(target=CLAIMS, wait_ms=st.sampled_from([1, 1000]))
    def claim_untold(self, wait_ms: int) -> Claimed | MultipleResults[Claimed]:
        """Somebody who has waited so long and was not looked at; whoever is returned is not again."""
        token = f"token-{self.number()}"
        untold = self.model.untold(self.now, wait_ms)
        claimed = self.runner.run(self.inbox.claim_untold(token, timedelta(milliseconds=wait_ms)))
        if claimed is None:
            return multiple()  # those whose time was up when somebody else was looked for last are passed over
        where = claimed.incoming.conversation
        assert where in untold
        turn = self.model.claim(where, token, self.now, spared_from=0)
        turn.watched = True
        self.check_claimed(claimed, turn)
        return claimed

    @rule(target=CLAIMS, earlier=CLAIMS)
    def claim_again(self, earlier: Claimed) -> Claimed | MultipleResults[Claimed]:
        """The same token: the same conversation within its lease, else a claim like any other."""
        repeats = self.model.repeats(earlier.token, self.now)
        if repeats and self.partitions > 1 and self.model.due(self.now):
            return multiple()  # another partition may be asked first; the caller repeats only what it had no answer to
        due = self.model.due(self.now)
        claimed = self.runner.run(self.inbox.claim(earlier.token))
        if claimed is None:
            assert not repeats
            assert not due
            return multiple()
        if repeats:
            assert claimed.incoming.conversation == self.model.leases[earlier.token][0]
        else:
            self.check_earliest(claimed, due)
        self.check_claimed(claimed, self.model.claim(claimed.incoming.conversation, earlier.token, self.now))
        return claimed

    def check_earliest(self, claimed: Claimed, due: Mapping[Conversation, int]) -> None:
        """Due, and none of its partition was due before it."""
        where = claimed.incoming.conversation
        partition = keys.partition_of(where.id, self.partitions)
        rivals = [at for rival, at in due.items() if keys.partition_of(rival.id, self.partitions) == partition]
        assert where in due
        assert due[where] == min(rivals)

    def check_claimed(self, claimed: Claimed, turn: OpenTurn) -> None:
        """The worker is told all that is known of the turn."""
        box = self.model.boxes[claimed.incoming.conversation]
        head = box.mail[0]
        sent: list[SentId | None] = []
        while len(sent) in turn.sent:
            sent.append(SentId(turn.sent[len(sent)]) if turn.sent[len(sent)] else None)
        delivery = turn.reply and Delivery(
            parts=turn.reply.parts, sent=tuple(sent), outcome=turn.reply.outcome, remember=turn.reply.remember
        )
        expected = Claimed(
            incoming=head.incoming,
            arrived_ms=head.arrived_ms,
            token=claimed.token,
            full=head.full,
            attempts=turn.attempts,
            crashes=turn.crashes - turn.charged,
            spared=not turn.charged,
            delivery=delivery,
            history=tuple(exchange for _, exchange in box.history),
            told_waiting=turn.told,
            has_place=turn.in_line,
            waited=timedelta(milliseconds=self.now - head.arrived_ms),
            failing=timedelta(milliseconds=0 if turn.failing_ms is None else self.now - turn.failing_ms),
        )
        assert claimed == expected

    @rule(claims=st.lists(CLAIMS, max_size=4))
    def renew(self, claims: list[Claimed]) -> None:
        """Of any claims, those hold that nobody has taken over or ended."""
        held = self.runner.run(self.inbox.renew(claims))
        assert held == {claimed.token for claimed in claims if self.model.renew(*held_by(claimed), self.now)}

    @rule(claimed=CLAIMS, delay_ms=st.sampled_from([-1, 0, 1, 1000, 2 * LEASE_MS]), trouble=TROUBLES)
    def defer(self, claimed: Claimed, delay_ms: int, trouble: Trouble) -> None:
        """Only the holder gives back."""
        expected = self.model.defer(*held_by(claimed), delay_ms, self.now, trouble)
        delay = IN_LINE if delay_ms < 0 else timedelta(milliseconds=delay_ms)
        given_back = self.inbox.defer(claimed, delay, failing=trouble == "failing", error=trouble == "error")
        assert self.runner.run(given_back) == expected

    @rule(
        claimed=CLAIMS,
        parts=st.integers(0, 3),
        sent=st.none() | st.integers(0, 2),
        sending=st.none() | st.integers(0, 2),
    )
    def record(self, claimed: Claimed, parts: int, sent: int | None, sending: int | None) -> None:
        """Only the holder writes to the ledger, but for the id of a part being sent; a finished reply stays."""
        delivery = None
        if parts:
            texts = tuple(Part(text=f"{self.number()} of {claimed.token}") for _ in range(parts))
            delivery = Delivery(parts=texts, outcome="answered", remember=self.exchange(10))
        out = None if sent is None else (sent, SentId(f"sent-{self.number()}"))
        box = self.model.boxes.get(claimed.incoming.conversation)
        turn = None if box is None else box.turn
        expected: bool | str = self.holds(claimed)
        late = not expected and turn is not None and turn.id == claimed.incoming.id
        if late and turn is not None and out is not None and turn.sent.get(out[0]) == "":
            turn.sent[out[0]], turn.attempts, turn.failing_ms = out[1], 0, None
        if expected:
            assert turn is not None
            if delivery is not None and turn.reply is None:
                turn.reply, turn.attempts, turn.crashes, turn.failing_ms = delivery, 0, turn.charged, None
            if out is not None and turn.sent.get(out[0]) != out[1]:
                turn.sent[out[0]], turn.attempts, turn.failing_ms = out[1], 0, None
            if sending is not None:
                expected = turn.sent.setdefault(sending, "") or True
        assert self.runner.run(self.inbox.record(claimed, delivery, sent=out, sending=sending)) == expected

    @rule(claimed=CLAIMS)
    def tell_waiting(self, claimed: Claimed) -> None:
        """Once in a turn, to the holder."""
        expected = False
        if self.holds(claimed):
            turn = self.model.boxes[claimed.incoming.conversation].turn
            assert turn is not None
            expected, turn.told = not turn.told, True
        assert self.runner.run(self.inbox.tell_waiting(claimed)) == expected

    @rule(claimed=CLAIMS, tokens=st.sampled_from([None, 1, 40, 60, 101]))
    def settle(self, claimed: Claimed, tokens: int | None) -> None:
        """By the holder, by one who lost the lease, or once more."""
        remember = None if tokens is None else self.exchange(tokens)
        expected = self.model.settle(claimed.incoming, claimed.token, remember, self.now)
        assert self.runner.run(self.inbox.settle(claimed, remember)) == expected

    @rule(where=CONVERSATION, tokens=st.sampled_from([1, 40, 101]))
    def answer(self, where: Conversation, tokens: int) -> None:
        """The whole way of one message, as far as nothing stands in it; it gives histories their length."""
        self.put(where, "direct")
        claimed = self.claim()
        if isinstance(claimed, Claimed):
            self.settle(claimed, tokens)

    @rule(claimed=CLAIMS)
    def bury(self, claimed: Claimed) -> None:
        """By the holder, by one who lost the lease, or once more."""
        expected = self.model.bury(claimed.incoming, claimed.token, self.now)
        assert self.runner.run(self.inbox.bury(claimed, "it failed")) == expected

    def exchange(self, tokens: int) -> Exchange:
        """One that no other equals."""
        return Exchange(question=f"q{self.number()}", answer="a", tokens=tokens)

    def holds(self, claimed: Claimed) -> bool:
        """The claim's token is that of its conversation's open turn."""
        return self.model.holds(*held_by(claimed))

    # --- forgetting ---

    @rule(where=CONVERSATION, ago_ms=AGO_MS)
    def reset(self, where: Conversation, ago_ms: int) -> None:
        """One conversation."""
        at = self.now - ago_ms
        self.model.reset([where], [("c", where.id)], at)
        self.runner.run(self.forgetting.reset(where, at))

    @rule(where=CONVERSATION, ago_ms=AGO_MS)
    def reset_person_in(self, where: Conversation, ago_ms: int) -> None:
        """A person's conversations in a channel, those that ever had a message."""
        at = self.now - ago_ms
        known = self.model.last_ms.get(where.person, {})
        meant = [other for other in known if other.place == where.place]
        self.model.reset(meant, [("c", other.id) for other in meant], at)
        self.runner.run(self.forgetting.reset_person_in(where.place, where.person, at))

    @rule(place=st.sampled_from(PLACES), ago_ms=AGO_MS)
    def reset_place(self, place: object, ago_ms: int) -> None:
        """Everybody's conversations in a channel."""
        at = self.now - ago_ms
        meant = [where for where in CONVERSATIONS if where.place == place]
        self.model.reset(meant, [("p", str(place))], at)
        self.runner.run(self.forgetting.reset_place(meant[0].place, at))

    @rule(person=st.sampled_from(PEOPLE), ago_ms=AGO_MS)
    def forget(self, person: object, ago_ms: int) -> None:
        """A person, everywhere, with a receipt."""
        at = self.now - ago_ms
        of_person = next(where for where in CONVERSATIONS if where.person == person).person
        expected = self.model.forget(of_person, at)
        receipt = self.runner.run(self.forgetting.forget(of_person, at))
        assert (receipt.conversations, receipt.exchanges, receipt.dead_letters) == expected

    # --- time ---

    @rule(ms=st.sampled_from([1, 999, 1000, LEASE_MS - 1, LEASE_MS, LEASE_MS + 1]))
    def time_passes(self, ms: int) -> None:
        """Workers that are never heard of again have crashed: their leases run out."""
        self.scripts.now_ms = self.now + ms
        expired = [(token, where) for token, (where, end) in self.model.leases.items() if end < self.now]
        if expired:  # Redis's own clock stands still for the machine: what it would have expired is taken out
            prefixes = [keys.inbox(keys.partition_of(where.id, self.partitions)) for _, where in expired]
            names = [f"{prefix}:claim:{token}" for prefix, (token, _) in zip(prefixes, expired, strict=True)]
            self.runner.run(erase(self.redis, names))

    @rule()
    def release(self) -> None:
        """The server was restarted by its owner: what was leased is due at once."""
        assert self.runner.run(self.inbox.release_claims()) == self.model.release(self.now)

    # --- what always holds ---

    @invariant()
    def the_queue_is_counted(self) -> None:
        """What waits, and how long the oldest that may be taken up has."""
        waiting = sum(len(box.mail) for box in self.model.boxes.values())
        heads = [self.model.boxes[where].mail[0] for where in self.model.due(self.now, has_place=True)]
        age_ms = max((self.now - head.arrived_ms for head in heads), default=0)
        expected = waiting, timedelta(milliseconds=age_ms), len(self.model.dead)
        assert self.runner.run(self.inbox.queue()) == expected

    @invariant()
    def redis_is_as_the_model(self) -> None:
        """Mailboxes, turns, histories, due times, thread marks and dead letters are equal, nothing else is kept."""
        stored = self.runner.run(picture_of(self.redis, CONVERSATIONS, self.partitions))
        assert stored == self.model.picture()

    @invariant()
    def nothing_lost_and_nothing_twice(self) -> None:
        """Each message taken in waits or has ended, once, and each conversation ends its messages in their order."""
        taken, ended = defaultdict(list), defaultdict(list)
        for message in self.model.taken:
            taken[message.conversation].append(message.id)
        for message in self.model.ended:
            ended[message.conversation].append(message.id)
        for where, box in self.model.boxes.items():
            assert taken[where] == ended[where] + [letter.incoming.id for letter in box.mail]

    @invariant()
    def nothing_is_kept_of_what_was_forgotten(self) -> None:
        """No exchange is as old as a mark that touches it, and no dead letter as old as its person's /forget."""
        for where, box in self.model.boxes.items():
            assert all(arrived > self.model.forgotten_ms(where) for arrived, _ in box.history)
        for where, arrived in self.model.dead.values():
            assert arrived > self.model.marks.get(("u", where.person), 0)

    def teardown(self) -> None:
        """In the end all that waits is answered, every message exactly once, and no key stays for ever."""
        try:
            while any(box.mail for box in self.model.boxes.values()):
                self.time_passes(2 * LEASE_MS)
                claimed = self.runner.run(self.inbox.claim(f"last-{self.number()}", has_place=True))
                assert claimed is not None
                self.model.claim(claimed.incoming.conversation, claimed.token, self.now)
                assert self.runner.run(self.inbox.settle(claimed, None)) == "settled"
                assert self.model.settle(claimed.incoming, claimed.token, None, self.now) == "settled"
                self.nothing_lost_and_nothing_twice()
            self.redis_is_as_the_model()
            assert self.runner.run(keys_without_ttl(self.redis)) == []
        finally:
            self.runner.run(self.redis.aclose())
            self.runner.close()


@pytest.mark.timeout(1800 if THOROUGH else 300)
@pytest.mark.parametrize("partitions", [1, 2])
def test_the_inbox_does_what_its_model_does(redis_url: str, partitions: int) -> None:
    """Whatever the order of acts: nothing lost, nothing twice, in order, and nothing kept that was forgotten."""
    machine = type("Machine", (InboxMachine,), {"url": redis_url, "partitions": partitions})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=1500 if THOROUGH else 50,
            stateful_step_count=80 if THOROUGH else 50,
            suppress_health_check=list(HealthCheck),
            # Shrinking takes minutes: only where somebody asked for them.
            phases=[Phase.explicit, Phase.reuse, Phase.generate, *([Phase.shrink] if THOROUGH else [])],
        ),
    )

"""The inbox: a mailbox per conversation, leased to one worker at a time.

Conversations are spread over partitions by hash; all keys of one lie in its partition's slot (see
`bot.store.keys.inbox`), so that each method is one script and one round trip, atomic and safe to run twice. The
scripts in `lua/` say what they touch and what a crash before or after them means.
"""

from __future__ import annotations

import logging
import uuid
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, timedelta
from itertools import chain
from typing import Literal, cast

from bot.errors import StoreUnavailable
from bot.message import Incoming, SentId
from bot.ports import Accepted, Claimed, Delivery
from bot.store import keys
from bot.store.claiming import Claiming
from bot.store.lasting import Lasting
from bot.store.ledger import claimed_from, delivery_to_json
from bot.store.partitions import of_those_that_answer
from bot.store.scripts import Argument, Scripts, milliseconds
from bot.turn import IN_LINE, Exchange, InLine

log = logging.getLogger(__name__)

End = Literal["settled", "done", "lost"]
MOST_CHARS = 8_000
"""Of a message's text: more than a question may have, and so little that a full mailbox of 100 stays below 4 MB."""
MOST_COUNTED = 10_000
"""Conversations of a partition that a scrape looks at: some 20 ms of Redis at the most."""


class RedisInbox:
    """Implements the ports `Gate` and `Inbox`.

    Args:
        scripts: on the server of the inbox.
        partitions: as fixed by `fix_partitions`.
        lane: whose messages these are: the serving workers' or the terminal's.
        lease: how long a claim holds without renewal.
        max_waiting: messages that may wait in a mailbox; the next one is refused.
        max_turns: exchanges kept of a conversation.
        max_tokens: tokens kept of a conversation.
        history_ttl: life of a history after its last use.
        shown_ttl: how long it is known which stored answer a message of ours shows.
    """

    def __init__(
        self,
        scripts: Scripts,
        *,
        partitions: int,
        lane: str = keys.SERVED,
        lease: timedelta,
        max_waiting: int,
        max_turns: int,
        max_tokens: int,
        history_ttl: timedelta,
        shown_ttl: timedelta,
    ) -> None:
        self._scripts = scripts
        self._partitions, self._lane = partitions, lane
        self._lease_ms = milliseconds(lease)
        self._max_waiting = max_waiting
        self._max_turns, self._max_tokens = max_turns, max_tokens
        self._history_ms = milliseconds(history_ttl)
        self._shown_ms = milliseconds(shown_ttl)
        self._claiming = Claiming(scripts, lease=lease, max_turns=max_turns, history_ttl=history_ttl)
        self._lasting = Lasting(scripts)
        self._turn_of_partition = self._turn_of_untold = 0
        self._idle: timedelta | None = None
        self._in_line_ms: dict[int, int] = {}

    async def put(self, incoming: Incoming, *, placed: Callable[[], None] | None = None) -> Accepted:
        """Store a message once, cut to `MOST_CHARS`; see `put.lua`. One round trip, and then one with others to last.

        Raises:
            StoreUnavailable: nothing is certain, or the message before is lost; the platform must bring it again.
        """
        conversation, hour = incoming.conversation, int(incoming.sent_at.astimezone(UTC).timestamp()) // 3600
        answer = await self._scripts.run(
            "put",
            [self._prefix(incoming)],
            conversation.id,
            incoming.id,
            incoming.cut_to(MOST_CHARS).to_json(),
            hour,
            incoming.addressing,
            self._max_waiting,
            keys.SEEN_MS,
            self._history_ms,
            conversation.person,
            conversation.place,
            max(keys.INDEX_MS, self._history_ms),
            keys.doorbell(),
            self._scripts.now,
            *self._lasting.before(conversation.id),
        )
        if answer == b"overtaking":
            raise StoreUnavailable("put: the message before it is gone with the server that had it")
        if answer != b"unaddressed":
            await self._lasting.wait(self._prefix(incoming), conversation.id, hour, incoming.id, placed)
        return cast("Accepted", cast("bytes", answer).decode())

    async def claim(self, token: str, *, has_place: bool = False, spared_from: int | None = None) -> Claimed | None:
        """Lease the earliest due conversation; see `claim.lua`. Partitions are asked in turn, one round trip each.

        A server that is away keeps the others' partitions waiting once; then it is asked now and then, for a moment.
        What a claim may have been given there keeps its token, so the claim that comes through finds it.

        Raises:
            StoreUnavailable: of a partition nothing is certain, and no other has anything due; claim again, with
                another token.
        """
        while True:
            found = await self._lease_earliest(token, has_place=has_place, spared_from=spared_from)
            if found is None:
                return None
            partition, token, record = found
            claimed = await self._readable(record, token, partition)
            if claimed is not None:
                return claimed

    async def claim_untold(self, token: str, waited: timedelta) -> Claimed | None:
        """Lease a conversation that nobody claimed for so long and that has not heard so; see `claim.lua`.

        Each waiting message is returned once. One round trip for each partition.

        Raises:
            StoreUnavailable: if something was claimed, its lease runs out.
        """
        first = self._turn_of_untold
        for partition in (*range(first, self._partitions), *range(first)):
            self._turn_of_untold = (partition + 1) % self._partitions
            prefix = keys.inbox(partition, self._lane)
            if self._claiming.is_away(prefix):
                continue
            record = await self._claiming.run(prefix, token, waited=waited, spared_from=0)
            if len(record) > 2:
                return await self._readable(record, token, partition)
        return None

    async def _readable(self, record: list[object], token: str, partition: int) -> Claimed | None:
        try:
            return claimed_from(record, token)
        except (ValueError, KeyError, TypeError):
            # Left by another version of ours, or by a hand. One message must not stop all others.
            log.exception("a message cannot be read; kept as a dead letter, see `frontdesk dead list`")
            await self._bury_unreadable(record, token, partition)
            return None

    async def _lease_earliest(
        self, token: str, *, has_place: bool, spared_from: int | None
    ) -> tuple[int, str, list[object]] | None:
        """The partition in which one was leased, the token it was leased by, and its record."""
        first, waits_ms, failure = self._turn_of_partition, list[int](), None
        for partition in (*range(first, self._partitions), *range(first)):
            try:
                prefix = keys.inbox(partition, self._lane)
                record, used = await self._claiming.one_of_several(
                    prefix, token, has_place=has_place, spared_from=spared_from
                )
            except StoreUnavailable as error:
                # Should it be the first to answer again, it is asked first; whatever it gave has our token there.
                self._turn_of_partition, failure, token = partition, error, uuid.uuid4().hex
                continue
            self._in_line_ms[partition] = cast("int", record[-1])
            if len(record) == 2:
                waits_ms.append(cast("int", record[0]))
                continue
            self._turn_of_partition = (partition + 1) % self._partitions
            # Of the partitions not asked nothing is known: there may be something due.
            asked_all = self._partitions == 1
            self._idle = timedelta(milliseconds=cast("int", record[-2]) if asked_all else 0)
            return partition, used, record
        if failure is not None:
            self._claiming.ask_all_again()
            raise failure
        due_ms = [wait for wait in waits_ms if wait >= 0]
        self._idle = timedelta(milliseconds=min(due_ms)) if due_ms else None
        return None

    def idle(self) -> timedelta | None:
        """How long until a conversation falls due, as the last claim saw it; None: nothing waits."""
        return self._idle

    def oldest_in_line(self) -> int | None:
        """Arrival of the oldest message that waits for a place at the model, Unix ms, as the last claims saw it."""
        waiting = [arrived_ms for arrived_ms in self._in_line_ms.values() if arrived_ms >= 0]
        return min(waiting, default=None)

    async def _bury_unreadable(self, record: list[object], token: str, partition: int) -> None:
        conversation, _, fields, *_ = cast("tuple[bytes, bytes, list[bytes]]", record)
        message_id = dict(zip(fields[::2], fields[1::2], strict=True))[b"id"]
        platform, workspace, channel, _, user = conversation.decode().split(":")
        await self._scripts.run(
            "bury",
            [keys.inbox(partition, self._lane)],
            conversation,
            message_id,
            token,
            f"{platform}:{workspace}:{user}",
            f"{platform}:{workspace}:{channel}",
            "unreadable",
            keys.DEAD_MS,
            keys.doorbell(),
            self._scripts.now,
        )

    def together(self, claims: Sequence[Claimed]) -> Sequence[Sequence[Claimed]]:
        """The claims of each partition among them."""
        found: dict[str, list[Claimed]] = defaultdict(list)
        for claimed in claims:
            found[self._prefix(claimed.incoming)].append(claimed)
        return list(found.values())

    async def renew(self, claims: Sequence[Claimed]) -> frozenset[str]:
        """Prolong leases; returns the tokens that still hold. See `renew.lua`; one round trip for each partition.

        Raises:
            StoreUnavailable: some may have been prolonged.
        """
        pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for claimed in claims:
            pairs[self._prefix(claimed.incoming)].append((claimed.incoming.conversation.id, claimed.token))
        held: set[str] = set()
        for prefix, leases in pairs.items():
            answer = await self._scripts.run("renew", [prefix], self._lease_ms, self._scripts.now, *chain(*leases))
            held.update(token.decode() for token in cast("list[bytes]", answer))
        return frozenset(held)

    async def defer(
        self, claimed: Claimed, delay: timedelta | InLine, *, failing: bool = False, error: bool = False
    ) -> bool:
        """Give the conversation back; see `defer.lua`. One round trip.

        Raises:
            StoreUnavailable: if it was not given back, its lease runs out.
        """
        answer = await self._scripts.run(
            "defer",
            [self._prefix(claimed.incoming)],
            claimed.incoming.conversation.id,
            claimed.token,
            -1 if delay == IN_LINE else milliseconds(delay),
            2 if error else int(failing),
            keys.doorbell(),
            self._scripts.now,
        )
        return answer == 1

    async def record(
        self,
        claimed: Claimed,
        delivery: Delivery | None = None,
        *,
        sent: tuple[int, SentId] | None = None,
        sending: int | None = None,
    ) -> bool | SentId:
        """Write to the ledger; see `record.lua`. One round trip.

        Raises:
            StoreUnavailable: it may have been written; write it again before sending.
        """
        answer = await self._run_ledger(
            "record",
            [self._prefix(claimed.incoming)],
            claimed.incoming.conversation.id,
            claimed.token,
            "" if delivery is None else delivery_to_json(delivery),
            "" if sent is None else sent[0],
            "" if sent is None else sent[1],
            "" if sending is None else sending,
            claimed.incoming.id,
        )
        return SentId(answer.decode()) if isinstance(answer, bytes) else answer == 1

    async def tell_waiting(self, claimed: Claimed) -> bool:
        """Book the word of waiting; see `tell_waiting.lua`. One round trip.

        Raises:
            StoreUnavailable: it may have been booked.
        """
        answer = await self._scripts.run(
            "tell_waiting", [self._prefix(claimed.incoming)], claimed.incoming.conversation.id, claimed.token
        )
        return answer == 1

    async def settle(self, claimed: Claimed, remember: Exchange | None, last: SentId | None = None) -> End:
        """End the turn and remember it; see `settle.lua`. One round trip.

        Args:
            claimed: the turn.
            remember: what the history keeps of it.
            last: the platform's id of the last part, which the ledger does not have.

        Raises:
            StoreUnavailable: it may have been settled; settle again.
        """
        conversation = claimed.incoming.conversation
        answer = await self._run_ledger(
            "settle",
            [self._prefix(claimed.incoming)],
            conversation.id,
            claimed.incoming.id,
            claimed.token,
            conversation.person,
            conversation.place,
            "" if remember is None else remember.to_json(),
            self._max_turns,
            self._max_tokens,
            self._history_ms,
            keys.doorbell(),
            self._scripts.now,
            "" if remember is None or remember.key is None else ":".join(remember.key),
            self._shown_ms,
            last or "",
        )
        return cast("End", cast("bytes", answer).decode())

    async def bury(self, claimed: Claimed, reason: str) -> End:
        """Move the message to the dead letters; see `bury.lua`. One round trip.

        Raises:
            StoreUnavailable: it may have been buried; bury again.
        """
        conversation = claimed.incoming.conversation
        answer = await self._scripts.run(
            "bury",
            [self._prefix(claimed.incoming)],
            conversation.id,
            claimed.incoming.id,
            claimed.token,
            conversation.person,
            conversation.place,
            reason,
            keys.DEAD_MS,
            keys.doorbell(),
            self._scripts.now,
        )
        return cast("End", cast("bytes", answer).decode())

    async def release_claims(self) -> int:
        """End all claims, at the start of a server that nobody else can have used; see `release.lua`.

        One round trip for each partition.

        Returns:
            How many were ended.

        Raises:
            StoreUnavailable: some may have been ended; the others' leases run out.
        """
        ended = 0
        for partition in range(self._partitions):
            ended += cast(
                "int", await self._scripts.run("release", [keys.inbox(partition, self._lane)], self._scripts.now)
            )
        return ended

    async def check(self) -> None:
        """Whether messages can be stored; see `check.lua`. One round trip for each partition, side by side.

        Raises:
            StoreUnavailable: in no partition now, or not as durably as was asked for.
        """
        await of_those_that_answer(
            self._scripts.run_lasting("check", [keys.inbox(partition, self._lane)], keys.CHECK_MS)
            for partition in range(self._partitions)
        )

    async def queue(self) -> tuple[int, timedelta, int]:
        """Messages waiting, how long the oldest has waited to be taken up, and dead letters; see `queue.lua`.

        One round trip for each partition, side by side; those of a server that hangs are left out.

        Raises:
            StoreUnavailable: no partition answered.
        """
        asked = MOST_COUNTED, keys.DEAD_MS, self._scripts.now
        answers = await of_those_that_answer(
            self._scripts.run("queue", [keys.inbox(partition, self._lane)], *asked)
            for partition in range(self._partitions)
        )
        counts, ages_ms, dead = zip(*cast("list[list[int]]", answers), strict=True)
        return sum(counts), timedelta(milliseconds=max(0, *ages_ms)), sum(dead)

    async def _run_ledger(self, name: str, script_keys: Sequence[str], *arguments: Argument) -> object:
        """What was shown to a person should outlive the server that noted it, where there is a second one."""
        if self._scripts.durability == "replica":
            return await self._scripts.run_lasting(name, script_keys, *arguments)
        return await self._scripts.run(name, script_keys, *arguments)

    def _prefix(self, incoming: Incoming) -> str:
        return keys.inbox(keys.partition_of(incoming.conversation.id, self._partitions), self._lane)

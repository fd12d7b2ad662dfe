"""What `inbox.durability` costs: python -m bench.durability [--rounds 3] [--seconds 3] [--at-once 32].

Each value on a Redis of its own, all of them on this machine and in every round, one after the other: `memory` and
`fsync` with an append-only file that is synced every second, `fsync` with one that is synced at each write, `replica`
with a second server. So many conversations at once put messages, each after its last was stored; then one conversation
does, each when the one before has its place, as the platforms' messages come; then as many workers claim, write down
the reply, and settle what is there. Figures are medians over the rounds; ratios to `memory` are
formed within a round first. Loopback and one disk: a replica on another machine is a network's round trip further off.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from bot.message import Conversation, Incoming, MessageId, ReplyTo, SentId
from bot.ports import Delivery
from bot.store.client import connect
from bot.store.cluster import Client
from bot.store.inbox import RedisInbox
from bot.store.scripts import Durability, Scripts
from tests.servers.redis_node import Node, free_ports, until

KEPT = ("--appendonly", "yes", "--save", "")
REPLY = Delivery(parts=(), outcome="answered")


@dataclass(frozen=True, slots=True)
class Way:
    """One row: what is waited for, and how the server keeps its file."""

    name: str
    durability: Durability
    sync: str


WAYS = (
    Way("memory", "memory", "everysec"),
    Way("fsync, everysec", "fsync", "everysec"),
    Way("fsync, always", "fsync", "always"),
    Way("replica", "replica", "everysec"),
)


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one way in one round."""

    puts_per_s: float
    p50_ms: float
    p99_ms: float
    of_one_per_s: float
    turns_per_s: float


def message(name: str, where: Conversation) -> Incoming:
    """A message of 200 characters."""
    return Incoming(
        id=MessageId(f"telegram:1:{name}"),
        conversation=where,
        sent_at=datetime.now(UTC),
        text="How much is a transfer? " * 8,
        reply_to=ReplyTo(channel=where.channel, user=where.user, private=True),
        addressing="direct",
    )


async def for_seconds(
    seconds: float, at_once: int, act: Callable[[int, int], Awaitable[bool]]
) -> tuple[float, list[float]]:
    """Do an act over and over, so many side by side: how often a second, and how long each took in ms.

    The act is told who does it and how often before, and says whether there is more to do.
    """
    took_ms: list[float] = []
    began = time.perf_counter()

    async def one(who: int) -> None:
        number, more = 0, True
        while more and time.perf_counter() - began < seconds:
            start = time.perf_counter()
            more = await act(who, number)
            took_ms.append((time.perf_counter() - start) * 1000)
            number += 1

    await asyncio.gather(*(one(who) for who in range(at_once)))
    return len(took_ms) / (time.perf_counter() - began), took_ms


def inbox_on(client: Client, durability: Durability) -> RedisInbox:
    """An inbox in which nobody is refused."""
    return RedisInbox(
        Scripts(client, durability=durability),
        partitions=1,
        lease=timedelta(seconds=60),
        max_waiting=1_000_000,
        max_turns=10,
        max_tokens=3000,
        history_ttl=timedelta(hours=24),
        shown_ttl=timedelta(hours=1),
    )


async def put_into(inbox: RedisInbox, run: int, who: int, number: int) -> bool:
    """One message, of a conversation of its own: each turn finds another one free."""
    name = f"{run}-{who}-{number}"
    await inbox.put(message(name, Conversation(platform="telegram", workspace="1", channel=name, thread="", user=name)))
    return True


async def put_of_one(inbox: RedisInbox, seconds: float) -> float:
    """How many messages of one conversation are stored a second, and durable in the end."""
    where = Conversation(platform="telegram", workspace="1", channel="one", thread="", user="one")
    began, number = time.perf_counter(), 0

    async def put(name: str, placed: asyncio.Event) -> None:
        await inbox.put(message(name, where), placed=placed.set)
        placed.set()

    async with asyncio.TaskGroup() as puts:
        while time.perf_counter() - began < seconds:
            placed = asyncio.Event()
            puts.create_task(put(f"one-{number}", placed))
            await placed.wait()
            number += 1
    return number / (time.perf_counter() - began)


async def measure(url: str, way: Way, seconds: float, at_once: int) -> Figures:
    """One round of one way on an empty server."""
    client = connect(url, max_connections=at_once)
    await client.flushall()
    inbox = inbox_on(client, way.durability)

    async def turn(who: int, number: int) -> bool:
        claimed = await inbox.claim(f"{who}:{number}")
        if claimed is None:
            return False
        await inbox.record(claimed, REPLY, sending=0)
        return await inbox.settle(claimed, None, SentId("1")) == "settled"

    puts_per_s, took_ms = await for_seconds(seconds, at_once, partial(put_into, inbox, 0))
    of_one_per_s = await put_of_one(inbox, seconds)
    # So that the turns do not run out of messages.
    await for_seconds(seconds, at_once, partial(put_into, inbox_on(client, "memory"), 1))
    turns_per_s, _ = await for_seconds(seconds, at_once, turn)
    await client.aclose()
    cuts = statistics.quantiles(took_ms, n=100)
    return Figures(puts_per_s, cuts[49], cuts[98], of_one_per_s, turns_per_s)


async def one_round(urls: dict[str, str], seconds: float, at_once: int) -> dict[str, Figures]:
    """All ways, one after the other."""
    return {way.name: await measure(urls[way.name], way, seconds, at_once) for way in WAYS}


@contextmanager
def servers(folder: Path) -> Iterator[dict[str, str]]:
    """The URL of each way's server, all running."""
    with free_ports(len(WAYS) + 1) as ports:
        pass
    nodes = [
        Node(folder / str(port), port, *KEPT, "--appendfsync", way.sync, search=False)
        for port, way in zip(ports, WAYS, strict=False)
    ]
    follower = Node(folder / "replica", ports[-1], *KEPT, "--replicaof", "127.0.0.1", str(nodes[-1].port), search=False)
    try:
        for node in (*nodes, follower):
            node.start()
        for node in (*nodes, follower):
            until(lambda node=node: bool(node.ask("PING")), "Redis answers")  # type: ignore[misc]
        until(nodes[-1].has_replica, "the replica follows")
        yield {way.name: f"redis://127.0.0.1:{node.port}" for way, node in zip(WAYS, nodes, strict=True)}
    finally:
        for node in (*nodes, follower):
            node.kill()


def table(rounds: list[dict[str, Figures]]) -> list[str]:
    """The rows, as Markdown."""
    lines = [
        "| `inbox.durability` | puts/s | to `memory` | p50, ms | p99, ms | of one/s | turns/s | to `memory` |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for way in WAYS:
        mine = [one[way.name] for one in rounds]
        puts = statistics.median(one.puts_per_s for one in mine)
        turns = statistics.median(one.turns_per_s for one in mine)
        put_ratio = statistics.median(one[way.name].puts_per_s / one["memory"].puts_per_s for one in rounds)
        of_one = statistics.median(one.of_one_per_s for one in mine)
        turn_ratio = statistics.median(one[way.name].turns_per_s / one["memory"].turns_per_s for one in rounds)
        p50 = statistics.median(one.p50_ms for one in mine)
        p99 = statistics.median(one.p99_ms for one in mine)
        lines.append(
            f"| {way.name} | {puts:,.0f} | {put_ratio:.2f} | {p50:.1f} | {p99:.1f} | {of_one:,.0f} | "
            f"{turns:,.0f} | {turn_ratio:.2f} |"
        )
    return lines


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each figure")
    parser.add_argument("--at-once", type=int, default=32, help="conversations that put, workers that claim")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fd", dir="/tmp") as name, servers(Path(name)) as urls:
        rounds = [asyncio.run(one_round(urls, options.seconds, options.at_once)) for _ in range(options.rounds)]
    print("\n".join(table(rounds)))


if __name__ == "__main__":
    main()

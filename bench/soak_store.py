"""The Redis of a soak run: one with a replica, three Sentinels over both, or a cluster; whose primaries are killed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

from redis.exceptions import RedisError

from bot.store import keys
from tests.servers.redis_node import Node, free_ports, until

Kind = Literal["single", "sentinel", "cluster"]
PARTITIONS = {"single": 1, "sentinel": 1, "cluster": 6}
FAIL_OVER_S = 60.0


class Store:
    """Servers that hold the same data, or the slots of one cluster.

    Args:
        url: for the bot.
        nodes: the servers, without Sentinels.
        kind: what watches over them.
        seed: of which primary dies.
    """

    def __init__(self, url: str, nodes: Sequence[Node], kind: Kind, seed: int) -> None:
        self.url = url
        self.fails_over = kind != "single"
        self._nodes = nodes
        self._kind = kind
        self._partitions = PARTITIONS[kind]
        self._random = random.Random(seed)

    @property
    def settings(self) -> dict[str, str]:
        """Environment variables for the bot."""
        return {
            "REDIS_URL": self.url,
            "FRONTDESK_INBOX__DURABILITY": "replica",
            "FRONTDESK_INBOX__PARTITIONS": str(self._partitions),
        }

    def pids(self) -> dict[str, int]:
        """Of each server that runs."""
        return {f"redis {number}": node.pid for number, node in enumerate(self._nodes)}

    async def fail_over(self) -> None:
        """`kill -9` of a primary; returns when another server has taken over, and the killed one is started again.

        It comes back empty and is told at once whom to follow; Sentinels would notice it after some ten seconds, and
        until then nothing reaches a second server. A cluster does that by itself.

        Raises:
            TimeoutError: nobody took over.
        """
        before = {node.port for node in self._nodes if node.is_primary()}
        victim = self._random.choice([node for node in self._nodes if node.port in before])
        victim.kill()
        async with asyncio.timeout(FAIL_OVER_S):
            while (now := self._another(before)) is None:  # noqa: ASYNC110 - another process takes over
                await asyncio.sleep(0.1)
            victim.start()
            while self._kind == "sentinel" and not follows(victim, now):  # noqa: ASYNC110 - it starts
                await asyncio.sleep(0.1)

    def _another(self, before: set[int]) -> Node | None:
        return next((node for node in self._nodes if node.port not in before and node.is_primary()), None)

    async def open_turns(self) -> list[dict[str, str]]:
        """The ledgers of all turns that are open, as field and value.

        A reply that no second server has yet is left out: it may go with the first, and is not finished before.

        Raises:
            OSError: a primary is away.
        """
        return await asyncio.to_thread(self._open_turns)

    def _open_turns(self) -> list[dict[str, str]]:
        found, partitions = [], 0
        for node in self._nodes:
            if not node.is_primary():
                continue
            with node.client() as client:
                for partition in range(self._partitions):
                    prefix = keys.inbox(partition)
                    try:
                        waiting = client.zrange(f"{prefix}:due", 0, -1)
                        partitions += 1
                        turns = [client.hgetall(f"{prefix}:turn:{conversation}") for conversation in waiting]
                        if not node.has_replica():
                            turns = [{name: turn[name] for name in turn if name != "reply"} for turn in turns]
                    except RedisError as error:
                        if "MOVED" not in f"{type(error).__name__} {error}".upper():
                            raise OSError(str(error)) from error
                        continue
                    found += [turn for turn in turns if "id" in turn]
        if partitions < self._partitions:
            raise OSError("a primary is away")
        return found

    async def waiting(self) -> int:
        """Conversations in which something waits or is being answered."""
        return await asyncio.to_thread(self._waiting)

    def _waiting(self) -> int:
        number = 0
        for node in self._nodes:
            with suppress(RedisError, OSError), node.client() as client:
                if node.is_primary():
                    for partition in range(self._partitions):
                        with suppress(RedisError):
                            number += int(client.zcard(f"{keys.inbox(partition)}:due"))
        return number


def follows(node: Node, primary: Node) -> bool:
    """It was told to follow that one; False if it does not answer yet."""
    try:
        node.ask("REPLICAOF", "127.0.0.1", primary.port)
    except (RedisError, OSError):
        return False
    return True


@contextmanager
def opened_store(kind: Kind, folder: Path, seed: int) -> Iterator[Store]:
    """Run the servers in `folder`; each is stopped by its pid at the end."""
    if kind == "cluster":
        from tests.servers.redis_cluster import redis_cluster

        with redis_cluster(folder) as cluster:
            yield Store(cluster.url, cluster.nodes, kind, seed)
    elif kind == "sentinel":
        from tests.servers.redis_sentinel import redis_sentinel

        with redis_sentinel(folder) as sentinel:
            yield Store(sentinel.url, sentinel.nodes, kind, seed)
    else:
        with primary_and_replica(folder) as nodes:
            yield Store(f"redis://127.0.0.1:{nodes[0].port}", nodes, kind, seed)


@contextmanager
def primary_and_replica(folder: Path) -> Iterator[Sequence[Node]]:
    """Two servers, the second follows the first."""
    with free_ports(2) as ports:
        pass
    primary = Node(folder / "0", ports[0], "--save", "", "--repl-diskless-sync-delay", "0")
    replica = Node(folder / "1", ports[1], "--save", "", "--replicaof", f"127.0.0.1 {ports[0]}")
    try:
        for node in (primary, replica):
            node.start()
        until(primary.has_replica, "the replica follows")
        yield primary, replica
    finally:
        for node in (primary, replica):
            node.kill()

"""A real Redis Cluster for tests: three primaries and a replica of each, on free ports of 127.0.0.1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis.crc import key_slot

from tests.servers.redis_node import Node, free_ports, until

PRIMARIES = 3
SLOTS = 16384
NODE_TIMEOUT_MS = 2000
"""After so long of silence a primary counts as gone; Redis's own default is 15 s."""


class RedisCluster:
    """Six servers that know each other.

    Attributes:
        nodes: first the primaries, as they began; then the replica of each.
    """

    def __init__(self, nodes: list[Node]) -> None:
        self.nodes = nodes

    @property
    def url(self) -> str:
        """For the bot: all servers, of which any may be dead."""
        return "redis+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def owner(self, key: str) -> Node:
        """The primary that has this key now.

        Raises:
            AssertionError: none says so in time.
        """
        slot, found = key_slot(key.encode()), list[Node]()

        def is_found() -> bool:
            found[:] = [node for node in self.nodes if node.is_primary() and slot in _slots_of(node)]
            return bool(found)

        until(is_found, "a primary has it")
        return found[0]

    def shard_of(self, port: int) -> list[Node]:
        """The server of that port, and the other one of its shard, whichever is the primary now."""
        number = next(number for number, node in enumerate(self.nodes) if node.port == port) % PRIMARIES
        return [self.nodes[number], self.nodes[number + PRIMARIES]]

    def fail_over(self, key: str) -> None:
        """Have the replica of whoever has this key take over; returns when it has.

        Without a vote: the others would not give one again so soon after the last.
        """
        before = self.owner(key)
        replica = next(node for node in self.shard_of(before.port) if node is not before)
        replica.ask("CLUSTER", "FAILOVER", "TAKEOVER")
        until(lambda: replica.is_primary() and not before.is_primary(), "the failover")

    def wait_whole(self) -> None:
        """Until every server runs and agrees, takes none for failed, and each primary has its replica."""
        for node in self.nodes:
            until(lambda node=node: not any("fail" in line for line in _lines(node)), "nobody is taken for failed")  # type: ignore[misc]
            until(lambda node=node: "cluster_state:ok" in str(node.ask("CLUSTER", "INFO")), "the cluster is whole")  # type: ignore[misc]
        until(lambda: sum(node.is_primary() and node.has_replica() for node in self.nodes) == PRIMARIES, "replicas")

    def empty(self) -> None:
        """Delete everything in it, indexes too."""
        for node in self.nodes:
            if node.is_primary():
                node.ask("FLUSHALL")


def _slots_of(node: Node) -> set[int]:
    mine = next(line for line in _lines(node) if "myself" in line)
    ranges = [part.split("-") for part in mine.split()[8:] if not part.startswith("[")]
    return {slot for ends in ranges for slot in range(int(ends[0]), int(ends[-1]) + 1)}


def _lines(node: Node) -> list[str]:
    with node.client() as client:
        text = client.execute_command("CLUSTER", "NODES", NEVER_DECODE=None)  # raw: the library would parse it
    return (text.decode() if isinstance(text, bytes) else str(text)).splitlines()


@contextmanager
def redis_cluster(folder: Path, *extra: str) -> Iterator[RedisCluster]:
    """Run a cluster in `folder`; each server is stopped by its pid at the end.

    Args:
        folder: an empty temporary folder.
        extra: further redis-server arguments of each.
    """
    with free_ports(4 * PRIMARIES) as ports:
        pass
    options = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS), "--save", ""]
    # Replicas begin to follow at once, take over however old their data is, and the other slots go on meanwhile.
    options += ["--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0"]
    options += ["--cluster-require-full-coverage", "no"]
    nodes = [
        Node(folder / str(number), port, "--cluster-port", str(bus), *options, *extra)
        for number, (port, bus) in enumerate(zip(ports[::2], ports[1::2], strict=True))
    ]
    cluster = RedisCluster(nodes)
    try:
        for node in nodes:
            node.start()
        _form(nodes, dict(zip(ports[::2], ports[1::2], strict=True)))
        cluster.wait_whole()
        yield cluster
    finally:
        for node in nodes:
            node.kill()


def _form(nodes: list[Node], bus: dict[int, int]) -> None:
    for node in nodes:
        until(lambda node=node: node.ask("PING") in ("PONG", True), "a server starts")  # type: ignore[misc]
    share = SLOTS // PRIMARIES + 1
    for number, node in enumerate(nodes[:PRIMARIES]):
        node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        node.ask("CLUSTER", "ADDSLOTSRANGE", number * share, min((number + 1) * share, SLOTS) - 1)
    for node in nodes[1:]:
        nodes[0].ask("CLUSTER", "MEET", "127.0.0.1", node.port, bus[node.port])
    names = [str(node.ask("CLUSTER", "MYID")) for node in nodes]
    for node in nodes:
        until(lambda node=node: all(name in "\n".join(_lines(node)) for name in names), "all have met")  # type: ignore[misc]
    for name, node in zip(names, nodes[PRIMARIES:], strict=False):
        until(lambda node=node, name=name: _follows(node, name), "replicas follow")  # type: ignore[misc]


def _follows(node: Node, primary: str) -> bool:
    node.ask("CLUSTER", "REPLICATE", primary)
    return True

"""A real primary and its replica, watched by two Sentinels, on free ports of 127.0.0.1.

Two Sentinels are the fewest that show a failover, and weak: it takes the votes of the greater half of all that are
known, of two both. So a machine that is lost together with the Sentinel on it is never followed. Whoever means it runs
three, on three machines. The quorum here is 1, which says only how many must have noticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.servers.redis_node import Node, free_ports, until

NAME = "frontdesk"
DOWN_AFTER_MS = 2000
"""A Sentinel whose first connection to a new primary fails tries again after a second: with that, it takes the new one
for dead, too, and makes a primary of the old one, which has just come back without what was written meanwhile."""
FAILOVER_TIMEOUT_MS = 3000


class RedisSentinel:
    """Two servers and who watches them.

    Attributes:
        nodes: the primary as it began, and its replica.
        sentinels: the watchers.
    """

    def __init__(self, nodes: list[Node], sentinels: list[Node]) -> None:
        self.nodes = nodes
        self.sentinels = sentinels

    @property
    def url(self) -> str:
        """For the bot."""
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{one.port}" for one in self.sentinels) + f"/{NAME}"

    @property
    def primary(self) -> Node:
        """The server that both Sentinels call the primary, and which says so itself.

        Raises:
            AssertionError: they do not agree in time.
        """
        return self._agreed(self.nodes, "the Sentinels agree on the primary")

    def wait_next(self, before: Node) -> Node:
        """Wait for a primary other than the one before; the same conditions, the same error."""
        others = [node for node in self.nodes if node is not before]
        return self._agreed(others, "the Sentinels make another primary")

    def _agreed(self, among: list[Node], what: str) -> Node:
        found: list[Node] = []

        def agreed() -> bool:
            ports = {self._port_named(one) for one in self.sentinels}
            found[:] = [node for node in among if ports == {node.port} and node.is_primary()]
            return bool(found)

        until(agreed, what)
        return found[0]

    def wait_whole(self) -> None:
        """Until the primary has its replica and the Sentinels know all of them."""
        until(lambda: self.primary.has_replica(), "the replica follows")
        for one in self.sentinels:
            until(lambda one=one: self._knows_all(one), "a Sentinel knows the replica and the other Sentinel")  # type: ignore[misc]

    def _port_named(self, sentinel: Node) -> int:
        with sentinel.client() as client:
            return int(client.sentinel_master(NAME)["port"])

    def _knows_all(self, sentinel: Node) -> bool:
        with sentinel.client() as client:
            facts = client.sentinel_master(NAME)
        return int(facts["num-slaves"]) == 1 and int(facts["num-other-sentinels"]) == len(self.sentinels) - 1


@contextmanager
def redis_sentinel(folder: Path, *extra: str) -> Iterator[RedisSentinel]:
    """Run all four in `folder`; each is stopped by its pid at the end.

    Args:
        folder: an empty temporary folder.
        extra: further redis-server arguments of the two servers.
    """
    with free_ports(4) as ports:
        pass
    options = ["--save", "", "--repl-diskless-sync-delay", "0", *extra]
    primary = Node(folder / "0", ports[0], *options)
    replica = Node(folder / "1", ports[1], *options, "--replicaof", f"127.0.0.1 {ports[0]}")
    sentinels = [_sentinel(folder / f"s{port}", port, ports[0]) for port in ports[2:]]
    everyone = [primary, replica, *sentinels]
    pair = RedisSentinel([primary, replica], sentinels)
    try:
        for node in everyone:
            node.start()
            until(lambda node=node: bool(node.ask("PING")), "a server starts")  # type: ignore[misc]
        pair.wait_whole()
        yield pair
    finally:
        for node in everyone:
            node.kill()


def _sentinel(folder: Path, port: int, primary: int) -> Node:
    folder.mkdir()
    config = folder / "sentinel.conf"
    config.write_text(
        f"sentinel monitor {NAME} 127.0.0.1 {primary} 1\n"
        f"sentinel down-after-milliseconds {NAME} {DOWN_AFTER_MS}\n"
        f"sentinel failover-timeout {NAME} {FAILOVER_TIMEOUT_MS}\n"
    )
    return Node(folder, port, "--sentinel", search=False, config=config)

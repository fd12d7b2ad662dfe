"""Redis Cluster by its library, and what our commands need of it beyond what that does by itself.

All keys of one act carry one hash tag, so a script goes by its key to the server that has its slot, in one round trip
as on a single Redis. Four things need more:

- FT.* goes by the name of the index. Redis 8 searches the whole cluster whomever one asks; a RediSearch without that
  keeps an index on the server that has the slot of its name. That server is right for both, the library asks any.
- Pub/sub goes to one server at random: see `subscriber`.
- WAIT and WAITAOF speak of the connection they come on: see `on_one_connection`.
- What names neither key nor index goes `beside` a key.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from typing import cast

from redis._parsers.commands import CommandPolicies
from redis.asyncio import Redis, RedisCluster
from redis.asyncio.client import PubSub
from redis.asyncio.cluster import ClusterNode, PipelineCommand
from redis.cluster import PRIMARY
from redis.commands.policies import AsyncStaticPolicyResolver
from redis.exceptions import (
    AskError,
    ClusterDownError,
    MovedError,
    ReadOnlyError,
    RedisClusterException,
    SlotNotCoveredError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

Client = Redis | RedisCluster
"""A client of one server (also behind Sentinels) or of a cluster: stores take either and need not know which."""

PONG = timedelta(seconds=5)
"""Whoever does not answer a PING so long hangs."""
Word = str | bytes | int | float
_ELSEWHERE = (
    AskError,
    ClusterDownError,
    MovedError,
    RedisConnectionError,
    RedisTimeoutError,
    SlotNotCoveredError,
    TryAgainError,
)
"""Whoever was asked does not have the slot, or not now."""


class _Policies(AsyncStaticPolicyResolver):
    async def resolve(self, command_name: str) -> CommandPolicies | None:
        """No rule of the library's for FT.*: they are sent by slot, as commands with keys are."""
        return None if command_name.startswith("ft.") else await super().resolve(command_name)


class Cluster(RedisCluster):
    """A client of a cluster that sends FT.* by the name of the index."""

    def __init__(self, **options: object) -> None:
        super().__init__(policy_resolver=_Policies(), **options)  # type: ignore[arg-type]  # options by name

    async def initialize(
        self,
        additional_startup_nodes_info: list[tuple[str, int]] | None = None,
        last_failed_node_name: str | None = None,
    ) -> RedisCluster:
        """Read who has which slots, if that is not known; at last from the configured addresses again.

        These may be names that lead to other servers by now, while all that were known are gone.

        Raises:
            RedisClusterException: no server answers.
            RedisConnectionError, RedisTimeoutError: two primaries do not.
        """
        try:
            return await super().initialize(additional_startup_nodes_info, last_failed_node_name)
        except RedisClusterException:
            known = self.nodes_manager.startup_nodes
            configured = {node.name: node for node in self.startup_nodes if node.name not in known}
            if not configured:
                raise
            known.update(configured)
            return await super().initialize(additional_startup_nodes_info, last_failed_node_name)
        except (RedisConnectionError, RedisTimeoutError):
            self._ask_another()
            return await super().initialize(additional_startup_nodes_info, last_failed_node_name)
        except asyncio.CancelledError:
            # Whoever waited had no more time; the next one should not wait for the same server.
            self._ask_another()
            raise

    def _ask_another(self) -> None:
        """The slots are known, but the first primary, which the library asks what commands there are, is away."""
        for first in self.nodes_manager.get_nodes_by_server_type(PRIMARY)[:1]:
            self.nodes_manager.move_node_to_end_of_cached_nodes(first.name)

    async def get_nodes_from_slot(self, command: str, *args: object) -> list[ClusterNode]:
        """Who has the slot of a command; of a slot that nobody had, the library would never ask again.

        Raises:
            SlotNotCoveredError: nobody has it; before the next command it is read anew who has which.
        """
        try:
            return cast("list[ClusterNode]", await super().get_nodes_from_slot(command, *args))
        except KeyError:
            self.read_anew()
            raise SlotNotCoveredError(f"{command}: nobody has its slot") from None

    def read_anew(self) -> None:
        """Before the next command it is read who has which slots; no connection is closed for it."""
        self._initialize = True

    async def _determine_slot(self, command: str, *args: object) -> int:
        if command.startswith("FT."):
            return self.keyslot(cast("str", args[0]))
        return await super()._determine_slot(command, *args)


def beside(client: Client, key: str) -> dict[str, ClusterNode | None]:
    """Arguments of `execute_command` that send a command which names no key to the server that has this one.

    Raises:
        SlotNotCoveredError: no server has it, or nothing was sent yet by this client.
    """
    return {"target_nodes": client.get_node_from_key(key)} if isinstance(client, RedisCluster) else {}


def server_of(client: Client, key: str) -> str:
    """A name for the server that has a key, as far as the client knows; of a single Redis it is always the same."""
    if isinstance(client, RedisCluster):
        with suppress(SlotNotCoveredError):
            return cast("ClusterNode", client.get_node_from_key(key)).name
    return ""


async def subscriber(client: Client) -> PubSub:
    """For pub/sub; to be used in an `async with`. In a cluster at any server that answers: all of them hear all.

    Raises:
        RedisError, RedisClusterException, TimeoutError: that one does not answer; the next time it is another one.
    """
    if not isinstance(client, RedisCluster):
        return client.pubsub()
    try:
        # A client that may wait for long would do so here too.
        async with asyncio.timeout(PONG.total_seconds()):
            await client.initialize()
            node = client.get_random_node()
            # Of a subscription that fails the library learns nothing; by this it learns to read anew who is there.
            await client.ping(target_nodes=node)
    except TimeoutError:
        cast("Cluster", client).read_anew()
        raise
    return client.pubsub(node=node)


async def on_one_connection(client: Client, key: str, commands: Sequence[Sequence[Word]]) -> list[object]:
    """Send commands together, in one round trip and on one connection, to the server that has a key.

    If that turns out to be another one, all of them are sent again: as often as the client sends any command. The
    library's pipelines would repeat those alone that were refused, elsewhere and on other connections. A server that
    became a replica keeps its connections; behind the same address there may be a primary by now, so they are closed
    and all is sent once more.

    Returns:
        The replies; an error that a command met stands as its reply.

    Raises:
        RedisError, RedisClusterException: no server could be asked.
    """
    if isinstance(client, RedisCluster):
        return await _on_one_of_cluster(cast("Cluster", client), key, commands)
    replies = await _on_one(client, commands)
    if any(isinstance(reply, ReadOnlyError) for reply in replies):
        await client.connection_pool.disconnect(inuse_connections=False)
        replies = await _on_one(client, commands)
    return replies


async def _on_one(client: Redis, commands: Sequence[Sequence[Word]]) -> list[object]:
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return await pipeline.execute(raise_on_error=False)


async def _on_one_of_cluster(client: Cluster, key: str, commands: Sequence[Sequence[Word]]) -> list[object]:
    failure: Exception | None = None
    lost: str | None = None
    for _ in range(client.retry.get_retries() + 1):
        if isinstance(failure, (AskError, MovedError)):
            # Follows whoever moved.
            await client.exists(key)
        elif failure is not None:
            client.read_anew()
        # Whoever did not answer is asked last who has which slots.
        await client.initialize(last_failed_node_name=lost)
        sent = [PipelineCommand(number, *command) for number, command in enumerate(commands)]
        try:
            node = cast("ClusterNode", client.get_node_from_key(key))
            await node.execute_pipeline(sent)
        except _ELSEWHERE as error:
            failure = error
        else:
            replies = [command.result for command in sent]
            failure = next((reply for reply in replies if isinstance(reply, _ELSEWHERE)), None)
            if failure is None:
                return replies
        if isinstance(failure, (RedisConnectionError, RedisTimeoutError)):
            lost = node.name
            client.nodes_manager.move_node_to_end_of_cached_nodes(lost)
    raise failure if failure is not None else AssertionError("never sent")

"""The stores of one process, opened: Redis reached or started, checked, and everything that is kept in it.

Part of the composition root: only `bot.app` opens stores.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from pydantic import ValidationError

from bot.config import Config, Rate
from bot.config_tree import Embeddings
from bot.errors import StartError
from bot.message import Platform
from bot.ports import Embedder
from bot.stopping import unless_stopped
from bot.store import keys
from bot.store.answers import RedisAnswers
from bot.store.answers_index import AnswersIndex
from bot.store.bases import KnowledgeBases
from bot.store.client import close, connect, connect_blocking
from bot.store.cluster import Client
from bot.store.dead import DeadLetters
from bot.store.doorbell import RedisDoorbell
from bot.store.embedded import EmbeddedRedis, embedded
from bot.store.forgetting import RedisForgetting
from bot.store.inbox import RedisInbox
from bot.store.limiter import RedisLimiter
from bot.store.listening import LISTEN
from bot.store.outbound import Bucket, Buckets, RedisOutbound
from bot.store.page_box import RedisPageBox
from bot.store.partitions import fix_partitions
from bot.store.passages import Passages
from bot.store.probe import probe
from bot.store.scripts import Durability, Scripts
from bot.store.shown import RedisShown
from bot.store.spending import RedisSpending
from bot.turn import MAIN

REFUSALS = ((1, timedelta(hours=1)),)
"""How often somebody who is not allowed hears so."""

FLAT_UP_TO = 100_000
"""Passages that are compared one by one; more are searched by a graph where the knowledge base has a server of its own
(`knowledge.redis_url`). A graph is built anew at each load of Redis, which answers nothing meanwhile: on a server that
also takes the messages in, that weighs more than slower searches. Measured by `bench.search`."""

BURST_SHARE = 4
"""A bot or group may send a quarter of its rate at once; the other three are spread over the time."""

MOST_RESTARTS = 5
RESTARTS_WITHIN = timedelta(minutes=5)
"""An embedded server that ends more often has a reason that starting it again does not take away."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Everything Redis, and the embedder without which passages are neither written nor found.

    Attributes:
        server: the embedded server, if it is used.
        scripts: on the server of the inbox.
    """

    server: EmbeddedRedis | None
    scripts: Scripts
    inbox: RedisInbox
    limiter: RedisLimiter
    spending: RedisSpending
    forgetting: RedisForgetting
    answers: RedisAnswers
    near_answers: AnswersIndex
    shown: RedisShown
    dead: DeadLetters
    outbound: RedisOutbound
    doorbell: RedisDoorbell
    page_box: RedisPageBox
    knowledge: KnowledgeBases
    embedder: Embedder


@asynccontextmanager
async def open_stores(
    config: Config,
    *,
    join: bool,
    lane: str = keys.SERVED,
    searched: bool = True,
    stop: asyncio.Event | None = None,
) -> AsyncIterator[Stores]:
    """Reach Redis, check it, open the stores; close all of it at the end of the block.

    Args:
        config: the whole configuration.
        lane: whose messages are put and claimed.
        join: use an embedded server that a running bot owns; without it we must be its owner.
        searched: False where no question will be searched: the embedder, which takes a second and 100 MB, is not
            made ready.
        stop: if given, a Redis that does not answer yet is waited for, see `probe`, until this is set; an embedded one
            that is starting ends then.

    Raises:
        StartError: Redis cannot be reached or started, or is not one that we can use; says what to do.
        StoreUnavailable: it went away while being opened.
    """
    async with AsyncExitStack() as stack:
        server, url = await _reach(config, stack, stop, join=join)
        redis = await _client(url, config.redis_setting, stack, stop, config.inbox.durability)
        kb_redis = redis
        if config.knowledge.redis_url is not None:
            setting = config.named("knowledge.redis_url")
            kb_redis = await _client(config.knowledge.redis_url.get_secret_value(), setting, stack, stop)
        waiting = connect_blocking(url, block=LISTEN)
        stack.push_async_callback(close, waiting)
        await fix_partitions(redis, config.inbox.partitions)
        embedders = Embedders(config, stack, warm=searched)
        embedder = await embedders.configured()
        stores = _open(config, server, redis, kb_redis, waiting, embedder, embedders, lane)
        if server is not None and server.started_here:
            ended = await stores.inbox.release_claims()
            log.info("the embedded Redis is ours; %d turns of the last run are taken up at once", ended)
        yield stores


async def keep_server(server: EmbeddedRedis) -> None:
    """Start the embedded server again whenever it ends by itself. Meanwhile nothing is acknowledged or answered.

    Raises:
        StartError: it does not start, or ends again and again.
    """
    ends: list[float] = []
    while True:
        code = await server.ended()
        now = time.monotonic()
        ends = [*(one for one in ends if now - one < RESTARTS_WITHIN.total_seconds()), now]
        if len(ends) > MOST_RESTARTS:
            raise StartError(
                f"the embedded Redis ends again and again (exit code {code}); see its log in redis.data_dir"
            )
        log.error("the embedded Redis ended by itself (exit code %d); starting it again", code)
        await server.restart()
        log.info("the embedded Redis answers again")


async def _reach(
    config: Config, stack: AsyncExitStack, stop: asyncio.Event | None, *, join: bool
) -> tuple[EmbeddedRedis | None, str]:
    if config.redis_url is not None:
        return None, config.redis_url.get_secret_value()
    starting = stack.enter_async_context(embedded(config.redis.data_dir, join=join))
    server = await unless_stopped(starting, stop or asyncio.Event())
    if server is None:
        raise StartError("stopped before the embedded Redis was ready")
    return server, server.url


async def _client(
    url: str, setting: str, stack: AsyncExitStack, stop: asyncio.Event | None, durability: Durability = "memory"
) -> Client:
    redis = connect(url, setting=setting)
    stack.push_async_callback(close, redis)
    await probe(redis, url=url, setting=setting, durability=durability, stop=stop)
    return redis


class Embedders:
    """Makes embedders: the configured one, and that of an index that an earlier configuration built.

    Each is made once, and closed with the stack. A recipe is `embeddings` of the configuration as JSON; the key, which
    is not part of it, is sent to no other address than the configured one.
    """

    def __init__(self, config: Config, stack: AsyncExitStack, *, warm: bool = True) -> None:
        self._config = config
        self._stack = stack
        self._warm = warm
        self._made: dict[str, Embedder] = {}
        self._making = asyncio.Lock()

    @property
    def recipe(self) -> str:
        """Of the configured one."""
        return self._config.embeddings.model_dump_json()

    async def made_by(self, recipe: str) -> Embedder | None:
        """The embedder of a recipe; None if this version cannot make it."""
        async with self._making:
            if recipe not in self._made:
                try:
                    settings = Embeddings.model_validate_json(recipe)
                except ValidationError:
                    return None
                self._made[recipe] = await self._make(settings)
            return self._made[recipe]

    async def configured(self) -> Embedder:
        """The one for all new passages."""
        self._made[self.recipe] = await self._make(self._config.embeddings)
        return self._made[self.recipe]

    async def _make(self, settings: Embeddings) -> Embedder:
        # Imported here, each when it is used: together they would cost every process 30 MB.
        if settings.provider == "builtin":
            from bot.llm.embed import BuiltinEmbedder

            builtin = BuiltinEmbedder()
            self._stack.callback(builtin.close)
            if self._warm:
                await builtin.warm_up()
            return builtin
        from bot.llm.embed_remote import OpenAiEmbedder

        key = self._config.secrets.openai_api_key if settings.base_url == self._config.embeddings.base_url else None
        remote = OpenAiEmbedder(
            base_url=settings.base_url,
            api_key=key.get_secret_value() if key is not None else None,
            model=settings.model or "",
            dimensions=settings.dimensions,
        )
        self._stack.push_async_callback(remote.close)
        return remote


def _open(
    config: Config,
    server: EmbeddedRedis | None,
    redis: Client,
    kb_redis: Client,
    waiting: Client,
    embedder: Embedder,
    embedders: Embedders,
    lane: str,
) -> Stores:
    scripts, kb_scripts = Scripts(redis, durability=config.inbox.durability), Scripts(kb_redis)
    names = [MAIN, *(base.name for base in config.knowledge.bases)]
    rules: dict[str, Sequence[tuple[int, timedelta]]] = {
        "messages": [(rate.count, rate.per) for rate in config.limits.messages],
        "commands": [(rate.count, rate.per) for rate in config.limits.commands],
        "reactions": [(rate.count, rate.per) for rate in config.limits.commands],
        "refusals": REFUSALS,
        "apologies": apologies(config.inbox.max_age),
    }
    return Stores(
        server=server,
        scripts=scripts,
        inbox=RedisInbox(
            scripts,
            partitions=config.inbox.partitions,
            lane=lane,
            lease=config.inbox.lease,
            max_waiting=config.inbox.max_waiting,
            max_turns=config.history.max_turns,
            max_tokens=config.history.max_tokens,
            history_ttl=config.history.ttl,
            shown_ttl=config.answers.ttl,
        ),
        limiter=RedisLimiter(scripts, rules),
        spending=RedisSpending(scripts, [(rate.count, rate.per) for rate in config.limits.tokens]),
        forgetting=RedisForgetting(
            redis,
            scripts,
            partitions=config.inbox.partitions,
            lane=lane,
            kb_scripts=kb_scripts,
            knowledge_bases=names,
        ),
        dead=DeadLetters(redis, scripts, partitions=config.inbox.partitions, lane=lane),
        shown=RedisShown(redis, partitions=config.inbox.partitions, lane=lane),
        answers=RedisAnswers(kb_scripts, ttl=config.answers.ttl),
        near_answers=AnswersIndex(kb_redis, embedder),
        outbound=RedisOutbound(scripts, buckets_of(config)),
        doorbell=RedisDoorbell(waiting),
        page_box=RedisPageBox(redis, waiting),
        knowledge=KnowledgeBases(kb_redis, names, _opener(config, kb_redis, embedder, embedders)),
        embedder=embedder,
    )


def apologies(max_age: timedelta) -> Sequence[tuple[int, timedelta]]:
    """How often a conversation hears that its messages were too old, by the moment at which they are taken up.

    What is written after an apology is too old no sooner than that age later, and so gets one of its own.
    """
    return ((1, max_age),)


def _opener(config: Config, redis: Client, embedder: Embedder, embedders: Embedders) -> Callable[[str], Passages]:
    """What opens a knowledge base by its name."""

    def opened(name: str) -> Passages:
        return Passages(
            redis,
            embedder,
            kb=name,
            max_cosine_distance=config.knowledge.max_cosine_distance,
            recipe=embedders.recipe,
            made_by=embedders.made_by,
            flat_up_to=FLAT_UP_TO if config.knowledge.redis_url is not None else None,
        )

    return opened


def buckets_of(config: Config) -> Mapping[Platform, Buckets]:
    """How fast we send on each platform."""
    telegram, slack = config.telegram, config.slack
    return {
        "telegram": Buckets(
            bot=_bucket(telegram.outbound),
            chat=_bucket(telegram.outbound_chat, burst=telegram.outbound_chat_burst),
            group=_bucket(telegram.outbound_group),
        ),
        "slack": Buckets(
            bot=_bucket(slack.outbound), chat=_bucket(slack.outbound_chat, burst=slack.outbound_chat_burst)
        ),
    }


def _bucket(rate: Rate, *, burst: int | None = None) -> Bucket:
    if burst is not None:
        return Bucket(rate=rate.count, per=rate.per, burst=burst)
    # What goes at once is taken from what follows: no window of that length ever holds more than the rate.
    at_once = max(1, rate.count // BURST_SHARE)
    return Bucket(rate=max(1, rate.count - at_once), per=rate.per, burst=at_once)

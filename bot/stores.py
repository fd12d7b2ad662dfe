"""The stores of one process, opened: Redis reached or started, checked, and everything that is kept in it.

Part of the composition root: only `bot.app` opens stores.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from redis.asyncio import Redis

from bot.config import Config, Rate
from bot.message import Platform
from bot.ports import Embedder
from bot.store import keys
from bot.store.answers import RedisAnswers
from bot.store.answers_index import AnswersIndex
from bot.store.bases import KnowledgeBases
from bot.store.client import connect, connect_blocking
from bot.store.doorbell import LISTEN, RedisDoorbell
from bot.store.embedded import EmbeddedRedis, embedded
from bot.store.forgetting import RedisForgetting
from bot.store.inbox import RedisInbox, fix_partitions
from bot.store.limiter import RedisLimiter
from bot.store.outbound import Bucket, Buckets, RedisOutbound
from bot.store.page_box import RedisPageBox
from bot.store.passages import Passages
from bot.store.probe import probe
from bot.store.scripts import Scripts
from bot.store.shown import RedisShown
from bot.turn import MAIN

REFUSALS = ((1, timedelta(hours=1)),)
"""How often somebody who is not allowed hears so."""

BURST_SHARE = 4
"""A bot or group may send a quarter of its rate at once."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Everything Redis, and the embedder without which passages are neither written nor found.

    Attributes:
        server: the embedded server, if it is used.
    """

    server: EmbeddedRedis | None
    inbox: RedisInbox
    limiter: RedisLimiter
    forgetting: RedisForgetting
    answers: RedisAnswers
    near_answers: AnswersIndex
    shown: RedisShown
    outbound: RedisOutbound
    doorbell: RedisDoorbell
    page_box: RedisPageBox
    knowledge: KnowledgeBases
    embedder: Embedder


@asynccontextmanager
async def open_stores(config: Config, *, join: bool, lane: str = keys.SERVED) -> AsyncIterator[Stores]:
    """Reach Redis, check it, open the stores; close all of it at the end of the block.

    Args:
        config: the whole configuration.
        lane: whose messages are put and claimed.
        join: use an embedded server that a running bot owns; without it we must be its owner.

    Raises:
        StartError: Redis cannot be reached or started, or is not one that we can use; says what to do.
        StoreUnavailable: it went away while being opened.
    """
    async with AsyncExitStack() as stack:
        server, url = await _reach(config, stack, join=join)
        redis = await _client(url, stack)
        kb_redis = redis
        if config.knowledge.redis_url is not None:
            kb_redis = await _client(config.knowledge.redis_url.get_secret_value(), stack)
        waiting = connect_blocking(url, block=LISTEN)
        stack.push_async_callback(waiting.aclose)
        await fix_partitions(redis, config.inbox.partitions)
        embedder = await _embedder(config, stack)
        stores = _open(config, server, redis, kb_redis, waiting, embedder, lane)
        if server is not None and server.started_here:
            ended = await stores.inbox.release_claims()
            log.info("the embedded Redis is ours; %d turns of the last run are taken up at once", ended)
        yield stores


async def _reach(config: Config, stack: AsyncExitStack, *, join: bool) -> tuple[EmbeddedRedis | None, str]:
    if config.redis_url is not None:
        return None, config.redis_url.get_secret_value()
    server = await stack.enter_async_context(embedded(config.redis.data_dir, join=join))
    return server, server.url


async def _client(url: str, stack: AsyncExitStack) -> Redis:
    redis = connect(url)
    stack.push_async_callback(redis.aclose)
    await probe(redis, url=url)
    return redis


async def _embedder(config: Config, stack: AsyncExitStack) -> Embedder:
    # Imported here, each when it is used: together they would cost every process 30 MB.
    settings = config.embeddings
    if settings.provider == "builtin":
        from bot.llm.embed import BuiltinEmbedder

        builtin = BuiltinEmbedder()
        stack.callback(builtin.close)
        await builtin.warm_up()
        return builtin
    from bot.llm.embed_remote import OpenAiEmbedder

    key = config.secrets.openai_api_key
    remote = OpenAiEmbedder(
        base_url=settings.base_url,
        api_key=key.get_secret_value() if key is not None else None,
        model=settings.model or "",
        dimensions=settings.dimensions,
    )
    stack.push_async_callback(remote.close)
    return remote


def _open(
    config: Config,
    server: EmbeddedRedis | None,
    redis: Redis,
    kb_redis: Redis,
    waiting: Redis,
    embedder: Embedder,
    lane: str,
) -> Stores:
    scripts, kb_scripts = Scripts(redis), Scripts(kb_redis)

    def open_base(name: str) -> Passages:
        return Passages(kb_redis, embedder, kb=name, max_cosine_distance=config.knowledge.max_cosine_distance)

    names = [MAIN, *(base.name for base in config.knowledge.bases)]
    rules: dict[str, Sequence[tuple[int, timedelta]]] = {
        "messages": [(rate.count, rate.per) for rate in config.limits.messages],
        "commands": [(rate.count, rate.per) for rate in config.limits.commands],
        "refusals": REFUSALS,
    }
    return Stores(
        server=server,
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
        forgetting=RedisForgetting(
            redis,
            scripts,
            partitions=config.inbox.partitions,
            lane=lane,
            kb_scripts=kb_scripts,
            knowledge_bases=names,
        ),
        shown=RedisShown(redis, partitions=config.inbox.partitions, lane=lane),
        answers=RedisAnswers(kb_scripts, ttl=config.answers.ttl),
        near_answers=AnswersIndex(kb_redis, embedder),
        outbound=RedisOutbound(scripts, _buckets(config)),
        doorbell=RedisDoorbell(waiting),
        page_box=RedisPageBox(redis, waiting),
        knowledge=KnowledgeBases(kb_redis, names, open_base),
        embedder=embedder,
    )


def _buckets(config: Config) -> Mapping[Platform, Buckets]:
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
    # A full burst on top of a full rate would send nearly twice what the platform takes in its window.
    return Bucket(rate=rate.count, per=rate.per, burst=burst or max(1, rate.count // BURST_SHARE))

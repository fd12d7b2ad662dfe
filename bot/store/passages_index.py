"""The search index over the passages of one knowledge base and embedder: making it, asking it, keeping it honest.

All that is known of RediSearch's manners stands here: the schema, the query strings (made of our own tokens and of
nothing else), the shape of its replies (RESP3), and its statistics, which count deleted passages until they are
collected. Nothing here knows versions, documents or ranking.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal, NamedTuple, cast

from redis.exceptions import ResponseError

from bot.errors import StoreUnavailable
from bot.store import keys
from bot.store.client import translated
from bot.store.cluster import Client, beside, on_one_connection

log = logging.getLogger(__name__)

SCAN_DEADLINE = timedelta(hours=1)
"""How long a new index may take to read passages that were there before it. Exact: a second per 100,000; a graph:
minutes, in which Redis goes on answering."""
GC_TIMEOUT_MS = 3_000
"""Of one collection of garbage; shorter than the client waits for an answer."""
GC_THRESHOLD = "FORK_GC_CLEAN_THRESHOLD"
GC_THRESHOLD_DEFAULT = 100
AGGREGATE_TIMEOUT_MS = 3_000
MOST_ROWS = 1_000_000
"""RediSearch's own bound for one reply."""
RETURNED = ("place", "text", "language", "url", "words", "codes")
"""What is shown or ranked and not known anyway: document, version and number stand in the key, path and title in the
document's record. Each field of each candidate costs Redis and us a microsecond or two."""

HNSW_EDGES = 16
"""Per passage (`M`). With 8, a question in 20 loses a passage of its best five."""
HNSW_EF_CONSTRUCTION = 50
"""Candidates looked at when a passage is put into the graph. The 200 of RediSearch take nearly four times as long to
build and to load, and find 3 in 1,000 more of the 24 nearest."""
HNSW_EF_RUNTIME = 200
"""Candidates looked at for a question. RediSearch's own 10 loses 6 of 100 of the 24 nearest, this one 3 in 1,000."""

Command = tuple[str | bytes | int, ...]

Kind = Literal["flat", "hnsw"]
"""How vectors are searched: `flat` compares all of them, exact; `hnsw` walks a graph, and may miss one."""


class Row(NamedTuple):
    """One passage of a reply. A plain tuple, and bytes: of many candidates a few are shown, and only those decoded.

    Attributes:
        key: of its hash.
        raw: the fields that were asked for, as they came.
        score: BM25 (higher is better), 0 where the query had none.
    """

    key: str
    raw: Mapping[bytes, bytes | None]
    score: float = 0.0

    @property
    def fields(self) -> dict[str, str]:
        """All that is text, decoded; a passage's `document`, `version` and `number` are added from its key."""
        # A field that a foreign hash lacks comes as None from FT.AGGREGATE.
        fields = {
            name.decode(): value.decode("utf-8", "replace")
            for name, value in self.raw.items()
            if value is not None and name != b"codes"
        }
        if ":p:" in self.key:
            _, fields["document"], fields["version"], fields["number"] = self.key.rsplit(":", 3)
        return fields

    @property
    def codes(self) -> bytes:
        """Of its vectors, see `bot.knowledge.vectors`; empty if not asked for."""
        return self.raw.get(b"codes") or b""


class PassageIndex:
    """Index `:index:<embedder>:<kind>` over the hashes `:p:<embedder>:*`.

    Args:
        redis: a bytes client, RESP3.
        kb: name of the knowledge base.
        embedder: its name; another embedder has another index.
        dimensions: length of its vectors.
        kind: fixed when the index is made; another kind is another index over the same hashes.
    """

    def __init__(self, redis: Client, *, kb: str, embedder: str, dimensions: int, kind: Kind = "flat") -> None:
        self._redis = redis
        self._dimensions = dimensions
        self.kind = kind
        self._family = f"{keys.kb(kb)}:index:"
        self._answers = f"{keys.kb(kb)}:answers:"
        self._embedder = embedder
        self.name = f"{self._family}{embedder}:{kind}"
        self.prefix = f"{keys.kb(kb)}:p:{embedder}:"

    async def ensure(self) -> None:
        """Make the index if it is not there, and wait until it has read what is.

        A passage written while a new index still reads is counted twice, so nothing is written before.

        Raises:
            StoreUnavailable: Redis refused, or the reading took longer than `SCAN_DEADLINE`.
        """
        with translated("make the index of passages"):
            try:
                await self._send(*self._create())
            except ResponseError as error:
                if "already exists" not in str(error).lower():
                    raise
        try:
            async with asyncio.timeout(SCAN_DEADLINE.total_seconds()):
                while await self._is_scanning():  # noqa: ASYNC110 - the server has no event for this
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise StoreUnavailable("the index of passages is not made in time") from None

    def nearest(self, vector: bytes, count: int) -> Command:
        """The `count` passages nearest to a vector, with `distance` (cosine, [0, 2]), nearest first."""
        effort = f"EF_RUNTIME {max(HNSW_EF_RUNTIME, count)} " if self.kind == "hnsw" else ""
        return (
            *("FT.SEARCH", self.name, f"*=>[KNN {count} @embedding $vector {effort}AS distance]"),
            *("PARAMS", 2, "vector", vector, "SORTBY", "distance"),
            *("RETURN", len(RETURNED) + 1, *RETURNED, "distance"),
            *("LIMIT", 0, count, "DIALECT", 2),
        )

    def sharing(self, tokens: Sequence[str], count: int) -> Command:
        """The `count` passages that share the best tokens, by BM25, best first; `tokens` must not be empty.

        `tokens` come from `bot.knowledge.words` and need no escaping. The scorer is named because the default one
        finds a sixth of what BM25 finds in a union. Verbatim: else RediSearch looks for two stems of each token, too,
        which takes longer and finds no more.
        """
        return (
            *("FT.SEARCH", self.name, f"@words:({'|'.join(tokens)})"),
            *("VERBATIM", "SCORER", "BM25STD", "WITHSCORES"),
            *("RETURN", len(RETURNED), *RETURNED),
            *("LIMIT", 0, count, "DIALECT", 2),
        )

    async def versions(self) -> set[tuple[str, str]]:
        """All (document, version) that have passages in the index, live or left over."""
        reply = await self._ask(
            *("FT.AGGREGATE", self.name, "*", "LOAD", 2, "@document", "@version"),
            *("GROUPBY", 2, "@document", "@version"),
            *("LIMIT", 0, MOST_ROWS, "TIMEOUT", AGGREGATE_TIMEOUT_MS, "DIALECT", 2),
        )
        found = [row.fields for row in rows(reply)]
        return {(fields["document"], fields["version"]) for fields in found if "document" in fields}

    async def of_version(self, document: str, version: str) -> list[Row]:
        """All passages of one version of one document, each with its `path`. Both names are hexadecimal."""
        reply = await self._ask(
            *("FT.SEARCH", self.name, f"@document:{{{document}}} @version:{{{version}}}"),
            *("RETURN", 1, "path", "LIMIT", 0, MOST_ROWS, "DIALECT", 2),
        )
        return rows(reply)

    async def drop_others(self) -> None:
        """Drop every other index of this knowledge base; those of other embedders with their passages.

        So with the indexes over stored answers that other embedders made (`bot.store.answers_index`), but the answers
        stay, which run out by themselves. A process that still uses one makes it again.

        Raises:
            StoreUnavailable: some may be left.
        """
        names = [_text(name) for name in _list(await self._beside("FT._LIST"))]
        for name in names:
            if name.startswith(self._family) and name != self.name:
                same_passages = self.prefix in await self._prefixes(name)
                await self._ask("FT.DROPINDEX", name, *(() if same_passages else ("DD",)))
            elif name.startswith(self._answers) and name != f"{self._answers}{self._embedder}":
                await self._ask("FT.DROPINDEX", name)

    async def _prefixes(self, name: str) -> list[str]:
        info = await self._ask("FT.INFO", name)
        definition = info.get(b"index_definition", {}) if isinstance(info, dict) else {}
        return [_text(prefix) for prefix in definition.get(b"prefixes", ())]

    async def collect_garbage(self) -> bool:
        """Make the index forget what was deleted; False if the server does not let us.

        Until then deleted passages stay in BM25's counts: after a re-ingest the commonest words weigh most and recall
        halves. Where we may not, RediSearch does it by itself within a minute or so, but only from a hundred deletions
        on. That threshold, one for the whole server, holds for a forced collection too: it is taken away for the
        moment and put back. A crash in between, or another ingest at the same time, leaves it at 0, which costs the
        server a few needless collections until the next of ours puts the default in its place.
        What stays wrong until Redis loads its data anew is the average length, into which RediSearch 2.10 counts
        deleted passages for good: after 30 re-ingests of everything it cost 0.5 to 1.4 points of R@1, and no more.
        """
        try:
            threshold = await self._gc_threshold()
            await self._beside("FT.CONFIG", "SET", GC_THRESHOLD, 0)
            try:
                await self._beside("FT.DEBUG", "GC_FORCEINVOKE", self.name, GC_TIMEOUT_MS)
            finally:
                await self._beside("FT.CONFIG", "SET", GC_THRESHOLD, threshold)
        except ResponseError as error:
            log.warning("search statistics not renewed, ranking may be worse for a while: %s", error)
            return False
        return True

    async def _gc_threshold(self) -> int:
        reply = await self._beside("FT.CONFIG", "GET", GC_THRESHOLD)
        threshold = int(reply[GC_THRESHOLD.encode()]) if isinstance(reply, dict) else 0
        return threshold or GC_THRESHOLD_DEFAULT

    async def _ask(self, *command: str | bytes | int) -> object:
        with translated("read the index of passages"):
            return await self._send(*command)

    async def _send(self, *command: str | bytes | int) -> object:
        return await self._redis.execute_command(*command)

    async def _beside(self, *command: str | bytes | int) -> object:
        """What does not name the index first: in a cluster, on the server that has it."""
        return await self._redis.execute_command(*command, **beside(self._redis, self.name))

    async def _is_scanning(self) -> bool:
        info = await self._ask("FT.INFO", self.name)
        if not isinstance(info, dict):
            raise StoreUnavailable("FT.INFO replied in another shape than RESP3")
        return int(info[b"indexing"]) != 0

    def _create(self) -> Command:
        attributes: Command = ("TYPE", "FLOAT32", "DIM", self._dimensions, "DISTANCE_METRIC", "COSINE")
        if self.kind == "hnsw":
            attributes += ("M", HNSW_EDGES, "EF_CONSTRUCTION", HNSW_EF_CONSTRUCTION)
        # STOPWORDS 0: a union that begins with two of RediSearch's own stop words kills the server (2.10).
        # NO…: places of words and field bits are for phrases and several text fields; BM25 needs neither, and without
        # them a load takes a third less.
        return (
            *("FT.CREATE", self.name, "ON", "HASH", "PREFIX", 1, self.prefix, "STOPWORDS", 0),
            *("NOOFFSETS", "NOHL", "NOFIELDS", "SCHEMA"),
            *("words", "TEXT", "NOSTEM"),
            *("document", "TAG", "version", "TAG", "language", "TAG"),
            *("embedding", "VECTOR", self.kind.upper(), len(attributes), *attributes),
        )


@dataclass(frozen=True, slots=True)
class Replies:
    """What one round trip of searching brought.

    Attributes:
        epoch: of the knowledge base, read first: a change in between makes it too old, not too new.
        nearest: of the search by vectors; empty if none was asked for.
        sharing: of the search by words; likewise.
        whole: False if an index was not there, or time ran out before all of it was searched.
    """

    epoch: int
    nearest: list[Row]
    sharing: list[Row]
    whole: bool


async def ask(redis: Client, epoch_key: str, nearest: Command | None, sharing: Command | None) -> Replies:
    """Send both searches together: GET, FT.SEARCH, FT.SEARCH in one round trip.

    No transaction: searches inside one are refused by some deployments.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    searches = [command for command in (nearest, sharing) if command is not None]
    with translated("search the passages"):
        epoch, *replies = await on_one_connection(redis, epoch_key, [("GET", epoch_key), *searches])
        for reply in (epoch, *replies):
            if isinstance(reply, Exception) and not (isinstance(reply, ResponseError) and is_missing_index(reply)):
                raise reply
    # What RediSearch finds within its own time it gives as a result like any other, with a warning.
    cut = any(not isinstance(reply, dict) or reply.get(b"warning") for reply in replies)
    found = iter([] if isinstance(reply, Exception) else rows(reply) for reply in replies)
    return Replies(
        epoch=int(cast("bytes | None", epoch) or 0),
        nearest=next(found) if nearest is not None else [],
        sharing=next(found) if sharing is not None else [],
        whole=not cut,
    )


def is_missing_index(error: Exception) -> bool:
    """The server says that there is no such index."""
    text = str(error).lower()
    return "unknown index name" in text or "no such index" in text


def rows(reply: object) -> list[Row]:
    """The rows of a RESP3 reply of FT.SEARCH or FT.AGGREGATE, in order.

    Raises:
        StoreUnavailable: it has another shape: not RESP3, or not a search reply.
    """
    if not isinstance(reply, dict) or b"results" not in reply:
        raise StoreUnavailable("the search replied in another shape than RESP3")
    return [_row(result) for result in reply[b"results"]]


def _row(result: Mapping[bytes, object]) -> Row:
    key, found, score = result.get(b"id"), result.get(b"extra_attributes"), result.get(b"score")
    return Row(
        key.decode() if isinstance(key, bytes) else "",
        found if isinstance(found, dict) else {},
        score if isinstance(score, float) else 0.0,
    )


def _list(reply: object) -> list[bytes]:
    return list(reply) if isinstance(reply, (list, set, tuple)) else []


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value

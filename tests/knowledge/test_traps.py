"""The traps of RediSearch 2.10: each as it would bite, and that it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from bot.knowledge.ingest import Ingest
from bot.knowledge.words import query_tokens, tokens
from bot.llm.embed import BuiltinEmbedder
from bot.store.passages import HashValue, Passages
from bot.store.passages_index import PassageIndex, ask, rows
from tests.knowledge.sample_questions import CHINESE, ENGLISH

SAMPLES = Path(__file__).parents[2] / "samples"
STRAY: dict[HashValue, HashValue] = {"path": "stray", "document": "0", "version": "0"}
"""A passage of a version that no document has: the next ingest sweeps it out."""


@pytest.fixture
def index(client: Redis) -> PassageIndex:
    """The one that the built-in embedder's passages are in."""
    return PassageIndex(client, kb="main", embedder="usem3-512", dimensions=512)


async def send(client: Redis, *command: str | bytes | int) -> object:
    """Any command."""
    return await client.execute_command(*command)  # type: ignore[no-untyped-call]  # redis-py leaves it bare


async def first_by_words(client: Redis, index: PassageIndex, questions: tuple[tuple[str, str, str], ...]) -> int:
    """How many questions find their fact in the first passage by words alone."""
    right = 0
    for question, _, fact in questions:
        found = rows(await send(client, *index.sharing(query_tokens(question), 1)))
        right += any(fact in row.fields["text"] for row in found)
    return right


@pytest.mark.parametrize("query", ["in|the|machine", "In|the|machine", "@words:(the|a|machine)"])
@pytest.mark.parametrize("dialect", [2, 3])
async def test_a_union_that_begins_with_stop_words_kills_no_server(
    ingest: Ingest, client: Redis, index: PassageIndex, query: str, dialect: int
) -> None:
    """No such query leaves us; that it would do no harm either is the index's doing: it knows no stop words."""
    await ingest.sync([SAMPLES / "en" / "fees.md"])
    started = (await client.info("server"))["run_id"]

    await send(client, "FT.SEARCH", index.name, query, "DIALECT", dialect)

    assert (await client.info("server"))["run_id"] == started


async def test_the_scorer_is_named(ingest: Ingest, client: Redis, index: PassageIndex) -> None:
    """By default RediSearch ranks a union by TFIDF, and finds less."""
    await ingest.sync([SAMPLES / "en"])
    command = index.sharing(query_tokens(ENGLISH[0][0]), 5)
    at = command.index("SCORER")

    by_default = await send(client, *command[:at], *command[at + 2 :])

    assert command[at + 1] == "BM25STD"
    assert [row.score for row in rows(by_default)] != [row.score for row in rows(await send(client, *command))]
    assert await first_by_words(client, index, ENGLISH) >= 15


async def test_a_word_is_looked_for_as_it_is(client: Redis, index: PassageIndex) -> None:
    """By default RediSearch looks for two stems of each, too, though the field is said to have none."""
    await index.ensure()
    command = index.sharing(["wrunning"], 1)

    explained, by_default = [
        str(await send(client, "FT.EXPLAIN", *words))
        for words in (command[1:], [word for word in command[1:] if word != "VERBATIM"])
    ]

    assert ("expanded" in explained, "expanded" in by_default) == (False, True)


async def test_chinese_is_found_by_its_words_alone(ingest: Ingest, client: Redis, index: PassageIndex) -> None:
    """As pairs of characters on both sides; RediSearch's own Chinese asks for all of a run at once."""
    await ingest.sync([SAMPLES / "zh"])

    assert await first_by_words(client, index, CHINESE) >= 15


@pytest.mark.parametrize("kind", ["flat", "hnsw"])
def test_nothing_is_searched_by_radius(client: Redis, kind: str) -> None:
    """A graph loses up to a quarter of what VECTOR_RANGE should find, and `.1` is read as 1: nearness is by KNN."""
    index = PassageIndex(client, kb="main", embedder="e", dimensions=2, kind="hnsw" if kind == "hnsw" else "flat")

    query = str(index.nearest(b"12345678", 24)[2])

    assert query.startswith("*=>[KNN 24 @embedding $vector ")
    assert "RANGE" not in query


async def test_a_search_that_ran_out_of_time_is_not_whole(client: Redis, index: PassageIndex) -> None:
    """RediSearch gives what it has found by then as a result like any other: only a warning says that it is a part."""
    await index.ensure()
    words = [f"w{number}" for number in range(60)]
    for start in range(0, 6_000, 1000):
        pipeline = client.pipeline(transaction=False)
        for number in range(start, start + 1000):
            pipeline.hset(f"{index.prefix}0:0:{number}", mapping={**STRAY, "words": " ".join(words)})
        await pipeline.execute()
    search = index.sharing(words, 24)

    cut, complete = [await ask(client, "epoch", None, (*search, "TIMEOUT", limit)) for limit in (1, 30_000)]

    assert (cut.whole, complete.whole) == (False, True)
    assert len(complete.sharing) == 24


async def test_passages_written_right_after_the_index_is_made_count_once(
    ingest: Ingest, client: Redis, index: PassageIndex
) -> None:
    """A new index reads what is there in the background: who writes meanwhile is read twice, so ingest waits."""
    there = 4_000
    for start in range(0, there, 1000):
        pipeline = client.pipeline(transaction=False)
        for number in range(start, start + 1000):
            pipeline.hset(f"{index.prefix}0:0:{number}", mapping={**STRAY, "words": "wzebra"})
        await pipeline.execute()
    before = await documents_indexed(client, index)

    await ingest.sync([SAMPLES / "en" / "fees.md"])

    written = len([key async for key in client.scan_iter(match=f"{index.prefix}*", count=1000)])
    assert (before, await documents_indexed(client, index)) == (0, there + written)


async def documents_indexed(client: Redis, index: PassageIndex) -> int:
    """How often a hash was read into the index since it was made; 0 if there is none."""
    try:
        info = await send(client, "FT.INFO", index.name)
    except ResponseError:
        return 0
    assert isinstance(info, dict)
    return int(info[b"max_doc_id"])


async def word_scores(client: Redis, index: PassageIndex) -> list[float]:
    """The BM25 score of the best passage of each sample question."""
    return [
        max((row.score for row in rows(await send(client, *index.sharing(query_tokens(question), 1)))), default=0.0)
        for question, _, _ in ENGLISH
    ]


async def test_documents_touched_meanwhile_leave_the_ranking_as_it_was(
    ingest: Ingest, passages: Passages, client: Redis, index: PassageIndex, folder: Path, embedder: BuiltinEmbedder
) -> None:
    """Touched files, files ingested once more by hand, a path taken out and put back: no passage is written again.

    RediSearch counts a hash that is written again, in whatever field, as one more until it collects garbage.
    """
    for file in (SAMPLES / "en").glob("*.md"):
        (folder / file.name).write_text(file.read_text())
    await ingest.sync([folder])
    scores, written = await word_scores(client, index), await commands_run(client, "hset")

    for path in await passages.documents():
        Path(path).touch()  # noqa: ASYNC240 - a test may block
    await ingest.sync([folder])
    await ingest.sync([folder], origin="cli")
    await ingest.sync([])
    await ingest.sync([folder])

    # What is written is the one record of each document that its origins are in, and what is served.
    assert await word_scores(client, index) == scores
    assert await commands_run(client, "hset") - written <= 3 * len(await passages.documents()) + 4


async def commands_run(client: Redis, name: str) -> int:
    """How often a command ran, inside scripts too."""
    stats = await client.info("commandstats")
    return int(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"])


async def test_a_foreign_hand_on_an_unindexed_field_is_healed_by_the_next_collection(
    ingest: Ingest, passages: Passages, client: Redis, index: PassageIndex
) -> None:
    """Somebody writes a counter into every passage: scores run away, and with them the ranking, until it is collected.

    What stays is the average length, into which RediSearch counts what it has forgotten: it costs next to nothing.
    """
    await ingest.sync([SAMPLES / "en"])
    scores, found = await word_scores(client, index), await first_by_words(client, index, ENGLISH)

    for count in range(5):
        async for key in client.scan_iter(match=f"{index.prefix}*", count=1000):
            await client.hset(key.decode(), "seen", str(count))
    spoilt = await word_scores(client, index)
    await passages.renew_statistics()

    assert max(spoilt) > 2 * max(scores), "the trap is gone: is all this still needed?"
    assert max(await word_scores(client, index)) < 1.5 * max(scores)
    assert await first_by_words(client, index, ENGLISH) >= found - 1


def test_no_token_is_a_word_of_the_query_language() -> None:
    """Numbers, reserved words, stop words and operators: all become plain tokens."""
    hostile = "in the as inf -inf nan 1e999 0x10 @words:{x} (a|b) ~c -d %e% *f* $g [KNN 1] => '\" \\ 2024-11-26"

    assert all(token.isalnum() and token.startswith("w") for token in tokens(hostile))

"""Searching: the right document in both languages, nothing where there is nothing, one version, one round trip."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.errors import EmbeddingUnavailable, StoreUnavailable
from bot.knowledge.ingest import Ingest
from bot.llm.embed import BuiltinEmbedder
from bot.message import Language
from bot.store import keys
from bot.store.client import connect
from bot.store.cluster import beside
from bot.store.passages import Passages
from tests.knowledge.sample_questions import CHINESE, ENGLISH, UNANSWERABLE

KB = keys.kb("main")

SAMPLES = Path(__file__).parents[2] / "samples"
LANGUAGES: list[tuple[Language, tuple[tuple[str, str, str], ...]]] = [("en", ENGLISH), ("zh", CHINESE)]


async def recall(passages: Passages, language: Language, questions: Sequence[tuple[str, str, str]]) -> tuple[int, int]:
    """How many questions find their fact in the first passage, and in the first five."""
    first = five = 0
    for question, _, fact in questions:
        found = (await passages.search(question, language, 5)).passages
        first += any(fact in passage.text for passage in found[:1])
        five += any(fact in passage.text for passage in found)
    return first, five


@pytest.mark.parametrize(("language", "questions"), LANGUAGES, ids=["en", "zh"])
async def test_questions_find_the_document_that_answers_them(
    ingest: Ingest, passages: Passages, language: Language, questions: tuple[tuple[str, str, str], ...]
) -> None:
    """Of 24 in each language at least 18 find the fact first, 23 among five, all but one in the asker's language."""
    await ingest.sync([SAMPLES])

    first, five = await recall(passages, language, questions)

    assert (first >= 18, five >= 23) == (True, True), (first, five)
    best = [(await passages.search(question, language, 1)).passages[0] for question, _, _ in questions]
    assert sum(passage.language == language for passage in best) >= len(questions) - 1


async def test_a_base_in_one_language_answers_in_the_other(ingest: Ingest, passages: Passages) -> None:
    """Chinese questions find their document among English ones alone: words cannot help, nearness does."""
    await ingest.sync([SAMPLES / "en"])

    right = 0
    for question, document, _ in CHINESE:
        found = (await passages.search(question, "zh", 5)).passages
        right += any(document in passage.document for passage in found)

    assert right >= 22


async def test_questions_about_something_else_find_nothing(ingest: Ingest, passages: Passages) -> None:
    """Nothing is near and no words are shared: empty, with the epoch."""
    await ingest.sync([SAMPLES])

    for question in UNANSWERABLE:
        found = await passages.search(question, "en", 5)
        assert (found.passages, found.epoch) == ((), 18), question


@pytest.mark.parametrize("question", ["", " ", "?!", "🙂👍🏽", "…", "。。。", "\u202e\u200b", "—" * 5000])
async def test_a_question_that_says_nothing_finds_nothing(ingest: Ingest, passages: Passages, question: str) -> None:
    """Punctuation and emoji are no question, whatever vector they would have."""
    await ingest.sync([SAMPLES / "en" / "fees.md"])

    assert (await passages.search(question, "en", 5)).passages == ()


async def test_an_empty_knowledge_base_finds_nothing(passages: Passages) -> None:
    """Before the first ingest there is no index: no error, no passage."""
    found = await passages.search("How much is the fee?", "en", 5)

    assert (found.passages, found.epoch) == ((), 0)


async def test_without_an_embedder_the_words_decide(ingest: Ingest, client: Redis, embedder: BuiltinEmbedder) -> None:
    """An embedder that is away costs recall, not the answer."""
    await ingest.sync([SAMPLES])
    wordy = Passages(client, Away(embedder), max_cosine_distance=0.8)

    searched = await wordy.search("What does a safe deposit box cost?", "en", 3)

    found = searched.passages
    assert ("140 euros" in found[0].text, searched.whole) == (True, False)
    assert found[0].cosine_distance is None
    assert (await wordy.search("Explain the theory of relativity", "en", 3)).passages == ()


async def test_an_index_that_is_gone_makes_no_whole_search(ingest: Ingest, passages: Passages, client: Redis) -> None:
    """Nothing is found, which is not to be taken for what the documents say."""
    await ingest.sync([SAMPLES / "en"])
    before = await passages.search("What does a safe deposit box cost?", "en", 3)

    for name in await client.execute_command("FT._LIST", **beside(client, KB)):  # type: ignore[no-untyped-call]  # redis-py leaves it bare
        await client.execute_command("FT.DROPINDEX", name)  # type: ignore[no-untyped-call]  # redis-py leaves it bare
    after = await passages.search("What does a safe deposit box cost?", "en", 3)

    assert (len(before.passages), before.whole) == (3, True)
    assert (after.passages, after.whole, after.epoch) == ((), False, before.epoch)


class Away:
    """An embedder that has no vectors now."""

    def __init__(self, embedder: BuiltinEmbedder) -> None:
        self.name, self.dimensions = embedder.name, embedder.dimensions

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Never."""
        raise EmbeddingUnavailable("away")


async def test_redis_away_is_said(embedder: BuiltinEmbedder, tmp_path: Path) -> None:
    """The one error that passes the port."""
    client = connect(f"unix://{tmp_path}/nobody.sock")

    with pytest.raises(StoreUnavailable):
        await Passages(client, embedder, max_cosine_distance=0.8).search("fees", "en", 5)
    await client.aclose()


@pytest.mark.one_server
async def test_a_search_is_one_round_trip(ingest: Ingest, passages: Passages, client: Redis) -> None:
    """Epoch and both searches go out together; the list of versions is read again only after a change."""
    await ingest.sync([SAMPLES / "en" / "fees.md"])
    await passages.search("fees", "en", 5)

    async with client.monitor() as monitor:
        await passages.search("What does the Plus account cost?", "en", 5)
        await client.ping()
        commands = []
        async for command in monitor.listen():
            name = command["command"].split()[0]
            if name == "PING":
                break
            # Opening a connection is no part of a search.
            if name not in ("HELLO", "CLIENT"):
                commands.append(name)

    assert commands == ["GET", "FT.SEARCH", "FT.SEARCH"]


async def test_readers_never_see_two_versions_of_a_document(
    ingest: Ingest, client: Redis, embedder: BuiltinEmbedder, folder: Path
) -> None:
    """While a document changes again and again, each search sees one version of it, whole, and never none."""
    pages = [
        "\n\n".join(f"# Part {part}\n\nThe tariff of edition {edition} for part {part}." for part in range(4))
        for edition in range(8)
    ]
    (folder / "tariff.md").write_text(pages[0])
    await ingest.sync([folder])
    readers = [Passages(client, embedder, max_cosine_distance=0.8) for _ in range(4)]
    ended = asyncio.Event()
    seen: list[set[str]] = []

    async def keep_reading(passages: Passages) -> None:
        while not ended.is_set():
            found = (await passages.search("the tariff of the edition", "en", 8)).passages
            assert len({passage.version for passage in found}) == 1
            seen.append({passage.text.split()[4] for passage in found})

    async with asyncio.TaskGroup() as tasks:
        for reader in readers:
            tasks.create_task(keep_reading(reader))
        for page in pages[1:]:
            (folder / "tariff.md").write_text(page)
            await ingest.sync([folder])
        ended.set()

    assert all(len(editions) == 1 for editions in seen)
    assert set().union(*seen) <= {str(edition) for edition in range(8)}


@pytest.mark.parametrize("documents", ["loans.md", "*.md"], ids=["few passages", "many"])
async def test_ingesting_everything_again_and_again_leaves_the_ranking_as_it_was(
    ingest: Ingest, passages: Passages, folder: Path, documents: str
) -> None:
    """Deleted passages must not stay in BM25's counts: there the commonest words would come to weigh most.

    RediSearch itself does not even look at fewer than a hundred deletions.
    """

    def write_edition(edition: int) -> None:
        for file in (SAMPLES / "en").glob(documents):
            (folder / file.name).write_text(file.read_text() + f"\n\n## Edition\n\n{edition}\n")

    async def best_scores() -> list[float]:
        found = [(await passages.search(question, "en", 1)).passages for question, _, _ in ENGLISH]
        return [each[0].score if each else 0.0 for each in found]

    write_edition(0)
    await ingest.sync([folder])
    scores, recalled = await best_scores(), await recall(passages, "en", ENGLISH)

    for edition in range(1, 6):
        write_edition(edition)
        assert (await ingest.sync([folder])).changed

    # Not to the last digit: RediSearch keeps counting the length of deleted passages into its average.
    assert await best_scores() == pytest.approx(scores, abs=0.04)
    after = await recall(passages, "en", ENGLISH)
    assert (after[0] >= recalled[0] - 1, after[1] >= recalled[1] - 1) == (True, True), (after, recalled)


async def test_the_servers_own_threshold_is_put_back(ingest: Ingest, folder: Path, client: Redis) -> None:
    """Collecting garbage changes a setting of the whole server only for the moment."""
    (folder / "a.md").write_text("One.")
    await ingest.sync([folder])
    (folder / "a.md").write_text("Two.")
    await ingest.sync([folder])

    setting = await client.execute_command("FT.CONFIG", "GET", "FORK_GC_CLEAN_THRESHOLD", **beside(client, KB))  # type: ignore[no-untyped-call]  # redis-py leaves it bare

    assert setting == {b"FORK_GC_CLEAN_THRESHOLD": b"100"}


async def test_a_threshold_that_a_crash_left_is_put_right(ingest: Ingest, folder: Path, client: Redis) -> None:
    """Two that collect at once, or one that dies, leave it at nothing."""
    await ingest.sync([folder])
    await client.execute_command("FT.CONFIG", "SET", "FORK_GC_CLEAN_THRESHOLD", 0, **beside(client, KB))  # type: ignore[no-untyped-call]  # redis-py leaves it bare
    (folder / "a.md").write_text("One.")
    await ingest.sync([folder])
    (folder / "a.md").write_text("Two.")
    await ingest.sync([folder])

    setting = await client.execute_command("FT.CONFIG", "GET", "FORK_GC_CLEAN_THRESHOLD", **beside(client, KB))  # type: ignore[no-untyped-call]  # redis-py leaves it bare

    assert setting == {b"FORK_GC_CLEAN_THRESHOLD": b"100"}


async def test_a_server_that_forbids_debugging_is_lived_with(
    folder: Path, client: Redis, redis_url: str, embedder: BuiltinEmbedder
) -> None:
    """A managed Redis may refuse to collect garbage on demand; ingesting goes on."""
    await client.acl_setuser(
        "modest", enabled=True, nopass=True, keys=["*"], channels=["*"], commands=["+@all", "-ft.debug", "-ft.config"]
    )
    modest = connect(redis_url.replace("unix://", "unix://modest:x@"))
    passages = Passages(modest, embedder, max_cosine_distance=0.8)
    try:
        for text in ("The vault opens at noon.", "The vault opens at one."):
            (folder / "a.md").write_text(text)
            await Ingest(passages, embedder).sync([folder])

        found = (await passages.search("When does the vault open?", "en", 5)).passages
    finally:
        await modest.aclose()
        await client.acl_deluser("modest")

    assert [passage.text for passage in found] == ["The vault opens at one."]


async def test_two_knowledge_bases_do_not_mix(client: Redis, embedder: BuiltinEmbedder, folder: Path) -> None:
    """Each has its own index, epoch and documents."""
    (folder / "a.md").write_text("The vault opens at noon.")
    vault = Passages(client, embedder, max_cosine_distance=0.8, kb="vault")
    main = Passages(client, embedder, max_cosine_distance=0.8)
    await main.ensure_index()

    await Ingest(vault, embedder).sync([folder])

    assert len((await vault.search("When does the vault open?", "en", 5)).passages) == 1
    assert (await main.search("When does the vault open?", "en", 5)).passages == ()


async def test_only_what_may_be_permanent_has_no_ttl(ingest: Ingest, client: Redis) -> None:
    """Passages, documents, epoch and what is served; the lock is gone."""
    await ingest.sync([SAMPLES / "en" / "fees.md"])

    kb = keys.kb("main")
    async for key in client.scan_iter(count=1000):
        name = key.decode()
        assert name in (f"{kb}:epoch", f"{kb}:documents", f"{kb}:serving") or name.startswith(f"{kb}:p:"), name

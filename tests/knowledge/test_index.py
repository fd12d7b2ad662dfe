"""The index that is served: another embedder's or another kind built beside it, and the traps of RediSearch."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from redis.asyncio import Redis

from bot.errors import EmbeddingUnavailable
from bot.knowledge.document import DocumentRecord
from bot.knowledge.files import document_name
from bot.knowledge.ingest import Ingest
from bot.llm.embed import BuiltinEmbedder
from bot.message import Language
from bot.ports import Embedder
from bot.store import keys
from bot.store.answers_index import AnswersIndex
from bot.store.cluster import beside
from bot.store.passages import Passages
from bot.store.passages_index import PassageIndex, rows
from bot.store.passages_serving import ServedIndex, Serving
from tests.knowledge.sample_questions import ENGLISH

KB = keys.kb("main")
SAMPLES = Path(__file__).parents[2] / "samples"
OLD, NEW = "usem3-512", "half-256"


class Half:
    """Another embedder than the built-in one: the first half of its vectors, under a name of its own.

    Args:
        embedder: the built-in one.
        pause_after: so many texts are embedded, then `go` is waited for.
    """

    name, dimensions = NEW, 256

    def __init__(self, embedder: BuiltinEmbedder, *, pause_after: int | None = None) -> None:
        self._embedder = embedder
        self._pause_after = pause_after
        self.embedded = 0
        self.paused, self.go = asyncio.Event(), asyncio.Event()

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """The first half, made a unit vector again."""
        if self._pause_after is not None and self.embedded >= self._pause_after:
            self.paused.set()
            await self.go.wait()
        self.embedded += len(texts)
        halves = [np.frombuffer(each, dtype="<f4")[:256] for each in await self._embedder.embed(texts)]
        return [(half / np.linalg.norm(half)).astype("<f4").tobytes() for half in halves]


def on(client: Redis, embedder: Embedder, *others: Embedder, flat_up_to: int | None = None) -> Passages:
    """A process configured for one embedder that can make the others from their recipes, which are their names."""

    async def made_by(recipe: str) -> Embedder | None:
        return next((other for other in others if other.name == recipe), None)

    return Passages(
        client, embedder, max_cosine_distance=0.8, recipe=embedder.name, made_by=made_by, flat_up_to=flat_up_to
    )


async def indexes(client: Redis) -> list[str]:
    """What is in FT._LIST, without the prefix of the knowledge base."""
    names = await client.execute_command("FT._LIST", **beside(client, KB))  # type: ignore[no-untyped-call]  # redis-py leaves it bare
    return sorted(name.decode().removeprefix(f"{KB}:index:") for name in names)


async def passage_keys(client: Redis, embedder: str) -> int:
    """How many passages of an embedder there are."""
    return len([key async for key in client.scan_iter(match=f"{KB}:p:{embedder}:*", count=1000)])


async def facts(passages: Passages, questions: Sequence[tuple[str, str, str]], language: Language = "en") -> list[bool]:
    """Of each question, whether the fact that answers it is among the best five."""
    found = [(await passages.search(question, language, 5)).passages for question, _, _ in questions]
    return [any(fact in passage.text for passage in each) for each, (_, _, fact) in zip(found, questions, strict=True)]


# --- another embedder -------------------------------------------------------------------------------------------


async def test_while_another_embedder_is_built_everybody_searches_the_old_index(
    client: Redis, embedder: BuiltinEmbedder, folder: Path
) -> None:
    """Whole, whatever a process is configured for, also what changed on disk meanwhile; then all move at once."""
    for file in (SAMPLES / "en").glob("*.md"):
        (folder / file.name).write_text(file.read_text())
    (folder / "vault.md").write_text("# Vault\n\nThe vault opens at noon.")
    old, half = on(client, embedder), Half(embedder, pause_after=20)
    await Ingest(old, embedder).sync([folder])
    before, epoch = await facts(old, ENGLISH), await old.epoch()
    (folder / "vault.md").write_text("# Vault\n\nThe vault opens at one.")

    new = on(client, half, embedder)
    building = asyncio.create_task(Ingest(new, half).sync([folder]))
    await half.paused.wait()

    for passages in (on(client, embedder), on(client, Half(embedder), embedder)):
        assert await facts(passages, ENGLISH) == before
        found = await passages.search("When does the vault open?", "en", 1)
        assert (found.passages[0].text, found.epoch) == ("The vault opens at noon.", epoch)
        assert found.passages[0].cosine_distance is not None
    half.go.set()
    summary = await building

    # One for the change-over, one for the changed document.
    assert (await new.epoch(), summary.changed) == (epoch + 2, [document_name(folder / "vault.md")])
    assert (await indexes(client), await passage_keys(client, OLD)) == ([f"{NEW}:flat"], 0)
    for passages in (new, old, on(client, embedder, half)):
        found = await passages.search("When does the vault open?", "en", 1)
        assert found.passages[0].text == "The vault opens at one."


async def test_the_vector_of_a_question_is_told_only_if_it_is_of_our_embedder(
    client: Redis, embedder: BuiltinEmbedder
) -> None:
    """Who compares it with others' must not get one of another embedder."""
    await Ingest(on(client, embedder), embedder).sync([SAMPLES / "en" / "fees.md"])

    ours = await on(client, embedder).search("What does a card cost?", "en", 1)
    theirs = await on(client, Half(embedder), embedder).search("What does a card cost?", "en", 1)

    assert ours.vector == (await embedder.embed(["What does a card cost?"]))[0]
    assert (theirs.vector, len(theirs.passages)) == (None, 1)


async def test_an_old_embedder_that_cannot_be_made_leaves_the_words(client: Redis, embedder: BuiltinEmbedder) -> None:
    """The old index is searched, whole, by words alone."""
    await Ingest(on(client, embedder), embedder).sync([SAMPLES / "en"])

    found = await on(client, Half(embedder)).search("What does a safe deposit box cost?", "en", 3)

    assert "140 euros" in found.passages[0].text
    assert found.passages[0].cosine_distance is None


async def test_a_reader_learns_of_the_change_over_in_the_middle_of_its_search(
    client: Redis, embedder: BuiltinEmbedder
) -> None:
    """What it remembers is of the old index, which is gone when it asks."""
    reader = on(client, embedder, Half(embedder))
    await Ingest(on(client, embedder), embedder).sync([SAMPLES / "en"])
    before = await facts(reader, ENGLISH)

    await Ingest(on(client, Half(embedder)), Half(embedder)).sync([SAMPLES / "en"])

    found = await reader.search("What does a safe deposit box cost?", "en", 3)
    assert "140 euros" in found.passages[0].text
    assert sum(await facts(reader, ENGLISH)) >= sum(before) - 2


async def test_a_change_over_that_broke_off_goes_on_where_it_stopped(
    client: Redis, embedder: BuiltinEmbedder, folder: Path
) -> None:
    """Nothing is embedded twice."""
    text = "\n\n".join(f"# Part {n}\n\nThe apple number {n} is explained in this part." for n in range(40))
    (folder / "a.md").write_text(text)
    await Ingest(on(client, embedder), embedder).sync([folder])
    broken = Half(embedder, pause_after=16)
    building = asyncio.create_task(Ingest(on(client, broken), broken).sync([folder]))
    await broken.paused.wait()
    building.cancel()
    await asyncio.wait([building])
    assert await passage_keys(client, NEW) == 16

    half = Half(embedder)
    await Ingest(on(client, half), half).sync([folder])

    assert half.embedded * 16 == broken.embedded * (40 - 16)
    assert (await passage_keys(client, NEW), await passage_keys(client, OLD)) == (40, 0)


async def test_a_change_over_given_up_leaves_nothing(client: Redis, embedder: BuiltinEmbedder) -> None:
    """The configuration was put back: the next ingest drops what was built of the other embedder."""
    await Ingest(on(client, embedder), embedder).sync([SAMPLES / "en"])
    broken = Half(embedder, pause_after=16)
    building = asyncio.create_task(Ingest(on(client, broken), broken).sync([SAMPLES / "en"]))
    await broken.paused.wait()
    building.cancel()
    await asyncio.wait([building])

    summary = await Ingest(on(client, embedder), embedder).sync([SAMPLES / "en"])

    assert summary.changed == []
    assert (await indexes(client), await passage_keys(client, NEW)) == ([f"{OLD}:flat"], 0)


async def test_the_index_of_answers_goes_with_its_embedder(client: Redis, embedder: BuiltinEmbedder) -> None:
    """Else each embedder that was ever tried would keep a copy of every new question's vector. Answers stay."""
    other = Half(embedder)
    for each in (embedder, other):
        await AnswersIndex(client, each).nearest("main", "0", bytes(4 * each.dimensions), 1)
    await client.hset(f"{KB}:answer:a", mapping={"epoch": 1})

    await on(client, other).ensure_index()

    assert await indexes(client) == sorted([f"{KB}:answers:{other.name}", f"{other.name}:flat"])
    assert await client.exists(f"{KB}:answer:a") == 1


async def test_documents_move_without_their_files(client: Redis, embedder: BuiltinEmbedder, folder: Path) -> None:
    """What somebody ingested by hand elsewhere is embedded from what Redis holds."""
    (folder / "a.md").write_text("# Vault\n\nThe vault opens at noon.")
    await Ingest(on(client, embedder), embedder).sync([folder], origin="cli")
    (folder / "a.md").unlink()
    half = Half(embedder)
    new = on(client, half)

    await Ingest(new, half).sync([])

    found = (await new.search("When does the vault open?", "en", 1)).passages[0]
    assert (found.text, found.title, found.document) == (
        "The vault opens at noon.",
        "Vault",
        document_name(folder / "a.md"),
    )
    assert found.cosine_distance is not None


async def test_an_embedder_that_is_away_leaves_the_old_index_served(client: Redis, embedder: BuiltinEmbedder) -> None:
    """The ingest fails as a whole, to be tried again."""
    await Ingest(on(client, embedder), embedder).sync([SAMPLES / "en" / "fees.md"])
    away = Away()

    with pytest.raises(EmbeddingUnavailable):
        await Ingest(on(client, away), away).sync([SAMPLES / "en" / "fees.md"])

    found = await on(client, away, embedder).search("What does the Plus account cost?", "en", 1)
    assert found.passages[0].cosine_distance is not None


class Away:
    """An embedder that has no vectors now."""

    name, dimensions = "away-64", 64

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """Never."""
        raise EmbeddingUnavailable("away")


async def test_who_does_not_hold_all_documents_is_not_served(client: Redis, embedder: BuiltinEmbedder) -> None:
    """A document changed after the copying: the switch is refused. And no document goes over to what is not served."""
    old = on(client, embedder)
    await Ingest(old, embedder).sync([SAMPLES / "en" / "fees.md"])
    served = ServedIndex(client, kb="main")
    half = Serving(embedder=NEW, dimensions=256, kind="flat")
    seen = (await served.state()).epoch
    await Ingest(old, embedder).sync([SAMPLES / "en" / "loans.md"], origin="cli")

    assert not await served.serve(half, complete_at=seen)
    assert await served.serve(half, complete_at=await old.epoch())
    assert await served.serve(half, complete_at=0), "a second run of the same switch"
    record = DocumentRecord(version="f" * 16, sha256="", title="", passages=0, origins={})
    assert not await old.switch("late.md", record)


# --- another kind -----------------------------------------------------------------------------------------------


async def test_a_large_base_changes_over_to_a_graph_and_back(
    client: Redis, embedder: BuiltinEmbedder, folder: Path
) -> None:
    """Beside the flat index, over the same passages, with the next reply."""
    for file in (SAMPLES / "en").glob("*.md"):
        (folder / file.name).write_text(file.read_text())
    reader = on(client, embedder)
    await Ingest(on(client, embedder), embedder).sync([folder])
    count, before = await passage_keys(client, OLD), await facts(reader, ENGLISH)
    assert await indexes(client) == [f"{OLD}:flat"]
    large = on(client, embedder, flat_up_to=count - 1)

    await Ingest(large, embedder).sync([folder])

    assert (await indexes(client), await passage_keys(client, OLD)) == ([f"{OLD}:hnsw"], count)
    assert (await facts(reader, ENGLISH), await facts(large, ENGLISH)) == (before, before)

    (folder / "fees.md").unlink()
    await Ingest(large, embedder).sync([folder])

    assert await indexes(client) == [f"{OLD}:flat"]
    assert len((await reader.search("How much may I withdraw?", "en", 3)).passages) == 3


async def test_a_graph_half_built_is_dropped_and_no_passage_with_it(client: Redis, embedder: BuiltinEmbedder) -> None:
    """A crash between the making of the second index and the switch."""
    passages = on(client, embedder)
    await Ingest(passages, embedder).sync([SAMPLES / "en"])
    count = await passage_keys(client, OLD)
    await PassageIndex(client, kb="main", embedder=OLD, dimensions=512, kind="hnsw").ensure()

    await Ingest(passages, embedder).sync([SAMPLES / "en"])

    assert (await indexes(client), await passage_keys(client, OLD)) == ([f"{OLD}:flat"], count)


async def test_a_graph_finds_what_comparing_all_finds(client: Redis) -> None:
    """Of 50 vectors among 2,000, 99 of 100 of the nearest 24."""
    generator = np.random.default_rng(4)
    vectors = generator.standard_normal((2000, 64)).astype("<f4")
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kinds = [PassageIndex(client, kb="main", embedder="e", dimensions=64, kind=kind) for kind in ("flat", "hnsw")]
    for index in kinds:
        await index.ensure()
    pipeline = client.pipeline(transaction=False)
    for number, vector in enumerate(vectors):
        pipeline.hset(f"{kinds[0].prefix}{number}", mapping={"embedding": vector.tobytes()})
    await pipeline.execute()

    found = 0
    for vector in vectors[:50]:
        flat, graph = [
            {row.key for row in rows(await client.execute_command(*index.nearest(vector.tobytes(), 24)))}  # type: ignore[no-untyped-call]  # redis-py leaves it bare
            for index in kinds
        ]
        found += len(flat & graph)

    assert found >= 0.99 * 24 * 50

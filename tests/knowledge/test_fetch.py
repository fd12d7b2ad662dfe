"""A passage by its reference, from the real index: `/source 2`."""

from __future__ import annotations

from pathlib import Path

from redis.asyncio import Redis

from bot.knowledge.ingest import Ingest
from bot.store.bases import KnowledgeBases
from bot.store.passages import Passages


async def test_a_passage_found_is_a_passage_fetched(
    folder: Path, client: Redis, passages: Passages, ingest: Ingest
) -> None:
    """All that is shown of it is the same; whatever is no reference of ours is nothing."""
    (folder / "fees.md").write_text("# Fees\n\n## Transfers\n\nA transfer costs 5 euros.\n\n[x](https://a.example)")
    await ingest.sync([folder])
    (found,) = (await passages.search("transfer", "en", 5)).passages
    bases = KnowledgeBases(client, ["main"], lambda _: passages)

    fetched = await bases.fetch("main", [found.reference, "x", f"{found.id}@0", found.reference])

    assert [passage and passage.reference for passage in fetched] == [found.reference, None, None, found.reference]
    assert fetched[0] is not None
    assert (fetched[0].title, fetched[0].place, fetched[0].text) == (found.title, found.place, found.text)
    assert (fetched[0].document, fetched[0].language, fetched[0].url) == (found.document, found.language, found.url)


async def test_a_document_that_changed_or_vanished_has_no_such_passage(
    folder: Path, client: Redis, passages: Passages, ingest: Ingest
) -> None:
    """Also while the old passages are still there, because the process died before they were deleted."""
    document = folder / "fees.md"
    document.write_text("# Fees\n\nA transfer costs 5 euros.")
    await ingest.sync([folder])
    (found,) = (await passages.search("transfer", "en", 5)).passages
    bases = KnowledgeBases(client, ["main"], lambda _: passages)
    keys = [key async for key in client.scan_iter(f"*:p:*:{found.version}:*")]
    old = {key: await client.dump(key) or b"" for key in keys}

    document.write_text("# Fees\n\nA transfer costs 6 euros.")
    await ingest.sync([folder])
    after_change = await bases.fetch("main", [found.reference])
    for key, value in old.items():
        await client.restore(key, 0, value)
    left_over = await bases.fetch("main", [found.reference])
    document.unlink()
    await ingest.sync([folder])

    assert (len(old), after_change, left_over) == (1, (None,), (None,))
    assert await bases.fetch("main", [found.reference]) == (None,)


async def test_an_empty_base_has_none(client: Redis, passages: Passages) -> None:
    """Before the first ingest."""
    bases = KnowledgeBases(client, ["main"], lambda _: passages)

    assert await bases.fetch("main", ["0:0@0"]) == (None,)
    assert await bases.fetch("main", []) == ()

"""Ingesting files into a real Redis: what is added, changed, removed, skipped, and what a crash leaves."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.errors import EmbeddingUnavailable, StoreUnavailable
from bot.knowledge.document import DocumentRecord
from bot.knowledge.files import document_name
from bot.knowledge.ingest import EMBED_BATCH, IN_HAND, Ingest
from bot.knowledge.progress import Progress
from bot.llm.embed import BuiltinEmbedder
from bot.message import Language
from bot.store import keys
from bot.store.passages import Passages

KB = keys.kb("main")


async def answers(passages: Passages, question: str, language: Language = "en") -> list[str]:
    """Texts of the passages found."""
    return [passage.text for passage in (await passages.search(question, language, 5)).passages]


async def passage_keys(client: Redis) -> list[bytes]:
    """Keys of all passages in Redis, seen by readers or not."""
    return sorted([key async for key in client.scan_iter(match=f"{KB}:p:*", count=1000)])


async def test_files_are_found_read_and_searchable(ingest: Ingest, passages: Passages, folder: Path) -> None:
    """Folders are walked; hidden files and other kinds are passed over; progress is told; the summary says it all."""
    (folder / "deep").mkdir()
    (folder / "deep" / "card.md").write_text("# Cards\n\nA lost card is blocked under 0100.")
    (folder / "hours.txt").write_text("The branch opens at nine on Monday.")
    (folder / ".hidden.md").write_text("secret")
    (folder / ".git").mkdir()
    (folder / ".git" / "x.md").write_text("secret")
    (folder / "picture.png").write_bytes(b"\x89PNG")
    told: list[Progress] = []

    summary = await ingest.sync([folder], progress=told.append)

    card, hours = document_name(folder / "deep" / "card.md"), document_name(folder / "hours.txt")
    assert (summary.added, summary.failed) == ([card, hours], [])
    assert sorted(progress.path for progress in told if progress.path) == sorted([card, card, hours, hours])
    assert [progress.share for progress in told] == sorted(progress.share for progress in told)
    assert told[-1] == Progress(done=2, total=2, passages=2, share=1.0, path=told[-1].path)
    found = (await passages.search("I lost my card", "en", 5)).passages[0]
    assert (found.document, found.title, found.text) == (card, "Cards", "A lost card is blocked under 0100.")
    assert found.language == "en"
    assert 0 < found.score <= 1
    assert found.cosine_distance is not None


async def test_an_unchanged_file_costs_nothing(ingest: Ingest, passages: Passages, folder: Path, client: Redis) -> None:
    """The second run writes no passage and leaves the epoch alone."""
    (folder / "a.md").write_text("# A\n\nThe fee is four euros.")
    await ingest.sync([folder])
    before = await passages.epoch(), await passage_keys(client)

    summary = await ingest.sync([folder])

    assert summary.unchanged == [document_name(folder / "a.md")]
    assert (summary.added, summary.changed, summary.removed) == ([], [], [])
    assert (await passages.epoch(), await passage_keys(client)) == before


async def test_a_changed_file_is_replaced_at_once(ingest: Ingest, passages: Passages, folder: Path) -> None:
    """The same search finds the new text and never the old one; the epoch moves by one; the version is another."""
    (folder / "fee.md").write_text("# Fees\n\nThe monthly fee is four euros.")
    await ingest.sync([folder])
    old = (await passages.search("monthly fee", "en", 5)).passages[0]
    (folder / "fee.md").write_text("# Fees\n\nThe monthly fee is nine euros.")

    summary = await ingest.sync([folder])

    found = await passages.search("monthly fee", "en", 5)
    assert summary.changed == [old.document]
    assert [passage.text for passage in found.passages] == ["The monthly fee is nine euros."]
    assert found.passages[0].reference != old.reference
    assert found.epoch == 2


async def test_the_epoch_moves_by_one_per_change(ingest: Ingest, passages: Passages, folder: Path) -> None:
    """Two added, one changed, one removed: four."""
    (folder / "a.md").write_text("One thing.")
    (folder / "b.md").write_text("Another thing.")
    await ingest.sync([folder])
    assert await passages.epoch() == 2

    (folder / "a.md").write_text("One other thing.")
    (folder / "b.md").unlink()
    await ingest.sync([folder])

    assert await passages.epoch() == 4


async def test_a_broken_file_is_reported_and_skipped(ingest: Ingest, passages: Passages, folder: Path) -> None:
    """The others go in; if it was readable before, readers keep what they had."""
    (folder / "a.md").write_text("The first document is about tea.")
    (folder / "b.md").write_bytes(b"\x00\x01\x02")
    (folder / "c.md").write_text("The third document is about coffee.")

    summary = await ingest.sync([folder])
    (folder / "a.md").write_bytes(b"")
    again = await ingest.sync([folder])

    assert summary.failed == [(document_name(folder / "b.md"), "binary content, not text")]
    assert len(summary.added) == 2
    assert [name for name, _ in again.failed] == [document_name(folder / "a.md"), document_name(folder / "b.md")]
    assert "The first document is about tea." in await answers(passages, "document about tea")


async def test_links_lead_nowhere_outside(ingest: Ingest, folder: Path, tmp_path: Path) -> None:
    """A linked file outside of the folder is none of its documents; one inside is."""
    (tmp_path / "outside.md").write_text("Not for the bot.")
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "x.md").write_text("Nor this.")
    (folder / "a.md").write_text("Inside.")
    (folder / "link-out.md").symlink_to(tmp_path / "outside.md")
    (folder / "folder-out").symlink_to(tmp_path / "far")
    (folder / "loop").symlink_to(folder)
    (folder / "dangling.md").symlink_to(tmp_path / "nothing.md")

    summary = await ingest.sync([folder])

    assert summary.added == [document_name(folder / "a.md")]
    assert summary.failed == []


async def test_a_link_in_a_circle_or_an_endless_name_stops_nothing(ingest: Ingest, folder: Path) -> None:
    """Whatever is on the disk or in the configuration costs a line of its own, and the rest goes in."""
    (folder / "a.md").write_text("Text.")
    (folder / "circle.md").symlink_to(folder / "circle.md")
    endless = folder / ("a" * 300)

    summary = await ingest.sync([folder, endless])

    assert summary.added == [document_name(folder / "a.md")]
    assert [name for name, _ in summary.failed] == [document_name(endless), document_name(folder / "circle.md")]


async def test_unprintable_file_names_are_reported(ingest: Ingest, folder: Path) -> None:
    """Bytes that are no UTF-8 in a name stop nothing."""
    (folder / os.fsdecode(b"bad\xff.md")).write_text("text")
    (folder / "good.md").write_text("text")

    summary = await ingest.sync([folder])

    assert summary.added == [document_name(folder / "good.md")]
    assert [reason for _, reason in summary.failed] == ["the file name is not printable"]


class Watched:
    """An embedder that counts how often it is asked and, from the nth call on, fails or never returns."""

    def __init__(
        self, embedder: BuiltinEmbedder, *, after: int = 1_000_000, error: Exception | None = None, faulty: str = "\0"
    ) -> None:
        self._embedder, self._left, self._error, self._faulty = embedder, after, error, faulty
        self.calls = 0
        self.stuck = asyncio.Semaphore(0)

    @property
    def name(self) -> str:
        """As the real one."""
        return self._embedder.name

    @property
    def dimensions(self) -> int:
        """As the real one."""
        return self._embedder.dimensions

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """As the real one, a few times."""
        self.calls += 1
        self._left -= 1
        if any(self._faulty in text for text in texts):
            raise ZeroDivisionError
        if self._left < 0 and self._error is not None:
            raise self._error
        if self._left < 0:
            self.stuck.release()
            await asyncio.Event().wait()
        return await self._embedder.embed(texts)


def long_text(word: str) -> str:
    """A document of forty passages."""
    return "\n\n".join(f"# Part {n}\n\nThe {word} number {n} is explained in this part." for n in range(40))


async def break_off(passages: Passages, embedder: BuiltinEmbedder, folder: Path, *, after: int) -> None:
    """Ingest, and be cancelled when so many batches have been embedded."""
    watched = Watched(embedder, after=after)
    task = asyncio.create_task(Ingest(passages, watched).sync([folder]), name="test - ingest")
    await watched.stuck.acquire()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_an_ingest_broken_off_shows_readers_nothing_and_goes_on_where_it_stopped(
    ingest: Ingest, passages: Passages, embedder: BuiltinEmbedder, folder: Path, client: Redis
) -> None:
    """Readers keep the old version whole; the next run embeds only what is missing and leaves no leftovers."""
    (folder / "a.md").write_text(long_text("apple"))
    await ingest.sync([folder])
    (folder / "a.md").write_text(long_text("pear"))

    await break_off(passages, embedder, folder, after=2)

    assert len(await passage_keys(client)) == 40 + 2 * EMBED_BATCH
    assert all("apple" in text for text in await answers(passages, "apple or pear number 3"))
    assert await client.exists(f"{KB}:ingest") == 0

    told: list[Progress] = []
    await ingest.sync([folder], progress=told.append)

    assert told[-1].passages == 40 - 2 * EMBED_BATCH
    assert all("pear" in text for text in await answers(passages, "apple or pear number 3"))
    assert len(await passage_keys(client)) == 40


async def test_a_killed_ingest_goes_on_where_it_stopped(
    ingest: Ingest, passages: Passages, folder: Path, client: Redis, redis_url: str
) -> None:
    """After kill -9 what was written is not made again, and in the end every document is there, whole."""
    for name in ("a", "b"):
        (folder / f"{name}.md").write_text(long_text(name))
    for number in range(20):
        (folder / f"short-{number:02}.md").write_text(f"# Number {number}\n\nThe short text number {number}.")
    command = (sys.executable, "-m", "tests.knowledge.killed_ingest", redis_url, str(folder), "16")
    process = await asyncio.create_subprocess_exec(*command)
    assert await process.wait() == -signal.SIGKILL
    written = len(await passage_keys(client))
    assert 0 < written < 100
    await client.delete(f"{KB}:ingest")  # the lock of the dead runs out by itself, half a minute later

    told: list[Progress] = []
    summary = await ingest.sync([folder], progress=told.append)

    assert told[-1].passages == 100 - written
    assert len(summary.added) + len(summary.unchanged) == 22
    assert len(await passage_keys(client)) == 100
    assert await passages.epoch() == 22


async def test_leftovers_of_a_version_never_finished_are_swept_out(
    ingest: Ingest, passages: Passages, embedder: BuiltinEmbedder, folder: Path, client: Redis
) -> None:
    """A run broke off, then the file changed again: nobody will ever finish the version in between."""
    (folder / "a.md").write_text(long_text("pear"))
    await break_off(passages, embedder, folder, after=1)
    (folder / "a.md").write_text("Short now.")

    await ingest.sync([folder])

    assert len(await passage_keys(client)) == 1


async def test_documents_are_in_hand_at_once_and_not_all(
    passages: Passages, embedder: BuiltinEmbedder, folder: Path
) -> None:
    """While one is embedded others are read; no more than `IN_HAND`, so that memory is bounded."""
    for number in range(3 * IN_HAND):
        (folder / f"{number}.md").write_text(f"Text number {number}.")
    watched = Watched(embedder, after=0)

    task = asyncio.create_task(Ingest(passages, watched).sync([folder]), name="test - ingest")
    for _ in range(IN_HAND):
        await watched.stuck.acquire()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert watched.calls == IN_HAND


async def test_progress_is_told_within_a_long_document_too(ingest: Ingest, folder: Path) -> None:
    """After each batch that was written: passages and the share of the work rise, the end is the whole."""
    (folder / "a.md").write_text(long_text("apple"))
    told: list[Progress] = []

    await ingest.sync([folder], progress=told.append)
    await ingest.sync([folder], progress=told.append)

    assert [(each.done, each.passages) for each in told] == [(0, 16), (0, 32), (0, 40), (1, 40), (1, 0)]
    assert [round(each.share, 2) for each in told] == [0.4, 0.8, 1.0, 1.0, 1.0]


async def test_an_embedder_that_is_away_fails_the_document_alone(
    passages: Passages, embedder: BuiltinEmbedder, folder: Path
) -> None:
    """The document is reported; the next run has it."""
    (folder / "a.md").write_text("Text.")
    away = Watched(embedder, after=0, error=EmbeddingUnavailable("no connection"))

    summary = await Ingest(passages, away).sync([folder])

    assert summary.failed == [(document_name(folder / "a.md"), "no connection")]
    assert (await Ingest(passages, embedder).sync([folder])).added == [document_name(folder / "a.md")]


async def test_a_redis_that_forgets_everything_meanwhile_fails_the_run(
    passages: Passages, embedder: BuiltinEmbedder, folder: Path, client: Redis
) -> None:
    """It is no fault of the document's, to be skipped and done with: the caller tries again, and has it."""
    (folder / "a.md").write_text("Text.")

    class Forgetting(Watched):
        async def embed(self, texts: Sequence[str]) -> list[bytes]:
            await client.flushall()
            return await super().embed(texts)

    with pytest.raises(StoreUnavailable, match="gone again"):
        await Ingest(passages, Forgetting(embedder)).sync([folder])

    assert (await Ingest(passages, embedder).sync([folder])).added == [document_name(folder / "a.md")]


async def test_an_ingest_ends_when_it_is_cancelled_as_it_fails(
    ingest: Ingest, passages: Passages, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bot and Redis are stopped together: whoever tries again after a failure must hear that it is to end."""
    (folder / "fails.md").write_text("Text.")
    (folder / "works.md").write_text("Another text.")
    await ingest.sync([folder])
    failed = asyncio.Event()

    async def switch(path: str, record: DocumentRecord) -> bool:
        if path == document_name(folder / "fails.md"):
            failed.set()
            raise StoreUnavailable("away")
        try:
            await asyncio.Event().wait()
        finally:
            for _ in range(20):
                await asyncio.sleep(0)  # ending takes a while
        return True

    monkeypatch.setattr(passages, "switch", switch)

    async def try_again() -> None:
        while True:
            with suppress(StoreUnavailable):
                await ingest.sync([folder], origin="cli")

    for moment in range(30):
        failed.clear()
        task = asyncio.create_task(try_again())
        await failed.wait()
        for _ in range(moment):
            await asyncio.sleep(0)
        task.cancel()
        assert not (await asyncio.wait([task], timeout=10))[1], f"goes on, cancelled {moment} turns after the failure"


async def test_half_a_surrogate_pair_stops_nothing(ingest: Ingest, passages: Passages, folder: Path) -> None:
    """JSON can spell what UTF-8 cannot: it is read with a question mark in its place."""
    (folder / "a.json").write_text(r'{"note": "the vault \ud83d opens at noon"}')

    summary = await ingest.sync([folder])

    assert summary.failed == []
    assert await answers(passages, "When does the vault open?") == ["note: the vault ? opens at noon"]


async def test_a_fault_of_ours_costs_one_document(
    passages: Passages, embedder: BuiltinEmbedder, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged with its traceback and reported; the others go in."""
    for name in ("a", "b"):
        (folder / f"{name}.md").write_text(f"Text of {name}.")

    summary = await Ingest(passages, Watched(embedder, faulty="Text of a.")).sync([folder])

    assert summary.failed == [(document_name(folder / "a.md"), "a fault of ours, see the log")]
    assert summary.added == [document_name(folder / "b.md")]
    assert "ZeroDivisionError" in caplog.text


async def test_two_ingests_at_once_end_as_one(
    passages: Passages, embedder: BuiltinEmbedder, folder: Path, client: Redis
) -> None:
    """They wait for each other; the second finds everything done."""
    for number in range(6):
        (folder / f"{number}.md").write_text(f"# Number {number}\n\nText number {number}.")

    both = await asyncio.gather(*(Ingest(passages, embedder).sync([folder]) for _ in range(2)))

    assert sorted(len(summary.added) for summary in both) == [0, 6]
    assert await passages.epoch() == 6
    assert len(await passage_keys(client)) == 6


async def test_waiting_for_another_ingest_ends(
    passages: Passages, embedder: BuiltinEmbedder, folder: Path, client: Redis
) -> None:
    """After the time it was given it says what it waited for."""
    await client.set(f"{KB}:ingest", "another", px=60_000)

    with pytest.raises(StoreUnavailable, match="another ingest"):
        await Ingest(passages, embedder, wait_for_others=timedelta(milliseconds=300)).sync([folder])

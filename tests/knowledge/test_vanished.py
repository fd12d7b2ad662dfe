"""Files, folders and paths that are gone: what takes documents out, and what only looks as if it should."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis.asyncio import Redis

from bot.errors import EmbeddingUnavailable
from bot.knowledge.document import Origin
from bot.knowledge.files import document_name, is_under
from bot.knowledge.ingest import Ingest
from bot.llm.embed import BuiltinEmbedder
from bot.store.passages import Passages
from tests.knowledge.test_ingest import Watched, answers, passage_keys


@pytest.fixture
async def name(folder: Path, passages: Passages, ingest: Ingest) -> str:
    """The folder's name, after two documents of it were read as configured."""
    for letter in "ab":
        (folder / f"{letter}.md").write_text(f"The vault {letter} opens at noon.")
    await ingest.sync([folder])
    assert await documents(passages, folder) == ["a.md", "b.md"]
    return document_name(folder)


async def documents(passages: Passages, folder: Path) -> list[str]:
    """All documents, below the folder where they lie there."""
    return sorted(path.removeprefix(f"{document_name(folder)}/") for path in await passages.documents())


async def test_a_removed_file_is_removed(
    ingest: Ingest, passages: Passages, folder: Path, client: Redis, name: str
) -> None:
    """Its passages are neither found nor kept; the others of its folder are."""
    (folder / "a.md").unlink()

    summary = await ingest.sync([folder])

    assert (summary.removed, summary.kept) == ([f"{name}/a.md"], {})
    assert await answers(passages, "When does the vault open?") == ["The vault b opens at noon."]
    assert len(await passage_keys(client)) == 1


async def test_a_file_gone_from_the_disk_goes_for_both(
    ingest: Ingest, passages: Passages, folder: Path, name: str
) -> None:
    """Whoever looks at its folder next takes it out."""
    await ingest.sync([folder], origin="cli")
    (folder / "a.md").unlink()

    await ingest.sync([folder])

    assert await documents(passages, folder) == ["b.md"]


async def test_a_path_taken_out_takes_its_documents_out(ingest: Ingest, passages: Passages, folder: Path) -> None:
    """What only the configuration wanted goes; what somebody ingested by hand stays, and so does what both wanted."""
    for place in ("configured", "both", "by-hand", "new"):
        (folder / place).mkdir()
        (folder / place / "a.md").write_text(f"Document that is {place}.")
    await ingest.sync([folder / "configured", folder / "both"])
    await ingest.sync([folder / "both", folder / "by-hand"], origin="cli")
    epoch = await passages.epoch()

    summary = await ingest.sync([folder / "new"])

    assert (summary.removed, summary.kept) == ([document_name(folder / "configured" / "a.md")], {})
    assert await documents(passages, folder) == ["both/a.md", "by-hand/a.md", "new/a.md"]
    assert await passages.epoch() == epoch + 2


async def test_another_configuration_that_names_nothing_takes_nothing_out(
    ingest: Ingest, passages: Passages, folder: Path, name: str
) -> None:
    """A process in the wrong folder must not empty the knowledge base of all others."""
    epoch = await passages.epoch()

    summary = await ingest.sync([])
    elsewhere = await ingest.sync([folder / "elsewhere"])

    assert (summary.kept, summary.failed, summary.removed) == ({name: 2}, [], [])
    assert (elsewhere.kept, elsewhere.removed) == ({name: 2}, [])
    assert elsewhere.failed == [(f"{name}/elsewhere", "no such file or folder")]
    assert (await documents(passages, folder), await passages.epoch()) == (["a.md", "b.md"], epoch)


@pytest.mark.parametrize("origin", ["config", "cli"])
@pytest.mark.parametrize("left", ["nothing", "an empty folder", "a folder of other files"])
async def test_what_was_under_a_path_with_nothing_in_it_stays(
    ingest: Ingest, passages: Passages, folder: Path, tmp_path: Path, name: str, left: str, origin: Origin
) -> None:
    """A volume that is not mounted must not empty the knowledge base, also where another path is fine."""
    folder.rename(tmp_path / "elsewhere")  # noqa: ASYNC240 - a test may block
    if left != "nothing":
        (folder / "lost+found").mkdir(parents=True)
    if left == "a folder of other files":
        (folder / "picture.png").write_bytes(b"\x89PNG")
    other = tmp_path / "other.md"
    other.write_text("Something else.")

    summary = await ingest.sync([folder, other], origin=origin)

    reason = "no such file or folder" if left == "nothing" else "no documents there"
    assert (summary.failed, summary.kept) == ([(name, reason)], {name: 2})
    assert (summary.added, summary.removed) == ([document_name(other)], [])
    assert len(await passages.documents()) == 3


async def test_a_new_list_of_paths_waits_until_something_of_it_is_read(
    ingest: Ingest, passages: Passages, embedder: BuiltinEmbedder, folder: Path, tmp_path: Path, name: str
) -> None:
    """While the embedder is away the old documents answer; then the new ones take their place."""
    renamed = tmp_path / "renamed"
    renamed.mkdir()
    (renamed / "new.md").write_text("New.")
    away = Watched(embedder, after=0, error=EmbeddingUnavailable("no connection"))

    summary = await Ingest(passages, away).sync([renamed])
    assert (summary.kept, await documents(passages, folder)) == ({name: 2}, ["a.md", "b.md"])
    await ingest.sync([renamed])

    assert list(await passages.documents()) == [document_name(renamed / "new.md")]


async def test_documents_are_removed_by_the_path_they_came_from(
    ingest: Ingest, passages: Passages, folder: Path, client: Redis, name: str
) -> None:
    """Whoever put them in, whether their files are there or not; a path that nothing came from is reported."""
    (folder / "more").mkdir()
    (folder / "more" / "c.md").write_text("By hand.")
    await ingest.sync([folder / "more"], origin="cli")
    (folder / "a.md").unlink()

    one = await ingest.remove([folder / "a.md", folder / "never"])
    left = await documents(passages, folder)
    rest = await ingest.remove([folder])

    assert one.removed == [f"{name}/a.md"]
    assert one.failed == [(f"{name}/never", "no document was read from there")]
    assert left == ["b.md", "more/c.md"]
    assert rest.removed == [f"{name}/b.md", f"{name}/more/c.md"]
    assert (await passages.documents(), await passage_keys(client)) == ({}, [])


async def test_documents_are_removed_whatever_the_working_folder(
    ingest: Ingest, passages: Passages, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A document is named from where it was read; the warning's own words and the absolute path both find it."""
    monkeypatch.chdir(folder)
    await ingest.sync([Path("a.md")], origin="cli")
    assert await documents(passages, folder) == sorted(["a.md", f"{name}/a.md", f"{name}/b.md"])

    await ingest.remove([Path(name, "b.md")])
    assert await documents(passages, folder) == sorted(["a.md", f"{name}/a.md"])
    await ingest.remove([folder / "a.md"])

    assert await passages.documents() == {}


def test_the_working_folder_holds_only_what_is_named_from_it() -> None:
    """Else reading it by hand would take out all documents that lie elsewhere."""
    assert is_under("docs/a.md", ".")
    assert not is_under("/mnt/docs/a.md", ".")
    assert is_under("/mnt/docs/a.md", "/")

"""The pool of readers: what comes back, what hostile files end in, and that nothing is left of them."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from bot.errors import UnreadableDocument
from bot.knowledge import readers
from bot.knowledge.document import Document
from bot.knowledge.readers import Readers, sha256_of
from tests.knowledge.sample_files import archive, docx, numbered, paragraph, pdf, xlsx

BOMB_BYTES = 70 * 1024 * 1024


def children(of: int = 0) -> list[int]:
    """Ids of a process's child processes that live; of this process if none is named."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it ended meanwhile
        if int(parent) == (of or os.getpid()) and state != "Z":
            found.append(int(folder.name))
    return found


def lives(process: int) -> bool:
    """It is there, and not as a zombie."""
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def started(before: set[int], of: int = 0) -> int:
    """The first child process that was not there before."""
    while not (new := set(children(of)) - before):  # noqa: ASYNC110  (a process has no event to wait for)
        await asyncio.sleep(0)
    return new.pop()


def spinning_pdf() -> bytes:
    """A page that draws a form twelve times, which draws a form twelve times, and so on: 12^12 of them."""
    depth = 12
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Count 1 /Kids [3 0 R] >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R /Resources << /XObject << /X 5 0 R >> >> >>",
        "<< /Length 5 >>\nstream\n/X Do\nendstream",
    ]
    for number in range(depth):
        stream = "/X Do " * 12 if number < depth - 1 else "BT ET"
        resources = f"/Resources << /XObject << /X {6 + number} 0 R >> >>"
        head = f"<< /Type /XObject /Subtype /Form /BBox [0 0 9 9] {resources} /Length {len(stream)} >>"
        objects.append(f"{head}\nstream\n{stream}\nendstream")
    return numbered(objects)


ENTITIES = '<!DOCTYPE d [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
HOSTILE: dict[str, tuple[bytes, str]] = {
    "bomb.docx": (docx(f"<!--{'x' * BOMB_BYTES}-->"), "too large, unpacked"),
    "nested.xlsx": (xlsx({"a": archive({"b": b"0" * 1_000_000}).decode("latin-1")}), "XML cannot be read"),
    "crowd.docx": (archive({f"{number}.xml": "" for number in range(20_001)}), "more than 20,000 files"),
    "entities.docx": (docx("<w:p>&b;</w:p>", head=ENTITIES), "declares entities"),
    "deep.docx": (docx("<w:p>" * 100_000), "nested too deeply"),
    "deep.json": (b"[" * 100_000, "nested too deeply"),
    "memory.docx": (docx("<w:p w:a=''/>" * 1_000_000), "too much memory"),
    "empty.pdf": (b"", "empty"),
    "cut.pdf": (pdf(["some text"])[:200], "broken, or no PDF"),
    "scan.pdf": (pdf([""]), "no text on any"),
    "old.docx": (b"\xd0\xcf\x11\xe0" + bytes(100), "password, or is of an Office before 2007"),
    "picture.docx": (b"\x89PNG\r\n\x1a\n", "not what its name says"),
    "other.docx": (archive({"a.txt": "text"}), "not what its name says"),
}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files that would hurt a reader in the process that serves."""
    folder = tmp_path_factory.mktemp("hostile")
    for name, (content, _) in HOSTILE.items():
        (folder / name).write_bytes(content)
    (folder / "spin.pdf").write_bytes(spinning_pdf())
    with (folder / "endless.txt").open("wb") as file:
        file.truncate(2 * 1024**3)  # no disk is used for it
    return folder


async def test_what_is_read_is_what_was_hashed(tmp_path: Path) -> None:
    """Name, title and text come back as they were read, with the hash of the file."""
    file = tmp_path / "hours.txt"
    file.write_text("Open from nine.\r\nClosed on Sunday – 周日休息.\r\n")

    async with Readers(1) as readers:
        reading = await readers.read(file, name="docs/hours.txt")

    assert reading.document == Document(
        path="docs/hours.txt", title="hours", sections=(("", "Open from nine.\nClosed on Sunday – 周日休息."),)
    )
    assert reading.sha256 == sha256(file.read_bytes()).hexdigest() == await sha256_of(file)


async def test_hostile_files_end_in_one_line_each(hostile: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Bombs, broken files and what spins: one clear line, nothing on the terminal, and the next file is read."""
    said: dict[str, str] = {}

    async def read(readers: Readers, path: Path) -> None:
        try:
            await readers.read(path, name=path.name)
            said[path.name] = "was read"
        except UnreadableDocument as error:
            said[path.name] = str(error)

    async with Readers(2, seconds=20, memory_mb=256) as readers:
        await asyncio.gather(*(read(readers, hostile / name) for name in (*HOSTILE, "endless.txt")))
        (hostile / "good.md").write_text("# Good\n\nStill read.")
        assert (await readers.read(hostile / "good.md", name="good.md")).document.title == "Good"
    (hostile / "good.md").unlink()

    assert {name: line for name, line in said.items() if name in HOSTILE and HOSTILE[name][1] not in line} == {}
    assert said["endless.txt"] == "larger than 100 MB"
    assert all("\n" not in line for line in said.values())
    assert capfd.readouterr() == ("", "")


async def test_a_document_that_spins_is_ended(hostile: Path) -> None:
    """It takes its process with it, and only that: its neighbour is read, and the next one too."""
    before = set(children())
    async with Readers(2, seconds=2) as readers:
        spinning = asyncio.create_task(readers.read(hostile / "spin.pdf", name="spin.pdf"))
        (hostile / "near.md").write_text("Near.")
        await readers.read(hostile / "near.md", name="near.md")
        with pytest.raises(UnreadableDocument, match="took longer than 2 s"):
            await spinning
        assert len(set(children()) - before) == 1
        await readers.read(hostile / "near.md", name="near.md")
    (hostile / "near.md").unlink()


async def test_a_large_file_is_not_even_hashed(hostile: Path) -> None:
    """Two gigabytes, a folder and nothing at all, each with its reason."""
    for path, reason in (
        (hostile / "endless.txt", "larger than"),
        (hostile, "not a regular"),
        (hostile / "gone", "no such"),
    ):
        with pytest.raises(UnreadableDocument, match=reason):
            await sha256_of(path)


async def test_processes_come_with_the_first_document_and_go_with_the_last(tmp_path: Path) -> None:
    """An idle pool costs nothing, a used one no more than its workers; they have no secrets."""
    files = [tmp_path / f"{number}.md" for number in range(6)]
    for file in files:
        file.write_text("text")
    before = set(children())

    async with Readers(2) as readers:
        assert set(children()) == before
        await asyncio.gather(*(readers.read(file, name=file.name) for file in files))
        new = set(children()) - before
        assert len(new) == 2
        assert all((Path("/proc") / str(one) / "environ").read_bytes() == b"" for one in new)

    assert set(children()) == before


async def test_a_killed_process_is_replaced(tmp_path: Path) -> None:
    """Killed while it waits or by whatever means: the next document has a new one."""
    (tmp_path / "a.md").write_text("text")
    before = set(children())

    async with Readers(1) as readers:
        await readers.read(tmp_path / "a.md", name="a.md")
        (first,) = set(children()) - before
        os.kill(first, signal.SIGKILL)
        assert (await readers.read(tmp_path / "a.md", name="a.md")).document.title == "a"


@pytest.mark.parametrize("said", ["b'[' * 100_000", "b'[]'", "b'9' * 10_000"], ids=["deep", "list", "number"])
async def test_a_process_that_was_taken_over_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
) -> None:
    """Whatever it says in place of an answer costs the document, and is the last thing it says."""
    (tmp_path / "a.md").write_text("Text.")
    script = f"import struct, sys, time; data = {said}; out = sys.stdout.buffer; sys.stdin.readline()"
    monkeypatch.setattr(
        readers, "_START", f"{script}; out.write(struct.pack('>Q', len(data)) + data); out.flush(); time.sleep(600)"
    )
    before = children()

    async with Readers(1) as pool:
        with pytest.raises(UnreadableDocument, match="no answer of ours"):
            await pool.read(tmp_path / "a.md", name="a.md")
        assert children() == before


async def test_killed_at_a_document(hostile: Path) -> None:
    """That document is given up with a line, and the process is replaced."""
    before = set(children())

    async with Readers(1, seconds=60) as readers:
        spinning = asyncio.create_task(readers.read(hostile / "spin.pdf", name="spin.pdf"))
        os.kill(await started(before), signal.SIGKILL)
        with pytest.raises(UnreadableDocument, match=r"broke down \(SIGKILL\)"):
            await spinning


async def test_a_cancelled_reading_leaves_no_process(hostile: Path) -> None:
    """An ingest that is broken off does not read on in the background."""
    before = set(children())

    async with Readers(1) as readers:
        spinning = asyncio.create_task(readers.read(hostile / "spin.pdf", name="spin.pdf"))
        await started(before)
        spinning.cancel()
        with pytest.raises(asyncio.CancelledError):
            await spinning
        assert set(children()) == before


async def test_a_reader_does_not_outlive_the_bot_for_long(hostile: Path) -> None:
    """Killed with `kill -9`, the bot ends nobody: a reader that waits ends with its input, a busy one by its bound."""
    program = (
        "import asyncio, sys; from pathlib import Path; from bot.knowledge.readers import Readers\n"
        "async def main():\n"
        "    async with Readers(1, seconds=1) as readers:\n"
        "        await readers.read(Path(sys.argv[1]), name='spin.pdf')\n"
        "asyncio.run(main())"
    )
    bot = await asyncio.create_subprocess_exec(sys.executable, "-c", program, str(hostile / "spin.pdf"))
    reader = await started(set(), bot.pid)

    bot.kill()
    await bot.wait()

    while lives(reader):  # noqa: ASYNC110  (it is no child of ours)
        await asyncio.sleep(0.05)


async def test_large_documents_one_after_the_other(tmp_path: Path) -> None:
    """What one document needed is there again for the next: the bound is for each, not for all."""
    (tmp_path / "large.docx").write_bytes(docx(paragraph("words") * 20_000))

    async with Readers(1, memory_mb=128) as readers:
        for _ in range(4):
            document = (await readers.read(tmp_path / "large.docx", name="large.docx")).document
            assert document.sections[0][1].count("words") == 20_000


async def test_malformed_pdfs(shared_data: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Each file of public collections of broken PDFs is read or ends in one line, and the pool lives on."""
    paths = sorted((shared_data / "malformed-pdf").rglob("*.pdf"))
    documents, lines = [], []

    async def read(readers: Readers, path: Path) -> None:
        try:
            documents.append((await readers.read(path, name=path.name)).document)
        except UnreadableDocument as error:
            lines.append(str(error))

    async with Readers(3, seconds=8) as readers:
        await asyncio.gather(*(read(readers, path) for path in paths))
        again = await readers.read(shared_data / "kb-debian-faq" / "debian-faq.en.pdf", name="faq.pdf")

    assert len(documents) + len(lines) == len(paths) > 100
    assert len(documents) > len(paths) / 2
    assert all(line and "\n" not in line for line in lines)
    assert again.document.title == "The Debian GNU/Linux FAQ"
    assert capfd.readouterr() == ("", "")

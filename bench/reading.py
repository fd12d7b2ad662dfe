"""How fast documents are read, what becomes of broken ones, and how often an encoding is found.

    python -m bench.reading [--traditional FILE] [--files 2000]

Needs `FRONTDESK_SHARED`. FILE is text in traditional characters, in UTF-8 (on Debian
`/usr/share/gnupg/help.zh_TW.txt`); without it Big5 is left out.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

from bot.errors import UnreadableDocument
from bot.knowledge.read_encoding import decode
from bot.knowledge.readers import Readers, sha256_of

SAMPLES = Path(__file__).parents[1] / "samples"
SNIPPETS = 500
LENGTHS = (4, 8, 20, 60)
HAN = re.compile(r"[\u4e00-\u9fff]")


def snippets(text: str, length: int, encoding: str) -> list[tuple[str, bytes]]:
    """Pieces of a text that hold Chinese and can be written in that encoding."""
    choose = random.Random(length)
    found: list[tuple[str, bytes]] = []
    while len(found) < SNIPPETS:
        at = choose.randrange(len(text) - length)
        piece = text[at : at + length]
        written = piece.encode(encoding, "ignore")
        if len(HAN.findall(piece)) >= max(2, length // 3) and written.decode(encoding) == piece:
            found.append((piece, written))
    return found


def found_share(text: str, length: int, encoding: str) -> float:
    """How many of the snippets come out as they were."""
    right = 0
    for piece, written in snippets(text, length, encoding):
        with suppress(UnreadableDocument):
            right += decode(written) == piece.replace("\r\n", "\n").replace("\r", "\n")
    return right / SNIPPETS


def encodings(shared: Path, traditional: Path | None) -> None:
    """Print the share of snippets whose encoding was found, by length in characters."""
    articles = json.loads((shared / "data" / "xquad" / "xquad.zh.json").read_text())["data"]
    simplified = " ".join(part["context"] for article in articles for part in article["paragraphs"])
    rows = [("simplified", simplified, one) for one in ("gb18030", "utf-16-le", "utf-16-be")]
    if traditional is not None:
        text = " ".join(traditional.read_text().split())
        rows += [("traditional", text, one) for one in ("big5", "gb18030", "utf-16-le")]
    print("encoding found, by characters ", *(f"{length:>6}" for length in LENGTHS))
    for name, text, encoding in rows:
        print(f"  {name:<12} {encoding:<15}", *(f"{found_share(text, length, encoding):6.3f}" for length in LENGTHS))


async def read_all(paths: list[Path], workers: int) -> tuple[float, Counter[str]]:
    """Seconds, and how many were read or what was said of those that were not."""
    said: Counter[str] = Counter()
    waiting = iter(paths)

    async def one_after_the_other(readers: Readers) -> None:
        for path in waiting:
            try:
                await readers.read(path, name=path.name)
                said["read"] += 1
            except UnreadableDocument as error:
                said[re.sub(r"\d+", "N", str(error))] += 1

    began = time.perf_counter()
    async with Readers(workers) as readers:
        await asyncio.gather(*(one_after_the_other(readers) for _ in range(workers)))
    return time.perf_counter() - began, said


async def speed(shared: Path, files: int) -> None:
    """Print files a second for small files, the seconds of a real PDF, and what becomes of broken ones."""
    texts = [path.read_text() for path in sorted(SAMPLES.rglob("*.md"))]
    with tempfile.TemporaryDirectory(prefix="fd-reading") as name:
        paths = [Path(name) / f"{number}.md" for number in range(files)]
        for number, path in enumerate(paths):
            path.write_text(f"{texts[number % len(texts)]}\n{number}\n")
        began = time.perf_counter()
        for path in paths:
            await sha256_of(path)
        print(f"small files hashed             {files / (time.perf_counter() - began):6.0f} a second")
        for workers in (1, 2):
            seconds, _ = await read_all(paths, workers)
            print(f"small files read, processes: {workers} {files / seconds:6.0f} a second")
    seconds, _ = await read_all([shared / "data" / "kb-debian-faq" / "debian-faq.en.pdf"], 1)
    print(f"a PDF of 73 pages              {seconds:6.2f} s, its process started")
    seconds, said = await read_all(sorted((shared / "data" / "malformed-pdf").rglob("*.pdf")), 2)
    print(f"malformed PDFs                 {seconds:6.2f} s, processes: 2")
    for what, count in said.most_common():
        print(f"  {count:4} {what}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--traditional", type=Path)
    parser.add_argument("--files", type=int, default=2000)
    options = parser.parse_args()
    folder = Path(os.environ["FRONTDESK_SHARED"])
    asyncio.run(speed(folder, options.files))
    encodings(folder, options.traditional)

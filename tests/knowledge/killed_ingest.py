"""A process that ingests a folder and dies by SIGKILL in the midst, with documents begun and ended.

python -m tests.knowledge.killed_ingest <Redis URL> <folder> <batches to embed>
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from bot.knowledge.ingest import Ingest
from bot.llm.embed import BuiltinEmbedder
from bot.store.client import connect
from bot.store.passages import Passages


class Deadly(BuiltinEmbedder):
    """Kills its process when it is asked once too often."""

    left = int(sys.argv[3])

    async def embed(self, texts: Sequence[str]) -> list[bytes]:
        """As the real one, until then."""
        self.left -= 1
        if self.left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return await super().embed(texts)


async def main(url: str, folder: Path) -> None:
    """Never ends by itself."""
    embedder = Deadly()
    await Ingest(Passages(connect(url), embedder, max_cosine_distance=0.8), embedder).sync([folder])


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))

"""What `frontdesk search` and `frontdesk eval` run: the parts that serve, on questions from a file.

Part of the composition root: only `bot.app` asks.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from bot.config import Config
from bot.documents import check_base
from bot.errors import ConfigError
from bot.evaluate import Judged, Pair, Searched
from bot.evaluate_reuse import judge_pairs
from bot.language import language_of
from bot.stores import open_stores
from bot.turn import MAIN


async def search(config: Config, questions: Sequence[str], k: int | None = None, base: str = MAIN) -> list[Searched]:
    """What the pipeline would find for each question, at most `k` passages (`knowledge.top_k` if not given).

    Raises:
        ConfigError: there is no such base.
        StartError: Redis cannot be reached or started.
        StoreUnavailable: it went away.
    """
    check_base(config, base)
    searched: list[Searched] = []
    async with open_stores(config, join=True) as stores:
        for question in questions:
            started = time.perf_counter()
            found = await stores.knowledge.search(base, question, language_of(question), k or config.knowledge.top_k)
            milliseconds = (time.perf_counter() - started) * 1000
            searched.append(Searched(question=question, found=found, milliseconds=milliseconds))
    return searched


async def reuse(config: Config, pairs: Sequence[Pair], base: str = MAIN) -> list[Judged]:
    """Of each pair, whether the answer to the one question is given to the other. No model is asked.

    Raises:
        ConfigError: there is no such base, or reuse is off.
        StartError: Redis cannot be reached or started.
        StoreUnavailable: it went away.
        EmbeddingUnavailable: no vectors now.
    """
    check_base(config, base)
    if not config.answers.exact:
        raise ConfigError(["answers.exact: found false, allowed true: with all reuse off there is nothing to measure"])
    async with open_stores(config, join=True) as stores:
        ingested = await stores.knowledge[base].documents()
        return await judge_pairs(
            pairs,
            embedder=stores.embedder,
            knowledge=stores.knowledge if ingested else None,
            base=base,
            top_k=config.knowledge.top_k,
            max_cosine_distance=config.answers.max_cosine_distance if config.answers.similar else None,
        )

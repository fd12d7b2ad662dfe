"""What reuse makes of pairs of questions, by the code that serves: for `frontdesk eval reuse`.

No model is asked. The answer to the first question of a pair therefore counts as one that cites nothing: it depends on
exactly the passages that are found for it. What the guard leaves in doubt is not reused, whatever `answers.verify` is.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from operator import mul

from bot.answers import Near
from bot.evaluate import Judged, Pair
from bot.language import language_of
from bot.ports import Embedder, Knowledge
from bot.similar import key_of, refused_pair
from bot.turn import StoredAnswer


async def judge_pairs(
    pairs: Sequence[Pair],
    *,
    embedder: Embedder,
    knowledge: Knowledge | None,
    base: str,
    top_k: int,
    max_cosine_distance: float | None,
) -> list[Judged]:
    """A verdict on each pair. Each question is embedded once, and searched for once.

    Args:
        pairs: of questions.
        embedder: of questions.
        knowledge: where passages are found; None: nothing was ingested, the passages of all questions agree.
        base: of the knowledge.
        top_k: passages found for a question, at most.
        max_cosine_distance: of a similar question; None: similar reuse is off.

    Raises:
        EmbeddingUnavailable: no vectors now.
        StoreUnavailable: a search was not answered.
    """
    questions = list(dict.fromkeys(text for pair in pairs for text in (pair.stored, pair.asked)))
    vectors = dict(zip(questions, await embedder.embed(questions), strict=True))
    found: dict[str, tuple[str, ...]] = dict.fromkeys(questions, ())
    if knowledge is not None:
        for question in questions:
            searched = await knowledge.search(base, question, language_of(question), top_k)
            found[question] = tuple(passage.reference for passage in searched.passages)
    judged: list[Judged] = []
    for pair in pairs:
        distance = _cosine_distance(vectors[pair.stored], vectors[pair.asked])
        answer = _answer(pair.stored, found[pair.stored])
        near = Near(key=key_of(base, "", pair.stored), answer=answer, distance=distance)
        refused_by = refused_pair(pair.stored, pair.asked, near, found[pair.asked], bound=max_cosine_distance)
        judged.append(Judged(pair=pair, distance=distance, refused_by=refused_by))
    return judged


def _answer(question: str, references: tuple[str, ...]) -> StoredAnswer:
    return StoredAnswer(markdown="", answer="", epoch=0, references=references, tokens=0, question=question)


def _cosine_distance(one: bytes, other: bytes) -> float:
    """Of two unit vectors, float32."""
    return 1.0 - math.fsum(map(mul, array("f", one), array("f", other)))

"""How often the guard lets a stored answer be reused, and how often wrongly.

    FRONTDESK_SHARED=<folder with data/> python -m bench.reuse [--max-cosine-distance 0.4] [--show-tuned]

Rules, all over the same pairs. *Guard*: near enough, and `bot.guard.verdict.judge`. *Served*: the guard, of questions
that stand alone (`bot.standalone`), as the bot serves them. *Bar 2*: exact, or near enough and a crude lexical guard,
with the widest distance that keeps its precision on the first half at 99 %. *Exact*: the same but for spelling.

Sets: our own traps and paraphrases in `tests/reuse`, in the order they were written; banking77 (each test question with
the nearest training question of another intent, and of the same intent for the hit rate); PAWS-zh (label 0 and label
1), the pairs that its cleaned lists keep and all. A hash of the pair puts it into one of two halves: words were chosen
by looking at one, the other was only counted.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path

import numpy as np

from bot.guard.table import words
from bot.guard.verdict import judge
from bot.language import language_of
from bot.llm.embed import BuiltinEmbedder
from bot.spelling import fold, normalise
from bot.standalone import fitness

OWN = Path(__file__).parent.parent / "tests" / "reuse"
DISTANCES = (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4)
BAR_PRECISION = 0.99


@dataclass(frozen=True)
class Pair:
    """Two questions, whether they are the same one, and how far apart the embedder sees them."""

    stored: str
    asked: str
    same: bool
    distance: float = 0.0

    @property
    def tuned_on(self) -> bool:
        """Whether it belongs to the half that was looked at."""
        return hashlib.sha256(f"{self.stored}\n{self.asked}".encode()).digest()[-1] % 2 == 0


Rule = Callable[[Pair], bool]


def exact(pair: Pair) -> bool:
    """The same but for spelling."""
    return normalise(pair.stored) == normalise(pair.asked)


def stands_alone(question: str) -> bool:
    """Whether its answer may be stored for others and given to others."""
    decision = fitness(question, language_of(question), has_history=False)
    return decision.storable and decision.servable


_NEGATIONS = words("not no never without none nobody nothing cannot 不 没 无 非 未 别 莫 勿 否")
_EMPTY = words(
    """
    a an the is are was were be do does did can could will would i my me you your we our it to of in on at for and or
    what how why when where who which please 的 了 吗 呢 是 在 我 你 么 什 怎 请 问 有 和
    """
)


def _words(text: str) -> list[str]:
    return re.findall(r"\d+(?:[.,:]\d+)*|[a-z]+(?='t\b)|'t\b|[^\W\d_\u3400-\u9fff]+|[\u3400-\u9fff]", fold(text))


def crude(pair: Pair) -> bool:
    """Same numbers, same count of negations, content words only on one side, shared words in the same order."""
    one, other = _words(pair.stored), _words(pair.asked)
    if sorted(filter(_numeric, one)) != sorted(filter(_numeric, other)) or _negations(one) != _negations(other):
        return False
    left, right = set(one) - set(other) - _EMPTY, set(other) - set(one) - _EMPTY
    shared = set(one) & set(other)
    return not (left and right) and [w for w in one if w in shared] == [w for w in other if w in shared]


def _numeric(word: str) -> bool:
    return word[0].isdigit()


def _negations(parts: Sequence[str]) -> int:
    return sum(word in _NEGATIONS or word == "'t" for word in parts)


def bar_two(pairs: Sequence[Pair]) -> tuple[Rule, float]:
    """Bar 2 with the widest distance that is precise enough on these pairs."""

    def rule(bound: float) -> Rule:
        return lambda pair: exact(pair) or (pair.distance <= bound and crude(pair))

    best = 0.0
    for bound in DISTANCES:
        hits = [pair.same for pair in pairs if rule(bound)(pair)]
        if hits and sum(hits) / len(hits) >= BAR_PRECISION:
            best = bound
    return rule(best), best


def wilson(hits: int, pairs: int) -> str:
    """Share and its 95 % Wilson interval, in per cent."""
    if not pairs:
        return "–"
    share, z2 = hits / pairs, 1.96**2
    middle, spread = share + z2 / (2 * pairs), 1.96 * sqrt(share * (1 - share) / pairs + z2 / (4 * pairs**2))
    low, high = ((middle + sign * spread) / (1 + z2 / pairs) * 100 for sign in (-1, 1))
    return f"{share * 100:.1f} % [{max(low, 0):.1f}–{min(high, 100):.1f}]"


def report(name: str, pairs: Sequence[Pair], guard: Rule) -> None:
    """Print one set, half by half."""

    def served(pair: Pair) -> bool:
        return stands_alone(pair.stored) and stands_alone(pair.asked) and guard(pair)

    bar, bound = bar_two([pair for pair in pairs if pair.tuned_on])
    identical = sum(exact(pair) for pair in pairs if not pair.same)
    print(f"\n{name} (bar 2: distance ≤ {bound}; spelled the same and labelled different: {identical})")
    for tuned_on in (True, False):
        half = [pair for pair in pairs if pair.tuned_on is tuned_on]
        print(f"  {'looked at' if tuned_on else 'only counted'}")
        for label, rule in (("guard", guard), ("served", served), ("bar 2", bar), ("exact", exact)):
            print(f"    {label:6} {_row(half, rule)}")


def _row(pairs: Sequence[Pair], rule: Rule) -> str:
    same = [rule(pair) for pair in pairs if pair.same]
    different = [rule(pair) for pair in pairs if not pair.same]
    parts = []
    if different:
        parts.append(f"wrong {sum(different)} of {len(different)} = {wilson(sum(different), len(different))}")
    if same:
        parts.append(f"hits {sum(same)} of {len(same)} = {wilson(sum(same), len(same))}")
    if same and different:
        parts.append(f"precision {wilson(sum(same), sum(same) + sum(different))}")
    return "; ".join(parts)


class Embedding:
    """Texts as unit vectors, each computed once."""

    def __init__(self, embedder: BuiltinEmbedder) -> None:
        self._embedder = embedder

    async def rows(self, texts: Sequence[str]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        """float32, shape `(len(texts), dimensions)`."""
        vectors = b"".join(await self._embedder.embed(texts))
        return np.frombuffer(vectors, dtype="<f4").reshape(len(texts), -1)

    async def measured(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs with their distances."""
        stored = await self.rows([pair.stored for pair in pairs])
        asked = await self.rows([pair.asked for pair in pairs])
        distances = 1 - (stored * asked).sum(axis=1)
        return [
            Pair(pair.stored, pair.asked, pair.same, float(distance))
            for pair, distance in zip(pairs, distances, strict=True)
        ]


async def banking(folder: Path, embedding: Embedding) -> list[Pair]:
    """Each test question with its nearest training question, of another intent and of the same."""
    train, test = (list(csv.DictReader((folder / f"{part}.csv").open())) for part in ("train", "test"))
    stored = await embedding.rows([row["text"] for row in train])
    asked = await embedding.rows([row["text"] for row in test])
    intents = np.array([row["category"] for row in train])
    pairs = []
    for row, similarities in zip(test, asked @ stored.T, strict=True):
        for same in (False, True):
            candidates = np.where((intents == row["category"]) == same, similarities, -2)
            at = int(candidates.argmax())
            pairs.append(Pair(train[at]["text"], row["text"], same, float(1 - candidates[at])))
    return pairs


async def paws(folder: Path, embedding: Embedding, *, clean: bool) -> list[Pair]:
    """Both files, label 1 as the same; with `clean` only what the cleaned lists keep."""
    pairs = []
    for part in ("dev", "test"):
        kept = set(json.loads((folder / f"{part}_clean_id.json").read_text()))
        rows = json.loads((folder / f"{part}.json").read_text())
        rows = [row for row in rows if row["id"] in kept or not clean]
        pairs += [Pair(row["text_a"], row["text_b"], row["label"] == "匹配") for row in rows]
    return await embedding.measured(pairs)


def own(prefix: str) -> list[Pair]:
    """Our traps and paraphrases, both languages."""
    names = [f"{prefix}{kind}_{language}.jsonl" for kind in ("traps", "paraphrases") for language in ("en", "zh")]
    lines = [line for name in names for line in (OWN / name).open(encoding="utf-8")]
    return [Pair(row["stored"], row["asked"], row["same"]) for row in map(json.loads, lines)]


def speed(pairs: Sequence[Pair]) -> str:
    """CPU time of one judgement of pairs never seen before."""
    begin = time.process_time()
    for pair in pairs:
        judge(pair.stored + " ", pair.asked + " ")
    return f"{(time.process_time() - begin) / len(pairs) * 1000:.2f} ms of CPU per pair"


async def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--max-cosine-distance", type=float, default=0.4, help="of a candidate; default %(default)s")
    parser.add_argument("--show-tuned", action="store_true", help="list the wrong hits of the half that was looked at")
    arguments = parser.parse_args()
    bound: float = arguments.max_cosine_distance
    embedder = BuiltinEmbedder()
    embedding = Embedding(embedder)
    sets = {
        "our traps and paraphrases": await embedding.measured(own("")),
        "our fresh traps and paraphrases": await embedding.measured(own("fresh_")),
        "our later traps and paraphrases": await embedding.measured(own("later_")),
    }
    if shared := os.environ.get("FRONTDESK_SHARED"):
        data = Path(shared) / "data"
        sets["banking77, nearest of another intent (wrong) and of the same (hits)"] = await banking(
            data / "banking77", embedding
        )
        sets["PAWS-zh, cleaned list"] = await paws(data / "paws-zh", embedding, clean=True)
        sets["PAWS-zh, all"] = await paws(data / "paws-zh", embedding, clean=False)
    embedder.close()
    for name, pairs in sets.items():
        report(name, pairs, lambda pair: pair.distance <= bound and judge(pair.stored, pair.asked).reuse)
        print(f"  {speed(pairs)}")
        for pair in pairs if arguments.show_tuned else ():
            if pair.tuned_on and not pair.same and pair.distance <= bound and judge(pair.stored, pair.asked).reuse:
                print(f"  wrong: {pair.stored} | {pair.asked}")


if __name__ == "__main__":
    asyncio.run(main())

"""A passage by its name, for whoever was shown it before: `/source 2`.

It is given only while its version is the current one, so nobody reads what a document no longer says. Nothing is
remembered between calls: people ask this now and then, and three small round trips are not felt.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.knowledge.document import DocumentRecord
from bot.store import keys
from bot.store.client import translated
from bot.store.cluster import Client
from bot.turn import Passage

_REFERENCE = re.compile(r"(?P<document>\w+):(?P<number>\d+)@(?P<version>\w+)")
_FIELDS = ("path", "title", "place", "text", "language", "url")


async def fetch(redis: Client, kb: str, references: Sequence[str]) -> tuple[Passage | None, ...]:
    """The passages of these references, in their order; None where the version is no longer current.

    HGET of the served index, HMGET for each passage, HGET for each document: three round trips, the last of which
    decides, so that a change in between shows as None.

    Args:
        redis: a bytes client on the server of the knowledge base.
        kb: name of the knowledge base.
        references: `Passage.reference`; whatever else gives None.

    Raises:
        StoreUnavailable: Redis did not answer.
    """
    names = [_REFERENCE.fullmatch(reference) for reference in references]
    with translated("fetch passages by their names"):
        embedder = await redis.hget(f"{keys.kb(kb)}:serving", "embedder")
        if not isinstance(embedder, bytes) or not any(names):
            return (None,) * len(names)
        pipeline = redis.pipeline(transaction=False)
        for name in names:
            key = f"{name['document']}:{name['version']}:{name['number']}" if name else ""
            pipeline.hmget(f"{keys.kb(kb)}:p:{embedder.decode()}:{key}", _FIELDS)
        found = await pipeline.execute()
        pipeline = redis.pipeline(transaction=False)
        for path, *_ in found:
            pipeline.hget(f"{keys.kb(kb)}:documents", path or b"")
        records = await pipeline.execute()
    return tuple(
        _passage(name, values) if name and record and _version(record) == name["version"] else None
        for name, values, record in zip(names, found, records, strict=True)
    )


def _version(record: bytes) -> str:
    return DocumentRecord.from_json(record).version


def _passage(name: re.Match[str], values: Sequence[bytes | None]) -> Passage:
    path, title, place, text, language, url = ((value or b"").decode("utf-8", "replace") for value in values)
    return Passage(
        id=f"{name['document']}:{name['number']}",
        document=path,
        version=name["version"],
        title=title,
        place=place,
        text=text,
        language="zh" if language == "zh" else "en",
        score=0.0,
        cosine_distance=None,
        url=url,
    )

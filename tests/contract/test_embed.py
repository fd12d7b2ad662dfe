"""Embedders: what every one of them promises, and what each does by itself."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest

from bot.errors import EmbeddingUnavailable
from bot.llm.embed import BATCH, BATCH_CHARS, BUILTIN_MAX_CHARS, BuiltinEmbedder
from bot.llm.embed_remote import REMOTE_BATCH, OpenAiEmbedder
from bot.ports import Embedder
from tests.servers.openai import Hang, OpenAiServer, Status


@pytest.fixture
async def server() -> AsyncIterator[OpenAiServer]:
    """An embeddings endpoint."""
    async with OpenAiServer() as server:
        yield server


@pytest.fixture(scope="module")
def builtin() -> Iterator[BuiltinEmbedder]:
    """One for all tests of the file: loading the weights takes a second."""
    embedder = BuiltinEmbedder()
    yield embedder
    embedder.close()


class MakeRemote(Protocol):
    """Makes an embedder on the server; it is closed when the test ends."""

    def __call__(self, *, dimensions: int = 64, timeout_s: float = 10) -> OpenAiEmbedder:
        """An embedder."""
        ...


@pytest.fixture
async def remote(server: OpenAiServer) -> AsyncIterator[MakeRemote]:
    """Makes embedders."""
    async with AsyncExitStack() as stack:

        def make(*, dimensions: int = 64, timeout_s: float = 10) -> OpenAiEmbedder:
            embedder = OpenAiEmbedder(
                base_url=server.base_url,
                api_key=server.key,
                model="test-embedding",
                dimensions=dimensions,
                timeout=timedelta(seconds=timeout_s),
            )
            stack.push_async_callback(embedder.close)
            return embedder

        yield make


@pytest.fixture(params=["builtin", "openai"])
def embedder(request: pytest.FixtureRequest, remote: MakeRemote, builtin: BuiltinEmbedder) -> Embedder:
    """Each of them."""
    return builtin if request.param == "builtin" else remote()


def vector(record: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A vector from its bytes."""
    return np.frombuffer(record, dtype="<f4")


# --- what every embedder promises -------------------------------------------------------------------------------


async def test_each_text_has_its_vector_in_order(embedder: Embedder) -> None:
    """More texts than a batch holds come back in their order, each as if asked for alone."""
    texts = [f"question number {n} about topic {n * 7}" for n in range(2 * max(BATCH, REMOTE_BATCH) + 3)]

    together = await embedder.embed(texts)

    assert len(together) == len(texts)
    for at in (0, BATCH, len(texts) - 1):
        (alone,) = await embedder.embed([texts[at]])
        assert np.allclose(vector(together[at]), vector(alone), atol=1e-5)


async def test_vectors_are_of_length_one(embedder: Embedder) -> None:
    """float32, as long as announced, L2-normalised, for empty and blank texts too."""
    for record in await embedder.embed(["How do I reset my password?", "怎么重置密码？", "", "  \n", "👍", "\ud83d"]):
        assert len(record) == 4 * embedder.dimensions
        assert abs(float(np.linalg.norm(vector(record))) - 1) < 1e-5


async def test_nothing_asked_is_nothing_answered(embedder: Embedder) -> None:
    """No texts, no vectors, no request."""
    assert await embedder.embed([]) == []


async def test_its_name_says_its_dimension(embedder: Embedder) -> None:
    """The name stands in index names: another length must be another index."""
    assert embedder.name.endswith(f"-{embedder.dimensions}")


async def test_many_callers_at_once_each_get_their_own(embedder: Embedder) -> None:
    """Texts of different callers, computed together or not, do not get mixed up."""
    texts = [f"caller {n} asks about {'x' * n}" for n in range(40)]
    expected = await embedder.embed(texts)

    results = await asyncio.gather(*(embedder.embed([text]) for text in texts))

    assert all(np.allclose(vector(got), vector(want), atol=1e-5) for [got], want in zip(results, expected, strict=True))


# --- the built-in one -------------------------------------------------------------------------------------------


async def test_the_same_meaning_is_near_in_two_languages(builtin: BuiltinEmbedder) -> None:
    """A Chinese question lies nearer to the English text of its meaning than to another."""
    asked, right, wrong = await builtin.embed(
        ["怎么重置密码？", "How to reset your password", "Opening hours of the office"]
    )

    assert builtin.name == "usem3-512"
    assert vector(asked) @ vector(right) > vector(asked) @ vector(wrong) + 0.2


async def test_the_loop_runs_on_while_it_computes(builtin: BuiltinEmbedder) -> None:
    """Computing happens in one thread of its own, never on the event loop's."""
    threads: set[str] = set()
    encode = builtin._encoder.encode  # noqa: SLF001 - watched, not replaced

    def watched(texts: list[str]) -> object:
        threads.add(threading.current_thread().name)
        return encode(texts)

    builtin._encoder.encode = watched  # noqa: SLF001 - as above
    try:
        await asyncio.gather(*(builtin.embed([f"text {n}"] * 20) for n in range(5)))
    finally:
        builtin._encoder.encode = encode  # noqa: SLF001 - as above

    assert threads == {"embedder_0"}


async def test_a_question_goes_before_the_passages_that_wait(builtin: BuiltinEmbedder) -> None:
    """It waits for the batch that is being computed, which is short, however many documents are being embedded."""
    batches: list[list[str]] = []
    encode = builtin._encoder.encode  # noqa: SLF001 - watched, not replaced

    def watched(texts: list[str]) -> object:
        batches.append(texts)
        return encode(texts)

    passage = "a passage about something " * 20
    builtin._encoder.encode = watched  # noqa: SLF001 - as above
    try:
        ingest = [asyncio.create_task(builtin.embed([passage] * 12), name=f"test - {n}") for n in range(4)]
        await asyncio.sleep(0)
        await builtin.embed(["a question"])
        at = batches.index(["a question"])
        await asyncio.gather(*ingest)
    finally:
        builtin._encoder.encode = encode  # noqa: SLF001 - as above

    assert at < len(batches) / 2, "a few may have been computed before it was asked"
    assert {len(batch) for batch in batches if batch != ["a question"]} == {BATCH_CHARS // len(passage) + 1}


async def test_cancelled_callers_leave_no_harm(builtin: BuiltinEmbedder) -> None:
    """Those who are cancelled are passed over, those who wait get their vectors."""
    tasks = [asyncio.create_task(builtin.embed([f"text {n}"]), name=f"test - {n}") for n in range(30)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()

    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(isinstance(result, asyncio.CancelledError) for result in results[::2])
    assert all(isinstance(result, list) and len(result[0]) == 2048 for result in results[1::2])


async def test_a_failing_text_of_another_does_not_fail_mine() -> None:
    """If a batch fails, each caller's texts are tried by themselves, and only the culprit is told."""
    embedder = BuiltinEmbedder()
    encode = embedder._encoder.encode  # noqa: SLF001 - made to fail for one text

    def fragile(texts: list[str]) -> object:
        if "bad" in texts:
            raise ValueError("bad")
        return encode(texts)

    embedder._encoder.encode = fragile  # noqa: SLF001 - as above

    results = await asyncio.gather(*(embedder.embed([text]) for text in ["a", "bad", "b"]), return_exceptions=True)

    assert [isinstance(result, EmbeddingUnavailable) for result in results] == [False, True, False]
    embedder.close()


@pytest.mark.timeout(20)
async def test_a_huge_text_is_cut(builtin: BuiltinEmbedder) -> None:
    """A megabyte costs no more than the limit, and means what its beginning means."""
    start = "vacation days and how to take them. " * (BUILTIN_MAX_CHARS // 30)

    whole, cut = await builtin.embed([start + "x" * 1_000_000, start[:BUILTIN_MAX_CHARS]])

    assert np.allclose(vector(whole), vector(cut), atol=1e-5)


async def test_after_closing_it_says_so() -> None:
    """A closed embedder fails honestly."""
    embedder = BuiltinEmbedder()
    await embedder.warm_up()
    embedder.close()

    with pytest.raises(EmbeddingUnavailable):
        await embedder.embed(["x"])


@pytest.fixture
def naughty_strings() -> list[str]:
    """What breaks programs."""
    if "FRONTDESK_SHARED" not in os.environ:
        pytest.skip("shared data absent")
    path = Path(os.environ["FRONTDESK_SHARED"], "data/naughty-strings/blns.json")
    return [str(text) for text in json.loads(path.read_text(encoding="utf-8"))]


async def test_whatever_people_write_has_a_vector(builtin: BuiltinEmbedder, naughty_strings: list[str]) -> None:
    """The list of naughty strings breaks nothing."""
    vectors = await builtin.embed(naughty_strings)

    assert len(vectors) == len(naughty_strings) > 500


# --- the remote one ---------------------------------------------------------------------------------------------


async def test_what_is_sent(server: OpenAiServer, remote: MakeRemote) -> None:
    """Batches the strictest server takes, plain floats, no empty string."""
    await remote().embed(["a", "", *"b" * REMOTE_BATCH])

    assert [len(body["input"]) for body in server.embeddings] == [REMOTE_BATCH, 2]
    assert server.embeddings[0]["input"][:3] == ["a", "-", "b"]
    assert {**server.embeddings[1], "input": None} == {
        "model": "test-embedding",
        "input": None,
        "dimensions": 64,
        "encoding_format": "float",
    }


async def test_one_failure_is_tried_again(server: OpenAiServer, remote: MakeRemote) -> None:
    """A rush hour at the server costs time only."""
    server.embedding_faults.append(Status(429, retry_after_s=0.01))

    assert len(await remote().embed(["a"])) == 1


async def test_a_lasting_failure_is_told(server: OpenAiServer, remote: MakeRemote) -> None:
    """Model, server and kind of failure, and neither key nor text."""
    server.embedding_faults.extend([Status(500, message=f"SECRET {server.key}")] * 5)

    with pytest.raises(EmbeddingUnavailable, match=r"test-embedding at 127\.0\.0\.1:\d+: HTTP 500") as caught:
        await remote().embed(["SECRET"])

    assert "SECRET" not in str(caught.value)
    assert server.key not in str(caught.value)


async def test_a_hanging_server_ends_at_the_deadline(server: OpenAiServer, remote: MakeRemote) -> None:
    """Search goes on by words alone, soon."""
    server.embedding_faults.append(Hang())

    with pytest.raises(EmbeddingUnavailable):
        await remote(timeout_s=0.3).embed(["a"])


async def test_a_model_of_one_size_is_asked_without_dimensions(server: OpenAiServer, remote: MakeRemote) -> None:
    """Where the parameter is refused it is left out for good, as long as the length is right."""
    server.rejects_dimensions = True
    embedder = remote()

    await embedder.embed(["a"])
    await embedder.embed(["b"])

    assert ["dimensions" in body for body in server.embeddings] == [True, False, False]


async def test_another_length_than_configured_is_an_error(server: OpenAiServer, remote: MakeRemote) -> None:
    """Vectors that do not fit the index are refused, with what to change."""
    server.rejects_dimensions = True

    with pytest.raises(EmbeddingUnavailable, match=r"\{64\} numbers where embeddings.dimensions says 32"):
        await remote(dimensions=32).embed(["a"])

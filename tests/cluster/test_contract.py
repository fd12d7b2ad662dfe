"""The contract of the stores, on a cluster: the same tests, run once more by a pytest of their own.

All of them take minutes: `FRONTDESK_TESTED_REDIS=cluster pytest tests/contract tests/knowledge`. Here are those that
go through each script and each kind of traffic: pipelines, scans, searches, subscriptions, many clients at once.
"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.servers.tied import tied

ROOT = Path(__file__).resolve().parents[2]
CHOSEN = (
    "tests/contract/test_inbox_many.py",
    "tests/contract/test_forgetting.py",
    "tests/contract/test_dead.py",
    "tests/contract/test_shown.py",
    "tests/contract/test_doorbell.py::test_a_ring_wakes_who_waits",
    "tests/contract/test_page_box.py::test_a_page_that_reads_on_gets_each_message_once",
    "tests/contract/test_limiter.py::test_fifty_at_once_are_admitted_exactly",
    "tests/contract/test_outbound.py::test_fifty_senders_at_once_share_one_budget",
    "tests/contract/test_spending.py::test_at_once_no_more_is_reserved_than_fits",
    "tests/contract/test_leader.py::test_a_leader_that_died_is_followed",
    "tests/contract/test_keys_have_ttl.py",
    "tests/contract/test_answers_similar.py",
    "tests/knowledge/test_index.py::test_the_index_of_answers_goes_with_its_embedder",
    "tests/knowledge/test_fetch.py",
)


@pytest.mark.timeout(300)  # a whole run
async def test_the_stores_keep_their_contract_on_a_cluster() -> None:
    """Nothing in the stores knows which of the two it talks to."""
    process = await asyncio.create_subprocess_exec(
        *tied(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *CHOSEN),
        cwd=ROOT,
        env={**os.environ, "FRONTDESK_TESTED_REDIS": "cluster"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()

    assert process.returncode == 0, said.decode()

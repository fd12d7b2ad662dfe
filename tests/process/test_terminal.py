"""The commands in a terminal, by themselves and beside a running bot: each ends by itself with its exit code."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from pathlib import Path

from tests.process.conftest import World
from tests.process.page import PageVisitor
from tests.process.running import frontdesk, frontdesk_started
from tests.servers.openai import Hang

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
SHOWN = re.findall(r"^(?:You|Desk|  ) +(.+)$", README.partition("```\n")[2].partition("```")[0], re.MULTILINE)
ENGLISH, CHINESE = (line for line in SHOWN if line.endswith(("?", "？")))
TWO_LINES = f"{ENGLISH}\n{CHINESE}\n"
"""What `printf '…\\n…\\n' | frontdesk chat` pipes in: the questions that README.md shows."""


async def test_chat_answers_a_pipe_in_two_languages_and_ends(world: World) -> None:
    """With no bot running, it starts what it needs, reads the documents, answers as README.md says, and ends with 0."""
    ended = await frontdesk(world.folder, {}, "chat", typed=TWO_LINES)

    assert (ended.code, ended.errors) == (0, f"Redis: embedded, {world.folder / 'data'} (new)\n")
    answers = ended.output.replace("**", "")
    assert [
        part for line in SHOWN if line not in {ENGLISH, CHINESE} for part in line.split("…") if part not in answers
    ] == []
    assert "No language model is set up" in ended.output
    assert "目前没有配置语言模型" in ended.output


async def test_chat_beside_a_running_bot_and_each_answers_its_own(world: World) -> None:
    """Both work on the same data at the same moment; no line ends up at the page, no message in the terminal."""
    async with world.bot(world.unlimited(), world.samples()) as bot, PageVisitor(bot.url) as page:
        chatting = asyncio.create_task(frontdesk(world.folder, world.unlimited(), "chat", typed=TWO_LINES))
        answers = [await page.ask(question) for question in ("How do I open an account?", "怎么开户？")]
        ended = await chatting
        answers.append(await page.ask("/help"))

    assert (ended.code, ended.errors) == (0, f"Redis: embedded, {world.folder / 'data'}\n")
    assert "Transfers" in ended.output
    assert "挂失" in ended.output
    assert "Opening an account" in answers[0]
    assert "开户" in answers[1]
    assert page.replies == answers
    assert "Opening an account" not in ended.output


async def test_chat_ends_at_ctrl_c_while_it_reads_the_documents(world: World) -> None:
    """Vectors that do not come keep nobody: one Ctrl-C is enough."""
    settings = {"PROVIDER": "openai", "MODEL": "m", "DIMENSIONS": "64", "BASE_URL": world.model.base_url}
    environ = {f"FRONTDESK_EMBEDDINGS__{name}": value for name, value in settings.items()}
    world.model.embedding_faults.extend([Hang()] * 100)
    chatting = await frontdesk_started(world.folder, {**environ, "OPENAI_API_KEY": world.model.key}, "chat")
    try:
        async with asyncio.timeout(60):
            while not world.model.embeddings:  # noqa: ASYNC110 - the server counts by itself
                await asyncio.sleep(0.02)
            chatting.send_signal(signal.SIGINT)
            _, errors = await chatting.communicate()
    finally:
        if chatting.returncode is None:
            chatting.kill()
            await chatting.wait()

    assert chatting.returncode == 0
    assert b"Traceback" not in errors


async def test_documents_come_and_go_beside_a_running_bot(world: World) -> None:
    """`ingest` changes the very next answer, `search` finds what the bot would, and a deleted file is out of both."""
    settings = {"FRONTDESK_KNOWLEDGE__PATHS": "[]"}
    documents = world.folder / "docs"
    documents.mkdir()
    parking = documents / "parking.md"
    parking.write_text("# Parking\n\nParking behind the branch costs 3 euros per hour.\n")
    (documents / "hours.md").write_text("# Opening hours\n\nThe branch is open from nine to five.\n")
    question = "What does parking behind the branch cost?"

    async with world.bot(world.unlimited(), settings) as bot, PageVisitor(bot.url) as page:
        before = await page.ask(question)
        added = await frontdesk(world.folder, settings, "ingest", str(documents))
        after = await page.ask(question)
        found = await frontdesk(world.folder, settings, "search", question, "--json")
        parking.unlink()
        removed = await frontdesk(world.folder, settings, "ingest", str(documents))
        found_later = await frontdesk(world.folder, settings, "search", question, "--json")
        gone = await page.ask(question)

    assert "3 euros" not in before
    assert (added.code, added.output.strip()) == (0, "Documents: 2 added, 0 changed, 0 unchanged, 0 removed")
    assert "3 euros" in after
    assert json.loads(found.output.splitlines()[0])["title"] == "Parking"
    assert removed.output.strip() == "Documents: 0 added, 0 changed, 1 unchanged, 1 removed"
    assert "Parking" not in found_later.output
    assert "3 euros" not in gone

"""The answer to a question that means the same: reused through the whole bot, until its document changes."""

from __future__ import annotations

import json

from bot.verify import MAX_TOKENS
from tests.process.conftest import World
from tests.process.running import frontdesk
from tests.servers.telegram_chat import User

ASKED = "How do I reset my password?"
REWORDED = "Please tell me how to reset my password"
IN_DOUBT = "How do I recover my password?"
YET_ANOTHER = "how can I reset the password?"
PAIRS = [
    {"stored": ASKED, "asked": REWORDED, "same": True},
    {"stored": ASKED, "asked": "How do I reset my PIN?", "same": False},
]


async def answer_to(world: World, question: str, user: int) -> str:
    """What a person who never asked before is told."""
    world.telegram.say(question, user=User(id=user))
    await world.telegram.wait_messages(user, 1)
    return str(world.telegram.messages(user)[0].text)


async def test_a_reworded_question_costs_no_model_call_until_a_source_changes(world: World) -> None:
    """Then the model is asked at once. Another persona is given nothing of the first one's."""
    documents = world.folder / "documents"
    documents.mkdir()
    page = documents / "password.md"
    page.write_text("# Passwords\n\nTo reset your password, press Reset on the page of your account.")
    world.model.reply("Press Reset. [1]")
    settings = [
        world.platforms(),
        world.with_model(),
        world.unlimited(),
        {"FRONTDESK_KNOWLEDGE__PATHS": json.dumps([str(documents)])},
    ]
    calls = []

    async with world.bot(*settings):
        said = [await answer_to(world, question, user) for user, question in enumerate((ASKED, REWORDED), 1)]
        calls.append(len(world.model.chats))
        page.write_text("# Passwords\n\nTo reset your password, write to the help desk.")
        ingested = await frontdesk(world.folder, settings[-1], "ingest", str(documents))
        world.model.reply("Write to the help desk. [1]")
        said.append(await answer_to(world, YET_ANOTHER, 3))
        calls.append(len(world.model.chats))
    async with world.bot(*settings, {"FRONTDESK_BOT__PERSONA": "You are a pirate."}):
        world.model.reply("Arr. [1]")
        said.append(await answer_to(world, ASKED, 4))
        calls.append(len(world.model.chats))

    assert "1 changed" in ingested.output
    assert [text.splitlines()[0] for text in said] == [
        "Press Reset. [1]",
        "Press Reset. [1]",
        "Write to the help desk. [1]",
        "Arr. [1]",
    ]
    assert calls == [1, 2, 3]


async def test_in_doubt_the_model_is_asked_a_small_question_instead(world: World) -> None:
    """Only where the operator wants it: two calls for two questions, the second with a few tokens."""
    documents = world.folder / "documents"
    documents.mkdir()
    (documents / "password.md").write_text("# Passwords\n\nPress Reset to reset or recover your password.")
    world.model.reply(lambda messages: "Yes." if "You compare" in messages[0]["content"] else "Press Reset. [1]")
    paths = {"FRONTDESK_KNOWLEDGE__PATHS": json.dumps([str(documents)]), "FRONTDESK_ANSWERS__VERIFY": "model"}

    async with world.bot(world.platforms(), world.with_model(), world.unlimited(), paths):
        said = [await answer_to(world, question, user) for user, question in enumerate((ASKED, IN_DOUBT), 1)]

    assert said[0] == said[1]
    assert len(world.model.chats) == 2
    small = world.model.chats[-1]
    assert json.loads(small["messages"][-1]["content"]) == {"first": ASKED, "second": IN_DOUBT}
    assert small.get("max_tokens", small.get("max_completion_tokens")) == MAX_TOKENS


async def test_eval_reuse_judges_pairs_by_the_code_that_serves(world: World) -> None:
    """The command prints a line for each pair and the rates; without documents the passages agree."""
    pairs = world.folder / "pairs.jsonl"
    pairs.write_text("\n".join(map(json.dumps, PAIRS)))

    ended = await frontdesk(world.folder, {}, "eval", "reuse", str(pairs), "--json")

    *judged, rates = map(json.loads, ended.output.splitlines())
    assert [(one["reuse"], bool(one["refused_by"])) for one in judged] == [(True, False), (False, True)]
    assert "reuse" not in rates
    assert (rates["hit_rate"]["hits"], rates["wrong_hit_rate"]["hits"]) == (1, 0)

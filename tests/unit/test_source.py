"""/source: what the last answer was made from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.commands.source import Source
from bot.message import Command, Conversation
from bot.texts import Texts
from bot.turn import Exchange, Passage, Turn
from tests.fakes.ports import FakeKnowledge
from tests.make import conversation, incoming, passage, turn

TEXTS = Texts.load()
FEES = passage("A transfer costs 5 euros.\n\n- or 4")
LOANS = replace(
    passage("Ask at [the desk](https://bank.example/desk).", name="loans"), url="https://bank.example/a (b)"
)
ANSWERED = Exchange(
    question="How much?", answer="5. [1][3]", tokens=9, sources=((3, LOANS.reference), (1, FEES.reference))
)
SMALL_TALK = Exchange(question="Thanks", answer="You're welcome!", tokens=4)


def asking(argument: str = "", *history: Exchange, of: Conversation | None = None, whole: bool = False) -> Turn:
    """A turn with the command, after that history."""
    command = Command(name="source", argument=argument, whole_channel=whole)
    return turn(incoming("/source", of=of, command=command, private=not whole), history=history)


async def told(start: Turn, *held: Passage) -> str:
    """The reply, with these passages in the documents."""
    source = Source(knowledge=FakeKnowledge(held or (FEES, LOANS)), allowed=lambda _: True, texts=TEXTS)
    reply = await source(start)
    assert not reply.private
    return reply.markdown


@pytest.mark.parametrize("argument", ["1", "第1", "第一条", "一", "[1]", "#1", "１", "source 1", "No. 1"])
async def test_the_passage_is_shown_whole(argument: str) -> None:
    """With title and place, quoted line by line, however its number is written."""
    assert await told(asking(argument, ANSWERED)) == (
        "[1] Fees › Transfers\n\n> A transfer costs 5 euros.\n>\n> - or 4"
    )


async def test_who_is_not_allowed_any_more_sees_no_passage() -> None:
    """Though the history still names it."""
    source = Source(knowledge=FakeKnowledge((FEES, LOANS)), allowed=lambda _: False, texts=TEXTS)

    reply = await source(asking("1", ANSWERED))

    assert (reply.markdown, reply.private) == (TEXTS("not_allowed", "en"), True)


async def test_a_document_with_an_address_is_linked() -> None:
    """So are the links that the passage itself has; nothing in either can end the link early."""
    assert await told(asking("3", ANSWERED)) == (
        "[3] [Loans › Transfers](https://bank.example/a%20%28b%29)\n\n> Ask at [the desk](https://bank.example/desk)."
    )


async def test_a_passage_can_do_nothing() -> None:
    """Neither call everybody nor show a picture."""
    evil = passage("@channel ![x](https://evil.example/x.png) <b>")
    history = Exchange(question="?", answer="[1]", tokens=1, sources=((1, evil.reference),))

    assert (await told(asking("1", history), evil)).endswith("> `@channel` [x](https://evil.example/x.png) \\<b>")


async def test_without_a_number_the_sources_are_listed() -> None:
    """Those of the latest answer that has any, by their numbers."""
    older = replace(ANSWERED, sources=((2, FEES.reference),))

    text = await told(asking("", older, ANSWERED, SMALL_TALK))

    assert text.splitlines() == [
        TEXTS("source_list", "en"),
        "",
        "- [1] Fees › Transfers",
        "- [3] [Loans › Transfers](https://bank.example/a%20%28b%29)",
    ]


async def test_a_document_that_changed_is_not_shown() -> None:
    """Nobody reads what it no longer says; the list says so too."""
    new = replace(FEES, version="v2")

    assert await told(asking("1", ANSWERED), new, LOANS) == TEXTS("source_changed", "en", number=1)
    assert f"- [1] _{TEXTS('source_gone', 'en')}_\n" in await told(asking("", ANSWERED), new, LOANS)


async def test_a_channel_that_was_given_other_documents_sees_no_more_of_the_old() -> None:
    """The answer was made from another base than this channel has now."""
    old = replace(ANSWERED, base="board")

    assert await told(asking("1", old)) == TEXTS("source_changed", "en", number=1)


@pytest.mark.parametrize("argument", ["2", "十", "99", "x", "1 or 3", "-1.5"])
async def test_an_unknown_number_says_which_there_are(argument: str) -> None:
    """In their order."""
    assert await told(asking(argument, ANSWERED)) == TEXTS("source_unknown", "en", numbers="[1] [3]")


async def test_no_answer_has_a_source() -> None:
    """At the start of a conversation, or after small talk; in a Slack channel the answers stand in threads."""
    slack = conversation(platform="slack", channel="C1")

    assert await told(asking("1", SMALL_TALK)) == TEXTS("source_none", "en")
    assert await told(asking("1", of=slack, whole=True)) == TEXTS("source_thread", "en")

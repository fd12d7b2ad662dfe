"""A thumb down: which answer is taken back, and what is said."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bot.commands.dislike import Dislike
from bot.message import Command, SentId
from bot.ports import Decision
from bot.steps.commands import Commands
from bot.texts import Texts
from bot.turn import AnswerKey, Exchange, StoredAnswer
from tests.fakes.ports import FakeAnswers, FakeLimiter, FakeMeter, FakeShown
from tests.make import incoming, turn

TEXTS = Texts.load()
MINE, THEIRS = AnswerKey("main", "mine"), AnswerKey("main", "theirs")
STORED = StoredAnswer(markdown="M", answer="A", epoch=1, references=(), tokens=3)
HISTORY = (
    Exchange(question="How much?", answer="A", tokens=3, key=THEIRS),
    Exchange(question="How?", answer="A", tokens=3, key=MINE),
)


def step(answers: FakeAnswers, shown: FakeShown | None = None, limiter: FakeLimiter | None = None) -> Commands:
    """The commands, with this one in the table."""
    dislike = Dislike(answers=answers, shown=shown or FakeShown(), texts=TEXTS)
    return Commands(
        {"dislike": dislike},
        limiter=limiter or FakeLimiter(),
        is_admin=lambda _: False,
        texts=TEXTS,
        meter=FakeMeter(),
    )


@pytest.mark.parametrize("text", ["👎", " 👎🏽\n", ":-1:", ":thumbsdown::skin-tone-4:", "👎👎"])
async def test_a_thumb_down_alone_takes_back_the_last_answer(text: str) -> None:
    """In whatever colour, and as Slack writes it; the others stay."""
    answers = FakeAnswers(stored={MINE: STORED, THEIRS: STORED})

    ended = await step(answers)(turn(incoming(text), history=HISTORY))

    assert ended.reply is not None
    assert ended.reply.markdown == TEXTS("dislike_done", "en")
    assert set(answers.stored) == {THEIRS}


@pytest.mark.parametrize("text", ["👎 that was wrong", "I :-1: this", "👍"])
async def test_a_thumb_among_words_is_a_message(text: str) -> None:
    """It goes on to be answered."""
    ended = await step(FakeAnswers())(turn(incoming(text), history=HISTORY))

    assert not ended.ended


@pytest.mark.parametrize("history", [(), HISTORY], ids=["nothing said before", "answer not stored any more"])
async def test_where_nothing_is_stored_it_is_noted(history: tuple[Exchange, ...]) -> None:
    """The person is thanked all the same."""
    ended = await step(FakeAnswers())(turn(incoming("👎"), history=history))

    assert ended.reply is not None
    assert ended.reply.markdown == TEXTS("dislike_noted", "en")


async def test_a_reaction_takes_back_the_answer_it_is_on_without_a_word() -> None:
    """Whoever reacts, and whatever they talked about themselves."""
    answers = FakeAnswers(stored={MINE: STORED, THEIRS: STORED})
    shown = FakeShown({"77": THEIRS})
    reaction = incoming("", command=Command(name="dislike", addressed=True), about=SentId("77"))

    ended = await step(answers, shown)(turn(reaction, history=HISTORY))

    assert (ended.silent, ended.reply) == (True, None)
    assert set(answers.stored) == {MINE}


async def test_too_many_reactions_are_passed_over_without_a_word_and_cost_no_command() -> None:
    """Who never wrote to us must not be told by us, before a whole group, to be slower."""
    answers = FakeAnswers(stored={THEIRS: STORED})
    limiter = FakeLimiter([Decision(allowed=False, retry_after=timedelta(seconds=9), tell=True)])
    reaction = incoming("", command=Command(name="dislike", addressed=True), about=SentId("77"))

    ended = await step(answers, FakeShown({"77": THEIRS}), limiter)(turn(reaction))

    assert (ended.silent, ended.reply) == (True, None)
    assert limiter.asked == ["reactions"]
    assert set(answers.stored) == {THEIRS}

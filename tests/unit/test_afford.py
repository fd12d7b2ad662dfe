"""Tokens on a turn: reserved before the model is asked, corrected afterwards, refused with a sentence."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.message import Conversation
from bot.ports import Decision
from bot.steps.afford import PASSAGE_TOKENS, RULES_TOKENS, SMALL_CALL_TOKENS, Afford
from bot.steps.charge import Charge
from bot.texts import Texts, duration
from bot.turn import AnswerKey, Exchange
from tests.fakes.ports import FakeAnswers, FakeMeter, FakeSpending
from tests.make import incoming, passage, turn

TEXTS = Texts.load()
KEY = AnswerKey("main", "k")
REFUSED = Decision(allowed=False, retry_after=timedelta(hours=2), tell=True)


def afford(
    spending: FakeSpending, answers: FakeAnswers | None = None, *, admin: bool = False, asks_model: bool = True
) -> Afford:
    """The step, with answers of at most 1,000 tokens."""

    def is_admin(_: Conversation) -> bool:
        return admin

    return Afford(
        spending=spending,
        answers=answers or FakeAnswers(),
        top_k=5,
        max_output_tokens=1000,
        is_admin=is_admin,
        asks_model=asks_model,
        texts=TEXTS,
        meter=FakeMeter(),
    )


async def test_all_of_the_request_and_the_longest_answer_are_reserved() -> None:
    """Our own words, passages, history, question, answer."""
    spending = FakeSpending()
    history = (Exchange(question="q", answer="a", tokens=70),)
    before = replace(turn(incoming("x" * 100), history=history), epoch=1, passages=(passage("y" * 1000),))

    after = await afford(spending)(before)

    assert (after.reserved, after.ended) == (True, False)
    (reserved,) = spending.reserved
    assert RULES_TOKENS + 1000 + 70 + 30 + 300 <= reserved <= RULES_TOKENS + 1000 + 70 + 30 + 310


async def test_before_the_search_only_a_follow_up_is_reserved_for() -> None:
    """A stored answer may do for the others. What is reserved once stands."""
    spending = FakeSpending()

    first = await afford(spending)(turn())
    follow_up = await afford(spending)(replace(turn(), leans=True))
    again = await afford(spending)(replace(follow_up, epoch=1))

    assert (first.reserved, follow_up.reserved, again) == (False, True, replace(follow_up, epoch=1))
    assert len(spending.reserved) == 1
    assert spending.reserved[0] > RULES_TOKENS + SMALL_CALL_TOKENS + 5 * PASSAGE_TOKENS + 1000


@pytest.mark.parametrize(("admin", "asks_model"), [(True, True), (False, False)])
async def test_admins_and_quotes_cost_nothing(admin: bool, asks_model: bool) -> None:
    """Nothing is asked of the windows."""
    spending = FakeSpending(decision=REFUSED)

    after = await afford(spending, admin=admin, asks_model=asks_model)(replace(turn(), epoch=1))

    assert (after.reserved, after.ended, spending.reserved) == (False, False, [])


async def test_who_has_used_all_hears_for_how_long_and_holds_nobody_up() -> None:
    """Others who ask the same meanwhile ask for themselves."""
    answers = FakeAnswers()
    asking = turn()
    await answers.find(KEY, asking.incoming.id)

    after = await afford(FakeSpending(decision=REFUSED), answers)(
        replace(asking, epoch=1, leads=True, question_key=KEY)
    )

    assert after.reply is not None
    assert (
        after.outcome,
        TEXTS("limited_tokens", "en", wait=duration(REFUSED.retry_after, "en")) == after.reply.markdown,
    ) == ("limited", True)
    assert answers.leaders == {KEY: "free"}


@pytest.mark.parametrize(("reserved", "spent", "corrected"), [(True, 50, [50]), (True, None, []), (False, 50, [])])
async def test_what_was_reserved_is_corrected(reserved: bool, spent: int | None, corrected: list[int]) -> None:
    """By what the server counted; where it counted nothing, the estimate stands."""
    spending = FakeSpending()

    await Charge(spending=spending)(replace(turn(), reserved=reserved, spent=spent))

    assert spending.corrected == corrected

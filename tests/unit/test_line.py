"""The line for the model: who has a place, who waits, and what a turn does that gets none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.errors import ModelBusy, ModelUnavailable
from bot.line import Line, places_for
from bot.message import MessageId
from bot.model import Completion
from bot.steps.answer import Answer
from bot.steps.place import Place
from bot.steps.rewrite import Rewrite
from bot.texts import Texts
from bot.turn import IN_LINE, AnswerKey, Exchange, Quoted
from tests.fakes.ports import FakeAnswers, FakeMeter
from tests.make import turn

A, B, C = (MessageId(name) for name in "abc")
KEY = AnswerKey("main", "k")


@pytest.mark.parametrize(
    ("providers", "workers", "places"), [(1, 64, 32), (2, 64, 48), (5, 64, 48), (1, 1, 1), (1, 2, 1), (2, 4, 3)]
)
def test_some_workers_are_never_at_the_model(providers: int, workers: int, places: int) -> None:
    """Half of them for each provider, three quarters for all together, and one if there is only one."""
    assert places_for(providers, workers) == places


def test_who_has_a_place_keeps_it_and_the_others_wait() -> None:
    """Until it is given up; what is given up twice is one place."""
    line = Line(1)

    entered = [line.enter(A, 1), line.enter(A, 1), line.enter(B, 2)]
    left = [line.leave(B, turned_away=False), line.leave(A, turned_away=False), line.leave(A, turned_away=False)]

    assert (entered, left) == ([True, True, False], [False, True, False])
    assert line.waits
    assert line.has_place


def test_a_free_place_is_not_for_who_came_later_than_somebody_in_line() -> None:
    """Whoever is at work already would always be quicker than one who must be claimed first."""
    line = Line(2)
    line.saw(10)

    assert [line.enter(A, 11), line.enter(B, 9)] == [False, True]
    line.saw(None)
    assert line.enter(A, 11)


def test_who_was_claimed_out_of_the_line_has_its_place() -> None:
    """Also if somebody else has taken one meanwhile."""
    line = Line(1)
    line.enter(A, 1)

    line.admit(B)

    assert (line.enter(B, 2), line.has_place) == (True, False)


def test_when_the_model_takes_no_more_nobody_is_claimed_until_a_place_falls_free() -> None:
    """Else whoever is in line would be claimed and turned away again and again."""
    line = Line(3)
    line.enter(A, 1)
    line.enter(B, 2)
    line.leave(B, turned_away=True)

    assert not line.has_place
    assert not line.enter(C, 3)
    line.leave(A, turned_away=False)
    assert line.has_place


def test_while_one_provider_is_away_one_more_is_tried_for_each_who_leaves() -> None:
    """Not all places anew: each who is turned away has been searched for in vain. With the provider all come back."""
    line = Line(4)
    names = [MessageId(str(number)) for number in range(20)]
    for name in names[:3]:
        line.admit(name)
    line.leave(names[2], turned_away=True)  # the model takes two

    line.leave(names[0], turned_away=False)
    tried: list[MessageId] = []
    while line.has_place:
        tried.append(names[3 + len(tried)])
        line.admit(tried[-1])
    line.leave(tried[-1], turned_away=True)

    assert (len(tried), line.has_place) == (2, False)
    for name in (names[1], tried[0]):
        line.leave(name, turned_away=False)
    for name in names[10:]:
        line.leave(name, turned_away=False)  # they had none
    assert [line.enter(name, 1) for name in names[10:15]] == [True] * 4 + [False]


async def test_who_gets_no_place_lines_up_and_makes_nobody_wait() -> None:
    """Who asked the same would wait for the whole line; they ask for themselves."""
    line, answers = Line(1), FakeAnswers(leaders={KEY: "telegram:1:1"})
    line.enter(A, 1)
    step = Place(line=line, answers=answers, asks_model=True)
    searched = replace(turn(), epoch=1, question_key=KEY, leads=True)
    searched = replace(searched, incoming=replace(searched.incoming, id=MessageId("telegram:1:1")))

    assert (await step(searched)).wait == IN_LINE
    assert answers.leaders == {KEY: "free"}


async def test_before_the_search_only_what_no_stored_answer_can_serve_lines_up() -> None:
    """The others may find one. Without a model nobody waits for it."""
    line = Line(1)
    line.enter(A, 1)
    step, none = (Place(line=line, answers=FakeAnswers(), asks_model=asks) for asks in (True, False))

    assert (await step(turn())).wait == IN_LINE
    assert (await step(replace(turn(), question_key=KEY))).wait is None
    assert (await none(replace(turn(), epoch=1))).wait is None


class Refusing:
    """A model that raises."""

    def __init__(self, error: ModelUnavailable) -> None:
        self.error = error

    async def complete(self, messages: object, *, max_tokens: int | None = None) -> Completion:
        """Raise."""
        raise self.error


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (ModelBusy("full", called=False), []),
        (ModelUnavailable("left alone", called=False), []),
        (ModelUnavailable("HTTP 500"), [("model", "failed")]),
        (ModelBusy("one failed, the other is full"), [("model", "failed")]),
    ],
)
async def test_a_call_that_was_never_made_is_not_counted(error: ModelUnavailable, counted: list[object]) -> None:
    """Neither of the answer nor of the small call for a follow-up."""
    meter, model = FakeMeter(), Refusing(error)
    answer = Answer(
        model=model,
        quote=lambda *_: Quoted(""),
        answers=FakeAnswers(),
        persona="",
        name="Desk",
        texts=Texts.load(),
        meter=meter,
    )

    after = await answer(replace(turn(), epoch=1))
    await Rewrite(model=model, meter=meter)(
        replace(turn(), leans=True, history=(Exchange(question="q", answer="a", tokens=1),))
    )

    assert meter.counted == counted * 2
    assert (after.wait == IN_LINE) == isinstance(error, ModelBusy)

"""The judge of the soak run finds what was planted: loss, doubles, disorder, and calls nothing of it that is none."""

from __future__ import annotations

import math

import pytest

from bench.soak_check import Asked, Seen, Window, check, slope, waits


def asked(*names: str, parts: int = 1, conversation: str = "talk") -> dict[str, Asked]:
    """Messages of one conversation, written a second apart."""
    return {
        name: Asked(id=name, conversation=conversation, about=name, parts=parts, at=float(at))
        for at, name in enumerate(names)
    }


def seen(*parts: tuple[str, int, float]) -> list[Seen]:
    """What reached the platform."""
    return [Seen(id=name, part=part, at=at) for name, part, at in parts]


def test_nothing_is_found_where_nothing_is_wrong() -> None:
    """Every part once, in order."""
    verdict = check(asked("a", "b", parts=2), seen(("a", 0, 1), ("a", 1, 2), ("b", 0, 3), ("b", 1, 4)), [])

    assert (verdict.lost, verdict.doubled, verdict.disordered) == ({}, [], [])


def test_a_missing_answer_and_a_missing_part_are_lost() -> None:
    """Named with the parts that are missing."""
    verdict = check(asked("a", "b", parts=3), seen(("a", 0, 1), ("a", 2, 2)), [])

    assert verdict.lost == {"a": [1], "b": [0, 1, 2]}


@pytest.mark.parametrize(
    ("window", "why"),
    [
        (Window(id="a", part=0, at=2.0, why="killed"), "killed"),
        (Window(id="a", part=None, at=2.0, why="no answer"), "no answer"),
        (Window(id="a", part=1, at=2.0, why="another part"), None),
        (Window(id="b", part=0, at=2.0, why="another message"), None),
        (Window(id="a", part=0, at=-100.0, why="long before"), None),
        (Window(id="a", part=0, at=9.0, why="after the second copy"), None),
    ],
)
def test_a_double_is_explained_by_its_own_window_alone(window: Window, why: str | None) -> None:
    """Of the same message and part, after the first copy left and before the second came."""
    verdict = check(asked("a"), seen(("a", 0, 1), ("a", 0, 5)), [window])

    assert [double.why for double in verdict.doubled] == [why]
    assert len(verdict.unexplained) == (why is None)


def test_one_window_does_not_explain_a_third_copy_long_after() -> None:
    """Each copy needs a reason of its own near the one before it."""
    window = Window(id="a", part=0, at=2.0, why="killed")
    verdict = check(asked("a"), seen(("a", 0, 1), ("a", 0, 5), ("a", 0, 300), ("a", 0, 301)), [window])

    assert [double.why for double in verdict.doubled] == ["killed", "killed", None]


def test_an_answer_that_overtakes_another_is_out_of_order() -> None:
    """Within a conversation; a part that comes again is a double and no disorder."""
    both = asked("a", "b") | asked("c", conversation="other")
    verdict = check(both, seen(("c", 0, 0), ("b", 0, 1), ("a", 0, 2), ("b", 0, 3)), [])

    assert verdict.disordered == [("a", "b")]
    assert len(verdict.unexplained) == 1


def test_parts_that_change_places_are_out_of_order() -> None:
    """The second before the first."""
    assert check(asked("a", parts=2), seen(("a", 1, 1), ("a", 0, 2)), []).disordered == [("a", "a")]


def test_what_the_platform_brought_late_may_be_answered_late() -> None:
    """It had no word for the earlier message when it brought the later one, whenever that one was taken."""
    late = asked("a", "b")
    late["a"].taken_at, late["b"].taken_at = 60.0, 120.0
    in_time = asked("a", "b")
    in_time["a"].taken_at, in_time["b"].taken_at = 0.5, 2.0
    came = seen(("b", 0, 3), ("a", 0, 61))

    assert check(late, came, []).disordered == []
    assert check(in_time, came, []).disordered == [("a", "b")]


def test_waits_are_until_the_first_part_and_calm_is_by_when_it_was_written() -> None:
    """Trouble after the writing does not make a message leave the figure."""
    came = seen(("a", 0, 1), ("a", 1, 9), ("b", 0, 4))

    everything = waits(asked("a", "b", "c", parts=2), came)
    calm = waits(asked("a", "b", "c", parts=2), came, [0.5, 20.0], 2.0)

    assert (everything.number, everything.p50, everything.longest) == (2, 2.0, 3.0)
    assert (calm.number, calm.longest) == (1, 1.0)


def test_a_leak_has_a_slope_and_a_level_line_has_none() -> None:
    """36 MB an hour, sampled each 10 s with a ripple of 2 MB."""
    leak = slope([(at, 100 + at / 100 + at % 20 / 10) for at in range(0, 1200, 10)])
    level = slope([(at, 100 + at % 20 / 10 + at // 60 % 2 / 10) for at in range(0, 1200, 10)])

    assert leak is not None
    assert leak.per_hour == pytest.approx(36)
    assert not leak.within_noise
    assert level is not None
    assert level.within_noise
    assert slope([(0, 1.0), (60, 1.0), (120, 1.0), (180, 1.0)]) is None


def test_one_step_of_the_heap_is_no_growth_and_five_are() -> None:
    """Steps without any scatter around them: the standard error alone would take each for growth."""
    one, five = (
        slope([(at, 100 + 0.135 * min(most, at * (most + 1) // 1200)) for at in range(0, 1200, 10)]) for most in (1, 5)
    )

    assert one is not None
    assert one.per_hour > 0.5
    assert one.within_noise
    assert five is not None
    assert not five.within_noise


def test_memory_that_drifts_is_not_taken_for_one_that_scatters() -> None:
    """The same 20 minutes: in order each resembles the one before, so less is known of the slope."""
    drift = [100 + math.sin(minute / 3) for minute in range(20)]
    scatter = sorted(drift, key=lambda size: size * 1e6 % 7)

    drifting, scattering = (slope([(60.0 * n, size) for n, size in enumerate(sizes)]) for sizes in (drift, scatter))

    assert drifting is not None
    assert scattering is not None
    assert drifting.noise > 2 * scattering.noise

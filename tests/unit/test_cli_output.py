"""How far an ingest is, as the command line tells it."""

from __future__ import annotations

import pytest

from bot.cli_output import PACE_WINDOW, Pace, progress_bar, progress_text
from bot.knowledge.progress import Progress


def at(share: float, passages: int, *, done: int = 1) -> Progress:
    """Of ten files."""
    return Progress(done=done, total=10, passages=passages, share=share, path="[red]a.md")


def test_rate_and_time_left_are_those_of_late() -> None:
    """A thousand unchanged files in the first second promise nothing about the new ones after them."""
    pace = Pace(100.0)
    pace.add(101.0, at(0.5, 0))
    for second in range(2, 100):
        pace.add(100.0 + second, at(0.5 + second / 1000, second * 20))

    assert pace.passages_per_second == pytest.approx(20, rel=0.05)
    assert pace.seconds_left == pytest.approx(401, rel=0.05)
    assert progress_text(at(0.599, 1980), pace) == "1/10 documents, 1980 passages, 20/s, 0:06:41 left"


def test_before_anything_happened_nothing_is_promised() -> None:
    """Neither a rate nor a time."""
    pace = Pace(0.0)
    pace.add(PACE_WINDOW, at(0.0, 0, done=0))

    assert progress_text(at(0.0, 0, done=0), pace) == "0/10 documents, 0 passages"


def test_without_a_terminal_it_is_told_in_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """Now and then one, plain, on standard error."""
    seconds = iter([0.0, 0.0, 1.0, 11.0, 12.0, 22.0])

    with progress_bar(lambda: next(seconds)) as show:
        for part in range(1, 5):
            show(at(part / 4, part * 10, done=part))

    captured = capsys.readouterr()
    assert captured.err == (
        "2/10 documents, 20 passages, 2/s, 0:00:11 left\n4/10 documents, 40 passages, 2/s, 0:00:00 left\n"
    )
    assert captured.out == ""


def test_in_a_terminal_there_is_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """With the file's name as it is, whatever is in it."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "160")

    with progress_bar() as show:
        show(at(0.5, 20))

    assert "1/10 documents, 20 passages" in capsys.readouterr().err

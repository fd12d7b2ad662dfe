"""The places at the model of one process, and who gets them: the oldest first.

A turn that needs the model takes a place or lines up in Redis (`IN_LINE`), where it holds no worker. A place that falls
free goes to the oldest in line: the worker claims it out of there. Whoever comes later lines up too, else a newcomer
who is already at work would always be quicker. So each question is searched for twice at the most, and answers come
in the order of the questions, but for as many as are in work at once.
"""

from __future__ import annotations

from bot.message import MessageId


def places_for(providers: int, workers: int) -> int:
    """Places: as many as all providers take, which is half of the workers each; a quarter of the workers stays free.

    Those answer who needs no model, and find out who does.
    """
    return max(1, min(providers * (workers // 2), workers * 3 // 4))


class Line:
    """Counts places. Knows those in line only by what the last claim saw; a wrong guess costs one search more.

    How many turns the model takes is learned: one provider of two may be away. Who is turned away shows that it takes
    no more than those who are with it; each who leaves otherwise lets one more try.

    Args:
        places: turns that may be at the model at once, > 0.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._holders: set[MessageId] = set()
        self._room = places
        self._oldest_ms: int | None = None

    @property
    def has_place(self) -> bool:
        """Somebody in line may be claimed."""
        return len(self._holders) < self._room

    @property
    def waits(self) -> bool:
        """Somebody is in line."""
        return self._oldest_ms is not None

    def saw(self, oldest_ms: int | None) -> None:
        """What a claim saw: the arrival of the oldest in line, Unix ms; None: nobody is."""
        self._oldest_ms = oldest_ms

    def enter(self, message: MessageId, arrived_ms: int) -> bool:
        """Take a place, unless all are taken or somebody older waits. Who has one keeps it."""
        if message in self._holders:
            return True
        older_waits = self._oldest_ms is not None and self._oldest_ms < arrived_ms
        if not self.has_place or older_waits:
            self._oldest_ms = min(arrived_ms, self._oldest_ms or arrived_ms)
            return False
        self._holders.add(message)
        return True

    def admit(self, message: MessageId) -> None:
        """Who was claimed out of the line has the place that was free when it was asked for."""
        self._holders.add(message)

    def leave(self, message: MessageId, *, turned_away: bool) -> bool:
        """Give the place up; False: it had none.

        `turned_away`: the model took no more calls, so there are fewer places than we thought.
        """
        if message not in self._holders:
            return False
        self._holders.remove(message)
        if turned_away:
            self._room = max(1, min(self._room, len(self._holders)))
        else:
            self._room = min(self._places, self._room + 1)
        return True

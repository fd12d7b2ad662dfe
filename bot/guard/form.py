"""What a question is reduced to before it is compared: the kind of question, its auxiliary, its words in order.

Two questions are the same if their forms are. All that matters stays in the words and in their order: names, numbers,
negations, prepositions. What is taken out or mapped onto one spelling is listed word by word in the tables of the two
languages, so a word that nobody thought of makes two questions differ, never agree.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A question, reduced.

    Attributes:
        asks: the kind of question (`how`, `price`, `怎么`); empty for a statement.
        mode: auxiliary and its negation (`can`, `was not`); empty where it makes no difference.
        words: the rest in order, each in its one spelling; quantities as `n:5`, `u:kg`, `time:15:00`.
        owners: whose things are spoken of (`my`, `your`), if only one side's; otherwise they stand among the words.
    """

    asks: str
    mode: str
    words: tuple[str, ...]
    owners: frozenset[str] = frozenset()

    def same_owners(self, other: Form) -> bool:
        """Whether no one speaks of "my" where the other speaks of "your": "the" goes with both."""
        return not self.owners or not other.owners or self.owners == other.owners

    def same_asks(self, other: Form) -> bool:
        """Whether both ask the same; "when" goes with the time of day and with the day, these two not together."""
        return self.asks == other.asks or {self.asks, other.asks} in _MOMENTS


_MOMENTS = ({"when", "time"}, {"when", "day"}, {"何时", "几点"}, {"何时", "几号"})

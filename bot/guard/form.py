"""What a question is reduced to before it is compared: the kind of question, its auxiliary, its words in order.

Two questions are the same if their forms are. All that matters stays in the words and in their order: names, numbers,
negations, prepositions. What is taken out or mapped onto one spelling is listed word by word in the tables of the two
languages, so a word that nobody thought of makes two questions differ, never agree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A question, reduced.

    Attributes:
        asks: the kind of question (`how`, `price`, `怎么`); empty for a statement.
        mode: auxiliary and its negation (`can`, `was not`); empty where it makes no difference.
        words: the rest in order, each in its one spelling; quantities as `n:5`, `u:kg`, `time:15:00`.
        owners: whose things are spoken of (`my`, `our`, `your`), if only one side's; else they stand among the words.
        single: nouns after "a" or "an".
        plural: nouns in the plural, if nothing says which ones.
    """

    asks: str
    mode: str
    words: tuple[str, ...]
    owners: frozenset[str] = frozenset()
    single: frozenset[str] = frozenset()
    plural: frozenset[str] = frozenset()

    def same_count(self, other: Form) -> bool:
        """Whether neither speaks of one ("a guest") where the other speaks of any number ("guests").

        Nor one of "my dog" where the other speaks of "a dog": who may keep his own may not keep any.
        How long it takes to get a visa, visas take; and if there is a discount, there are discounts.
        """
        differing = self.single & other.plural | other.single & self.plural
        if self.asks == "is there":
            differing -= {self.words[-1]} if self.words else set()
        if self.asks in _OF_ONE_S_OWN and self.owners != other.owners and (self.single ^ other.single):
            return False
        return self.asks == "how long" or not differing

    def same_owners(self, other: Form) -> bool:
        """Whether no one speaks of "my" where the other speaks of "your": "the" goes with both."""
        return not self.owners or not other.owners or self.owners == other.owners

    def same_asks(self, other: Form) -> bool:
        """Whether both ask the same.

        "When" asks for a time of day only where it is of every day: a shop opens at nine, a fair opens in May. What is
        possible may be forbidden, so the two go with "can" but not together; what is "had" or "offered" is there only
        if it is a service.
        """
        pair = {self.asks, other.asks}
        if len(pair) == 1 or pair in _ALIKE:
            return True
        return pair in _MOMENTS and bool(_DAILY.search(" ".join(self.words)))


_OF_ONE_S_OWN = ("may", "possible", "allowed", "need", "must")
_ALIKE = ({"may", "possible"}, {"may", "allowed"})
_MOMENTS = ({"when", "time"}, {"何时", "几点"})
_DAILY = re.compile(
    r"""
      ^(?:(?:you|shop|store|office|branch|library|bank|canteen|restaurant|reception|bar|pharmacy|bakery|supermarket|
          cafe|gym|post\soffice)\s)?(?:open|close)(?:\s(?:on\s)?(?:\w+day|weekend|today|tomorrow))?$
    | ^(?:check-in|check-out|breakfast|lunch|dinner)$
    | ^(?:wd:\d\s)?(?:你|你们|图\s书\s馆|银\s?行|超\s市|商\s店|店|药店|食\s堂|餐厅|前\s台|网\s点|邮\s局)?\s?
      (?:开\s?门|关\s?门|营\s业|打\s烊)$
    """,
    re.VERBOSE,
)

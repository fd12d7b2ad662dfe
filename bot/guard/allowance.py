"""Differences that two forms may have and still be the same question: what can only be seen with both at hand.

A joiner more in a long statement, the members of a list in another order, a slip of the keyboard. Each is bounded: the
rest must agree word by word.
"""

from __future__ import annotations

from difflib import SequenceMatcher

from bot.guard.chinese_words import JOINERS, LINKS, LIST_BEGINS_AFTER, LIST_WORDS, PAST, PRONOUNS
from bot.guard.english_words import VOCABULARY
from bot.guard.form import Form
from bot.guard.table import words

MIN_STATEMENT_WORDS = 12
"""From here on a statement has enough words of its own for its joiners to say nothing more. Questions never have."""
MAX_JOINERS = 4
MAX_SHARED_CHARS = 6
"""How far the members of a list may begin or end alike."""
MIN_TYPO_CHARS = 6
_REAL_WORDS = words(
    """
    access excess accept except affect effect adapt adopt advice advise assure insure ensure assurance
    insurance contact contract contrast casual causal conservation conversation complement compliment
    complimentary complementary desert dessert device devise diary dairy emigrate immigrate expand expend
    formally formerly later latter loose lose marital martial moral morale personal personnel precede
    proceed principal principle quiet quite sacred scared stationary stationery stimulant trial trail united
    untied weather whether weekly weakly hoping hopping planed planned staring starring filing filling
    rating ratting coma comma super supper below bellow tiling tilling canvas canvass career carrier council
    counsel patent patient permission persimmon prescribe proscribe prescription proscription reality realty
    respectfully respectively statue statute treaty treatly deposition disposition perspective prospective
    eligible illegible incite insight allusion illusion infect inflect inflict county country costume custom
    customer customers charge change charger changer cancer cancel dinning dining angel angle barley barely
    """
)
"""Pairs one slip apart that are both words."""


def allowed(one: Form, other: Form, language: str, stored: str, asked: str) -> bool:
    """Whether what the forms differ in is one of the allowed differences.

    Args:
        one: of the stored question.
        other: of the one asked.
        language: of both.
        stored: the stored text, folded, in simplified script.
        asked: the text asked, likewise.
    """
    if one.mode != other.mode or not one.same_asks(other) or not one.same_owners(other) or not one.same_count(other):
        return False
    if language == "en":
        return _a_slip(one.words, other.words)
    return (not one.asks and _joiners(one.words, other.words)) or same_list(stored, asked)


def _joiners(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether only joiners are left out or put in, in a long statement."""
    if min(len(one), len(other)) < MIN_STATEMENT_WORDS or abs(len(one) - len(other)) > MAX_JOINERS:
        return False
    joiners = JOINERS | PAST if "u:year" in one and "u:year" in other else JOINERS
    changes = 0
    for _, start, end, begin, stop in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
        gone, come = set(one[start:end]), set(other[begin:stop])
        if one[start:end] == other[begin:stop]:
            continue
        changes += max(end - start, stop - begin)
        if not gone | come <= joiners or (
            gone and come and not (gone | come <= LINKS | PRONOUNS and (gone <= LINKS or come <= LINKS))
        ):
            return False
    return changes <= MAX_JOINERS


def same_list(one: str, other: str) -> bool:
    """Whether two texts differ only in the order of a list (`甲、乙和丙`) whose beginning is sure.

    The list must begin the text or a clause, or follow a word that takes all of it (`在`, `从`): in `国王甲和乙` only
    one of the two is king. Nothing in the text may number its members (`分别`), nothing in a member may belong to it
    alone (`的`).
    """
    if (
        one == other
        or len(one) != len(other)
        or sorted(one) != sorted(other)
        or any(word in one for word in LIST_WORDS)
    ):
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=True)) if a != b), len(one))
    end = next(at for at in range(len(one)) if one[-1 - at] != other[-1 - at])
    for left in range(start, max(-1, start - MAX_SHARED_CHARS), -1):
        if left and one[left - 1] not in LIST_BEGINS_AFTER:
            continue
        for right in range(end, max(-1, end - MAX_SHARED_CHARS), -1):
            members, others = (_members(text[left : len(text) - right]) for text in (one, other))
            if right and one[len(one) - right] == "的":
                continue
            if len(members) > 1 and members != others and sorted(members) == sorted(others):
                return not any("的" in member or "," in member for member in members)
    return False


def _members(text: str) -> list[str]:
    for joiner in ("以及", "和", "与", "及"):
        text = text.replace(joiner, "、")
    return text.split("、")


def _a_slip(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    """Whether a single word differs, by one slip of the keyboard."""
    if len(one) != len(other):
        return False
    pairs = [(a, b) for a, b in zip(one, other, strict=True) if a != b]
    return len(pairs) == 1 and is_slip(*pairs[0])


def is_slip(one: str, other: str) -> bool:
    """Whether one word is the other with two neighbours exchanged, or one letter inside doubled, lost or added.

    Exactly one of them must be a word we know: two words that we know, or two that we do not, may be two things.
    """
    long, short = (one, other) if len(one) >= len(other) else (other, one)
    if (
        len(short) < MIN_TYPO_CHARS - 1
        or len(long) < MIN_TYPO_CHARS
        or not (long + short).isalpha()
        or not long.isascii()
    ):
        return False
    if (long in VOCABULARY) == (short in VOCABULARY) or long in _REAL_WORDS or short in _REAL_WORDS:
        return False
    if long[0] != short[0] or long[-1] != short[-1]:
        return False
    if len(long) == len(short):
        differing = [at for at, (a, b) in enumerate(zip(long, short, strict=True)) if a != b]
        return (
            len(differing) == 2
            and differing[1] == differing[0] + 1
            and long[differing[0]] == short[differing[1]]
            and long[differing[1]] == short[differing[0]]
        )
    return len(long) == len(short) + 1 and any(long[:at] + long[at + 1 :] == short for at in range(1, len(long) - 1))

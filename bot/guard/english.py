"""An English question, reduced to its form.

Order: contractions, politeness, quantities, the head of the question, its auxiliary, then word by word: phrases,
spellings, plurals, -ing forms. Articles go, "my" and "your" are noted; prepositions stay, for they carry direction.
"""

from __future__ import annotations

import re
from itertools import pairwise

from bot.guard.english_frames import reworded
from bot.guard.english_heads import AUXILIARIES, head, stripped
from bot.guard.english_nouns import ADJECTIVES, LABELLED, OBJECT_BEGINS, PLURALS, SERVICES, TELLS_WHICH
from bot.guard.english_words import (
    ABOUT,
    CHARGES,
    COMPOUND_HEADS,
    DROPPED,
    FEE_FOR,
    FIND_FIRST,
    KEEP_ING_AFTER,
    NOT_PLURAL,
    PARTICLE_VERBS,
    PASSIVE,
    PHRASES,
    PREPOSITIONS,
    SAME,
    SENT,
    VERBS,
)
from bot.guard.form import Form
from bot.guard.quantity import spell_quantities
from bot.spelling import fold, names_by_case

_CONTRACTIONS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\bcan'?t\b|\bcannot\b", "can not"),
        (r"\bwon'?t\b(?<!wont\b)|\bwon't\b", "will not"),
        (r"\bshan't\b", "shall not"),
        (r"\b(is|are|was|were|do|does|did|has|have|had|would|could|should|must|need)n'?t\b", r"\1 not"),
        (r"\b(what|where|who|how|when|why|that|there|it|he|she|here|long|which)'s\b", r"\1 is"),
        (r"\b(what|where|who|how|when)s\b(?= (?:the|my|your|a)\b)", r"\1 is"),
        (r"\b(i|you|we|they|he|she|it|what|who)'(?:d)\b", r"\1 would"),
        (r"\b(i|you|we|they|what|who)'ll\b", r"\1 will"),
        (r"\b(you|we|they)'re\b", r"\1 are"),
        (r"\b(i|you|we|they)'ve\b", r"\1 have"),
        (r"\b(?:i'm|im)\b", "i am"),
    )
)
_TOKEN = re.compile(
    r"(?:n|u|money|time|date|ord):\S+|[a-z0-9]+(?:['.,:/_@&-]+[a-z0-9]+)*(?:\+\+|#|\+)?|\.[a-z]+|[^\s\w,.!?;:\"()-]|[^\W_]|\|"
)
_CAPITALISED = re.compile(r"(?<=[a-z,;:)] )[A-Z]\w*s\b|\b[A-Z]{2,}S\b")
_DAYS = frozenset(f"{day}days" for day in ("mon", "tues", "wednes", "thurs", "fri", "satur", "sun"))
_VOWEL = re.compile("[aeiouy]")
_SENTENCE_END = re.compile(r"(?<![.!?;])[.!?;]+\s+(?=\S)")
_WITHOUT_AUXILIARY = (
    *("may", "possible", "allowed", "must", "should", "need", "what to do", "is there", "have", "offer", "price"),
)
_CAPITAL_A = re.compile(r"(?<=[\w,] )A\b(?!['’&/+.@-]?\w)")
_LABEL_A = re.compile(
    r"(?i)(?<!\bthe )(?<!\bmy )(?<!\byour )(?<!\bthis )(?<!\ba )"
    rf"\b((?:{'|'.join(sorted(LABELLED))}) )a\b(?!['’&/+.@-]?\w)|(?<=\w )a(?=\s*[?!.,;]*$)"
)
_PAUSE = re.compile(r"^(no|yes|not)\s*,")


def english_form(question: str) -> Form:
    """The form of a question, as it is written."""
    names = _names(question)
    text = " ".join(fold(_marked(question)).split())
    for pattern, replacement in _CONTRACTIONS:
        text = pattern.sub(replacement, text)
    single, plural = _counted(_TOKEN.findall(text))
    text, whether = stripped(_PAUSE.sub(r"\1 |", text))
    text = reworded(_SENTENCE_END.sub(" | ", text))
    asks, rest = head(text)
    tokens = _TOKEN.findall(spell_quantities(rest))
    mode, tokens = _mode(asks, tokens, inverted=not whether)
    if not asks and whether:
        asks, mode = ("may", mode[3:]) if mode.startswith("can") else (asks, mode)
    words, owners = _owners(_spelled(tokens, names))
    if asks in ("have", "offer") and _head_noun(words) in SERVICES:
        asks = "is there"
    mode, words = _passive(asks, mode, words)
    words = _ordered(asks, _about(words))
    if asks == "price" and _is_fee_for_it(words):
        words = words[:-1]
    if asks == "price" and words == ["shipping"]:
        words = ["delivery"]
    return Form(asks=asks, mode=mode, words=tuple(words), owners=owners, single=single, plural=plural)


def _marked(question: str) -> str:
    """With `@name` at the words that their capital makes names, and `letter-a` where A is no article."""
    for _, end in reversed(names_by_case(question)):
        question = f"{question[:end]}@name{question[end:]}"
    if not question.isupper():
        question = _CAPITAL_A.sub("letter-a", question)
    return _LABEL_A.sub(lambda match: f"{match[1] or ''}letter-a", question)


def _counted(tokens: list[str]) -> tuple[frozenset[str], frozenset[str]]:
    """The nouns after "a", and those that are plural with nothing before them that says which.

    "A guest" may be one at most, "guests" are any number. Three words after "a" are looked at, up to a preposition.
    """
    single: set[str] = set()
    plural: set[str] = set()
    seen = 0
    for at, token in enumerate(tokens):
        if token in ("a", "an"):
            for seen in range(at + 1, min(at + 4, len(tokens))):
                word = tokens[seen]
                # "a locker costs": a verb
                if word in PREPOSITIONS or word in AUXILIARIES or _is_plural(word):
                    break
                single.add(_word(word, ""))
        elif at > seen and not TELLS_WHICH & {*tokens[max(at - 2, 0) : at]} and (token in PLURALS or _is_plural(token)):
            plural.add(_word(token, ""))
    return frozenset(single), frozenset(plural)


def _is_plural(token: str) -> bool:
    return token.endswith("s") and token not in NOT_PLURAL and _word(token, "") in (_singular(token), SAME.get(token))


def _head_noun(words: list[str]) -> str:
    """The last word before the first preposition."""
    end = next((at for at, word in enumerate(words) if word in PREPOSITIONS), len(words))
    return words[end - 1] if end else ""


def _is_fee_for_it(words: list[str]) -> bool:
    """Whether the fee at the end is the price of what stands before it."""
    if len(words) < 2 or words[-1] not in CHARGES:
        return False
    return words[-2] in FEE_FOR or words[-2].endswith(("tion", "ment")) or (len(words) > 2 and words[0] in VERBS)


def _names(question: str) -> frozenset[str]:
    """Words written like names, in lower case: an "s" at their end is part of them. Not in a text all in capitals."""
    if question.isupper():
        return frozenset()
    return frozenset(name.casefold() for name in _CAPITALISED.findall(question)) - _DAYS


def _mode(asks: str, tokens: list[str], *, inverted: bool) -> tuple[str, list[str]]:
    """The auxiliary of the question, with "not" beside it, taken out of the words; and the asker as its subject."""
    at = _auxiliary_at(asks, tokens, inverted=inverted)
    if at is None:
        negated = tokens[:1] == ["not"]
        rest = tokens[1:] if negated else tokens
        default = "do" if asks in ("why", "when", "time", "day", "who", "what") else ""
        return f"{default}{' not' if negated else ''}".strip(), _without_asker(rest, asks)
    mode = AUXILIARIES[tokens[at]]
    rest = tokens[:at] + tokens[at + 1 :]
    negation = _negation_at(rest, at)
    if negation is not None:
        rest = rest[:negation] + rest[negation + 1 :]
        mode += " not"
    if rest[at : at + 1] == ["i"]:
        rest = rest[:at] + rest[at + 1 :]
    return mode, rest


def _auxiliary_at(asks: str, tokens: list[str], *, inverted: bool) -> int | None:
    if asks in _WITHOUT_AUXILIARY:
        return None
    if asks == "how long" or (asks == "" and inverted):
        return 0 if tokens and tokens[0] in AUXILIARIES else None
    for at, token in enumerate(tokens[:7]):
        if token in FIND_FIRST and at:
            return None
        if token in AUXILIARIES:
            return at
    return None


def _negation_at(rest: list[str], at: int) -> int | None:
    """Where a "not" stands that belongs to the auxiliary, if it is the only negation and contrasts nothing."""
    if rest[at : at + 1] == ["not"]:
        return at
    if {"but", "or", "and", "only", "all", "every", "no", "never", "without", "|"} & set(rest) or rest.count(
        "not"
    ) != 1:
        return None
    where = rest.index("not")
    following = rest[where + 1 : where + 2]
    close = where - at <= 3 and not {"if", "when", "that"} & set(rest[:where])
    plain = bool(following) and following[0] not in PREPOSITIONS and not following[0].endswith("ed")
    return where if close and plain else None


def _without_asker(tokens: list[str], asks: str) -> list[str]:
    return tokens[1:] if asks and tokens[:1] == ["i"] and asks not in ("what if", "what to do") else tokens


def _spelled(tokens: list[str], names: frozenset[str]) -> list[str]:
    """Phrases, spellings, plurals and -ing forms in their one form; articles and politeness gone."""
    words: list[str] = []
    at = 0
    tokens = _particles(tokens)
    while at < len(tokens):
        for phrase, target in PHRASES.get(tokens[at], ()):
            if tuple(tokens[at : at + len(phrase)]) == phrase:
                words += target
                at += len(phrase)
                break
        else:
            token = tokens[at]
            if token not in DROPPED:
                words.append(token if token in names else _in_place(tokens, at, words[-1] if words else ""))
            at += 1
    return words


def _particles(tokens: list[str]) -> list[str]:
    """`turn notifications off` as `turn off notifications`."""
    for at, token in enumerate(tokens):
        if token in ("turn", "switch", "send", "give"):
            for end in range(at + 2, min(at + 6, len(tokens))):
                if tokens[end] in PREPOSITIONS and (token, tokens[end]) not in PARTICLE_VERBS:
                    break
                last = end + 1 == len(tokens) or tokens[end + 1] in PREPOSITIONS
                if (token, tokens[end]) in PARTICLE_VERBS and last:
                    verb = PARTICLE_VERBS[token, tokens[end]]
                    return [*tokens[:at], verb, *tokens[at + 1 : end], *tokens[end + 1 :]]
    return tokens


def _in_place(tokens: list[str], at: int, before: str) -> str:
    """The one spelling of the word, as its neighbours have it: `the training` is a noun, `training the dog` none."""
    token = tokens[at]
    following = tokens[at + 1] if at + 1 < len(tokens) else ""
    if at and tokens[at - 1] in ("the", "a", "an", "my", "your", "our"):
        return f"{token}-one" if token in ADJECTIVES else _word(token, before)
    return _word(token, before, following)


def _word(token: str, before: str, following: str = "") -> str:
    """Its one spelling. An -ing form is a verb only with an object whose article shows: `training` is no `train`."""
    if ":" in token or token in NOT_PLURAL:
        return SAME.get(token, token)
    token = SAME.get(token, token)
    if len(token) > 5 and token.endswith("ing") and following in OBJECT_BEGINS and before not in KEEP_ING_AFTER:
        return _without_ing(token)
    if (
        len(token) > 3
        and token.endswith("s")
        and token.isalpha()
        and not token.endswith(("ss", "us", "is"))
        and _VOWEL.search(token)
    ):
        token = _singular(token)
    return SAME.get(token, token)


def _without_ing(token: str) -> str:
    stem = token[:-3]
    undoubled = stem[:-1] if len(stem) > 2 and stem[-1] == stem[-2] else stem
    for verb in (stem, stem + "e", undoubled):
        if verb in VERBS:
            return SAME.get(verb, verb)
    return token


def _singular(token: str) -> str:
    if token.endswith("ies"):
        return token[:-3] + "y"
    if token.endswith(("ches", "shes", "xes", "sses")):
        return token[:-2]
    return token[:-1]


def _owners(words: list[str]) -> tuple[list[str], frozenset[str]]:
    """Without "my", "our" or "your" if only one of them occurs; with both, it matters which stands where."""
    owners = frozenset(words) & {"my", "our", "your"}
    if len(owners) > 1:
        return words, frozenset()
    return [word for word in words if word not in owners], owners


def _passive(asks: str, mode: str, words: list[str]) -> tuple[str, list[str]]:
    """`which cards do you accept` and `which documents do I need`, in the passive."""
    if asks != "what" or mode != "do":
        return mode, words
    for at, (one, two) in enumerate(pairwise(words)):
        if one == "you" and two in PASSIVE and at:
            return "be", [*words[:at], PASSIVE[two], *words[at + 2 :]]
    if "need" in words[1:]:
        at = words.index("need", 1)
        return "be", [*words[:at], "needed", *words[at + 1 :]]
    return mode, words


def _about(words: list[str]) -> list[str]:
    """Verbs that are the same beside certain nouns."""
    for at, word in enumerate(words):
        for verb, same, nouns in ABOUT:
            if (
                word == verb
                and (word != "package" or at == 0 or words[at - 1] in SENT)
                and nouns & {*words[at + 1 : at + 5], *words[max(at - 2, 0) : at]}
                and "from" not in words[at + 1 :]
            ):
                words = [*words[:at], same, *words[at + 1 :]]
                break
    if "open" in words and "account" in words:
        words = [word for at, word in enumerate(words) if not (word == "up" and at and words[at - 1] == "open")]
    return words


def _ordered(asks: str, words: list[str]) -> list[str]:
    """Parts that may stand in any order, in one order."""
    words = _compound(words)
    if "between" in words and words.count("and") == 1:
        at, middle = words.index("between"), words.index("and")
        if at < middle and not PREPOSITIONS & set(words[at + 1 :]):
            pair = sorted((words[at + 1 : middle], words[middle + 1 :]))
            return [*words[: at + 1], *pair[0], "and", *pair[1]]
    if words.count("from") == words.count("to") == 1 and words.index("to") < words.index("from"):
        to, origin = words.index("to"), words.index("from")
        if not PREPOSITIONS & set(words[to + 1 : origin] + words[origin + 1 :]):
            return [*words[:to], *words[origin:], *words[to:origin]]
    return words


def _compound(words: list[str]) -> list[str]:
    """`fee for transfer` as `transfer fee`, if nothing follows and nothing else could be meant."""
    if len(words) < 3 or words[-2] not in ("of", "for", "on") or words[-3] not in COMPOUND_HEADS:
        return words
    if words[-1] in PREPOSITIONS or ":" in words[-1] or (len(words) > 3 and words[-4] in COMPOUND_HEADS):
        return words
    return [*words[:-3], words[-1], words[-3]]

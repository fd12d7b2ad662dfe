"""How an English question begins, and what kind of question that makes it.

The ways to ask one thing are many (`how can I`, `what is the way to`, `what do I have to do to`), and each ends where
the matter itself begins. A beginning that is in no rule stays among the words.
"""

from __future__ import annotations

import re

from bot.guard.english_words import VERBS

_I = "i"
"""The asker alone: what one, people or we may do is another question."""
_WH = (
    r"(?:how|what|when|where|why|who|whom|which|if|whether|can|could|may|do|does|did|is|are|am|was|were|will|would|should|"
    r"must|has|have)\b"
)
_BEGINS = (
    r"(?:please|pls|kindly|just|quick|sorry|excuse|hi|hello|good|thanks|i|i'm|i'd|we|my|the|this|there|team|support|all|everyone|let|tell|show|"
    r"any\sidea|someone|anyone|explain|a\squestion)\b"
)
_PREAMBLE = re.compile(
    rf"""
      (?:(?:hi|hello|hey|dear)\s(?:there|team|all|guys|support|everyone|folks)|hi|hello|hey|
         good\s(?:morning|afternoon|evening|day)|excuse\sme|just\swondering|
         sorry\sto\sbother\syou|quick\squestion|(?:just\s)?a?\s?question|please(?:\shelp)?|help|pls|plz|ok|okay|so|well|
         thanks|thank\syou|um|hmm|but|i\shave\sa\s(?:quick\s)?question|urgent|asap|fyi)\b
         (?:\s?[,!.:;]+\s*|\s-+\s|\s(?={_WH}|{_BEGINS}))
    | (?:(?:can|could|would|will)\s(?:you|anyone|anybody|somebody|someone)\s(?:please\s|kindly\s|just\s)*
         (?:tell|explain|show|advise|clarify|help)(?:\sto)?(?:\sme|\sus)?(?:\s(?:know|understand))?
       | (?:please\s|kindly\s)*(?:tell|show|explain\sto)\s(?:me|us) | please\s(?:explain|advise) | let\sme\sknow
       | i\s(?:would\slike|want|need|wish)\sto\s(?:know|ask|find\sout|understand|learn)
       | i\s(?:was|am|have\sbeen)\s(?:just\s)?wondering | i\swonder
       | do\s(?:you|anyone|anybody)\s(?:happen\sto\s)?know | (?:may|can|could)\si\s(?:please\s)?(?:ask|know)
       | would\syou\smind\s(?:telling|showing)\s(?:me|us)
       | any\sidea | (?:can|could|would)\syou\s(?:please\s)?let\sme\sknow | please\slet\sme\sknow
      )[\s,:]+(?={_WH}) (?:(?P<whether>if|whether)\s)?
    """,
    re.VERBOSE,
)
_SUFFIX = re.compile(
    r"(?:\s*[,.!?;:]\s*|\s-+\s)(?:asap|urgent|urgently|(?:it )?is urgent|very urgent|help|anyone)[\s.!?]*$|"
    r"(?<![\s,.!?;:-])[\s,.!?;:-]+(?:please|kindly|thanks(?: a lot| so much)?|many thanks|"
    r"thank you(?: very much| so much)?|thx|cheers|pls|plz|in advance|exactly|anyway|by any chance|if possible|"
    r"best regards|kind regards|regards|appreciate it|ty|please help|at all|in general)[\s.!?]*$"
)
_FRONTED = re.compile(
    rf"^((?:if|when|after|before|once|on|in|at|during|for|as|to|with|without|by|while|since|until|from)\s[^,?!.]{{3,90}}),\s*(?={_WH})"
    r"(?!if |is |are |was |were |has |have |did )(.+)$"
)
_TIME_FRONTED = re.compile(r"^((?:on|in|at|during) [^,?!.]{3,40}), (?=is |are |do |does |can )([^,]+)$")
_THEN_WHAT = re.compile(
    rf"^([^,?!.]{{5,90}})[,.]\s*(?:so\s|and\s)?what (?:should|do|can|must) {_I} do(?: now)?[\s?!.]*$"
    r"|^([^,?!.]{5,90})[,.]\s*what (?:now|to do)[\s?!.]*$"
)

_TAKEN = rf"(?: {_I} (?:have|need) to (?:take|follow))?"
_USUALLY = "(?:usually |normally |typically )?"
_CHARGE = "(?:fees?|deposit|rent|fare|price|cost)"
_BEST = r"(?:the |a |an )?(?:usual )?"
_DO = "|".join(sorted(VERBS))
_NOT_A_WISH = r"(?:\b(?:not|you|but|because|so|if|and|or|then|since|tomorrow|today|now|again)\b|[,.|])"
_HEADS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (asks, re.compile(rf"^(?:{pattern})(?!\S)"))
    for asks, pattern in (
        ("what to do", rf"what (?:should|do|can|must|shall|could) {_I} (?:have to |need to )?do(?= (?:if|when))"),
        ("what to do", r"what to do(?= (?:if|when))"),
        ("how", rf"what (?:do|should|must|can) {_I} (?:have to |need to )?do (?:in order )?to"),
        ("how", rf"how (?:do|can|could|would) {_I}(?: (?:go about|be able to|actually|best))?"),
        ("how", rf"how (?:to|{_I}(?: (?:can|could|would))?)"),
        ("how", rf"{_I} (?:want|would like|wish) to(?= (?:{_DO})\b)(?!.*{_NOT_A_WISH})"),
        ("how", rf"how (?:am|are) {_I} (?:supposed|meant) to"),
        ("how", rf"what (?:is|are) {_BEST}(?:way|method|procedure|process|steps?){_TAKEN} (?:to|for|of)"),
        ("why", r"what (?:is|are|was) the reasons? (?:why|that|for which)?"),
        ("why", r"what (?:is|are|was) the reason|how come|for what reason"),
        ("what if", r"what (?:happens|would happen|will happen) (?:if|when)|what if"),
        ("how long", rf"how long (?:does|do|will|would) it {_USUALLY}take(?: me| us)?(?: for| to)?"),
        ("how long", r"how long (?:until|till)"),
        ("price", r"how much (?:does|do|will|would) it cost(?: me| us)?(?: (?:to|for))?"),
        ("price", r"what (?:does|will|would) it cost(?: me| us)?(?: (?:to|for))?"),
        ("price", rf"how much (?:do|does) (?:you|{_I}) (?:charge|pay) for"),
        ("price", r"(?:how much|what) (?:is|are) the (?:price|cost)s? (?:of|for)"),
        ("price", r"how much (?:is|are)"),
        ("price", rf"what (?:is|are) (?:the|your)(?= (?:\w+ ){{0,2}}{_CHARGE}(?: (?:for|of|to)\b|$))"),
        ("where", rf"where (?:can|do|could|would) {_I} (?:find|see|locate)"),
        ("where", r"where (?:is|are)"),
        ("where to", rf"where (?:can|do|could|may) {_I}"),
        ("time", "time-when"),
        ("day", "day-when"),
        ("when", "when"),
        ("may", rf"(?:can|could|may|might) {_I}"),
        ("allowed", rf"am {_I} (?:allowed|permitted) to|is it (?:allowed|permitted|ok|okay|fine)(?: for me)? to"),
        ("possible", rf"am {_I} able to|is it possible(?: for me)? to|would it be possible(?: for me)? to"),
        ("must", rf"(?:do|does|would|will) {_I} (?:need|have) to|must {_I}"),
        ("must", r"is it (?:necessary|required|mandatory|compulsory|needed)(?: for me)? to"),
        ("must", rf"am {_I} (?:required|obliged|forced) to"),
        ("need", rf"do {_I} (?:need|require)(?: (?:a|an|any))?"),
        ("should", rf"(?:should|ought) {_I}(?: to)?"),
        ("is there", r"(?:is|are) there(?: (?:a|an|any))?"),
        ("have", r"do you have(?! to\b)(?: (?:a|an|any))?"),
        ("offer", r"do you offer(?! to\b)(?: (?:a|an|any))?"),
        ("how many", r"how many"),
        ("how often", r"how (?:often|frequently)"),
        ("how long", r"how long"),
        ("how much", r"how much"),
        ("how", r"how"),
        ("why", r"why"),
        ("who", r"whom?"),
        ("what", r"what|which"),
        ("where", r"where"),
    )
)
"""Kind of question, and how it begins; the first that fits."""
_TAKES = re.compile(r"^(?:do|does|will|would) (.+?) (?:usually |normally |typically )?take$")
_COSTS = re.compile(r"^(?:how much|what) (?:do|does|will|would) (?!it\b)(.+?) cost(?: me)?\b(.*)$")

AUXILIARIES = {
    **dict.fromkeys(("do", "does"), "do"),
    **dict.fromkeys(("is", "are", "am", "be"), "be"),
    **dict.fromkeys(("was", "were"), "was"),
    **dict.fromkeys(("has", "have"), "have"),
    **dict.fromkeys(("can", "could"), "can"),
    **{word: word for word in ("did", "had", "will", "would", "should", "may", "must", "shall", "might")},
}


def stripped(text: str) -> tuple[str, bool]:
    """The question without greetings, politeness and thanks, a clause in front put behind; whether `if` led it in."""
    whether = False
    for _ in range(6):
        preamble = _PREAMBLE.match(text)
        suffix = _SUFFIX.search(text)
        if preamble:
            whether = bool(preamble["whether"])
            text = text[preamble.end() :]
        elif suffix and suffix.start() > 3:
            text = text[: suffix.start()]
        else:
            break
    text = text.strip(" ,.!?;:-")
    then_what = _THEN_WHAT.match(text)
    if then_what and text.split()[0] not in ("if", "when", "after", "before", "no", "yes"):
        return f"what should i do if {then_what[1] or then_what[2]}", False
    fronted = _FRONTED.match(text) or _TIME_FRONTED.match(text)
    return (f"{fronted[2].strip(' ?.!')} {fronted[1]}" if fronted else text), whether


def head(text: str) -> tuple[str, str]:
    """The kind of question and what is left of it; no kind if it begins with an auxiliary or states something."""
    costs = _COSTS.match(text)
    if costs:
        return "price", costs[1] + costs[2]
    for asks, pattern in _HEADS:
        match = pattern.match(text)
        if match:
            rest = text[match.end() :].strip()
            takes = _TAKES.match(rest) if asks == "how long" else None
            return asks, takes[1] if takes else rest
    return "", text

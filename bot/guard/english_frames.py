"""English ways to ask one thing, rewritten into one of them before the head of the question is taken off.

Each line stands for a pattern of help desk questions. They are applied from top to bottom to the text in lower case,
contractions written out, politeness gone. `<do>` is a verb of `VERBS`, `<ing>` its -ing form, `<ed>` its participle; in
the replacement `<verb>` is that verb. Where a pattern could be said of two different matters it is not here.
"""

from __future__ import annotations

import re

from bot.guard.english_nouns import NOUN_OF_VERB, PLACES
from bot.guard.english_words import IRREGULAR, VERBS

_NOUN = r"(?:(?!not|no|only|all|or|and|but|if|when)[\w'-]+ ){0,3}?(?!not|no|only|all|or|and|but|if|when)[\w'-]+"
_HOURS = "(?:opening|business|office|working) (?:hours|times)|hours of operation"
_OF_TIME = (
    "deadline|due date|expiry date|expiration date|closing date|start date|end date|visiting hours|check-out time|"
    "check-in time"
)
_DONE = (
    "(?:paid|sent|stored|encrypted|collected|charged|billed|published|updated|released|processed|issued|credited|"
    "served|insured|recorded|shared|emptied|sold)\\b"
)
_TO_US = (
    "(?:refused|rejected|declined|blocked|charged|suspended|frozen|fired|terminated|revoked|tracked|recorded|"
    "stolen|lost|sued)\\b"
)
"""What is rather done to the asker than by the asker, so that the passive is another question."""
_PEOPLE = (
    "my|your|someone|somebody|anyone|anybody|people|users|guests|customers|employees|students|children|members|i|"
    "we|you|he|she|they"
)

_IN_A_SENTENCE = (
    r"\b(?:is|are|was|were|do|does|did|can|could|may|must|should|will|would|has|have|what|how|when|where|who|why|which|"
    r"i|you|we|my|your|not|no|if|without|to|for|of|on|in|from|with|and|or|the|a|an)\b"
)
_TABLE: tuple[tuple[str, str], ...] = (
    # named without asking
    *(
        (
            rf"^(?!.*{_IN_A_SENTENCE})((?:[a-z-]+ )+?){noun}(?: (?:procedure|process|steps|instructions|guide))$",
            rf"how to {verb} \1",
        )
        for noun, verb in NOUN_OF_VERB.items()
    ),
    (rf"^(?!.*{_IN_A_SENTENCE})([a-z -]{{2,30}}?) fees?$", r"how much is \1 fee"),
    # one way to say what many do
    (r"\bpay (?:by|with|using|via) (?:a |my )?((?:credit |debit )?card)\b", r"pay by \1"),
    (r"\b(?:make|schedule|arrange) (an? )?appointment\b", r"book \1appointment"),
    (r"^((?:my|the) [\w -]+?) (is|are) ([\w -]+), why$", r"why \2 \1 \3"),
    (r"^how (?:big|large) (?=is (?:the|my) (?:deposit|fee|rent|fine|discount)$)", "how much "),
    (r"^(?:what|how long) is (the|my|your) (warranty|guarantee|trial|notice|probation) period$", r"how long is \1 \2"),
    # wanting to know is no part of the question
    (
        (
            r"^(?:(?:can|could) you )?(?:explain|describe|outline|give me|show me|tell me) (?:the )?"
            r"(?:process|steps|procedure|way|instructions) "
        ),
        "steps ",
    ),
    (
        (
            r"^(?:i (?:want|need|would like|wish|am trying|am looking|have) to|i am going to|"
            r"i plan to) ([^.,|]+?)[.,|]+ ?(?:how|how do i|what do i do|how do i go about|what should i do|how can i)$"
        ),
        r"how to \1",
    ),
    (
        (
            r"^(?:i (?:do not|am not sure|have no idea|can not figure out|can not find out|could not find out|"
            r"am trying to figure out|am trying to find out|want to know|need to know|would like to know|"
            r"need instructions on|need to find out) (?:know )?)(?=how to )"
        ),
        "",
    ),
    (
        (
            r"^(?:(?:i need |need )?(?:some )?(?:help|assistance|instructions|guidance|advice|steps)|help me|"
            r"i need help)(?: (?:with|on|for|in|about|to))? <ing>"
        ),
        r"how to <verb>",
    ),
    (
        (
            r"^(?:help me|i need help to|(?:can|could|would|will) you (?:please )?(?:help me|show me how|"
            r"walk me through how|guide me on how|assist me)) (?:to )?(?=\w+)(?!know|understand|with|find out|if)"
        ),
        "how to ",
    ),
    (r"^(?:steps|instructions|the way|way|procedure) to (?=\w)", "how to "),
    (
        r"^can you (?!(?:please )?(?:tell|show|help|explain|give|send|check|cancel|change|delete|block|update|fix))",
        "do you ",
    ),
    (r"^what should i do if i (?:want|need|would like|wish) to ", "how to "),
    (r"^what (?:do|should|must|can) i (?:have to |need to )?do (?:in order )?to ", "how do i "),
    (r"^what would be (?=the |a )", "what is "),
    (r"^how to go about <ing>", "how do i <verb>"),
    (r"^is there (?:a|any) way (?:that )?i can ", "can i "),
    (r"^where (?:do|should|must|can) i (?:have to |need to )?go to <do>", "where can i <verb>"),
    (r"^is ([\w -]+?) compatible with ", r"does \1 work with "),
    (r"\b(\w+)'s (phone number|address|email|website)$", r"\1 \2"),
    (r"\b(phone number|email|website) of (?:the )?(\w+)$", r"\2 \1"),
    (r"^what is (your|the) email address$", r"what is \1 email"),
    (r"\b(if|when) ([\w' -]+?) gets (?=\w+ed\b|stolen\b|lost\b)", r"\1 \2 is "),
    (r"\benrol ((?:my |a |the )?\w+) in ", r"register \1 for "),
    (r"^who is responsible for <ing>", "who <verb>"),
    (r"^who (?:has to|must|needs to) ", "who "),
    (r"^what is the maximum number of ([\w -]+?) (?:that )?i can ", r"how many \1 can i "),
    (rf"^is (?:the |a )?({_NOUN}) limited$", r"is there a limit on \1"),
    (r"^how long does it take to process (?:a |an |the )?([\w -]+)$", r"how long does \1 take"),
    (rf"^what (?:does|do) ({_NOUN}) not (cover|include)$", r"what is not \2ed by \1"),
    (rf"^what (?:should|must) ((?:my|the|a) {_NOUN}) (bring|submit|prepare)\b", r"what must \1 \2"),
    (rf"^what (?:does|do) ((?:my|the|a) {_NOUN}) (?:need|have) to (bring|submit|prepare)\b", r"what must \1 \2"),
    (
        r"^(?:what|which) steps (?:do|should|must|can) i (?:need to |have to )?(?:take|follow) (?:in order )?to ",
        "how to ",
    ),
    (r"^how (?:do|can|would|should) i go about <ing>", r"how do i <verb>"),
    (r"^have you got (?:a |an |any )?", "do you have "),
    (r"^do you allow <ing>", r"can i <verb>"),
    (r"^who (?:handles|takes care of|deals with|looks after|is in charge of) ", "who is responsible for "),
    (r"^what (?:are|is) the consequences? of <ing>", r"what happens if i <verb>"),
    (r"^what (?:are|is) the consequences? (?:if|when) ", r"what happens if "),
    (r"^how much (?:do|must|will) i (?:have to |need to )?pay (?:for|to) ", "what is the price of "),
    (
        (
            r"^how (?:do|can) i (?:reach|get hold of|get in contact with) "
            r"(?=(?:a |the |your )?(?:\w+ )?(?:support|service|team|desk|office|department|branch)\b)"
        ),
        "how do i contact ",
    ),
    (r"^how much time (?:does|do|will) ([\w' -]+?) (?:take|need|require)$", r"how long does \1 take"),
    (
        (
            r"^what (?:is|are) (?:the |your )?(?:usual |average |normal |typical )?"
            r"(delivery|shipping|processing|response|approval) times?$"
        ),
        r"how long does \1 take",
    ),
    *(
        (rf"^is {noun}((?: (?:by|in|with|via|on|at|online)\b[\w' -]*?)?) possible$", rf"can i {verb}\1")
        for noun, verb in (("payment", "pay"), ("cancellation", "cancel"), ("registration", "register"))
    ),
    (r"^(?:do you (?:offer|have|provide)|is there|are there) free ([\w -]+)$", r"is \1 free"),
    # the order of words after "could you tell me"
    (r"^(what|where|when|who|which) ((?:the|your|my|a|an) [\w' -]+?) (is|are)$", r"\1 \3 \2"),
    (r"^how much ((?:the|your|my|a|an) [\w' -]+?) (?:costs?|is|are)$", r"how much is \1"),
    (r"^how long ((?:the|your|my|a|an) [\w' -]+?) takes?$", r"how long does \1 take"),
    (
        (
            r"^(when|where|how|how often) ((?:the|your|my|a|an) [\w' -]+?) "
            r"(open|close|start|end|work|begin|expire|arrive)s\b"
        ),
        r"\1 does \2 \3",
    ),
    (
        (
            r"\b(once|twice|times|hours|dollars|euros|pounds|withdraw|send|spend|transfer|cost|\d+) (?:a|an|each) (day|"
            r"week|month|year|hour|night|person)\b"
        ),
        r"\1 per \2",
    ),
    (r"^is there (?:a |any )?(?:way|possibility|option|chance)(?: for me)? (?:to|of) (?=\w)", "is it possible to "),
    (r"^is it possible for me to ", "is it possible to "),
    (r"^is it (?:allowed|ok|okay|permitted|permissible) for me to ", "am i allowed to "),
    (r"^is it (?:ok|okay|fine|alright|all right) if i ", "can i "),
    (r"^would it be (?:ok|okay|possible|fine) (?:to|if i) ", "can i "),
    # to do something, named by another part of speech
    (
        r"^(?:is|are) <ing>((?: (?!not\b)[\w'-]+){0,4}?) (?:allowed|permitted|possible|ok|okay)\b(?! to)",
        r"can i <verb>\1",
    ),
    (
        (
            r"^(?:is|are) <ing>((?: (?!not\b)[\w'-]+){0,4}?) (?:mandatory|compulsory|obligatory|required|necessary|"
            r"needed)\b(?! to)"
        ),
        r"do i have to <verb>\1",
    ),
    (
        rf"^is (?:the |a |an |any )?({_NOUN}) (?:required|necessary|needed|mandatory) (?:for|when) <ing>",
        r"do i need \1 to <verb>",
    ),
    (
        (
            rf"^(?:is|are) (?:the |a |an |any )?({_NOUN}) (?:mandatory|compulsory|obligatory|required|necessary|"
            rf"needed)\b"
        ),
        r"do i need \1",
    ),
    (r"\b(required|needed|necessary) for <ing>", r"\1 to <verb>"),
    # in the passive
    (rf"^how can (?!(?:{_PEOPLE})\b)({_NOUN}) be (?!{_TO_US})<ed>", r"how do i <verb> \1"),
    (rf"^can (?!(?:{_PEOPLE})\b)({_NOUN}) be (?!{_TO_US})<ed>", r"can i <verb> \1"),
    (rf"^where can (?!(?:{_PEOPLE})\b)({_NOUN}) be (?!{_TO_US})<ed>", r"where can i <verb> \1"),
    (r"^how (?:do|can) i (?:get|have) (my|the|a|an) ((?:[\w'-]+ ){0,2}[\w'-]+) <ed>", r"how do i <verb> \1 \2"),
    (
        (
            rf"^(where|when|day-when|why|how often) (?:is|are) (?!there\b)((?:the |my |your )?{_NOUN}) "
            rf"(?={_DONE})<ed>(?! by\b)"
        ),
        r"\1 do you <verb> \2",
    ),
    (rf"^(?:is|are) (?!there\b)((?:my|the) {_NOUN}) (?={_DONE})<ed>$", r"do you <verb> \1"),
    # what there is
    (
        rf"^(?:does|do) ((?:the|your) (?:\w+ )?(?:{PLACES})s?) (?:have|offer) (?!to\b)(?:a |an |any )?([^,]+)$",
        r"is there \2 in \1",
    ),
    (r"^is there ([^,]+?) (?:at|inside|within) the ", r"is there \1 in the "),
    (rf"^(?:does|do) ({_NOUN}) (?:include|contain) (?:a |an |any |the )?([^,]+)$", r"is \2 included in \1"),
    (rf"^(?:does|do) ({_NOUN}) cover (?:a |an |any |the )?([^,]+)$", r"is \2 covered by \1"),
    (rf"^what (?:does|do) ({_NOUN}) (cover|include)$", r"what is \2ed by \1"),
    (
        (
            r"^(?:do|does) (?:you|it) (?:charge|cost)(?: (?:me|us))?(?: (?:a fee|fees|extra|anything|money))? (?:for|"
            r"to) "
        ),
        "is there a fee for ",
    ),
    (r"^is there (?:a |an |any )?(?:charge|cost|fee)s? (?:to|when i|if i|for using|for) ", "is there a fee for "),
    (r"^(?:will|do) i (?:be|get) charged (?:a fee |extra )?(?:for|if i|when i) ", "is there a fee for "),
    (r"^do i (?:have to |need to )?pay (?:a fee |extra )?for ", "is there a fee for "),
    (r"^is there a fee for <ing>", r"is there a fee for <verb>"),
    (r"^(?:which|what) ([\w -]+?) are (?:there|on offer)$", r"which \1 do you offer"),
    # what it costs
    (
        r"^how much (?:do|does|would|will) (?:you|it|they|the bank) charge (?:me )?(?:for|to) (.+)$",
        r"how much is \1 fee",
    ),
    (r"^what (?:do|does) (?:you|it) charge (?:me )?(?:for|to) (.+)$", r"how much is \1 fee"),
    (
        r"^(?:what (?:is|are)|how (?:high|much) (?:is|are)) (?:the |your )?(?:fee|charge)s? (?:for|of|to) (.+)$",
        r"how much is \1 fee",
    ),
    (
        r"^(?:what (?:is|are)|how (?:high|much) (?:is|are)) (?:the |your )?(?:cost|price)s? (?:for|of|to) ",
        "what is the price of ",
    ),
    (r"^what is the price of (?:getting |obtaining |buying )?(?:a |an |the )?", "what is the price of "),
    (r"^how high (?:is|are) ", "how much is "),
    (r"^how expensive (?:is|are) ", "how much is "),
    (r"^what (?:is|are) (?:the |your )?(?=[\w -]*\b(?:fees?|fare|rent|deposit|premium)$)", "how much is "),
    # when, how long, how old, how large
    (rf"^what (?:is|are) (?:the |your )?(?:{_HOURS})(?: (?:of|for|at) (.+))?$", r"when are you open \1"),
    (rf"^what (?:is|are) (the [\w' -]+?)(?:'s|s') (?:{_HOURS})$", r"when are you open \1"),
    (r"^(?:what|which) hours (?:is|are) (.+) open$", r"when are you open \1"),
    (r"^when (?:is|are) ((?:the|your) [\w' -]+?) open\b", r"when are you open \1"),
    (r"^from (?=(?:when|what time) can i check[ -]in\b)", ""),
    (r"^(when|what time) can i check[ -](in|out)\b", r"\1 is check-\2"),
    (r"^when is (?:the )?check-(in|out) time\b", r"when is check-\1"),
    (r"^where is (?:the |your )?(?:car park|parking lot|parking)$", "where can i park"),
    (rf"^what (?:is|are) (?=(?:the |your )?(?:[\w'-]+ ){{0,3}}?(?:{_OF_TIME})\b)", "when is "),
    (r"^when (?:is|are) ([\w' -]+?) due$", r"when is deadline for \1"),
    (r"^until when (?:can|may) i ", "until when can i "),
    (r"^(?:by|until) when (?:do|must|should) i (?:have to |need to )?", "until when must i "),
    (r"^how (?:late|long before|long beforehand) can i cancel ", "until when can i cancel "),
    (rf"^until when can (?!i\b)({_NOUN}) be <ed>", r"until when can i <verb> \1"),
    (r"^(?:on|at) (?:which|what) (?:days?|dates?|weekdays?) (?:of the week )?", "day-when "),
    (r"^(?:which|what) (?:day|days|date|weekday) (?=is|are|do|does|can)", "day-when "),
    (r"^(?:at )?what time\b", "time-when"),
    (
        (
            r"^(?:for )?how many (?:business |working )?(?:minutes|hours|days|weeks|months) (?:does|do|will|"
            r"would) it (?:usually |normally )?take"
        ),
        "how long does it take",
    ),
    (r"^for how (long|many)", r"how \1"),
    (
        (
            r"^(?:what|how long) is the (?:usual |average |normal |typical |expected )?(?:processing|waiting|delivery|"
            r"turnaround|approval|shipping|transfer) time (?:of|for) "
        ),
        "how long does it take for ",
    ),
    (
        (
            r"^how long does it take (?:for |to get |to receive |to obtain |until i get )(?:a |an |"
            r"the )?([\w -]+?)(?: to (?:arrive|be delivered|come|be processed|clear|be completed|go through|"
            r"be ready))?$"
        ),
        r"how long does \1 take",
    ),
    (
        r"^how long (?:does|do|will) ([\w' -]+?) (?:last|take to arrive|take to process|take to complete)$",
        r"how long is \1",
    ),
    (r"^how (?:big|large) can (?:a |an |the )?([\w -]+?) be$", r"what is the maximum size of \1"),
    (r"^how old (?:do|must|should) i (?:have to |need to )?be (?:to|for) ", "what is the minimum age to "),
    (r"^what is the minimum age (?:for|of) <ing>", r"what is the minimum age to <verb>"),
    (r"^how many times (?=can|may)", "how often "),
    (
        (
            r"^(how (?:many|much) [\w -]+?) (?:am i|are we|are employees|is one) (?:entitled to|allowed|"
            r"allowed to take|allowed to have)$"
        ),
        r"\1 do i get",
    ),
    # who, what, where
    (
        (
            r"^(who|whom) (?:can|should|do|must|could) i (?:contact|speak to|talk to|ask|call|turn to|write to|"
            r"reach out to|get in touch with)(?: (?:about|for|regarding|concerning|with questions about))?\b"
        ),
        "who do i contact about",
    ),
    (r"^who (?:is|are) (?:eligible|entitled|qualified)(?: for| to| to get| to receive)?\b", "who can get"),
    (r"^who (?:qualifies for|can receive|can claim)\b", "who can get"),
    (
        r"^(?:what|which) ([\w -]+?) (?:do|must|should) i (?:have to |need to )?(bring|submit|provide)\b",
        r"what \1 must i \2",
    ),
    (r"^(when|where|what|how often) (?:do|does) i (?:have|need) to ", r"\1 must i "),
    (
        r"^what (?:do|must|should) i (?:have to |need to )?(bring|pack|submit|prepare|provide)\b",
        r"what must i \1",
    ),
    (r"^(?:what (?:is|are) )?(?:the )?differences? between ", "what is the difference between "),
    (
        r"^(?:how (?:does|do|is|are)|in what way does) ([\w' -]+?) (?:differ|different) from ([\w' -]+)$",
        r"what is the difference between \1 and \2",
    ),
    (r"^what (?:is|are) (the [\w' -]+?|[\w' -]+?) called$", r"what is the name of \1"),
    (r"^what is (?:the meaning of|meant by) (.+)$", r"what does \1 mean"),
    (r"^how (?:do|can) i (?:find out|tell|check|see|know) (?:if|whether) ", "how do i know if "),
    (
        r"^where (?:are|is) (?:your|the) (?:company|office|shop|store) (?:located|based|situated)$",
        "where is your office",
    ),
    (r"^where (?:is|are) (.+?) (?:located|situated|found)$", r"where is \1"),
)


def _participles() -> dict[str, str]:
    forms = dict(IRREGULAR)
    for verb in VERBS:
        stem = verb[:-1] if verb.endswith("e") else verb
        ending = verb[:-1] + "ied" if verb.endswith("y") and verb[-2] not in "aeiou" else stem + "ed"
        forms.setdefault(ending, verb)
        forms.setdefault(verb + verb[-1] + "ed", verb)
    return forms


def _gerunds() -> dict[str, str]:
    forms: dict[str, str] = {}
    for verb in VERBS:
        forms[(verb[:-1] if verb.endswith("e") and not verb.endswith("ee") else verb) + "ing"] = verb
        forms.setdefault(verb + verb[-1] + "ing", verb)
    return forms


_FORMS = {"<ing>": _gerunds(), "<ed>": _participles(), "<do>": {verb: verb for verb in VERBS}}
_REWRITES = tuple(
    (
        re.compile(
            pattern.replace("<ing>", r"(?P<ing>[a-z]+ing)\b")
            .replace("<ed>", r"(?P<ed>[a-z]+)\b")
            .replace("<do>", r"(?P<do>[a-z]+)\b")
        ),
        replacement,
    )
    for pattern, replacement in _TABLE
)


def reworded(text: str) -> str:
    """The question in the one pattern of its kind."""
    for pattern, replacement in _REWRITES:
        match = pattern.search(text)
        if match:
            text = _replaced(text, match, replacement)
    return text


def _replaced(text: str, match: re.Match[str], replacement: str) -> str:
    """The text with the match replaced; unchanged if the word at `<ing>` or `<ed>` is no form of a known verb."""
    groups = list(match.groups())
    for ending, at in match.re.groupindex.items():
        verb = _FORMS[f"<{ending}>"].get(match[ending])
        if verb is None:
            return text
        replacement = replacement.replace("<verb>", verb)
        del groups[at - 1]
    for number, group in enumerate(groups, 1):
        replacement = replacement.replace(f"\\{number}", group or "")
    return f"{text[: match.start()]}{replacement}{text[match.end() :]}".strip()

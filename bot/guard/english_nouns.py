"""English nouns that behave alike: what a house offers, what a letter may name, what tells the number.

`PLACES` have things for everybody.
"""

from __future__ import annotations

from bot.guard.table import words

OBJECT_BEGINS = words(
    "a an the my your our this that these those his her their its any all another more it them me up off out down"
)
"""What begins the object of a verb, or its particle."""
TELLS_WHICH = words("the my your our his her their these those which what many how no my all number few-some")
"""With one of these close before it, a plural speaks of certain things, or asks for their number."""
PLURALS = words("children kids people persons movies pictures")
ADJECTIVES = words("open clean close complete correct separate empty dry direct secure")
"""Verbs that are an adjective between an article and its noun: `the open shop` is not `opening the shop`."""
LABELLED = words(
    """
    annex annexe appendix block booth building bus category class concourse corridor desk door entrance exit form gate
    grade grid group hall hepatitis hostel influenza lane level line lot model module option parking part
    pier plan platform quay ramp room row schedule school section series size stage stairs tariff team terminal tier
    tower type unit variant version vitamin ward wing zone
    """
)
"""What may be named by a letter: after it, "a" is no article."""
SERVICES = words(
    """
    parking wifi internet breakfast lunch dinner pool gym sauna spa discount delivery trial warranty support lift
    shuttle laundry locker toilet shower cafe restaurant bar menu playground garage newsletter app course tour
    reception garden terrace printer scanner atm charger charging coworking crib cot kitchen food meal dish
    wheelchair storage voicemail roaming api option
    """
)
"""What a house has for its customers: it has it if it is offered, and then it is there."""
NOUN_OF_VERB = {
    "reset": "reset",
    "activation": "activate",
    "renewal": "renew",
    "deletion": "delete",
    "cancellation": "cancel",
    "installation": "install",
    "registration": "register",
    "replacement": "replace",
}
"""Noun → the verb whose doing it names: `password reset procedure` is how to reset it."""
PLACES = (
    "hotel|room|flat|apartment|house|building|library|airport|campus|gym|shop|store|branch|office|station|restaurant|"
    "hostel|dorm|dormitory|museum|hospital|clinic|school|university|pool|bar|cafe|train|ship|plane|bus|app|website"
)
"""Where there is what it has: not so of people."""

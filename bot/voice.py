"""The language in which a person is spoken to."""

from __future__ import annotations

from bot.language import language_of
from bot.message import Language
from bot.ports import Claimed

MAX_LANGUAGE_CHARS = 4000
"""Of a message that its language is told by: no question is longer, and a flood of text costs the loop nothing."""


def language_for(claimed: Claimed) -> Language:
    """The person's language: the message's own where it has words, else their platform's or their last question's.

    The name of a command is nobody's language.
    """
    incoming = claimed.incoming
    hint = incoming.locale or (language_of(claimed.history[-1].question) if claimed.history else None)
    if incoming.command is None:
        return language_of(incoming.text[:MAX_LANGUAGE_CHARS], hint)
    return language_of("" if hint else incoming.command.argument, hint)

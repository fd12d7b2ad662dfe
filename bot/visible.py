"""Text as its reader sees it: without the characters that show nothing and that a model can read. Pure.

Hidden text is how a document speaks to a model behind its reader's back: letters as tag characters, bytes as variation
selectors, words between zero-width ones, or a line turned round so that it reads as another.
"""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f"  # control characters; tab, line feed and carriage return stay
    "\u00ad\u061c\u180b-\u180f\u200b\u2060-\u2064\ufeff"  # soft hyphen, zero width, invisible operators
    "\u202a-\u202e\u2066-\u206f"  # overrides and isolates of the writing direction, deprecated format characters
    "\ufe00-\ufe0d\ufff9-\ufffb"  # variation selectors but those for emoji, interlinear notes
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff"  # musical format characters, tags and supplementary selectors
    "]"
    "|(?<=[\u200c-\u200f\ufe0e\ufe0f])[\u200c-\u200f\ufe0e\ufe0f]+"
)
"""Joiners, direction marks and the selectors of emoji are letters' business: one stays, of a run only the first."""


def visible(text: str) -> str:
    """The text without invisible characters; everything that shows stays, line breaks and tabs too.

    Flags of regions (England's) become black flags, and rare variants of Chinese characters their usual form.
    """
    return _UNSEEN.sub("", text)

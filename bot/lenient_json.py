"""JSON of the platforms, read so that one odd value does not make everything around it unreadable.

Pure. Python's reader gives up on a thousand levels and on numbers of more than 4,300 digits. With such a value in one
of Telegram's updates the whole batch would come again and again, and nobody would be answered.
"""

from __future__ import annotations

import json
import re

MOST_LEVELS = 200
"""The platforms' own objects have a dozen; Python's reader takes some 900."""
_MOST_DIGITS = 20
"""Of a 64-bit integer with its sign."""
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"?|[\[\]{}]', re.DOTALL)


def loads(text: str) -> object:
    """The value of a JSON text; what lies deeper than `MOST_LEVELS` is null, a whole number beyond 64 bits a float.

    Raises:
        ValueError: it is no JSON.
    """
    try:
        return json.loads(text, parse_int=_integer)
    except RecursionError:
        return json.loads(_shallow(text), parse_int=_integer)


def _integer(digits: str) -> float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


def _shallow(text: str) -> str:
    """The text with `null` in the place of all lists and objects that lie too deep."""
    pieces: list[str] = []
    depth = start = 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == MOST_LEVELS + 1:
                pieces += [text[start : token.start()], "null"]
                start = len(text)
        elif token[0] in "]}":
            if depth == MOST_LEVELS + 1:
                start = token.end()
            depth -= 1
    return "".join([*pieces, text[start:]])

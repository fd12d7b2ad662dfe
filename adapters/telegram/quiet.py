"""What Telegram makes links and mentions of by itself, put as code, which it leaves alone. Pure.

Telegram looks for addresses and @names in every text, whatever its entities say; only in code it does not. The core
has made links of the addresses that may be some, so what stands bare in the finished text, perhaps put together from
pieces that no Markdown reader took for an address, is not for clicking, and an @name would call its owner.
"""

from __future__ import annotations

import re

from bot.addresses import ADDRESS, trimmed

Entity = dict[str, object]

_CLICKABLE = re.compile(
    rf"{ADDRESS.pattern}|(?<![\w@.-])(?:[\w-]+\.)+(?:[a-z]{{2}}|中国|中國|公司|网络|網絡|网址|рф)\S*"
    r"|(?<!\w)@[A-Za-z0-9_]{2,64}",
    re.IGNORECASE,
)
_SAFE = frozenset({"code", "pre", "text_link"})


def quieted(text: str, entities: list[Entity]) -> list[Entity]:
    """The entities, with `code` on every address and @name that is neither code nor a link yet.

    Args:
        text: without surrogates.
        entities: `MessageEntity` records, offsets in UTF-16 units.
    """
    matches = list(_CLICKABLE.finditer(text))
    if not matches:
        return entities
    safe = [(_number(entity, "offset"), _number(entity, "length")) for entity in entities if entity["type"] in _SAFE]
    covered = bytearray(_units(text))
    for offset, length in safe:
        covered[offset : offset + length] = b"\1" * len(covered[offset : offset + length])
    added: list[Entity] = []
    place = at = 0
    for match in matches:
        shown = trimmed(match[0])
        place, at = place + _units(text[at : match.start()]), match.start()
        length = _units(shown)
        start = place
        # An address may run into a link that follows it: up to there it is code.
        while start < place + length:
            if covered[start]:
                start += 1
                continue
            end = covered.find(1, start, place + length)
            end = place + length if end < 0 else end
            added.append({"type": "code", "offset": start, "length": end - start})
            start = end
    return [*entities, *added]


def _number(entity: Entity, name: str) -> int:
    return int(str(entity[name]))


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2

"""Markdown becomes Telegram messages: text with entities, split where a reader would split. Pure.

telegramify-markdown turns Markdown into text and entities. It drops what it takes for HTML and for link
definitions, so `<host>` or `[1]: Terms.pdf` would vanish from an answer: both are hidden from it behind
characters of the same width and put back afterwards. Links lead to the web alone, not into the app (`tg:`), and what
Telegram would make clickable by itself is put as code (`adapters.telegram.quiet`). Splitting is our own
(`adapters.telegram.split`).
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from telegramify_markdown import RenderConfig, convert

from adapters.telegram.quiet import quieted
from adapters.telegram.split import split
from bot.message import Part

NOTHING = "…"
"""Sent for an answer without a visible character: Telegram takes no empty message, and silence would be worse."""

Entity = dict[str, object]

_LESS_THAN, _COLON = "\ue03c", "\ue03a"
"""Private-use characters, one UTF-16 unit each like `<` and `:`, so that offsets stay right."""
_TAG = re.compile(r"(?<!\\)((?:\\\\)*)<(?=[A-Za-z/!?])(?!https?:[^\s<>]*>)")
"""An escaped `\\<` is none, and the converter knows it."""
_DEFINITION = re.compile(r"^([ \t]{0,3}(?:>[ \t]?)*\[[^\]\n^][^\]\n]*\]):", re.MULTILINE)
_HOST = re.compile(r"^(?:[\w-]+\.)+[^\W\d_][\w-]*$|^\d{1,3}(?:\.\d{1,3}){3}$")
_INVISIBLE = "\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u2800\u3164\ufe0e\ufe0f\ufeff\uffa0"


def format_markdown(markdown: str) -> tuple[Part, ...]:
    """The messages that show `markdown`: each at most 4096 UTF-16 units and 100 entities, never empty.

    All of the text arrives, in order; only whitespace at the cuts goes. At least one part, `…` if there is nothing
    to see. What the converter cannot read is sent as it was written.
    """
    source = _clean(markdown)
    try:
        text, entities = _converted(source)
    except Exception:  # noqa: BLE001 - a formatter's defect must not cost the person the answer
        text, entities = source, quieted(source, [])
    if source.strip() and not text.strip():
        text, entities = source, quieted(source, [])
    parts = tuple(Part(text=piece, entities=tuple(styles)) for piece, styles in split(text, entities) if _shows(piece))
    return parts or (Part(text=NOTHING),)


def _clean(markdown: str) -> str:
    """Without half surrogates, NUL, carriage returns and the characters we hide things behind."""
    text = markdown.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return text.replace(_LESS_THAN, "\ufffd").replace(_COLON, "\ufffd")


def _converted(source: str) -> tuple[str, list[Entity]]:
    hidden = _DEFINITION.sub(rf"\1{_COLON}", _TAG.sub(rf"\1{_LESS_THAN}", source))
    text, found = convert(hidden, config=_config())
    entities = [_restored(entity.to_dict()) for entity in found if entity.length > 0]
    text = _shown(text)
    return text, quieted(text, [entity for entity in entities if _is_taken(entity)])


def _restored(entity: Entity) -> Entity:
    return {name: _shown(value) if isinstance(value, str) else value for name, value in entity.items()}


def _shown(text: str) -> str:
    return text.replace(_LESS_THAN, "<").replace(_COLON, ":")


def _config() -> RenderConfig:
    """No emoji of the converter's own choice in our answers; one config per call, they are not thread-safe."""
    config = RenderConfig.isolated()
    symbols = config.markdown_symbol
    for level in range(1, 7):
        setattr(symbols, f"heading_level_{level}", "")
    symbols.image = symbols.link = ""
    symbols.unordered_list_item = "•"
    return config


_STYLES = frozenset(
    {"bold", "italic", "underline", "strikethrough", "spoiler", "blockquote", "expandable_blockquote", "code", "pre"}
)


def _is_taken(entity: Entity) -> bool:
    """Styles, and links to the web; all else stays as its text.

    Telegram refuses a whole message for one link without a proper host; `tg:` would mention a person or act in the
    app, and a custom emoji is a picture.
    """
    if entity["type"] != "text_link":
        return entity["type"] in _STYLES
    try:
        parts = urlsplit(str(entity.get("url", "")))
        host = parts.hostname or ""
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(_HOST.match(host))


def _shows(text: str) -> bool:
    """Something in it can be seen; Telegram refuses text that is blank to the eye."""
    return any(not (char.isspace() or char in _INVISIBLE or "\u200b" <= char <= "\u200f") for char in text) and any(
        char.isprintable() and not char.isspace() for char in text
    )

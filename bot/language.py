"""Which of our two languages a text is in, by its characters alone.

The result chooses our own sentences, the scope of stored answers and the preferred copies of a document. It does
not limit what the model answers in: that follows the question itself. So everything that is not Chinese counts as
English, Japanese and Korean included; Traditional Chinese counts as Chinese.

A Han character weighs as much as a Latin word. Names and terms are borrowed in both directions (`怎么配置 Redis
Sentinel`, `What does 余额 mean?`), so the frame decides: words that only an English sentence is built with ask for a
clear majority of Han, otherwise a fifth is enough.
"""

from __future__ import annotations

import re

from bot.message import Language

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_KANA = re.compile("[\u3041-\u3096\u30a1-\u30fa\u31f0-\u31ff\uff66-\uff9d]")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_NOT_PROSE = re.compile(r"https?://\S+|www\.\S+|[\w.+-]{1,64}@\w[\w.-]{0,252}|`[^`]*`")
_ENGLISH_FRAME = {
    *("what", "how", "why", "when", "where", "who", "which", "is", "are", "do", "does", "did"),
    *("can", "could", "should", "would", "please", "my", "you"),
}

MIN_HAN_SHARE = 0.2
"""Of Han characters and other words together; below it, Chinese is a quotation in another language."""
MIN_HAN_SHARE_IN_ENGLISH_FRAME = 0.7
"""The same where the text holds words that build English sentences."""
MAX_KANA_SHARE = 0.2
"""Of kana and Han together; above it the text is Japanese. One の in a shop's name is Chinese."""


def language_of(text: str, hint: str | None = None) -> Language:
    """The language of a text.

    Args:
        text: as a person or a document has it. Addresses and `code` in it do not count.
        hint: a platform's locale (`en`, `zh-hans`), used only if the text holds no letter at all (`???`, `👍`).
    """
    prose = _NOT_PROSE.sub(" ", text)
    han, kana = len(_HAN.findall(prose)), len(_KANA.findall(prose))
    words = [word.casefold() for word in _WORD.findall(_HAN.sub(" ", prose))]
    if not han and not words:
        return _language_of_locale(hint)
    if kana > MAX_KANA_SHARE * (kana + han):
        return "en"
    framed = not _ENGLISH_FRAME.isdisjoint(words)
    share = han / (han + len(words))
    return "zh" if share >= (MIN_HAN_SHARE_IN_ENGLISH_FRAME if framed else MIN_HAN_SHARE) else "en"


def _language_of_locale(locale: str | None) -> Language:
    primary = re.split(r"[-_]", (locale or "").casefold(), maxsplit=1)[0]
    return "zh" if primary in ("zh", "cmn", "yue") else "en"

"""Bytes → text: which encoding a file is in, if it does not say so.

UTF-8 announces itself by its form; the Chinese encodings do not, nearly any bytes of the one are some text in the
other. What tells them apart is which characters come out: both standards list the common characters first (GB 2312
level 1 and Big5 level 1, chosen by frequency when they were made), and text read in the wrong encoding is strewn with
rare ones. Measured on 500 snippets each of real text: of 20 characters all right in every encoding, of 8 at least 97 %.
"""

from __future__ import annotations

import codecs
import re

from bot.errors import UnreadableDocument

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_FORBIDDEN_CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_UTF16 = ("utf-16-le", "utf-16-be")
_SAMPLE_BYTES = 64 * 1024
"""So much of a text shows its encoding."""
_ENOUGH = 0.6
"""Share of common characters below which an encoding is not believed; the right one has above 0.9."""
_MAX_HIGH_SHARE = 0.5
"""A text in a western language has fewer letters with accents than this."""
_ALIASES = {"gb2312": "gb18030", "gbk": "gb18030", "big5": "big5hkscs", "iso8859-1": "cp1252", "ascii": "cp1252"}
"""What is declared → the superset that those who declare it write (as browsers do: WHATWG Encoding, labels)."""


def _rows(encoding: str, leads: range, trails: range) -> frozenset[str]:
    text = bytes(byte for lead in leads for trail in trails for byte in (lead, trail)).decode(encoding, "ignore")
    return frozenset(text)


_COMMON = (
    _rows("gb18030", range(0xB0, 0xD8), range(0xA1, 0xFF))
    | _rows("big5", range(0xA4, 0xC7), range(0xA1, 0xFF))
    | _rows("big5", range(0xA4, 0xC7), range(0x40, 0x7F))
    | _rows("gb18030", range(0xA1, 0xA4), range(0xA1, 0xFF))  # punctuation and full-width forms
)


def decode(content: bytes, declared: str = "") -> str:
    r"""Text from bytes: by byte order mark, UTF-8 if it is, else as declared, else by the characters that come out.

    Line ends become `\n`.

    Args:
        content: of a file.
        declared: name of an encoding that the file itself names; may be wrong or unknown.

    Raises:
        UnreadableDocument: empty, binary, or in no encoding that we know.
    """
    if not content.strip():
        raise UnreadableDocument("the file is empty")
    text = _decoded(content, declared)
    if _FORBIDDEN_CONTROLS.search(text):
        raise UnreadableDocument("binary content, not text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(content: bytes, declared: str) -> str:
    for bom, encoding in _BOMS:
        if content.startswith(bom):
            text = _strictly(content[len(bom) :], encoding)
            break
    else:
        candidates = ("utf-8", _known(declared), *_by_likelihood(content[:_SAMPLE_BYTES]))
        texts = (_strictly(content, encoding) for encoding in candidates if encoding)
        text = next((text for text in texts if text is not None), None)
    if text is None:
        raise UnreadableDocument("its text is in no known encoding (UTF-8, UTF-16, GB18030, Big5, Windows-1252)")
    return text


def _strictly(content: bytes, encoding: str) -> str | None:
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        return None
    # UTF-16 of ASCII letters is UTF-8 with every other character a NUL.
    return None if encoding == "utf-8" and "\x00" in text and _looks_like_utf16(content[:_SAMPLE_BYTES]) else text


def _known(declared: str) -> str:
    try:
        name = codecs.lookup(declared).name if declared else ""
    except LookupError:
        return ""
    return _ALIASES.get(name, name)


def _by_likelihood(sample: bytes) -> list[str]:
    """Encodings that the sample may be in, the likeliest first."""
    shares = {encoding: _common_share(sample, encoding) for encoding in ("gb18030", "big5hkscs")}
    shares |= {encoding: _common_share(sample, encoding, ascii_counts=True) for encoding in _UTF16}
    shares["cp1252"] = _western_share(sample)
    likely = [encoding for encoding, share in shares.items() if share >= _ENOUGH]
    return sorted(likely, key=lambda encoding: -shares[encoding])


def _looks_like_utf16(sample: bytes) -> bool:
    return any(_common_share(sample, encoding, ascii_counts=True) >= _ENOUGH for encoding in _UTF16)


def _common_share(sample: bytes, encoding: str, *, ascii_counts: bool = False) -> float:
    """Share of common characters among those beyond ASCII, or among all; 0 if it is not in this encoding."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(sample)  # the last character may be cut off
    except UnicodeDecodeError:
        return 0
    if _FORBIDDEN_CONTROLS.search(text):
        return 0
    counted = text if ascii_counts else [character for character in text if character > "\x7f"]
    common = sum(character in _COMMON or (ascii_counts and character <= "\x7f") for character in counted)
    return common / len(counted) if counted else 0


def _western_share(sample: bytes) -> float:
    """Share of the bytes beyond ASCII that stand between ASCII; 0 if they are too many for a western language."""
    if _FORBIDDEN_CONTROLS.search(sample.decode("latin-1")):
        return 0
    high = len(re.findall(rb"[\x80-\xff]", sample))
    alone = len(re.findall(rb"(?<![\x80-\xff])[\x80-\xff](?![\x80-\xff])", sample))
    return alone / high if high and high / len(sample) < _MAX_HIGH_SHARE else 0

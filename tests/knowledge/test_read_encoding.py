"""Encodings that files do not name: the text comes out, or a line that says that it does not."""

from __future__ import annotations

import codecs

import pytest

from bot.errors import UnreadableDocument
from bot.knowledge.read_encoding import decode

SIMPLIFIED = "请问如何申请退款？商品签收后十四天内可以退货。"
TRADITIONAL = "請問如何申請退款？商品簽收後十四天內可以退貨。"
MIXED = "费用 fees: 14 天\n— 第二行"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (SIMPLIFIED, "utf-8"),
        (SIMPLIFIED, "gb18030"),
        (SIMPLIFIED, "gbk"),
        (TRADITIONAL, "big5"),
        (TRADITIONAL, "gb18030"),
        (SIMPLIFIED, "utf-16-le"),
        (TRADITIONAL, "utf-16-be"),
        (MIXED, "utf-16-le"),
        (MIXED, "utf-16-be"),
        (MIXED, "gb18030"),
        ("plain English, as UTF-16\n", "utf-16-le"),
        ("费用", "gb18030"),
        ("營業時間", "big5"),
        ("Die Gebühr beträgt 5 € – täglich.", "cp1252"),
        ("Où est l'été ? Déjà vu", "cp1252"),
    ],
)
def test_the_encoding_is_found(text: str, encoding: str) -> None:
    """By the characters that come out, without a byte order mark."""
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("bom", "encoding"),
    [(codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")],
)
def test_a_byte_order_mark_decides(bom: bytes, encoding: str) -> None:
    """And is no text itself."""
    assert decode(bom + MIXED.encode(encoding)) == MIXED


def test_what_a_file_says_of_itself_helps() -> None:
    """Unless it is UTF-8 all the same, or names what does not exist."""
    two_letters = "Öl Ü".encode("cp1252")

    assert decode(two_letters, "iso-8859-1") == "Öl Ü"
    assert decode(SIMPLIFIED.encode(), "gb2312") == SIMPLIFIED
    assert decode("简体 中文".encode("gb18030"), "no-such-thing") == "简体 中文"
    assert decode("㐀 简体".encode("gb18030"), "gb2312") == "㐀 简体"


def test_a_long_text_is_judged_by_its_beginning() -> None:
    """A sample may end within a character."""
    text = "费" + "用a" * 100_000

    assert decode(text.encode("gb18030")) == text


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b" \n\t", "empty"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "binary|no known"),
        (b"text\x00more", "binary"),
        (bytes(range(0x80, 0x100)), "no known encoding"),
        (codecs.BOM_UTF16_LE + b"\x00", "no known encoding"),
    ],
)
def test_what_is_no_text_says_so(content: bytes, reason: str) -> None:
    """Each in a line that the operator can act on."""
    with pytest.raises(UnreadableDocument, match=reason):
        decode(content)

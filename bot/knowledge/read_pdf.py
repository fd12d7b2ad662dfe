"""PDF → parts: one for each heading of the outline on each page.

Lines that were only wrapped are joined, words cut at their ends too; running heads and page numbers are left out. The
library is PDFium: it keeps the blanks between words that are set by position alone, as TeX does (pypdf 7.1 loses
them), and took 0.25 s for 73 pages where pypdf took 3.8 s. Scanned pages have no text, and there is no OCR here.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pypdfium2
from pypdfium2 import raw

from bot.errors import UnreadableDocument
from bot.knowledge.read import MAX_CHARACTERS
from bot.knowledge.read_parts import Content, Heading, Part

_HYPHEN: Final = "\ufffe"
"""What PDFium writes for a hyphen at the end of a line."""
_MAX_DEPTH: Final = 6
_REPEATED: Final = 3
"""So many pages with the same first or last line make it a running head."""
_TITLE_LETTERS: Final = 16
"""A running head says at least so much of a title, if it is as long."""
_MIN_WIDTH: Final = 36
"""Half-width characters; a page with no longer lines is a list, not wrapped text."""
_FULL_LINE: Final = 0.7
"""A line this long, measured by the long ones of its page, goes on in the next one."""
_MAX_CARRIED_CHARS: Final = 600
"""The rest of a sentence that is taken over from the next page; what is longer is no sentence."""
_NO_TITLE = re.compile(
    r"(?i)microsoft \w+ - .*|untitled.*|\S+\.\w{2,4}|.*\.(docx?|xlsx?|pptx?|pdf|html?|odt|rtf|tex)|\W*"
)
"""What programs put where a title belongs: names of files, and of themselves."""
_NUMBERING = re.compile(r"(?i)\W*(chapter|section|part|appendix|第)?[\s\d.A-Z§()一二三四五六七八九十章节節、-]{0,12}")
_LIST_ITEM = re.compile(r"([-–•●▪◦*·‣]|\(?\d{1,3}[.)]|\(?[a-z][.)])\s*\S|[（(]?[一二三四五六七八九十]+[、）)]")
_SENTENCE_END = re.compile(r"[。！？；]|[.!?][\"')\]”’]*(?=\s|$)")
_OPEN_URL = re.compile(r"https?:(//\S*[./_?=&-])?$")
_LEADER = re.compile(r"(?:[.…·] ?){4,60}\s?(\d{1,4})\s*$")
_MIN_ENTRIES: Final = 5
_GOES_ON = re.compile(r"\s*([a-zß-ÿ]|[\u4e00-\u9fff])")
_CJK = re.compile(r"[\u2e80-\u30ff\u3400-\u9fff\uac00-\ud7af\uff00-\uffef]")


@dataclass(frozen=True, slots=True)
class _Bookmark:
    page: int
    level: int
    title: str


def read_pdf(content: bytes) -> Content:
    """Parts of a PDF.

    Raises:
        UnreadableDocument: broken, behind a password, without text, or with too much of it.
    """
    try:
        document = pypdfium2.PdfDocument(content)
    except pypdfium2.PdfiumError as error:
        locked = raw.FPDF_GetLastError() in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY)
        raise UnreadableDocument("it asks for a password" if locked else "broken, or no PDF") from error
    pages = _pages(document)
    if not any(page.strip() for page in pages):
        raise UnreadableDocument(f"pages: {len(pages)}, and no text on any: scanned, or pictures only")
    title = str(document.get_metadata_dict().get("Title", ""))
    parts = _parts(pages, _bookmarks(document))
    return Content(parts=_carried(parts), title="" if _NO_TITLE.fullmatch(title.strip()) else title)


def _pages(document: pypdfium2.PdfDocument) -> list[str]:
    pages: list[str] = []
    for number in range(len(document)):
        try:
            page = document[number]
            text = str(page.get_textpage().get_text_range())
            page.close()
        except pypdfium2.PdfiumError:
            text = ""  # one broken page is no reason to lose the others
        pages.append(re.sub(r"[\x00-\x08\x0e-\x1f]", "", text.replace("\r\n", "\n").replace("\r", "\n")))
        if sum(map(len, pages)) > MAX_CHARACTERS:
            raise UnreadableDocument(f"more than {MAX_CHARACTERS:,} characters of text")
    pages = ["" if _is_contents(page, len(pages)) else page for page in pages]
    return _without_running_heads(_without_hyphens(pages))


def _bookmarks(document: pypdfium2.PdfDocument) -> list[_Bookmark]:
    """The outline in reading order, as far as it leads to pages."""
    found: list[_Bookmark] = []
    for entry in document.get_toc(max_depth=_MAX_DEPTH):
        destination = entry.get_dest()
        page = destination.get_index() if destination is not None else None
        title = " ".join(str(entry.get_title()).split())
        if page is not None and not _NO_TITLE.fullmatch(title):
            found.append(_Bookmark(page, entry.level + 1, title))
    return sorted(found, key=lambda one: one.page)


def _parts(pages: Sequence[str], bookmarks: Sequence[_Bookmark]) -> list[Part]:
    parts: list[Part] = []
    trail: tuple[Heading, ...] = ()
    for number, page in enumerate(pages):
        marks = [one for one in bookmarks if one.page == number]
        titles = [*(title for _, title in trail), *(one.title for one in marks)]
        spot, rest = f"p. {number + 1}", _without_head_of_titles(page, titles)
        for mark in marks:
            before, rest = _cut_at(rest, mark.title)
            parts.append(Part(trail, _unwrapped(before), spot))
            trail = (*(one for one in trail if one[0] < mark.level), (mark.level, mark.title))
        parts.append(Part(trail, _unwrapped(rest), spot))
    return [part for part in parts if part.text.strip()]


def _cut_at(text: str, title: str) -> tuple[str, str]:
    """What stands before a heading and after it; if it is not there as a line, nothing stands before."""
    places = [at for at, character in enumerate(text) if character.isalnum()]
    letters = "".join(text[at] for at in places).casefold()
    wanted = "".join(character for character in title if character.isalnum()).casefold()
    if len(letters) != len(places):  # casefolding may lengthen a letter
        letters = "".join(text[at].lower()[:1] for at in places)
        wanted = "".join(character.lower()[:1] for character in title if character.isalnum())
    found = letters.find(wanted) if wanted else -1
    while found >= 0:
        start, end = places[found], places[found + len(wanted) - 1] + 1
        line_start = text.rfind("\n", 0, start) + 1
        line_end = (text + "\n").find("\n", end)
        if _NUMBERING.fullmatch(text[line_start:start]) and not re.search(r"\w", text[end:line_end]):
            return text[:line_start], text[line_end:]
        found = letters.find(wanted, found + 1)
    return "", text


def _without_head_of_titles(page: str, titles: Sequence[str]) -> str:
    """Without a first line that repeats titles that hold here, and is none of these headings itself."""
    line, _, rest = page.partition("\n")
    letters = _letters(line)
    starts = [_letters(title)[:_TITLE_LETTERS] for title in titles]
    repeats = any(len(start) >= _TITLE_LETTERS // 2 and start in letters for start in starts)
    heading = any(_cut_at(line, title) != ("", line) for title in titles)
    return rest if repeats and not heading else page


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum()).casefold()


def _carried(parts: Sequence[Part]) -> list[Part]:
    """A sentence that goes on below the same heading on the next page is kept whole, on the page where it begins."""
    carried = list(parts)
    for at in range(len(carried) - 1):
        here, following = carried[at], carried[at + 1]
        open_end = not re.search(r"[。！？；：.!?:;|`\"”）)\d]$", here.text.rstrip()) and _GOES_ON.match(following.text)
        end = _SENTENCE_END.search(following.text.split("\n", 1)[0], 0, _MAX_CARRIED_CHARS)
        if here.headings == following.headings and here.spot != following.spot and open_end and end:
            rest = following.text[: end.end()].lstrip()
            carried[at] = Part(here.headings, _joined(here.text.rstrip(), rest), here.spot)
            carried[at + 1] = Part(following.headings, following.text[end.end() :].lstrip(" "), following.spot)
    return [part for part in carried if part.text.strip()]


def _joined(first: str, second: str) -> str:
    """Two pieces of a sentence, with a blank between them unless they are written without, or of one address."""
    tight = (first and second and _CJK.match(first[-1]) and _CJK.match(second[0])) or _OPEN_URL.search(first)
    return first + ("" if tight else " ") + second


def _is_contents(page: str, pages: int) -> bool:
    """A table of contents: it repeats all headings and answers nothing.

    Half of its lines end in dots and a number, and the numbers grow up to no more than there are pages: a list of
    prices looks like it but for that.
    """
    lines = [line for line in page.split("\n") if line.strip()]
    numbers = [int(match[1]) for line in lines if (match := _LEADER.search(line))]
    many = len(numbers) >= _MIN_ENTRIES and len(numbers) >= len(lines) / 2
    return many and numbers == sorted(numbers) and numbers[-1] <= pages


def _without_hyphens(pages: list[str]) -> list[str]:
    """Words cut at the end of a line become whole; the hyphen stays if the word has one elsewhere too."""
    words = set(re.findall(r"\w+-\w+", "\n".join(pages))) if any(_HYPHEN in page for page in pages) else set()

    def whole(match: re.Match[str]) -> str:
        hyphenated = f"{match[1]}-{match[2]}"
        kept = hyphenated if hyphenated in words or match[2][:1].isdigit() else match[1] + match[2]
        return f"{kept}{match[3]}\n"

    cut = re.compile(rf"(\w*){_HYPHEN}\s*(\w*)(\S*)[^\S\n]*\n?")
    return [cut.sub(whole, page) for page in pages]


def _without_running_heads(pages: Sequence[str]) -> list[str]:
    """Without first and last lines that come again on other pages, their numbers apart."""
    split = [page.strip("\n").split("\n") for page in pages]
    counts = Counter(_folded(line) for lines in split for line in {lines[0], lines[-1]})
    for number, lines in enumerate(split, start=1):
        for edge in (0, -1):
            while len(lines) > 1 and (not lines[edge].strip() or _is_running(lines[edge], number, counts)):
                lines.pop(edge)
    return ["\n".join(lines) for lines in split]


def _is_running(line: str, number: int, counts: Counter[str]) -> bool:
    return counts[_folded(line)] >= _REPEATED or line.strip(" -–—|") == str(number)


def _folded(line: str) -> str:
    return re.sub(r"\d+", "0", " ".join(line.split())).casefold()


def _unwrapped(text: str) -> str:
    """Paragraphs on one line each: a full line goes on in the next one, unless a list item begins there."""
    lines = [line.strip() for line in text.split("\n")]
    lengths = sorted(_width(line) for line in lines if line)
    longest = lengths[int(len(lengths) * 0.9)] if lengths else 0
    joined: list[str] = []
    wrapped = False
    for line in lines:
        if wrapped and line and not _LIST_ITEM.match(line):
            joined[-1] = _joined(joined[-1], line)
        elif line or (joined and joined[-1]):
            joined.append(line)
        enough = max(_MIN_WIDTH, longest) * (0.9 if _ends(line) else _FULL_LINE)
        wrapped = _width(line) >= enough and not _LEADER.search(line)
    return "\n".join(joined).strip("\n")


def _width(line: str) -> int:
    """In half-width characters."""
    return len(line) + len(_CJK.findall(line))


def _ends(line: str) -> bool:
    return bool(re.search(r"[。！？.!?:：]$", line))

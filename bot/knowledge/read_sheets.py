"""Excel (.xlsx) → parts, one a sheet: each block of cells between empty rows is a table. Hidden sheets are left out.

Office Open XML, ECMA-376 part 1, section 18. Formulas are read as their last result. A cell is written as people see
it as far as words need it: dates, times, percentages and currencies; thousands are not grouped, so that `1400` is
found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from xml.etree.ElementTree import Element

from bot.knowledge.read_parts import Content, Part, table
from bot.knowledge.read_zip import Archive, below, core_title, first, parse_xml, value

_BUILTIN: Final = {2: "0.00", 4: "0.00", 9: "0%", 10: "0.00%", 20: "h:mm", 21: "h:mm:ss", 22: "yyyy-mm-dd h:mm"}
_BUILTIN_DATES: Final = (14, 15, 16, 17, *range(27, 32), 36, *range(50, 59))
_DAY_ZERO: Final = datetime(1899, 12, 30)  # noqa: DTZ001  (dates of sheets have no zone)
_DAYS_1904: Final = 1462
"""Between day 0 of the two calendars of Excel."""
_MAX_DAYS: Final = 2_958_466
"""The first day that has no date: 10000-01-01."""
_MAX_MERGED_ROWS: Final = 1000
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")
_CURRENCY = re.compile(r"\[\$([^\]\-]+)[^\]]*\]|\"([^\"]*)\"|([€$£¥₹])")


def read_sheets(content: bytes) -> Content:
    """Parts of a workbook.

    Raises:
        UnreadableDocument: broken, behind a password, a bomb.
    """
    archive = Archive(content)
    main = next((name for kind, name in archive.related("").values() if kind == "officeDocument"), "xl/workbook.xml")
    root, related = archive.xml(main), archive.related(main)
    by_kind = dict(related.values())
    strings, styles = by_kind.get("sharedStrings", ""), by_kind.get("styles", "")
    cells = _Cells(
        strings=[_text(one) for one in archive.xml(strings)] if strings in archive else [],
        formats=_formats(archive.xml(styles)) if styles in archive else [],
        day_zero=-_DAYS_1904 if value(first(root, "workbookPr"), "date1904") in ("1", "true") else 0,
    )
    parts: list[Part] = []
    for sheet in below(root, "sheets", "sheet"):
        name = related.get(value(sheet, "r:id"), ("", ""))[1]
        if value(sheet, "state") in ("", "visible") and name in archive:
            rows = _rows(archive.read(name), cells)
            parts.append(Part((), "\n\n".join(_tables(rows)), " ".join(value(sheet, "name").split())))
    return Content(parts=parts, title=core_title(archive))


@dataclass(slots=True)
class _Cells:
    """What cells of a workbook refer to."""

    strings: list[str]
    formats: list[str]
    day_zero: int
    rows: dict[int, dict[int, str]] = field(default_factory=dict)

    def text(self, cell: Element) -> str:
        """A cell as people see it."""
        kind, content = cell.get("t", "n"), first(cell, "v")
        raw = (content.text or "").strip() if content is not None else ""
        if kind == "inlineStr":
            inline = first(cell, "is")
            return _text(inline) if inline is not None else ""
        if kind == "s":
            return self.strings[int(raw)] if raw.isdecimal() and int(raw) < len(self.strings) else ""
        if kind == "b":
            return {"1": "TRUE", "0": "FALSE"}.get(raw, raw)
        style = cell.get("s", "")
        code = self.formats[int(style)] if style.isdecimal() and int(style) < len(self.formats) else ""
        return _number(raw, code, self.day_zero) if kind == "n" and raw else raw


def _rows(sheet: bytes, cells: _Cells) -> dict[int, dict[int, str]]:
    """Row → column → text, without empty cells; a cell merged over several rows is said in each."""
    rows: dict[int, dict[int, str]] = {}
    last = 0

    def take(row: Element) -> None:
        nonlocal last
        number = row.get("r", "")
        last = int(number) if number.isdecimal() else last + 1
        found: dict[int, str] = {}
        column = -1
        for cell in row:
            at = _REFERENCE.fullmatch(cell.get("r", ""))
            column = _column(at[1]) if at else column + 1
            if text := cells.text(cell):
                found[column] = text
        if found:
            rows[last] = found

    root = parse_xml(sheet, take)
    for merged in below(root, "mergeCells", "mergeCell"):
        ends = _REFERENCE.findall(merged.get("ref", ""))
        if len(ends) == 2:
            (column, top), (_, bottom) = ends
            text = rows.get(int(top), {}).get(_column(column), "")
            for row in range(int(top) + 1, min(int(bottom), int(top) + _MAX_MERGED_ROWS) + 1):
                if text and row in rows:
                    rows[row].setdefault(_column(column), text)
    return rows


def _tables(rows: dict[int, dict[int, str]]) -> Iterator[str]:
    block: list[dict[int, str]] = []
    before = 0
    for number in sorted(rows):
        if block and number > before + 1:
            yield _table(block)
            block = []
        block.append(rows[number])
        before = number
    if block:
        yield _table(block)


def _table(block: Sequence[dict[int, str]]) -> str:
    columns = sorted({column for row in block for column in row})
    return table([row.get(column, "") for column in columns] for row in block)


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number


def _text(element: Element) -> str:
    """Text of a string, in pieces of different looks or in one; how it is pronounced is left out."""
    if element.tag == "t":
        return element.text or ""
    return "".join(_text(child) for child in element if child.tag in ("t", "r"))


def _formats(root: Element) -> list[str]:
    """The format of numbers of each style of cells, in the order in which cells name them."""
    custom = {value(one, "numFmtId"): value(one, "formatCode") for one in below(root, "numFmts", "numFmt")}
    codes: list[str] = []
    for style in below(root, "cellXfs", "xf"):
        number = value(style, "numFmtId")
        builtin = int(number) if number.isdecimal() else 0
        date = "yyyy-mm-dd" if builtin in _BUILTIN_DATES else "h:mm" if builtin in (18, 19, 45, 46, 47) else ""
        codes.append(custom.get(number) or date or _BUILTIN.get(builtin, ""))
    return codes


def _number(raw: str, code: str, day_zero: int) -> str:
    """A number by its format; as it is written if it is none."""
    try:
        number = float(raw)
    except ValueError:
        return raw
    positive = code.split(";")[0]
    bare = re.sub(r"\"[^\"]*\"|\[[^\]]*\]|\\.|_.|\*.|general", "", positive, flags=re.IGNORECASE).lower()
    if re.search(r"[ydhsm]", bare) and 0 <= number - day_zero < _MAX_DAYS:
        return _moment(number - day_zero, bare)
    decimals = re.search(r"\.([0#?]+)", bare)
    places = len(decimals[1]) if decimals else 0
    if "%" in bare:
        return f"{number * 100:.{places}f}%"
    plain = f"{number:.{places}f}" if re.search(r"[0#]", bare) and "e" not in bare else f"{number:.15g}"
    sign = _CURRENCY.search(positive)
    currency = next((one.strip() for one in sign.groups() if one), "") if sign else ""
    in_front = bool(sign) and not re.search(r"[0#]", positive[: sign.start()] if sign else "")
    return plain if not currency else f"{currency}{plain}" if in_front else f"{plain} {currency}"


def _moment(days: float, code: str) -> str:
    moment = _DAY_ZERO + timedelta(seconds=round(days * 86400))
    time = f"{moment:%H:%M}" + (f":{moment:%S}" if moment.second else "")
    if not re.search(r"[yd]", code) and re.search(r"[hs]", code):
        return time if days < 1 else f"{moment:%Y-%m-%d} {time}"
    return f"{moment:%Y-%m-%d}" + (f" {time}" if re.search(r"[hs]", code) else "")

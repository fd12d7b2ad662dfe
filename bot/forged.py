"""Lists of sources that a model wrote itself, or copied from a document, taken out of its answer. Pure.

The list below an answer is ours and leads to the passages that were used. One of the model's own would look the same
and could name anything (`Sources: [1] Official rules of the bank`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.prompt import cited

_WORDS = (
    r"(?:(?:official|verified|original|relevant|my|our|the)[ ])*"
    r"(?:sources?|references?|citations?|bibliography|works[ ]cited|footnotes?)(?:[ ](?:used|cited|consulted|list))?"
    r"|(?:官方|本答案|以上|相关|相關|主要)?(?:的)?"
    r"(?:(?:信息|資訊|资料|資料|内容|內容|答案|引用|参考|參考)?[来來]源|[参參]考(?:[资資]料|文[献獻]|[链鏈][接結])?|引用|引文|出[处處])"
    r"(?:列表|清单|清單|如下)?"
)
_DECORATION = r"[ \t>#*_~•\-–—\\]*"
_HEADING = re.compile(rf"{_DECORATION}(?:{_WORDS})[ ]?{_DECORATION}[:：]?{_DECORATION}(?P<rest>.*)", re.IGNORECASE)
_FENCE = re.compile(r"(?:> ?)?(`{3,}|~{3,})")
_MARK = r"(?:\\?\[[^\[\]\n]{0,20}\d[^\[\]\n]{0,20}\]|［[^］\n]{0,20}\d[^］\n]{0,20}］|【[^】\n]{0,20}\d[^】\n]{0,80}】)"
_MARKED_ENTRY = re.compile(rf"[ \t>*_]*(?:[-*+•][ \t]+|\d{{1,2}}[.)、][ \t]*)?[*_]*{_MARK}")
_ENTRY = re.compile(
    rf"[ \t>*_]*(?:(?:[-*+•]|\d{{1,2}}[.)])[ \t]+\S|\d{{1,2}}、|\(\d{{1,2}}\)|{_MARK}|<?https?:|\[[^\]]+\]\()"
)
_ANY = 99
"""More passages than there ever are: every mark counts."""


def without_own_sources(markdown: str) -> str:
    """The answer without the lists of sources in it; code is left alone.

    A list is a heading such as `**Sources:**` or `参考资料：` with entries below it or behind its colon. At the end of
    the answer any entries count; elsewhere only those that begin with a mark, since a list of salaries and rents may
    well be called sources. If the rest of the answer has no mark, the list's own are kept behind it: they say which
    passages were meant. Of an answer that is nothing but such a list only the heading goes.

    Args:
        markdown: as `bot.sanitise.harmless` gives it, with the marks as the model wrote them.
    """
    lines = markdown.split("\n")
    cut: list[tuple[int, int]] = []
    for start in _headings(lines):
        end = _end_of_list(lines, start)
        if end > start and (not cut or start >= cut[-1][1]):
            cut.append((start, end))
    if not cut:
        return markdown
    taken = "\n".join("\n".join(lines[start:end]) for start, end in cut)
    left = _without(lines, cut)
    if not left:
        return _without(lines, [(start, start + 1) for start, _ in cut]) or markdown
    marks = () if cited(left, _ANY)[1] else cited(taken, _ANY)[1]
    return left + (" " + "".join(f"[{number}]" for number in marks) if marks else "")


def _headings(lines: list[str]) -> Iterator[int]:
    fence = ""
    for at, line in enumerate(lines):
        found = _FENCE.match(line)
        if fence:
            if found and found[1].startswith(fence):
                fence = ""
        elif found:
            fence = found[1]
        elif _HEADING.fullmatch(line):
            yield at


def _end_of_list(lines: list[str], start: int) -> int:
    """Where the list that begins with this heading ends; `start` if it is none."""
    heading = _HEADING.fullmatch(lines[start])
    rest = heading["rest"].strip() if heading else ""
    is_marked = bool(_MARKED_ENTRY.match(rest)) if rest else True
    end = start + 1
    at = end
    while at < len(lines):
        if _ENTRY.match(lines[at]):
            is_marked = is_marked and bool(_MARKED_ENTRY.match(lines[at]))
            end = at + 1
        elif lines[at].strip() and not (lines[at].startswith("  ") and at > start + 1):
            break
        at += 1
    has_entries = bool(rest) or end > start + 1
    is_last = at == len(lines)
    if rest and not re.search(r"[:：]", lines[start]):
        # `Sources differ on this.` is a sentence.
        return start
    return (len(lines) if is_last else end) if has_entries and (is_last or is_marked) else start


def _without(lines: list[str], cut: list[tuple[int, int]]) -> str:
    gone = {at for start, end in cut for at in range(start, end)}
    left = "\n".join(line for at, line in enumerate(lines) if at not in gone).strip("\n")
    # The rule that set the list off.
    return re.sub(r"\n+[ \t]*(?:-{3,}|\*{3,}|_{3,})[ \t]*\Z", "", left).rstrip()

"""An answer made harmless before anybody sees it: a model may have obeyed a document. Pure.

What an answer says cannot be checked here; what can be clicked, loaded or would call somebody can. Three rules:

- A link is one only if its whole address stands in what was given (`bot.addresses`), and it shows where it leads.
- Every other address, each @mention and each /command stands as code: readable, and nothing in any chat app.
- There are no pictures, no HTML, no references, no hidden characters.

The text comes out in a form that all renderers read alike: code blocks begin at the margin, no backtick stands alone,
no `](` but ours. A text that one of them took for code and another for words could otherwise pass every rule.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache

from bot.addresses import ADDRESS, has_scheme, host_of, is_known, known_addresses, trimmed
from bot.visible import visible

Known = Callable[[], frozenset[str]]
"""The addresses given, looked for when the first address asks: most answers hold none."""


def harmless(markdown: str, given: Iterable[str]) -> str:
    """The answer with nothing live in it but links that were given.

    Args:
        markdown: as the model, or a passage, wrote it. Marks (`[1]`) stay.
        given: the texts whose addresses may be links: passages, the person's words, the persona.
    """

    @cache
    def known() -> frozenset[str]:
        return known_addresses(visible(text) for text in given)

    text = visible(markdown.replace("\r\n", "\n").replace("\r", "\n"))
    return "\n".join(part if is_code else _text(part, known) for is_code, part in _parts(text.split("\n")))


def addresses_outside_code(markdown: str) -> str:
    """The text without its code: what an earlier, harmless answer may give to the next."""
    return "\n".join(_INLINE_CODE.sub(" ", part) for is_code, part in _parts(markdown.split("\n")) if not is_code)


# --- code blocks ------------------------------------------------------------------------------------------------

_FENCE = re.compile(r"(?P<before>(?:[ \t>]|(?:[-*+]|\d{1,9}[.)])[ \t])*+)(?P<fence>`{3,}(?=[^`]*$)|~{3,})(?P<info>.*)")
_INFO = re.compile(r"[ \t]*([\w+#-]{0,30})")


def _parts(lines: list[str]) -> Iterator[tuple[bool, str]]:
    """Code blocks (True) and what stands between them, in order.

    A block within a list or indented is moved to the margin, where no renderer doubts where it ends; one within a
    quote stays if each of its lines is quoted. One that was never closed is closed.
    """
    text: list[str] = []
    at = 0
    while at < len(lines):
        opening = _FENCE.fullmatch(lines[at])
        if opening is None:
            text.append(lines[at])
            at += 1
            continue
        if opening["before"].strip(" \t>"):
            text.append(opening["before"].rstrip())
        if text:
            yield False, "\n".join(text)
        text = []
        end = _closing(lines, at + 1, opening["fence"])
        yield True, "\n".join(_block(opening, lines[at + 1 : end]))
        at = end + 1
    if text:
        yield False, "\n".join(text)


def _closing(lines: list[str], start: int, fence: str) -> int:
    for at in range(start, len(lines)):
        bare = lines[at].strip(" \t>")
        if bare.startswith(fence) and not bare.strip(fence[0]):
            return at
    return len(lines)


def _block(opening: re.Match[str], inner: list[str]) -> Iterator[str]:
    before, fence = opening["before"], opening["fence"]
    is_quoted = before.startswith(">") and not before.strip("> ") and all(line.startswith(">") for line in inner)
    margin = "> " if is_quoted else ""
    info = _INFO.match(opening["info"])
    yield f"{margin}{fence}{info[1] if info else ''}"
    for line in inner:
        # The indentation of the fence goes from its lines; theirs beyond it is the code's own.
        start = 0
        while start < min(len(before), len(line)) and line[start] in " \t>":
            start += 1
        yield margin + line[start:]
    yield margin + fence


# --- text ---------------------------------------------------------------------------------------------------------

_INLINE_CODE = re.compile(r"(?<![`\\])(?P<ticks>`++)[^\n]*?(?<!`)(?P=ticks)(?!`)")
_LONELY_TICK = "\u02cb"
"""Shown for a backtick that is no code's: it looks like one and opens nothing."""


_START, _END, _LINK = "\x02\x03\x04"
"""Around code and before links while a text is put together; `visible` leaves none in what comes in."""


def _code(span: str) -> str:
    return f"{_START}{span}{_END}"


_NOTABLE = re.compile(r"[\\`&<@]|\][(:]|://|(?<![\w/<>.:~@-])/[A-Za-z]|[A-Za-z0-9]\.[A-Za-z]|www\.", re.IGNORECASE)
"""What a line must hold for any rule to touch it; most do not, and are passed by at a tenth of the time."""


def _text(text: str, known: Known) -> str:
    return "\n".join(_line(line, known) if _NOTABLE.search(line) else line for line in text.split("\n"))


def _line(line: str, known: Known) -> str:
    pieces = []
    end = 0
    for match in _INLINE_CODE.finditer(line):
        pieces += [_words(line[end : match.start()], known), _code(match[0])]
        end = match.end()
    return _joined("".join([*pieces, _words(line[end:], known)]))


def _joined(text: str) -> str:
    """With a space where two pieces would be read as one: ticks that touch, a backslash or a `!` before ours."""
    text = re.sub(rf"{_END}(?={_START})|(?<=\\)(?={_START})|(?<=[!\\])(?={_LINK})", " ", text)
    return re.sub(f"[{_START}{_END}{_LINK}]", "", text)


_WRITTEN_OTHERWISE = re.compile(
    r"""
      (?P<kept>^[ ]*\d{1,9}\\[.)]|\\[\\&])           # `1\.` is no list; a backslash or an `&` as itself
    | \\(?P<idle>[/:?=%@.-])                          # escapes that only hide an address from who looks for one
    | (?P<tick>\\?`)
    | (?P<entity>&(?:\#\d{1,7}|\#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});)
    """,
    re.MULTILINE | re.VERBOSE,
)


def _plainly(text: str) -> str:
    """The same text with characters written as themselves, not as entities or needless escapes."""

    def replace(match: re.Match[str]) -> str:
        if match["kept"]:
            return match[0]
        if match["tick"]:
            return _LONELY_TICK
        if match["idle"]:
            return match["idle"]
        character = visible(html.unescape(match[0]))
        if character.isspace():
            return " "
        if character == "`":
            return _LONELY_TICK
        return f"\\{character}" if character in ("&", "\\") else character

    return _WRITTEN_OTHERWISE.sub(replace, text)


_TOKEN = re.compile(
    r"""
      (?P<escape>\\[^\w\s])
    | (?P<bangs>!{0,3})\[(?P<label>(?:\\[^\n]|[^\[\]\\\n]){0,500})\]
      \([ ]*(?P<target><[^<>\n]{0,2000}>|[^\s()<>]{0,2000}(?:\([^\s()<>]{0,500}\)[^\s()<>]{0,500})?)
      (?:[ ]+(?:"[^"\n]{0,500}"|'[^'\n]{0,500}'|\([^()\n]{0,500}\)))?[ ]*\)
    | (?P<seam>\])(?=\()                                          # of a link that is none of the above
    | (?P<reference>(?<!\[\d)(?<!\[\d\d)(?<!\[\^\d)(?<!\[\^\d\d)\]  # `[name]: …` would make links elsewhere,
      |^(?![ ]{0,3}\[)[ \t>*+\-\d.)]*\[\^?\d{1,2}\])(?=:)           # `[1]: …` of our marks
    | <(?P<between>[A-Za-z][A-Za-z0-9+.-]{1,30}:[^\s<>]{0,2000})>
    | (?P<tag><(?=[A-Za-z/!?]|[\w.!\#$%&'*+/=?^{|}~-]{1,64}@))
    | (?P<address>(?-x:"""
    + ADDRESS.pattern
    + r"""))
    | (?P<call>(?<![A-Za-z0-9._%+-])@[A-Za-z]\w{1,63}|(?<![\w/<>.:~@-])/[A-Za-z][A-Za-z0-9_]{0,63}(?![\w/.]|://))
    """,
    re.MULTILINE | re.VERBOSE,
)


def _words(text: str, known: Known) -> str:
    return _TOKEN.sub(lambda match: _token(match, known), _plainly(text))


def _token(match: re.Match[str], known: Known) -> str:
    if match["label"] is not None:
        return _link(match, known)
    if match["seam"] or match["reference"]:
        return match[0] + " "
    if match["between"]:
        return _address(match["between"], known, in_brackets=True)
    if match["tag"]:
        return "\\<"
    if match["address"]:
        address = trimmed(match["address"])
        return _address(address, known) + match["address"][len(address) :]
    return _code(f"`{match['call']}`") if match["call"] else match[0]


def _address(address: str, known: Known, *, in_brackets: bool = False) -> str:
    if not is_known(address, known()):
        return _code(f"`{address.removeprefix('mailto:')}`")
    if in_brackets or has_scheme(address):
        return f"{_LINK}<{address}>"
    # A file's name stays as it is; who writes `www.` or a path means the web.
    web = address.lower().startswith("www.") or ("/" in address and re.search(r"\w\.\w", host_of(address)))
    return f"{_LINK}[{address}](https://{_target(address)})" if web else address


def _link(match: re.Match[str], known: Known) -> str:
    """A link or a picture: a link that shows where it leads, or its words alone."""
    target = match["target"].removeprefix("<").removesuffix(">").strip()
    label = match["label"].strip()
    shown = _TOKEN.sub(lambda inner: _token(inner, frozenset), label)
    # `Look!` before a link must not make a picture of it.
    before = "! " if len(match["bangs"]) > 1 else ""
    if not has_scheme(target):
        mail = target.removeprefix("mailto:")
        return before + (f"{shown} ({mail})" if target.startswith("mailto:") and mail not in label else shown)
    if not is_known(target, known()):
        aside = f" ({_code(f'`{_one_word(target)}`')})" if target.lower().startswith("http") else ""
        return before + (shown + aside).lstrip()
    if re.fullmatch(r"\W*\d{0,2}\W*", label):
        # Nothing, or what would look like one of our marks.
        return before + (f"[{label}] " if re.fullmatch(r"\^?\d{1,2}", label) else "") + f"{_LINK}<{_one_word(target)}>"
    if ADDRESS.search(_plainly(label)):
        return before + f"{_LINK}<{_one_word(target)}>"
    host = host_of(target)
    is_odd = not host.isascii() or "xn--" in host
    return before + (f"{shown} ({_LINK}<{_one_word(target)}>)" if is_odd else f"{_LINK}[{shown}]({_target(target)})")


def _one_word(target: str) -> str:
    return re.sub(r"[\s`<>]", "", target)


def _target(address: str) -> str:
    return _one_word(address).replace("(", "%28").replace(")", "%29")

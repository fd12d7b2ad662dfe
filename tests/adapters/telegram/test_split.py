"""Cutting long texts: where a reader would, and never through what they see as one character."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.telegram.grapheme import is_boundary
from adapters.telegram.split import split
from tests.servers.telegram_text import units

Entity = dict[str, object]

FAMILY, FLAG, THUMB, SCOTLAND = "👩‍👩‍👧‍👦", "🇩🇪", "👍🏽", "🏴󠁧󠁢󠁳󠁣󠁴󠁿"


def texts(text: str, entities: list[Entity] | None = None) -> list[str]:
    """The pieces without their entities."""
    return [piece for piece, _ in split(text, entities or [])]


def pre(text: str, code: str, **more: object) -> Entity:
    """A fence around `code`, which stands once in `text`."""
    return {"type": "pre", "offset": units(text[: text.index(code)]), "length": units(code), **more}


def test_a_short_text_is_one_piece() -> None:
    """What fits is left alone, its entities too."""
    entity: Entity = {"type": "bold", "offset": 0, "length": 5}

    assert split("hello", [entity]) == [("hello", [entity])]


@pytest.mark.parametrize("text", ["", "  ", "\n\n"])
def test_a_blank_text_is_no_piece(text: str) -> None:
    """There is nothing to send."""
    assert split(text, []) == []


def test_exactly_the_limit_fits() -> None:
    """4096 units are one piece, 4097 two; an emoji counts two."""
    assert [units(piece) for piece in texts("a" * 4096)] == [4096]
    assert [units(piece) for piece in texts("a" * 4097)] == [4096, 1]
    assert [units(piece) for piece in texts("😀" * 2048)] == [4096]
    assert [units(piece) for piece in texts("a" + "😀" * 2048)] == [4095, 2]


@pytest.mark.parametrize(
    ("before", "gap", "after"),
    [
        ("x" * 3000, "\n\n", "line\n" * 300),
        ("x" * 3000, "\n", "Sentence. " * 200),
        ("x" * 3000 + ".", " ", "word " * 400),
        ("字" * 3000 + "。", "", "字" * 2000),
        ("x" * 3000, " ", "y" * 2000),
    ],
    ids=["paragraph", "line", "sentence", "Chinese sentence", "word"],
)
def test_the_best_cut_is_taken(before: str, gap: str, after: str) -> None:
    """Paragraphs go before lines, lines before sentences, sentences before words."""
    pieces = texts(before + gap + after.rstrip())

    if gap in ("\n\n", ""):
        assert pieces[0] == before
    else:
        assert pieces[0].startswith(before)
        assert pieces[0][-1] in "x.e" or gap == " "
    assert re.sub(r"\s", "", "".join(pieces)) == re.sub(r"\s", "", before + after)


def test_a_first_line_is_not_sent_alone() -> None:
    """A short opening before one huge paragraph stays with it: the paragraph is cut by sentences."""
    pieces = texts("Dear Ann,\n\n" + "This is a sentence. " * 300)

    assert len(pieces) == 2
    assert pieces[0].startswith("Dear Ann,\n\nThis is")
    assert pieces[0].endswith("sentence.")


def test_a_fence_that_fits_is_never_cut() -> None:
    """The piece ends before the fence, however little stands there."""
    code = "\n".join(f"line {n}" for n in range(467))
    text = f"Do this:\n\n{code}\n\nDone."

    pieces = split(text + " word" * 200, [pre(text, code, language="sh")])

    assert pieces[0][0] == "Do this:"
    assert pieces[1][0].startswith(code)
    assert pieces[1][1] == [{"type": "pre", "offset": 0, "length": units(code), "language": "sh"}]


def test_a_fence_too_long_for_a_message_becomes_several() -> None:
    """It is cut by lines; each piece is a fence with its language, and indentation stays."""
    lines = [f"    line {n} of the program" for n in range(400)]
    code = "\n".join(lines)

    pieces = split(code, [pre(code, code, language="py")])

    assert "\n".join(piece for piece, _ in pieces) == code
    assert all(
        styles == [{"type": "pre", "offset": 0, "length": units(piece), "language": "py"}] for piece, styles in pieces
    )


def test_styles_go_on_in_the_next_piece() -> None:
    """A style over the cut is applied on both sides, and offsets start anew."""
    text = "a" * 3000 + " " + "b" * 3000

    pieces = split(text, [{"type": "bold", "offset": 0, "length": 6001}])

    assert pieces == [
        ("a" * 3000, [{"type": "bold", "offset": 0, "length": 3000}]),
        ("b" * 3000, [{"type": "bold", "offset": 0, "length": 3000}]),
    ]


@pytest.mark.parametrize("cluster", [FAMILY, FLAG, THUMB, SCOTLAND, "é", "각", "नि", "ำ", "क्ष", "❤️"])
@pytest.mark.parametrize("shift", range(4))
def test_a_visible_character_is_never_cut(cluster: str, shift: int) -> None:
    """Families, flags, skin tones, accents and syllables stay whole in an unbroken row of them."""
    row = cluster * 3000

    pieces = texts("x" * shift + row)

    assert "".join(pieces) == "x" * shift + row
    assert pieces[0].removeprefix("x" * shift).replace(cluster, "") == ""
    assert all(piece.replace(cluster, "") == "" for piece in pieces[1:])


def test_a_single_character_longer_than_a_message_is_cut_after_all() -> None:
    """A letter under ten thousand accents still arrives."""
    text = "a" + "\u0301" * 10_000

    assert "".join(texts(text)) == text


def test_boundaries_within_plain_text() -> None:
    """Between plain characters a cut is allowed, within CR LF it is not."""
    assert [is_boundary("ab字\r\n", place) for place in range(6)] == [True, True, True, True, False, True]


_TEXT = st.lists(
    st.one_of(
        st.text(max_size=20),
        st.sampled_from([FAMILY, FLAG, THUMB, SCOTLAND, "\n", "\n\n", ". ", "。", " ", "é"]),
        st.tuples(st.sampled_from(["word ", "字", "😀", FLAG, "line\n", "Go. "]), st.integers(1, 3000)).map(
            lambda pair: pair[0] * pair[1]
        ),
    ),
    max_size=12,
).map("".join)


@st.composite
def styled(draw: st.DrawFn) -> tuple[str, list[Entity]]:
    """A text with entities that lie within it, at whole characters."""
    text = draw(_TEXT)
    spans = draw(st.lists(st.tuples(st.integers(0, len(text)), st.integers(0, len(text))), max_size=8))
    entities: list[Entity] = []
    for first, last in (sorted(span) for span in spans):
        if first < last:
            offset, length = units(text[:first]), units(text[first:last])
            entities.append({"type": draw(st.sampled_from(["bold", "pre"])), "offset": offset, "length": length})
    return text, entities


@settings(max_examples=300)
@given(styled())
def test_all_of_the_text_arrives(given_text: tuple[str, list[Entity]]) -> None:
    """The pieces together are the text, up to whitespace at the cuts, each within the limit, none blank."""
    text, entities = given_text

    pieces = texts(text, entities)

    place = 0
    for piece in pieces:
        assert 0 < units(piece) <= 4096
        assert piece.strip()
        start = text.index(piece, place)
        assert not text[place:start].strip()
        place = start + len(piece)
    assert not text[place:].strip()


@settings(max_examples=200)
@given(styled())
def test_entities_stay_on_their_words(given_text: tuple[str, list[Entity]]) -> None:
    """Every entity of a piece lies within it, and each styled character is styled in its piece."""
    text, entities = given_text

    covered = 0
    for piece, styles in split(text, entities):
        raw = piece.encode("utf-16-le")
        for style in styles:
            offset, length = int(str(style["offset"])), int(str(style["length"]))
            assert length > 0
            assert 0 <= offset <= offset + length <= units(piece)
            covered += len(re.sub(r"\s", "", raw[2 * offset : 2 * (offset + length)].decode("utf-16-le")))

    raw = text.encode("utf-16-le")
    wanted = 0
    for entity in entities:
        offset, length = int(str(entity["offset"])), int(str(entity["length"]))
        wanted += len(re.sub(r"\s", "", raw[2 * offset : 2 * (offset + length)].decode("utf-16-le")))
    assert covered == wanted

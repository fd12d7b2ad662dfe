"""Answers without a model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.language import language_of
from bot.llm.quote import MAX_QUOTE_WIDTH, quote
from bot.message import Language
from bot.prompt import cited
from bot.turn import Passage, Quoted


def passage(
    text: str,
    *,
    distance: float | None = 0.4,
    language: Language = "en",
    title: str = "Cards",
    place: str = "",
) -> Passage:
    """A passage at some distance of the question."""
    return Passage(
        id="cards.md#0",
        document="cards.md",
        version="1",
        title=title,
        place=place,
        text=text,
        language=language,
        score=0.5,
        cosine_distance=distance,
    )


def quoted(question: str, passages: list[Passage]) -> str:
    """The quotes for a question in its own language."""
    return quote(question, language_of(question), passages).markdown


LOST = "If you lose your card, block it in the app at once. A new one comes within five working days and costs 8 euros."
LOST_ZH = "如果银行卡丢失，请立即在应用中冻结。新卡五个工作日内寄到，费用为八欧元。"


def test_the_nearest_passage_is_quoted_with_its_mark() -> None:
    """A block quote of the document's own words, and the number that the list of sources explains."""
    assert quoted("What if I lose my card?", [passage(LOST)]) == f"> {LOST} [1]"


def test_a_chinese_question_reads_as_well() -> None:
    """The same in Chinese."""
    assert quoted("银行卡丢了怎么办？", [passage(LOST_ZH, language="zh")]) == f"> {LOST_ZH} [1]"


@pytest.mark.parametrize(
    ("question", "distance"),
    [("What is the capital of France?", 0.8), ("hello", 0.75), ("谢谢", 0.9), ("???", 0.7), ("", None), ("the", None)],
)
def test_nothing_near_is_not_quoted(question: str, distance: float | None) -> None:
    """What the documents do not say is left to the caller's honest sentence."""
    assert quoted(question, [passage(LOST, distance=distance), passage(LOST_ZH, distance=distance)]) == ""


def test_nothing_found_is_not_quoted() -> None:
    """No passages, no quote."""
    assert quoted("What if I lose my card?", []) == ""


def test_shared_words_count_where_the_meaning_is_unknown() -> None:
    """Without vectors, a passage with nearly all the question's words is near, one with a few is not."""
    assert quoted("lose card block app", [passage(LOST, distance=None)])
    assert quoted("lose weight with apple diet", [passage(LOST, distance=None)]) == ""


def test_a_heading_counts_as_words_of_the_passage() -> None:
    """Passages often leave unsaid what their heading says."""
    costs = passage("8 euros.", distance=None, title="Prices", place="Cards › Replacement of a lost card")

    assert quoted("replacement lost card prices", [costs]) == "> 8 euros. [1]"


def test_a_question_in_another_language_is_answered_by_meaning() -> None:
    """No word in common, but near: quoted as it stands."""
    assert quoted("银行卡丢了怎么办？", [passage(LOST, distance=0.5)]) == f"> {LOST} [1]"


def test_a_copy_in_another_language_is_not_quoted_too() -> None:
    """Once a passage in the asker's language is quoted, its translation adds nothing; the numbers stay."""
    both = [passage(LOST, distance=0.42), passage(LOST_ZH, language="zh", distance=0.45)]

    assert quoted("银行卡丢失怎么办？", both) == f"> {LOST_ZH} [2]"


def test_a_copy_in_the_own_language_is_quoted_though_it_is_a_little_farther() -> None:
    """The nearest is in another language; ours would only have been named."""
    both = [passage(LOST_ZH, language="zh", distance=0.5), passage("Cover for a family.", distance=0.5)]

    assert quoted("Does my wife get one?", both) == "> Cover for a family. [2]"


def test_the_first_found_and_the_nearest_of_the_others_are_quoted() -> None:
    """The ranking and the nearness are two opinions on which one is right."""
    texts = ("Lose a card in winter.", "Lose a card, winter or not.", "Lose a blue card in winter.")

    text = quoted("lose blue card winter", [passage(text) for text in texts])

    assert text == "> Lose a card in winter. [1]\n\n> Lose a blue card in winter. [3]"


def test_two_near_passages_are_quoted_and_not_more() -> None:
    """In their order, each with its number, and the far one is left out."""
    passages = [passage("Lose your card 1."), passage("Weather.", distance=0.79)]
    passages += [passage(f"Lose your card {n}.") for n in (3, 4)]

    assert quoted("lose card", passages) == "> Lose your card 1. [1]\n\n> Lose your card 3. [3]"


def test_what_is_not_near_enough_to_be_quoted_may_be_named() -> None:
    """The three nearest, in the asker's language; nothing where all is far."""
    passages = [passage(LOST, distance=distance) for distance in (0.57, 0.9, 0.58, 0.59, 0.58)]
    passages.append(passage(LOST_ZH, language="zh", distance=0.65))
    question = "What does a new number from abroad mean for an order in winter?"

    assert quote(question, "en", passages) == Quoted("", near=(1, 3, 5))
    assert quote(question, "en", passages[1:2]) == Quoted("")


def test_words_are_alike_whatever_their_ending() -> None:
    """Called and calls, asked and asks; filler words do not count as unshared."""
    text = "Whoever calls and asks for your PIN is not from the bank."

    assert quoted("Somebody really called and asked for my PIN", [passage(text, distance=0.75)]) == f"> {text} [1]"


def test_a_long_table_keeps_its_head_and_the_rows_that_fit() -> None:
    """In their order, as a table."""
    rows = [f"| Account {n} | {n}.90 | with a card and unlimited transfers |" for n in range(30)]
    rows[20] = "| Student | 0 | with proof of enrolment |"
    table = "\n".join(["| Account | Fee | Included |", "|---|---|---|", *rows])

    text = quoted("Student enrolment fee", [passage(f"All prices in euros.\n\n{table}", distance=0.5)])

    lines = text.splitlines()
    assert lines[:5] == ["> …", ">", "> | Account | Fee | Included |", "> |---|---|---|", f"> {rows[0]}"]
    assert f"> {rows[20]}" in lines
    assert lines[-2:] == [">", "> [1]"]
    assert len(text) < MAX_QUOTE_WIDTH + 60


def test_a_long_passage_is_cut_to_the_sentences_that_fit() -> None:
    """Whole sentences around the answer, with dots where something is left out."""
    before = " ".join(f"Sentence {n} speaks of something else altogether." for n in range(20))
    after = " ".join(f"Statement {n} speaks of nothing that matters here." for n in range(20))

    text = quoted("What if I lose my card?", [passage(f"{before} {LOST} {after}")])

    assert text.startswith("> … If you lose your card,")
    assert text.endswith(". … [1]")
    assert len(text) <= MAX_QUOTE_WIDTH + 20


def test_a_long_chinese_passage_is_cut_to_the_sentences_that_fit() -> None:
    """Chinese sentences end without a space."""
    filler = "本行在各地设有网点，欢迎前来咨询各类问题。" * 40

    text = quoted("银行卡丢失怎么办？", [passage(filler + LOST_ZH + filler, language="zh")])

    assert text.startswith("> … 如果银行卡丢失，")
    assert text.endswith("。 … [1]")


def test_lists_and_code_stay_what_they_are() -> None:
    """Each line is quoted, and a mark after code stands on its own line."""
    text = quoted("reset card pin", [passage("Reset the card PIN:\n\n- open it\n\n```sh\nreset pin[1]\n```")])

    assert text == "> Reset the card PIN:\n>\n> - open it\n>\n> ```sh\n> reset pin[1]\n> ```\n>\n> [1]"


def test_code_too_long_is_cut_within_its_fence() -> None:
    """A fence that is opened is closed."""
    code = "```\n" + "\n".join(f"card line {n}" for n in range(200)) + "\n```"

    text = quoted("card line", [passage(code)])

    assert text.startswith("> ```\n> card line 0\n")
    assert text.endswith("\n> …\n> ```\n>\n> [1]")


def test_a_passage_cannot_cite_others() -> None:
    """Brackets in a document do not become marks of ours."""
    text = quoted("lose card", [passage("Lose your card [2], see [3](http://x) and [^1]."), passage("x")])

    assert cited(text, 3)[1] == (1,)


@given(st.text(max_size=80), st.lists(st.text(min_size=1, max_size=900).filter(str.strip), max_size=4))
def test_whatever_is_quoted_only_its_own_marks_count(question: str, texts: list[str]) -> None:
    """Any question and any documents give nothing, or quotes of passages that exist, each line a quote's."""
    text = quoted(question, [passage(each) for each in texts])

    if texts:
        assert all(line.startswith(">") for block in text.split("\n\n") for line in block.split("\n"))
    else:
        assert text == ""


@pytest.mark.timeout(5)
@pytest.mark.parametrize("unit", ["```\n", "a", "。", "a. ", "\n", "`", " "])
def test_a_huge_passage_takes_no_huge_time(unit: str) -> None:
    """The time grows with the length, not with its square."""
    quoted("lose card", [passage("card " + unit * (50_000 // len(unit)))])

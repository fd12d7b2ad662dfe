"""The tokens of a text: the same on both sides, and nothing that a query parser would take for its own."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.words import MAX_QUERY_TOKENS, MAX_TOKEN_CHARS, query_tokens, says_something, tokens


def test_english_words_are_folded_and_stop_words_left_out() -> None:
    """Case, width and plural do not matter; words that only ask are no words."""
    assert tokens("What are the FEES of our Branches?") == ["wfee", "wbranch"]
    assert tokens("ＩＢＡＮ 2024") == ["wiban", "w2024"]
    assert tokens("Does theirs have doors?") == ["wdoor"]


def test_chinese_becomes_overlapping_pairs() -> None:
    """Runs of characters are cut into pairs, a lone character stays alone."""
    assert tokens("挂失银行卡") == ["w挂失", "w失银", "w银行", "w行卡"]
    assert tokens("卡 100元") == ["w卡", "w100", "w元"]


@given(st.text(max_size=300))
def test_a_token_is_free_of_syntax_by_construction(text: str) -> None:
    """Whatever people write, a token is `w` and letters or digits."""
    found = query_tokens(text)

    assert all(re.fullmatch(r"w[^\W_]+", token) for token in found)
    assert all(len(token) <= MAX_TOKEN_CHARS + 1 for token in found)
    assert len(found) == len(set(found)) <= MAX_QUERY_TOKENS


@given(st.text(max_size=100), st.text(max_size=100))
def test_a_line_of_a_text_has_no_tokens_that_the_text_lacks(before: str, line: str) -> None:
    """A question that quotes a line of a document shares all of its tokens."""
    assert set(tokens(line)) <= set(tokens(f"{before}\n{line}"))


@pytest.mark.parametrize("text", ["", " \n", "?!…", "🙂👍🏽", "———", "。？", "\u200b\u202e"])
def test_punctuation_and_emoji_say_nothing(text: str) -> None:
    """Where there is no letter and no digit there is nothing to search for."""
    assert not says_something(text)
    assert tokens(text) == []


def test_both_spellings_of_chinese_are_the_same_words() -> None:
    """Whoever writes traditional characters finds simplified documents, and the other way round."""
    assert tokens("銀行卡丟了怎麼辦？") == tokens("银行卡丢了怎么办？")

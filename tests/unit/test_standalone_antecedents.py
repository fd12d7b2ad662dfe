"""Pronouns that find their antecedent in the same message, and "my" that is anybody's."""

from __future__ import annotations

import pytest

from bot.language import language_of
from bot.standalone import Fitness, fitness

LEANING = Fitness(storable=False, servable=False, leans=True)


def decided(question: str, *, has_history: bool = False) -> Fitness:
    """The decision for a question in its own language."""
    return fitness(question, language_of(question), has_history=has_history)


EXPLAINED = [
    "If a parcel is lost, who pays for it?",
    "If I lose my card, how do I replace it?",
    "I forgot my password, how do I get a new one?",
    "My passport expires soon, how do I renew it?",
    "Can I change an order after placing it?",
    "Where do I get the app and install it?",
    "Can students change their major?",
    "如果包裹丢了，它由谁赔？",
    "鲁迅原名周树人，他是浙江绍兴人，也是作家。",
    "布拉杜河是罗马尼亚的一条河流，它的源头在山区，全长约二十公里。",
]


@pytest.mark.parametrize("question", EXPLAINED)
def test_a_pronoun_with_its_antecedent_stands_alone_as_an_opening(question: str) -> None:
    """What it means is said in the message."""
    assert decided(question) == Fitness(storable=True, servable=True)


@pytest.mark.parametrize("question", EXPLAINED)
def test_in_a_conversation_it_is_never_stored_or_served(question: str) -> None:
    """There it may as well mean what was said before."""
    assert decided(question, has_history=True) == LEANING


@pytest.mark.parametrize(
    "question",
    [
        "How much is it if I pay by card?",
        "Can I get a refund if I cancel it?",
        "If I lose it, what happens?",
        "Thanks for the help. How much does it cost?",
        "I have a question, how much is it?",
        "What does the price include, and who gets it?",
        "And that one?",
        "它怎么收费？",
        "那个方案呢？",
        "他什么时候来？",
        "谢谢，他什么时候来？",
        "周末的话，它开门吗？",
        "押金他们什么时候退？",
        "公司的员工也一样吗？",
        "他在田纳西州的卡特县出生，后来搬到了阿肯色州。",
        "在竞选活动中，他两次击败了对手，一次在图森。",
        "1991 年以前，它是全县唯一的公共舞台，后来关闭了。",
        "上述规定适用于所有的正式员工和合同制的员工。",
    ],
)
def test_a_pronoun_without_one_leans(question: str) -> None:
    """Nothing before it in the message is what it could mean, or that is in doubt."""
    assert decided(question) == LEANING


@pytest.mark.parametrize(
    ("anybody", "asker"),
    [
        ("Where do I see my invoices?", "Where is my invoice?"),
        ("How can I get my deposit back?", "When will I get my deposit back?"),
        ("What happens if I miss my appointment?", "When is my appointment?"),
        ("Can I change my booking after paying?", "Has my booking been changed?"),
        ("Can my wife pick up my parcel?", "Why can't my wife log in?"),
        ("My card was stolen, what do I do?", "My payment is missing, what do I do?"),
        ("Can I still cancel after paying?", "Can I still cancel?"),
        ("What should I bring to my appointment?", "What do I have to pay for my order?"),
        ("Where do I go to cancel my booking?", "Where do I go for my appointment?"),
        ("What happens if my parcel is lost?", "Could you find out if my parcel is lost?"),
        ("What should I do if my payment fails?", "What should I do, my payment failed?"),
        ("怎么查询我的账单？", "怎么扣了我的钱？"),
        ("怎么修改我的邮箱？", "我的邮箱是多少？"),
        ("我什么时候要交学费？", "我什么时候能收到货？"),
        ("我的车可以停在哪里？", "我的车在哪里？"),
        ("我的护照过期了怎么换？", "我的退款不见了怎么办？"),
    ],
)
def test_my_is_of_anybody_where_it_is_asked_how_or_whether(anybody: str, asker: str) -> None:
    """The same thing asked about, once what everybody does with it, once how one's own is."""
    assert decided(anybody).storable
    assert not decided(asker).servable

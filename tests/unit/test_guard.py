"""Which questions are the same question to the guard, and under which name it refuses the others."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.guard.verdict import MAX_CHARS, Verdict, judge

PAIRS = Path(__file__).parents[1] / "reuse"
MIN_HIT_RATE = 0.3


def pairs(name: str) -> list[tuple[str, str]]:
    """The pairs of one file of `tests/reuse`."""
    lines = (PAIRS / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [(row["stored"], row["asked"]) for row in map(json.loads, lines)]


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("written", ["", "fresh_", "later_", "hunted_", "examined_"])
def test_no_trap_is_reused(written: str, language: str) -> None:
    """Two questions that differ in one thing that matters are never the same, whichever was stored."""
    traps = pairs(f"{written}traps_{language}")

    assert [pair for pair in traps if judge(*pair).reuse or judge(*reversed(pair)).reuse] == []


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("written", ["", "fresh_", "later_"])
def test_paraphrases_are_often_reused(written: str, language: str) -> None:
    """A guard that refuses everything would be right and useless."""
    paraphrases = pairs(f"{written}paraphrases_{language}")

    assert sum(judge(*pair).reuse for pair in paraphrases) >= MIN_HIT_RATE * len(paraphrases)


@pytest.mark.parametrize(
    ("stored", "asked", "kind"),
    [
        ("Can I bring 2 guests?", "Can I bring 4 guests?", "numbers"),
        ("Does the trial last 30 days?", "Does the trial last 30 hours?", "units"),
        ("Are you open on 24 December?", "Are you open on 26 December?", "dates"),
        ("Can I check in at 9 am?", "Can I check in at 9 pm?", "times"),
        ("Is there a fee for $500?", "Is there a fee for $5000?", "money"),
        ("How do I install Python 3.11?", "How do I install Python 3.12?", "versions"),
        ("How do I install Firefox?", "How do I install Chrome?", "names"),
        ("Which plans include roaming?", "Which plans don't include roaming?", "negation"),
        ("How do I turn on dark mode?", "How do I turn off dark mode?", "antonyms"),
        ("Are orders over 50 free?", "Are orders under 50 free?", "comparatives"),
        ("How do I convert dollars to euros?", "How do I convert euros to dollars?", "direction"),
        ("How do I cancel my booking?", "When do I cancel my booking?", "question_type"),
        ("Are all rooms heated?", "Are some rooms heated?", "quantifiers"),
        ("Can I see your address?", "Can I see my address?", "owners"),
        ("What is the refund period?", "退款期限是多久？", "language"),
        ("How do I order a card?", "How do I order a virtual card?", "content"),
        ("What does the key ⌘ do?", "What does the key ⌥ do?", "unknown_characters"),
        ("可以带2位客人吗？", "可以带4位客人吗？", "numbers"),
        ("转账500元收费吗？", "转账500美元收费吗？", "money"),
        ("星期一营业吗？", "星期五营业吗？", "dates"),
        ("怎么取消预订？", "为什么取消预订？", "question_type"),
        ("哪些套餐包含漫游？", "哪些套餐不包含漫游？", "negation"),
        ("怎么上传文件？", "怎么下载文件？", "antonyms"),
        ("猫会传染给狗吗？", "狗会传染给猫吗？", "direction"),
        ("所有房间都有暖气吗？", "有些房间有暖气吗？", "quantifiers"),
        ("怎么重置密码？", "パスワードをリセットするには？", "language"),
    ],
)
def test_a_refusal_says_what_differs(stored: str, asked: str, kind: str) -> None:
    """The operator sees why a near question was not reused."""
    assert judge(stored, asked) == Verdict(False, kind)  # type: ignore[arg-type]  # the parameter is any text


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("How do I reset my password?", "Hi! Could you please tell me how I can reset the password? Thanks"),
        ("What should I do if I lose my card?", "If I lose my card, what should I do?"),
        ("I can't log in, what do I do?", "What should I do if I cannot log in?"),
        ("Why isn't the printer working?", "Why is the printer not working?"),
        ("Which documents do I need?", "What documents are required?"),
        ("Which cards do you accept?", "Which cards are accepted?"),
        ("How do I turn notifications off?", "How can I disable notifications?"),
        ("What is the price of a pass?", "How much does a pass cost?"),
        ("What's the Wi-Fi password?", "What is the password of the wifi?"),
        ("Is a 5kg parcel free?", "Is a 5 kilogram package free?"),
        ("Do you close at 3 pm?", "Do you close at 15:00?"),
        ("How do I get from A to B?", "How do I get to B from A?"),
        ("How do I cancel my subscription?", "how do i cancel my subscirption"),
        ("怎么重置密码？", "您好，請問密碼如何重置呢？謝謝"),
        ("付款为什么被拒？", "为什么付款被拒绝？"),
        ("月票多少钱？", "月票的价格是多少？"),
        ("可以修改地址吗？", "能不能修改地址？"),
        ("发票在哪里下载？", "在哪儿下载发票？"),
        ("借记卡和信用卡有什么区别？", "信用卡与借记卡有什么区别？"),
        ("周五图书馆几点关门？", "图书馆星期五几点关门？"),
        ("Could you tell me where the office is?", "Where is the office located?"),
        ("What are the opening hours of the library?", "When is the library open?"),
        ("Is a visa required?", "Do I need a visa?"),
        ("Is there a pool in the hotel?", "Does the hotel have a pool?"),
        ("Can a booking be changed?", "Is it possible to change a booking?"),
        ("Where do you store the data?", "Where is the data stored?"),
        ("What time does the shop open?", "When does the shop open?"),
        ("I want to cancel my flight, how?", "How do I cancel my flight?"),
        ("I need help resetting the router", "How do I reset the router?"),
        ("How long does the warranty last?", "How long is the warranty?"),
        ("What is the deadline for the tax return?", "When is the tax return due?"),
        ("Is smoking allowed on the balcony?", "Can I smoke on the balcony?"),
        ("Who is entitled to the grant?", "Who is eligible for the grant?"),
        ("皮鞋怎么保养？", "怎样保养皮鞋比较好？"),
        ("贷款可以提前还吗？", "可以提前还贷款吗？"),
        ("怎么把报告导出为PDF？", "如何将报告导出成PDF？"),
        ("什么是公积金？", "公积金是什么？"),
        ("有无早餐？", "提供早餐吗？"),
        ("重置密码的方法", "密码怎么重置？"),
        ("打完疫苗头晕怎么办？", "打完疫苗頭暈怎麼辦？"),
        ("怎么在网上报税？", "如何网上报税？"),
        ("包裹几天能送到？", "包裹多久送到？"),
        ("哪里有厕所？", "洗手间在哪里？"),
        (
            "国际玉米小麦改良中心从甲基金会和乙委员会获得了资助。",
            "国际玉米小麦改良中心从乙委员会和甲基金会获得了资助。",
        ),
    ],
)
def test_another_wording_of_the_same_question(stored: str, asked: str) -> None:
    """What people vary without meaning anything by it."""
    assert judge(stored, asked) == Verdict(True, "")
    assert judge(asked, stored) == Verdict(True, "")


ADVERSARIAL = """
How do I turn on the heating off season?|How do I turn off the heating on season?
How do I pay for a friend?|How do I pay a friend?
What is the number of accounts?|What is the account number?
What happens if I need to pay?|What happens if I do not need to pay?
I can log in, what do I do?|I can't log in, what do I do?
Which team beat the champions?|Which team did the champions beat?
When I pay, what do I get?|When do I pay what I get?
Where can I store food?|Where is food stored?
How do I remove a user from a group?|How do I remove a group from a user?
Can I pay in cash or by card?|Can I pay in cash and by card?
Is it not possible to pay?|Is it possible not to pay?
How do I log in to the app on the phone?|How do I log in to the phone on the app?
May I come on 5 May?|May I come on 6 May?
How can I stop being charged?|How can I stop charging?
Which users were deleted?|Which users deleted?
When does the contract end?|When did the contract end?
I need my refund|I need a refund
Can I bring my child's friend?|Can I bring my friend's child?
What if I am sick on holiday?|What if I am on sick holiday?
How do I contact the store?|How do I store the contact?
Should I fix the rate?|Should I repair the rate?
How do I save the file before closing?|How do I close the file before saving?
Why am I not able to pay?|Why am I able not to pay?
How do I redirect HTTP to HTTPS?|How do I redirect HTTPS to HTTP?
Where is the Teams app?|Where is the team app?
Can I pay from my card in Spain to one in France?|Can I pay from my card in France to one in Spain?
怎么修改我的密码？|怎么修改你的密码？
学生怎么申请？|怎么申请学生？
周一的票周二能用吗？|周二的票周一能用吗？
下午3点前能取吗？|下午3点后能取吗？
我能取消你的订单吗？|你能取消我的订单吗？
怎么让他联系我？|怎么让我联系他？
谁能看到我的资料？|我能看到谁的资料？
为什么要先付款后发货？|为什么要先发货后付款？
可以不签字吗？|不可以签字吗？
不，可以退款吗？|不可以退款吗？
房东可以租吗？|可以租房东吗？
三月一日放假吗？|一月三日放假吗？
约翰的父亲和母亲昨天从那座很远的城市坐火车来了。|母亲和约翰的父亲昨天从那座很远的城市坐火车来了。
他告诉经理小王昨天在会上迟到了很久所以要扣钱。|经理告诉他小王昨天在会上迟到了很久所以要扣钱。
国王约翰和彼得分别住在城堡的东边和西边。|国王彼得和约翰分别住在城堡的东边和西边。
皖牌车可以进城吗？|滇牌车可以进城吗？
What is the fee for gold?|How much is gold?
What is the fee for shares?|How much are shares?
What is the delivery time?|What is the delivery date?
How is the data stored?|How do I store the data?
Can my account be blocked?|Can I block my account?
Can a payment be refused?|Can I refuse a payment?
When is the library closed?|When do you close the library?
What time is the exam?|On which day is the exam?
By what time must I leave?|From what time can I leave?
Until when can I pay?|Until when must I pay?
How should I pay?|How can I pay?
What can I bring?|What should I bring?
Is a visa not required?|Do I need a visa?
Is smoking not allowed outside?|Can I smoke outside?
What does the policy not cover?|What does the policy cover?
Does the building have a school?|Does the school have a building?
Is support included in the licence?|Is the licence included in support?
Who is eligible for the grant?|Who is ineligible for the grant?
Do you offer free rooms?|Is there a free room?
How do I stop the update?|How do I disable updates?
Which rooms are available?|Which rooms do you offer?
How do I enrol my child in the course?|How do I enrol in the course of my child?
How many times is the bus cleaned?|How often is the bus cleaned?
店家可以退吗？|可以退店家吗？
居民可以投诉吗？|可以投诉居民吗？
几点开始考试？|几号开始考试？
手续费怎么算？|手续费怎么收？
两年的年费多少？|年费多少？
怎么还款？|怎么没还款？
怎么办退休？|怎么办，退休了？
手机收不到验证码怎么办？|验证码收不到手机怎么办？
可以带几位客人吗？|可以带多少位客人？
怎么把文件发给老师？|老师怎么把文件发给我？
谁可以申请补贴？|谁可以取消补贴？
怎么在手机上登录？|怎么在电脑上登录？
需要提供什么材料？|你们提供什么材料？
帮老师付费吗？|老师付费吗？
有无障碍通道吗？|有障碍通道吗？
"""


@pytest.mark.parametrize("pair", ADVERSARIAL.strip().splitlines())
def test_what_the_rules_themselves_could_confuse(pair: str) -> None:
    """Each rule that calls two wordings the same has a pair that a careless one would let through."""
    stored, asked = pair.split("|")

    assert not judge(stored, asked).reuse
    assert not judge(asked, stored).reuse


def test_a_long_text_is_reused_only_as_it_is_spelled() -> None:
    """A story holds more than its form does."""
    story = "I tried to pay. " * (MAX_CHARS // 16 + 1)

    assert judge(story + "Why?", story.upper() + "why").reuse
    assert not judge(story + "Why is that?", story + "Hello, why's that?").reuse


def test_a_third_language_is_reused_only_as_it_is_spelled() -> None:
    """Its small words are none of ours: `a` is no article in Spanish."""
    assert judge("Hay vuelos a Madrid?", "hay vuelos a madrid").reuse
    assert not judge("Hay vuelos a Madrid", "Hay vuelos Madrid").reuse


def test_signs_alone_are_no_question() -> None:
    """`???` was asked about something else each time."""
    assert not judge("???", "???").reuse


WORDS = """
how do i can my the not reset password if from to a and or 5 kg $5 turn on off , ? 怎么 密码 不 吗 的 在 哪里
我 你 可以 和 、 · 3点 周一 第二 百分之 十 更 是 what which between 请问 谢谢 呢
"""
QUESTIONS = st.lists(st.sampled_from(WORDS.split()), max_size=14).map(" ".join)


@given(QUESTIONS | st.text(max_size=60), QUESTIONS | st.text(max_size=60))
def test_any_text_is_judged_alike_both_ways(one: str, other: str) -> None:
    """No text breaks it, and which of the two was stored makes no difference."""
    assert judge(one, other).reuse == judge(other, one).reuse

"""Which questions' answers may be shared."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.language import language_of
from bot.standalone import Fitness, fitness

SHARED = Fitness(storable=True, servable=True)
UNFIT = Fitness(storable=False, servable=False)
LEANING = Fitness(storable=False, servable=False, leans=True)
SERVED = Fitness(storable=False, servable=True)

STANDS_ALONE = [
    # English
    "How do I reset my password?",
    "What are the opening hours of the branch in Berlin?",
    "How can I cancel a transfer?",
    "Is there a fee for international transfers?",
    "Is it possible to open an account online?",
    "How long does it take to get a new card?",
    "Can I change my address in the app?",
    "I forgot my password. What should I do?",
    "I lost my card, how do I block a card?",
    "What is the difference between a debit card and a credit card?",
    "Which documents do I need to open a business account?",
    "How many vacation days do employees get per year?",
    "What happens if I exceed the overdraft limit?",
    "Does the premium account include travel insurance?",
    "Where can I find the tax form?",
    "Explain how two-factor authentication works",
    "Do I have to pay for a second card?",
    "Are students exempt from the monthly fee?",
    "Which ports does the server use in version 1.5?",
    "What does error 404 mean?",
    "How do I install Debian on a laptop?",
    "Can a minor open an account without parents?",
    "How do I update the app on Android 14?",
    "Who can approve a purchase above 5,000 euros?",
    "Does a certified copy mean that the original stays with the bank?",
    "How is overtime paid?",
    "I'm unable to log in to the mobile app, what can I do?",
    "opening hours",
    "mortgage interest rate for 10 years",
    "What can you do?",
    "Which browsers are supported by the web portal?",
    "Are you open on Mondays?",
    "Which fee applies to the first transfer?",
    "What if my card is stolen abroad?",
    "How do I cancel my order?",
    "Can my wife use the card?",
    # Chinese
    "怎么重置密码？",
    "我怎么重置密码？",
    "我忘了密码怎么办？",
    "如何开通网上银行？",
    "国际转账收多少手续费？",
    "信用卡年费是多少？",
    "开立企业账户需要哪些材料？",
    "怎么重置密码呢？",
    "分行的营业时间是几点到几点？",
    "18岁以上可以开户吗？",
    "员工每年有多少天年假？",
    "借记卡和信用卡有什么区别？",
    "我的账户怎么注销？",
    "银行卡丢了怎么挂失？",
    "我的银行卡丢了怎么办？",
    "出差报销流程是什么？",
    "如何申请住房贷款？",
    "住房贷款的利率是多少？",
    "怎么查询余额？",
    "手机银行支持哪些手机系统？",
    "VPN 怎么连接？",
    "其他银行的取款机收费吗？",
    "应该如何设置双重验证？",
    "学生账户需要交月费吗？",
    "如何退货？",
    "发票抬头怎么修改？",
    "客服电话是多少？",
    "支持支付宝付款吗？",
    "如何安装 Debian 系统？",
    "忘記密碼怎麼辦？",
    "請問如何開立帳戶？",
    "周末营业吗？",
    "违约金怎么计算？",
    "与其他银行相比手续费高吗？",
    "关于年假的规定",
    "Redis 的默认端口是多少",
]

LEANS_ON_WHAT_WAS_SAID = [
    "How much does it cost?",
    "And for students?",
    "what about businesses?",
    "How about on weekends?",
    "Is that free?",
    "Why is this not allowed?",
    "Can they see my account?",
    "Where do I send them?",
    "What did he say?",
    "How do I get there?",
    "Does she approve holidays?",
    "for business accounts?",
    "but why",
    "Why?",
    "yes",
    "ok thanks",
    "continue",
    "Tell me more",
    "more details please",
    "What else do I need?",
    "The second one",
    "How do I get one?",
    "Can you explain the last point?",
    "You said a card costs 8 euros",
    "What was my previous question?",
    "Summarize",
    "Translate to Chinese",
    "Can students do so?",
    "Does the same apply to couples then?",
    "Do you remember the code word?",
    "它多少钱？",
    "那学生呢？",
    "学生呢？",
    "这个怎么用？",
    "上面的第二步怎么做？",
    "刚才说的费用是多少？",
    "他可以批准吗？",
    "她是谁？",
    "还有呢？",
    "为什么？",
    "怎么办？",
    "继续",
    "好的",
    "详细说说",
    "举个例子",
    "第二点是什么意思？",
    "你说的材料去哪里拿？",
    "周末也可以吗？",
    "还需要什么材料？",
    "另外一个怎么收费？",
    "如果是外国人呢？",
    "对于企业客户呢？",
    "然后怎么做？",
    "和信用卡一样吗？",
    "上述规定适用于谁？",
    "該產品怎麼買？",
    "這個怎麼申請？",
    "剛才說的是什麼？",
    "再说一遍",
    "翻译成英文",
    "前者和后者有什么区别？",
    "什么意思？",
]

LEANS_ON_WHO_ASKS = [
    "Where is my order?",
    "What is my account balance?",
    "When will my card arrive?",
    "What's the status of my loan application?",
    "Did you get my email?",
    "Why was my payment declined?",
    "Has my refund been processed?",
    "How many vacation days do I have left?",
    "Am I eligible for a loan?",
    "I am a student, can I get a discount?",
    "I'm allergic to nuts, what can I eat?",
    "I ordered a laptop last week",
    "I paid twice, what now?",
    "I've already applied",
    "Who is my manager?",
    "What do you know about me?",
    "Who am I?",
    "When will I get paid?",
    "Check my ticket",
    "How much do I owe?",
    "Which shift is our team's schedule in?",
    "Please cancel my appointment",
    "Was I charged twice?",
    "My card got stolen!",
    "Tell me why my top-up failed",
    "Why wasn't I able to log in?",
    "The machine didn't let me withdraw",
    "我的订单到哪了？",
    "我的贷款批了吗？",
    "我的账户余额是多少？",
    "我的申请进度怎么样？",
    "我的快递什么时候到？",
    "我还有多少天年假？",
    "我有几天年假？",
    "帮我查一下余额",
    "我是学生，可以办信用卡吗？",
    "我昨晚付款失败",
    "我买了一台电脑，怎么退？",
    "我的退款为什么还没到？",
    "我的工资什么时候发？",
    "我符合贷款条件吗？",
    "我的领导是谁？",
    "我老婆可以用吗？",
    "我被扣了两次钱",
    "我已经提交申请了",
    "收到我的邮件了吗？",
    "我欠多少钱？",
    "关于我你知道什么？",
    "我是谁？",
    "我的訂單到哪了？",
    "我的帳戶餘額是多少？",
    "我們的發票開了嗎？",
]

LEANS_ON_NOW = [
    "Are you open today?",
    "What is for lunch tomorrow?",
    "Who is on call this week?",
    "What is the current interest rate?",
    "Is the server down?",
    "What's the latest version?",
    "Is there a meeting next Monday?",
    "What changed recently?",
    "What time is it?",
    "Can I come now?",
    "Is the office still closed?",
    "Which projects are currently running?",
    "What's the weather like?",
    "Who won yesterday?",
    "What holidays are there this year?",
    "今天营业吗？",
    "明天放假吗？",
    "现在的利率是多少？",
    "目前有哪些活动？",
    "最近有什么新规定？",
    "这周谁值班？",
    "下周一开会吗？",
    "今年春节放几天假？",
    "几点了？",
    "今天星期几？",
    "最新版本是什么？",
    "汇率是多少？",
    "系统什么时候恢复？",
    "本月的活动有哪些？",
    "現在營業嗎？",
]

POINTS_AT_NOW = ["Who is on call this week?", "What time is it?", "What holidays are there this year?", "这周谁值班？"]
"""Of those, the ones with a word that elsewhere points back: taken to lean on what was said too."""

IDENTIFIES = [
    "Please write to bob@example.com",
    "Call +49 170 1234567",
    "Is card 4111 1111 1111 1111 blocked?",
    "What is the state of order A1007?",
    "ticket #4711",
    "My name is Bob",
    "I'm Alice, how do I open an account?",
    "This is Bob from accounting",
    "ask @bob about the plan",
    "订单号 20241123 怎么查",
    "订单 A1007 的状态",
    "我叫小明",
    "我姓王，怎么开户？",
    "电话13800138000能查吗",
    "尾号 4321 的卡怎么冻结",
]


def decided(question: str, *, has_history: bool = False) -> Fitness:
    """The decision for a question in its own language."""
    return fitness(question, language_of(question), has_history=has_history)


@pytest.mark.parametrize("question", STANDS_ALONE)
def test_a_question_that_stands_alone_is_shared(question: str) -> None:
    """Anybody would be given the same answer, in any conversation, at any time."""
    assert decided(question) == SHARED


@pytest.mark.parametrize(
    "question", [*LEANS_ON_WHAT_WAS_SAID, *LEANS_ON_WHO_ASKS, *LEANS_ON_NOW, *IDENTIFIES, "", "???", "👍", "x" * 501]
)
@pytest.mark.parametrize("has_history", [False, True])
def test_a_question_that_leans_on_anything_is_not_shared(question: str, has_history: bool) -> None:
    """On what was said, on who asks, on now, or naming somebody: neither stored nor served, with history or without."""
    decision = decided(question, has_history=has_history)

    assert (decision.storable, decision.servable) == (False, False)


@pytest.mark.parametrize("question", [*LEANS_ON_WHAT_WAS_SAID, "", "???", "👍"])
@pytest.mark.parametrize("has_history", [False, True])
def test_what_means_something_only_with_what_was_said_leans_on_it(question: str, has_history: bool) -> None:
    """Its passages can only be found together with the question before it."""
    assert decided(question, has_history=has_history) == LEANING


@pytest.mark.parametrize(
    "question",
    [*LEANS_ON_WHO_ASKS, *(q for q in LEANS_ON_NOW if q not in POINTS_AT_NOW), *IDENTIFIES, "x" * 501],
)
@pytest.mark.parametrize("has_history", [False, True])
def test_a_personal_or_a_present_question_has_its_meaning_in_itself(question: str, has_history: bool) -> None:
    """It is searched for by itself: the question before it may have been of something else."""
    assert decided(question, has_history=has_history) == UNFIT


def test_the_tables_are_large_enough_to_mean_something() -> None:
    """At least 60 questions in each language."""
    every = [*STANDS_ALONE, *LEANS_ON_WHAT_WAS_SAID, *LEANS_ON_WHO_ASKS, *LEANS_ON_NOW, *IDENTIFIES]

    assert len(set(every)) == len(every)
    assert sum(language_of(question) == "zh" for question in every) >= 60
    assert sum(language_of(question) == "en" for question in every) >= 60


@pytest.mark.parametrize("question", STANDS_ALONE)
def test_with_history_nothing_is_stored(question: str) -> None:
    """Whatever the question, the earlier exchanges stood in its request."""
    assert not decided(question, has_history=True).storable


@pytest.mark.parametrize(
    "question",
    [
        "How do I reset my password?",
        "What are the opening hours of the branch in Berlin?",
        "Does the premium account include travel insurance?",
        "如何开通网上银行？",
        "国际转账收多少手续费？",
        "开立企业账户需要哪些材料？",
    ],
)
def test_with_history_a_whole_question_is_served(question: str) -> None:
    """It means the same whatever was said before."""
    assert decided(question, has_history=True) == SERVED


@pytest.mark.parametrize(
    "question",
    [
        "opening hours",
        "How do I apply?",
        "How long does approval take?",
        "What documents are needed?",
        "Is there a fee?",
        "Berlin",
        "Can I cancel?",
        "需要多少钱？",
        "多久到账？",
        "怎么申请？",
        "需要哪些材料？",
        "企业账户",
        "可以取消吗？",
        "审批需要几天？",
    ],
)
def test_with_history_a_question_without_a_subject_is_not_served(question: str) -> None:
    """Its subject is what was spoken of: "how do I apply?" after a loan is another question than after a card."""
    assert decided(question, has_history=True) == LEANING
    assert decided(question) == SHARED


@given(st.text(max_size=120), st.sampled_from(["en", "zh"]), st.booleans())
def test_with_history_never_more_is_allowed(question: str, language: str, has_history: bool) -> None:
    """Any text is decided; nothing is storable that is not servable, what leans is neither, and history takes away."""
    decision = fitness(question, "zh" if language == "zh" else "en", has_history=has_history)
    without = fitness(question, "zh" if language == "zh" else "en", has_history=False)

    assert decision.servable or not decision.storable
    assert not (decision.leans and decision.servable)
    assert without.servable or not decision.servable


@pytest.mark.skipif("FRONTDESK_SHARED" not in os.environ, reason="shared data absent")
def test_questions_about_facts_are_mostly_shared() -> None:
    """Of XQuAD's questions, which all stand alone by their making, most in both languages may be shared."""
    for language in ("en", "zh"):
        path = Path(os.environ["FRONTDESK_SHARED"], f"data/xquad/xquad.{language}.json")
        articles = json.loads(path.read_text(encoding="utf-8"))["data"]
        questions = [qa["question"] for article in articles for p in article["paragraphs"] for qa in p["qas"]]

        shared = sum(decided(question) == SHARED for question in questions)

        assert shared / len(questions) > 0.7, language


@pytest.mark.timeout(5)
@pytest.mark.parametrize("unit", ["a ", "1 ", "我", "is it possible for ", "my x ", "@", "第", "ok"])
def test_a_long_text_takes_no_long_time(unit: str) -> None:
    """Up to the limit the rules are quick; beyond it a text is refused unread."""
    for length in (500, 500_000):
        fitness((unit * length)[:length], "en", has_history=True)

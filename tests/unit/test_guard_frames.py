"""Each pattern of a question that the guard rewrites has a pair that shows what it is for."""

from __future__ import annotations

import pytest

from bot.guard.verdict import judge

ENGLISH = """
I'm not sure how to reset the router|How do I reset the router?
Can you help me reset the router?|How do I reset the router?
Steps for resetting the router|How do I reset the router?
Steps to reset the router|How do I reset the router?
I want to reset the router. What should I do?|How do I reset the router?
What would be the way to reset the router?|How do I reset the router?
How to go about resetting the router?|How do I reset the router?
How do I go about resetting the router?|How do I reset the router?
Can you explain the process for resetting the router?|How do I reset the router?
Is there any way I can pay online?|Can I pay online?
Is it possible for me to pay online?|Can I pay online?
Is it ok if I pay online?|Can I pay online?
Would it be possible to pay online?|Can I pay online?
Is payment by card possible?|Can I pay by card?
Is cancellation possible?|Can I cancel?
Is registration at the door possible?|Can I register at the door?
Where do I need to go to register?|Where can I register?
Where can a car be registered?|Where can I register a car?
Is the app compatible with Linux?|Does the app work with Linux?
What is the branch's phone number?|What is the phone number of the branch?
What is your email address?|What is your email?
Have you got a gym?|Do you have a gym?
Do you allow parking in the yard?|Can I park in the yard?
What are the consequences if I miss the exam?|What happens if I miss the exam?
How much do I have to pay for a locker?|How much does a locker cost?
How expensive is a locker?|How much does a locker cost?
Could you tell me how much a locker costs?|How much does a locker cost?
What are the costs of a locker?|How much does a locker cost?
How much time does the repair take?|How long does the repair take?
Please tell me how long the repair takes|How long does the repair take?
Can you tell me when the office closes?|When does the office close?
Can I work two hours a day?|Can I work two hours per day?
Is there a gym at the hotel?|Is there a gym in the hotel?
Will I be charged for parking?|Is there a fee for parking?
Do I have to pay for parking?|Is there a fee for parking?
Which rooms are there?|Which rooms do you offer?
What hours is the pool open?|When is the pool open?
When is check-in time?|When is check-in?
Until when may I cancel?|Until when can I cancel?
What days do you deliver?|On which days do you deliver?
What is the minimum age for driving?|How old must I be to drive?
Who qualifies for a grant?|Who is eligible for a grant?
Which documents do I have to bring?|What documents should I bring?
When do I need to pay?|When must I pay?
What are the differences between a loan and a lease?|What is the difference between a lease and a loan?
What is the meaning of APR?|What does APR mean?
How can I tell if a cheque is valid?|How do I check whether a cheque is valid?
Where is the branch in Leeds situated?|Where is the branch in Leeds?
"""
CHINESE = """
有人知道怎么重置路由器吗？|怎么重置路由器？
想重置路由器，该怎么办？|怎么重置路由器？
怎么申请一张信用卡？|怎么办理信用卡？
丢了身份证怎么办？|身份证丢了怎么办？
怎么装软件？|怎么安装软件？
怎么还没发货？|为什么还没发货？
开户所需材料有哪些？|开户需要什么材料？
退款到账要多久？|退款几天能到账？
国际汇款收多少手续费？|国际汇款手续费多少？
换锁要花多少钱？|换锁多少钱？
入会需要满足什么条件？|入会的条件是什么？
公积金是指什么？|什么是公积金？
这个图标的意思是什么？|这个图标是什么意思？
不带证件进馆可以吗？|能不带证件进馆吗？
利息的计算方法是什么？|利息怎么计算？
"""


@pytest.mark.parametrize("pair", [*ENGLISH.strip().splitlines(), *CHINESE.strip().splitlines()])
def test_two_patterns_of_one_question(pair: str) -> None:
    """The pattern is rewritten, whichever of the two was stored."""
    stored, asked = pair.split("|")

    assert judge(stored, asked).reuse
    assert judge(asked, stored).reuse

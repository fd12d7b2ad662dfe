"""One small change that makes another question of it is never overlooked, whatever the question and its wording."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bot.guard.verdict import judge

PAIRS = Path(__file__).parents[1] / "reuse"
EVERY = 15
"""Every how many questions one is changed: 100 changes each, and all of them take a minute."""

OPPOSITES_EN = """
before/after with/without over/under more/less most/least first/last open/close buy/sell enable/disable
upload/download add/remove increase/decrease start/stop import/export lock/unlock install/uninstall early/late
earlier/later minimum/maximum in/outside on/under to/from new/old lost/found join/leave send/receive free/expensive
cheaper/dearer incoming/outgoing public/private daily/monthly online/offline upgrade/downgrade accept/reject
login/logout all/some every/any always/never only/also both/either my/your day/night week/month hour/minute
kg/lb Monday/Tuesday May/June card/account ticket/invoice password/username student/teacher child/adult
car/bike room/table book/cancel change/keep order/return delivery/collection passport/visa bank/insurance
documents/photos fee/deadline flight/train how/why how/when when/where where/why who/why
can/must
"""
OPPOSITES_ZH = """
前/后 以上/以下 最多/最少 最高/最低 最早/最晚 更/最 开启/关闭 打开/关闭 开/关 上传/下载 买/卖 增加/减少 提高/降低
导入/导出 安装/卸载 订阅/退订 绑定/解绑 冻结/解冻 升级/降级 入住/退房 进/出 里/外 国内/国外 境内/境外 线上/线下
免费/收费 所有/部分 每/某 都/只 一/二 两/三 早上/晚上 上午/下午 周五/周六 星期一/星期二 年/月 天/周 小时/分钟
公斤/斤 元/美元 学生/老师 孩子/成人 卡/存折 密码/用户名 发票/合同 手机/电脑 退货/换货 退款/换货 护照/签证 课程/考试
怎么/什么时候 什么时候/哪里 哪里/为什么 可以/必须 需要/可以 能/该 多久/多少钱 存/取 借/还 寄/收 信用卡/借记卡
查询/修改 取消/恢复 申请/取消 删除/添加
"""
ONE_WAY = "can/should do/did 怎么/为什么"
"""Back again some of these are the same question: `为什么不能` and `怎么不能`."""
INSERTED_EN = ("not", "never", "only", "second", "virtual", "no", "student", "temporary")
ADDED_EN = (
    "for students",
    "in Spain",
    "without a password",
    "on Mondays",
    "after 6 pm",
    "for 2 people",
    "by phone",
    "before the exam",
    "if I am under 18",
    "with version 3.2",
    "on Android",
    "to a friend",
    "for 20 euros",
    "twice",
)
INSERTED_ZH = "不没未非只全新旧"
ADDED_ZH = (
    "如果没有护照",
    "在西班牙",
    "周一",
    "晚上8点后",
    "对学生来说",
    "两个人",
    "用安卓手机",
    "500元以上",
    "未成年人",
    "第二次",
    "3.2版",
    "通过电话",
)


def questions(language: str) -> list[str]:
    """Every question of the paraphrases, in both of its wordings."""
    found: dict[str, None] = {}
    for name in ("paraphrases", "fresh_paraphrases"):
        for line in (PAIRS / f"{name}_{language}.jsonl").read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            found.update(dict.fromkeys((row["stored"], row["asked"])))
    return list(found)


def swapped(question: str, pairs: str, *, word: str) -> Iterator[str]:
    """The question with one word exchanged for its opposite; `word` is the pattern of the word's bounds."""
    both = [tuple(pair.split("/")) for pair in pairs.split()]
    ways = [*both, *(pair[::-1] for pair in both), *(tuple(pair.split("/")) for pair in ONE_WAY.split())]
    for old, new in ways:
        if old.casefold() in question.casefold():
            for match in re.finditer(word.format(re.escape(old)), question, re.IGNORECASE):
                if question[match.start() : match.end()].casefold() == old.casefold():
                    yield question[: match.start()] + new + question[match.end() :]


def numbers_changed(question: str) -> Iterator[str]:
    """Each figure one more."""
    for match in re.finditer(r"\d+", question):
        yield f"{question[: match.start()]}{int(match[0]) + 1}{question[match.end() :]}"


def names_changed(question: str) -> Iterator[str]:
    """Each word that is written like a name, inside the question, another name."""
    for match in re.finditer(r"(?<=[a-z,] )[A-Z][\w-]+|(?<=[\u4e00-\u9fff])[A-Za-z]{2,}", question):
        yield f"{question[: match.start()]}Zorbax{question[match.end() :]}"


def english_mutations(question: str) -> Iterator[str]:
    """Other questions, a small change away."""
    yield from swapped(question, OPPOSITES_EN, word=r"\b{}\b")
    yield from numbers_changed(question)
    yield from names_changed(question)
    words = question.split()
    for at in range(1, len(words)):
        for inserted in INSERTED_EN:
            yield " ".join([*words[:at], inserted, *words[at:]])
    for added in ADDED_EN:
        yield f"{question.rstrip('?!. ')} {added}?"
    for at, middle in enumerate(words):
        if middle in ("to", "from", "for", "than", "with", "in", "of", "or") and 0 < at < len(words) - 1:
            last = words[at + 1].rstrip("?")
            end = words[at + 1][len(last) :]
            yield " ".join([*words[: at - 1], last, middle, words[at - 1] + end, *words[at + 2 :]])


def chinese_mutations(question: str) -> Iterator[str]:
    """Other questions, a small change away."""
    yield from swapped(question, OPPOSITES_ZH, word="{}")
    yield from numbers_changed(question)
    yield from names_changed(question)
    for at in range(1, len(question) - 1):
        for inserted in INSERTED_ZH:
            yield question[:at] + inserted + question[at:]
    for added in ADDED_ZH:
        yield f"{added}{question}"


def overlooked(question: str, mutations: Iterator[str]) -> list[str]:
    """The changed questions that still pass for this one."""
    return [changed for changed in mutations if changed != question and judge(question, changed).reuse]


@pytest.mark.parametrize(("language", "mutations"), [("en", english_mutations), ("zh", chinese_mutations)])
def test_a_small_change_that_matters_is_seen(language: str, mutations: Callable[[str], Iterator[str]]) -> None:
    """Words exchanged, put in or turned round, figures and names changed: no such question passes for the first."""
    asked = questions(language)

    found = [
        (question, changed) for question in asked[::EVERY] for changed in overlooked(question, mutations(question))
    ]

    assert len(asked) > 400
    assert found == []

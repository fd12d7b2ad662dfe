"""Chinese words that are spelled in one way before questions are compared.

Chinese is written without spaces, so these lists are also all the segmentation there is: the longest entry wins, every
other character stands for itself. `WHOLE` keeps words whole that hold one of the others (`功能` holds `能`). Only what
is interchangeable in a question to a help desk stands here; a missing word costs some reuse, a wrong one an answer.
"""

from __future__ import annotations

import re

from bot.guard.chinese_same import SYNONYMS
from bot.guard.table import words

_TAKEN_OUT = """
请问一下 请问下 请问 到底 究竟 一下 的话
"""
"""Politeness and fillers, and words that make no other question."""

_WHOLE = """
含量 含义 含糊 含金量 内含
可能 功能 智能 性能 能力 能源 能量 万能 技能 节能 只能 职能 能见度 本能 重要 主要 要求 要点 只要 必要 概要 摘要 要么
首要 要素 纪要 和谐 和平 共和国 共和 饱和 温和 缓和 和解 与会 与其 跟踪 跟进 跟随 高跟 及时 及格 涉及 普及 来得及
来不及 埃及 以及 危及 波及 提及 至少 至于 甚至 至今 截至 冬至 夏至 以至 乃至 至多 至上 应用 应届 反应 供应 适应 相应
应聘 应急 效应 响应 对应 应付 应收 应对 回应 该项 收到 收件 收货 收入 收据 收益 收费 收款 收购 收集 签收 吸收 接收
没收 税收 收藏 收盘 验收 收银 收回 预算 结算 清算 打算 核算 换算 算法 算是 计算机 估算 运算 检查 审查 调查 查收 查看
查封 查验 抽查 居住证 住院 住宿 住房 住址 入住 住户 居住 住宅 记住 锁住 住所 改签 改善 改革 改造 改进 改变 整改 买卖
买入 买家 买断 购物 购房 采购 团购 换购 购票 存款 存折 存入 存在 保存 库存 存货 存单 生存 戴尔 穿戴 若干 般若 若要
拒收 拒付 丢弃 现在 正在 所在 实在 在线 在职 内在 潜在 自在 在于 在校 在读 在岗 公交车 上海 大海 海关 中转 目的 目的地
的确 标的 了解 为了 了结 受不了 忘不了 不得了 明了 哪天 哪个 哪家 哪位 哪一 什么的 多少年 多大 多长 多远 多高 多重
多快 我们 我的 你们 你的 您的 您 咱们 呢 吗 吧 啊 呀 哦 啦 哈 哟 嘛 么 急诊 紧急 急救 着急 急需 加急 亲属 父亲 母亲
亲人 亲自 亲子 亲戚 亲友 探亲 相亲 亲爱 国际 平时 有时 小时 临时 准时 按时 定时 实时 同时 当时 随时 超时 具体化 一般户
一般人 一般纳税人 由于 关于 对于 属于 等于 基于 大于 小于 多于 少于 低于 高于 于是 终于 用于 处于 源于 鉴于 便于 善于
因素 基因 富于 介于 早于 晚于 过于 归于 限于 致力于 相当于 而已 从而 反而 时而 所以 所有 所谓 然后 而后 研究所 事务所
派出所 证券交易所 便宜 方便 顺便 随便 便利 便捷 成就 就业 就职 就读 规则 原则 否则 法则 不少于 不低于 丢脸 不过敏 不过
过敏 通过 超过 不会 不是 是不是 不同 怎么办理 怎么办卡 怎么办证 怎么做饭 用户 信用 费用 适用 通用 作用 专用 公用 常用
商用 用途 用品 用餐 引用 试用 租用 聘用 录用 雇用 挪用 占用 盗用 冒用 滥用 复用 重用 利用 用力 用心 有用 没用 家用
民用 军用 耐用 实用 备用 食用 饮用 服用 用药 用法 用量 用电 用水 用车 用工 用人 用语 用时 启用 停用 禁用 提前 开户行
代办 一下午 一下子 我们 咱们 改行 改期 改装 改编 改派 改约 改天 改口 改道 改嫁 吗啡 喇嘛 路由器
"""

_YES_NO = {
    "能不能": "能",
    "可不可以": "能",
    "可否": "能",
    "能否": "能",
    "是不是": "是",
    "是否": "",
    "有没有": "有",
    "要不要": "需要",
    "需不需要": "需要",
    "会不会": "会",
    "好不好": "好",
    "收不收": "收取",
}
"""`有没有 …` asks what `有 … 吗` asks."""

VERBS = words(
    """
    重置 取消 修改 申请 办理 删除 注销 登录 清除 清理 联系 更新 更换 预订 预约 导出 导入 安装 卸载 下载 上传
    升级 降级 打印 扫描 报销 查询 购买 付款 退款 退货 发 报名 订阅 退订 开启 关闭 设置 连接 续签 签 挂失
    解锁 锁定 激活 绑定 解绑 清洁 计算 收取 换 退 用 租 借 还 领取 领 提交 填写 打 寄 取 补办 验证 分享 恢复
    备份 转让 延长 推迟 停用 使用 配置 维修 修理 更正 开通 停 开 交 撤回 查找 追踪 兑换 提取 缴纳 充值 报修
    编辑 添加 上传 转换 保存 修
    """
)
"""Verbs that, alone after the question word, take what stands before it as their object: `密码怎么重置`."""

_ACTORS = """
人 员 者 们 民 友 士 妇 婴 娃 爸 妈 哥 姐 弟 妹 叔 姨 爷 奶 夫 父 母 童 幼 师 生 兵
亲 男 女 商 警 我 你 他 她 客 猫 狗 马 牛 羊 鸡 鸟 老板 经理 主管 教授 房东 卖家 买家
商家 厂家 店家 专家 国家 群主 业主 车主 雇主 店主 用户 客户 住户 租户 商户 农户 储户 同事 领导
公司 企业 机构 单位 政府 司机 银行 分行 支行 医院 法院 学校 工会 协会 委员会 学生会 部门 团队
平台 甲方 乙方 对方 双方 卖方 买方 资方 校方 警方 校长 院长 部长 家长 队长 班长 组长 店长
行长 员工 职工 护工 选手 新手 对手 助手 孩子 妻子 儿子 子女
"""
ACTORS = re.compile(f"(?:{'|'.join(_ACTORS.split())})$|[我你他她它谁]")
"""Ends of words for who can act, and pronouns: such a topic may be the one who does it, so it is not turned into the
object."""
LINKED = words("把 从 给 在 对 向 被 让 和 比 到 用 由 因为 如果 但 后 前 时 了 | @")
"""Words with which a topic is more than one thing."""
NO_VERBS = words("不 没 会 才 都 就 能 样 走 说 看 这么 那么 有 是 在 多 少 去 来 到 给 从 把 @ 什么 吗 想 需要 必须")
"""Words with which what follows a question word is more than a verb."""

HAPPENS = re.compile(
    "(?:(?:忘记|丢|错过).{0,4}|坏|碎|裂|摔|掉|断|堵|漏水?|盗|偷|死机|黑屏|停电|出错|失败|失效|过期|逾期|迟到|错过|误机|延误|生病|受伤|过敏|发烧|感冒|头晕|不适|"
    "超时|卡住|不见|不足|不够|不动|不到|不上|不开)$"
)
"""Ends of words for what nobody plans, so that with or without `了` it has happened."""
HOURS_OF_BUSINESS = re.compile("(?:开门|关门|营业|打烊)$")

_MEASURES = """
个 位 名 条 座 种 张 件 份 次 级 岁 年 月 天 日 号 小时 个小时 个月 周 星期
分钟 秒 元 块 块钱 美元 欧元 英镑 日元 公斤 千克 斤 克 毫克 米 公里 厘米 毫米 毫升
升 亩 平方米 人 台 套 间 层 楼 家 本 部 首 支 所 只 头 匹 辆 架 艘 把 双 对
笔 期 届 场 轮 票 折 倍 世纪 年代 页 章 节 款 项 点 路 度 门 封 类 步 遍 篇
队 县 区 国 女 子 任 站 季 集 周年 城 代 大 州
"""
MEASURE = "|".join(sorted(_MEASURES.split(), key=len, reverse=True))
A_OR_AN = words("个 位 名 条 座 种 部 首 家 所 支 本 张 款")
"""After "is", `一个` and the like say no more than the article "a"."""


LINKS = words(
    """
    在 并 而 就 便 则 且 所 也 还 以 是 为 至于 | ( ) 但 因此 后来 此外 当时 同时 然后 于是 而后
    """
)
"""Joiners of a statement that may stand for one another, as they leave its sense to its other words."""
PRONOUNS = words("他 她 它 其 这 那")
"""A subject that may be repeated or not, but is never another one."""
JOINERS = LINKS | PRONOUNS | words("个 名 位 条 中 上 内 里 省 市 县 郡 州 镇 区 位于 n:1 们 地 着 境内")
"""What may be left out of a long statement: what links its parts, repeats its subject or calls a city a city."""
PAST = frozenset(("曾", "已"))
"""What a statement that names its year may do without."""
LIST_BEGINS_AFTER = frozenset(",，、在从由对于为给向到有")
LIST_WORDS = ("分别", "依次", "先后", "前者", "后者", "各自", "把", "被", "比", "先", "再", "换", "转")
"""Words that say which member is meant, or that one thing is done before another."""


def _table() -> dict[str, tuple[str, ...]]:
    table: dict[str, tuple[str, ...]] = {}
    for line in SYNONYMS.strip().splitlines():
        word, *others = line.split()
        table[word] = (word,)
        table.update(dict.fromkeys(others, (word,)))
    table.update({word: (word,) for word in (*_WHOLE.split(), *VERBS, *_ACTORS.split()) if word not in table})
    table.update(dict.fromkeys(_TAKEN_OUT.split(), ()))
    table.update({word: ("吗", *filter(None, (verb,))) for word, verb in _YES_NO.items()})
    table.update({"怎么办理": ("怎么", "办理"), "怎么办卡": ("怎么", "办", "卡"), "怎么办证": ("怎么", "办", "证")})
    table.update({"么": ("吗",), "嘛": ("吗",), "我的": ("我", "的"), "你的": ("你", "的"), "您的": ("你", "的")})
    table.update(
        {
            "于": ("在",),
            "用": ("使用",),
            "生于": ("出生", "在"),
            "曾任": ("曾", "担任"),
            "在": ("在",),
            "您": ("你",),
            "你们": ("你",),
            "时侯": ("时候",),
            "登陆": ("登录",),
        }
    )
    return table


TABLE = _table()
"""Word → the words it stands for."""


def _longest() -> dict[str, int]:
    lengths: dict[str, int] = {}
    for word in TABLE:
        lengths[word[0]] = max(len(word), lengths.get(word[0], 0))
    return lengths


LONGEST = _longest()
"""First character → length of the longest word that begins with it."""

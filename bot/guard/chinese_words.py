"""Chinese words that are spelled in one way before questions are compared.

Chinese is written without spaces, so these lists are also all the segmentation there is: the longest entry wins, every
other character stands for itself. `WHOLE` keeps words whole that hold one of the others (`功能` holds `能`). Only what
is interchangeable in a question to a help desk stands here; a missing word costs some reuse, a wrong one an answer.
"""

from __future__ import annotations

from bot.guard.table import words

_SAME = """
怎么 如何 怎样 咋 怎么才能 如何才能 怎样才能 该怎么 应该怎么 该如何 应该如何 要怎么 需要怎么 要如何 需要如何 怎么去
怎么办 怎么处理 如何处理 该怎么办 应该怎么办 怎么弄 咋办 该怎么处理 该如何处理 应该如何处理
怎么做 要怎么做 该怎么做 应该怎么做 怎么操作 如何操作 要怎么操作 该如何操作
为何 为什么 为啥 怎么会 为何会 为什么会
何时 什么时候 啥时候 几时 什么时间 何时会
几点 几点钟 什么钟点
哪里 哪儿 在哪里 在哪儿 在哪 去哪里 去哪 去哪儿 到哪里 到哪 什么地方 在什么地方 去什么地方 何处 在何处
谁 什么人 哪些人 哪个人
什么 啥 哪些 什么样的 哪种 哪些种类的
多久 多长时间 多少时间 需要多久 要多久 需要多长时间 要多长时间 需要多少时间 得多久 大概多久
多少 几多
后果 会怎样 会怎么样 会有什么后果 有什么后果 后果是什么
能 可以 能够 允许
需要 要 需 须要
必须 一定要 务必 必需 必须要 非得
无需 不需要 不必 不用 无须 不须
应该 应当
如果 要是 假如 倘若 若 如若 若是
和 与 跟 及 以及
但 但是 不过 可是 然而
并 并且 而且
因为 由于 因
所以 因此 因而
现在 目前 当前 如今
曾 曾经
到 至
取消 撤销 撤消
购买 购 买
修改 更改 变更 改
关闭 关掉
开启 打开 启用
删除 删掉
账户 账号
手机号 手机号码
电话 电话号码 联系电话
登录 登陆 登入
照片 相片
价格 价钱 售价
运费 邮费 配送费 快递费
快递 包裹
查询 查
密码 口令
客服 客户服务
付款 支付 付钱
拒绝 拒
挂失 报失
丢 遗失 丢失 弄丢
生病 患病
笔记本电脑 手提电脑
国外 海外 境外
汇款 汇钱
限额 额度限制
货币 币种
推迟 延期 延后
吸烟 抽烟
清洁 清洗
计算 算
收取 收
储存 存储 存放
狗 狗狗
公寓 公寓房
电梯 升降机
卫生间 洗手间 厕所
节假日 假日
截止日期 截止时间 最后期限 最晚时间
上限 最大限额
涵盖 包括 包含
佩戴 戴
击败 打败 战胜
举行 举办
位于 坐落于 地处 位处
创立 创建 成立 设立
任职 供职
居住 住
同意 赞同
大约 大概
最后 最终
导演 执导
搬到 搬至 搬往 迁至 迁往
移居 移居到 移居至 移居往 迁居 迁居到 迁居至
移到 移至 移往
开幕 揭幕
工作人员 职员
wifi 无线网 无线网络 wi-fi 无线
app 应用 应用程序
pin pin码
许多 很多 众多 诸多
例如 比如 譬如
尤其 特别是
立即 立刻 马上
经常 常常 时常
一直 始终
逐渐 渐渐
突然 忽然
首次 第一次
到达 抵达
安葬 埋葬
影片 电影
修建 建造 兴建
著名 知名 闻名
担任 出任
虽然 尽管
即使 即便 哪怕
根据 依据 按照
此外 另外 除此之外
后来 随后 其后
当时 那时
尚未 还未 还没 还没有
仍然 依然 依旧
已 已经
自 自从
遭到 遭受
称为 名为 名叫 叫做 称作 叫作
即 也就是 就是
非常 十分 极其 极为
更 更加 更为
最 最为
较 较为 比较
只 仅仅 仅
出生 诞生
父亲 爸爸
母亲 妈妈
祖父 爷爷
哥哥 兄长
丈夫 老公
妻子 太太 老婆
孩子 小孩
儿子 之子
女儿 之女
老师 教师
共同 一同 一起
参加 参与
开展 展开
使用 采用 运用
得到 觉得 认为
返回 回到 重返
北部 北面
南部 南面
东部 东面
西部 西面
选手 运动员
类似 相似
帮助 协助
方法 办法
原因 缘由
每天 每日
显示 显现
损坏 损毁
此 该 这个
将 将会
时 时候
大街 街道
发现 发觉
制订 制定
美丽 漂亮
重新 再次
包含 含有
迅速 快速
协议 协定
终于 总算
独自 单独
比分 成绩
拍摄 摄制
全名 全称
去世 逝世 过世 离世
出现 现身
搬迁 迁移 迁徙
结婚 成婚
附属于 从属于
总部位于 总部设在
完全 彻底
仅有 只有
年轻 年青
隶属于 属于
前往 赴
后 之后 以后
前 之前 以前
大多数 大部分 多数
组成 构成
附近 邻近
村庄 村子
"""

_TAKEN_OUT = """
请问一下 请问下 请问 你好 您好 大家好 亲 麻烦问一下 麻烦问下 麻烦您 麻烦 打扰一下 打扰了 不好意思 请教一下 请教
我想问一下 我想问下 我想问 想问一下 想问下 想问 我想知道 我想了解一下 我想了解 想了解一下 想知道 我想请问
能告诉我 可以告诉我 请告诉我 告诉我一下 帮忙看下 帮忙看一下 请帮我看看 帮我看看 帮我看下 帮忙 谢谢您 谢谢你 谢谢
多谢 感谢 急 在线等 咨询一下 我想咨询一下 劳驾 具体 到底 究竟 一下 的话 一般 通常
"""
"""Politeness and fillers, and words that make no other question."""

_WHOLE = """
可能 功能 智能 性能 能力 能源 能量 万能 技能 节能 只能 职能 能见度 本能 重要 主要 要求 要点 只要 必要 概要 摘要
要么 首要 要素 纪要 和谐 和平 共和国 共和 饱和 温和 缓和 和解 与会 与其 跟踪 跟进 跟随 高跟 及时 及格 涉及 普及
来得及 来不及 埃及 以及 危及 波及 提及 至少 至于 甚至 至今 截至 冬至 夏至 以至 乃至 至多 至上 应用 应届 反应
供应 适应 相应 应聘 应急 效应 响应 对应 应付 应收 应对 回应 该项 收到 收件 收货 收入 收据 收益 收费 收款 收购
收集 签收 吸收 接收 没收 税收 收藏 收盘 验收 收银 收回 预算 结算 清算 打算 核算 换算 算法 算是 计算机 估算 运算
检查 审查 调查 查收 查看 查封 查验 抽查 居住证 住院 住宿 住房 住址 入住 住户 居住 住宅 记住 锁住 住所 改签 改善
改革 改造 改进 改变 整改 买卖 买入 买家 买断 购物 购房 采购 团购 收购 换购 购票 存款 存折 存入 存在 保存 库存
存货 存单 生存 戴尔 穿戴 若干 般若 若要 拒收 拒付 丢弃 现在 正在 所在 实在 在线 在职 内在 潜在 自在 在于 在校
在读 在岗 存在 公交车 上海 大海 海关 中转 目的 目的地 的确 标的 了解 为了 了结 受不了 忘不了 不得了 明了 哪天
哪个 哪家 哪位 哪一 什么的 多少年 多大 多长 多远 多高 多重 多快 我们 我的 你们 你的 您的 您 咱们 呢 吗 吧 啊 呀
哦 啦 哈 哟 嘛 么 急诊 紧急 急救 应急 着急 急需 加急 亲属 父亲 母亲 亲人 亲自 亲子 亲戚 亲友 探亲 相亲 亲爱 国际
平时 有时 小时 及时 临时 准时 按时 定时 实时 同时 当时 随时 超时 具体化 一般户 一般人 一般纳税人 由于 关于 对于
属于 等于 基于 大于 小于 多于 少于 低于 高于 于是 终于 用于 处于 源于 鉴于 便于 善于 因素 基因 富于 介于 早于
晚于 过于 归于 对于 限于 致力于 相当于 而已 从而 反而 时而 所以 所有 所谓 然后 同时 而后 研究所 事务所 派出所
证券交易所 便宜 方便 顺便 随便 便利 便捷 成就 就业 就职 就读 规则 原则 否则 法则 不少于 不低于 丢脸 不过敏 不过
过敏 通过 超过 不会 不是 是不是 不同 怎么办理 怎么办卡 怎么办证 怎么做饭
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

ANIMATE = words(
    """
    人 员 者 们 我 你 您 他 她 客 老板 经理 主管 父母 父 母 孩子 儿童 学生 老师 教师 医生 护士 病人 患者
    房东 租客 卖家 买家 商家 司机 乘客 公司 银行 警察 律师 法官 家长 同事 领导 用户 客户 会员 企业 单位 个人
    朋友 猫 狗 甲方 乙方 群主 工会 学校 医院 政府 机构 部门 团队 供应商 厂家
    """
)
"""Who can act: such a topic may be the one who does it, so it is not turned into the object."""

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
    for line in _SAME.strip().splitlines():
        word, *others = line.split()
        table[word] = (word,)
        table.update(dict.fromkeys(others, (word,)))
    table.update({word: (word,) for word in (*_WHOLE.split(), *VERBS, *ANIMATE) if word not in table})
    table.update(dict.fromkeys(_TAKEN_OUT.split(), ()))
    table.update({word: ("吗", *filter(None, (verb,))) for word, verb in _YES_NO.items()})
    table.update({"怎么办理": ("怎么", "办理"), "怎么办卡": ("怎么", "办", "卡"), "怎么办证": ("怎么", "办", "证")})
    table.update({"么": ("吗",), "嘛": ("吗",), "我的": ("我", "的"), "你的": ("你", "的"), "您的": ("你", "的")})
    table.update(
        {
            "于": ("在",),
            "在": ("在",),
            "您": ("你",),
            "咱们": ("我",),
            "我们": ("我",),
            "你们": ("你",),
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

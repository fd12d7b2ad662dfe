"""Questions that people ask of `samples/`, each with the document that answers it and the fact it must show.

They avoid the documents' own words where people would. Used by the recall tests and by `bench/retrieval.py`.
"""

from __future__ import annotations

ENGLISH = (
    ("How old do I have to be to open an account?", "opening-an-account", "16"),
    ("What papers do I need to become a customer?", "opening-an-account", "Proof of address"),
    ("Can my wife and I share one account?", "opening-an-account", "Two people"),
    ("What does the Plus account cost per month?", "fees", "4.90"),
    ("How much do you charge for taking out cash abroad?", "fees", "1.5 %"),
    ("How high is the interest on an overdraft?", "fees", "9.9 %"),
    ("I lost my card, what should I do?", "lost-card", "+49 555 0100"),
    ("How long until my replacement card arrives?", "lost-card", "4 working days"),
    ("The cash machine swallowed my card", "lost-card", "three wrong PINs"),
    ("What is the daily transfer limit?", "transfers", "5,000"),
    ("How fast is an instant transfer?", "transfers", "10 seconds"),
    ("I sent money to the wrong person, can I get it back?", "transfers", "20.00"),
    ("What is the interest rate for a personal loan of 8,000 euros?", "loans", "5.4 %"),
    ("Can I repay my loan early?", "loans", "1 %"),
    ("Do you finance electric cars?", "loans", "3.6 %"),
    ("Are you open on Saturdays?", "branches", "10:00 to 13:00"),
    ("When does the Harbour branch close?", "branches", "9:00 to 16:00"),
    ("What does a safe deposit box cost?", "branches", "140 euros"),
    ("Somebody called and asked for my PIN. Is that really you?", "fraud", "never ask"),
    ("Where do I forward a phishing mail?", "fraud", "phishing@larkfield.example"),
    ("I forgot my password", "app-login", "Forgotten?"),
    ("I bought a new phone, how do I move the app?", "app-login", "old phone"),
    ("What do I get for a 12 month fixed deposit?", "savings", "2.5 %"),
    ("Up to which amount are my deposits protected?", "savings", "100,000"),
)

CHINESE = (
    ("几岁可以开户？", "opening-an-account", "16 周岁"),
    ("开户要带什么证件？", "opening-an-account", "住址证明"),
    ("夫妻可以共用一个账户吗？", "opening-an-account", "两个人"),
    ("优享账户每个月多少钱？", "fees", "4.90"),
    ("在国外取现要收多少手续费？", "fees", "1.5%"),
    ("透支的利息是多少？", "fees", "9.9%"),
    ("我的银行卡丢了怎么办？", "lost-card", "+49 555 0100"),
    ("补办的卡多久能到？", "lost-card", "4 个工作日"),
    ("取款机把我的卡吞了", "lost-card", "三次输错密码"),
    ("每天最多可以转多少钱？", "transfers", "5,000"),
    ("实时转账多久到账？", "transfers", "10 秒"),
    ("转账转错人了能要回来吗？", "transfers", "20.00"),
    ("借八千欧元的个人贷款利率是多少？", "loans", "5.4%"),
    ("贷款可以提前还清吗？", "loans", "1%"),
    ("买电动车可以贷款吗？", "loans", "3.6%"),
    ("你们周六营业吗？", "branches", "10:00 至 13:00"),
    ("港口网点几点关门？", "branches", "9:00 至 16:00"),
    ("保管箱多少钱一年？", "branches", "140 欧元"),
    ("有人打电话问我密码，真的是你们吗？", "fraud", "绝不会"),
    ("钓鱼邮件转发到哪里？", "fraud", "phishing@larkfield.example"),
    ("我忘记登录密码了", "app-login", "忘记口令"),
    ("换了新手机怎么登录应用？", "app-login", "旧手机"),
    ("一年期定期存款利率多少？", "savings", "2.5%"),
    ("存款保险最高保多少？", "savings", "100,000"),
)

UNANSWERABLE = (
    "Which team won the Super Bowl in 1998?",
    "How do I bake sourdough bread?",
    "What is the capital of Mongolia?",
    "Explain the theory of relativity",
    "Write me a poem about autumn leaves",
    "How do I install Docker on Debian?",
    "今天北京的天气怎么样？",
    "红烧肉怎么做？",
    "谁写了《红楼梦》？",
    "光合作用的原理是什么？",
    "推荐几部科幻电影",
    "量子力学是谁提出的？",
)

"""One script of Chinese for the rules of this package."""

from __future__ import annotations

__all__ = ["simplified"]

_PAIRS = (
    "這这剛刚現现當当總总後后從从給给幫帮辦办歲岁訂订單单貸贷請请領领餘余帳账賬账號号戶户發发預预約约險险償偿還还導导師师話话電电郵邮機机證证們们個个點点種种條条項项麼么裡里裏里問问誰谁為为幾几說说講讲繼继續续該该"
    "嗎吗時时間间會会資资獎奖積积額额績绩處处進进審审匯汇價价氣气遺遗買买過过實实無无與与經经遞递達达貨货醫医藥药兒儿媽妈級级聯联係系絡络週周禮礼歷历體体細细舉举換换則则並并遠远費费關关開开設设備备應应對对樣样詢询"
    "銀银許许須须長长業业內内將将來来兩两確确認认讓让錢钱檔档類类結结記记論论義义動动產产務务規规員员統统議议協协復复複复譯译錄录團团隊队職职崗岗簽签訴诉報报轉转狀状態态滿满屬属夠够權权聞闻維维護护線线壞坏掛挂題题"
    "釋释試试薦荐詳详紹绍謝谢萬万極极寫写購购據据稱称錯错準准數数妳你牠它凍冻罷罢誤误車车盜盗鎖锁見见損损斷断網网門门鐵铁場场營营廳厅別别國国隨随雖虽終终丟丢"
)
"""Traditional and simplified form of the characters in the rules below; whoever adds a word adds its characters."""
_TO_SIMPLIFIED = str.maketrans(_PAIRS[::2], _PAIRS[1::2])


def simplified(text: str) -> str:
    """The same text with the traditional characters of `_PAIRS` in their simplified form, one for one."""
    return text.translate(_TO_SIMPLIFIED)

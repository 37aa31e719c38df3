"""What the made-up messages are made of: sentences of words that are as unevenly common as real ones."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

SENTENCES = {"en": 20_000, "zh": 4_000}
WORDS = 20_000

_COMMON = """
the to and of a you is in for it that this on your with can be are have or not if will an as from what at
course exam license state hours question answer license requirement insurance policy renew provider page lesson
agent school student fraction number equation chapter practice score pass fail date deadline fee payment online
account password help please thank before after need take complete choose select next first last all any each
adjuster broker annuity premium claim coverage liability beneficiary contract ethics credit continuing education
search list open close table chart filter export session message user mentor tenant note section topic review
"""
_SYLLABLES = (
    "ba co di fu ga he li mo na pe qui ro su ta ve wa xi yo zu bra cle dri flo gra ple ski sto tri vu"
)
_CHINESE = """
你好 请问 我 想 要 找 一个 附近 的 酒店 餐馆 景点 地铁 出租 电话 地址 评分 人均消费
门票 多少 可以 吗 好的 谢谢 帮 推荐 预订 房间 早餐 健身房 游泳池 无线上网 周边 有 哪些
在 哪里 几点 开放 时间 距离 公园 博物馆 长城 故宫 天安门 北京 海淀 朝阳 西单 王府井
烤鸭 火锅 面条 米饭 素菜 便宜 贵 舒适 干净 服务 态度 停车 接待 外宾 会议室 考试 课程
执照 申请 费用 学习 小时 州 更新
"""


def sentences() -> Iterator[tuple[str, int, str]]:
    """(language, number, sentence), the same in every run."""
    dice = random.Random(1)
    common, chinese = list(dict.fromkeys(_COMMON.split())), _CHINESE.split()
    english = [*common, *(_invented(dice) for _ in range(WORDS - len(common)))]
    for number in range(SENTENCES["en"]):
        words = " ".join(_skewed(dice, english) for _ in range(dice.randint(6, 18)))
        yield "en", number, words[0].upper() + words[1:] + "."
    for number in range(SENTENCES["zh"]):
        yield "zh", number, "".join(_skewed(dice, chinese) for _ in range(dice.randint(5, 14))) + "。"


def _invented(dice: random.Random) -> str:
    return "".join(dice.choices(_SYLLABLES.split(), k=dice.randint(2, 4)))


def _skewed(dice: random.Random, words: Sequence[str]) -> str:
    """The n-th word about n times rarer than the first."""
    return words[int(math.exp(dice.random() * math.log(len(words)))) - 1]

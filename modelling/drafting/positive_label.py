"""Which of two labels is the positive one: the worse or affirmed one, else the rarer."""

from collections.abc import Collection

import pandas as pd

from modelling.drafting.columns.name_words import suggests

WORSE = """
    true yes y bad default defaulted fraud fraudulent churn churned late delinquent loss lost
    claim rejected charged off failure failed bankrupt npa npl arrears positive sick malignant
    ja schlecht ausfall ausgefallen betrug gekundigt verzug insolvent
    oui mauvais defaut fraude impaye vrai si malo moroso impago 예 네 불량 부도 사기 연체 이탈
"""
BETTER = """
    false no n good paid repaid ok current fully none negative healthy benign nein gut bezahlt
    zuruckgezahlt non bon paye faux bueno pagado 아니오 정상 우량
"""
# Of labels that are nothing else, since so short a word is a part of many.
YES = frozenset(["sim", "tak", "evet", "ναι", "да", "是", "はい", "نعم", "כן"])  # noqa: RUF001
NO = frozenset(
    ["não", "nao", "nie", "hayır", "hayir", "όχι", "нет", "否", "不是", "いいえ", "لا", "לא"]  # noqa: RUF001
)


def worse_label(rows_of: pd.Series) -> tuple[str, str, bool]:
    """The label to find, why, and whether that is certain. ``rows_of`` counts the rows of both, the
    more frequent first."""
    if "1" in rows_of.index and not {"0", "-1"}.isdisjoint(rows_of.index):
        return "1", "as is the custom", True
    worse = [label for label in rows_of.index if _is_word(label, WORSE, YES)]
    better = [label for label in rows_of.index if _is_word(label, BETTER, NO)]
    if len(worse) == 1 and worse != better:
        return worse[0], "as the worse or affirmed of the two", True
    if len(better) == 1 and not worse:
        return (
            next(one for one in rows_of.index if one != better[0]),
            "as the other is the better",
            True,
        )
    return rows_of.index[-1], "as the rarer of the two: say --positive if it is the other", False


def _is_word(label: str, words: str, alone: Collection[str]) -> bool:
    return label.casefold() in alone or label in words.split() or suggests(label, words)

"""Why the labels of a column are no numbers, though each holds one."""

import pandas as pd

from modelling.data.reading.number_signs import MARKS, signs_around, units_among
from modelling.data.reading.number_text import any_of
from modelling.drafting.columns.number_format import FEW_NUMBERS, NUMBER

MAGNITUDES = ("k", "K", "m", "M", "mm", "MM", "mn", "Mn", "mio", "Mio", "b", "B", "bn", "Bn",
              "%", "‰", "bp", "bps")  # fmt: skip
LIMITS = "<>≤≥~≈±*†"  # beside what was not measured exactly, or has a footnote
BESIDE_LIMITS = rf"^([{LIMITS}=]*)\s*[+-]?\d[\d\s{MARKS}]*?\s*([{LIMITS}]*)$"
OUT_OF = rf"^\d[\d{MARKS}]*\s*/\s*(\d+)$"
ENOUGH = 0.9  # of the labels


def why_no_numbers(labels: pd.Series) -> str | None:
    """Why the different cells (k,) of a column were not read as numbers, where nearly all of them
    hold one; None where they are something else, or so few that they may be classes."""
    if len(units := _magnitudes_in(labels)) > 1:
        return f"numbers in {' and in '.join(units)}: write them in one unit"
    signs, numbers = signs_around(labels)
    if len(units := sorted(units_among(signs))) > 1 and numbers > ENOUGH * len(labels):
        return f"numbers in {' and in '.join(units)}: convert them to one"
    if limits := _limits_beside(labels):
        return (
            f"numbers with {' and '.join(limits)} beside them: write the numbers alone, and what "
            "stands beside them in a column of its own"
        )
    totals = labels.str.extract(OUT_OF)[0]
    if totals.notna().all() and totals.nunique() == 1 and len(labels) > FEW_NUMBERS:
        return f"numbers out of {totals.iloc[0]}: write the numbers alone"
    return None


def _magnitudes_in(cells: pd.Series) -> list[str]:
    """What stands behind the numbers of text (k,), as in 1.2K, 3M and 5%, "nothing" included; empty
    where a cell is something else, or the numbers are few enough for names, such as 3M."""
    parts = cells.str.strip().str.extract(rf"^\D{{0,4}}({NUMBER})\s*({any_of(MAGNITUDES)})?$")
    if parts[0].isna().any() or parts[0].nunique() <= FEW_NUMBERS or parts[1].isna().all():
        return []
    return sorted(parts[1].fillna("nothing").unique())


def _limits_beside(labels: pd.Series) -> list[str]:
    """The signs of limits and footnotes beside the numbers of labels (k,), as in <5 and 4.2*."""
    parts = labels.str.strip().str.extract(BESIDE_LIMITS)
    if parts[0].notna().mean() < ENOUGH or len(labels) <= FEW_NUMBERS:
        return []
    return sorted({*pd.concat([parts[0], parts[1]]).dropna()} - {""})

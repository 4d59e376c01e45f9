"""The order of the grades of rating agencies, the best first."""

import re
from collections.abc import Collection

SCALES = (
    ("AAA", "AA", "A", "BBB", "BB", "B", "CCC", "CC", "C", "RD", "SD", "D"),  # S&P, Fitch, DBRS
    ("Aaa", "Aa", "A", "Baa", "Ba", "B", "Caa", "Ca", "C"),  # Moody's
)
NOTCHES = {"+": 0, "1": 0, "": 1, "2": 1, "-": 2, "3": 2}
GRADE = r"([A-Za-z]+)([+-]|[123])?"


def in_order_of_grades(labels: Collection[str]) -> list[str] | None:
    """The labels from best to worst, where all are grades of one scale and some of several letters
    or with a notch; single letters are in the order of the alphabet anyway."""
    parts = {label: re.fullmatch(GRADE, label) for label in labels}
    for scale in SCALES:
        ranks = {
            label: (scale.index(part[1]), NOTCHES[part[2] or ""])
            for label, part in parts.items()
            if part and part[1] in scale
        }
        if len(ranks) == len(parts) and any(len(label) > 1 for label in labels):
            return sorted(ranks, key=lambda label: ranks[label])
    return None

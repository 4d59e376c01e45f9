"""What should hold for the whole table: how many rows, and how many of them positive."""

from typing import Any

import numpy as np

from modelling.drafting.columns.findings import TargetFinding
from modelling.drafting.columns.ranges import round_outwards


def propose_rules(target: TargetFinding, values: np.ndarray, rows: int) -> list[dict[str, Any]]:
    """``values`` (s,): 1 for the positive label, or a regression's numbers; of ``rows`` in all."""
    half = round_outwards(rows / 2, up=False)
    found: list[dict[str, Any]] = [
        {
            "rule": "RowCount",
            "at_least": int(half),
            "because": f"the table had {rows:,} rows when it was drafted",
        }
    ]
    mean = float(values.mean())
    if target.problem == "multiclass" or mean <= 0:
        return found
    low, high = float(f"{mean / 2:.1g}"), float(f"{mean * 2:.1g}")
    shown = (
        f"{mean:.1%} of the rows were positive"
        if target.problem == "binary"
        else "its mean lay between"
    )
    if target.problem == "binary":
        high = min(high, float(f"{(1 + mean) / 2:.2g}"))
    because = f"{shown}; far from that it is another population"
    return [*found, {"rule": "TargetRate", "at_least": low, "at_most": high, "because": because}]

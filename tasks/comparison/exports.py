"""The comparison for programs: JSON and CSV, numbers in full."""

import json
import math
from collections.abc import Sequence
from typing import Any

import pandas as pd

from modelling.data.reading.spreadsheets import cell_as_text
from tasks.tracking.leaderboard.entry import LeaderboardEntry

NESTED = ("losses", "val_losses", "baselines", "advantages", "settings", "test_metrics")


def as_records(entries: Sequence[LeaderboardEntry]) -> list[dict[str, Any]]:
    """Plain values by field; NaN and infinite numbers are None, which JSON has as null."""
    records = []
    for entry in entries:
        record = entry._asdict() | {"started": entry.started.isoformat()}
        record["advantages"] = {name: one._asdict() for name, one in entry.advantages.items()}
        records.append({name: _finite(value) for name, value in record.items()})
    return records


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _finite(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_json(entries: Sequence[LeaderboardEntry]) -> str:
    """One line of JSON: a list of rows, each with its losses by epoch. Numbers are in full: pandas'
    ``to_json`` would round them to 15 digits."""
    return json.dumps(as_records(entries))


def as_csv(entries: Sequence[LeaderboardEntry]) -> str:
    """One line for each run, with a column for each setting and baseline; numbers in full. The
    losses by epoch are left out."""
    fields = [name for name in LeaderboardEntry._fields if name not in NESTED]
    rows = []
    for record in as_records(entries):
        row = {name: record[name] for name in fields}
        row["aliases"] = " ".join(record["aliases"])
        row |= {f"baseline_{name}": value for name, value in record["baselines"].items()}
        for name, advantage in record["advantages"].items():
            row |= {f"advantage_{name}_{part}": value for part, value in advantage.items()}
        rows.append(row | record["settings"])
    columns = dict.fromkeys([*fields, *(name for row in rows for name in row)])
    table = pd.DataFrame(rows, columns=[*columns], dtype=object)
    return table.map(cell_as_text).to_csv(index=False, lineterminator="\n")

"""What was measured, as a table for people."""

import math
from collections.abc import Sequence

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.quality.cells import NETWORK
from benchmarks.quality.compared import TableResult
from benchmarks.quality.opponents import OPPONENTS
from modelling.judgement.metrics.metric import format_together

MOST_CALIBRATION_ERROR = 0.015


def show(results: Sequence[TableResult], against: str, console: Console) -> None:
    models = [NETWORK, *([against] if against else []), *(n for n in OPPONENTS if n != "constant")]
    table = Table(title="Means over seeds, on test rows", title_justify="left")
    names = ("table", "test rows", "seeds", "metric", *models, "gain over best tuned", "ECE")
    for name in (*names, *([f"gain over {against}"] if against else []), "CPU s", "CPU s tuned"):
        table.add_column(name, justify="left" if name in ("table", "metric") else "right")
    for one in results:
        cells = one.cells[NETWORK].values()
        means = [one.mean(model) for model in models]
        known = iter(format_together([mean for mean in means if not math.isnan(mean)]))
        table.add_row(
            one.table.name,
            f"{max((cell.test_rows for cell in cells), default=0):,}",
            str(len(cells)),
            one.metric.name,
            *("-" if math.isnan(mean) else next(known) for mean in means),
            _with_error(*one.gain_over(one.best_boosting)),
            _number(one.calibration_error(), ".4f"),
            *([_with_error(*one.gain_over(against))] if against else []),
            _number(one.seconds(NETWORK), ".1f"),
            _number(one.seconds(one.best_boosting), ".0f"),
        )
    console.print(table)
    show_skills(results, models, console)
    show_shortfalls(results, console)


def show_skills(results: Sequence[TableResult], models: Sequence[str], console: Console) -> None:
    """The mean skill over the tables on which both are measured: metrics have no common mean."""
    named: dict[str, list[str | None]] = {model: [model] * len(results) for model in models[1:]}
    named["the best tuned"] = [one.best_boosting for one in results]
    for name, of_tables in named.items():
        of_both = (one.skills(model) for one, model in zip(results, of_tables, strict=True))
        if skills := [skills for skills in of_both if skills]:
            ours, theirs = np.mean(skills, axis=0)
            console.print(
                f"mean skill over {len(skills)} tables: network {ours:.4f}, {name} {theirs:.4f}, "
                f"difference {ours - theirs:+.4f}"
            )
    console.print("skill: the gain over a constant answer as a share of what was left to gain")


def show_shortfalls(results: Sequence[TableResult], console: Console) -> None:
    """Where the network is behind beyond chance, or its probabilities are off."""
    tried = sorted({cell.trials for one in results for cell in one.cells_of(one.best_boosting)})
    console.print(f"trials of boosting: {', '.join(map(str, tried)) or 'none'}")
    gains = [(one.table.name, *one.gain_over(one.best_boosting)) for one in results]
    if known := [(name, gain / error) for name, gain, error in gains if error > 0]:
        behind = [f"{name} ({errors:.1f})" for name, errors in known if errors < -2]
        console.print(
            f"worse than the best tuned by more than two standard errors, of {len(known)} tables: "
            f"{', '.join(behind) or 'none'}"
        )
    off = [one.table.name for one in results if one.calibration_error() > MOST_CALIBRATION_ERROR]
    console.print(f"ECE above {MOST_CALIBRATION_ERROR}: {', '.join(off) or 'none'}")


def _with_error(value: float, error: float) -> str:
    if math.isnan(value):
        return "-"
    digits = max(4 - max(math.floor(math.log10(abs(value) or 1)) + 1, 0), 0)
    shown = f"{value:+,.{digits}f}"
    return shown if math.isnan(error) else f"{shown} ± {error:,.{digits}f}"


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else f"{value:{form}}"

"""What was measured, as a table: the network beside its opponents on the same rows."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.quality.cells import NETWORK, Cell
from benchmarks.quality.opponents import OPPONENTS
from benchmarks.quality.tables import SuiteTable
from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.metric import Metric, format_together

ENOUGH_FOR_CALIBRATION = 2000  # test rows
BOOSTING = [name for name, opponent in OPPONENTS.items() if opponent.is_boosting]


@dataclass(frozen=True)
class TableResult:
    """The cells of one table by model and seed. What is not of the network's rows is left out; the
    network under the label ``against`` is called by that label."""

    table: SuiteTable
    cells: dict[str, dict[int, Cell]]

    @classmethod
    def of(
        cls, table: SuiteTable, cells: Iterable[Cell], label: str, against: str
    ) -> "TableResult":
        of_table = [cell for cell in cells if cell.table == table.name]
        ours = _of_one_version(cell for cell in of_table if cell.label == label)
        found = {NETWORK: ours}
        for name in (*([against] if against else []), *OPPONENTS):
            theirs = _of_one_version(cell for cell in of_table if name in (cell.label, cell.model))
            found[name] = {
                seed: cell
                for seed, cell in theirs.items()
                if seed in ours and ours[seed].rows == cell.rows
            }
        return cls(table, found)

    @property
    def metric(self) -> Metric:
        return find_metric(self.table.use_case.headline[0], self.table.use_case.problem)

    def values(self, model: str, seeds: Iterable[int] | None = None) -> np.ndarray:
        cells = self.cells.get(model, {})
        chosen = sorted(cells) if seeds is None else seeds
        return np.array([cells[seed].metrics[self.metric.name] for seed in chosen])

    def mean(self, model: str) -> float:
        values = self.values(model)
        return float(values.mean()) if len(values) else math.nan

    @property
    def best_boosting(self) -> str | None:
        """The tuned opponent that is better on the test rows: nobody could have chosen so well."""
        measured = [name for name in BOOSTING if self.cells.get(name)]
        sign = 1 if self.metric.higher_is_better else -1
        return max(measured, key=lambda name: sign * self.mean(name), default=None)

    def gain_over(self, model: str | None) -> tuple[float, float]:
        """The mean gain of the network over ``model``, seed by seed, and its standard error."""
        shared = sorted({*self.cells[NETWORK]} & {*self.cells.get(model or "", {})})
        if not model or not shared:
            return math.nan, math.nan
        gains = self.metric.gain(self.values(NETWORK, shared), self.values(model, shared))
        error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else math.nan
        return float(gains.mean()), float(error)

    def skill(self, model: str) -> float:
        """The gain over the constant answer as a share of what was left to gain."""
        value, naive = np.array(self.mean(model)), np.array(self.mean("constant"))
        return float(self.metric.skill(value, naive))

    def calibration_error(self) -> float:
        """Of the network; NaN where it is not defined, or there are too few test rows."""
        errors = [
            cell.metrics.get("expected_calibration_error", math.nan)
            for cell in self.cells[NETWORK].values()
            if cell.test_rows >= ENOUGH_FOR_CALIBRATION
        ]
        return float(np.mean(errors)) if errors else math.nan

    def seconds(self, model: str | None) -> float:
        seconds = [cell.seconds for cell in self.cells.get(model or "", {}).values()]
        return float(np.mean(seconds)) if seconds else math.nan


def _of_one_version(cells: Iterable[Cell]) -> dict[int, Cell]:
    """By seed, what was measured with the code and settings that were measured last."""
    found = list(cells)
    return {cell.seed: cell for cell in found if cell.version == found[-1].version}


def show(results: Sequence[TableResult], against: str, console: Console) -> None:
    models = [NETWORK, *([against] if against else []), *(n for n in OPPONENTS if n != "constant")]
    table = Table(title="Means over seeds, on test rows", title_justify="left")
    names = ("table", "test rows", "seeds", "metric", *models, "gain over best tuned", "ECE")
    for name in (*names, *([f"gain over {against}"] if against else []), "s", "s tuned"):
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
    show_total(results, models, console)


def show_total(results: Sequence[TableResult], models: Sequence[str], console: Console) -> None:
    """The mean over the tables on which all of ``models`` are measured, as skill."""
    for model in models[1:]:
        both = [one for one in results if one.cells[NETWORK] and one.cells.get(model)]
        if both:
            ours, theirs = (np.mean([one.skill(m) for one in both]) for m in (NETWORK, model))
            console.print(
                f"mean skill over {len(both)} tables: network {ours:.4f}, {model} {theirs:.4f}, "
                f"difference {ours - theirs:+.4f}"
            )
    gains = [(one, *one.gain_over(one.best_boosting)) for one in results]
    behind = [one.table.name for one, gain, error in gains if gain < -2 * error]
    console.print(
        f"worse than the best tuned opponent by more than two standard errors: "
        f"{', '.join(behind) or 'none'}"
    )
    console.print("skill: the gain over a constant answer as a share of what was left to gain")


def _with_error(value: float, error: float) -> str:
    if math.isnan(value):
        return "-"
    digits = max(4 - max(math.floor(math.log10(abs(value) or 1)) + 1, 0), 0)
    shown = f"{value:+,.{digits}f}"
    return shown if math.isnan(error) else f"{shown} ± {error:,.{digits}f}"


def _number(value: float, form: str) -> str:
    return "-" if math.isnan(value) else f"{value:{form}}"

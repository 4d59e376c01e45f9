"""The network beside its opponents on one table, where they had the same rows."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from benchmarks.quality.cells import NETWORK, Cell
from benchmarks.quality.opponents import OPPONENTS
from benchmarks.quality.tables import SuiteTable
from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.metric import Metric

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
        cls,
        table: SuiteTable,
        cells: Iterable[Cell],
        label: str,
        against: str,
        versions: Mapping[str, str],
    ) -> "TableResult":
        """``versions`` are those asked for, by model; of others see ``_of_one_version``."""
        of_table = [cell for cell in cells if cell.table == table.name]
        network = (cell for cell in of_table if cell.label == label)
        ours = _of_one_version(network, versions.get(NETWORK))
        rows = {(seed, cell.rows) for seed, cell in ours.items()}
        alike = [cell for cell in of_table if (cell.seed, cell.rows) in rows]
        found = {NETWORK: ours}
        for name in (*([against] if against else []), *OPPONENTS):
            theirs = (cell for cell in alike if name in (cell.label, cell.model))
            found[name] = _of_one_version(theirs, versions.get(name))
        return cls(table, found)

    @property
    def metric(self) -> Metric:
        return find_metric(self.table.use_case.headline[0], self.table.use_case.problem)

    def seeds(self, *models: str) -> list[int]:
        """Those with which all of ``models`` are measured."""
        return sorted(set.intersection(*({*self.cells.get(model, {})} for model in models)))

    def values(self, model: str, seeds: Iterable[int]) -> np.ndarray:
        return np.array([self.cells[model][seed].metrics[self.metric.name] for seed in seeds])

    def mean(self, model: str) -> float:
        seeds = self.seeds(model)
        return float(self.values(model, seeds).mean()) if seeds else math.nan

    @property
    def best_boosting(self) -> str | None:
        """The tuned opponent over which the network gains least on the test rows, seed by seed:
        nobody could have chosen so well."""
        measured = [name for name in BOOSTING if self.seeds(NETWORK, name)]
        return min(measured, key=lambda name: self.gain_over(name)[0], default=None)

    def gain_over(self, model: str | None) -> tuple[float, float]:
        """The mean gain of the network over ``model``, seed by seed, and its standard error."""
        if not model or not (seeds := self.seeds(NETWORK, model)):
            return math.nan, math.nan
        gains = self.metric.gain(self.values(NETWORK, seeds), self.values(model, seeds))
        error = gains.std(ddof=1) / np.sqrt(len(gains)) if len(gains) > 1 else math.nan
        return float(gains.mean()), float(error)

    def skills(self, model: str | None) -> tuple[float, float] | None:
        """Of the network and of ``model``: the gain over the constant answer as a share of what was
        left to gain. None where they were not measured with the same seed."""
        if not model or not (seeds := self.seeds(NETWORK, model, "constant")):
            return None
        ours, theirs, naive = (
            self.values(name, seeds).mean(keepdims=True) for name in (NETWORK, model, "constant")
        )
        skill = self.metric.skill
        return float(skill(ours, naive)[0]), float(skill(theirs, naive)[0])

    def cells_of(self, model: str | None) -> list[Cell]:
        return list(self.cells.get(model or "", {}).values())

    def calibration_error(self) -> float:
        """Of the network; NaN where it is not defined, or there are too few test rows."""
        errors = [
            cell.metrics.get("expected_calibration_error", math.nan)
            for cell in self.cells_of(NETWORK)
            if cell.test_rows >= ENOUGH_FOR_CALIBRATION
        ]
        return float(np.mean(errors)) if errors else math.nan

    def seconds(self, model: str | None) -> float:
        seconds = [cell.seconds for cell in self.cells_of(model)]
        return float(np.mean(seconds)) if seconds else math.nan


def _of_one_version(cells: Iterable[Cell], asked: str | None) -> dict[int, Cell]:
    """By seed, what was measured with the code and settings that are ``asked`` for; where none are,
    with those of the most trials, of these the last: a quick look replaces no thorough tuning."""
    found = list(cells)
    if not asked and found:
        asked = max(reversed(found), key=lambda cell: cell.trials).version
    return {cell.seed: cell for cell in found if cell.version == asked}

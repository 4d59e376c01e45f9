"""What the network is compared with: each learns from the very same training rows, and may look at
the same validation rows to stop and to choose.

None reads the network's features or settings, so that what they reach stays as it is when those
change.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec

from benchmarks.measuring import REPOSITORY
from benchmarks.quality import effort
from benchmarks.quality.effort import Effort
from benchmarks.quality.regressions import finite, fit_linear, fit_log_har
from benchmarks.quality.tuned_catboost import fit_catboost
from benchmarks.quality.tuned_lightgbm import fit_lightgbm
from modelling.data.splitting import Parts
from modelling.declaration import UseCase
from modelling.judgement import calibration
from modelling.judgement.baseline_predictions import comparable
from modelling.judgement.baselines import constant, trees
from modelling.judgement.baselines.baseline import BaselineInputs, BaselineOutputs
from modelling.judgement.baselines.constant import fit_constant
from modelling.judgement.baselines.linear import outputs_of
from modelling.judgement.baselines.trees import raw_columns
from modelling.judgement.evaluation import scored_rows
from modelling.scorer.scoring import calibrated, log_odds

METRICS = REPOSITORY / "modelling" / "judgement" / "metrics"


@dataclass(frozen=True)
class Opponent:
    """One opponent, and the package that it is of."""

    name: str
    fit: Callable[[BaselineInputs, Effort], BaselineOutputs]
    package: str
    is_boosting: bool = False
    needs_lags: bool = False

    @property
    def is_installed(self) -> bool:
        return find_spec({"scikit-learn": "sklearn"}.get(self.package, self.package)) is not None

    @property
    def identity(self) -> list[str]:
        """What else than the rows decides what it answers, and how that is judged: code and
        libraries. Of modules that the network changes with, only what opponents use."""
        packages = [self.package, "scikit-learn", *(["optuna"] if self.is_boosting else [])]
        modules = (inspect.getmodule(self.fit), effort, constant, trees, calibration)
        used = (inputs_of, finite, outputs_of, comparable, scored_rows, calibrated, log_odds)
        code = [inspect.getsource(part) for part in (*modules, *used) if part]
        metrics = [file.read_text() for file in sorted(METRICS.glob("*.py"))]
        return [self.name, *map(version, packages), *code, *metrics]


def inputs_of(parts: Parts, use_case: UseCase) -> BaselineInputs:
    """The raw columns: numbers as they are, labels as codes, missing cells as NaN. Nobody is held
    to the directions that the network is held to."""
    kinds = {column.name: column.kind for column in use_case.features}
    encode = raw_columns(parts.train, kinds)
    return BaselineInputs(
        problem=use_case.problem,
        classes=len(use_case.classes),
        target=use_case.target,
        kinds=kinds,
        **parts._asdict(),
        train_features=encode(parts.train),
        transform=encode,
    )


OPPONENTS = {
    opponent.name: opponent
    for opponent in (
        Opponent("constant", lambda inputs, _: fit_constant(inputs), "scikit-learn"),
        Opponent("linear", fit_linear, "scikit-learn"),
        Opponent("log_har", fit_log_har, "scikit-learn", needs_lags=True),
        Opponent("lightgbm", fit_lightgbm, "lightgbm", is_boosting=True),
        Opponent("catboost", fit_catboost, "catboost", is_boosting=True),
    )
}

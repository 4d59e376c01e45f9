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
from types import ModuleType

from benchmarks.quality import effort, regressions, tuned_catboost, tuned_lightgbm
from benchmarks.quality.effort import Effort
from modelling.data.splitting import Parts
from modelling.declaration import UseCase
from modelling.judgement.baselines.baseline import BaselineInputs, BaselineOutputs
from modelling.judgement.baselines.constant import fit_constant
from modelling.judgement.baselines.trees import raw_columns


@dataclass(frozen=True)
class Opponent:
    """One opponent, the package that it is of, and the module of its code."""

    name: str
    fit: Callable[[BaselineInputs, Effort], BaselineOutputs]
    package: str
    code: ModuleType
    is_boosting: bool = False
    needs_lags: bool = False

    @property
    def is_installed(self) -> bool:
        return find_spec({"scikit-learn": "sklearn"}.get(self.package, self.package)) is not None

    @property
    def identity(self) -> list[str]:
        """What else than the rows decides what it answers."""
        return [
            self.name,
            version(self.package),
            inspect.getsource(self.code),
            inspect.getsource(effort),
        ]


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
        Opponent("constant", lambda inputs, _: fit_constant(inputs), "scikit-learn", regressions),
        Opponent("linear", regressions.fit_linear, "scikit-learn", regressions),
        Opponent("log_har", regressions.fit_log_har, "scikit-learn", regressions, needs_lags=True),
        Opponent(
            "lightgbm", tuned_lightgbm.fit_lightgbm, "lightgbm", tuned_lightgbm, is_boosting=True
        ),
        Opponent(
            "catboost", tuned_catboost.fit_catboost, "catboost", tuned_catboost, is_boosting=True
        ),
    )
}

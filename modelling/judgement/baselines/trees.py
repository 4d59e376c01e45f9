"""Trees on the raw columns: gradient boosting, and a random forest."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from modelling.judgement.baselines.baseline import Baseline, BaselineInputs, BaselineOutputs
from modelling.judgement.baselines.linear import outputs_of

if TYPE_CHECKING:
    import pandas as pd

LARGEST_NUMBER = 1e30  # trees compute in float32
LABELS = 254  # as many categories as scikit-learn's boosting takes


def fit_boosting(inputs: BaselineInputs) -> BaselineOutputs:
    """scikit-learn's histogram gradient boosting, with missing values and categories as they are,
    stopped early on the same validation rows as the network, and with the same directions."""
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    is_regression = inputs.problem == "regression"
    boosting = HistGradientBoostingRegressor if is_regression else HistGradientBoostingClassifier
    encode = raw_columns(inputs.train, inputs.kinds)
    model = boosting(
        max_iter=500,
        early_stopping=True,
        n_iter_no_change=20,
        monotonic_cst=_constraints(inputs),
        categorical_features=[kind == "category" for kind in inputs.kinds.values()],
        random_state=0,
    )
    model.fit(
        encode(inputs.train),
        inputs.train_target,
        X_val=encode(inputs.validation),
        y_val=inputs.validation[inputs.target].to_numpy(),
    )
    return outputs_of(model, inputs, encode)


def _constraints(inputs: BaselineInputs) -> list[int] | None:
    """None where there are none: several classes know no directions."""
    return [inputs.directions.get(name, 0) for name in inputs.kinds] if inputs.directions else None


def fit_random_forest(inputs: BaselineInputs) -> BaselineOutputs:
    """A hundred trees, as in the Fraud Detection Handbook, chapter 5."""
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    is_regression = inputs.problem == "regression"
    forest = RandomForestRegressor if is_regression else RandomForestClassifier
    encode = raw_columns(inputs.train, inputs.kinds)
    model = forest(n_estimators=100, random_state=0, n_jobs=-1)
    model.fit(encode(inputs.train), inputs.train_target)
    return outputs_of(model, inputs, encode)


def raw_columns(
    train: "pd.DataFrame", kinds: Mapping[str, str]
) -> Callable[["pd.DataFrame"], np.ndarray]:
    """What turns raw rows into numbers, learnt from the training rows.

    Parameters
    ----------
    train : DataFrame
    kinds : mapping
        The columns, in their order, with their kinds.

    Returns
    -------
    callable
        From a frame of n rows to an array of shape (n, columns): numbers as they are, at most
        ``LARGEST_NUMBER``; labels as codes of the training rows' most frequent ``LABELS``. Missing
        cells, infinite ones, and rarer or unknown labels are NaN. Columns of which the training
        rows know nothing are 0 throughout: trees find no cut in them, and scikit-learn's binning
        fails on them.
    """
    labels = {
        name: train[name].value_counts().index[:LABELS]
        for name, kind in kinds.items()
        if kind == "category"
    }
    cells = train[[*kinds]]
    is_unknown = cells.replace([np.inf, -np.inf], np.nan).isna().all().to_numpy()

    def encode(part: "pd.DataFrame") -> np.ndarray:
        encoded = np.column_stack(
            [
                _codes(part[name], labels[name])
                if name in labels
                else part[name].to_numpy(dtype=np.float64)
                for name in kinds
            ]
        )
        encoded = np.where(np.isfinite(encoded), encoded, np.nan)
        encoded[:, is_unknown] = 0.0
        return encoded.clip(-LARGEST_NUMBER, LARGEST_NUMBER)

    return encode


def _codes(cells: "pd.Series", labels: "pd.Index") -> np.ndarray:
    codes = labels.get_indexer(cells.array).astype(np.float64)
    return np.where(codes < 0, np.nan, codes)


BASELINES = (
    Baseline(
        name="boosting",
        problems=("regression", "binary", "multiclass"),
        title="gradient boosting",
        fit=fit_boosting,
    ),
    Baseline(
        name="random_forest",
        problems=("regression", "binary", "multiclass"),
        title="random forest",
        fit=fit_random_forest,
    ),
)

"""What the network has to beat: models of one fit each, on the same rows and columns."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge

from modelling.data.splitting import Parts
from modelling.declaration import PriceHistory, UseCase
from modelling.features.preprocessing import Preprocessed
from modelling.judgement.volatility_baselines import VOLATILITY_BASELINES, Forecast

LARGEST_READ = 1e30  # trees compute in float32


class BaselineInputs(NamedTuple):
    """What a baseline may learn from: the parts, and the network's own features of them. ``table``
    also holds the rows of the gaps, which forecasts of a series run through."""

    table: pd.DataFrame
    parts: Parts
    features: Preprocessed
    use_case: UseCase

    @property
    def target(self) -> np.ndarray:
        return self.parts.train[self.use_case.target].to_numpy()


class Outputs(NamedTuple):
    """What a model says of the rows: (n,) probabilities or forecasts, or (n, classes)."""

    validation: np.ndarray
    test: np.ndarray


def fit_baseline(name: str, given: BaselineInputs) -> Outputs:
    """Fit the baseline ``name`` (see ``modelling.declaration.Baseline``) on the training rows."""
    return BASELINES[name](given)


def _constant(given: BaselineInputs) -> Outputs:
    """The mean of the training rows, or their shares of the classes."""
    if given.use_case.problem == "regression":
        answer = np.array(given.target.mean())
    else:
        shares = np.bincount(given.target, minlength=len(given.use_case.classes))
        answer = shares / shares.sum()
        answer = answer[1] if given.use_case.problem == "binary" else answer
    parts = (given.parts.validation, given.parts.test)
    return Outputs(*(np.broadcast_to(answer, (len(part), *answer.shape)) for part in parts))


def _linear(given: BaselineInputs) -> Outputs:
    """Logistic or ridge regression on the very features that the network is given."""
    if given.use_case.problem == "regression":
        model = Ridge(alpha=1.0)
    else:
        model = LogisticRegression(max_iter=300)
    transform = given.features.transformer.transform
    model.fit(given.features.train.features, given.target)
    return _outputs(model, given, transform)


def _boosting(given: BaselineInputs) -> Outputs:
    """scikit-learn's histogram gradient boosting on the raw columns, with missing values and
    categories as they are, stopped early on the same validation rows as the network."""
    regression = given.use_case.problem == "regression"
    kind = HistGradientBoostingRegressor if regression else HistGradientBoostingClassifier
    encode = _raw_columns(given)
    labels = [column.kind == "category" for column in given.use_case.features]
    model = kind(
        max_iter=500,
        early_stopping=True,
        n_iter_no_change=20,
        categorical_features=labels,
        random_state=0,
    )
    validation = given.parts.validation
    model.fit(
        encode(given.parts.train),
        given.target,
        X_val=encode(validation),
        y_val=validation[given.use_case.target].to_numpy(),
    )
    return _outputs(model, given, encode)


def _random_forest(given: BaselineInputs) -> Outputs:
    """A hundred trees on the raw columns, as in the Fraud Detection Handbook, chapter 5."""
    regression = given.use_case.problem == "regression"
    kind = RandomForestRegressor if regression else RandomForestClassifier
    encode = _raw_columns(given)
    model = kind(n_estimators=100, random_state=0, n_jobs=-1)
    model.fit(encode(given.parts.train), given.target)
    return _outputs(model, given, encode)


def _raw_columns(given: BaselineInputs) -> Callable[[pd.DataFrame], np.ndarray]:
    """The feature columns as numbers, labels as codes of the training rows' most frequent 254;
    missing, rarer and unknown ones are NaN. Columns of which the training rows know nothing are 0
    throughout: trees find no cut in them, and scikit-learn's binning stumbles."""
    labels = {
        column.name: given.parts.train[column.name].value_counts().index[:254]
        for column in given.use_case.features
        if column.kind == "category"
    }

    features = given.use_case.features
    cells = given.parts.train[[column.name for column in features]]
    unknown = cells.replace([np.inf, -np.inf], np.nan).isna().all().to_numpy()

    def encode(part: pd.DataFrame) -> np.ndarray:
        columns = [
            pd.Index(labels[column.name]).get_indexer(part[column.name]).astype(np.float64)
            if column.name in labels
            else part[column.name].to_numpy(dtype=np.float64)
            for column in given.use_case.features
        ]
        encoded = np.column_stack(columns)
        is_label = np.array([column.name in labels for column in given.use_case.features])
        encoded[(encoded < 0) & is_label] = np.nan
        encoded = np.where(np.isfinite(encoded), encoded, np.nan)
        encoded[:, unknown] = 0.0
        return encoded.clip(-LARGEST_READ, LARGEST_READ)

    return encode


def _outputs(
    model: Any, given: BaselineInputs, encode: Callable[[pd.DataFrame], np.ndarray]
) -> Outputs:
    def outputs(part: pd.DataFrame) -> np.ndarray:
        features = encode(part)
        if given.use_case.problem == "regression":
            return model.predict(features)
        probabilities = model.predict_proba(features)
        return probabilities[:, 1] if given.use_case.problem == "binary" else probabilities

    return Outputs(outputs(given.parts.validation), outputs(given.parts.test))


def _of_prices(forecast: Forecast) -> Callable[[BaselineInputs], Outputs]:
    def fit(given: BaselineInputs) -> Outputs:
        prices = given.use_case.derived
        assert isinstance(prices, PriceHistory)  # the declaration sees to it
        train, validation, test = (part.index.to_numpy() for part in given.parts)  # positions
        forecasts = forecast(given.table, train, prices)
        return Outputs(forecasts[validation], forecasts[test])

    return fit


BASELINES: dict[str, Callable[[BaselineInputs], Outputs]] = {
    "constant": _constant,
    "linear": _linear,
    "boosting": _boosting,
    "random_forest": _random_forest,
    **{name: _of_prices(forecast) for name, forecast in VOLATILITY_BASELINES.items()},
}

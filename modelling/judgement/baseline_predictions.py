"""What the declared baselines predict for the test rows, calibrated and cut as the network is."""

import logging
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from modelling.data.splitting import Parts
from modelling.declaration import PriceHistory, UseCase
from modelling.declaration.declared_derivations import columns_of, target_name
from modelling.features.directions import SIGNS
from modelling.features.preprocessing import Preprocessed
from modelling.judgement.baselines.baseline import (
    BaselineInputs,
    BaselineOutputs,
    PriceColumns,
    PriceSeries,
)
from modelling.judgement.baselines.catalogue import all_baselines
from modelling.judgement.baselines.lags import known_values
from modelling.judgement.calibration import fit_calibration
from modelling.judgement.decisions.decision_rule import decision_rule
from modelling.judgement.judging import Predictions
from modelling.scorer.scoring import calibrated

log = logging.getLogger("finflows")


def predict_baselines(
    table: pd.DataFrame, parts: Parts, features: Preprocessed, use_case: UseCase
) -> dict[str, Predictions]:
    """Fit each declared baseline on the training rows; its predictions for the test rows by name.

    Parameters
    ----------
    table : DataFrame
        All rows, also those of the gaps between the parts: forecasts of a series run through them.
    parts : Parts
        Cut from ``table``; their labels are positions in it.
    features : Preprocessed
        The network's own features.
    use_case : UseCase

    Raises
    ------
    ValueError
        Where a library can't fit a baseline on these rows.
    """
    inputs = baseline_inputs(table, parts, features, use_case)
    return {
        name: comparable(all_baselines()[name].fit(inputs), parts, use_case)
        for name in use_case.baselines
    }


def baseline_inputs(
    table: pd.DataFrame, parts: Parts, features: Preprocessed, use_case: UseCase
) -> BaselineInputs:
    """What a baseline may learn from, as plain frames and arrays."""
    special_codes = {c.name: c.special_codes for c in use_case.columns if c.special_codes}
    return BaselineInputs(
        problem=use_case.problem,
        classes=len(use_case.classes),
        target=use_case.target,
        kinds={column.name: column.kind for column in use_case.features},
        **parts._asdict(),
        train_features=features.train.features,
        transform=features.transformer.transform,
        directions={c.name: SIGNS[c.direction] for c in use_case.features if c.direction},
        prices=price_series(table, parts, use_case),
        lags=_known_lags(parts.train, use_case.lags, special_codes),
        special_codes=special_codes,
        is_log_variance=use_case.target_kind == "log_variance",
    )


def _known_lags(
    train: pd.DataFrame, lags: tuple[str, ...], special_codes: Mapping[str, Sequence[float]]
) -> tuple[str, ...]:
    """The ``lags`` that some training row knows: the median of none is no number."""
    known = known_values(train, lags, special_codes)
    empty = [name for name, values in zip(lags, known.T, strict=True) if np.isnan(values).all()]
    for name in empty:
        said = "is empty in all training rows: random_walk and log_har leave it out"
        log.warning("%-11s %s %s", "lags", name, said)
    return tuple(name for name in lags if name not in empty)


def price_series(table: pd.DataFrame, parts: Parts, use_case: UseCase) -> PriceSeries | None:
    """The arrays of a price history; None where the columns are derived from anything else."""
    prices = use_case.derived
    if not isinstance(prices, PriceHistory) or use_case.target != target_name(prices):
        return None

    def array_of(reads: PriceColumns) -> np.ndarray:
        declared = [name for name in columns_of(reads, prices) if name in table]
        found = table[declared].to_numpy(dtype=np.float64)
        return found if reads == "log_variances" else found.ravel()

    return PriceSeries(
        returns=array_of("returns"),
        variances=array_of("variances"),
        log_variances=array_of("log_variances"),
        target=table[use_case.target].to_numpy(),
        horizon_days=prices.horizon_days,
        **{name: part.index.to_numpy() for name, part in parts._asdict().items()},
    )


def comparable(raw: BaselineOutputs, parts: Parts, use_case: UseCase) -> Predictions:
    """A baseline's test outputs, calibrated and decided with what its validation outputs say.

    Parameters
    ----------
    raw : BaselineOutputs
    parts : Parts
    use_case : UseCase

    Returns
    -------
    Predictions
        For the test rows.
    """
    target = parts.validation[use_case.target].to_numpy()
    calibration = fit_calibration(target, raw.validation, use_case)
    outputs = calibrated(raw.test, calibration)
    if use_case.problem != "binary":
        return Predictions(outputs, outputs.argmax(axis=-1))
    rule = decision_rule(use_case)
    cut_off = rule.choose_cut_off(parts, calibrated(raw.validation, calibration), use_case)
    compared = rule.compared(outputs, parts.test, use_case, parts.train)
    return Predictions(outputs, (compared >= cut_off).astype(np.int64))

"""Fit the baselines, while a worker process trains the network."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE
from threadpoolctl import threadpool_limits

from modelling.data.splitting import Parts
from modelling.declaration import UseCase
from modelling.features.preprocessing import Preprocessed
from modelling.judgement.baseline_predictions import predict_baselines
from modelling.judgement.judging import Predictions


@task(name="baselines", cache_policy=NO_CACHE, persist_result=False)
def fit_baselines(
    table: pd.DataFrame, parts: Parts, features: Preprocessed, use_case: UseCase
) -> dict[str, Predictions]:
    """``judgement.baseline_predictions.predict_baselines``, with one thread for linear algebra and
    boosting: more would wait for the training's."""
    with threadpool_limits(1):
        return predict_baselines(table, parts, features, use_case)

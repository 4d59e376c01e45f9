"""Fit the baselines, while a worker process trains the network."""

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE
from threadpoolctl import threadpool_limits

from modelling.data.splitting import Parts
from modelling.declaration import UseCase
from modelling.features.preprocessing import Preprocessed
from modelling.judgement.judging import Answers, answer_baselines


@task(name="baselines", cache_policy=NO_CACHE, persist_result=False)
def fit_baselines(
    table: pd.DataFrame, parts: Parts, features: Preprocessed, use_case: UseCase
) -> dict[str, Answers]:
    """``judgement.judging.answer_baselines``, with one thread for linear algebra and boosting: more
    would wait for the training's."""
    with threadpool_limits(1):
        return answer_baselines(table, parts, features, use_case)

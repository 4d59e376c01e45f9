"""The shipped volatility model beside what experts use, through the flow: mean of five seeds."""

import numpy as np
import pytest

from flows.train import train
from tasks.tracking.results import read_results

pytestmark = [pytest.mark.evidence, pytest.mark.usefixtures("store", "prefect_server")]


def test_the_network_is_no_worse_than_har_and_better_than_garch_ewma_and_random_walk(client):
    results = [train("market_volatility", {"training.seed": seed}) for seed in range(1, 6)]
    assert all(one.gate["passed"] for one in results)
    runs = [read_results(client, client.get_run(one.run_id)) for one in results]

    def mean(name):
        return np.mean([metrics[name] for metrics in runs])

    names = ("random_walk", "riskmetrics_ewma", "log_har", "garch")
    baselines = {name: mean(f"baseline_{name}_qlike") for name in names}
    network = mean("test_qlike")
    print(f"qlike: network {network:.4f}, {baselines}")
    assert 0.8 * baselines["log_har"] < network, "too good: look for a leak"
    assert network <= baselines["log_har"]
    for name in ("random_walk", "riskmetrics_ewma", "garch"):
        assert mean(f"advantage_{name}_qlike_low") > 0, name

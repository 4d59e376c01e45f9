"""A training that reads its own curve finds its way back from bad settings, on real data."""

import pandas as pd
import pytest

from flows.train import train

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("store", "prefect_server")]

WIDE = {
    "network.hidden_units": [512, 512],
    "network.dropout": 0.0,
    "training.epochs": 300,
    "training.early_stopping_patience": 0,
}
SLOW_AND_SHORT = {"training.learning_rate": 2e-4, "training.epochs": 5}
BAD = {
    "rate ten times too small, few epochs": (SLOW_AND_SHORT, 0),
    "rate a hundred times too large": ({"training.learning_rate": 0.2}, 0),
    "wide network on 500 rows": (WIDE, 500),
    "one epoch": ({"training.epochs": 1}, 0),
}


@pytest.fixture(scope="module")
def few_rows(store, tmp_path_factory):
    """A file whose training part has 500 real borrowers."""
    from modelling.data.loading import read_table
    from use_cases import find_use_case

    path = tmp_path_factory.mktemp("few") / "few.csv"
    read_table(find_use_case("credit_scoring").source).sample(1000, random_state=3).to_csv(path)
    rows = {"source.uri": str(path), "split.validation": 0.25, "split.test": 0.25}
    return {**rows, "baselines": []}


@pytest.fixture(scope="module")
def defaults():
    """The validation loss of the default setting, by data."""
    return {}


ON_ALL_ROWS = [pytest.param(case, marks=pytest.mark.evidence) for case in BAD if not BAD[case][1]]


@pytest.mark.parametrize("case", ["wide network on 500 rows", *ON_ALL_ROWS])
def test_back_to_healthy_in_at_most_four_attempts(case, few_rows, defaults, client):
    settings, rows = BAD[case]
    data = few_rows if rows else {}
    if rows not in defaults:
        run = client.get_run(train("credit_scoring", data).run_id)
        defaults[rows] = run.data.metrics["best_val_loss"]
    result = train("credit_scoring", {**data, **settings}, remedies=3)
    run = client.get_run(result.run_id)
    path = run.data.tags["remedy_path"].split(" -> ")
    print(f"{case}: {' -> '.join(path)}, val_loss {run.data.metrics['best_val_loss']:.5f}, "
          f"default {defaults[rows]:.5f}")  # fmt: skip
    assert path[0] != "healthy"
    assert path[-1] == "healthy"
    assert len(path) <= 4
    assert run.data.metrics["best_val_loss"] <= 1.02 * defaults[rows]
    children = client.search_runs(
        [run.info.experiment_id],
        f"tags.`mlflow.parentRunId` = '{run.info.run_id}' and tags.attempt != ''",
    )
    assert len(children) == len(path)
    assert {child.info.status for child in children} == {"FINISHED"}
    files = {artifact.path for artifact in client.list_artifacts(result.run_id)}
    assert {"remedies.md", "model_summary.txt", "learning_curve.png"} <= files
    assert run.data.tags["weights_hash"] in {one.data.tags["weights_hash"] for one in children}
    assert pd.notna(result.metrics["roc_auc"])

"""A bank's own card transactions, through the flow."""

import numpy as np
import pandas as pd
import pytest

from flows.train import train
from modelling.data.loading import read_table
from modelling.declaration import SimulatedTransactions

pytestmark = pytest.mark.usefixtures("store", "prefect_server")


def test_a_file_of_transactions_is_enough(tmp_path, client):
    table = read_table(SimulatedTransactions(customers=300, terminals=600, days=60))
    table.rename(columns={"terminal_id": "shop"}).to_csv(tmp_path / "cards.csv", index=False)
    settings = {
        "source.uri": str(tmp_path / "cards.csv"),
        "derived.terminal": "shop",
        "split.test_from": None,
        "training.epochs": 2,
        "baselines": ["constant", "linear"],
        "gate.at_least": 0.0,
    }
    result = train("fraud_detection", settings)
    assert {"average_precision", "card_precision", "money_caught"} <= set(result.metrics)
    run = client.get_run(result.run_id)
    assert run.data.params["derived.terminal"] == "shop"
    assert run.info.status == "FINISHED"


@pytest.mark.services
def test_ready_made_columns_need_no_windows(tmp_path):
    """Made-up rows with the columns and the label of OpenML's data set 1597, which is far away."""
    generator = np.random.default_rng(0)
    made = {f"V{i}": generator.normal(size=4000) for i in range(1, 29)}
    frauds = made["V3"] + generator.normal(size=4000) > 2
    made |= {"Amount": generator.exponential(80, 4000), "Class": frauds.astype(int).astype(str)}
    pd.DataFrame(made).to_csv(tmp_path / "creditcard.csv", index=False)
    settings = {"source.uri": str(tmp_path / "creditcard.csv"), "training.epochs": 40}
    result = train("ready_made_cards", settings)
    assert result.metrics["roc_auc"] > 0.8

"""Wrong input gets one clear line and, from the command line, its exit code."""

import numpy as np
import pytest
from conftest import trainings

from flows.train import train
from modelling.refusals import DataRefused, UsageError
from tasks.tracking.store import connect

SECRET = 987654.25  # a cell that must never be quoted


@pytest.fixture
def spoiled(credit_table, tmp_path):
    """Write a spoiled version of the real table; its path."""

    def write(spoil):
        table = credit_table.copy()
        table.loc[0, "MonthlyIncome"] = SECRET
        path = tmp_path / "spoiled.csv"
        spoil(table).to_csv(path, index=False)
        return path

    return write


def third_class(table):
    table.loc[:4, "SeriousDlqin2yrs"] = 2
    return table


def text_in_a_number(table):
    table["age"] = table["age"].astype(object)
    table.loc[:6, "age"] = f"about {SECRET}"
    return table


def out_of_range(table):
    table.loc[:2, "age"] = -987654
    return table


REFUSED = {
    "missing column": (lambda t: t.drop(columns="age"), "age", "column exists"),
    "wrong type": (text_in_a_number, "age", "is a number"),
    "target missing": (lambda t: t.drop(columns="SeriousDlqin2yrs"), "SeriousDlqin2yrs", "exists"),
    "target unknown in rows": (
        lambda t: t.assign(SeriousDlqin2yrs=t["SeriousDlqin2yrs"].where(t.index > 9)),
        "SeriousDlqin2yrs",
        "target is known",
    ),
    "constant target": (lambda t: t.assign(SeriousDlqin2yrs=0), "SeriousDlqin2yrs", "constant"),
    "third class": (third_class, "SeriousDlqin2yrs", "one of 0, 1"),
    "all rows null": (lambda t: t * np.nan, "SeriousDlqin2yrs", "target is known"),
    "a column null in all rows": (lambda t: t.assign(age=np.nan), "age", "missing"),
    "outside the allowed range": (out_of_range, "age", "allowed range"),
    "too few rows": (lambda t: t.head(200), "(table)", "at least 1000 rows"),
}


@pytest.mark.services
@pytest.mark.parametrize("case", ["wrong type"])
def test_refused_data_is_one_line_and_a_table_without_values(case, finflows, spoiled):
    spoil, column, rule = REFUSED[case]
    done = finflows("train", "credit_scoring", "--data", spoiled(spoil))
    assert done.returncode == 3, done.stderr
    assert column in done.stderr
    assert rule in done.stderr
    assert "Traceback" not in done.stderr
    assert "987654" not in done.stderr + done.stdout


@pytest.mark.parametrize("case", REFUSED)
def test_refused_data_names_column_rule_and_rows(case, spoiled, store, prefect_server):
    spoil, column, rule = REFUSED[case]
    with pytest.raises(DataRefused) as refused:
        train("credit_scoring", {"source.uri": str(spoiled(spoil))})
    said = f"{refused.value} {refused.value.broken}"
    assert column in said
    assert rule in said
    assert "987654" not in said


def test_a_training_that_diverges_says_what_to_try_and_registers_nothing(store, prefect_server):
    settings = {"training.optimizer": "sgd", "training.learning_rate": 1e30, "training.epochs": 3}
    with pytest.raises(UsageError, match=r"training diverged.*--set training.learning_rate="):
        train("diabetes", settings)
    run = trainings(connect(), "diabetes")[0]
    assert run.info.status == "FAILED"
    assert not run.outputs.model_outputs


def test_a_file_that_is_not_there_is_wrong_usage(finflows, tmp_path):
    done = finflows("train", "credit_scoring", "--data", tmp_path / "input.csv")
    assert (done.returncode, "no such file" in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is empty"),
        (b"age,MonthlyIncome\n", "holds no rows"),
        (bytes(range(256)) * 50, "is not a table"),
        (b'{"rows": [1, 2, 3]}\n{"rows": 5}\n', "names none of the declared columns"),
        (b"name,rows\n1,2\n", "names none of the declared columns"),
    ],
)
def test_what_is_no_table_is_refused(content, said, tmp_path, store, prefect_server):
    path = tmp_path / "input.csv"
    path.write_bytes(content)
    with pytest.raises(DataRefused, match=said):
        train("credit_scoring", {"source.uri": str(path)})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["train", "credit_skoring"], "did you mean 'credit_scoring'"),
        (["train", "credit_scoring", "--set", "training.epoch=5"], "'training.epochs'"),
        (["train", "credit_scoring", "--set", "training.epochs=x"], "training.epochs"),
        (["train", "credit_scoring", "--epochs", "5"], "No such option"),
        (["train"], "Missing argument"),
        (["trian"], "No such command"),
    ],
)
def test_wrong_usage_is_one_line_with_exit_code_2(arguments, said, finflows):
    done = finflows(*arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://127.0.0.1:9", "can't be reached"),
        ("postgresql://u:secret@127.0.0.1:9/db", "can't be reached"),
        ("file:///tmp/mlruns", "migrate-filestore"),
    ],
)
def test_a_tracking_server_out_of_reach(uri, said, finflows, credit_file):
    done = finflows("train", "credit_scoring", "--data", credit_file, MLFLOW_TRACKING_URI=uri)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr

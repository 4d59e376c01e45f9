"""The benchmark of drafts: what it keeps of a training, and how sure a loss is."""

from dataclasses import replace

import pytest

from benchmarks.draft_report import Compared
from benchmarks.kept_metrics import KeptMetrics, empty_cell
from benchmarks.quality.cells import keep
from benchmarks.trained_network import code_of_network, of_seed
from modelling.declaration import Source, UseCase, count

USE_CASE = UseCase(
    name="somewhere",
    title="",
    problem="binary",
    source=Source(uri="not_there.csv"),
    target="default",
    columns=(count("a"), count("b")),
)


def with_column(**changed):
    first, second = USE_CASE.columns
    return USE_CASE.model_copy(update={"columns": (first.model_copy(update=changed), second)})


def identity(use_case, code="code"):
    return empty_cell(use_case, code).identity


def compared(**changed):
    given = {"by_hand": [0.8, 0.7], "drafted": [0.79, 0.71], "alike": [0.8, 0.7]} | changed
    metric = {"metric": "roc_auc", "higher_is_better": True} | changed
    return Compared(table="x", rows=9, columns=2, draft_seconds=1.0, **(metric | given))


def test_what_was_trained_is_not_trained_again(tmp_path):
    file = tmp_path / "kept.jsonl"
    for seed in (1, 2):
        empty = empty_cell(of_seed(USE_CASE, seed), code_of_network())
        keep(replace(empty, metrics={"roc_auc": seed / 10}), file)
    kept = KeptMetrics(file, pytest.fail)  # its table could not even be read
    assert kept.reached(with_column(note="why", usual=(0, 5)), (1, 2)) == [0.1, 0.2]


@pytest.mark.parametrize("changed", [{"special_codes": (9,)}, {"role": "protected"}])
def test_a_declaration_that_trains_otherwise_is_trained(changed):
    assert identity(with_column(**changed)) != identity(USE_CASE)
    assert identity(of_seed(USE_CASE, 1)) != identity(of_seed(USE_CASE, 2))


def test_what_other_code_trained_is_trained_again():
    assert identity(USE_CASE) != identity(USE_CASE, "other code")


def test_a_loss_is_positive_where_the_draft_is_worse_and_its_error_is_paired():
    found = compared(drafted=[0.79, 0.69], by_hand=[0.9, 0.9])
    assert found.loss == pytest.approx(0.01)  # beside a model which may use the same
    assert found.standard_error == pytest.approx(0, abs=1e-9)  # though the splits differ by 0.1
    rmse = compared(metric="rmse", higher_is_better=False, alike=[100, 300], drafted=[102, 304])
    assert rmse.loss == pytest.approx(0.015)
    assert rmse.standard_error == pytest.approx(0.005)


def test_one_split_has_no_error():
    assert compared(drafted=[0.8], by_hand=[0.8], alike=[0.8]).standard_error is None

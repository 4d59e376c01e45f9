"""The suite of quality: its tables, its opponents, and that a stopped run goes on."""

import re
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version

import pytest
from conftest import REPOSITORY
from small_models import loan_table, loans, prepared

from benchmarks.measuring import cpu_environment
from benchmarks.quality.__main__ import parsed
from benchmarks.quality.cells import NETWORK, Cell, read_cells
from benchmarks.quality.compared import TableResult
from benchmarks.quality.measuring import Measurement, measure, version_of
from benchmarks.quality.opponents import OPPONENTS
from benchmarks.quality.tables import LICENCES, TABLES, SuiteTable
from modelling.data.loading import read_table
from modelling.declaration import UseCase

USE_CASES = {"credit_scoring", "fraud_detection", "credit_grade", "market_volatility"}
FURTHER = [table for table in TABLES.values() if table.name not in USE_CASES]
SMALL = ("attrition", "orange_juice", "freedom")


def test_the_suite_holds_all_use_cases_and_the_kinds_of_tables_that_users_have():
    assert {*TABLES} > USE_CASES
    assert len(FURTHER) >= 8
    assert sum(table.is_mostly_categorical for table in FURTHER) >= 3
    assert sum(table.most_of_one_unit > 20 for table in FURTHER) >= 2
    assert sum(table.use_case.problem == "regression" for table in FURTHER) >= 2
    assert any(table.lags for table in FURTHER)
    assert sum(len(read_table(TABLES[name].use_case.source)) < 2000 for name in SMALL) >= 2


def test_each_half_has_tables_of_each_kind():
    for half in ("develop", "final"):
        tables = [table for table in FURTHER if table.half == half]
        assert any(table.is_mostly_categorical for table in tables)
        assert any(table.most_of_one_unit > 20 for table in tables)
        assert {table.use_case.problem for table in tables} >= {"binary", "regression"}
        assert any(table.use_case.split.method == "out_of_time" for table in tables)
        assert any(table.name in SMALL for table in tables)


def test_the_final_tables_that_drafts_are_measured_on_are_named():
    seen = [table.name for table in FURTHER if table.half == "final" and table.is_drafted]
    assert seen
    page = (REPOSITORY / "docs" / "quality.md").read_text()
    sentence = page.split("are only half unseen")[0].rsplit(". ", 1)[1]
    assert {*re.findall("`(.*?)`", sentence)} == {*seen}


def test_nothing_is_tuned_in_the_declarations_of_the_suite():
    for table in FURTHER:
        use_case = table.use_case
        undeclared = {"network", "training", "preprocessing"}
        given = {*UseCase.model_fields} - undeclared
        by_default = UseCase(**{name: getattr(use_case, name) for name in given})
        for part in undeclared:
            assert getattr(use_case, part) == getattr(by_default, part), table.name


def test_each_table_comes_from_a_package_whose_licence_is_named():
    for table in TABLES.values():
        licence = LICENCES[table.package]
        assert licence
        if table.package != "simulated":
            assert version(table.package)


@pytest.fixture
def asked(tmp_path):
    rows = loan_table(600)
    table = SuiteTable(loans(source=lambda: rows), "develop")
    return Measurement(
        tables=(table,),
        seeds=(1, 2),
        models=("constant", "linear", "log_har"),
        label="",
        trials=2,
        threads=1,
        results=tmp_path / "results.jsonl",
    )


def test_a_stopped_run_goes_on_and_measures_nothing_twice(asked):
    measure(replace(asked, seeds=(1,)), lambda _: None)
    first = list(read_cells(asked.results))
    assert {cell.model for cell in first} == {"constant", "linear"}  # the table is no series
    with asked.results.open("a") as file:
        file.write('{"table": "loans", "se')  # a line that was cut off by a kill
    measure(asked, lambda _: None)
    cells = list(read_cells(asked.results))
    assert cells[: len(first)] == first
    assert [cell.seed for cell in cells] == [1] * len(first) + [2] * len(first)
    assert len({cell.rows for cell in cells}) == 2  # the seed changes the split
    auc = {cell.model: cell.metrics["roc_auc"] for cell in first}
    assert auc["constant"] == 0.5
    assert auc["linear"] > 0.6


@pytest.mark.services
def test_tuned_boosting_learns_the_same_rows(asked):
    boosting = [one for one in OPPONENTS.values() if one.is_boosting and one.is_installed]
    models = tuple(opponent.name for opponent in boosting)
    measure(replace(asked, seeds=(1,), models=models), lambda _: None)
    cells = list(read_cells(asked.results))
    assert [cell.model for cell in cells] == [*models]
    assert min(cell.metrics["roc_auc"] for cell in cells) > 0.6
    assert {cell.trials for cell in cells} == {2}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (["--tables", "houses"], "--tables: there is no houses in the half 'develop'"),
        (["--half", "final", "--tables", "caravan"], "there is no caravan in the half 'final'"),
        (["--opponents", "xgboost"], "--opponents: there is no xgboost, but constant, linear"),
    ],
)
def test_the_final_half_is_not_looked_at_by_accident(wrong, said, capsys):
    with pytest.raises(SystemExit, match="2"):
        parsed(wrong)
    assert said in capsys.readouterr().err
    assert "houses" not in parsed([]).tables


def test_all_that_decides_what_an_opponent_reaches_is_in_its_version(asked):
    """Else a result of other code or settings would stand for what is measured now."""
    inputs = ("inputs_of", "raw_columns", "finite", "fit_constant", "outputs_of", "best_of_trials")
    judging = ("comparable", "fit_calibration", "calibrated", "scored_rows", "log_loss")
    for opponent in (one for one in OPPONENTS.values() if one.is_installed):
        code = "".join(opponent.identity)
        assert [name for name in (*inputs, *judging) if f"def {name}(" not in code] == []
        assert (version("optuna") in opponent.identity) or not opponent.is_boosting
    (table,) = asked.tables
    other = replace(table, use_case=loans(minimum_rows_per_value=50))
    assert version_of("linear", table, 2) != version_of("linear", other, 2)
    assert version_of("linear", table, 2) == version_of("linear", table, 30)


def cell(
    model: str, seed: int, auc: float, label: str = "", rows: str = "same", v="1", trials: int = 0
) -> Cell:
    metrics = {"roc_auc": auc, "expected_calibration_error": 0.01}
    return Cell("loans", seed, model, label, rows, v, 3000, "0" * 10, trials, metrics=metrics)


def test_the_network_is_compared_seed_by_seed_with_what_had_the_same_rows():
    cells = [
        cell(NETWORK, 1, 0.5, "after", v="older code"),
        *(cell(NETWORK, seed, auc, "after") for seed, auc in ((1, 0.80), (2, 0.90))),
        *(cell(NETWORK, seed, auc, "before") for seed, auc in ((1, 0.79), (2, 0.87))),
        *(cell("lightgbm", seed, auc) for seed, auc in ((1, 0.80), (2, 0.86))),
        *(cell("catboost", seed, auc) for seed, auc in ((1, 0.70), (2, 0.70))),
        *(cell("constant", seed, 0.5) for seed in (1, 2)),
        cell("linear", 1, 0.99, rows="other rows"),
    ]
    result = TableResult.of(SuiteTable(loans(), "develop"), cells, "after", "before", {})
    assert result.best_boosting == "lightgbm"
    assert result.gain_over("lightgbm") == pytest.approx((0.02, 0.02))
    assert result.gain_over("before") == pytest.approx((0.02, 0.01))
    assert result.skills("lightgbm") == pytest.approx((0.70, 0.66))
    assert result.calibration_error() == pytest.approx(0.01)
    assert result.seeds("linear") == []


def test_a_quick_look_with_few_trials_replaces_no_thorough_tuning():
    thorough, quick = {"v": "30 trials", "trials": 30}, {"v": "2 trials", "trials": 2}
    cells = [
        *(cell(NETWORK, seed, 0.85, "mine") for seed in (1, 2, 3)),
        *(cell("lightgbm", seed, 0.90, **thorough) for seed in (1, 2, 3)),
        cell("lightgbm", 1, 0.99, rows="other rows", v="40 trials", trials=40),
        cell("lightgbm", 1, 0.80, **quick),
        cell("catboost", 1, 0.70),
        cell("catboost", 1, 0.71, v="newer code"),
    ]

    def shown(**versions):
        return TableResult.of(SuiteTable(loans(), "develop"), cells, "mine", "", versions)

    assert {one.trials for one in shown().cells_of("lightgbm")} == {30}
    assert shown().seeds("lightgbm") == [1, 2, 3]
    assert [one.trials for one in shown(lightgbm="2 trials").cells_of("lightgbm")] == [2]
    assert shown(lightgbm="never measured").cells_of("lightgbm") == []
    assert (shown().mean("catboost"), shown(catboost="1").mean("catboost")) == (0.71, 0.70)


@pytest.mark.services
@pytest.mark.parametrize("name", [table.name for table in FURTHER])
def test_a_table_of_the_suite_is_read_validated_and_split(name):
    assert len(prepared(TABLES[name].use_case).parts.test) > 200


@pytest.mark.services
def test_the_network_is_measured_and_shown_from_the_command_line(tmp_path):
    command = [sys.executable, "-m", "benchmarks.quality", "--tables", "attrition", "--seeds", "1"]
    command += ["--opponents", "linear", "--label", "now", "--results", tmp_path / "results.jsonl"]
    environment = cpu_environment() | {"PREFECT_HOME": str(tmp_path)}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "mean skill over 1 tables: network 0." in done.stdout
    network, *_ = read_cells(tmp_path / "results.jsonl")
    assert (network.model, network.label) == (NETWORK, "now")
    assert network.metrics["roc_auc"] > 0.6

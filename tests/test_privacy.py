"""No customer's value in a log, an error, a report, a picture, an artifact or a model."""

import io
import json
import re
import sqlite3
import zipfile
from dataclasses import replace

import numpy as np
import onnx
import pandas as pd
import pytest
from small_models import loan_table, small_model

from modelling.data.loading import read_table
from modelling.data.splitting import Parts
from modelling.declaration import OutOfTime, amount, category, number
from modelling.features.preprocessing import fit_transformer, preprocess
from modelling.features.usable_columns import column_findings, refuse_unusable
from modelling.figures.judgement import draw_judgement
from modelling.judgement.calibration import fit_calibration
from modelling.judgement.evaluation import RequirementResult
from modelling.judgement.judging import Judgement, Predictions
from modelling.refusals import DataRefused
from modelling.scorer.model import Model
from use_cases import find_use_case

NUMBERS = {"annual_income": 7654817.0, "debt_to_income": 34567.125, "loan_amount": 8765432.5}
LABELS = {"loan_purpose": "yacht of a canary", "state": "Canaria"}
K = 20


@pytest.mark.services
def test_no_cell_reaches_the_store_or_the_screen(finflows, store, tmp_path):
    """Cells that stand out and labels of nobody else are planted, then looked for in each file of
    the run and of the registered model, and in the database."""
    table = read_table(find_use_case("credit_grade").source).sample(2500, random_state=1)
    for name, value in {**NUMBERS, **LABELS}.items():
        table[name] = table[name].astype(object)
        table.iloc[:4, table.columns.get_loc(name)] = value
    path = tmp_path / "loans.csv"
    table.to_csv(path, index=False)
    settings = ("training.epochs=2", 'baselines=["constant"]')
    chosen = [one for setting in settings for one in ("--set", setting)]
    done = finflows("train", "credit_grade", "--data", path, *chosen, "--verbose")
    assert done.returncode == 0, done.stderr
    written = done.stdout + done.stderr
    database = sqlite3.connect(store / "mlflow.db")
    for (name,) in database.execute("select name from sqlite_master where type='table'").fetchall():
        written += pd.read_sql(f"select * from {name}", database).to_csv()
    content = written.encode() + b"".join(contents_below(store))
    for value in NUMBERS.values():
        forms = [f"{value:g}", f"{value:.0f}", repr(value)]
        assert not [one for one in forms if len(one) > 6 and is_whole_number_in(one, content)]
        assert np.array(value).tobytes() not in content
    for label in LABELS.values():
        assert label.encode() not in content
    assert b"loan_purpose=" in content, "the model's own files were looked at"


def is_whole_number_in(number, content):
    """Whether ``content`` holds a number, not only its digits within one of many more digits, as a
    loss of 0.18765432 or the name of a hashed file has them by chance."""
    return re.search(rb"(?<![0-9a-f.])" + re.escape(number.encode()) + rb"(?![0-9a-f])", content)


def contents_below(folder):
    """The bytes of all files but pictures, those inside of archives unpacked."""
    for path in folder.rglob("*"):
        if not path.is_file() or path.suffix == ".png":
            continue
        yield path.read_bytes()
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                yield from (archive.read(name) for name in archive.namelist())


def numbers_in(state):
    """All numbers of plain data, however deep."""
    if isinstance(state, dict | list):
        inside = state.values() if isinstance(state, dict) else state
        return [found for one in inside for found in numbers_in(one)]
    return [float(state)] if isinstance(state, float) else []


def with_outliers(rows=2000):
    """Borrowers, some of them rich, two of them alone in their region."""
    table = loan_table(rows)
    table["income"] = table["income"].mask(table.index == 7, 3_008_750.25)
    table["balance"] = table["balance"].mask(table.index == 8, -4_004_004.5)
    table["region"] = table["region"].mask(table.index < 4, "0 Canary Wharf")
    return table


PREPROCESSING = [
    {},
    {"scaling": "min_max"},
    {"scaling": "none", "clip": None},
    {"transform": "quantile"},
    {"transform": "yeo_johnson", "clip": None},
]


@pytest.mark.parametrize("preprocessing", PREPROCESSING, ids=str)
def test_no_number_of_a_model_is_that_of_fewer_customers_than_declared(preprocessing, tmp_path):
    small = small_model(tmp_path / "model", table=with_outliers(), preprocessing=preprocessing)
    state = json.loads((small.package.folder / "scorer.json").read_text())
    blocks = state["transformer"]["numeric"]["blocks"]
    kept = np.array(numbers_in(state))
    ends = [np.array(b["offset"]) + np.array(b["scale"]) * np.array(b["lowest"]) for b in blocks]
    ends += [np.array(b["offset"]) + np.array(b["scale"]) * np.array(b["highest"]) for b in blocks]
    ends = np.concatenate(ends)
    network = onnx.load(small.package.folder / "network.onnx")
    weights = [onnx.numpy_helper.to_array(one).ravel() for one in network.graph.initializer]
    kept = np.abs(np.concatenate([kept, ends, *weights]))
    assert kept.max() < 1e6
    kept = np.concatenate([kept, np.expm1(kept[kept < 20])])  # a logarithm tells as much
    train = small.parts.train
    for name in ("income", "balance"):
        counts = train[name].value_counts()
        few = np.sort(np.abs(counts.index[counts < K]))
        distance = np.abs(few[:, None] - kept[None, kept > 1]) / few[:, None]
        assert distance.min() > 1e-9, f"{name}: a customer's own value is in the model"


def test_an_example_and_the_names_are_of_declared_or_frequent_labels(tmp_path):
    small = small_model(tmp_path / "model", table=with_outliers())
    assert "Canary" not in (small.package.folder / "scorer.json").read_text()
    assert small.package.example["region"].tolist() == ["1"]
    assert small.package.example["housing"].tolist() == ["free"]
    nobody = loan_table().assign(region=[f"alone {n}" for n in range(2000)])
    small = small_model(tmp_path / "nobody", table=nobody)
    assert "alone" not in (small.package.folder / "scorer.json").read_text()
    answers = Model(small.package.folder, "1").answer(small.package.example)
    assert answers["broken_rules"].tolist() == [""]


def test_labels_of_few_are_scored_as_they_were_trained_and_keep_their_file_scorable(tmp_path):
    """4 % of the rows have a region to themselves: unknown when scored, but not too many."""
    table = loan_table()
    alone = np.arange(2000) % 25 == 0
    table["region"] = table["region"].mask(alone, pd.Series([f"only {n}" for n in range(2000)]))
    columns = (number("balance"), category("region", unknown_at_most=0.02))
    small = small_model(tmp_path / "model", table=table, columns=columns)
    model = Model(small.package.folder, "1")
    answers = model.answer(table)
    assert (answers["unknown"] == "region").tolist() == alone.tolist()
    (bound,) = (c["unknown_at_most"] for c in model.contract.columns if c["name"] == "region")
    assert alone.mean() <= bound <= 0.02 + 1.5 * alone.mean()
    transform = preprocess(small.parts, small.trained.use_case).transformer.transform
    rare = transform(pd.DataFrame({"balance": 0.0, "region": ["only 25", "never seen", "1", None]}))
    np.testing.assert_array_equal(rare[0], rare[1])
    assert len(np.unique(rare, axis=0)) == 3, "missing, rare and frequent are told apart"


def test_what_few_training_rows_know_is_no_feature():
    rows = {"a": np.arange(200.0), "b": np.nan, "c": None, "y": [0, 1] * 100}
    train = pd.DataFrame(rows).astype({"c": object})
    train.loc[:18, "b"], train.loc[:18, "c"] = 5.0, "x"
    use_case = find_use_case("credit_scoring").model_copy(
        update={"columns": (number("a"), amount("b"), category("c")), "target": "y"}
    )
    parts = Parts(train, train, train)
    found = {finding.column: finding.rule for finding in column_findings(parts, use_case)}
    assert sorted(found) == ["b", "c"]
    assert all("is known in fewer than 20 training rows" in rule for rule in found.values())
    fitted = preprocess(parts, use_case)
    later = train.assign(b=700.0, c="y")
    transformed = fitted.transformer.transform(later)
    np.testing.assert_array_equal(transformed, fitted.train.features)
    assert "b is missing" not in fitted.transformer.feature_names
    train.loc[19, "b"] = 6.0  # one row more
    assert fit_transformer(train, use_case).medians[1] == pytest.approx(5.05, abs=0.01)


def test_a_table_of_fewer_rows_than_one_value_needs_is_refused():
    few = loan_table(19)
    use_case = find_use_case("credit_scoring").model_copy(
        update={"columns": (number("balance"),), "target": "default"}
    )
    with pytest.raises(DataRefused, match="19 training rows, fewer than minimum_rows_per_value 20"):
        refuse_unusable(few, use_case)


def test_each_point_of_an_isotonic_curve_comes_from_many_rows():
    generator = np.random.default_rng(0)
    truth = generator.random(3000) ** 3
    outputs = np.where(truth < 0.5, truth / 4, 0.9 * truth)
    happened = (generator.random(3000) < truth).astype(np.int64)
    state = fit_calibration(happened, outputs, find_use_case("credit_scoring"))
    assert state["method"] == "isotonic"
    assert len(state["from"]) <= 3000 // K
    assert np.abs(np.array(state["from"])[:, None] - outputs[None]).min() > 0


def regression(rows):
    """Forecasts and what came, the largest of both far from all others."""
    generator = np.random.default_rng(5)
    actual = generator.gamma(2, 900, rows)
    forecast = actual * generator.lognormal(0, 0.3, rows)
    actual[3], forecast[3] = 3_008_750.0, 2_500_000.0
    days = pd.date_range("2020-01-01", periods=rows, freq="D")
    use_case = find_use_case("diabetes").model_copy(
        update={"baselines": (), "split": OutOfTime(column="day")}
    )
    table = pd.DataFrame({"day": days, use_case.target: actual})
    predictions = Predictions(forecast, np.zeros(rows))
    return Judgement(
        use_case, table, predictions, {}, {}, {}, {}, {}, None, RequirementResult(True, ""), {}
    )


def test_pictures_of_a_regression_show_no_single_row():
    judgement = regression(2000)
    figures = draw_judgement(judgement)
    assert set(figures) == {"forecast_against_actual", "residuals", "forecast_over_time"}
    axes = figures["forecast_against_actual"].axes[0]
    assert not axes.collections[0].get_offsets().any(), "no points"
    drawn = axes.collections[0].get_array().compressed()
    assert drawn.min() >= K
    assert drawn.sum() >= 2000 / 2
    assert max(*axes.get_xlim(), *axes.get_ylim()) < 100_000
    for name in ("forecast_over_time", "residuals"):
        for line in figures[name].axes[0].lines:
            assert len(line.get_xydata()) <= 2000 // K
    buffer = io.BytesIO()
    figures["forecast_over_time"].savefig(buffer)


def test_pictures_of_classes_show_no_single_row(tmp_path):
    judgement = small_model(tmp_path / "model").judgement
    figures = draw_judgement(judgement)
    for code, axes in enumerate(figures["scores_by_class"].axes):
        shares, *_ = axes.patches[0].get_data()
        counts = shares * (judgement.rows["default"] == code).sum()
        assert counts[counts > 0].min() > K - 0.5
    for name in ("roc", "precision_recall"):
        for line in figures[name].axes[0].lines:
            assert len(line.get_xydata()) <= len(judgement.rows) // K + 2
    few = replace(judgement, rows=judgement.rows.head(K - 1))
    assert set(draw_judgement(few)) == {"advantages"}

"""To whom a model does what: protected groups, weak segments, and what gives a group away."""

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY, trainings
from fairlearn.metrics import (
    MetricFrame,
    count,
    false_negative_rate,
    false_positive_rate,
    selection_rate,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn.metrics import roc_auc_score
from small_models import COLUMNS, loan_table, loans, small_model

from modelling.data.splitting import Parts
from modelling.declaration import Gate, Groups, UseCase, category, identifier, number, time
from modelling.declaration.columns import Column
from modelling.figures.groups import draw_groups
from modelling.judgement.evaluation import RequirementResult
from modelling.judgement.groups.description import (
    findings,
    group_metrics,
    group_records,
    groups_in_markdown,
    slice_records,
)
from modelling.judgement.groups.group_judging import judge_groups
from modelling.judgement.groups.segments import segments_of, too_small
from modelling.judgement.groups.slices import worst_slices
from modelling.judgement.judging import Judgement, Predictions
from use_cases import find_use_case

K = 30
GENDER = category("gender", role="protected")


def judged(use_case: UseCase, rows: pd.DataFrame, outputs, decided=None) -> Judgement:
    """Predictions for ``rows``, before anything is known of groups."""
    if decided is None:
        decided = outputs.argmax(axis=1) if outputs.ndim > 1 else (outputs > 0.5).astype(int)
    passed = RequirementResult(True, "")
    metrics = {use_case.gate.metric: 0.8} if use_case.gate else {}
    predictions = Predictions(outputs, np.asarray(decided))
    return Judgement(use_case, rows, predictions, {}, metrics, {}, {}, {}, None, passed, {})


def with_groups(judgement: Judgement) -> Judgement:
    return judge_groups(judgement, Parts(*[judgement.rows] * 3))


@pytest.fixture(scope="module")
def borrowers() -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """4,000 rows, their true probabilities, and decisions that refuse a third of the women whom the
    cut-off accepts."""
    generator = np.random.default_rng(1)
    table = loan_table(4000)
    odds = -1 - (table["income"].fillna(1800) - 1800) / 900 - table["balance"] / 500
    truth = (1 / (1 + np.exp(-odds))).to_numpy()
    table["default"] = (generator.random(4000) < truth).astype(int)
    table["gender"] = generator.choice(["women", "men"], 4000, p=[0.4, 0.6])
    refused = (truth > 0.5) | ((table["gender"] == "women") & (generator.random(4000) < 1 / 3))
    return table, truth, refused.astype(int).to_numpy()


def test_the_groups_of_a_protected_column_are_compared(borrowers):
    table, truth, refused = borrowers
    use_case = loans(columns=(*COLUMNS, GENDER))
    judgement = with_groups(judged(use_case, table, truth, refused))
    (gender,) = judgement.groups
    assert (gender.column, gender.reference) == ("gender", "men")
    of = {group.name: group for group in gender.groups}
    expected = MetricFrame(  # an independent implementation
        metrics={
            "selection_rate": lambda y, p: selection_rate(y, 1 - p),
            "false_positive_rate": false_positive_rate,
            "false_negative_rate": false_negative_rate,
            "rows": count,
        },
        y_true=table["default"],
        y_pred=refused,
        sensitive_features=table["gender"],
    ).by_group
    for name, row in expected.iterrows():
        assert of[name].rows == row.pop("rows")
        for rate, value in row.items():
            found = of[name].rates[rate]
            assert found.value == pytest.approx(value)
            assert found.low < value < found.high
    ratio = of["women"].selection_ratio
    assert ratio.value == pytest.approx(2 / 3, abs=0.05)
    assert 0.6 < ratio.low < ratio.value < ratio.high < 0.75
    is_woman = (table["gender"] == "women").to_numpy()
    area = roc_auc_score(table["default"][is_woman], truth[is_woman])
    assert of["women"].rates["roc_auc"].value == pytest.approx(area)
    error = of["women"].rates["calibration_error"]
    assert error.low < 0 < error.high, "the probabilities are right"
    (line,) = findings(judgement)
    (picture,) = draw_groups(judgement).items()
    assert picture[0] == "groups_gender"
    title = picture[1].get_suptitle().replace("\n", " ")
    assert title == f"The least alike group is {line}"
    assert line.startswith("gender women: accepted 0.6")
    assert "times as often as men [0." in line
    assert group_metrics(judgement)["groups/gender/selection_ratio"] == pytest.approx(ratio.value)


def test_a_larger_group_that_is_treated_worse_is_said_too(borrowers):
    table, truth, refused = borrowers
    table = table.assign(gender=table["gender"].map({"women": "men", "men": "women"}))
    table = table.iloc[np.flatnonzero((table["gender"] == "men") | (np.arange(4000) % 4 == 0))]
    use_case = loans(columns=(*COLUMNS, GENDER))
    found = judged(use_case, table, truth[table.index], refused[table.index])
    (line,) = findings(with_groups(found))
    assert line.startswith("gender women: accepted 1.")


def test_a_bound_on_the_selection_ratio_is_part_of_the_gate(borrowers):
    def gate(bound, table=borrowers[0]):
        asked = Gate(metric="roc_auc", at_least=0.5, selection_ratio_at_least={"gender": bound})
        use_case = loans(columns=(*COLUMNS, GENDER), gate=asked)
        return with_groups(judged(use_case, table, *borrowers[1:])).gate

    assert gate(0.5).passed
    assert not gate(0.8).passed
    assert "of gender women and men, wanted at least 0.8" in gate(0.8).reason
    nobody = judged(loans(columns=(*COLUMNS, GENDER)), borrowers[0], borrowers[1], np.ones(4000))
    assert with_groups(nobody).groups[0].least_alike is None
    bounded = Gate(metric="roc_auc", at_least=0.5, selection_ratio_at_least={"gender": 0.5})
    refused = judged(loans(columns=(*COLUMNS, GENDER), gate=bounded), *borrowers[:2], np.ones(4000))
    assert with_groups(refused).gate == (
        False, "roc_auc 0.8000, wanted at least 0.5; gender: nobody of men is selected",
    )  # fmt: skip
    alone = gate(0.5, borrowers[0].assign(gender="men"))
    assert alone == (
        False,
        "roc_auc 0.8000, wanted at least 0.5; gender: fewer than two groups of 30 test rows",
    )


def test_a_protected_column_is_not_in_the_model_and_can_decide_on_its_gate(tmp_path):
    table = loan_table().assign(gender=np.arange(2000) % 2)
    gate = Gate(metric="roc_auc", at_least=0.5, selection_ratio_at_least={"gender": 0.1})
    declared = {"columns": (*COLUMNS, GENDER), "gate": gate}
    small = small_model(tmp_path / "model", table=table, **declared)
    assert "gender" in small.parts.test
    assert "gender" not in small.package.inputs
    for file in small.package.folder.iterdir():
        assert b"gender" not in file.read_bytes()
    judgement = judge_groups(small.judgement, small.parts)
    assert [group.name for group in judgement.groups[0].groups] == ["0", "1"]
    assert not small.judgement.gate.passed, "nobody has looked at the groups"
    assert judgement.gate.passed


@given(
    counts=st.lists(st.integers(0, 80), min_size=1, max_size=8),
    kind=st.sampled_from(["category", "number", "time"]),
    missing=st.integers(0, 40),
)
@settings(max_examples=60, deadline=None)
def test_no_segment_is_small_and_nothing_is_left_out(counts, kind, missing):
    """So the total minus all that is shown is nothing."""
    values = np.repeat(np.arange(len(counts)), counts)
    known = {
        "category": pd.Series(values).map(lambda value: f"label {value}").astype("str"),
        "number": pd.Series(values, dtype="float64"),
        "time": pd.Series(pd.to_datetime("2020-01-15") + pd.to_timedelta(values * 40, "D")),
    }[kind]
    cells = pd.concat([known, pd.Series([None] * missing, dtype=known.dtype)], ignore_index=True)
    names, codes = segments_of(cells, Column(name="x", kind=kind, role="context"), K)
    assert len(codes) == len(cells)
    if len(names) > 1:
        rows = np.bincount(codes, minlength=len(names))
        assert len(rows) == len(names) == len({*names})
        assert rows.min() >= K
        if kind == "category":
            few = {f"label {value}" for value, rows in enumerate(counts) if rows < K}
            assert not few & {*names}


def test_numbers_get_round_bands_and_declared_ones_are_kept():
    generator = np.random.default_rng(0)
    income = pd.Series(generator.gamma(2, 913.37, 5000))
    names, codes = segments_of(income, number("income"), K)
    assert 4 <= len(names) <= 6
    assert np.bincount(codes).min() > 500
    edges = [word for name in names for word in name.replace(",", "").split() if word.isdigit()]
    assert edges
    assert all(int(edge) % 100 == 0 for edge in edges)
    late = pd.Series(np.where(generator.random(5000) < 0.9, 0, generator.integers(1, 9, 5000)))
    assert segments_of(late.astype(float), number("late"), K).names == ("under 1", "1 and over")
    age = pd.Series([*[20.0] * 50, *[40.0] * 50, *[70.0] * 8, *[0.0] * 2])
    declared = number("age", bands=(25, 65), special_codes=(0,))
    assert segments_of(age, declared, K).names == ("under 25 or not known", "25 and over")


def test_times_are_cut_at_ends_of_years_months_or_days():
    def names_of(periods, frequency):
        opened = pd.Series(pd.date_range("2022-01-01", periods=periods, freq=frequency))
        return segments_of(opened, time("opened"), K).names

    years = names_of(400, "10D")
    assert years[:2] == ("before 2024", "from 2024 to before 2026")
    assert (len(years), years[-1]) == (5, "from 2031")
    assert names_of(400, "D")[0] == "before 2022-04"
    assert names_of(600, "1h")[0] == "before 2022-01-06"


def test_the_largest_labels_are_named_and_the_others_counted_together():
    labels = [f"branch {number:02d}" for number in range(30)]
    counts = [K + number for number in range(30)]
    cells = pd.Series(np.repeat(labels, counts))
    names, codes = segments_of(cells, category("branch"), K)
    assert names == (*labels[10:], "(others)")
    assert np.bincount(codes).tolist() == [*counts[10:], sum(counts[:10])]
    names, codes = segments_of(cells.head(sum(counts[:2])), category("branch"), K)
    assert names == tuple(labels[:2]), "as many rows as are wanted are enough"


def test_what_is_said_of_few_positives_is_withheld_with_another_group():
    """The errors of all rows are known: those of a single group that is left out would follow."""
    assert too_small(np.array([5, 40, 90]), K).tolist() == [True, True, False]
    assert too_small(np.array([5, 28, 90]), K).tolist() == [True, True, False]
    assert too_small(np.array([0, 40, 90]), K).tolist() == [True, False, False]
    rows = 900
    table = pd.DataFrame({"group": np.repeat(["a", "b", "c"], rows // 3), "x": 0.0})
    table["default"] = np.concatenate([np.arange(300) < n for n in (3, 60, 90)]).astype(int)
    use_case = loans(columns=(number("x"), category("group", role="protected")))
    outputs = np.random.default_rng(0).random(rows)
    (found,) = with_groups(judged(use_case, table, outputs)).groups
    shown = {group.name: "false_negative_rate" in group.rates for group in found.groups}
    assert shown == {"a": False, "b": False, "c": True}
    assert all("selection_rate" in group.rates for group in found.groups)


def test_a_small_group_is_named_nowhere():
    table = loan_table(2000)
    table["gender"] = ["yacht of a canary"] * 4 + ["women", "men"] * 998
    use_case = loans(columns=(*COLUMNS, GENDER))
    outputs = np.random.default_rng(0).random(2000)
    judgement = with_groups(judged(use_case, table, outputs))
    written = groups_in_markdown(judgement)
    written += json.dumps([group_records(judgement), slice_records(judgement)], allow_nan=False)
    assert "women" in written
    assert "canary" not in written


def test_what_gives_a_group_away_is_named(borrowers):
    table, truth, _ = borrowers
    told = table.assign(region=np.where(table["gender"] == "women", "1", "2"))
    use_case = loans(columns=(*COLUMNS, GENDER))
    (gender,) = with_groups(judged(use_case, told, truth)).groups
    assert gender.proxies.roc_auc > 0.99
    assert gender.proxies.columns[0] == "region"
    said = groups_in_markdown(with_groups(judged(use_case, told, truth)))
    assert "**gender** (not seen by the model;" in said
    assert "How well the features tell the group" in said
    use_case = loans(groups=Groups(columns=("region",)))
    said = groups_in_markdown(with_groups(judged(use_case, told, truth)))
    assert "**region** (a feature of the model;" in said
    assert "How well the other features tell the group" in said
    use_case = loans(columns=(*COLUMNS, GENDER))
    (gender,) = with_groups(judged(use_case, table, truth)).groups
    assert gender.proxies.roc_auc == pytest.approx(0.5, abs=0.06)


def test_a_planted_weak_slice_is_found_and_its_interval_holds(borrowers):
    table, truth, _ = borrowers
    use_case = loans()
    assert not [found for found in worst_slices(judged(use_case, table, truth)) if found.is_weak]
    shuffled = truth.copy()
    planted = np.flatnonzero(table["region"] == "2")
    shuffled[planted] = np.random.default_rng(0).permutation(truth[planted])
    judgement = with_groups(judged(use_case, table, shuffled))
    worst = judgement.slices[0]
    assert (worst.column, worst.name, worst.is_weak) == ("region", "2", True)
    assert worst.rows == len(planted)
    assert worst.value.low < 0.5 < worst.value.high < 0.75 < worst.expected
    assert f"weak where region is 2: roc_auc {worst.value}" in next(findings(judgement))
    assert group_metrics(judgement)["groups/weak_segments"] >= 1
    for weak, end in ((1, "own probabilities"), (2, "in 1 more segment"), (3, "2 more segments")):
        (said,) = findings(replace(judgement, groups=(), slices=(worst,) * weak))
        assert said.endswith(end)


def synthetic(problem: str, seed: int) -> Judgement:
    """Predictions that are right, and columns of which some tell much, and some nothing."""
    generator, rows = np.random.default_rng(seed), 1000
    x, noise = generator.normal(size=rows), generator.integers(0, 12, rows)
    table = pd.DataFrame({"x": x, "noise": [f"label {code}" for code in noise]})
    table["day"] = pd.date_range("2020-01-01", periods=rows, freq="12h")
    columns = (number("x"), category("noise"), time("day"))
    classes = ("a", "b", "c") if problem == "multiclass" else (0, 1)
    declared = {"classes": () if problem == "regression" else classes, "gate": None}
    outputs = x if problem == "regression" else 1 / (1 + np.exp(1 - 1.5 * x))
    if problem == "multiclass":
        outputs = np.column_stack([outputs, (1 - outputs) / 3, (1 - outputs) * 2 / 3])
    if problem == "regression":
        target = outputs + generator.normal(size=rows)
    elif problem == "binary":
        target = (generator.random(rows) < outputs).astype(int)
    else:
        target = (outputs.cumsum(axis=1) > generator.random((rows, 1))).argmax(axis=1)
    use_case = loans(problem=problem, columns=columns, baselines=("constant",), **declared)
    return judged(use_case, table.assign(default=target), outputs)


@pytest.mark.parametrize(
    ("tables", "most"), [(15, 3), pytest.param(300, 15, marks=pytest.mark.evidence)]
)
@pytest.mark.parametrize("problem", ["binary", "multiclass", "regression"])
def test_noise_is_not_called_weak(problem, tables, most):
    """In at most 5 % of all tables is any segment called weak. The seeds are fixed."""
    judgements = (synthetic(problem, seed) for seed in range(tables))
    alarms = [any(found.is_weak for found in worst_slices(one)) for one in judgements]
    assert sum(alarms) <= most


def test_no_interval_of_a_segment_has_an_error_below_zero():
    judgement = synthetic("regression", 0)
    outputs = judgement.predictions.outputs.copy()
    outputs[0] += 500  # one row makes the whole error of its segments
    predictions = judgement.predictions._replace(outputs=outputs)
    found = worst_slices(replace(judgement, predictions=predictions))
    assert min(segment.value.low for segment in found) == 0
    assert all(segment.value.low <= segment.value.value for segment in found)


def test_a_regression_and_classes_have_rates_of_their_own():
    generator = np.random.default_rng(0)
    for problem, expected in {
        "regression": {"mean_error", "root_mean_squared_error", "mean_target", "mean_prediction"},
        "multiclass": {"accuracy", "decided_a", "decided_b", "decided_c"},
    }.items():
        judgement = synthetic(problem, 0)
        use_case = judgement.use_case.model_copy(update={"columns": (number("x"), GENDER)})
        rows = judgement.rows.assign(gender=generator.choice(["women", "men"], 1000))
        (found,) = with_groups(replace(judgement, use_case=use_case, rows=rows)).groups
        assert {*found.groups[0].rates} == expected
        assert found.least_alike is None
        assert [*draw_groups(replace(judgement, groups=(found,)))] == ["groups_gender"]
        if problem == "multiclass":
            wished = use_case.model_copy(update={"groups": Groups(favourable=("a",))})
            (found,) = with_groups(replace(judgement, use_case=wished, rows=rows)).groups
            rates = found.groups[0].rates
            assert rates["selection_rate"] == rates["decided_a"]
            assert found.least_alike is not None


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        ({"groups": Groups(columns=("gendre",))}, "groups.columns 'gendre' is not among"),
        ({"groups": Groups(slices=("branch",))}, "groups.slices 'branch' is not of kind"),
        ({"groups": Groups(favourable=("A",))}, "groups.favourable: 'A' is not among the classes"),
        ({"groups": Groups(favourable=(0, 1))}, "leave out the classes that nobody wishes for"),
        (
            {"gate": Gate(metric="roc_auc", at_least=0, selection_ratio_at_least={"age": 0.8})},
            "the model is not judged by 'age': declare the column with role=\"protected\"",
        ),
    ],
)
def test_groups_that_can_not_be_judged_are_refused(declared, said):
    with pytest.raises(ValidationError, match=said):
        loans(columns=(*COLUMNS, identifier("branch")), **declared)


def test_bands_rise_and_are_of_numbers():
    with pytest.raises(ValidationError, match="bands must rise"):
        number("age", bands=(65, 25))
    with pytest.raises(ValidationError, match="bands is a setting of a number"):
        category("gender", bands=(1,))


def test_age_is_judged_by_in_credit_scoring_and_stays_a_feature():
    use_case = find_use_case("credit_scoring")
    assert [column.name for column in use_case.group_columns] == ["age"]
    assert "age" in [column.name for column in use_case.features]


DECLARATION = """
from modelling.declaration import Source, UseCase, amount, category, number

USE_CASE = UseCase(
    name="fair_loans",
    title="Loans",
    problem="binary",
    source=Source(uri="loans.csv"),
    target="default",
    columns=(amount("income"), number("balance"), category("region"),
             category("gender", role="protected")),
    baselines=("constant",),
)
"""


@pytest.mark.services
def test_a_training_says_what_it_does_to_each_group(finflows, client, tmp_path):
    """Women live in one region, where most default: refused is who lives there."""
    table = loan_table(3000)
    generator = np.random.default_rng(0)
    table["gender"] = np.where(generator.random(3000) < 0.4, "women", "men")
    table["region"] = table["gender"].map({"women": "2", "men": "1"})
    table["default"] = (generator.random(3000) < table["region"].map({"1": 0.1, "2": 0.7})) * 1
    (tmp_path / "use_cases").mkdir()
    table.to_csv(tmp_path / "use_cases" / "loans.csv", index=False)
    (tmp_path / "use_cases" / "fair_loans.py").write_text(DECLARATION)
    paths = os.pathsep.join([str(tmp_path), str(REPOSITORY)])
    done = finflows("train", "fair_loans", "--set", "training.epochs=3", PYTHONPATH=paths)
    assert done.returncode == 0, done.stderr
    assert "gender women: accepted 0." in done.stdout
    (run,) = trainings(client, "fair_loans")
    assert run.data.metrics["groups/gender/selection_ratio"] < 0.5
    assert run.data.metrics["groups/gender/roc_auc_from_features"] > 0.95
    (path,) = {client.download_artifacts(run.info.run_id, "judgement/groups.json")}
    (found,) = json.loads(Path(path).read_text())
    assert {group["name"] for group in found["groups"]} == {"men", "women"}
    report = Path(client.download_artifacts(run.info.run_id, "report.md")).read_text()
    assert "**gender** (not seen by the model; the largest group is men)" in report
    table.drop(columns=["gender", "default"]).to_csv(tmp_path / "new.csv", index=False)
    files = (tmp_path / "new.csv", tmp_path / "answers.csv")
    scored = finflows("score", "fair_loans", *files, "--version", "1", PYTHONPATH=paths)
    assert scored.returncode == 0, scored.stderr

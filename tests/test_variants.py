"""A new metric, baseline, source or split is one new file; what is known of those here agrees."""

import os
import subprocess
import sys
from itertools import groupby
from typing import get_args
from uuid import uuid4

import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY
from small_models import loans, prepared, small_model

from modelling.data import sources
from modelling.declaration import Costs
from modelling.declaration.declared_judgement import Decision
from modelling.declaration.overrides import override
from modelling.figures.judgement import draw_judgement
from modelling.judgement import baselines, metrics
from modelling.judgement.baselines.catalogue import all_baselines
from modelling.judgement.decisions.decision_rule import decision_rule
from modelling.judgement.evaluation import scored_rows
from modelling.judgement.metrics.catalogue import all_metrics, find_metric
from modelling.judgement.promotion import compare
from modelling.refusals import UsageError
from modelling.variants import variants_in
from tasks.tracking.leaderboard.reading import read_leaderboard
from use_cases import find_use_case

NEW_METRIC = '''
"""The mean of both classes' error rates, deciding at a half."""

from modelling.judgement.metrics.metric import Metric


def weighted_balanced_error(scored):
    is_positive, is_wrong = scored.target == 1, (scored.outputs >= 0.5) != scored.target

    def value(weights):
        wrong = weights * is_wrong[:, None]
        rates = [wrong[c].sum(axis=0) / weights[c].sum(axis=0) for c in (is_positive, ~is_positive)]
        return sum(rates) / 2

    return value


METRICS = (
    Metric(
        name="balanced_error",
        problems=("binary",),
        higher_is_better=False,
        title="balanced error rate",
        weighted=weighted_balanced_error,
    ),
)
'''
NEW_BASELINE = '''
"""Everybody's probability is what an old scorecard would say."""

import numpy as np

from modelling.judgement.baselines.baseline import Baseline, BaselineOutputs


def fit_scorecard(inputs):
    parts = (inputs.validation, inputs.test)
    return BaselineOutputs(*(1 / (1 + np.exp(part["balance"].to_numpy() / 500)) for part in parts))


BASELINES = (
    Baseline(name="scorecard", problems=("binary",), title="old scorecard", fit=fit_scorecard),
)
'''


@pytest.fixture
def new_file(tmp_path, monkeypatch):
    """Put one new module into a room, for the time of a test."""
    written = []

    def write(room, name, text, catalogue):
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.setattr(room, "__path__", [*room.__path__, str(tmp_path)])
        catalogue.cache_clear()
        written.append((f"{room.__name__}.{name}", catalogue))

    yield write
    monkeypatch.undo()
    for module, catalogue in written:
        sys.modules.pop(module, None)
        catalogue.cache_clear()


def logged(client, experiment, value):
    """A finished training, with what the leaderboard asks of one."""
    tags = {"use_case": "loans", "lock_hash": "1", "flow_parameters": "{}"}
    tags |= {"headline": "balanced_error", "round": "variants"}
    run = client.create_run(experiment, tags=tags)
    client.log_metric(run.info.run_id, "test_balanced_error", value)
    client.set_terminated(run.info.run_id)


def test_a_new_metric_is_one_file(new_file, client, tmp_path, monkeypatch):
    declared = {"headline": ("balanced_error", "roc_auc")}
    declared |= {"gate": {"metric": "balanced_error", "at_most": 0.4}}
    with pytest.raises(ValueError, match=r"headline.0\n.*Input should be 'roc_auc'"):
        loans(**declared)
    new_file(metrics, "balanced_error", NEW_METRIC, all_metrics)

    judgement = small_model(tmp_path / "model", **declared).judgement
    target, is_refused = judgement.rows["default"], judgement.predictions.outputs >= 0.5
    wrong = [(is_refused[target == code] != code).mean() for code in (0, 1)]
    assert [*judgement.metrics][-1] == "balanced_error"
    assert judgement.metrics["balanced_error"] == pytest.approx(np.mean(wrong))
    interval = judgement.intervals["balanced_error"]
    assert interval.low < interval.value < interval.high
    assert judgement.advantages["balanced_error", "constant"].low > 0, "lower is better"
    assert 0 < judgement.skill.value < 1
    assert judgement.gate.passed
    assert "balanced_error" in judgement.gate.reason
    shown = draw_judgement(judgement)["advantages"].axes[0]
    assert shown.get_xlabel().startswith("balanced error rate")

    outputs = judgement.predictions.outputs
    comparison = compare(outputs, 1 - outputs, judgement.rows, judgement.use_case)
    assert comparison.metric == "balanced_error"
    assert comparison.gain.low > 0
    judged = compare(outputs, 1 - outputs, judgement.rows, judgement.use_case, judgement.resampled)
    assert judged == comparison, "the judgement's resamples are those of the comparison"

    experiment = client.create_experiment(f"variants {uuid4()}")
    for value in (0.3, 0.1, float("nan"), 0.2):
        logged(client, experiment, value)
    best_first = [entry.value for entry in read_leaderboard(tags={"round": "variants"})]
    assert best_first[:3] == [0.1, 0.2, 0.3], "the lowest first, a run without a value last"


def test_versions_are_compared_by_any_metric_that_can_be_resampled():
    """Card precision reads days and cards beside the outputs, a Brier score may be of classes."""
    generator, n = np.random.default_rng(0), 400
    fraud = find_use_case("fraud_detection")
    gate = {"metric": "card_precision", "at_least": 0.01}
    fraud = override(fraud, {"gate": gate, "decision.alerts_a_day": 2})
    rows = pd.DataFrame({"fraud": generator.integers(0, 2, n), "amount_usd": 10.0})
    rows["transacted_at"] = pd.date_range("2026-01-01", periods=n, freq="h")
    rows["customer_id"] = np.arange(n)
    good = rows["fraud"] + generator.random(n)
    grade = override(find_use_case("credit_grade"), {"gate": {"metric": "brier", "at_most": 1}})
    codes = generator.integers(0, 5, n)
    for use_case, table, better, worse in (
        (fraud, rows, good.to_numpy(), generator.random(n)),
        (grade, pd.DataFrame({grade.target: codes}), np.eye(5)[codes], np.full((n, 5), 0.2)),
    ):
        comparison = compare(better, worse, table, use_case)
        assert comparison.metric == use_case.gate.metric
        metric = find_metric(comparison.metric, use_case.problem)
        of_all_rows = [metric.value(scored_rows(table, one, use_case)) for one in (better, worse)]
        assert [comparison.challenger, comparison.champion] == pytest.approx(of_all_rows)
        assert comparison.gain.value == pytest.approx(abs(of_all_rows[0] - of_all_rows[1]))


def test_a_new_baseline_is_one_file(new_file, tmp_path):
    declared = {"baselines": ("constant", "scorecard")}
    with pytest.raises(ValueError, match=r"baselines.1\n.*Input should be 'constant'"):
        loans(**declared)
    new_file(baselines, "scorecard", NEW_BASELINE, all_baselines)
    judgement = small_model(tmp_path / "model", **declared).judgement
    assert 0.5 < judgement.baseline_metrics["scorecard"]["roc_auc"] < 1
    assert judgement.advantages["roc_auc", "scorecard"].low > 0
    axes = draw_judgement(judgement)["advantages"].axes[0]
    (label,) = axes.get_yticklabels()
    assert label.get_text().startswith("old scorecard\n")


def test_reports_have_the_metrics_in_their_order():
    assert loans(costs=Costs(false_negative=1)).metrics == (
        *("roc_auc", "gini", "ks", "average_precision", "log_loss", "brier"),
        *("expected_calibration_error", "accuracy", "precision", "recall"),
        *("cost", "saved_against_accept_all", "saved_against_refuse_all", "savings"),
    )
    grades = {"problem": "multiclass", "classes": ("a", "b", "c"), "ordered": True}
    assert loans(**grades, gate=None).metrics == (
        *("log_loss", "accuracy", "f1_macro", "brier", "expected_calibration_error"),
        *("quadratic_weighted_kappa", "within_one_notch"),
    )
    regression = loans(problem="regression", target_kind="log_variance", gate=None)
    assert regression.metrics == ("rmse", "mae", "r2", "qlike", "r2_against_naive")
    assert override(regression, {"baselines": []}).metrics == ("rmse", "mae", "r2", "qlike")


def test_a_metric_has_one_record_for_each_problem_and_one_direction():
    by_name = sorted(all_metrics(), key=lambda metric: metric.name)
    for name, records in groupby(by_name, key=lambda metric: metric.name):
        records = list(records)
        problems = [problem for metric in records for problem in metric.problems]
        assert len(problems) == len({*problems}), name
        assert len({metric.higher_is_better for metric in records}) == 1, name
        assert all(metric.plain or metric.weighted for metric in records), name


def test_what_a_metric_or_a_baseline_needs_is_asked_for():
    with pytest.raises(UsageError, match=r"headline: card_precision needs decision.method alert_b"):
        override(loans(), {"headline": ["card_precision"]})
    with pytest.raises(UsageError, match="headline: rmse does not judge a binary problem"):
        override(loans(), {"headline": ["rmse"]})
    with pytest.raises(UsageError, match=r"baselines: garch needs derived.method price_history"):
        override(loans(), {"baselines": ["garch"]})
    with pytest.raises(UsageError, match=r"baselines.0: Input should be 'constant'.* not 'lst'"):
        override(loans(), {"baselines": ["lst"]})
    assert "cost" in loans(costs=Costs(false_negative=1)).metrics
    assert "cost" not in loans().metrics


def test_every_decision_has_its_rule():
    for declared in get_args(get_args(Decision)[0]):
        use_case = loans().model_copy(update={"decision": declared.model_construct()})
        assert decision_rule(use_case).declared is declared


def test_a_metric_that_can_not_be_resampled_says_so():
    with pytest.raises(ValueError, match="accuracy can't be resampled"):
        find_metric("accuracy", "binary").resampled(None)
    with pytest.raises(KeyError, match="no metric rmse judges a binary problem"):
        find_metric("rmse", "binary")


def test_a_room_without_a_module_that_comes_first_is_an_error():
    with pytest.raises(ModuleNotFoundError):
        variants_in("modelling.judgement.metrics", "METRICS", first=("no_such_module",))


NEW_SOURCE = '''
"""Made-up loans, as many as the address says: loans://900."""

from small_models import loan_table

from modelling.data.sources.source import SourceKind

SCHEME = "loans://"


def open_loans(uri, wanted):
    return loan_table(int(uri.removeprefix(SCHEME)))


SOURCES = (SourceKind(lambda uri: uri.startswith(SCHEME), open_loans),)
'''
NEW_SPLIT = '''
"""The first rows train, the next validate, the last test."""

from typing import Literal

import numpy as np

from modelling.data.splits.split import RowSplit


class InOrderOfRows(RowSplit):
    method: Literal["in_order"] = "in_order"

    def positions(self, table, target):
        return tuple(np.array_split(np.arange(len(table)), 3))


SPLITS = (InOrderOfRows,)
'''


def test_a_new_source_is_one_file(tmp_path, monkeypatch):
    (tmp_path / "loans.py").write_text(NEW_SOURCE)
    monkeypatch.setattr(sources, "__path__", [*sources.__path__, str(tmp_path)])
    data = prepared(override(loans(), {"source.uri": "loans://900"}))
    assert len(data.table) == 900
    assert data.origin == "loans://900"


def test_a_new_split_is_one_file(tmp_path):
    """In a process of its own: what may be declared is decided when the declarations are read."""
    (tmp_path / "in_order.py").write_text(NEW_SPLIT)
    code = f"""
from modelling.data import splits
splits.__path__.append({str(tmp_path)!r})
from small_models import loan_table, loans, prepared
parts = prepared(loans(split={{"method": "in_order"}}), loan_table(900)).parts
assert [part.index[0] for part in parts] == [0, 300, 600], parts
assert loans(split={{"method": "in_order"}}).model_dump()["split"]["method"] == "in_order"
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPOSITORY / "tests",
        env={**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{REPOSITORY / 'tests'}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr

"""A challenger becomes champion when it is better beyond noise, and never half."""

import logging
import multiprocessing
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from conftest import REPOSITORY, last_json
from mlflow.entities.model_registry import ModelVersion
from servers import standing_in
from small_models import COLUMNS, loan_table, loans, register_and_judge, run_of, small_model

from modelling.declaration import Costs, CutOff, OutOfTime, time
from modelling.judgement.evaluation import RequirementResult
from modelling.judgement.intervals import Interval
from modelling.judgement.promotion import Comparison, comparison_tags, decide, promotion_metric
from modelling.refusals import UsageError
from tasks.comparison.cells import warnings
from tasks.prefect_pages import show_in_prefect
from tasks.registry import champions
from tasks.registry.approvals import promote_manually
from tasks.registry.champions import history, registry_status, roll_back
from tasks.registry.promotion_history import append_entry, refuse_absent_version
from tasks.registry.scoring_runs import load_registered
from tasks.tracking.leaderboard.reading import read_leaderboard

pytestmark = pytest.mark.usefixtures("store", "prefect_server")
GATE = RequirementResult(True, "roc_auc 0.80, wanted at least 0.7")
FIT = [RequirementResult(True, "the learning curve is healthy")]


def compared(low, high):
    return Comparison("roc_auc", 0.82, 0.80, Interval(0.02, low, high))


def test_only_a_gain_beyond_noise_promotes():
    assert decide(GATE, FIT, "1", compared(0.01, 0.03), None).promoted
    for low, high in ((-0.01, 0.05), (0.0, 0.03), (float("nan"), float("nan"))):
        assert not decide(GATE, FIT, "1", compared(low, high), None).promoted


def test_no_gain_makes_up_for_a_failed_gate_or_an_unfit_model():
    failed = decide(RequirementResult(False, "roc_auc 0.6"), FIT, "1", compared(0.1, 0.3), None)
    assert (failed.promoted, "roc_auc 0.6" in failed.reason) == (False, True)
    unfit = [*FIT, RequirementResult(False, "expected calibration error 0.2100")]
    assert "calibration error" in decide(GATE, unfit, "1", compared(0.1, 0.3), None).reason
    assert not decide(RequirementResult(False, "roc_auc 0.6"), FIT, None, None, None).promoted
    assert decide(GATE, FIT, None, None, None).promoted
    assert (
        ", WORSE than champion version 1 (0.8000) by"
        in decide(GATE, FIT, "1", compared(-0.3, -0.1), None).reason
    )
    assert "calibration error" in decide(GATE, unfit, None, None, None).reason


def test_what_cannot_be_compared_is_said_and_not_promoted():
    command = "finflows promote loans --version 4"
    decision = decide(GATE, FIT, "3", None, "columns, target or classes changed", command)
    assert not decision.promoted
    assert "not compared with champion version 3: columns, target" in decision.reason
    assert command in decision.reason
    unfit = [RequirementResult(False, "a leak")]
    doubtful = decide(GATE, unfit, "3", None, "columns, target or classes changed", command)
    assert "a leak; not compared with champion version 3: columns, target" in doubtful.reason
    assert "not compared" not in decide(GATE, unfit, None, None, None, command).reason


def test_the_test_rows_are_known_by_data_and_split_and_the_schema_by_its_columns():
    base = comparison_tags(loans(), "abc")
    assert comparison_tags(loans(title="Another title"), "abc") == base
    for changed in (
        comparison_tags(loans(), "abd"),
        comparison_tags(loans(split={"method": "stratified", "seed": 3}), "abc"),
        comparison_tags(loans(unlabelled="drop"), "abc"),
        comparison_tags(loans(duplicates="drop"), "abc"),
    ):
        assert changed["test_rows"] != base["test_rows"]
        assert changed["schema"] == base["schema"]
    reordered = loans(columns=loans().columns[::-1])
    assert comparison_tags(reordered, "abc") == base
    fewer = loans(columns=loans().columns[:-1])
    assert comparison_tags(fewer, "abc")["schema"] != base["schema"]


@pytest.mark.parametrize(
    "otherwise",
    [
        {"target": "arrears"},
        {"classes": ("paid", "late")},
        {"problem": "multiclass"},
        {"merge_classes": {1: (2,)}},
    ],
)
def test_another_target_other_classes_or_another_problem_are_another_schema(otherwise):
    changed = loans().model_copy(update=otherwise)
    base, other = comparison_tags(loans(), "abc"), comparison_tags(changed, "abc")
    assert other["schema"] != base["schema"]
    assert other["test_rows"] == base["test_rows"]


def test_versions_are_compared_by_a_metric_that_can_be_resampled():
    unlike = loans(headline=["average_precision"], gate={"metric": "accuracy", "at_least": 0.5})
    assert promotion_metric(unlike) == "average_precision"
    assert promotion_metric(loans(headline=["log_loss"], gate=None)) == "log_loss"
    spent = loans().model_copy(update={"headline": ("card_precision",), "gate": None})
    assert promotion_metric(spent) == "roc_auc"


def version_of(client, name):
    holder = champions.champion_of(client, name)
    return holder and str(holder.version)


def test_the_first_that_passes_its_gate_rises_then_only_the_better(client):
    name = "rising"
    _, failed = register_and_judge(noise=3, name=name, gate={"metric": "roc_auc", "at_least": 0.9})
    assert (failed.promoted, version_of(client, name)) == (False, None)
    _, first = register_and_judge(noise=0.5, name=name)
    assert (first.promoted, version_of(client, name)) == (True, "2")
    _, same = register_and_judge(noise=0.5, name=name)
    assert not same.promoted
    assert same.numbers["gain"] == 0
    assert "no better and no worse than champion version 2 (0.7" in same.reason
    version, better = register_and_judge(noise=0, name=name)
    assert better.promoted
    assert better.numbers["gain_low"] > 0
    assert version_of(client, name) == version == "4"
    tags = client.get_model_version(name, version).tags
    assert tags["promotion"] == "promoted"
    assert tags["promotion_reason"] == better.reason
    assert float(tags["promotion_gain_low"]) > 0
    run = client.get_model_version(name, version).run_id
    report = Path(mlflow.artifacts.download_artifacts(run_id=run, artifact_path="promotion.md"))
    assert better.reason in report.read_text()
    assert str(client.get_model_version_by_alias(name, "challenger").version) == "4"

    promote_manually(name, "1", "no other may be used")  # a person may, and what failed is kept
    *_, last = history(client, name)
    assert last.unmet.startswith("the gate failed: roc_auc 0.")
    assert f"although {last.unmet}" in registry_status(name).text()
    assert not any(change.unmet for change in history(client, name)[:-1])


def test_a_better_ranking_whose_decisions_cost_more_waits_for_a_person(client, tmp_path):
    declared = {"name": "costly", "costs": Costs(false_negative=100, unit="EUR")}
    register_and_judge(noise=0.5, decision=CutOff(cut_off=0.3), **declared)
    costlier = small_model(tmp_path / "a", decision=CutOff(cut_off=0.6), **declared)
    with run_of(costlier.trained.use_case) as run:
        decision = costlier.judge(run, version := costlier.register(run))
    assert decision.numbers["gain_low"] > 0
    assert decision.numbers["saved_high"] < 0
    assert not decision.promoted
    assert re.search(
        r"saved by its decisions -[\d,]+ \[.*\] EUR; its decisions cost more. To promote it: finfl",
        decision.reason,
    )
    rows, is_positive = costlier.judgement.rows, costlier.judgement.rows["default"] == 1
    answers = load_registered("costly", "1").interface.answer(rows)
    lost = (answers["decision"] == 0)[is_positive].sum() * 100
    saved = lost - costlier.judgement.metrics["cost"]
    assert decision.numbers["saved"] == saved
    tags = client.get_model_version("costly", version).tags
    assert float(tags["promotion_saved"]) == saved
    _, cheaper = register_and_judge(noise=0, decision=CutOff(cut_off=0.3), **declared)
    assert cheaper.promoted
    assert "saved by its decisions " in cheaper.reason
    _, same = register_and_judge(noise=0, decision=CutOff(cut_off=0.3), **declared)
    assert same.reason.endswith("; its decisions cost the same")
    assert same.numbers["saved"] == 0


def test_changed_test_rows_are_said_and_the_champion_is_scored_anew(client, tmp_path):
    register_and_judge(noise=0.5, name="moving")
    later = small_model(tmp_path / "later", table=loan_table(seed=8), name="moving")
    with run_of(later.trained.use_case) as run:
        decision = later.judge(run, later.register(run))
    assert decision.promoted
    assert "the test rows changed, so it was scored again" in decision.reason
    assert decision.reason.endswith("of which it may have learnt some, which favours it")


def test_rows_that_come_later_are_new_to_the_champion_too(client):
    opened = pd.date_range("2024-01-01", periods=2400, freq="6h")
    table = loan_table(2400).assign(opened=opened)
    declared = {"name": "monthly", "split": OutOfTime(column="opened")}
    declared["columns"] = (*COLUMNS, time("opened", role="context"))
    register_and_judge(noise=0.5, table=table.head(2000), **declared)
    _, decision = register_and_judge(table=table, **declared)
    assert decision.reason.endswith("so it was scored again on the new ones")
    declared["split"] = OutOfTime(column="opened", test=0.5)  # from within its training rows on
    _, decision = register_and_judge(table=table, **declared)
    assert decision.reason.endswith("which favours it")


def test_a_changed_schema_is_said_and_not_compared(client, tmp_path):
    register_and_judge(name="reshaped")
    table = loan_table().drop(columns="region")
    version, decision = register_and_judge(name="reshaped", columns=loans().columns[:-1])
    assert not decision.promoted
    assert "columns, target or classes changed" in decision.reason
    promote_manually("reshaped", version, "without regions")
    *_, last = history(client, "reshaped")
    assert last.unmet == "its columns, target or classes are not those of champion version 1"
    assert "region" in loan_table().columns.difference(table.columns)


def test_a_doubtful_version_stays_challenger_until_a_person_promotes_it(client):
    version, decision = register_and_judge(name="doubted", gate=None)
    command = f'finflows promote doubted --version {version} --reason "..."'
    assert not decision.promoted
    assert decision.reason == f"doubtful: no gate is declared. To promote it: {command}"
    assert version_of(client, "doubted") is None
    registered = client.get_model_version("doubted", version)
    tags = registered.tags, client.get_run(registered.run_id).data.tags
    assert [one["doubts"] for one in tags] == ["no gate is declared"] * 2
    assert registered.tags["gate"] == "none"
    report = mlflow.artifacts.load_text(f"runs:/{registered.run_id}/promotion.md")
    assert "| no gate is declared | no |" in report
    (row,) = read_leaderboard(["doubted"])
    assert warnings(row) == "no gate is declared"

    assert promote_manually("doubted", version, "a person looked at it").outcome == "champion"
    assert promote_manually("doubted", version, "once more").outcome == "champion already"
    (entry,) = history(client, "doubted")
    assert (entry.reason, entry.unmet) == ("a person looked at it", "no gate is declared")

    client.copy_model_version(f"models:/doubted/{version}", "doubted")
    client.set_registered_model_alias("doubted", "champion", "2")  # as on MLflow's page
    shown = registry_status("doubted").text()
    assert 'then this records it: finflows promote doubted --version 2 --reason "..."' in shown
    assert promote_manually("doubted", "2", "it was me").outcome == "champion"
    *_, last = history(client, "doubted")
    assert (last.version, last.previous) == ("2", version)
    assert "the champion is version 2, but no entry says so" in last.gaps
    assert registry_status("doubted").gaps == []


def test_a_run_that_goes_on_after_it_had_promoted_says_why_it_had(client, tmp_path):
    small = small_model(tmp_path / "model", name="resumed")
    with run_of(small.trained.use_case) as run:
        first = small.judge(run, small.register(run))
        version = small.register(run)
        assert small.judge(run, version) == first
        assert len(history(client, "resumed")) == 1
        append_entry(client, "resumed", version, "see [it](http://else.where)", "manual", "Eve")
        assert small.judge(run, version).promoted
    assert first.promoted
    description = client.get_model_version("resumed", version).description
    assert r"\[it\]\(http\:\/\/else\.where\)" in description, "what was typed leads nowhere"


def test_of_thousands_of_versions_a_message_names_the_first_and_the_last():
    many = [ModelVersion("loans", version, 0) for version in range(1, 3001)]
    with pytest.raises(UsageError, match="no version 9999; it has 3,000 versions, from 1 to 3000"):
        refuse_absent_version("loans", "9999", many)
    refuse_absent_version("loans", "3000", many)


@pytest.mark.services
def test_by_hand_and_back_again_with_reasons_that_are_kept(client):
    for noise in (0.0, 0.5, 0.6):
        register_and_judge(noise=noise, name="handed")
    assert version_of(client, "handed") == "1"
    with pytest.raises(UsageError, match="has no version 9; versions: 1, 2, 3"):
        promote_manually("handed", "9", "typo")
    promote_manually("handed", "2", "regulator asked")
    promote_manually("handed", "3", "campaign")
    assert roll_back("handed", "complaints") == ("3", "2")
    assert roll_back("handed", "more complaints") == ("2", "1")
    with pytest.raises(UsageError, match="there is no other"):
        roll_back("handed", "once more")
    told = [(one.version, one.previous, one.how) for one in history(client, "handed")]
    assert told == [
        ("1", None, "compared"),
        ("2", "1", "manual"),
        ("3", "2", "manual"),
        ("2", "3", "rollback"),
        ("1", "2", "rollback"),
    ]
    shown = registry_status("handed").text()
    assert "champion 1, challenger 3" in shown
    assert "regulator asked" in shown
    assert "complaints" in shown


def test_a_version_that_does_not_load_is_never_champion(client):
    register_and_judge(noise=0.5, name="broken")
    version, _ = register_and_judge(noise=0.6, name="broken")
    folder = Path(mlflow.artifacts.download_artifacts(f"models:/broken/{version}"))
    (network,) = folder.rglob("network.onnx")
    network.write_bytes(network.read_bytes()[:100])
    with pytest.raises(UsageError, match=f"network.onnx of broken version {version} is not what"):
        promote_manually("broken", version, "anyway")
    assert version_of(client, "broken") == "1"
    client.delete_registered_model("broken")  # doctor looks at all that are in use


KILLED = """
import os, signal, sys
from tasks.tracking.store import connect
from tasks.registry import champions
from small_models import register_and_judge
from tasks.registry import promotion

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[1] == "before":  # between registering and promoting
    promotion.make_champion = die
else:  # between the history and the alias
    type(connect()).set_registered_model_alias, alias = None, None
    champions.MlflowClient.set_registered_model_alias = (
        lambda self, name, alias, version: die() if alias == "champion" else None
    )
register_and_judge(noise=0, name="killed")
"""


@pytest.mark.services
@pytest.mark.parametrize("where", ["before", "within"])
def test_killed_while_promoting_the_champion_is_who_it_was_and_the_next_one_rises(client, where):
    if version_of(client, "killed") is None:
        register_and_judge(noise=0.5, name="killed")
    champion = version_of(client, "killed")
    count = len(client.search_model_versions("name = 'killed'"))
    paths = os.pathsep.join([str(REPOSITORY), str(REPOSITORY / "tests")])
    done = subprocess.run(
        [sys.executable, "-c", KILLED, where],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(client.search_model_versions("name = 'killed'")) == count + 1
    assert version_of(client, "killed") == champion
    mlflow.pyfunc.load_model("models:/killed@champion")
    if where == "within":
        assert "interrupted before it took effect" in registry_status("killed").text()
        version, decision = register_and_judge(noise=0, name="killed")
        assert decision.promoted
        assert version_of(client, "killed") == version


def _register(_):
    return register_and_judge(noise=0, name="racing")


@pytest.mark.services
def test_two_flows_that_register_at_once_are_compared_one_after_the_other(client):
    register_and_judge(noise=0.5, name="racing")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        results = pool.map(_register, range(2), chunksize=1)
    promoted = [version for version, decision in results if decision.promoted]
    assert len(promoted) == 1, "both are equally good: the second finds no gain over the first"
    assert version_of(client, "racing") == promoted[0]
    assert [one.version for one in history(client, "racing")] == ["1", promoted[0]]
    assert str(client.get_model_version_by_alias("racing", "challenger").version) == "3"


def test_a_registration_that_is_tried_again_finds_its_version(client, tmp_path):
    small = small_model(tmp_path / "model", name="once")
    with run_of(small.trained.use_case) as run:
        assert small.register(run) == small.register(run) == "1"
    assert len(client.get_run(run.run_id).outputs.model_outputs) == 1
    with run_of(small.trained.use_case) as another:
        assert small.register(another) == "2"


@pytest.mark.parametrize(
    "end", [RuntimeError, pytest.param(KeyboardInterrupt, marks=pytest.mark.services)]
)
def test_a_run_that_has_registered_is_whole_whatever_comes_after(end, client, tmp_path):
    """So that no run which is FAILED or KILLED has a version, and no version lacks its doubts."""
    name = f"whole_{end.__name__.lower()}"
    small = small_model(tmp_path / "model", name=name, gate=None)

    def register_and_fail():
        with run_of(small.trained.use_case) as run:
            small.register(run)
            raise end(run.run_id)

    with pytest.raises(end) as failed:
        register_and_fail()
    ended = client.get_run(failed.value.args[0])
    assert ended.info.status == "FINISHED"
    assert ended.data.tags["failure"]
    promote_manually(name, "1", "it was never compared")
    assert history(client, name)[-1].unmet == "no gate is declared"


def test_a_prefect_server_that_is_gone_fails_no_run(caplog, monkeypatch):
    from prefect.artifacts import create_markdown_artifact
    from prefect.settings import PREFECT_API_URL, PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    monkeypatch.setattr(logging.getLogger("finflows"), "propagate", True)

    def show(url):
        with temporary_settings({PREFECT_API_URL: url, PREFECT_CLIENT_MAX_RETRIES: 0}):
            show_in_prefect(create_markdown_artifact, key="a-report", markdown="# A report")
        said = [record.getMessage() for record in caplog.records if "a-report" in record.args]
        caplog.clear()
        (line,) = said
        return line

    assert "a-report is not shown there: ConnectError" in show("http://127.0.0.1:9/api")
    for page in ("<html>Please log in</html>", '{"please": "log in"}'):
        with standing_in(200, page) as url:
            assert "a-report is not shown there: what answers at PREFECT_API_URL is no" in show(url)


def test_a_model_that_answers_differently_elsewhere_is_not_registered(client, tmp_path):
    small = small_model(tmp_path / "model", name="unequal")
    small.trained.validation_outputs[3] += 1e-3
    with (
        pytest.raises(UsageError, match=r"differs .* by 0\.001 in column 'probability'"),
        run_of(small.trained.use_case) as run,
    ):
        small.register(run)
    assert client.search_model_versions("name = 'unequal'") == []


@pytest.mark.services
def test_the_commands_say_who_is_champion(finflows, client):
    register_and_judge(name="asked")
    register_and_judge(noise=0.5, name="asked")
    done = finflows("promote", "asked", "--version", "2", "--reason", "a test")
    assert (done.returncode, done.stdout.strip()) == (0, "asked: version 2 is champion")
    assert last_json(finflows("champion", "asked", "--json").stdout)["champion"] == "2"
    assert finflows("rollback", "asked", "--reason", "no").stdout.startswith("asked: version 1 is")
    unknown = finflows("champion", "nobody")
    assert (unknown.returncode, "Traceback" in unknown.stderr) == (2, False)
    assert "nothing is registered as 'nobody'" in unknown.stderr


def test_a_store_that_does_not_answer_is_not_a_registry_without_champion(client, monkeypatch):
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import TEMPORARILY_UNAVAILABLE

    assert champions.champion_of(client, "nobody yet") is None

    def locked(*_):
        raise MlflowException("database is locked", TEMPORARILY_UNAVAILABLE)

    monkeypatch.setattr(type(client), "get_model_version_by_alias", locked)
    with pytest.raises(MlflowException, match="locked"):
        champions.champion_of(client, "nobody yet")


def test_a_champion_that_is_gone_is_said_and_stops_no_training(client):
    version, _ = register_and_judge(name="gone")
    source = Path(mlflow.artifacts.download_artifacts(f"models:/gone/{version}"))
    (source / "MLmodel").unlink()
    _, decision = register_and_judge(name="gone")
    assert not decision.promoted
    assert "version 1 of gone has no files any more" in decision.reason
    client.delete_registered_model("gone")  # doctor looks at all that are in use

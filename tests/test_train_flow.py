"""From the declaration to the registered model, through the flow, a real store and server."""

import gc
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import weakref
from importlib.metadata import version
from pathlib import Path

import keras
import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import REPOSITORY, last_json
from mlflow.exceptions import MlflowException
from prefect.client.orchestration import get_client
from servers import PATIENCE, wait_for

from flows.train import train
from flows.watch import watch
from modelling.features.preprocessing import preprocess
from modelling.judgement.groups.group_judging import judge_groups
from modelling.refusals import DataRefused, UsageError
from modelling.scorer.scoring import calibrated
from modelling.scorer.transformer import Transformer
from tasks.registry.reproduction import compare_runs
from tasks.tracking.results import read_results
from use_cases import find_use_case

pytestmark = pytest.mark.usefixtures("store", "prefect_server")
QUICK = {"training.epochs": 3}


@pytest.fixture(scope="module")
def watched_run(store, prefect_server, credit_file):
    """One training of credit scoring on 6,000 real borrowers; and a reference to the features of
    its training rows, if they are still in memory when groups are judged."""
    made, held = [], []

    def preprocess_and_watch(*arguments):
        features = preprocess(*arguments)
        made.append(weakref.ref(features.train.features))
        return features

    def look_and_judge(*arguments):
        held.extend(reference() for reference in made)
        return judge_groups(*arguments)

    overrides = {**QUICK, "source.uri": str(credit_file), "gate.at_least": 0.6}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("flows.train.preprocess", preprocess_and_watch)
        patched.setattr("flows.train.judge_groups", look_and_judge)
        result = train("credit_scoring", overrides)
    return result, held


@pytest.fixture(scope="module")
def credit_run(watched_run):
    return watched_run[0]


def test_features_are_in_memory_no_longer_when_groups_are_judged(watched_run):
    (features,) = watched_run[1]
    assert features is None


def test_every_epoch_is_tracked_once_at_its_step(credit_run, client):
    for name in ("loss", "val_loss", "roc_auc", "val_roc_auc"):
        history = client.get_metric_history(credit_run.run_id, name)
        assert [metric.step for metric in history] == [0, 1, 2], name
    val_losses = [m.value for m in client.get_metric_history(credit_run.run_id, "val_loss")]
    metrics = client.get_run(credit_run.run_id).data.metrics
    assert metrics["best_val_loss"] == min(val_losses)
    assert metrics["best_epoch"] == int(np.argmin(val_losses)) + 1
    assert metrics["best_val_loss"] < metrics["constant_val_loss"] < 0.7


def test_the_run_tells_what_it_is_and_where_it_comes_from(credit_run, client):
    run = client.get_run(credit_run.run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params["training.epochs"] == "3"
    assert run.data.params["network.hidden_units"]
    tags = run.data.tags
    for tag in ("data_hash", "git_commit", "git_dirty", "lock_hash", "seed", "prefect_flow_run"):
        assert tags[tag] not in ("", "none"), tag
    assert run.info.run_name.startswith("credit_scoring epochs=3 uri=borrowers.csv at_least=0.6")
    assert tags["finflows_version"] == version("finance-flows")
    assert "Give Me Some Credit" in tags["mlflow.note.content"]
    contexts = {one.tags[0].value for one in run.inputs.dataset_inputs}
    assert contexts == {"train", "validation", "test"}
    assert {f"test_{name}" for name in credit_run.metrics} <= set(run.data.metrics)
    files = {artifact.path for artifact in client.list_artifacts(credit_run.run_id)}
    wanted = {"learning_curve.png", "learning_curve.csv", "model_summary.txt", "report.md"}
    assert wanted | {"validation_report.md", "declaration.json"} <= files


def test_a_version_is_watched_over_rows_that_came_later(credit_run, credit_file, client, tmp_path):
    version = credit_run.model["version"]
    with pytest.raises(DataRefused, match="was trained on this very table: give rows that came"):
        watch("credit_scoring", str(credit_file), version)
    later = pd.read_csv(credit_file).head(2000)
    later.to_csv(tmp_path / "later.csv", index=False)
    result = watch("credit_scoring", str(tmp_path / "later.csv"), version)
    assert result.alarms == []
    run = client.get_run(result.run_id)
    assert {**run.data.metrics, **result.numbers} == pytest.approx(run.data.metrics)
    assert (run.data.metrics["rows"], run.data.tags["alarm"]) == (2000, "none")
    assert 0.7 < run.data.metrics["roc_auc"] < 1
    assert run.data.metrics["psi/age"] < 0.1
    assert client.get_experiment(run.info.experiment_id).name == "credit_scoring-watch"
    files = {artifact.path for artifact in client.list_artifacts(result.run_id)}
    assert files == {"watch.html", "watch.md", "watch.png"}
    # Whoever schedules it is told: the flow run fails with the alarms, and the MLflow run is whole.
    later.assign(age=later["age"] + 30).query("age < 120").to_csv(tmp_path / "older.csv")
    with pytest.raises(UsageError, match="age: PSI "):
        watch("credit_scoring", str(tmp_path / "older.csv"), version)
    newest = client.search_runs([run.info.experiment_id], max_results=1)[0]
    assert newest.info.status == "FINISHED"
    assert "age: PSI" in newest.data.tags["alarm"]


def test_the_judgement_stands_in_the_run_and_its_baselines_below(credit_run, client):
    run = client.get_run(credit_run.run_id)
    metrics = read_results(client, run)
    assert metrics["test_roc_auc_low"] < metrics["test_roc_auc"] < metrics["test_roc_auc_high"]
    assert metrics["test_skill"] == pytest.approx(2 * metrics["test_roc_auc"] - 1)
    below = client.search_runs(
        [run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{run.info.run_id}'"
    )
    baselines = {one.data.tags["baseline"]: one for one in below}
    assert set(baselines) == {"constant", "linear", "boosting"}
    for name, one in baselines.items():
        assert one.info.status == "FINISHED"
        auc = one.data.metrics["test_roc_auc"]
        assert metrics[f"baseline_{name}_roc_auc"] == auc
        advantage = metrics[f"advantage_{name}_roc_auc"]
        assert advantage == pytest.approx(metrics["test_roc_auc"] - auc)
        assert metrics[f"advantage_{name}_roc_auc_low"] <= advantage
    pictures = {one.path for one in client.list_artifacts(run.info.run_id, "judgement")}
    drawn = {"advantages", "roc", "precision_recall", "reliability", "scores_by_class"}
    drawn |= {"confusion", "cost_by_cut_off"}
    drawn |= {"importance", "partial_dependence", "groups_age"}
    records = {f"judgement/{name}" for name in ("importance.csv", "groups.json", "slices.json")}
    assert pictures == {f"judgement/{name}.png" for name in drawn} | records
    page = mlflow.artifacts.load_text(f"{credit_run.paths['artifacts']}/report.html")
    assert page.count('src="data:image/png;base64,') == len(drawn) + 1, "and the learning curve"
    for said in ("Cut-off: ", "to refuse everybody", "<td>MonthlyIncome</td>", "money"):
        assert said in page


def test_few_metrics_and_the_losses_first(credit_run, client):
    """The page of a run lists metrics in the order in which they were logged."""
    names = [*client.get_run(credit_run.run_id).data.metrics]
    assert names[:2] == ["loss", "val_loss"]
    assert not [name for name in names if name.startswith("advantage_")]
    ends = {name for name in names if name.endswith(("_low", "_high"))}
    of = ("test_roc_auc", "test_skill")
    assert ends == {f"{name}_{end}" for name in of for end in ("low", "high")}
    baselines = {name for name in names if name.startswith("baseline_")}
    assert baselines == {f"baseline_{one}_roc_auc" for one in ("constant", "linear", "boosting")}


def test_a_run_that_had_all_results_as_metrics_reads_and_repeats_the_same(credit_run, client):
    """As earlier versions recorded it: no file, and every number a metric."""
    now = client.get_run(credit_run.run_id)
    then = client.create_run(now.info.experiment_id, tags=now.data.tags).info.run_id
    for name, value in now.data.params.items():
        client.log_param(then, name, value)
    results = read_results(client, now)
    for name, value in results.items():
        for one in client.get_metric_history(now.info.run_id, name) or [None]:
            client.log_metric(then, name, one.value if one else value, step=one.step if one else 0)
    assert read_results(client, client.get_run(then)) == pytest.approx(results, nan_ok=True)
    compared = compare_runs(then, credit_run.run_id)
    assert compared.differences == []
    assert compared.compared > len(results)
    client.delete_run(then)


def test_a_run_with_a_gate_of_its_own_stays_challenger(credit_run):
    said = "not judged as declared: gate set for this run"
    assert said in credit_run.model["promotion"]


def test_the_registered_model_describes_itself(credit_run, client):
    model = credit_run.model
    assert "Give Me Some Credit" in client.get_registered_model(model["name"]).description
    said = client.get_model_version(model["name"], model["version"]).description
    for part in ("gate passed", credit_run.learning_curve["verdict"], model["promotion"]):
        assert part in said
    assert f"/runs/{credit_run.run_id}" in said


def test_a_loss_to_a_baseline_is_said(store, prefect_server, client, credit_file):
    bad = {"training.epochs": 1, "training.learning_rate": 1e-6, "gate.at_least": 0.1}
    result = train("credit_scoring", {**bad, "source.uri": str(credit_file)})
    tags = client.get_run(result.run_id).data.tags
    assert tags["lost_to"] == "linear, boosting"
    report = mlflow.artifacts.load_text(f"{result.paths['artifacts']}/report.md")
    beside = r"^\| roc_auc \| 0\..*\n(\| \| \| .*\n)*\| \| \| WORSE than boosting \(0\."
    assert re.search(beside, report, re.M)


def test_prefect_shows_the_report_and_a_link(credit_run, client):
    flow_run_id = client.get_run(credit_run.run_id).data.tags["prefect_flow_run"]
    with get_client(sync_client=True) as prefect:
        flow_run = prefect.read_flow_run(flow_run_id)
        assert flow_run.state.is_completed()
        assert re.fullmatch(r"credit_scoring \d{4}-\d\d-\d\d \d\d:\d\d", flow_run.name)
        artifacts = prefect.read_artifacts()
    keys = {a.key for a in artifacts if str(a.flow_run_id) == flow_run_id}
    names = ("report", "promotion", "mlflow-run", "learning-curve", "advantages", "dossier")
    assert keys == {f"credit-scoring-{name}" for name in names}
    pictures = [a.data for a in artifacts if a.key == "credit-scoring-learning-curve"]
    assert all("](data:image/png;base64," in one for one in pictures)


SCORE_IN_ANOTHER_PROCESS = """
import sys
import mlflow, numpy as np, pandas as pd
model = mlflow.pyfunc.load_model(sys.argv[1])
answers = model.predict(pd.read_csv(sys.argv[2]))
assert not {"tensorflow", "keras", "sklearn", "modelling"} & set(sys.modules)
answers.to_csv(sys.argv[3], index=False)
"""


def test_the_registered_model_scores_raw_rows_as_the_training_process_did(
    credit_run, credit_file, tmp_path
):
    """Elsewhere: no project on the path, no pickle, no TensorFlow; and the same probabilities."""
    raw = pd.read_csv(credit_file).head(2000)
    raw.to_csv(tmp_path / "raw.csv", index=False)
    environment = {
        "PATH": os.environ["PATH"],
        "MLFLOW_TRACKING_URI": os.environ["MLFLOW_TRACKING_URI"],
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }
    arguments = [credit_run.model["uri"], str(tmp_path / "raw.csv"), str(tmp_path / "answers.csv")]
    subprocess.run(
        [sys.executable, "-c", SCORE_IN_ANOTHER_PROCESS, *arguments],
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    answers = pd.read_csv(tmp_path / "answers.csv")
    package = Path(mlflow.artifacts.download_artifacts(credit_run.model["uri"]))
    scorer = package / "artifacts" / "scorer"
    state = json.loads((scorer / "scorer.json").read_text())
    features = Transformer(state["transformer"]).transform(raw)
    network = keras.models.load_model(scorer / "network.keras")
    expected = calibrated(network.predict(features, verbose=0)[:, 0], state["calibration"])
    assert np.abs(answers["probability"] - expected).max() <= 1e-6
    assert set(answers["decision"]) <= {0, 1}
    modes = {file.stat().st_mode & 0o777 for file in scorer.iterdir() if file.is_file()}
    assert len(modes) == 1, "whoever may read one file may read all, the weights too"


def test_the_model_names_its_raw_columns_and_the_example_is_nobody(credit_run, credit_table):
    model = mlflow.pyfunc.load_model(credit_run.model["uri"])
    names = [column.name for column in find_use_case("credit_scoring").features]
    assert model.metadata.metadata["input_columns"] == names
    answers = [one.name for one in model.metadata.signature.outputs]
    assert answers == ["probability", "decision", "model_version", "broken_rules", "unknown"]
    example = model.input_example
    rows = credit_table[names].fillna(-1).merge(example[names].fillna(-1))
    assert rows.empty, "the example is one of the borrowers"
    assert len(model.predict(example)) == 1
    requirements = model.metadata.flavors["python_function"]["env"]
    assert requirements


def test_rows_are_answered_alike_in_whichever_form_they_come(credit_run, credit_table):
    model = mlflow.pyfunc.load_model(credit_run.model["uri"])
    names = [column.name for column in find_use_case("credit_scoring").features]
    rows = credit_table[names].head(3)
    answers = model.predict(rows)
    for same in (rows.to_dict("list"), rows.to_dict("records")):
        pd.testing.assert_frame_equal(model.predict(same), answers)
    alone = model.predict(rows.iloc[0].to_dict())
    assert alone["probability"] == pytest.approx(answers["probability"][0], abs=1e-6)
    pd.testing.assert_frame_equal(model.predict(rows.head(1)), answers.head(1), rtol=1e-5)
    complete, without_age = rows.to_dict("records")[0], rows[names].drop(columns="age").head(1)
    for several in ([complete, *without_age.to_dict("records")], without_age.to_dict("records")):
        with pytest.raises(MlflowException, match="missing columns: age"):
            model.predict(several)
    further = [complete, {**complete, "note": 1}]
    assert model.predict(further)["probability"].tolist() == [alone["probability"]] * 2


def test_the_code_of_a_model_goes_with_it(credit_run):
    """A server that follows champions loads many. Of the last one MLflow keeps hold."""

    def packages():
        gc.collect()
        return {name.partition(".")[0] for name in sys.modules if name.startswith("scorer_")}

    before = packages()
    loaded = mlflow.pyfunc.load_model(credit_run.model["uri"])
    (package,) = packages() - before
    contract = loaded.unwrap_python_model().model.contract
    assert type(pickle.loads(pickle.dumps(contract))) is type(contract)
    another = mlflow.pyfunc.load_model(credit_run.model["uri"])
    del loaded, contract
    (left,) = packages() - before
    assert left != package
    del another


@pytest.mark.parametrize(
    ("name", "metric", "at_least"),
    [("diabetes", "r2", 0.35), ("iris", "accuracy", 0.9), ("wine", "accuracy", 0.9)],
)
def test_the_other_kinds_of_problem_learn_from_real_data(name, metric, at_least):
    result = train(name)
    assert result.metrics[metric] >= at_least
    use_case = find_use_case(name)
    answers = mlflow.pyfunc.load_model(result.model["uri"]).predict(use_case.source())
    if use_case.problem == "regression":
        assert answers["forecast"].between(0, 500).all()
    else:
        probabilities = answers.filter(like="probability_").to_numpy()
        assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
        assert set(answers["decision"]) <= set(use_case.classes)
        decided = np.array(use_case.classes)[probabilities.argmax(axis=1)]
        assert (answers["decision"].to_numpy() == decided).all()


def newest_run(client, experiment):
    identifier = client.get_experiment_by_name(experiment).experiment_id
    return client.search_runs([identifier], order_by=["attributes.start_time DESC"])[0]


def versions(client, name="credit_scoring"):
    return len(client.search_model_versions(f"name = '{name}'"))


def test_refused_data_ends_failed_with_the_reason_and_registers_nothing(
    credit_run, client, credit_table, tmp_path
):
    before = versions(client)
    credit_table.assign(age=-5).to_csv(tmp_path / "wrong.csv", index=False)
    with pytest.raises(DataRefused):
        train("credit_scoring", {**QUICK, "source.uri": str(tmp_path / "wrong.csv")})
    run = newest_run(client, "credit_scoring")
    assert run.info.status == "FAILED"
    assert "age" in run.data.tags["failure"]
    assert run.data.tags["mlflow.note.content"] == f"Failed: {run.data.tags['failure']}"
    files = {artifact.path for artifact in client.list_artifacts(run.info.run_id)}
    assert "validation_report.md" in files
    assert versions(client) == before


def test_an_unknown_metric_in_the_gate_begins_nothing(credit_run, client, credit_file):
    before, run = versions(client), newest_run(client, "credit_scoring").info.run_id
    overrides = {**QUICK, "source.uri": str(credit_file), "gate.metric": "roc"}
    with pytest.raises(UsageError, match="did you mean 'roc_auc'"):
        train("credit_scoring", overrides)
    assert newest_run(client, "credit_scoring").info.run_id == run  # none was begun
    assert versions(client) == before


@pytest.mark.services
@pytest.mark.parametrize(
    "kill",
    [
        pytest.param(signal.SIGINT, marks=pytest.mark.evidence),
        pytest.param(signal.SIGTERM, marks=pytest.mark.evidence),
        signal.SIGKILL,
    ],
)
def test_an_interrupted_training_does_not_run_for_ever(kill, credit_run, client, credit_file):
    before = versions(client)
    settings = ["training.epochs=100000", "training.early_stopping_patience=0"]
    command = [sys.executable, "-m", "flows.command_line", "train", "credit_scoring"]
    command += ["--data", str(credit_file)]
    for setting in settings:
        command += ["--set", setting]
    process = subprocess.Popen(
        command,
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )

    def trains():
        assert process.poll() is None, process.stderr.read().decode()
        run = newest_run(client, "credit_scoring")
        epochs = client.get_metric_history(run.info.run_id, "loss")
        return run if run.info.status == "RUNNING" and epochs else None

    run = wait_for(trains, "an epoch")
    process.send_signal(kill)
    process.wait(timeout=PATIENCE)
    assert process.returncode == {signal.SIGKILL: -9}.get(kill, 128 + kill)
    if kill == signal.SIGKILL:  # nothing can be said any more: the next training says it
        assert client.get_run(run.info.run_id).info.status == "RUNNING"
        train("credit_scoring", {**QUICK, "source.uri": str(credit_file)})
        before += 1
    else:
        (line,) = process.stderr.read().decode().splitlines()
        assert f"finflows resume {run.info.run_id}" in line
    ended = client.get_run(run.info.run_id)
    assert ended.info.status == "KILLED"
    assert ended.data.tags["failure"]
    assert versions(client) == before


@pytest.mark.services
def test_the_json_of_the_command_line_is_its_last_line(finflows, credit_file):
    done = finflows(
        "train", "credit_scoring", "--data", credit_file, "--set", "training.epochs=2", "--json"
    )
    assert done.returncode == 0, done.stderr
    result = last_json(done.stdout)
    assert len(done.stdout.strip().splitlines()) == 1
    for stage in ("data", "validated", "trained", "judged", "registered"):
        assert f"  {stage}" in done.stderr
    assert set(result) == {
        "run_id",
        "use_case",
        "metrics",
        "learning_curve",
        "gate",
        "model",
        "paths",
    }
    assert set(result["gate"]) == {"passed", "reason", "declared"}
    assert "Traceback" not in done.stderr

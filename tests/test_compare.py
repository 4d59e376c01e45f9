"""Finished trainings stand side by side, with what decides between them, in every form."""

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from prefect.client.orchestration import get_client

from flows.command_line.leaderboard_table import show_leaderboard
from flows.compare import compare
from flows.train import train
from modelling.judgement.metrics.metric import format_value
from modelling.refusals import UsageError
from tasks.comparison.exports import as_csv, as_json
from tasks.tracking.leaderboard.reading import parse_since, read_leaderboard
from tasks.tracking.reaping import close_all_dead, newest_start

pytestmark = pytest.mark.usefixtures("store", "prefect_server")
MINE = {"round": "compare"}


@pytest.fixture(scope="module")
def runs(store, prefect_server):
    """Two trainings of diabetes, of which the longer is better and the shorter stands without
    baselines, and one of iris; by name."""
    from tasks.tracking.store import connect

    short = train("diabetes", {"training.epochs": 1, "baselines": []})
    long = train("diabetes", {"training.epochs": 30})
    iris = train("iris", {"training.epochs": 2, "baselines": []}, remedies=1)
    for one in (short, long, iris):
        connect().set_tag(one.run_id, "round", "compare")
    return {"short": short, "long": long, "iris": iris}


@pytest.fixture
def entries(runs):
    return read_leaderboard(tags=MINE)


def test_the_best_run_of_each_use_case_comes_first(runs, entries):
    assert [one.run_id for one in entries] == [
        runs["long"].run_id,
        runs["short"].run_id,
        runs["iris"].run_id,
    ]
    rmse = [one.value for one in entries[:2]]
    assert rmse == sorted(rmse)
    assert rmse[0] == pytest.approx(runs["long"].metrics["rmse"], rel=1e-9)


def test_a_row_tells_what_decides(runs, entries):
    long, short, iris = entries
    assert long.metric == "rmse"
    assert long.low < long.value < long.high
    assert 0 < long.skill < 1
    assert short.skill is None
    assert long.version == runs["long"].model["version"]
    assert "challenger" in long.aliases
    assert short.aliases == ()
    assert len(long.val_losses) == len(long.losses) >= 2
    assert long.name == "diabetes epochs=30"
    assert long.settings["training.epochs"] == "30"
    assert short.settings["baselines"] == "[]", "a change that is no parameter of the run"
    assert long.skill_low < long.skill < long.skill_high
    assert {*long.baselines} == {*long.advantages} == {"constant", "linear", "boosting"}
    assert long.advantages["constant"].low > 0
    assert (short.baselines, short.strongest_baseline) == ({}, None)
    assert long.test_metrics["rmse"] == long.value
    assert not long.leak_suspected
    assert long.val_losses[long.best_epoch - 1] == min(long.val_losses)
    assert len(short.val_losses) == 1
    assert long.data_hash == short.data_hash != iris.data_hash
    assert iris.gate in ("passed", "failed")
    assert iris.seconds > 0


def test_the_headline_metric_may_be_named_by_the_run(runs, client):
    client.set_tag(runs["iris"].run_id, "headline", "accuracy")
    (iris,) = read_leaderboard(["iris"], MINE)
    client.set_tag(runs["iris"].run_id, "headline", "log_loss")
    assert iris.metric == "accuracy"
    assert iris.value == pytest.approx(runs["iris"].metrics["accuracy"], rel=1e-9)


def test_what_a_remedy_changed_is_a_setting_like_others(runs, client):
    changed = json.loads(client.get_run(runs["iris"].run_id).data.tags["remedy_settings"])
    (iris,) = read_leaderboard(["iris"], MINE)
    assert {name: iris.settings[name] for name in changed} == {
        k: str(v) for k, v in changed.items()
    }


def test_attempts_under_a_run_are_not_rows_of_their_own(runs, client):
    nested = f"tags.`mlflow.parentRunId` = '{runs['iris'].run_id}'"
    experiment = client.get_experiment_by_name("iris").experiment_id
    attempts = {run.info.run_id for run in client.search_runs([experiment], nested)}
    assert attempts
    assert not attempts & {one.run_id for one in read_leaderboard()}


def test_filters_by_use_case_tag_time_and_run(runs):
    assert {one.use_case for one in read_leaderboard(["iris"])} == {"iris"}
    assert read_leaderboard(tags={**MINE, "seed": "no such seed"}) == []
    assert len(read_leaderboard(tags=MINE, since="1h")) == 3
    assert len(read_leaderboard(run_ids=[runs["iris"].run_id])) == 1
    with pytest.raises(UsageError, match="quotes"):
        read_leaderboard(tags={"a": "it's"})


def test_runs_from_before_the_time_are_left_out(runs, client):
    """A run that says that it began ten days ago."""
    known = client.get_run(runs["iris"].run_id)
    began = known.info.start_time - 10 * 24 * 3600 * 1000
    ours = {name: known.data.tags[name] for name in ("use_case", "lock_hash", "flow_parameters")}
    tags = {**ours, "round": "old"}
    old = client.create_run(known.info.experiment_id, start_time=began, tags=tags)
    client.log_param(old.info.run_id, "problem", "multiclass")
    client.log_metric(old.info.run_id, "best_epoch", 1)  # it counted from 0
    for step, loss in enumerate((0.9, 0.4, 0.5)):
        client.log_metric(old.info.run_id, "val_loss", loss, step=step)
    client.set_terminated(old.info.run_id)
    assert len(read_leaderboard(tags={"round": "old"}, since="2w")) == 1
    assert read_leaderboard(tags={"round": "old"}, since="7d") == []
    (entry,) = read_leaderboard(tags={"round": "old"})
    assert entry.value is None
    assert entry.best_epoch == 2


@pytest.mark.parametrize(
    ("text", "duration"),
    [("7d", timedelta(days=7)), ("12h", timedelta(hours=12)), ("2w", timedelta(days=14))],
)
def test_time_is_written_as_a_number_and_a_unit(text, duration):
    assert parse_since(text) == duration


def test_runs_of_other_teams_are_left_out(runs, client):
    """They share the server, and have tags of the same names."""
    before = read_leaderboard()
    experiment = client.create_experiment(f"churn {uuid4()}")
    tags = {"use_case": "churn", "flow": "train", "process": "job 7", "prefect_flow_run": "nightly"}
    finished = client.create_run(experiment, tags=tags)
    client.set_terminated(finished.info.run_id)
    running = client.create_run(experiment, start_time=2**42, tags=tags)  # a clock gone wrong
    assert read_leaderboard() == before
    dead, elsewhere = close_all_dead()
    assert running.info.run_id not in {run.info.run_id for run in [*dead, *elsewhere.values()]}
    assert client.get_run(running.info.run_id).info.status == "RUNNING"
    assert newest_start(client) < datetime.now(UTC)


@pytest.mark.parametrize("text", ["7", "d", "7y", "-1d", "7d ago"])
def test_other_times_are_refused(text):
    with pytest.raises(UsageError, match="7d"):
        parse_since(text)


@pytest.mark.parametrize("text", ["99999999999d", "999999w", "99999999999999999m"])
def test_times_before_any_calendar_are_refused(text):
    with pytest.raises(UsageError, match="calendar"):
        parse_since(text)


def test_csv_and_json_hold_the_numbers_in_full(entries):
    rows = list(csv.DictReader(io.StringIO(as_csv(entries))))
    assert [float(row["value"]) for row in rows] == [one.value for one in entries]
    assert [row["run_id"] for row in rows] == [one.run_id for one in entries]
    records = json.loads(as_json(entries))
    assert [record["run_id"] for record in records] == [one.run_id for one in entries]
    assert records[0]["val_losses"] == list(entries[0].val_losses)
    assert records[1]["skill"] is None


def test_no_cell_of_the_csv_is_run_as_a_formula(entries):
    text = as_csv([entries[0]._replace(doubts="=1+1", value=-0.5)])
    (row,) = csv.DictReader(io.StringIO(text))
    assert (row["doubts"], row["value"]) == ("'=1+1", "-0.5")


def test_a_loss_that_is_no_number_is_null_in_json(entries):
    broken = entries[0]._replace(val_losses=(1.0, float("nan")), value=float("nan"))
    (record,) = json.loads(as_json([broken]))
    assert record["val_losses"] == [1.0, None]
    assert record["value"] is None


def test_the_flow_publishes_page_and_table(runs, client):
    run_id = compare(tags=MINE)
    files = {artifact.path for artifact in client.list_artifacts(run_id)}
    assert files == {"comparison.html", "comparison.csv"}
    with get_client(sync_client=True) as prefect:
        (table,) = [one for one in prefect.read_artifacts() if one.key == "comparison"][:1]
    shown = json.loads(table.data)
    assert shown[0]["run id"] == runs["long"].run_id
    assert shown[0]["run"] == client.get_run(runs["long"].run_id).info.run_name
    (best, *_) = read_leaderboard(tags=MINE)
    interval = f"[{format_value(best.low)}, {format_value(best.high)}]"
    assert shown[0]["rmse ↓"] == f"{format_value(best.value)} {interval}"
    assert shown[1]["epochs"] == "1"


def test_the_terminal_shows_the_best_first_and_what_differs(runs, entries, capsys):
    """The whole command, published too: in ``tests/test_browser.py``, of all use cases."""
    show_leaderboard(entries)
    shown = capsys.readouterr().out
    assert "by rmse on test rows, lower is better; baselines: " in shown
    assert "epochs=30" in shown
    best, other = (runs[name].run_id[:8] for name in ("long", "short"))
    assert shown.index(f"* {best}") < shown.index(f"  {other}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--use-case", "irs"], "did you mean 'iris'?"),
    ],
)
def test_wrong_filters_are_one_clear_line(finflows, arguments, said):
    done = finflows("compare", *arguments)
    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1

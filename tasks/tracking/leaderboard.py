"""Read finished trainings back from MLflow, to compare them."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from mlflow import MlflowClient
from mlflow.entities import Run

from modelling.declaration.names import is_use_case_name, tag_filter
from modelling.judgement.metrics.catalogue import default_headline, is_lower_better
from modelling.learning_curve.history import lowest_finite
from modelling.refusals import UsageError
from tasks.tracking.pages import all_pages, runs_of_all_experiments
from tasks.tracking.reaping import PROJECT_RUNS
from tasks.tracking.runs import FLOW_PARAMETERS
from tasks.tracking.store import connect, experiment_id

COMPARISONS = "comparison"  # the experiment of the published pages
TIME_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class LeaderboardEntry(NamedTuple):
    """One finished training, with what people compare.

    ``low`` and ``high`` bound the 95 % interval of the headline metric on the test rows; ``skill``
    is the improvement over the naive baseline as a share of what was left to gain. Both are None
    for runs that were judged without them. ``val_losses`` are by epoch; ``best_epoch`` (from 1) has
    the lowest of them, None where there is none.
    """

    use_case: str
    run_id: str
    experiment_id: str
    started: datetime
    metric: str
    value: float | None
    low: float | None
    high: float | None
    skill: float | None
    best_epoch: int | None
    learning_curve: str
    gate: str
    doubts: str
    seconds: float
    data_hash: str
    version: str
    aliases: tuple[str, ...]
    val_losses: tuple[float, ...]


def parse_since(text: str) -> timedelta:
    """``"7d"``, ``"12h"``, ``"30m"`` or ``"2w"`` as a duration. Raises UsageError."""
    if not (match := re.fullmatch(r"([0-9]+)([mhdw])", text.strip())):
        raise UsageError(f"--since {text}: write a number and m, h, d or w, as in 7d")
    try:
        since = timedelta(**{TIME_UNITS[match[2]]: int(match[1])})
        datetime.now(UTC) - since
    except (OverflowError, ValueError):  # Python reads no integer of thousands of digits
        raise UsageError(f"--since {text}: no calendar goes back that far") from None
    return since


def read_leaderboard(
    use_cases: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    since: str | None = None,
    run_ids: Sequence[str] = (),
) -> list[LeaderboardEntry]:
    """The finished trainings that match all filters: by use case, the best first.

    Nested runs (attempts, trials, baselines) are left out: they belong to the run above them. So
    are searches: the best settings that they found are trained in a run of their own.
    """
    wanted = _filter(tags or {}, since)
    client = connect()
    runs = [
        run
        for run in runs_of_all_experiments(client, wanted)
        if "mlflow.parentRunId" not in run.data.tags
        and is_use_case_name(run.data.tags["use_case"])  # another team's tag may be anything
        and run.data.tags.get("flow", "train") == "train"
        and (not use_cases or run.data.tags["use_case"] in use_cases)
        and (not run_ids or run.info.run_id in run_ids)
    ]
    names = {run.data.tags["use_case"] for run in runs}
    versions = {name: _versions(client, name) for name in names}
    entries = [_entry(client, run, versions[run.data.tags["use_case"]]) for run in runs]
    return sorted(entries, key=_rank)


def _filter(tags: Mapping[str, str], since: str | None) -> str:
    # Runs of other teams may have a tag `use_case` too, but not the parameters to repeat them.
    ours = [f"tags.{name} LIKE '%'" for name in ("use_case", "lock_hash", FLOW_PARAMETERS)]
    clauses = ["attributes.status = 'FINISHED'", *ours]
    clauses += [tag_filter(name, value) for name, value in tags.items()]
    if since:
        earliest = datetime.now(UTC) - parse_since(since)
        clauses.append(f"attributes.start_time >= {int(earliest.timestamp() * 1000)}")
    return " and ".join(clauses)


def _versions(client: MlflowClient, use_case: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Of each run that registered a model of this use case, the version and its aliases."""
    aliases: dict[str, list[str]] = {}
    wanted = f"name = '{use_case}'"
    for model in all_pages(client.search_registered_models, wanted):
        for alias, version in client.get_registered_model(model.name).aliases.items():
            aliases.setdefault(str(version), []).append(alias)
    return {
        registered.run_id: (
            str(registered.version),
            tuple(sorted(aliases.get(str(registered.version), []))),
        )
        for registered in all_pages(client.search_model_versions, wanted)
        if registered.run_id
    }


def _entry(
    client: MlflowClient, run: Run, versions: Mapping[str, tuple[str, tuple[str, ...]]]
) -> LeaderboardEntry:
    tags, metrics, info = run.data.tags, run.data.metrics, run.info
    metric = tags.get("headline") or default_headline(run.data.params["problem"])[0]
    version, aliases = versions.get(info.run_id, ("", ()))
    epochs = client.get_metric_history(info.run_id, "val_loss")
    val_losses = [logged.value for logged in sorted(epochs, key=lambda logged: logged.step)]
    return LeaderboardEntry(
        use_case=tags["use_case"],
        run_id=info.run_id,
        experiment_id=info.experiment_id,
        started=datetime.fromtimestamp(info.start_time / 1000).replace(microsecond=0),
        metric=metric,
        value=metrics.get(f"test_{metric}"),
        low=metrics.get(f"test_{metric}_low"),
        high=metrics.get(f"test_{metric}_high"),
        skill=metrics.get("test_skill"),
        # Not the metric of that name: runs of earlier versions count from 0 in it.
        best_epoch=lowest_finite(val_losses) + 1 if val_losses else None,
        learning_curve=tags.get("learning_curve", ""),
        gate=tags.get("gate", ""),
        doubts=tags.get("doubts", ""),
        seconds=(info.end_time - info.start_time) / 1000,
        data_hash=tags.get("data_hash", ""),
        version=version,
        aliases=aliases,
        val_losses=tuple(val_losses),
    )


def _rank(entry: LeaderboardEntry) -> tuple[str, float]:
    """By use case, the best first; a value that is missing or NaN comes last."""
    if entry.value is None or math.isnan(entry.value):
        return entry.use_case, math.inf
    return entry.use_case, entry.value if is_lower_better(entry.metric) else -entry.value


def newest_start(client: MlflowClient) -> datetime | None:
    """When this project's newest run began, in UTC; None where there is none."""
    experiments = [found.experiment_id for found in all_pages(client.search_experiments)]
    by = ["attributes.start_time DESC"]
    newest = client.search_runs(experiments, PROJECT_RUNS, max_results=1, order_by=by)
    return datetime.fromtimestamp(newest[0].info.start_time / 1000, UTC) if newest else None


def log_comparison(files: Mapping[str, str]) -> str:
    """Log each file's text to a new run; its id."""
    client = connect()
    run = client.create_run(experiment_id(client, COMPARISONS))
    for name, text in files.items():
        client.log_text(run.info.run_id, text, name)
    client.set_terminated(run.info.run_id, "FINISHED")
    return run.info.run_id

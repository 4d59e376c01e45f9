"""Read finished trainings back from MLflow, to compare them."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from mlflow import MlflowClient

from modelling.declaration.names import is_use_case_name, tag_filter
from modelling.refusals import UsageError
from tasks.tracking.leaderboard_entry import LeaderboardEntry, entry_of, rank
from tasks.tracking.pages import all_pages, runs_of_all_experiments
from tasks.tracking.reaping import FLOW_PARAMETERS, PROJECT_RUNS
from tasks.tracking.store import connect, experiment_id

COMPARISONS = "comparison"  # the experiment of the published pages
TIME_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


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
    entries = [entry_of(client, run, versions[run.data.tags["use_case"]]) for run in runs]
    return sorted(entries, key=rank)


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

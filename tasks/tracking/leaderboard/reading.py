"""Read finished trainings back from MLflow, to compare them."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from typing import NamedTuple

from mlflow import MlflowClient
from mlflow.entities import Run

from modelling.declaration.names import check_run_id, is_use_case_name, tag_filter
from modelling.judgement.metrics.catalogue import default_headline, is_lower_better
from modelling.refusals import UsageError
from tasks.tracking.leaderboard.entry import LeaderboardEntry, entry_of, rank
from tasks.tracking.pages import all_pages, all_versions, first_results
from tasks.tracking.resuming import FLOW_PARAMETERS, TRAINED_RUN
from tasks.tracking.store import connect

SHOWN = 30  # trainings of a use case that are compared, unless more are asked for
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


class Leaderboard(list[LeaderboardEntry]):
    """Finished trainings by use case, the best first, and one line for each use case of which more
    match than are shown."""

    def __init__(self, entries: Iterable[LeaderboardEntry], left_out: Sequence[str] = ()) -> None:
        super().__init__(entries)
        self.left_out = left_out


def read_leaderboard(
    use_cases: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    since: str | None = None,
    run_ids: Sequence[str] = (),
    limit: int = SHOWN,
) -> Leaderboard:
    """The finished trainings that match all filters: by use case, the best first.

    Of a use case with more than ``limit``, the best of them, and whatever their rank the newest,
    the best without a suspected leak, and those whose model is champion or challenger. Where they
    are named by ``run_ids``, all of them.

    Nested runs (attempts, trials, baselines) are left out: they belong to the run above them. So
    are searches: the best settings that they found are trained in a run of their own.
    """
    wanted, limit = _filter(tags or {}, since, run_ids), max(limit, len(run_ids))
    client = connect()
    entries, left_out = list[LeaderboardEntry](), list[str]()
    versions = cache(partial(_versions, client))
    for experiment in all_pages(client.search_experiments):
        for alike in _judged_alike(client, experiment.experiment_id, wanted, use_cases):
            registered = versions(alike.use_case)
            in_use = [run_id for run_id, (_, aliases) in registered.items() if aliases]
            runs, more = alike.best(client, limit, in_use)
            entries += [
                entry_of(client, run, versions(run.data.tags["use_case"]))
                for run in runs
                if _is_wanted(run, use_cases)
            ]
            if more:
                left_out.append(
                    f"{alike.use_case}: more trainings match than the best {limit} by "
                    f"{alike.metric}: --limit shows more, --since or --tag others"
                )
    return Leaderboard(sorted(entries, key=rank), left_out)


class _JudgedAlike(NamedTuple):
    """The trainings of an experiment that were judged by one metric, as a filter."""

    experiment: str
    use_case: str
    metric: str
    wanted: str

    def best(
        self, client: MlflowClient, limit: int, in_use: Sequence[str]
    ) -> tuple[list[Run], bool]:
        """The best, as ``read_leaderboard`` says, and whether there are more."""
        direction = "ASC" if is_lower_better(self.metric) else "DESC"
        by_metric = [f"metrics.`test_{self.metric}` {direction}"]
        sorted_search = partial(client.search_runs, order_by=by_metric)
        best, more = first_results(limit, sorted_search, [self.experiment], self.wanted)
        if not more:
            return best, False
        honest = f"{self.wanted} and tags.leak_suspected = 'no'"
        found = [*best, *first_results(1, sorted_search, [self.experiment], honest)[0]]
        found += first_results(1, client.search_runs, [self.experiment], self.wanted)[0]  # newest
        if in_use:
            of_versions = f"{self.wanted} and {_one_of_runs(in_use)}"
            found += all_pages(client.search_runs, [self.experiment], of_versions)
        return list({run.info.run_id: run for run in found}.values()), True


def _judged_alike(
    client: MlflowClient, experiment: str, wanted: str, use_cases: Sequence[str]
) -> Iterator[_JudgedAlike]:
    """One for each use case and headline metric that trainings of an experiment have. Each is found
    by the newest run that is of none of those before."""
    unnamed = f"{wanted} and tags.headline IS NULL"  # of the first releases
    for run in client.search_runs([experiment], unnamed, max_results=1):
        if _is_wanted(run, use_cases):
            metric = default_headline(run.data.params["problem"])[0]
            yield _JudgedAlike(experiment, run.data.tags["use_case"], metric, unnamed)
    others = f"{wanted} and tags.headline IS NOT NULL"
    while newest := client.search_runs([experiment], others, max_results=1):
        (run,) = newest
        metric = run.data.tags["headline"]
        if _is_wanted(run, use_cases):
            named = f"{wanted} and tags.headline = '{metric}'"
            yield _JudgedAlike(experiment, run.data.tags["use_case"], metric, named)
        others += f" and tags.headline != '{metric}'"


def _is_wanted(run: Run, use_cases: Sequence[str]) -> bool:
    """Whether it is a training of these use cases; another team's tags may be anything."""
    name, flow = run.data.tags["use_case"], run.data.tags.get("flow", "train")
    return is_use_case_name(name) and (not use_cases or name in use_cases) and flow == "train"


def _filter(tags: Mapping[str, str], since: str | None, run_ids: Sequence[str]) -> str:
    """Finished trainings of this project: runs of other teams may have a tag ``use_case`` too, but
    not the parameters to repeat them, which nested runs do not have either.

    ``IS NOT NULL`` is looked up by run; ``LIKE '%'`` would read the tag of all runs first.
    """
    ours = [f"tags.{name} IS NOT NULL" for name in ("use_case", "lock_hash", FLOW_PARAMETERS)]
    clauses = ["attributes.status = 'FINISHED'", *ours, f"tags.{TRAINED_RUN} IS NULL"]
    clauses += [tag_filter(name, value) for name, value in tags.items()]
    if since:
        earliest = datetime.now(UTC) - parse_since(since)
        clauses.append(f"attributes.start_time >= {int(earliest.timestamp() * 1000)}")
    if run_ids:
        clauses.append(_one_of_runs([*map(check_run_id, run_ids)]))
    return " and ".join(clauses)


def _one_of_runs(run_ids: Sequence[str]) -> str:
    listed = ", ".join(f"'{run_id}'" for run_id in run_ids)
    return f"attributes.run_id IN ({listed})"


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
        for registered in all_versions(client, wanted)
        if registered.run_id
    }

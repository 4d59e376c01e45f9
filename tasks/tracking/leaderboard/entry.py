"""One finished training as it is compared with others, read back from its MLflow run."""

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from mlflow import MlflowClient
from mlflow.entities import Run

from modelling.judgement.intervals import Interval
from modelling.judgement.metrics.catalogue import all_metrics, default_headline, is_lower_better
from modelling.learning_curve.history import lowest_finite
from modelling.secrets import hide_secrets
from tasks.tracking.record import REMEDY_SETTINGS
from tasks.tracking.results import read_results
from tasks.tracking.resuming import FLOW_PARAMETERS


class LeaderboardEntry(NamedTuple):
    """One finished training, with what people compare.

    ``low`` and ``high`` bound the 95 % interval of the headline metric on the test rows; ``skill``
    is the improvement over the naive baseline as a share of what was left to gain. All are None
    for runs that were judged without them. ``baselines`` are their values of the headline metric on
    the same rows, ``advantages`` the paired differences to them, positive where the network is
    better. ``losses`` and ``val_losses`` are by epoch; ``best_epoch`` (from 1) has the lowest
    val_loss, None where there is none. ``settings`` are by dotted name, as text.
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
    name: str = ""
    skill_low: float | None = None
    skill_high: float | None = None
    leak_suspected: str = ""
    code: str = ""
    baselines: Mapping[str, float] = {}
    advantages: Mapping[str, Interval] = {}
    settings: Mapping[str, str] = {}
    test_metrics: Mapping[str, float] = {}
    losses: tuple[float, ...] = ()

    @property
    def strongest_baseline(self) -> str | None:
        """The baseline that comes closest to the network, or beats it by most."""
        return min(self.advantages, key=lambda name: self.advantages[name].value, default=None)


def entry_of(
    client: MlflowClient, run: Run, versions: Mapping[str, tuple[str, tuple[str, ...]]]
) -> LeaderboardEntry:
    """The training of a finished run; ``versions`` are the registered ones, by run."""
    tags, info = run.data.tags, run.info
    metric = tags.get("headline") or default_headline(run.data.params["problem"])[0]
    results = read_results(client, run)
    version, aliases = versions.get(info.run_id, ("", ()))
    losses, val_losses = (_by_epoch(client, run, name) for name in ("loss", "val_loss"))
    leak = tags.get("leak_suspected", "")
    return LeaderboardEntry(
        use_case=tags["use_case"],
        run_id=info.run_id,
        experiment_id=info.experiment_id,
        started=datetime.fromtimestamp(info.start_time / 1000).replace(microsecond=0),
        metric=metric,
        value=results.get(f"test_{metric}"),
        low=results.get(f"test_{metric}_low"),
        high=results.get(f"test_{metric}_high"),
        skill=results.get("test_skill"),
        # Not the metric of that name: runs of earlier versions count from 0 in it.
        best_epoch=lowest_finite(val_losses) + 1 if val_losses else None,
        learning_curve=tags.get("learning_curve", ""),
        gate=tags.get("gate", ""),
        doubts=tags.get("doubts", ""),
        seconds=(info.end_time - info.start_time) / 1000,
        data_hash=tags.get("data_hash", ""),
        version=version,
        aliases=aliases,
        val_losses=val_losses,
        name=info.run_name or "",
        skill_low=results.get("test_skill_low"),
        skill_high=results.get("test_skill_high"),
        leak_suspected="" if leak == "no" else leak,
        code=_code(tags),
        **_beside_baselines(results, metric),
        settings=_settings(run),
        test_metrics=_test_metrics(results),
        losses=losses,
    )


def _by_epoch(client: MlflowClient, run: Run, name: str) -> tuple[float, ...]:
    if name not in run.data.metrics:
        return ()
    logged = client.get_metric_history(run.info.run_id, name)
    return tuple(metric.value for metric in sorted(logged, key=lambda metric: metric.step))


def _code(tags: Mapping[str, str]) -> str:
    """The commit that trained it, with a star where files were changed."""
    changed = "*" if tags.get("git_dirty") == "true" else ""
    return tags.get("git_commit", "").replace("none", "")[:7] + changed


def _test_metrics(results: Mapping[str, float]) -> dict[str, float]:
    known = dict.fromkeys(metric.name for metric in all_metrics())
    return {name: results[f"test_{name}"] for name in known if f"test_{name}" in results}


def _beside_baselines(results: Mapping[str, float], metric: str) -> dict[str, Any]:
    """Of each baseline its value, and the network's advantage over it; without an interval where
    none was recorded."""
    baselines = {
        name.removeprefix("baseline_").removesuffix(f"_{metric}"): value
        for name, value in results.items()
        if name.startswith("baseline_") and _metric_named_by(name) == metric
    }
    own = results.get(f"test_{metric}", math.nan)
    sign = -1 if is_lower_better(metric) else 1
    advantages = {}
    for name, value in baselines.items():
        recorded = f"advantage_{name}_{metric}"
        ends = (results.get(f"{recorded}_{end}", math.nan) for end in ("low", "high"))
        advantages[name] = Interval(results.get(recorded, sign * (own - value)), *ends)
    return {"baselines": baselines, "advantages": advantages}


def _metric_named_by(name: str) -> str:
    """``average_precision``, not ``precision``, of ``baseline_linear_average_precision``."""
    ends = [metric.name for metric in all_metrics() if name.endswith(f"_{metric.name}")]
    return max(ends, key=len, default="")


def _settings(run: Run) -> dict[str, str]:
    """The run's parameters, what it changed beyond them, and what its remedies changed."""
    flow = json.loads(run.data.tags.get(FLOW_PARAMETERS) or "{}")
    remedies = json.loads(run.data.tags.get(REMEDY_SETTINGS) or "{}")
    settings = {name: _as_text(value) for name, value in (flow.get("overrides") or {}).items()}
    return {**settings, **run.data.params, **{k: _as_text(v) for k, v in remedies.items()}}


def _as_text(value: object) -> str:
    return hide_secrets(str(value))


def rank(entry: LeaderboardEntry) -> tuple[str, str, float]:
    """By use case and metric, the best first; a value that is missing or NaN comes last."""
    group = entry.use_case, entry.metric
    if entry.value is None or math.isnan(entry.value):
        return *group, math.inf
    return *group, entry.value if is_lower_better(entry.metric) else -entry.value


def best_of(entries: Sequence[LeaderboardEntry]) -> LeaderboardEntry | None:
    """The first, by ``rank``, that has a value and no suspected leak: a leak wins too easily."""
    judged = [entry for entry in entries if math.isfinite(rank(entry)[2])]
    honest = [entry for entry in judged if not entry.leak_suspected]
    return next(iter(honest or judged), None)

"""Compare two runs of the same training: code, data, settings, metrics and files."""

import math
from collections.abc import Mapping
from typing import NamedTuple

from mlflow import MlflowClient
from mlflow.entities import Run

from tasks.registry.model_files import reason_unusable
from tasks.tracking.pages import all_versions
from tasks.tracking.provenance import code_and_lock
from tasks.tracking.results import read_results
from tasks.tracking.store import connect

# In the order of cause and effect: the first difference explains those after it.
PROVENANCE_TAGS = ("data_hash", "git_commit", "git_dirty", "lock_hash", "seed")
TIMING_METRICS = {"rows_per_second", "training_seconds", "registration_seconds"}
# It follows from val_loss, which is compared, and counts from 0 in runs of earlier versions.
NOT_COMPARED = TIMING_METRICS | {"best_epoch"}


class Reproduction(NamedTuple):
    """How many values were compared, and each that differs: its name, its value then and now."""

    compared: int
    differences: list[tuple[str, str, str]]


def what_changed(run_id: str) -> list[tuple[str, str, str]]:
    """What differs already before the training: the code and the locked packages."""
    then, now = connect().get_run(run_id).data.tags, code_and_lock()
    return [
        (name, then.get(name, "none"), value)
        for name, value in now.items()
        if then.get(name) != value
    ]


def compare_runs(run_id: str, repeated: str) -> Reproduction:
    """Compare provenance, settings, every metric of every epoch (bit by bit), the hash of the
    weights, and the files of the model."""
    client = connect()
    then, now = client.get_run(run_id), client.get_run(repeated)
    tags = then.data.tags, now.data.tags
    pairs: list[tuple[str, object, object]] = [
        (name, tags[0].get(name), tags[1].get(name)) for name in PROVENANCE_TAGS
    ]
    for name in sorted({*then.data.params, *now.data.params}):
        pairs.append((name, then.data.params.get(name), now.data.params.get(name)))
    results = read_results(client, then), read_results(client, now)
    for name in _in_order(*results):
        series = [
            _series(client, run, name, values)
            for run, values in zip((then, now), results, strict=True)
        ]
        pairs += _paired_by_epoch(name, *series)
    pairs.append(("weights_hash", tags[0].get("weights_hash"), tags[1].get("weights_hash")))
    pairs += _model_files(client, run_id)
    differing = [(name, str(was), str(new)) for name, was, new in pairs if not _same(was, new)]
    return Reproduction(len(pairs), differing)


def _model_files(client: MlflowClient, run_id: str) -> list[tuple[str, object, object]]:
    """Whether the files that the run registered are unchanged."""
    same = "as registered"
    return [
        (f"files of version {v.version}", same, reason_unusable(v.name, str(v.version)) or same)
        for v in all_versions(client, f"run_id = '{run_id}'")
    ]


AFTER_TRAINING_PREFIXES = ("best_", "test_", "baseline_", "advantage_")


def _in_order(then: Mapping[str, float], now: Mapping[str, float]) -> list[str]:
    """The metrics of the training, then those that are measured after it."""
    names = ({*then} | {*now}) - NOT_COMPARED
    return sorted(names, key=lambda name: (name.startswith(AFTER_TRAINING_PREFIXES), name))


def _series(
    client: MlflowClient, run: Run, name: str, results: Mapping[str, float]
) -> dict[int, float]:
    if name not in run.data.metrics:
        return {0: results[name]} if name in results else {}
    history = client.get_metric_history(run.info.run_id, name)
    return {metric.step: metric.value for metric in history}


def _paired_by_epoch(
    name: str, then: dict[int, float], now: dict[int, float]
) -> list[tuple[str, object, object]]:
    steps = sorted({*then, *now})
    many_epochs = len(steps) > 1
    where = {step: f"{name} of epoch {step + 1}" if many_epochs else name for step in steps}
    return [(where[step], then.get(step), now.get(step)) for step in steps]


def _same(was: object, new: object) -> bool:
    both_nan = isinstance(was, float) and isinstance(new, float) and math.isnan(was + new)
    return was == new or both_nan

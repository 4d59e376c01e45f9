"""The numbers of a judgement, by name: all of them in one file, and few as metrics of the run."""

import json
import math
from collections.abc import Mapping

from mlflow import MlflowClient
from mlflow.artifacts import load_text
from mlflow.entities import Run

from modelling.judgement.intervals import Interval
from modelling.judgement.judging import Judgement

JUDGEMENT = "judgement.json"


def all_results(judgement: Judgement) -> dict[str, float]:
    """``test_METRIC``, with ``_low`` and ``_high`` for the headline metrics; ``test_skill``; for
    the headline metrics ``baseline_NAME_METRIC``, and the network's paired
    ``advantage_NAME_METRIC`` over it."""
    results = {f"test_{name}": value for name, value in judgement.metrics.items()}
    for name, interval in judgement.intervals.items():
        results |= _ends(f"test_{name}", interval)
    if judgement.skill is not None:
        results |= {"test_skill": judgement.skill.value, **_ends("test_skill", judgement.skill)}
    for (metric, baseline), advantage in judgement.advantages.items():
        results[f"baseline_{baseline}_{metric}"] = judgement.baseline_metrics[baseline][metric]
        name = f"advantage_{baseline}_{metric}"
        results |= {name: advantage.value, **_ends(name, advantage)}
    return results


def _ends(name: str, interval: Interval) -> dict[str, float]:
    return {f"{name}_low": interval.low, f"{name}_high": interval.high}


def shown_results(judgement: Judgement) -> dict[str, float]:
    """Those that people sort and compare runs by: the metrics of the test rows, and by the first
    headline metric the interval, the skill and the baselines."""
    first = judgement.use_case.headline[0]
    names = [f"test_{name}" for name in judgement.metrics]
    names += [f"test_{first}_low", f"test_{first}_high"]
    names += ["test_skill", "test_skill_low", "test_skill_high"]
    names += [f"baseline_{name}_{first}" for name in judgement.baseline_metrics]
    results = all_results(judgement)
    return {name: results[name] for name in names if name in results}


def as_json(results: Mapping[str, float]) -> str:
    """By name; a value that is no finite number is null."""
    finite = {name: value if math.isfinite(value) else None for name, value in results.items()}
    return json.dumps(finite, indent=2)


def read_results(client: MlflowClient, run: Run) -> dict[str, float]:
    """All numbers of a run by the names of ``all_results``, in full; NaN where there was none.

    Runs of earlier versions have them all as metrics, and no file.
    """
    results = dict(run.data.metrics)
    files = {file.path for file in client.list_artifacts(run.info.run_id)}
    if JUDGEMENT in files:
        recorded = json.loads(load_text(f"{run.info.artifact_uri}/{JUDGEMENT}"))
        results |= {
            name: math.nan if value is None else float(value)
            for name, value in recorded.items()
            if name not in results
        }
    return results

"""Which metrics there are: all records that the modules of this room list as ``METRICS``."""

from collections.abc import Collection
from functools import cache

from modelling.judgement.metrics.metric import Metric
from modelling.schema import Need, Problem
from modelling.variants import variants_in

ROOM = "modelling.judgement.metrics"
# The order of reports. A module that is not named here follows.
FIRST = ("ranking", "probabilities", "decisions", "multiclass", "forecasts", "alerts", "costs")


@cache
def all_metrics() -> tuple[Metric, ...]:
    """Every metric, in the order of reports; one name may have a record for each problem."""
    return variants_in(ROOM, "METRICS", FIRST)


def metrics_for(problem: Problem, fulfilled: Collection[Need]) -> list[Metric]:
    """The metrics that are computed for a use case whose declaration has all of ``fulfilled``."""
    return [
        metric
        for metric in all_metrics()
        if problem in metric.problems and {*metric.needs} <= {*fulfilled}
    ]


def find_metric(name: str, problem: Problem) -> Metric:
    """Raises KeyError where no metric of this name judges the problem."""
    for metric in all_metrics():
        if metric.name == name and problem in metric.problems:
            return metric
    raise KeyError(f"no metric {name} judges a {problem} problem")


def headline_names() -> list[str]:
    """The metrics that can be headline metrics: those that can be resampled."""
    return list(dict.fromkeys(metric.name for metric in all_metrics() if metric.weighted))


def default_headline(problem: str) -> tuple[str, ...]:
    """The headline metrics of a use case that declares none."""
    return tuple(m.name for m in all_metrics() if problem in m.default_headline_of)


def is_lower_better(name: str) -> bool:
    """Whether a metric is better the lower it is; of a name that no metric has: no."""
    return any(metric.name == name and not metric.higher_is_better for metric in all_metrics())

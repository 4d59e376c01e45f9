"""Whether the gate of a use case is still passed, with the benefit of the doubt."""

from dataclasses import replace

import numpy as np

from modelling.judgement.evaluation import NO_GATE, RequirementResult, judge_gate
from modelling.judgement.group_results import GroupTable
from modelling.judgement.groups.group_rates import group_tables
from modelling.judgement.intervals import Interval
from modelling.judgement.judging import Judgement
from modelling.judgement.metrics.catalogue import find_metric


def gate_at_best(judgement: Judgement) -> RequirementResult:
    """Whether the gate is passed, by the better end of its metric's interval where it has one: a
    gate that could be missed by chance is no alarm."""
    use_case, metrics = judgement.use_case, dict(judgement.metrics)
    if use_case.gate is None or use_case.gate.metric not in metrics:  # it needs the baselines
        return NO_GATE
    metric = find_metric(use_case.gate.metric, use_case.problem)
    interval = judgement.intervals.get(metric.name)
    if interval is not None:
        metrics[metric.name] = interval.high if metric.higher_is_better else interval.low
    asked = use_case.gate.selection_ratio_at_least
    tables = [_at_best(table) for table in group_tables(judgement) if table.groups] if asked else []
    compared = {table.column for table in tables}  # of the others there are too few rows to tell
    bounds = {name: bound for name, bound in asked.items() if name in compared}
    watched = use_case.gate.model_copy(update={"selection_ratio_at_least": bounds})
    gate = judge_gate(metrics, use_case.model_copy(update={"gate": watched}), tables)
    return gate._replace(reason=f"at best {gate.reason}") if interval is not None else gate


def _at_best(table: GroupTable) -> GroupTable:
    """The groups as alike as their intervals allow."""

    def nearest_to_one(ratio: Interval) -> Interval:
        return ratio._replace(value=float(np.clip(1.0, ratio.low, ratio.high)))

    groups = [
        group._replace(rates={**group.rates, "selection_ratio": nearest_to_one(ratio)})
        if (ratio := group.selection_ratio) is not None
        else group
        for group in table.groups
    ]
    return replace(table, groups=tuple(groups))

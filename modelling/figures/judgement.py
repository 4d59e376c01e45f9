"""Which pictures of a judgement there are.

None shows a single customer: each point is an aggregate of ``minimum_rows_per_value`` test rows or
more, and no axis ends at the smallest or the largest value.
"""

from collections.abc import Callable, Iterator

from matplotlib.figure import Figure

from modelling.declaration import OutOfTime
from modelling.figures.advantages import draw_advantages
from modelling.figures.decisions import draw_confusion, draw_cost_by_cut_off
from modelling.figures.forecasts import (
    draw_forecast_against_actual,
    draw_forecast_over_time,
    draw_residuals,
)
from modelling.figures.judged_rows import target_of
from modelling.figures.probabilities import draw_reliability, draw_scores_by_class
from modelling.figures.ranking import draw_precision_recall, draw_roc
from modelling.judgement.judging import Judgement

Draw = Callable[[Judgement], Figure]


def draw_judgement(judgement: Judgement) -> dict[str, Figure]:
    """The pictures that fit the problem, by file name without its ending."""
    return {name: draw(judgement) for name, draw in _pictures_of(judgement)}


def _pictures_of(judgement: Judgement) -> Iterator[tuple[str, Draw]]:
    use_case = judgement.use_case
    if use_case.baselines and judgement.advantages:
        yield "advantages", draw_advantages
    if len(judgement.rows) < use_case.minimum_rows_per_value:
        return  # each step of a curve would be a single customer
    if use_case.problem == "regression":
        yield "forecast_against_actual", draw_forecast_against_actual
        yield "residuals", draw_residuals
        if isinstance(use_case.split, OutOfTime):
            yield "forecast_over_time", draw_forecast_over_time
        return
    yield "confusion", draw_confusion
    yield "reliability", draw_reliability
    yield "scores_by_class", draw_scores_by_class
    if use_case.problem == "binary":
        if len({*target_of(judgement)}) == 2:  # of one class there is nothing to rank
            yield "roc", draw_roc
            yield "precision_recall", draw_precision_recall
        if use_case.costs is not None:
            yield "cost_by_cut_off", draw_cost_by_cut_off

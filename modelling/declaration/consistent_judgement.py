"""Whether classes, metrics, decision and groups of a use case fit each other."""

from collections.abc import Iterable

from modelling.declaration.declared_derivations import PriceHistory, columns_of, target_name
from modelling.declaration.declared_judgement import CutOff, Gate, LeastCost
from modelling.declaration.declared_problem import DeclaredProblem
from modelling.judgement.baselines.baseline import Baseline
from modelling.judgement.baselines.catalogue import all_baselines
from modelling.judgement.metrics.catalogue import find_metric
from modelling.judgement.metrics.metric import Metric
from modelling.refusals import nearest
from modelling.schema import Need


def check_classes(declared: DeclaredProblem) -> None:
    labels = [str(label) for label in declared.classes]
    if declared.problem == "binary" and len(labels) != 2:
        raise ValueError("a binary problem has two classes: (negative, positive)")
    if declared.problem == "multiclass" and len(labels) < 3:
        raise ValueError(
            "a multiclass problem declares its three or more classes in order: add "
            'classes=("A", "B", "C")'
        )
    if declared.problem == "regression" and (labels or declared.training.class_weights != "none"):
        setting = "classes" if labels else "training.class_weights"
        raise ValueError(f"{setting}: a regression has no classes")
    if duplicates_found := [label for label in labels if labels.count(label) > 1]:
        raise ValueError(f"classes: '{duplicates_found[0]}' is declared twice")
    if unknown := sorted(set(declared.merge_classes) - set(labels)):
        raise ValueError(f"merge_classes: '{unknown[0]}' is not among the classes")
    if len(declared.classes_of_others) > 1:
        raise ValueError(
            f"merge_classes: '{declared.classes_of_others[1]}' has no labels, and the labels that "
            f"are not named belong to '{declared.classes_of_others[0]}' already"
        )
    merged = [str(label) for those in declared.merge_classes.values() for label in those]
    if duplicates_found := [label for label in merged if merged.count(label) > 1]:
        raise ValueError(f"merge_classes: '{duplicates_found[0]}' can't belong to two classes")


def check_metrics(declared: DeclaredProblem) -> None:
    if not declared.headline:
        raise ValueError("headline: name at least one metric")
    for name in declared.headline:
        try:
            metric = find_metric(name, declared.problem)
        except KeyError:
            raise ValueError(
                f"headline: {name} does not judge a {declared.problem} problem"
            ) from None
        _refuse_missing(declared, f"headline: {name}", metric.needs)
    for name in declared.baselines:
        baseline = all_baselines()[name]
        _refuse_missing(declared, f"baselines: {name}", baseline.needs)
        if declared.problem not in baseline.problems:
            raise ValueError(f"baselines: {name} is not for a {declared.problem} problem")
        if baseline.reads and isinstance(declared.derived, PriceHistory):
            _refuse_unreadable_prices(declared, baseline)


def _refuse_missing(declared: DeclaredProblem, setting: str, needs: Iterable[Need]) -> None:
    if missing := [need for need in needs if need not in declared.fulfilled_needs]:
        raise ValueError(f"{setting} needs {missing[0]}")


def _refuse_unreadable_prices(declared: DeclaredProblem, baseline: Baseline) -> None:
    """Forecasts of a series read derived columns, which the table only keeps if declared."""
    assert isinstance(declared.derived, PriceHistory)
    if declared.target != target_name(declared.derived):
        raise ValueError(
            f"baselines: {baseline.name} forecasts '{target_name(declared.derived)}', which is "
            "not the target"
        )
    known = {column.name for column in declared.columns}
    read = [name for reads in baseline.reads for name in columns_of(reads, declared.derived)]
    if absent := [name for name in read if name not in known]:
        raise ValueError(
            f"baselines: {baseline.name} reads the derived column '{absent[0]}': declare it "
            'among the columns (role="context" keeps it from the network)'
        )


def check_decision(declared: DeclaredProblem) -> None:
    allowed = declared.gate.need_not_predict if declared.gate else ()
    if unknown := [str(label) for label in allowed if label not in declared.classes]:
        raise ValueError(f"gate.need_not_predict: '{unknown[0]}' is not among the classes")
    if declared.problem != "binary" and (
        declared.costs or not isinstance(declared.decision, CutOff)
    ):
        setting = "costs" if declared.costs else f"decision.method {declared.decision.method}"
        raise ValueError(f"{setting}: only a binary problem has one")
    features = {column.name for column in declared.features if column.kind == "number"}
    if declared.costs is not None and declared.costs.amount not in {None, *features}:
        raise ValueError(
            f"costs.amount '{declared.costs.amount}' is not a number among the features"
        )
    if isinstance(declared.decision, LeastCost) and declared.costs is None:
        raise ValueError("decision.method least_cost needs costs")
    if declared.gate is not None and declared.gate.metric not in declared.metrics:
        known = nearest(declared.gate.metric, declared.metrics)
        raise ValueError(f"gate.metric: '{declared.gate.metric}' is not computed here{known}")
    if declared.gate is not None:
        _refuse_unreachable(declared.gate, find_metric(declared.gate.metric, declared.problem))


def _refuse_unreachable(gate: Gate, metric: Metric) -> None:
    """A metric without a unit is 1 at best (``modelling.judgement.metrics.metric``), one that is to
    be low is 0: 80 for 0.8 would keep every model from being promoted."""
    if metric.higher_is_better and not metric.unit and (gate.at_least or 0) > 1:
        raise ValueError(f"gate.at_least {gate.at_least:g}: {metric.name} is 1 at best")
    if not metric.higher_is_better and (gate.at_most or 0) < 0:
        raise ValueError(f"gate.at_most {gate.at_most:g}: {metric.name} is 0 at best")


def check_groups(declared: DeclaredProblem) -> None:
    known = {*declared.classes}
    if unknown := [str(label) for label in declared.groups.favourable if label not in known]:
        raise ValueError(f"groups.favourable: '{unknown[0]}' is not among the classes")
    if declared.groups.favourable and known <= {*declared.groups.favourable}:
        raise ValueError("groups.favourable: leave out the classes that nobody wishes for")
    bounded = declared.gate.selection_ratio_at_least if declared.gate else {}
    judged = {column.name for column in declared.group_columns}
    if absent := [name for name in bounded if name not in judged]:
        raise ValueError(
            f"gate.selection_ratio_at_least: the model is not judged by '{absent[0]}': declare "
            'the column with role="protected", or name it in groups.columns'
        )
    if bounded and not declared.favourable:
        raise ValueError(
            f"gate.selection_ratio_at_least: a {declared.problem} problem selects nobody"
            + (" without groups.favourable" if declared.classes else "")
        )

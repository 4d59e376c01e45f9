"""The declaration of a use case: one typed schema for files, flow parameters and flags."""

from typing import Any

from pydantic import model_validator

from modelling.data.splits.delayed_feedback import DelayedFeedback
from modelling.data.splits.out_of_time import OutOfTime
from modelling.declaration.columns import NotAbove, TargetRate
from modelling.declaration.consistent_judgement import (
    check_classes,
    check_decision,
    check_groups,
    check_metrics,
)
from modelling.declaration.declared_derivations import PriceHistory, TransactionWindows
from modelling.declaration.declared_problem import DeclaredProblem
from modelling.declaration.named_columns import NamedColumn, check_named_columns, named_columns
from modelling.declaration.search_space import check_search_space
from modelling.judgement.metrics.catalogue import default_headline
from modelling.schema import Declaration


class UseCase(DeclaredProblem):
    """One prediction problem, from its source to what its model must reach; what is not declared
    follows from the problem, and all parts must fit each other."""

    @model_validator(mode="after")
    def _check_consistency(self) -> "UseCase":
        self.__dict__.update(self._defaults_of_problem())
        _check_columns(self)
        _check_series(self)
        _check_leaks(self)
        check_classes(self)
        check_metrics(self)
        check_decision(self)
        check_groups(self)
        if self.split.validation + getattr(self.split, "test", 0) >= 1:
            raise ValueError("split.validation and split.test leave nothing to train on")
        check_search_space(self.search, {"network": self.network, "training": self.training})
        return self

    def _defaults_of_problem(self) -> dict[str, Any]:
        """Much of most numbers is linear: the network of a regression begins as ridge, but for that
        of a log variance. Whoever forecasts one is judged by QLIKE, and ridge, which knows squared
        errors only, follows the last days more closely than is good by that. What comes next in a
        series depends on the last values nearly linearly, also beyond those of training; a log
        variance on the logs of variances. What little of a number is left unexplained is learnt for
        longer than a class."""
        found: dict[str, Any] = {"headline": default_headline(self.problem)}
        if self.problem == "binary":
            found["classes"] = (0, 1)
        found = {name: of for name, of in found.items() if name not in self.model_fields_set}
        numbers: dict[str, Any] = {"piecewise_bins": 0} if self.is_autoregressive else {}
        layers: dict[str, Any] = {}
        training: dict[str, Any] = {}
        if self.target_kind == "log_variance":
            numbers["keep_plain"] = False
        elif self.problem == "regression" and self.network.hidden_units:  # else nothing is skipped
            layers["linear_skip"] = True
            training = {"epochs": 120, "early_stopping_patience": 20}
        found["preprocessing"] = _with_defaults(self.preprocessing, **numbers)
        found["network"] = _with_defaults(self.network, **layers)
        found["training"] = _with_defaults(self.training, **training)
        return found


def _with_defaults(part: Declaration, **defaults: Any) -> Declaration:
    """A part of a declaration with these and else the usual defaults for what is not set in it.
    They do not count as set: without what they follow from, the usual ones hold again."""
    fields = {**defaults, **{name: getattr(part, name) for name in part.model_fields_set}}
    return type(part).model_construct(part.model_fields_set, **fields)


def _check_columns(declared: DeclaredProblem) -> None:
    names = [column.name for column in declared.columns]
    if duplicates_found := {name for name in names if names.count(name) > 1}:
        raise ValueError(f"columns declared twice: {', '.join(sorted(duplicates_found))}")
    if declared.target in names:
        raise ValueError(f"the target '{declared.target}' must not be among the columns")
    if not declared.features:
        raise ValueError("no column is a feature")
    directed = [column.name for column in declared.features if column.direction]
    if directed and declared.problem == "multiclass":
        raise ValueError(
            f"column '{directed[0]}': with several classes there is no one score that a "
            "direction could be of: remove it, or predict two classes or a number"
        )
    kinds = {column.name: str(column.kind) for column in declared.columns}
    check_named_columns(
        named_columns({"split": declared.split, "decision": declared.decision}), kinds
    )
    check_named_columns(named_columns({"groups": declared.groups}), kinds)
    raw = named_columns({"derived": declared.derived})  # of the raw table: most are not declared
    check_named_columns((named for named in raw if named.column in kinds), kinds)
    kinds[declared.target] = "number" if declared.problem == "regression" else "category"
    rules = {f"expectations.{number}": rule for number, rule in enumerate(declared.expectations)}
    check_named_columns(named_columns(rules), kinds)
    for setting, rule in rules.items():
        if isinstance(rule, NotAbove) and kinds[rule.low] != kinds[rule.high]:
            raise ValueError(f"{setting}: '{rule.low}' and '{rule.high}' are of two kinds")
        if isinstance(rule, TargetRate) and declared.problem == "multiclass":
            raise ValueError(f"{setting}: a target_rate is of two classes, or of a number")


def _check_series(declared: DeclaredProblem) -> None:
    if declared.problem != "regression" and declared.target_kind != "value":
        raise ValueError("target_kind: only a regression has one: remove it")
    kinds = {column.name: str(column.kind) for column in declared.columns}
    named = [NamedColumn("lags", name, ("number",)) for name in declared.lags]
    check_named_columns(named, kinds)
    if twice := [name for name in declared.lags if declared.lags.count(name) > 1]:
        raise ValueError(f"lags: '{twice[0]}' is named twice: name it once")
    if declared.lags and isinstance(declared.derived, PriceHistory):
        raise ValueError("lags: those of a price_history are its derived.lags_days: remove it")
    if declared.problem != "regression" and (declared.lags or declared.network.linear_skip):
        setting = "lags" if declared.lags else "network.linear_skip"
        raise ValueError(f"{setting}: only a regression has one: remove it")


def _check_leaks(declared: DeclaredProblem) -> None:
    """The fraud counts of time windows are made of labels: training must not see those of test
    rows, or of the row itself. Nor the days of a forecast that lie in a later part."""
    for part in (declared.derived, declared.split):
        if isinstance(part, TransactionWindows | DelayedFeedback) and declared.problem != "binary":
            raise ValueError(f"{part.method} is about frauds: the problem must be binary")
    if isinstance(declared.derived, PriceHistory):
        declared.derived.refuse_overlap(declared.split)
    if not isinstance(declared.derived, TransactionWindows):
        return
    if not isinstance(declared.split, DelayedFeedback | OutOfTime):
        raise ValueError(
            f"split.method {declared.split.method}: derived windows hold the frauds of other rows, "
            "so the split must be in time: delayed_feedback or out_of_time"
        )
    needed = max(getattr(declared.split, "delay_days", 1), 1)
    if declared.derived.delay_days < needed:
        raise ValueError(
            f"derived.delay_days {declared.derived.delay_days}: frauds are known after {needed} "
            "days at the earliest"
        )

"""What is said of one prediction problem, and what follows from it."""

from typing import Annotated, Any, Literal

from pydantic import Field, PositiveInt, field_serializer

from modelling.data.splits.stratified import Stratified
from modelling.declaration.columns import Column, Rule
from modelling.declaration.declared_data import AnySource, Split
from modelling.declaration.declared_derivations import Derived, PriceHistory
from modelling.declaration.declared_judgement import (
    AlertBudget,
    BaselineName,
    Costs,
    CutOff,
    Decision,
    Gate,
    Groups,
    HeadlineName,
)
from modelling.declaration.declared_training import Network, Preprocessing, Training
from modelling.declaration.model_card import ModelCard
from modelling.declaration.named_columns import named_columns
from modelling.declaration.names import USE_CASE_PATTERN
from modelling.declaration.search_space import DEFAULT_SPACE, Space
from modelling.judgement.metrics.catalogue import metrics_for
from modelling.schema import Declaration, Need, Problem
from modelling.secrets import hide_secrets

ApprovalDays = Annotated[int, Field(ge=1, le=366)]  # also what a tag of a version may ask for


class DeclaredProblem(Declaration):
    """One prediction problem, from its source to what its model must reach.

    ``classes`` are the labels in the target column in the order of their codes: for binary problems
    (negative, positive), for multi-class ones all of them, ``ordered`` where a neighbour is a
    smaller error than other classes. ``merge_classes`` maps a class to the labels in the table that
    belong to it: ``{"E-G": ("E", "F", "G")}``; without a label, ``{"other": ()}``, to all labels
    that are not named. ``unlabelled="drop"`` leaves out the rows whose target is missing or none of
    the classes, and counts them. The loss and the output follow from ``problem``: linear + mean
    squared error; sigmoid + binary cross-entropy, decided by ``decision``; softmax + sparse
    categorical cross-entropy, decided by argmax. A target of kind ``log_variance`` is also judged
    by QLIKE. ``lags`` names the columns that hold the target's last values, the latest first (of a
    day, a week, a month): in its unit, or as variances where it is the log of one. With them a
    regression has the baselines ``random_walk`` and ``log_har``.

    Unless declared, ``network.linear_skip`` is true for a regression of values with hidden layers;
    where ``lags`` are named or the target is a log variance, ``preprocessing.piecewise_bins`` is 0;
    for log variances ``preprocessing.keep_plain`` is false, too.

    ``headline`` metrics get an interval and a comparison with each of ``baselines``; runs are
    compared by the first of them. The first baseline is the naive one.

    ``derived`` columns are computed from other rows, before the table is validated and split; they
    may be declared among ``columns`` and as ``target`` like those of the source. ``search`` is the
    search space, by dotted name; ``off_contract`` is what the registered model does with a row that
    breaks a rule of its columns. All that a registered model or a figure keeps of customers' values
    is an aggregate over ``minimum_rows_per_value`` rows or more (the k of k-anonymity). ``groups``
    says by which groups of customers the test rows are judged, beside ``protected`` columns.

    ``card`` is what people say of the model in the dossier of its versions. With
    ``approval="second_person"`` no version becomes champion on one person's word: it waits as
    challenger until somebody else approves, within ``approval_days`` days.
    """

    name: Annotated[str, Field(pattern=f"^{USE_CASE_PATTERN}$")]
    title: str
    card: ModelCard = ModelCard()
    problem: Problem
    source: AnySource
    target: str
    columns: tuple[Column, ...]
    classes: tuple[int | str, ...] = ()
    derived: Derived | None = None
    merge_classes: dict[str, tuple[int | str, ...]] = {}
    unlabelled: Literal["refuse", "drop"] = "refuse"
    duplicates: Literal["keep", "drop"] = "keep"
    split: Split = Stratified()
    preprocessing: Preprocessing = Preprocessing()
    minimum_rows_per_value: PositiveInt = 20
    network: Network = Network()
    training: Training = Training()
    target_kind: Literal["value", "log_variance"] = "value"
    lags: tuple[str, ...] = ()
    ordered: bool = False
    headline: tuple[HeadlineName, ...] = ()
    baselines: tuple[BaselineName, ...] = ("constant", "linear", "boosting")
    decision: Decision = CutOff()
    costs: Costs | None = None
    groups: Groups = Groups()
    expectations: tuple[Rule, ...] = ()
    off_contract: Literal["refuse_row", "treat_as_missing"] = "refuse_row"
    gate: Gate | None = None
    approval: Literal["automatic", "second_person"] = "automatic"
    approval_days: ApprovalDays = 14
    search: Space = DEFAULT_SPACE

    @field_serializer("source")
    def _source_by_name(self, source: Any) -> Any:
        if callable(source):
            return f"function:{source.__module__}.{source.__qualname__}"
        declared = source.model_dump()
        return {k: hide_secrets(v) if isinstance(v, str) else v for k, v in declared.items()}

    @property
    def classes_of_others(self) -> list[str]:
        return [into for into, labels in self.merge_classes.items() if not labels]

    @property
    def class_of_others(self) -> str | None:
        """The class of all labels that are not named, where ``merge_classes`` declares one."""
        return next(iter(self.classes_of_others), None)

    @property
    def needed_columns(self) -> dict[str, str]:
        """The columns that must have a value in every row, with the setting that needs each."""
        named = named_columns({"split": self.split, "decision": self.decision})
        return {column: setting for setting, column, _ in named}

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that are computed on the test rows: what the gate can ask for."""
        return tuple(metric.name for metric in metrics_for(self.problem, self.fulfilled_needs))

    @property
    def fulfilled_needs(self) -> frozenset[Need]:
        """What this declaration has of all that a metric, a baseline or a decision may need."""
        has: dict[Need, bool] = {
            "baselines": bool(self.baselines),
            "costs": self.costs is not None,
            "costs.amount": self.costs is not None and self.costs.amount is not None,
            "decision.method alert_budget": isinstance(self.decision, AlertBudget),
            "derived.method price_history": isinstance(self.derived, PriceHistory),
            "lags": bool(self.lags) or isinstance(self.derived, PriceHistory),
            "ordered=True": self.ordered,
            "target_kind log_variance": self.target_kind == "log_variance",
        }
        return frozenset(need for need, is_fulfilled in has.items() if is_fulfilled)

    @property
    def is_autoregressive(self) -> bool:
        """Whether past values of the target are among the columns."""
        return bool(self.lags) or self.target_kind == "log_variance"

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that the model uses, in the order of their declaration."""
        return tuple(column for column in self.columns if column.role == "feature")

    @property
    def group_columns(self) -> tuple[Column, ...]:
        """The columns by whose groups the test rows are judged."""
        named = self.groups.columns
        return tuple(c for c in self.columns if c.role == "protected" or c.name in named)

    @property
    def slice_columns(self) -> tuple[Column, ...]:
        """The columns in whose segments the model may be weak."""
        named = self.groups.slices
        if named is None:
            return tuple(column for column in self.columns if column.kind != "identifier")
        return tuple(column for column in self.columns if column.name in named)

    @property
    def favourable(self) -> tuple[int | str, ...]:
        """The classes that a customer wishes for; empty where that is not defined."""
        return self.groups.favourable or (self.classes[:1] if self.problem == "binary" else ())

    @property
    def minimum_rows_per_group(self) -> int:
        """The fewest test rows of which anything is shown."""
        return max(self.groups.minimum_rows, self.minimum_rows_per_value)

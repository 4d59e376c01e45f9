"""The declaration of a use case: one typed schema for files, flow parameters and flags."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    PositiveFloat,
    PositiveInt,
    field_serializer,
    model_validator,
)

from modelling.data.splits.delayed_feedback import DelayedFeedback
from modelling.data.splits.out_of_time import OutOfTime
from modelling.data.splits.stratified import Stratified
from modelling.declaration.columns import Column, NotAbove, Rule, TargetRate, Transform
from modelling.declaration.declared_data import (
    AnySource,
    Derived,
    PriceHistory,
    Split,
    TransactionWindows,
)
from modelling.declaration.declared_judgement import (
    AlertBudget,
    BaselineName,
    Costs,
    CutOff,
    Decision,
    Gate,
    Groups,
    HeadlineName,
    LeastCost,
)
from modelling.declaration.model_card import ModelCard
from modelling.declaration.named_columns import NamedColumn, check_named_columns, named_columns
from modelling.declaration.names import USE_CASE_PATTERN
from modelling.declaration.price_names import columns_of, target_name
from modelling.declaration.search_space import DEFAULT_SPACE, Space, check_search_space
from modelling.judgement.baselines.baseline import Baseline
from modelling.judgement.baselines.catalogue import all_baselines
from modelling.judgement.metrics.catalogue import default_headline, find_metric, metrics_for
from modelling.refusals import nearest
from modelling.schema import Declaration, Need, Problem, Seed, Share
from modelling.secrets import hide_secrets

Activation = Literal["relu", "tanh", "leaky_relu", "sigmoid", "elu"]


class Preprocessing(Declaration):
    """How raw columns become features; everything is fitted on training rows only.

    A plain network learns badly from numbers with heavy tails, so by default each number becomes
    features in three ways: scaled as it is; scaled after ``transform`` (a column's own
    ``transform`` takes precedence); and piecewise-linearly encoded in ``piecewise_bins`` quantile
    bins (0: none), so that changes at certain values are easy to learn. With ``ratios``, ratios of
    two numbers of the same unit become features as well: a loan means more in relation to the
    income. Of more than 28, those are used that say more of the target than the columns alone, on
    training rows, and without bins (``modelling.features.ratios``).
    """

    transform: Transform = "log"
    keep_plain: bool = True
    piecewise_bins: Annotated[int, Field(ge=0)] = 16
    scaling: Literal["standard", "min_max", "none"] = "standard"
    clip: PositiveFloat | None = 8.0
    missing_flags: bool = True
    ratios: bool = True
    rare_category_share: Share = 0.005


class Network(Declaration):
    """The hidden layers; ``hidden_units=()`` is a linear model, a single-layer perceptron.

    With ``linear_skip`` the features also lead straight to the output of a regression: the network
    begins as ridge regression, and its layers learn what that leaves.

    ``group_lasso`` lets each unit of the first layer keep the columns that it gains from; the
    weights of all others become zero, those of a column together. It is in standard errors of what
    a column without any effect seems to bring (0: none), falls to none by the last epoch, and is
    for ``adam`` and ``adamw``. Where it is not declared, it is 1.5 on tables of fewer than 300
    training rows per feature, else none: on many rows there is little noise to leave out.
    """

    hidden_units: tuple[PositiveInt, ...] = (64, 32)
    activation: Activation = "relu"
    dropout: Share = 0.1
    batch_normalisation: bool = False
    l2: Annotated[float, Field(ge=0)] = 0.0
    linear_skip: bool = False
    group_lasso: Annotated[float, Field(ge=0)] | None = None


def _with_defaults(part: Declaration, **defaults: Any) -> Declaration:
    """A part of a declaration with these and else the usual defaults for what is not set in it.
    They do not count as set: without what they follow from, the usual ones hold again."""
    fields = {**defaults, **{name: getattr(part, name) for name in part.model_fields_set}}
    return type(part).model_construct(part.model_fields_set, **fields)


def _devices_of_one_machine(devices: Any) -> Any:
    if isinstance(devices, str) and devices not in ("one", "all"):
        raise ValueError(
            "Keras can't train one model on several machines (keras issue 20585): train many "
            "models on many workers with 'finflows search', or this one on 'one' or 'all' of "
            "the GPUs of a machine"
        )
    return devices


class Training(Declaration):
    """How the network is trained.

    The model is an ensemble of ``members`` networks of the declared shape, trained together on the
    same batches from different initial weights; its output is the mean of their probabilities or
    forecasts. ``early_stopping_patience=0`` trains all epochs and keeps the last weights; otherwise
    the weights of the epoch with the lowest validation loss are kept. ``checkpoint_every_epochs=0``
    writes no checkpoints. ``devices="all"`` trains one model on all GPUs of the worker, batch by
    batch; that is faster for large networks only.
    """

    members: PositiveInt = 4
    epochs: PositiveInt = 40
    batch_size: PositiveInt = 256
    learning_rate: PositiveFloat = 2e-3
    optimizer: Literal["adam", "adamw", "sgd", "rmsprop"] = "adamw"
    momentum: Share = 0.9
    weight_decay: Annotated[float, Field(ge=0)] = 1e-4
    schedule: Literal["constant", "cosine", "reduce_on_plateau"] = "cosine"
    early_stopping_patience: Annotated[int, Field(ge=0)] = 10
    class_weights: Literal["none", "balanced"] = "none"
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    checkpoint_every_epochs: Annotated[int, Field(ge=0)] = 1
    devices: Annotated[Literal["one", "all"], BeforeValidator(_devices_of_one_machine)] = "one"
    seed: Seed = 42


class UseCase(Declaration):
    """One prediction problem, from its source to what its model must reach.

    ``classes`` are the labels in the target column in the order of their codes: for binary
    problems (negative, positive), for multi-class ones all of them, ``ordered`` where a neighbour
    is a smaller error than other classes. ``merge_classes`` maps a class to the labels in the table
    that belong to it: ``{"E-G": ("E", "F", "G")}``; without a label, ``{"other": ()}``, to all
    labels that are not named. The loss and the output follow from
    ``problem``: linear + mean squared error; sigmoid + binary cross-entropy, decided by
    ``decision``; softmax + sparse categorical cross-entropy, decided by argmax. A target of kind
    ``log_variance`` is also judged by QLIKE. ``lags`` names the columns that hold the target's last
    values, the latest first (of a day, a week, a month): in its unit, or as variances where it is
    the log of one. With them a regression has the baselines ``random_walk`` and ``log_har``. There,
    and for log variances, ``preprocessing.piecewise_bins`` is 0 and ``network.linear_skip`` true
    unless declared; for log variances ``preprocessing.keep_plain`` is false, too.

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
    approval_days: PositiveInt = 14
    search: Space = DEFAULT_SPACE

    @model_validator(mode="after")
    def _check_consistency(self) -> "UseCase":
        self.__dict__.update(self._defaults_of_problem())
        self._check_columns()
        self._check_series()
        self._check_leaks()
        self._check_classes()
        self._check_metrics()
        self._check_decision()
        self._check_groups()
        if self.split.validation + getattr(self.split, "test", 0) >= 1:
            raise ValueError("split.validation and split.test leave nothing to train on")
        check_search_space(self.search, {"network": self.network, "training": self.training})
        return self

    def _defaults_of_problem(self) -> dict[str, Any]:
        """What comes next in a series depends on the last values nearly linearly, also beyond those
        of training; a log variance on the logs of variances."""
        found: dict[str, Any] = {"headline": default_headline(self.problem)}
        if self.problem == "binary":
            found["classes"] = (0, 1)
        found = {name: of for name, of in found.items() if name not in self.model_fields_set}
        numbers: dict[str, Any] = {"piecewise_bins": 0} if self.is_autoregressive else {}
        if self.target_kind == "log_variance":
            numbers["keep_plain"] = False
        skip = {"linear_skip": True} if self.is_autoregressive else {}
        found["preprocessing"] = _with_defaults(self.preprocessing, **numbers)
        found["network"] = _with_defaults(self.network, **skip)
        return found

    def _check_columns(self) -> None:
        names = [column.name for column in self.columns]
        if duplicates_found := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"columns declared twice: {', '.join(sorted(duplicates_found))}")
        if self.target in names:
            raise ValueError(f"the target '{self.target}' must not be among the columns")
        if not self.features:
            raise ValueError("no column is a feature")
        directed = [column.name for column in self.features if column.direction]
        if directed and self.problem == "multiclass":
            raise ValueError(
                f"column '{directed[0]}': with several classes there is no one score that a "
                "direction could be of: remove it, or predict two classes or a number"
            )
        kinds = {column.name: str(column.kind) for column in self.columns}
        check_named_columns(named_columns({"split": self.split, "decision": self.decision}), kinds)
        check_named_columns(named_columns({"groups": self.groups}), kinds)
        raw = named_columns({"derived": self.derived})  # of the raw table: most are not declared
        check_named_columns((named for named in raw if named.column in kinds), kinds)
        kinds[self.target] = "number" if self.problem == "regression" else "category"
        rules = {f"expectations.{number}": rule for number, rule in enumerate(self.expectations)}
        check_named_columns(named_columns(rules), kinds)
        for setting, rule in rules.items():
            if isinstance(rule, NotAbove) and kinds[rule.low] != kinds[rule.high]:
                raise ValueError(f"{setting}: '{rule.low}' and '{rule.high}' are of two kinds")
            if isinstance(rule, TargetRate) and self.problem == "multiclass":
                raise ValueError(f"{setting}: a target_rate is of two classes, or of a number")

    def _check_series(self) -> None:
        if self.problem != "regression" and self.target_kind != "value":
            raise ValueError("target_kind: only a regression has one: remove it")
        kinds = {column.name: str(column.kind) for column in self.columns}
        named = [NamedColumn("lags", name, ("number",)) for name in self.lags]
        check_named_columns(named, kinds)
        if twice := [name for name in self.lags if self.lags.count(name) > 1]:
            raise ValueError(f"lags: '{twice[0]}' is named twice: name it once")
        if self.lags and isinstance(self.derived, PriceHistory):
            raise ValueError("lags: those of a price_history are its derived.lags_days: remove it")
        if self.problem != "regression" and (self.lags or self.network.linear_skip):
            setting = "lags" if self.lags else "network.linear_skip"
            raise ValueError(f"{setting}: only a regression has one: remove it")

    def _check_classes(self) -> None:
        labels = [str(label) for label in self.classes]
        if self.problem == "binary" and len(labels) != 2:
            raise ValueError("a binary problem has two classes: (negative, positive)")
        if self.problem == "multiclass" and len(labels) < 3:
            raise ValueError(
                "a multiclass problem declares its three or more classes in order: add "
                'classes=("A", "B", "C")'
            )
        if self.problem == "regression" and (labels or self.training.class_weights != "none"):
            setting = "classes" if labels else "training.class_weights"
            raise ValueError(f"{setting}: a regression has no classes")
        if duplicates_found := [label for label in labels if labels.count(label) > 1]:
            raise ValueError(f"classes: '{duplicates_found[0]}' is declared twice")
        if unknown := sorted(set(self.merge_classes) - set(labels)):
            raise ValueError(f"merge_classes: '{unknown[0]}' is not among the classes")
        if len(self._without_labels) > 1:
            raise ValueError(
                f"merge_classes: '{self._without_labels[1]}' has no labels, and the labels that "
                f"are not named belong to '{self._without_labels[0]}' already"
            )
        merged = [str(label) for those in self.merge_classes.values() for label in those]
        if duplicates_found := [label for label in merged if merged.count(label) > 1]:
            raise ValueError(f"merge_classes: '{duplicates_found[0]}' can't belong to two classes")

    def _check_leaks(self) -> None:
        """The fraud counts of time windows are made of labels: training must not see those of test
        rows, or of the row itself. Nor the days of a forecast that lie in a later part."""
        for part in (self.derived, self.split):
            if isinstance(part, TransactionWindows | DelayedFeedback) and self.problem != "binary":
                raise ValueError(f"{part.method} is about frauds: the problem must be binary")
        if isinstance(self.derived, PriceHistory):
            self.derived.refuse_overlap(self.split)
        if not isinstance(self.derived, TransactionWindows):
            return
        if not isinstance(self.split, DelayedFeedback | OutOfTime):
            raise ValueError(
                f"split.method {self.split.method}: derived windows hold the frauds of other rows, "
                "so the split must be in time: delayed_feedback or out_of_time"
            )
        needed = max(getattr(self.split, "delay_days", 1), 1)
        if self.derived.delay_days < needed:
            raise ValueError(
                f"derived.delay_days {self.derived.delay_days}: frauds are known after {needed} "
                "days at the earliest"
            )

    def _check_metrics(self) -> None:
        if not self.headline:
            raise ValueError("headline: name at least one metric")
        for name in self.headline:
            try:
                metric = find_metric(name, self.problem)
            except KeyError:
                raise ValueError(
                    f"headline: {name} does not judge a {self.problem} problem"
                ) from None
            self._refuse_missing(f"headline: {name}", metric.needs)
        for name in self.baselines:
            baseline = all_baselines()[name]
            self._refuse_missing(f"baselines: {name}", baseline.needs)
            if self.problem not in baseline.problems:
                raise ValueError(f"baselines: {name} is not for a {self.problem} problem")
            if baseline.reads and isinstance(self.derived, PriceHistory):
                self._refuse_unreadable_prices(baseline)

    def _refuse_missing(self, setting: str, needs: Iterable[Need]) -> None:
        if missing := [need for need in needs if need not in self.fulfilled_needs]:
            raise ValueError(f"{setting} needs {missing[0]}")

    def _refuse_unreadable_prices(self, baseline: Baseline) -> None:
        """Forecasts of a series read derived columns, which the table only keeps if declared."""
        assert isinstance(self.derived, PriceHistory)
        if self.target != target_name(self.derived):
            raise ValueError(
                f"baselines: {baseline.name} forecasts '{target_name(self.derived)}', which is "
                "not the target"
            )
        known = {column.name for column in self.columns}
        read = [name for reads in baseline.reads for name in columns_of(reads, self.derived)]
        if absent := [name for name in read if name not in known]:
            raise ValueError(
                f"baselines: {baseline.name} reads the derived column '{absent[0]}': declare it "
                'among the columns (role="context" keeps it from the network)'
            )

    def _check_decision(self) -> None:
        allowed = self.gate.need_not_predict if self.gate else ()
        if unknown := [str(label) for label in allowed if label not in self.classes]:
            raise ValueError(f"gate.need_not_predict: '{unknown[0]}' is not among the classes")
        if self.problem != "binary" and (self.costs or not isinstance(self.decision, CutOff)):
            setting = "costs" if self.costs else f"decision.method {self.decision.method}"
            raise ValueError(f"{setting}: only a binary problem has one")
        features = {column.name for column in self.features if column.kind == "number"}
        if self.costs is not None and self.costs.amount not in {None, *features}:
            raise ValueError(
                f"costs.amount '{self.costs.amount}' is not a number among the features"
            )
        if isinstance(self.decision, LeastCost) and self.costs is None:
            raise ValueError("decision.method least_cost needs costs")
        if self.gate is not None and self.gate.metric not in self.metrics:
            known = nearest(self.gate.metric, self.metrics)
            raise ValueError(f"gate.metric: '{self.gate.metric}' is not computed here{known}")

    def _check_groups(self) -> None:
        known = {*self.classes}
        if unknown := [str(label) for label in self.groups.favourable if label not in known]:
            raise ValueError(f"groups.favourable: '{unknown[0]}' is not among the classes")
        if self.groups.favourable and known <= {*self.groups.favourable}:
            raise ValueError("groups.favourable: leave out the classes that nobody wishes for")
        bounded = self.gate.selection_ratio_at_least if self.gate else {}
        judged = {column.name for column in self.group_columns}
        if absent := [name for name in bounded if name not in judged]:
            raise ValueError(
                f"gate.selection_ratio_at_least: the model is not judged by '{absent[0]}': declare "
                'the column with role="protected", or name it in groups.columns'
            )
        if bounded and not self.favourable:
            raise ValueError(
                f"gate.selection_ratio_at_least: a {self.problem} problem selects nobody"
                + (" without groups.favourable" if self.classes else "")
            )

    @field_serializer("source")
    def _source_by_name(self, source: Any) -> Any:
        if callable(source):
            return f"function:{source.__module__}.{source.__qualname__}"
        declared = source.model_dump()
        return {k: hide_secrets(v) if isinstance(v, str) else v for k, v in declared.items()}

    @property
    def _without_labels(self) -> list[str]:
        return [into for into, labels in self.merge_classes.items() if not labels]

    @property
    def class_of_others(self) -> str | None:
        """The class of all labels that are not named, where ``merge_classes`` declares one."""
        return next(iter(self._without_labels), None)

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

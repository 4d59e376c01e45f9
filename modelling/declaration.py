"""What a use case may declare: one typed schema for files, flow parameters and flags alike."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Field, PositiveFloat, PositiveInt, field_serializer, model_validator

from modelling.columns import Column, Declaration, Rule, Transform

Share = Annotated[float, Field(ge=0, lt=1)]
Problem = Literal["regression", "binary", "multiclass"]
Activation = Literal["relu", "tanh", "leaky_relu", "sigmoid", "elu", "gelu"]


class Source(Declaration):
    """Where the table comes from.

    ``uri`` is a path or URL of a CSV or Parquet file (anything that fsspec opens),
    ``package:DISTRIBUTION/PATH`` (a file inside an installed package, which is not imported),
    ``openml:NAME`` or ``openml:ID``, or a SQLAlchemy URL together with ``query``. Environment
    variables in it are expanded when it is read, so that passwords need not be written down.
    """

    uri: str
    query: str | None = None


class Stratified(Declaration):
    """Random rows, with the same share of each class (or of target deciles) in every part."""

    method: Literal["stratified"] = "stratified"
    validation: Share = 0.2
    test: Share = 0.2
    seed: int = 42


class OutOfTime(Declaration):
    """Train on the past, validate on what came next, test on what came last.

    ``gap_days`` are left out before validation and before test, as long as an outcome takes to be
    known. The cut dates follow from the shares of rows.
    """

    method: Literal["out_of_time"] = "out_of_time"
    column: str
    validation: Share = 0.2
    test: Share = 0.2
    gap_days: Annotated[float, Field(ge=0)] = 0


class Grouped(Declaration):
    """Random groups: nobody named by ``column`` is in two parts."""

    method: Literal["grouped"] = "grouped"
    column: str
    validation: Share = 0.2
    test: Share = 0.2
    seed: int = 42


class Preprocessing(Declaration):
    """How raw columns become features; everything is fitted on training rows only.

    Numbers with heavy tails are what a plain network trips over, so by default each number enters
    twice: scaled as it is, and scaled after ``transform``. A column's own ``transform`` wins.
    """

    transform: Transform = "log"
    keep_plain: bool = True
    scaling: Literal["standard", "min_max", "none"] = "standard"
    clip: PositiveFloat | None = 8.0
    missing_flags: bool = True
    rare_category_share: Share = 0.005


class Network(Declaration):
    """The hidden layers; ``hidden_units=()`` is a linear model, the single-layer perceptron."""

    hidden_units: tuple[PositiveInt, ...] = (64, 32)
    activation: Activation = "relu"
    dropout: Share = 0.1
    batch_normalisation: bool = False
    l2: Annotated[float, Field(ge=0)] = 0.0


class Training(Declaration):
    """How the network is fitted.

    ``early_stopping_patience=0`` trains all epochs and keeps the last weights; otherwise the
    weights of the epoch with the lowest validation loss are kept. ``checkpoint_every_epochs=0``
    writes no checkpoints.
    """

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
    seed: int = 42


class Gate(Declaration):
    """The least that a model must reach on the test rows to be worth promoting."""

    metric: str
    at_least: float | None = None
    at_most: float | None = None

    def passes(self, value: float) -> bool:
        """NaN never passes."""
        above = self.at_least is None or value >= self.at_least
        below = self.at_most is None or value <= self.at_most
        return above and below and value == value


class UseCase(Declaration):
    """One prediction problem, from its source to the bar its model must clear.

    ``classes`` are the labels in the target column in the order of their codes: for binary
    problems (negative, positive), for multi-class all of them. The loss and the output follow from
    ``problem``: linear + mean squared error; sigmoid + binary cross-entropy, decided by
    ``cut_off``; softmax + sparse categorical cross-entropy, decided by argmax.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    title: str
    problem: Problem
    source: Annotated[Source | Callable[[], Any], Field(union_mode="left_to_right")]
    target: str
    columns: tuple[Column, ...]
    classes: tuple[int | str, ...] = ()
    duplicates: Literal["keep", "drop"] = "keep"
    split: Annotated[Stratified | OutOfTime | Grouped, Field(discriminator="method")] = Stratified()
    preprocessing: Preprocessing = Preprocessing()
    network: Network = Network()
    training: Training = Training()
    cut_off: Annotated[float, Field(gt=0, lt=1)] = 0.5
    expectations: tuple[Rule, ...] = ()
    gate: Gate | None = None

    @model_validator(mode="before")
    @classmethod
    def _binary_is_0_and_1(cls, declared: Any) -> Any:
        if isinstance(declared, dict) and declared.get("problem") == "binary":
            return {"classes": (0, 1), **declared}
        return declared

    @model_validator(mode="after")
    def _consistent(self) -> "UseCase":
        names = [column.name for column in self.columns]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"columns declared twice: {', '.join(sorted(twice))}")
        if self.target in names:
            raise ValueError(f"the target '{self.target}' must not be among the columns")
        if not self.features:
            raise ValueError("no column is a feature")
        if self.problem == "binary" and len(self.classes) != 2:
            raise ValueError("a binary problem has two classes: (negative, positive)")
        if self.problem == "multiclass" and len(self.classes) < 3:
            raise ValueError("a multiclass problem declares its three or more classes in order")
        named = getattr(self.split, "column", None)
        if named is not None and named not in names:
            raise ValueError(f"split.column '{named}' is not among the columns")
        if self.split.validation + self.split.test >= 1:
            raise ValueError("split.validation and split.test leave nothing to train on")
        return self

    @field_serializer("source")
    def _source_by_name(self, source: Any) -> Any:
        if callable(source):
            return f"function:{source.__module__}.{source.__qualname__}"
        return source.model_dump()

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that the model sees, in the order of their declaration."""
        return tuple(column for column in self.columns if column.role == "feature")

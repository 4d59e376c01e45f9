"""How a model is trained: its features, its network, and the training itself."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, PositiveFloat, PositiveInt

from modelling.declaration.columns import Transform
from modelling.schema import Declaration, Seed, Share

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
    for ``adam`` and ``adamw``. Where it is not declared, it falls as there are more training rows
    per feature: 1.5 where there are few, 1.1 at 300, none from 600 on. On many rows there is little
    noise to leave out. Where the validation rows prefer another strength after half of the epochs,
    that is taken: 0.5, and for a regression, which usually has none, also that of classes.
    """

    hidden_units: tuple[PositiveInt, ...] = (64, 32)
    activation: Activation = "relu"
    dropout: Share = 0.1
    batch_normalisation: bool = False
    l2: Annotated[float, Field(ge=0)] = 0.0
    linear_skip: bool = False
    group_lasso: Annotated[float, Field(ge=0)] | None = None


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
    the weights of the epoch with the lowest validation loss are kept. A group lasso fades up to the
    last epoch, so that with one all are trained. ``checkpoint_every_epochs=0`` writes no
    checkpoints. ``devices="all"`` trains one model on all GPUs of the worker, batch by batch; that
    is faster for large networks only. By default a regression with hidden layers, but for that of a
    log variance, is trained for 120 epochs with a patience of 20.
    """

    members: PositiveInt = 4
    epochs: PositiveInt = 60
    batch_size: PositiveInt = 128
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

"""Labelled learning curves: real trainings with a forced pathology, and synthetic ones.

The label says how a curve was MADE; the reader of learning curves is never asked. Whether a forced
pathology came true is checked by ``occurred``, which knows what the reader can't: the loss of an
untrained network and the best loss that sensible trainings reached on the same rows.

``python -m tests.learning_curve_corpus`` trains the real ones again (two processes) and writes
``tests/data/learning_curves.json``; the synthetic ones are made from their seed when asked for.
"""

import json
import math
import os
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from modelling.declaration import Network, Source, Stratified, Training, UseCase, number
from modelling.learning_curve.history import History

STORED = Path(__file__).parent / "data" / "learning_curves.json"
# Trained with settings drawn at random (learning rates from 1e-5 to 10, 3 to 280 epochs, 36 to
# 2,460 rows, batches of 8 to 4,096), by Keras in this project and by scikit-learn's networks, on 96
# tables (scikit-learn's, those of ``benchmarks/by_hand.py``, and others of R packages); labelled by
# eye from the curve, the constant answer's loss and what other trainings reached on that table,
# before they were read. The other parts are 125 other tables with one to three settings of a draft
# changed, or trained plainly as in a course (constant steps, no early stopping, one member); the
# last three so that each kind of trouble is met, and more often steps that are too large.
LABELLED_BY_EYE = Path(__file__).parent / "data" / "labelled_curves.json"
PARTS = (
    "chosen on",
    "held out",
    "first look",
    "second look",
    "third look",
    "fourth look",
    "usual settings",
    "usual settings, second look",
    "usual settings, third look",
    "large steps",
    "large steps, second look",
)
VERDICTS = ("healthy", "undertrained", "jagged", "overfitting", "diverged", "stuck")
# Sensible settings for each data set: rows, hidden units, dropout, epochs, batch, learning rate.
SENSIBLE: dict[str, tuple[int, tuple[int, ...], float, int, int, float]] = {
    "credit_scoring": (8000, (32, 16), 0.1, 40, 128, 2e-3),
    "breast_cancer": (569, (16,), 0.2, 60, 32, 3e-3),
    "diabetes": (442, (8,), 0.1, 60, 32, 5e-3),
    "digits": (1797, (32,), 0.2, 50, 64, 4e-3),
    "wine": (178, (16,), 0.1, 60, 16, 5e-3),
    "iris": (150, (16,), 0.1, 80, 16, 1e-2),
}
CLASSES = {"digits": 10, "wine": 3, "iris": 3}


@dataclass(frozen=True)
class Recipe:
    """How a real curve is made. ``killed``: biases of -1,000, so that no ReLU ever fires.

    ``flipped``: share of rows whose class is replaced by a random one, a noise nobody can learn.
    """

    label: str
    data: str
    rows: int
    settings: dict[str, Any]
    killed: bool = False
    flipped: float = 0.0


@dataclass(frozen=True)
class Curve:
    """One labelled history; ``seed`` even: for tuning, odd: held out."""

    label: str
    origin: str
    seed: int
    history: History
    settings: dict[str, Any] = field(default_factory=dict)


def as_history(
    loss: list[float], val_loss: list[float], constant_val_loss: float | None = None
) -> History:
    metrics = {"loss": list(loss), "val_loss": list(val_loss)}
    return History(metrics, 1.0, 1.0, constant_val_loss=constant_val_loss)


def all_curves() -> list[Curve]:
    """The stored real curves and the synthetic ones."""
    return real_curves() + synthetic_curves()


# --- real trainings ------------------------------------------------------------------------------


def real_curves() -> list[Curve]:
    stored = json.loads(STORED.read_text())["curves"]
    return [
        Curve(one["label"], one["data"], seed, _stored_history(one), one["settings"])
        for seed, one in enumerate(stored)
    ]


def curves_labelled_by_eye() -> list[Curve]:
    """Real curves; ``seed`` is the place in ``PARTS``: the rules were chosen on some tables, others
    were held out until they were looked at; the third changed nothing, the others did."""
    return [
        Curve(
            one["label"],
            one["data"],
            PARTS.index(one["half"]),
            replace(_stored_history(one), group_lasso=one.get("group_lasso")),
            {
                "training.schedule": one["settings"]["schedule"],
                "network.linear_skip": one["settings"].get("linear_skip", False),
            },
        )
        for one in json.loads(LABELLED_BY_EYE.read_text())
    ]


def _stored_history(one: dict[str, Any]) -> History:
    loss, val_loss = (
        [math.nan if value is None else value for value in one[name]]
        for name in ("loss", "val_loss")
    )
    return as_history(loss, val_loss, one["constant"])


def recipes() -> list[Recipe]:
    """What is trained: every label on every data set, settings drawn from ranges by a seed."""
    made: list[Recipe] = []
    for data in SENSIBLE:
        rng = np.random.default_rng([7, len(made)])
        for label, how_many in zip(VERDICTS, (12, 7, 8, 7, 6, 6), strict=True):
            made += [_recipe(label, data, turn, rng) for turn in range(how_many)]
    for data in SENSIBLE:  # half of the jagged ones die, settle or diverge: more, with tanh
        rng = np.random.default_rng([8, len(made)])
        made += [_recipe("jagged", data, turn, rng) for turn in (9, 12, 15)]
    return made


def _recipe(label: str, data: str, turn: int, rng: np.random.Generator) -> Recipe:
    rows, hidden, dropout, epochs, batch, rate = SENSIBLE[data]
    base = {
        "network.hidden_units": list(hidden),
        "network.dropout": dropout,
        "training.epochs": epochs,
        "training.batch_size": batch,
        "training.learning_rate": rate,
        "training.seed": int(rng.integers(1, 10_000)),
    }
    if data == "credit_scoring" and label in ("healthy", "undertrained", "stuck"):
        rows = (3000, 8000, 20_000)[turn % 3]
    change, rest = FORCED[label](data, turn, rate, rng)
    settings = base | {_dotted(name): value for name, value in change.items()}
    return Recipe(label, data, rest.pop("rows", rows), settings, **rest)


def _dotted(name: str) -> str:
    inside = "network" if name in Network.model_fields else "training"
    return f"{inside}.{name}"


def _healthy(data, turn, rate, rng):
    """Half with the defaults of the project, the rest without early stopping, a modest network."""
    stretch = int(SENSIBLE[data][3] * rng.uniform(1, 2))
    if turn % 2 == 0:
        return {"epochs": stretch, "learning_rate": rate * rng.choice([0.7, 1, 1.5])}, {}
    units = {"digits": [24], "credit_scoring": [16]}.get(data, [6] if turn % 4 == 1 else [])
    constant = {"schedule": "constant"} if turn % 4 == 1 else {}
    modest = {"hidden_units": units, "l2": 1e-3, "early_stopping_patience": 0, "epochs": stretch}
    return modest | constant, {}


def _undertrained(data, turn, rate, rng):
    """Far too small a learning rate, or far too few epochs."""
    slow = rate / rng.choice([10, 20, 30, 100])
    settings = [
        {"learning_rate": slow, "epochs": int(rng.integers(10, 20)), "schedule": "constant"},
        {"learning_rate": rate / 100, "epochs": int(rng.integers(20, 60)), "schedule": "constant"},
        {"learning_rate": rate / 30, "epochs": int(rng.integers(8, 30))},
        {"learning_rate": rate / 10, "epochs": int(rng.integers(4, 8)), "schedule": "constant"},
        {"learning_rate": rate / 3, "epochs": int(rng.integers(1, 4))},
    ][turn % 5]
    return settings | {"batch_size": SENSIBLE[data][4] * 2, "early_stopping_patience": 0}, {}


def _jagged(data, turn, rate, rng):
    """30 to 1,000 times too large a rate and small batches; units that can't die."""
    shared = {
        "activation": ("tanh", "leaky_relu", "elu")[turn % 3],
        "schedule": "constant",
        "early_stopping_patience": 0,
        "epochs": int(rng.integers(15, 60)),
        "batch_size": int(rng.choice([4, 8, 16])),
        "dropout": 0.0,
    }
    if turn % 2:
        return shared | {"optimizer": "adam", "learning_rate": rate * rng.choice([30, 60, 100])}, {
            "rows": min(SENSIBLE[data][0], 2000)
        }
    sgd = float(rng.choice([0.1, 0.3]) if data == "diabetes" else rng.choice([0.5, 1, 2]))
    return shared | {"optimizer": "sgd", "learning_rate": sgd}, {
        "rows": min(SENSIBLE[data][0], 2000)
    }


def _overfitting(data, turn, rate, rng):
    """A wide network on few rows, nothing that holds it back; some classes are mere noise."""
    settings = {
        "hidden_units": [[256], [512], [256, 256], [256, 128]][turn % 4],
        "dropout": 0.0,
        "schedule": "constant",
        "early_stopping_patience": 0,
        "epochs": int(rng.integers(60, 180)),
        "batch_size": 32,
        "learning_rate": float(rng.choice([1e-3, 2e-3])),
    }
    flipped = 0.15 if data in CLASSES or (data == "breast_cancer" and turn % 2) else 0.0
    rows = min(SENSIBLE[data][0], int(rng.choice([250, 400, 600])))
    return settings, {"rows": rows, "flipped": flipped}


def _diverged(data, turn, rate, rng):
    """Gradient descent with a rate far beyond stability."""
    settings = {
        "optimizer": "sgd",
        "schedule": "constant",
        "epochs": int(rng.integers(5, 40)),
        "early_stopping_patience": 0,
        "dropout": 0.0,
    }
    if data == "diabetes":
        linear = {"hidden_units": [], "learning_rate": float(rng.uniform(0.15, 1))}
        deep = {"learning_rate": float(10 ** rng.uniform(0, 3))}
        return settings | (linear if turn % 2 else deep), {}
    rate = float(10 ** rng.uniform(4, 8))
    return settings | {"learning_rate": rate, "hidden_units": [32, 32, 16], "l2": 1e-3}, {}


def _stuck(data, turn, rate, rng):
    """A rate of 1e-9, or rectifiers that are all dead."""
    epochs = {"epochs": int(rng.integers(8, 60))}
    if turn % 2:
        return epochs | {"learning_rate": rate, "activation": "relu"}, {"killed": True}
    return epochs | {"learning_rate": 1e-9, "early_stopping_patience": 0}, {}


FORCED = {
    "healthy": _healthy,
    "undertrained": _undertrained,
    "jagged": _jagged,
    "overfitting": _overfitting,
    "diverged": _diverged,
    "stuck": _stuck,
}


def occurred(one: dict[str, Any], reachable: float) -> bool:
    """Did what was forced come true? ``reachable``: the lowest val_loss of the healthy trainings on
    these rows.

    Progress is how much of the way from the untrained network to ``reachable`` is done at the end.
    Healthy without early stopping: 90 % of it, and not more than 10 % above the own minimum (with
    early stopping the best weights are kept, whatever follows). Undertrained: less than 90 %.
    Jagged: in the second half the training loss moves by 5 % of its level between epochs, up in
    30 % of them (and is below twice the constant answer's at times: see ``store``). Overfitting:
    ends 10 % above the own minimum. Diverged: no number, or ten times the first loss. Stuck: less
    than 5 % of the way.
    """
    loss, val = np.array(one["loss"], float), np.array(one["val_loss"], float)
    finite = bool(np.isfinite([loss, val]).all())
    if one["label"] == "diverged" or not finite:
        return one["label"] == "diverged" and (not finite or loss[-1] > 10 * loss[0])
    progress = (one["untrained"] - val[-1]) / (one["untrained"] - reachable)
    overshoot = val[-1] > 1.1 * val.min()
    if one["label"] == "healthy":
        stops_early = one["settings"].get("training.early_stopping_patience", 10) > 0
        return stops_early or (progress > 0.9 and not overshoot)
    if one["label"] == "jagged":
        late = loss[len(loss) // 2 :]
        steps = np.diff(late)
        return np.abs(steps).mean() > 0.05 * late.mean() and np.mean(steps > 0) > 0.3
    return {
        "undertrained": progress < 0.9,
        "overfitting": overshoot,
        "stuck": abs(progress) < 0.05,
    }[one["label"]]


def _declare(recipe: Recipe) -> UseCase:
    """The use case of a data set; those of scikit-learn are declared here."""
    from modelling.declaration.overrides import override

    if recipe.data == "credit_scoring":
        from use_cases.credit_scoring import USE_CASE

        return override(USE_CASE, recipe.settings)
    count = CLASSES.get(recipe.data, 0)
    kind = "regression" if recipe.data == "diabetes" else "multiclass" if count else "binary"
    columns = [name for name in _table(recipe.data) if name != "target"]
    declared = UseCase(
        name=recipe.data,
        title=recipe.data,
        problem=kind,
        source=Source(uri="sklearn"),
        target="target",
        columns=tuple(number(name) for name in columns),
        split=Stratified(validation=0.25, test=0.1),
        network=Network(linear_skip=False),  # as these curves were trained
        training=Training(epochs=60, early_stopping_patience=10),
        **({"classes": tuple(range(count))} if count else {}),
    )
    return override(declared, recipe.settings)


@cache
def _table(data: str):
    if data == "credit_scoring":
        from modelling.data.loading import read_table
        from modelling.data.typed_columns import kinds_of, type_columns
        from use_cases.credit_scoring import USE_CASE

        typed = type_columns(read_table(USE_CASE.source, kinds_of(USE_CASE)), USE_CASE).table
        return typed.astype({USE_CASE.target: int})
    import sklearn.datasets

    return getattr(sklearn.datasets, f"load_{data}")(as_frame=True).frame


def train(recipe: Recipe) -> dict[str, Any]:
    """Train as the recipe says, with the project's own code; what is stored of it."""
    import keras

    from modelling.data.splitting import split_table
    from modelling.features.preprocessing import preprocess
    from modelling.training.network import build_network
    from modelling.training.training_loop import train_network

    keras.backend.clear_session()
    use_case = _declare(recipe)
    table = _table(recipe.data).sample(frac=1, random_state=3).head(recipe.rows)
    rng = np.random.default_rng(11)
    if recipe.flipped:
        noisy = rng.random(len(table)) < recipe.flipped
        table.loc[noisy, "target"] = rng.integers(0, len(use_case.classes), noisy.sum())
    ready = preprocess(split_table(table, use_case), use_case)
    network = build_network(use_case, ready.train.features.shape[1], ready.train.target)
    untrained = _validation_loss(network, ready.validation, use_case)
    if recipe.killed:
        for layer in network.layers:
            if layer.name.startswith("hidden") and layer.weights:
                kernel, bias = layer.get_weights()
                layer.set_weights([kernel, bias - 1000])
        untrained = _validation_loss(network, ready.validation, use_case)
    history = train_network(network, ready.train, ready.validation, use_case)
    rounded = {
        name: [float(f"{v:.6g}") if math.isfinite(v) else None for v in history.metrics[name]]
        for name in ("loss", "val_loss")
    }
    levels = {"untrained": untrained, "constant": history.constant_val_loss}
    return {**asdict(recipe), **{k: float(f"{v:.6g}") for k, v in levels.items()}, **rounded}


def _validation_loss(network, validation, use_case: UseCase) -> float:
    """Of the network as it stands, before any training."""
    said = np.asarray(network(validation.features), dtype=np.float64)
    if use_case.problem == "regression":
        return float(np.mean(np.square(said[:, 0] - validation.target)))
    if use_case.problem == "binary":
        said = np.hstack([1 - said, said])
    return float(-np.mean(np.log(said[np.arange(len(said)), validation.target].clip(1e-7))))


def regenerate() -> None:
    """Train all recipes, in two processes (about 15 minutes)."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", TF_NUM_INTRAOP_THREADS="1")
    with get_context("spawn").Pool(2, maxtasksperchild=60) as pool:
        trained = pool.map(train, recipes(), chunksize=1)
    store(trained)


def store(trained: list[dict[str, Any]]) -> None:
    """Write those whose forced pathology occurred; print the others. A training loss that was to be
    jagged and is above twice the constant answer's in all of the second half has diverged."""
    best: dict[tuple[str, int], float] = {}
    for one in trained:
        if one["label"] == "healthy":
            key = (one["data"], one["rows"])
            best[key] = min([best.get(key, math.inf), *one["val_loss"]])
    kept = []
    for one in trained:
        reachable = best.get((one["data"], one["rows"]), 0.5 * one["untrained"])
        if occurred(one, reachable):
            late = [math.inf if v is None else v for v in one["loss"][len(one["loss"]) // 2 :]]
            has_diverged = one["label"] == "jagged" and min(late) > 2 * one["constant"]
            kept.append(one | ({"label": "diverged"} if has_diverged else {}))
        else:
            print("did not occur:", one["label"], one["data"], one["settings"])
    text = ",\n".join(json.dumps(one, separators=(",", ":")) for one in kept)
    STORED.write_text(
        f'{{"trained":{len(trained)},"occurred":{len(kept)},"curves":[\n{text}\n]}}\n'
    )


# --- synthetic -----------------------------------------------------------------------------------


def synthetic_curves() -> list[Curve]:
    """40 of each class, from a seed each: a fall, noise, and the pathology added."""
    return [
        Curve(label, "synthetic", seed, _synthetic(label, np.random.default_rng([5, c, seed])))
        for c, label in enumerate(VERDICTS)
        for seed in range(40)
    ]


def _synthetic(label: str, rng: np.random.Generator) -> History:
    epochs = int(np.exp(rng.uniform(np.log(8), np.log(2000))))
    scale = 10 ** rng.uniform(-6, 6)
    loss, val_loss = _SHAPES[label](epochs, rng)
    return as_history(list(np.array(loss) * scale), list(np.array(val_loss) * scale))


def _fall(epochs: int, rng: np.random.Generator) -> np.ndarray:
    """From 1 down to near 0, converged: exponential (5 to 40 time constants) or power law."""
    x = np.arange(epochs) / epochs
    if rng.random() < 0.6:
        return np.exp(-x * rng.uniform(5, 40))
    return (1 + x * rng.uniform(50, 500)) ** -rng.uniform(1.0, 2.0)


def _noise(size: float, like: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return 1 + size * rng.normal(size=len(like))


def _healthy_shape(epochs, rng):
    floor, drop, fall = rng.uniform(0.05, 1), rng.uniform(0.3, 2), _fall(epochs, rng)
    noise = rng.choice([0.001, 0.005, 0.02])
    gap = rng.uniform(-0.05, 0.15) * floor * (1 - fall)
    loss = (floor + drop * fall) * _noise(noise, fall, rng)
    return loss, (floor + gap + drop * fall) * _noise(rng.choice([1, 2]) * noise, fall, rng)


def _undertrained_shape(epochs, rng):
    """Less than 1.2 time constants done, or linear: at least 30 % of the way is still ahead."""
    x = np.arange(epochs) / epochs
    done = rng.uniform(0.2, 1.2)
    fall = np.exp(-x * done) if rng.random() < 0.7 else 1 - x * rng.uniform(0.2, 0.7)
    floor, noise = rng.uniform(0, 0.3), rng.choice([0.001, 0.005, 0.01])
    return (
        (floor + fall) * _noise(noise, fall, rng),
        (floor + rng.uniform(0, 0.1) + fall) * _noise(noise, fall, rng),
    )


def _jagged_shape(epochs, rng):
    """A fall with jumps of 20 to 100 % of it in many epochs."""
    fall = _fall(epochs, rng) * rng.uniform(0.3, 1)
    jumps = rng.uniform(0.2, 1) * rng.exponential(1, epochs) * (rng.random(epochs) < 0.5)
    floor = rng.uniform(0.05, 0.5)
    loss = floor + fall + jumps
    shaken = np.exp(rng.uniform(0.05, 0.3) * rng.normal(size=epochs))
    return loss, loss * rng.uniform(1, 1.2) * shaken


def _overfitting_shape(epochs, rng):
    """The validation loss turns after 10 to 60 % and ends 20 to 300 % above its floor."""
    x = (np.arange(epochs) + 1) / epochs
    fall, noise = np.exp(-x * rng.uniform(6, 30)), rng.choice([0.001, 0.005, 0.02])
    floor, turn = rng.uniform(0.2, 1), rng.uniform(0.1, 0.6)
    up = (np.clip(x - turn, 0, None) / (1 - turn)) ** rng.uniform(1, 2)
    up *= floor * rng.uniform(0.2, 3)
    loss = (floor * (1 - rng.uniform(0.5, 0.95) * x) + fall) * _noise(noise, x, rng)
    return loss, (floor * 1.05 + fall + up) * _noise(noise, x, rng)


def _diverged_shape(epochs, rng):
    """An exponential explosion from some epoch on, or NaN at the end."""
    x = np.arange(epochs) / epochs
    loss = 0.3 + _fall(epochs, rng)
    start = rng.uniform(0, 0.6)
    loss = loss * np.exp(rng.uniform(6, 30) * np.clip(x - start, 0, None)) * _noise(0.02, x, rng)
    if rng.random() < 0.5:
        loss[-1] = np.nan
    return loss, loss * rng.uniform(1, 1.3)


def _stuck_shape(epochs, rng):
    flat = np.ones(epochs)
    noise = rng.choice([0, 1e-6, 1e-3, 0.01])
    return flat * _noise(noise, flat, rng), rng.uniform(0.9, 1.2) * _noise(noise / 2, flat, rng)


_SHAPES = {
    "healthy": _healthy_shape,
    "undertrained": _undertrained_shape,
    "jagged": _jagged_shape,
    "overfitting": _overfitting_shape,
    "diverged": _diverged_shape,
    "stuck": _stuck_shape,
}

if __name__ == "__main__":
    regenerate()

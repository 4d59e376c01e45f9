"""How tests have a learning curve read."""

import numpy as np
from learning_curve_corpus import Curve, as_history

from modelling.declaration import Network, Source, UseCase, number
from modelling.declaration.overrides import override
from modelling.learning_curve.diagnosis import Diagnosis, read_learning_curve

USE_CASE = UseCase(
    name="loans",
    title="Loans",
    problem="binary",
    source=Source(uri="none"),
    target="y",
    columns=(number("x"),),
    network=Network(dropout=0.0),
)
EPOCHS = np.arange(60)
FALL = 0.2 + np.exp(-EPOCHS / 6)


def read(loss, val_loss=None, dead_unit_share=None, constant=None, **more) -> Diagnosis:
    history = as_history(loss, loss if val_loss is None else val_loss, constant)
    history.metrics.update(more)
    return read_learning_curve(history, USE_CASE, dead_unit_share)


def read_as_trained(curve: Curve) -> Diagnosis:
    """With the schedule and the dropout that the curve was trained with, and its beginning."""
    matters = ("training.schedule", "network.dropout")
    settings = {name: v for name, v in curve.settings.items() if name.startswith(matters)}
    declared = override(USE_CASE, settings)
    skips = {"linear_skip": curve.settings.get("network.linear_skip", False)}
    network = declared.network.model_copy(update=skips)
    return read_learning_curve(curve.history, declared.model_copy(update={"network": network}))

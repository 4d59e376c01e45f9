"""This project's ``CompiledModel``, called as the training loop calls it in a worker."""

from collections.abc import Callable

from benchmarks.peers.contract import HIDDEN_UNITS, Job, main
from tasks.workers.quick_imports import quick_imports

with quick_imports():
    import keras

    from benchmarks.peers.keras_network import EpochDone, settings
    from modelling.features.preprocessing import Examples
    from modelling.training.compiled_training import CompiledModel, Rows
    from modelling.training.layers.features_first import Activation, Dense
    from modelling.training.training_loop import validation_batches


def build(features: int) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """The benchmark's network, of the layers of ``modelling.training.network``."""
    keras.utils.set_random_seed(0)
    inputs = hidden = keras.layers.Input((features,))
    for units in HIDDEN_UNITS:
        hidden = Activation("relu")(Dense(units)(hidden))
    return inputs, Dense(1, activation="sigmoid")(hidden)


def train(job: Job, epoch_done: Callable[[], None]) -> float:
    model = CompiledModel(*build(job.x.shape[1]))
    model.compile(**settings(), jit_compile=False)
    rows = Rows(job.x, job.y, None, job.batch_size, job.order)
    start = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: rows.start_epoch(epoch))
    fitted = model.fit_rows(
        rows,
        epochs=job.epochs,
        **validation_batches(Examples(job.x_validation, job.y_validation)),
        verbose=0,
        callbacks=[start, EpochDone(epoch_done)],
    )
    return fitted.history["val_loss"][-1]


if __name__ == "__main__":
    main(train)

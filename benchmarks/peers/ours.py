"""This project's ``CompiledModel``, called as ``modelling.training`` calls it."""

from collections.abc import Callable

import keras
import tensorflow as tf

from benchmarks.peers.contract import Job, main
from benchmarks.peers.keras_network import EpochDone, build, settings
from modelling.compiled_training import CompiledModel, Rows, untuned


def train(job: Job, epoch_done: Callable[[], None]) -> float:
    model = CompiledModel(*build(job.x.shape[1]))
    model.compile(**settings(), jit_compile=False)
    rows = Rows(job.x, job.y, None, job.batch_size, job.order)
    start = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, _: rows.start_epoch(epoch))
    fitted = model.fit_rows(
        rows,
        epochs=job.epochs,
        validation_data=untuned(tf.data.Dataset.from_tensors((job.x_validation, job.y_validation))),
        verbose=0,
        callbacks=[start, EpochDone(epoch_done)],
    )
    return fitted.history["val_loss"][-1]


if __name__ == "__main__":
    main(train)

"""``keras.Model.fit`` as every tutorial calls it."""

from collections.abc import Callable

import keras

from benchmarks.peers.contract import Job, main
from benchmarks.peers.keras_network import EpochDone, build, settings


def train(job: Job, epoch_done: Callable[[], None], **compile_arguments) -> float:
    model = keras.Model(*build(job.x.shape[1]))
    model.compile(**settings(), **compile_arguments)
    fitted = model.fit(
        job.x,
        job.y,
        batch_size=job.batch_size,
        epochs=job.epochs,
        shuffle=job.shuffle,
        validation_data=(job.x_validation, job.y_validation),
        verbose=0,
        callbacks=[EpochDone(epoch_done)],
    )
    return fitted.history["val_loss"][-1]


if __name__ == "__main__":
    main(train)

"""scikit-learn's MLPClassifier; ``partial_fit`` is one epoch of batches."""

from collections.abc import Callable

from sklearn.metrics import log_loss
from sklearn.neural_network import MLPClassifier

from benchmarks.peers.contract import HIDDEN_UNITS, LEARNING_RATE, Job, main


def train(job: Job, epoch_done: Callable[[], None]) -> float:
    model = MLPClassifier(
        HIDDEN_UNITS,
        alpha=0,  # the others have no weight penalty
        batch_size=job.batch_size,
        learning_rate_init=LEARNING_RATE,
        shuffle=job.shuffle,
        random_state=0,
    )
    for _ in range(job.epochs):
        model.partial_fit(job.x, job.y, classes=[0, 1])
        val_loss = log_loss(job.y_validation, model.predict_proba(job.x_validation))
        epoch_done()
    return val_loss


if __name__ == "__main__":
    main(train)

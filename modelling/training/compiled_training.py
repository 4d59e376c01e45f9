"""Keras's own ``fit``, with a whole epoch of batches in one compiled program.

Most of the time of ``model.fit`` on a tabular network goes into dispatching each batch, not into
arithmetic. Here Keras's stock ``train_step`` is looped over inside one XLA program, so one call
trains on a whole chunk of batches. Loss, metrics, optimizer, callbacks, validation and History are
Keras's own, and so is the order of the arithmetic: the same batches give the same losses.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelling.training.ensemble_model import EnsembleModel

# Rows whose features stay on the device at once; larger tables are streamed in chunks.
DEVICE_BUDGET_BYTES = 1 << 30
# How XLA says that it can't compile an operation. Other errors are errors.
UNCOMPILABLE = (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)


class Rows:
    """Training rows in the order of the epoch: features (n, f), target (n,), weights (n,) or None.

    ``order_of_epoch`` gives the permutation of the rows for an epoch, keyed by the epoch alone, so
    that an epoch can be repeated in another process.
    """

    def __init__(
        self,
        features: np.ndarray,
        target: np.ndarray,
        weights: np.ndarray | None,
        batch_size: int,
        order_of_epoch: Callable[[int], np.ndarray],
        device_budget_bytes: int = DEVICE_BUDGET_BYTES,
    ):
        self.arrays = (features, target, *(() if weights is None else (weights,)))
        self.batch_size = min(batch_size, len(features))
        self.order_of_epoch = order_of_epoch
        self.order = np.arange(len(features), dtype=np.int32)  # until the first epoch starts
        self.beside = ThreadPoolExecutor(1)
        self.next_order: tuple[int, Future[np.ndarray]] | None = None
        self.full_batches, self.tail = divmod(len(features), self.batch_size)
        row_bytes = sum(array.nbytes // max(len(array), 1) for array in self.arrays)
        # Twice: the rows as they are, and in the order of the epoch.
        fitting = max(device_budget_bytes // (2 * row_bytes * self.batch_size), 1)
        self.resident = fitting > self.full_batches
        self.chunk_batches = min(fitting, self.full_batches)
        self.chunks = -(-self.full_batches // self.chunk_batches)
        self.on_device = [tf.constant(array) for array in self.arrays] if self.resident else None

    def start_epoch(self, epoch: int) -> None:
        """Put the rows in the order of ``epoch``, and draw that of the next while this one runs."""
        if self.next_order is None or self.next_order[0] != epoch:
            self.next_order = (epoch, self.beside.submit(self._draw, epoch))
        self.order = self.next_order[1].result()
        self.next_order = (epoch + 1, self.beside.submit(self._draw, epoch + 1))

    def _draw(self, epoch: int) -> np.ndarray:
        return self.order_of_epoch(epoch).astype(np.int32)

    def chunk(self, number: int) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """Arrays on the device, (batches, batch_size) row numbers in them, how many batches."""
        first = number * self.chunk_batches
        batches = min(self.chunk_batches, self.full_batches - first)
        rows = self.order[first * self.batch_size : (first + batches) * self.batch_size]
        shape = (self.chunk_batches, self.batch_size)
        if self.on_device is None:
            padded = np.resize(rows, self.chunk_batches * self.batch_size)
            arrays = [tf.constant(array[padded]) for array in self.arrays]
            index = np.arange(len(padded), dtype=np.int32).reshape(shape)
        else:
            arrays, index = self.on_device, np.resize(rows, shape)
        return arrays, tf.constant(index), tf.constant(batches)

    def tail_batch(self) -> list[tf.Tensor]:
        """The last, smaller batch of the epoch."""
        rows = self.order[len(self.order) - self.tail :]
        return [tf.constant(array[rows]) for array in self.arrays]

    def batches(self, divisible_by: int) -> Iterator[tuple[np.ndarray, ...]]:
        """The epoch's batches; rows of the last one that don't divide evenly are left out."""
        for first in range(0, len(self.order), self.batch_size):
            rows = self.order[first : first + self.batch_size]
            rows = rows[: len(rows) - len(rows) % divisible_by]
            if len(rows):
                yield tuple(array[rows] for array in self.arrays)


def endless(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """``dataset`` again and again, so that Keras makes no new iterator in every epoch; and without
    tf.data's autotuning, whose threads cost 10 ms at the end of an epoch."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return dataset.repeat().with_options(options)


class CompiledModel(EnsembleModel):
    """A functional Keras model whose ``fit`` runs chunks of batches; see ``fit_rows``."""

    rows: Rows
    not_compiled: str | None = None  # why XLA refused this network, which then trains as in Keras

    def fit_rows(self, rows: Rows, **fit_arguments: Any) -> keras.callbacks.History:
        """``keras.Model.fit`` over ``rows``; all other arguments are those of ``fit``."""
        self.rows = rows
        numbers = endless(tf.data.Dataset.range(rows.chunks))
        return self.fit(numbers, steps_per_epoch=rows.chunks, shuffle=False, **fit_arguments)

    def make_train_function(self, force: bool = False) -> None:
        if getattr(self, "train_function", None) is not None and not force:
            return
        chunk_program = tf.function(self._train_chunk, jit_compile=True)
        batch_program = tf.function(self.train_step, reduce_retracing=True)

        def train_function(iterator: Iterator[tf.Tensor]) -> dict[str, tf.Tensor]:
            number = int(next(iterator))
            chunk = self.rows.chunk(number)
            if self.not_compiled is None:
                try:
                    logs = chunk_program(*chunk)
                except UNCOMPILABLE as error:  # raised before the first step was taken
                    self.not_compiled = str(error).strip().splitlines()[0]
            if self.not_compiled is not None:
                arrays, index, batches = chunk
                for rows in index[:batches]:
                    logs = batch_program(tuple(tf.gather(array, rows) for array in arrays))
            if self.rows.tail and number == self.rows.chunks - 1:
                logs = batch_program(tuple(self.rows.tail_batch()))
            return logs

        self.train_function = train_function

    def _train_chunk(
        self, arrays: list[tf.Tensor], index: tf.Tensor, batches: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        # Gathered at once, the rows of a batch lie together: a fifth faster than batch by batch.
        shuffled = [tf.gather(array, index) for array in arrays]

        def train_batch(step: tf.Tensor) -> tf.Tensor:
            self.train_step(tuple(array[step] for array in shuffled))
            return step + 1

        tf.while_loop(
            lambda step: step < batches, train_batch, [tf.constant(0)], parallel_iterations=1
        )
        return self.get_metrics_result()

"""Keras's own ``fit``, with a whole epoch of batches in one compiled program.

Most of the time of ``model.fit`` on a tabular network goes into dispatching each batch, not into
arithmetic. Here Keras's stock ``train_step`` is looped over inside one XLA program, so one call
trains on a whole chunk of batches. Loss, metrics, optimizer, callbacks, validation and History are
Keras's own, and so is the order of the arithmetic: the same batches give the same losses.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cached_property
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from modelling.training.ensemble_model import EnsembleModel

# Tables up to this size stay on a GPU; larger ones are streamed in chunks.
GPU_BUDGET_BYTES = 1 << 30
CHUNK_BYTES = 64 << 20  # of rows, which a program puts in the order of the epoch before it begins
ALIGNED_BYTES = 64  # at whose multiples the tensors of a CPU begin
# What XLA raises where it can't compile an operation. Other errors are passed on.
UNCOMPILABLE = (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError)


class Rows:
    """Training rows in the order of the epoch.

    Parameters
    ----------
    features : (n, f) float32
        Finite; n is at least 1.
    target : (n,)
        float32 values in training units, or int64 class codes.
    weights : (n,) float32 or None
        Sample weights; None weighs all rows equally.
    batch_size : int
        Rows of a batch; at most n are used. The last batch of an epoch may be smaller.
    order_of_epoch : callable
        Maps an epoch (from 0) to a permutation (n,) of the rows. It must depend on the epoch alone,
        so that an epoch can be repeated in another process.
    device_budget_bytes : int, optional
        Memory of the device that the rows may take; beyond it they are streamed in chunks. None is
        1 GiB of a GPU; a CPU reads the arrays where they are, however large.
    """

    def __init__(
        self,
        features: np.ndarray,
        target: np.ndarray,
        weights: np.ndarray | None,
        batch_size: int,
        order_of_epoch: Callable[[int], np.ndarray],
        device_budget_bytes: int | None = None,
    ):
        self.arrays = (features, target, *(() if weights is None else (weights,)))
        self.batch_size = min(batch_size, len(features))
        self.order_of_epoch = order_of_epoch
        self.order = np.arange(len(features), dtype=np.int32)  # until the first epoch starts
        self.background = ThreadPoolExecutor(1)
        self.next_order: tuple[int, Future[np.ndarray]] | None = None
        self.full_batches, self.tail_rows = divmod(len(features), self.batch_size)
        row_bytes = sum(array.nbytes // max(len(array), 1) for array in self.arrays)
        budget = _device_budget() if device_budget_bytes is None else device_budget_bytes
        # Twice: the rows of a chunk in the order of the table, and in that of the epoch.
        chunk_bytes = int(min(CHUNK_BYTES, budget / 2))
        self.fits_on_device = row_bytes * len(features) <= budget - chunk_bytes
        most = max(chunk_bytes // (row_bytes * self.batch_size), 1)
        self.chunks = -(-self.full_batches // most)
        self.chunk_batches = -(-self.full_batches // self.chunks)

    @cached_property
    def on_device(self) -> list[tf.Tensor]:
        """The arrays, where they fit."""
        if _has_gpu():
            return [tf.constant(array) for array in self.arrays]
        return [tensor_of(array) for array in self.arrays]

    def start_epoch(self, epoch: int) -> None:
        """Put the rows in the order of ``epoch``; the next order is drawn in the background."""
        if self.next_order is None or self.next_order[0] != epoch:
            self.next_order = (epoch, self.background.submit(self._draw, epoch))
        self.order = self.next_order[1].result()
        self.next_order = (epoch + 1, self.background.submit(self._draw, epoch + 1))

    def _draw(self, epoch: int) -> np.ndarray:
        return self.order_of_epoch(epoch).astype(np.int32)

    def chunk(self, number: int) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
        """Some whole batches of the epoch, as the compiled program takes them.

        Parameters
        ----------
        number : int
            Which chunk of the epoch, from 0 to ``chunks`` - 1.

        Returns
        -------
        arrays : list of Tensor
            Features, target and (if any) weights on the device.
        index : (chunk_batches, batch_size) int32 Tensor
            Row numbers in ``arrays``; rows beyond ``batches`` are padding.
        batches : scalar int32 Tensor
            How many of the batches to train on.
        """
        first = number * self.chunk_batches
        batches = min(self.chunk_batches, self.full_batches - first)
        rows = self.order[first * self.batch_size : (first + batches) * self.batch_size]
        shape = (self.chunk_batches, self.batch_size)
        if self.fits_on_device:
            arrays, index = self.on_device, np.resize(rows, shape)
        else:
            padded = np.resize(rows, self.chunk_batches * self.batch_size)
            arrays = [tf.constant(array[padded]) for array in self.arrays]
            index = np.arange(len(padded), dtype=np.int32).reshape(shape)
        return arrays, tf.constant(index), tf.constant(batches)

    def tail_batch(self) -> list[tf.Tensor]:
        """The last, smaller batch of the epoch."""
        rows = self.order[len(self.order) - self.tail_rows :]
        return [tf.constant(array[rows]) for array in self.arrays]

    def batches(self, divisible_by: int) -> Iterator[tuple[np.ndarray, ...]]:
        """The epoch's batches as arrays; the last one is cut to a multiple of ``divisible_by``."""
        for first in range(0, len(self.order), self.batch_size):
            rows = self.order[first : first + self.batch_size]
            rows = rows[: len(rows) - len(rows) % divisible_by]
            if len(rows):
                yield tuple(array[rows] for array in self.arrays)


def tensor_of(array: np.ndarray) -> tf.Tensor:
    """``array``, which must not change any more, as a tensor over the same memory where TensorFlow
    can compute on it: ``tf.constant`` copies it, and holds two copies meanwhile."""
    usable = array.flags.c_contiguous and array.flags.writeable  # DLPack knows no others
    if not usable or array.ctypes.data % ALIGNED_BYTES:
        return tf.constant(array)
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())


def _has_gpu() -> bool:
    return bool(tf.config.list_logical_devices("GPU"))


def _device_budget() -> float:
    return GPU_BUDGET_BYTES if _has_gpu() else math.inf


def repeat_forever(dataset: tf.data.Dataset) -> tf.data.Dataset:
    """``dataset`` without end, so that Keras creates no new iterator in every epoch; without
    tf.data's autotuning, whose threads cost 10 ms at the end of an epoch; and without its
    optimizer, which copies all tensors."""
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    return dataset.repeat().with_options(options)


class CompiledModel(EnsembleModel):
    """A functional Keras model whose ``fit`` runs chunks of batches; see ``fit_rows``."""

    rows: Rows
    not_compiled: str | None = None  # XLA's error; the network then trains batch by batch

    def fit_rows(self, rows: Rows, **fit_arguments: Any) -> keras.callbacks.History:
        """``keras.Model.fit`` on ``rows``; all other arguments are passed on to ``fit``."""
        self.rows = rows
        # Programs that create variables are traced twice, and tracing takes longer than compiling.
        self._symbolic_build(data_batch=tuple(array[:1] for array in rows.arrays))
        numbers = repeat_forever(tf.data.Dataset.range(rows.chunks))
        return self.fit(numbers, steps_per_epoch=rows.chunks, shuffle=False, **fit_arguments)

    def make_train_function(self, force: bool = False) -> None:
        if getattr(self, "train_function", None) is not None and not force:
            return
        chunk_program = tf.function(self._train_chunk, jit_compile=True, autograph=False)
        batch_program = tf.function(self.train_step, reduce_retracing=True, autograph=False)

        def train_function(iterator: Iterator[tf.Tensor]) -> dict[str, tf.Tensor]:
            number = int(next(iterator))
            chunk = self.rows.chunk(number)
            if self.not_compiled is None:
                try:
                    logs = chunk_program(*chunk)
                except UNCOMPILABLE as error:  # raised before the first training step
                    self.not_compiled = str(error).strip().splitlines()[0]
            if self.not_compiled is not None:
                arrays, index, batches = chunk
                for rows in index[:batches]:
                    logs = batch_program(tuple(tf.gather(array, rows) for array in arrays))
            if self.rows.tail_rows and number == self.rows.chunks - 1:
                logs = batch_program(tuple(self.rows.tail_batch()))
            return logs

        self.train_function = train_function

    def _train_chunk(
        self, arrays: list[tf.Tensor], index: tf.Tensor, batches: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        # Gathering all batches at once makes each contiguous: a fifth faster than one by one.
        shuffled = [tf.gather(array, index) for array in arrays]

        def train_batch(step: tf.Tensor) -> tf.Tensor:
            self.train_step(tuple(array[step] for array in shuffled))
            return step + 1

        tf.while_loop(
            lambda step: step < batches, train_batch, [tf.constant(0)], parallel_iterations=1
        )
        return self.get_metrics_result()

"""Train one model on several devices of a machine: each takes its share of every batch.

Synchronous data parallelism with TensorFlow's MirroredStrategy: same batches, same losses as on one
device. Its ``fit`` can't be compiled into one program (``jit_compile`` fails under the strategy),
so it pays only where a single batch keeps several GPUs busy.
"""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import tensorflow as tf

from modelling.declaration import Training
from modelling.refusals import UsageError
from modelling.training.compiled_training import Rows
from modelling.training.ensemble_model import EnsembleModel


@contextmanager
def on_declared_devices(declared: Training) -> Iterator[None]:
    """The context in which to build and train: all GPUs where ``devices="all"``, else one device.

    A machine with one GPU trains on it; the devices of a machine without any GPU are TensorFlow's
    logical CPUs. Raises UsageError where the environment variable TF_CONFIG names several machines,
    or the batch size is no multiple of the number of devices.
    """
    if declared.devices == "all":
        _refuse_several_machines()
    devices = _logical_devices() if declared.devices == "all" else []
    if len(devices) < 2:
        yield
        return
    if declared.batch_size % len(devices):
        raise UsageError(
            f"training.batch_size {declared.batch_size} does not divide evenly over "
            f"{len(devices)} devices: set a multiple of {len(devices)}"
        )
    with tf.distribute.MirroredStrategy(devices).scope():
        yield


def _logical_devices() -> list[str]:
    """The devices that exist: a MirroredStrategy with others would wait for ever."""
    found = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    return [device.name for device in found]


def _refuse_several_machines() -> None:
    cluster = json.loads(os.environ.get("TF_CONFIG") or "{}").get("cluster", {})
    if sum(len(hosts) for hosts in cluster.values()) > 1:
        raise UsageError(
            "TF_CONFIG names several machines, on which Keras can't train one model (keras issue "
            "20585): unset it, and train many models on many workers with 'finflows search'"
        )


class MirroredModel(EnsembleModel):
    """A functional Keras model under a MirroredStrategy, with the ``fit_rows`` of CompiledModel."""

    not_compiled = "spread over several devices, which XLA can't compile into one program"

    def fit_rows(self, rows: Rows, **fit_arguments: Any) -> keras.callbacks.History:
        """``keras.Model.fit`` on the batches of ``rows``, in the order of each epoch."""
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        specs = tuple(tf.TensorSpec((None, *array.shape[1:]), array.dtype) for array in rows.arrays)
        batches = tf.data.Dataset.from_generator(
            lambda: rows.batches(replicas), output_signature=specs
        )
        # With an unknown length Keras takes one more, empty, optimizer step in every epoch.
        count = rows.full_batches + (rows.tail_rows >= replicas)
        batches = batches.apply(tf.data.experimental.assert_cardinality(count))
        options = tf.data.Options()
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        return self.fit(batches.with_options(options), shuffle=False, **fit_arguments)

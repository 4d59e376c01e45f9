"""Keras layers that compute with the rows of a batch along the last axis.

A layer has the inputs and outputs of Keras's own, (rows, ..., features), its weights and its
arithmetic. Only the order in memory differs: (..., features, rows), in which the long axis is
contiguous. XLA's matrix products on CPUs are then up to three times faster, above all those of the
gradients, which sum over the rows. The two transpositions between two such layers cancel out in the
compiled program, and so do those of their gradients, as long as all layers in between are of this
module. Use ``with_stock_layers`` of ``modelling.training.finished_network`` before saving one.
"""

import keras
import tensorflow as tf

# In smaller batches of narrow networks, transposing costs more than it saves.
FEATURES_FIRST_ROWS = 256


def to_features_first(inputs: tf.Tensor) -> tf.Tensor:
    """(rows, ..., features) -> (..., features, rows)."""
    rank = len(inputs.shape)
    return tf.transpose(inputs, [*range(1, rank), 0])


def to_rows_first(columns: tf.Tensor) -> tf.Tensor:
    """(..., features, rows) -> (rows, ..., features)."""
    rank = len(columns.shape)
    return tf.transpose(columns, [rank - 1, *range(rank - 1)])


def trains_features_first(inputs: tf.Tensor, training: bool | None) -> bool:
    """Whether a layer should transpose: in training, with a batch of at least
    ``FEATURES_FIRST_ROWS`` rows. False where the size of the batch is unknown."""
    return bool(training) and (inputs.shape[0] or 0) >= FEATURES_FIRST_ROWS


class _Affine(keras.layers.Layer):
    """A layer of weights and biases, transposed where that is faster; otherwise Keras's own."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if not trains_features_first(inputs, training):
            return super().call(inputs, training=training)
        weighted = tf.matmul(self.kernel, to_features_first(inputs), transpose_a=True)
        shifted = weighted if self.bias is None else weighted + self.bias[..., None]
        return self.activation(to_rows_first(shifted))


class Dense(_Affine, keras.layers.Dense):
    """Keras's Dense: (rows, features) -> (rows, units)."""


class MembersDense(_Affine, keras.layers.EinsumDense):
    """Keras's EinsumDense with kernels (members, features, units): each member's own Dense.

    (rows, features), the same for all members, or (rows, members, features) -> (rows, members,
    units).
    """


class Activation(keras.layers.Activation):
    """Keras's Activation, for element-wise functions only (so not softmax)."""

    def call(self, inputs: tf.Tensor, training: bool | None = None) -> tf.Tensor:
        if not trains_features_first(inputs, training):
            return super().call(inputs)
        return to_rows_first(self.activation(to_features_first(inputs)))

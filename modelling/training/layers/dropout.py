"""Keras's Dropout with a random generator that compiled programs run at 1 ns per number."""

import keras
import numpy as np
import tensorflow as tf

from modelling.training.layers.features_first import (
    to_features_first,
    to_rows_first,
    trains_features_first,
)


class CounterDropout(keras.layers.Dropout):
    """Dropout (Srivastava et al. 2014) whose mask is a function of (seed, step, position) alone.

    TensorFlow's own generator takes 85 ns a number inside an XLA program on CPUs, more than the
    training step around it. This one is counter-based (Salmon et al. 2011, "Parallel random
    numbers: as easy as 1, 2, 3"): a bijective 32-bit mix, the multiply-xorshift "lowbias32" of
    Wellons (2018), of the position under a key. It gives the same mask compiled or not, on CPU and
    GPU, in either order of memory (see ``modelling.training.layers.features_first``).
    """

    def call(self, inputs: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training or self.rate == 0:
            return inputs
        key = tf.cast(self.seed_generator.next(), tf.uint32)
        if trains_features_first(inputs, training):  # the same mask, transposed
            of_row = tf.reshape(tf.range(tf.size(inputs[0])), (*inputs.shape[1:], 1))
            position = of_row + tf.size(inputs[0]) * tf.range(inputs.shape[0])
            return to_rows_first(self._masked(to_features_first(inputs), position, key))
        position = tf.reshape(tf.range(tf.size(inputs)), tf.shape(inputs))
        return self._masked(inputs, position, key)

    def _masked(self, inputs: tf.Tensor, position: tf.Tensor, key: tf.Tensor) -> tf.Tensor:
        bits = _mix(tf.cast(position, tf.uint32) + _mix(key[0] ^ _mix(key[1])))
        is_kept = bits >= tf.constant(int(self.rate * 2**32), tf.uint32)
        scale = np.float32(1 / (1 - self.rate))
        return tf.where(is_kept, inputs * tf.cast(scale, inputs.dtype), tf.zeros_like(inputs))

    def set_stream(self, *key: int) -> None:
        """Start the random stream that belongs to ``key``, for instance (seed, epoch)."""
        state = np.random.SeedSequence(key).generate_state(2)
        self.seed_generator.state.assign(state.astype(self.seed_generator.state.dtype))


def _mix(word: tf.Tensor) -> tf.Tensor:
    word = (word ^ tf.bitwise.right_shift(word, np.uint32(16))) * np.uint32(0x7FEB352D)
    word = (word ^ tf.bitwise.right_shift(word, np.uint32(15))) * np.uint32(0x846CA68B)
    return word ^ tf.bitwise.right_shift(word, np.uint32(16))

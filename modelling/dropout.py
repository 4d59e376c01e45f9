"""Keras's Dropout with a random stream that compiled programs compute in a nanosecond a number."""

import keras
import numpy as np
import tensorflow as tf


class CounterDropout(keras.layers.Dropout):
    """Dropout (Srivastava et al. 2014) whose mask is a function of (seed, step, position) alone.

    TensorFlow's own generator takes 85 ns a number inside an XLA program on CPUs, more than the
    training step around it. This one is counter-based (Salmon et al. 2011, "Parallel random
    numbers: as easy as 1, 2, 3"): a bijective 32-bit mix, the multiply-xorshift "lowbias32" of
    Wellons (2018), of the position under a key. It gives the same mask compiled or not, on CPU and
    GPU. Use ``with_stock_dropout`` before saving a network.
    """

    def call(self, inputs, training=False):
        if not training or self.rate == 0:
            return inputs
        key = tf.cast(self.seed_generator.next(), tf.uint32)
        shape = tf.shape(inputs)
        position = tf.reshape(tf.range(tf.size(inputs)), shape)
        bits = _mix(tf.cast(position, tf.uint32) + _mix(key[0] ^ _mix(key[1])))
        kept = bits >= tf.constant(int(self.rate * 2**32), tf.uint32)
        scale = np.float32(1 / (1 - self.rate))
        return tf.where(kept, inputs * tf.cast(scale, inputs.dtype), tf.zeros_like(inputs))

    def set_stream(self, *key: int) -> None:
        """Start the random stream that belongs to ``key``, for instance (seed, epoch)."""
        state = np.random.SeedSequence(key).generate_state(2)
        self.seed_generator.state.assign(state.astype(self.seed_generator.state.dtype))


def _mix(word: tf.Tensor) -> tf.Tensor:
    word = (word ^ tf.bitwise.right_shift(word, np.uint32(16))) * np.uint32(0x7FEB352D)
    word = (word ^ tf.bitwise.right_shift(word, np.uint32(15))) * np.uint32(0x846CA68B)
    return word ^ tf.bitwise.right_shift(word, np.uint32(16))


def with_stock_dropout(network: keras.Model) -> keras.Model:
    """A float32 copy of ``network`` with Keras's own Dropout: it loads wherever Keras is."""

    def stock(layer: keras.layers.Layer) -> keras.layers.Layer:
        config = {**layer.get_config(), "dtype": "float32"}
        kind = keras.layers.Dropout if isinstance(layer, CounterDropout) else type(layer)
        return kind.from_config(config)

    copy = keras.models.clone_model(network, clone_function=stock)
    copy.set_weights(network.get_weights())
    return copy

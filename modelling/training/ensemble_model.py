"""A Keras model whose outputs may have an axis of members, each trained on its own loss."""

from typing import Any

import keras
import tensorflow as tf


class EnsembleModel(keras.Model):
    """A functional Keras model with outputs (batch, outputs), or (batch, members, outputs).

    Members are trained on the mean of their losses; metrics and the validation loss are those of
    the mean of their outputs.
    """

    def compute_loss(
        self,
        x: tf.Tensor | None = None,
        y: tf.Tensor | None = None,
        y_pred: Any = None,
        sample_weight: tf.Tensor | None = None,
        training: bool = True,
    ) -> tf.Tensor:
        """Keras's loss, but the validation loss leaves out the L2 penalties: it is compared between
        trainings with different penalties.

        Parameters
        ----------
        x : Tensor or None
            The features; Keras passes them on.
        y : (batch,) Tensor
            Target values or class codes.
        y_pred : (batch, outputs) or (batch, members, outputs) Tensor
            In training, each member has its own loss.
        sample_weight : (batch,) Tensor or None
            Weights of the rows.
        training : bool
            False for validation rows.

        Returns
        -------
        scalar Tensor
            The mean over rows (and members). NaN where an output is NaN.
        """
        if not training:
            return self._compile_loss(y, mean_of_members(y_pred), sample_weight)
        if len(y_pred.shape) == 3:
            members = y_pred.shape[1]
            y_pred = tf.reshape(y_pred, (-1, y_pred.shape[2]))
            y = tf.repeat(y, members)
            sample_weight = None if sample_weight is None else tf.repeat(sample_weight, members)
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def compute_metrics(
        self, x: tf.Tensor, y: tf.Tensor, y_pred: tf.Tensor, sample_weight: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        """Keras's metrics, of the mean of the members."""
        return super().compute_metrics(x, y, mean_of_members(y_pred), sample_weight)


def mean_of_members(outputs: tf.Tensor) -> tf.Tensor:
    """The mean over members.

    Parameters
    ----------
    outputs : (batch, outputs) or (batch, members, outputs) Tensor

    Returns
    -------
    (batch, outputs) Tensor
        ``outputs`` unchanged where there is no axis of members.
    """
    return tf.reduce_mean(outputs, axis=1) if len(outputs.shape) == 3 else outputs

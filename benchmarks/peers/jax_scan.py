"""JAX as an expert writes it: one jitted ``lax.scan`` over all batches of an epoch."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from benchmarks.peers.contract import HIDDEN_UNITS, LEARNING_RATE, Job, main


def _weights(features: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Glorot uniform and zeros, as in Keras."""
    random, widths = np.random.default_rng(0), (features, *HIDDEN_UNITS, 1)
    layers = []
    for wide, narrow in pairwise(widths):
        limit = np.sqrt(6 / (wide + narrow))
        kernel = random.uniform(-limit, limit, (wide, narrow)).astype(np.float32)
        layers.append((kernel, np.zeros(narrow, np.float32)))
    return layers


def _loss(weights, x, y):
    """Binary cross-entropy, from the logit."""
    for kernel, bias in weights[:-1]:
        x = jax.nn.relu(x @ kernel + bias)
    kernel, bias = weights[-1]
    logit = (x @ kernel + bias)[:, 0]
    return jnp.mean(jax.nn.softplus(logit) - y * logit)


def _adam_step(state, batch):
    """One step of Adam (Kingma and Ba 2015) with Keras's constants."""
    weights, mean, square, step, total = state
    loss, gradient = jax.value_and_grad(_loss)(weights, *batch)
    step, total = step + 1, total + loss * len(batch[1])
    mean = jax.tree.map(lambda m, g: m + 0.1 * (g - m), mean, gradient)
    square = jax.tree.map(lambda s, g: s + 0.001 * (g * g - s), square, gradient)
    rate = LEARNING_RATE * jnp.sqrt(1 - 0.999**step) / (1 - 0.9**step)
    weights = jax.tree.map(
        lambda w, m, s: w - rate * m / (jnp.sqrt(s) + 1e-7), weights, mean, square
    )
    return (weights, mean, square, step, total), None


@partial(jax.jit, static_argnames="batch_size", donate_argnums=0)
def _epoch(state, x, y, order, batch_size):
    batches, tail = divmod(len(order), batch_size)
    rows = order[: batches * batch_size].reshape(batches, batch_size)
    state, _ = lax.scan(lambda carry, index: _adam_step(carry, (x[index], y[index])), state, rows)
    if tail:
        last = order[batches * batch_size :]
        state, _ = _adam_step(state, (x[last], y[last]))
    return state


def train(
    job: Job, epoch_done: Callable[[], None], order: Callable[[int], Any] | None = None
) -> float:
    """``order`` of the rows in an epoch: by default the job's own, which NumPy draws."""
    order = order or job.order
    arrays = (job.x, job.y, job.x_validation, job.y_validation)
    x, y, *validation = (jnp.asarray(array, jnp.float32) for array in arrays)
    weights = jax.tree.map(jnp.asarray, _weights(x.shape[1]))
    zeros = partial(jax.tree.map, jnp.zeros_like)
    state = [weights, zeros(weights), zeros(weights), jnp.float32(0)]
    validate, history = jax.jit(_loss), []
    for epoch in range(job.epochs):
        rows = jnp.asarray(order(epoch), jnp.int32)
        *state, total = _epoch((*state[:4], jnp.float32(0)), x, y, rows, job.batch_size)
        loss, val_loss = float(total) / len(y), float(validate(state[0], *validation))
        history.append((loss, val_loss))
        epoch_done()
    return history[-1][1]


if __name__ == "__main__":
    main(train)
